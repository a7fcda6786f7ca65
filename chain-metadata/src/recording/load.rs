//! Reading and checking the files of a recording.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::header::HexBytes;
use super::history::{Full, History};
use super::{
    Header, METADATA_API, RecordedBlock, RecordedCall, Recording, RecordingError, Runtime,
    api_version,
};
use crate::ids::{BlockNumber, H256, SpecVersion};

const CHAIN: &str = "chain.json";
const GENESIS: &str = "genesis.json.zst";
const BLOCKS: &str = "blocks.jsonl.zst";
const CALLS: &str = "calls.jsonl.zst";

/// A file may not unpack to more: offsets into the values are 32 bits wide.
const MAX_UNPACKED: u64 = 2 << 30;

type ReadFile<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

#[derive(Deserialize)]
struct ChainFile {
    name: String,
    #[serde(default)]
    description: String,
    properties: serde_json::Value,
    head: BlockNumber,
    specs: BTreeMap<SpecVersion, SpecEntry>,
    #[serde(default)]
    failures: Vec<(BlockNumber, String, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecEntry {
    first: BlockNumber,
    runtime_version: serde_json::Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockLine {
    number: BlockNumber,
    hash: H256,
    spec_version: SpecVersion,
    header: Header,
    extrinsics: Vec<HexBytes>,
    diff: Vec<(HexBytes, Option<HexBytes>)>,
}

#[derive(Deserialize)]
struct CallLine {
    block: BlockNumber,
    hash: H256,
    method: String,
    params: HexBytes,
    result: HexBytes,
}

pub(super) fn load(read: ReadFile<'_>) -> Result<Recording, RecordingError> {
    let chain: ChainFile = json(CHAIN, 1, &fetch(read, CHAIN)?)?;
    if chain.specs.is_empty() {
        return Err(RecordingError::Chain {
            problem: "no runtimes are listed under specs".into(),
        });
    }

    let mut history = History::default();
    history.begin_block();
    let genesis: Vec<(HexBytes, HexBytes)> = json(GENESIS, 1, &fetch(read, GENESIS)?)?;
    for (key, value) in &genesis {
        history
            .set(0, &key.0, Some(&value.0))
            .map_err(|Full| too_large(GENESIS))?;
    }

    let blocks = read_blocks(read, &chain, &mut history)?;
    history.shrink();
    let by_hash: HashMap<H256, BlockNumber> = blocks
        .iter()
        .map(|block| (block.hash, block.number))
        .collect();
    let calls = read_calls(read, &by_hash)?;
    let mut calls_at: HashMap<H256, Vec<usize>> = HashMap::new();
    for (position, call) in calls.iter().enumerate() {
        calls_at.entry(call.hash).or_default().push(position);
    }
    let mut runtimes = BTreeMap::new();
    for (spec, entry) in chain.specs {
        runtimes.insert(spec, read_runtime(read, spec, entry.runtime_version)?);
    }
    Ok(Recording {
        name: chain.name,
        description: chain.description,
        genesis_hash: blocks.first().map_or(H256::ZERO, |block| block.hash),
        head: chain.head,
        properties: chain.properties,
        failures: chain.failures,
        blocks,
        by_hash,
        history,
        runtimes,
        calls,
        calls_at,
    })
}

fn read_blocks(
    read: ReadFile<'_>,
    chain: &ChainFile,
    history: &mut History,
) -> Result<Vec<RecordedBlock>, RecordingError> {
    let bytes = fetch(read, BLOCKS)?;
    let mut blocks: Vec<RecordedBlock> = Vec::new();
    for (line, text) in lines(&bytes) {
        let parsed: BlockLine = json(BLOCKS, line, text)?;
        let expected = blocks
            .last()
            .map_or(0, |block| block.number.saturating_add(1));
        check_block(&parsed, line, expected, blocks.last())?;
        check_spec(&parsed, line, chain, blocks.last())?;
        if parsed.number > 0 {
            history.begin_block();
        }
        for (key, value) in &parsed.diff {
            let value = value.as_ref().map(|value| value.0.as_slice());
            history
                .set(parsed.number, &key.0, value)
                .map_err(|Full| too_large(BLOCKS))?;
        }
        blocks.push(RecordedBlock {
            number: parsed.number,
            hash: parsed.hash,
            parent: parsed.header.parent_hash,
            header: parsed.header,
            extrinsics: parsed.extrinsics.into_iter().map(|xt| xt.0).collect(),
            spec_version: parsed.spec_version,
        });
    }
    let expected = u64::from(chain.head) + 1;
    let found = u64::try_from(blocks.len()).unwrap_or(u64::MAX);
    if found != expected {
        return Err(RecordingError::Truncated {
            file: BLOCKS.into(),
            expected,
            found,
        });
    }
    Ok(blocks)
}

fn check_block(
    parsed: &BlockLine,
    line: usize,
    expected: BlockNumber,
    previous: Option<&RecordedBlock>,
) -> Result<(), RecordingError> {
    let file = || BLOCKS.to_owned();
    for found in [parsed.number, parsed.header.number] {
        if found != expected {
            return Err(RecordingError::OutOfOrder {
                file: file(),
                line,
                expected,
                found,
            });
        }
    }
    // Block 0 is where the recording starts: its hash was chosen, not computed.
    let Some(previous) = previous else {
        return Ok(());
    };
    if parsed.header.parent_hash != previous.hash {
        return Err(RecordingError::Parent {
            file: file(),
            line,
            number: parsed.number,
            parent: parsed.header.parent_hash,
            previous: previous.hash,
        });
    }
    let computed = parsed.header.hash();
    if computed != parsed.hash {
        return Err(RecordingError::Hash {
            file: file(),
            line,
            number: parsed.number,
            recorded: parsed.hash,
            computed,
        });
    }
    Ok(())
}

fn check_spec(
    parsed: &BlockLine,
    line: usize,
    chain: &ChainFile,
    previous: Option<&RecordedBlock>,
) -> Result<(), RecordingError> {
    let spec = parsed.spec_version;
    let problem = match chain.specs.get(&spec) {
        None => format!("it lists {:?}", chain.specs.keys().collect::<Vec<_>>()),
        Some(entry) => {
            let begins = previous.is_none_or(|block| block.spec_version != spec);
            if begins == (entry.first == parsed.number) {
                return Ok(());
            }
            format!("it begins there at block {}", entry.first)
        }
    };
    Err(RecordingError::Runtime {
        file: BLOCKS.into(),
        line,
        number: parsed.number,
        spec,
        problem,
    })
}

fn read_calls(
    read: ReadFile<'_>,
    by_hash: &HashMap<H256, BlockNumber>,
) -> Result<Vec<RecordedCall>, RecordingError> {
    let bytes = fetch(read, CALLS)?;
    let mut calls = Vec::new();
    for (line, text) in lines(&bytes) {
        let parsed: CallLine = json(CALLS, line, text)?;
        if by_hash.get(&parsed.hash) != Some(&parsed.block) {
            return Err(RecordingError::Call {
                file: CALLS.into(),
                line,
                method: parsed.method,
                number: parsed.block,
                hash: parsed.hash,
            });
        }
        calls.push(RecordedCall {
            block: parsed.block,
            hash: parsed.hash,
            method: parsed.method,
            params: parsed.params.0,
            result: parsed.result.0,
        });
    }
    Ok(calls)
}

fn read_runtime(
    read: ReadFile<'_>,
    spec: SpecVersion,
    version: serde_json::Value,
) -> Result<Runtime, RecordingError> {
    let stated = version
        .get("specVersion")
        .and_then(serde_json::Value::as_u64);
    if stated != Some(u64::from(spec)) {
        return Err(RecordingError::Chain {
            problem: format!("the runtimeVersion under specs.{spec} has specVersion {stated:?}"),
        });
    }
    // Version 2 of the Metadata API brought Metadata_metadata_at_version, and with it format 15.
    let formats: &[u8] = match api_version(&version, METADATA_API) {
        Some(2..) => &[14, 15],
        _ => &[14],
    };
    let mut metadata = BTreeMap::new();
    for format in formats {
        let file = format!("metadata/{spec}.v{format}.scale");
        let bytes = fetch(read, &file)?;
        let start = [b'm', b'e', b't', b'a', *format];
        if !bytes.starts_with(&start) {
            let got = hex::encode(bytes.get(..start.len()).unwrap_or(&bytes));
            let problem =
                format!("metadata begins with meta and the byte {format}, this with 0x{got}");
            return Err(RecordingError::Metadata { file, problem });
        }
        metadata.insert(*format, bytes);
    }
    Ok(Runtime { version, metadata })
}

/// The bytes of a file, unpacked when its name ends in `.zst`.
fn fetch(read: ReadFile<'_>, file: &str) -> Result<Vec<u8>, RecordingError> {
    let bytes = read(file).map_err(|cause| RecordingError::Unreadable {
        file: file.into(),
        cause,
    })?;
    if !file.ends_with(".zst") {
        return Ok(bytes);
    }
    let damaged = |cause: std::io::Error| RecordingError::Compressed {
        file: file.into(),
        cause: cause.to_string(),
    };
    let mut out = Vec::new();
    zstd::stream::read::Decoder::new(bytes.as_slice())
        .map_err(damaged)?
        .take(MAX_UNPACKED + 1)
        .read_to_end(&mut out)
        .map_err(damaged)?;
    if u64::try_from(out.len()).is_ok_and(|len| len <= MAX_UNPACKED) {
        Ok(out)
    } else {
        Err(too_large(file))
    }
}

fn too_large(file: &str) -> RecordingError {
    RecordingError::TooLarge {
        file: file.into(),
        limit: MAX_UNPACKED,
    }
}

/// Parses `bytes`, which begin at `line` of `file`.
fn json<T: DeserializeOwned>(file: &str, line: usize, bytes: &[u8]) -> Result<T, RecordingError> {
    serde_json::from_slice(bytes).map_err(|cause| {
        // serde_json ends its sentence with its own line, which counts from the start of `bytes`.
        let text = cause.to_string();
        let place = format!(" at line {} column {}", cause.line(), cause.column());
        let text = text.strip_suffix(&place).unwrap_or(&text);
        RecordingError::Json {
            file: file.into(),
            line: line.saturating_add(cause.line().saturating_sub(1)),
            cause: format!("column {}: {text}", cause.column()),
        }
    })
}

/// Lines with their numbers, counted from 1; empty ones are left out.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    bytes
        .split(|byte| *byte == b'\n')
        .enumerate()
        .filter(|(_, text)| !text.is_empty())
        .map(|(index, text)| (index + 1, text))
}
