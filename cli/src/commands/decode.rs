//! `decode`: bytes and metadata in, JSON out.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use chain_metadata::{
    Metadata, decode_events, decode_extrinsic, event_json, extrinsic_json, nested_calls,
    storage_json,
};
use serde_json::Value;

use crate::args::{DecodeArgs, DecodeKind};

/// Decodes and prints.
pub(crate) fn decode(args: &DecodeArgs) -> Result<()> {
    let shown = args.metadata.display();
    let metadata = metadata(&read(&args.metadata)?)
        .with_context(|| format!("{shown} cannot be used as metadata"))?;
    let text = match args.hex.as_deref() {
        Some("-") | None => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .context("standard input cannot be read as text")?;
            text
        }
        Some(given) => match given.strip_prefix('@') {
            Some(path) => String::from_utf8(read(Path::new(path))?)
                .with_context(|| format!("{path} is not a text of hex"))?,
            None => given.to_owned(),
        },
    };
    let value = decoded(args.kind, &metadata, &text)?;
    super::print(&format!("{value:#}\n"));
    Ok(())
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// Metadata as raw bytes, as hex, or as the JSON answer of a node.
pub(super) fn metadata(bytes: &[u8]) -> Result<Metadata> {
    let text = std::str::from_utf8(bytes).map(str::trim).ok();
    let text = text.filter(|text| {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        text.starts_with(['{', '"']) || digits.bytes().all(|b| b.is_ascii_hexdigit())
    });
    Ok(match text {
        Some(text) => Metadata::from_bytes(&from_hex(&one(given(text)?)?)?)?,
        None => Metadata::from_bytes(bytes)?,
    })
}

/// What the bytes of a text mean.
fn decoded(kind: DecodeKind, metadata: &Metadata, text: &str) -> Result<Value> {
    let text = text.trim();
    match kind {
        DecodeKind::Extrinsic => match given(text)? {
            Given::One(hex) => extrinsic(metadata, &hex),
            Given::Many(list) => list
                .iter()
                .enumerate()
                .map(|(i, hex)| extrinsic(metadata, hex).with_context(|| format!("extrinsic {i}")))
                .collect(),
        },
        DecodeKind::Event => {
            let events = decode_events(metadata, &from_hex(&one(given(text)?)?)?)?;
            let ss58 = metadata.ss58_prefix();
            Ok(events.iter().map(|e| event_json(e, ss58)).collect())
        }
        DecodeKind::Storage => {
            let (key, value) = match text.split_once('=') {
                Some((key, value)) => (key.trim(), Some(from_hex(&one(given(value.trim())?)?)?)),
                None => (text, None),
            };
            let key = from_hex(&one(given(key)?)?)?;
            Ok(storage_json(metadata, &key, value.as_deref())?)
        }
    }
}

fn extrinsic(metadata: &Metadata, hex: &str) -> Result<Value> {
    let extrinsic = decode_extrinsic(metadata, &from_hex(hex)?)?;
    let nested = nested_calls(metadata, &extrinsic, &[]);
    Ok(extrinsic_json(metadata, &extrinsic, &nested, None))
}

/// Hex as it was given: one text, or several.
#[derive(Debug, PartialEq)]
enum Given {
    One(String),
    Many(Vec<String>),
}

/// Plain hex, one or several lines of it, or JSON: a text, a list of texts, or
/// the whole answer of a node with one of them as its result.
fn given(text: &str) -> Result<Given> {
    if !text.starts_with(['[', '{', '"']) {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        return Ok(match lines.len() {
            0 | 1 => Given::One(lines.pop().unwrap_or_default()),
            _ => Given::Many(lines),
        });
    }
    let mut json: Value =
        serde_json::from_str(text).context("it begins like JSON, but is not JSON")?;
    if let Some(answer) = json.as_object_mut() {
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            bail!("the node's answer is an error: {error}");
        }
        json = match answer.remove("result") {
            Some(Value::Null) => bail!("the node's answer is null: it has nothing there"),
            Some(result) => result,
            None => bail!("the JSON has no \"result\"; give hex or the whole answer of a node"),
        };
    }
    match json {
        Value::String(hex) => Ok(Given::One(hex)),
        Value::Array(list) => list
            .into_iter()
            .enumerate()
            .map(|(i, item)| match item {
                Value::String(hex) => Ok(hex),
                other => bail!(
                    "item {i} of the list is {}, not hex in a text",
                    kind(&other)
                ),
            })
            .collect::<Result<_>>()
            .map(Given::Many),
        other => bail!("the JSON holds {}, not hex in a text", kind(&other)),
    }
}

fn one(given: Given) -> Result<String> {
    match given {
        Given::One(hex) => Ok(hex),
        Given::Many(list) => bail!("{} texts are given where one belongs", list.len()),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    let digits = text.trim();
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    if digits.is_empty() {
        bail!("no bytes are given; give them in hex, as an argument or on standard input");
    }
    hex::decode(digits).map_err(|e| {
        let shown: String = text.chars().take(24).collect();
        let dots = if shown.len() < text.len() { "…" } else { "" };
        anyhow::anyhow!(
            "{shown:?}{dots} is not hex ({e}); give pairs of 0-9 and a-f, with or without 0x"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chain_metadata::Recording;
    use serde_json::json;

    use super::*;

    fn recording() -> Arc<Recording> {
        replay_node::fixture("mini-300").unwrap()
    }

    fn raw_metadata() -> Vec<u8> {
        recording().metadata(300, 14).unwrap().to_vec()
    }

    /// A block's extrinsics in hex.
    fn extrinsics(number: u32) -> Vec<String> {
        let recording = recording();
        let block = recording.block(number).unwrap();
        let raw = block.extrinsics.iter();
        raw.map(|xt| format!("0x{}", hex::encode(xt))).collect()
    }

    #[test]
    fn metadata_is_taken_in_every_form_a_node_gives_it() {
        let raw = raw_metadata();
        let hex = hex::encode(&raw);
        let forms = [
            raw.clone(),
            hex.clone().into_bytes(),
            format!("0x{hex}\n").into_bytes(),
            format!("\"0x{hex}\"").into_bytes(),
            json!({"jsonrpc": "2.0", "id": 1, "result": format!("0x{hex}")})
                .to_string()
                .into_bytes(),
        ];
        for form in forms {
            assert_eq!(metadata(&form).unwrap().spec_version().unwrap(), 300);
        }
    }

    #[test]
    fn metadata_that_is_none_is_refused_with_the_reason() {
        let refused = |bytes: &[u8]| format!("{:#}", metadata(bytes).err().unwrap());
        for (bytes, words) in [
            (&b"a text"[..], "not runtime metadata"),
            (b"", "no bytes"),
            (b"0x", "no bytes"),
            (b"0x6", "not hex"),
            (b"{\"result\":", "not JSON"),
            (b"{\"result\":null}", "null"),
            (b"{\"id\":1}", "no \"result\""),
            (b"{\"result\":7}", "a number"),
            (
                b"{\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}",
                "Method not found",
            ),
            (b"\xff\xfe", "not runtime metadata"),
        ] {
            let error = refused(bytes);
            assert!(error.contains(words), "{words:?} is not in {error}");
        }
        let raw = raw_metadata();
        refused(&raw[..raw.len() / 2]);
    }

    #[test]
    fn extrinsics_come_alone_in_lines_in_lists_and_in_answers() {
        let metadata = metadata(&raw_metadata()).unwrap();
        let list = extrinsics(5);
        let alone = decoded(DecodeKind::Extrinsic, &metadata, &list[0]).unwrap();
        assert!(alone.is_object(), "{alone}");
        let twice = [list[0].clone(), list[0].clone()];
        for text in [
            json!(twice).to_string(),
            json!({ "result": twice }).to_string(),
            format!("\n{}\n\n  {}\n", twice[0], twice[1]),
        ] {
            let value = decoded(DecodeKind::Extrinsic, &metadata, &text).unwrap();
            assert_eq!(value, json!([alone, alone]));
        }
        let none = decoded(DecodeKind::Extrinsic, &metadata, "[]").unwrap();
        assert_eq!(none, json!([]));
        let text = json!([twice[0], "0x00"]).to_string();
        let error = decoded(DecodeKind::Extrinsic, &metadata, &text).unwrap_err();
        assert!(
            format!("{error:#}").starts_with("extrinsic 1: "),
            "{error:#}"
        );
    }

    #[test]
    fn the_events_of_a_block_are_a_list() {
        let recording = recording();
        let metadata = metadata(&raw_metadata()).unwrap();
        let key = metadata.storage("System", "Events").unwrap().prefix;
        let events = recording.storage(5, &key).unwrap();
        let text = format!("0x{}", hex::encode(events));
        let value = decoded(DecodeKind::Event, &metadata, &text).unwrap();
        let whole = decode_events(&metadata, events).unwrap();
        assert!(!whole.is_empty());
        assert_eq!(value.as_array().map(Vec::len), Some(whole.len()));
        assert_eq!(value[0]["index"], 0);
        // As a node answers it, and beside its key.
        let answer = json!({"result": text}).to_string();
        let again = decoded(DecodeKind::Event, &metadata, &answer).unwrap();
        assert_eq!(again, value);
        let pair = format!("0x{} = {text}", hex::encode(key));
        decoded(DecodeKind::Storage, &metadata, &pair).unwrap();
        let two = format!("{text}\n{text}");
        let error = decoded(DecodeKind::Event, &metadata, &two).unwrap_err();
        assert!(error.to_string().contains("2 texts"), "{error}");
    }

    #[test]
    fn a_long_list_is_decoded_whole() {
        let metadata = metadata(&raw_metadata()).unwrap();
        let list = vec![extrinsics(5)[0].clone(); 5_000];
        let text = serde_json::to_string(&list).unwrap();
        let value = decoded(DecodeKind::Extrinsic, &metadata, &text).unwrap();
        assert_eq!(value.as_array().map(Vec::len), Some(5_000));
    }
}
