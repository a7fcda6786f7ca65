//! What a node's answers mean.

use std::borrow::Cow;

use chain_metadata::{BlockNumber, H256, Header, SpecVersion, blake2_256, encode_header};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::source::{BestHead, Bytes, RawBlock};

/// One answer: the raw result, or code and message of the error.
pub(super) type Answer = Result<Box<RawValue>, (i32, String)>;

/// An answer that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Bad {
    /// It breaks the protocol, or is not about what was asked.
    #[error("{0}")]
    Broken(String),
    /// `null` or zeros for the hash of a block that exists.
    #[error("{0}")]
    NoHash(&'static str),
    /// The node does not know the block: it lags behind, or threw it away.
    #[error("{0}")]
    Absent(String),
    /// The node has thrown the state away.
    #[error("{0}")]
    Pruned(String),
    /// The answer, or the call, passes a limit of the node.
    #[error("{0}")]
    TooLarge(String),
    /// The node takes no batches, or none of this length.
    #[error("{0}")]
    NoBatch(String),
    /// Another JSON-RPC error.
    #[error("{0}: {1}")]
    Refused(i32, String),
}

/// Sorts JSON-RPC errors. The codes are those of jsonrpsee, which nodes are built with.
pub(super) fn error(code: i32, message: &str) -> Bad {
    let lower = message.to_lowercase();
    let told = || format!("{code}: {message}");
    match code {
        // What jsonrpsee fills in.
        0 if message.is_empty() => {
            Bad::Broken("the answer to a batch has nothing about this call".into())
        }
        // No batches at all; too many calls in one.
        -32005 | -32010 => Bad::NoBatch(told()),
        // Request, answer, answer of a batch; the same in older versions.
        -32007 | -32008 | -32011 | -32701 | -32702 => Bad::TooLarge(told()),
        -32601 | -32602 => Bad::Refused(code, message.to_owned()),
        _ if lower.contains("discarded") || lower.contains("pruned") => Bad::Pruned(told()),
        _ if lower.contains("unknownblock")
            || lower.contains("unknown block")
            || lower.contains("not found") =>
        {
            Bad::Absent(told())
        }
        _ if lower.contains("too large") || lower.contains("too big") => Bad::TooLarge(told()),
        _ => Bad::Refused(code, message.to_owned()),
    }
}

pub(super) fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + bytes.len() * 2);
    text.push_str("0x");
    text.push_str(&faster_hex::hex_string(bytes));
    text
}

fn from_hex(text: &str) -> Result<Bytes, Bad> {
    let digits = text
        .strip_prefix("0x")
        .ok_or_else(|| Bad::Broken(format!("{text:.40} does not begin with 0x")))?;
    let mut bytes = vec![0; digits.len() / 2];
    faster_hex::hex_decode(digits.as_bytes(), &mut bytes)
        .map_err(|e| Bad::Broken(format!("bad hex: {e}")))?;
    Ok(bytes)
}

fn hash32(text: &str) -> Result<H256, Bad> {
    let bytes = from_hex(text)?;
    let fixed = <[u8; 32]>::try_from(bytes.as_slice())
        .map_err(|_| Bad::Broken(format!("a hash of {} bytes", bytes.len())))?;
    Ok(H256(fixed))
}

/// An answer's value; `None` for `null`.
fn value<'a, T: Deserialize<'a>>(answer: &'a Answer) -> Result<Option<T>, Bad> {
    match answer {
        Ok(raw) => {
            serde_json::from_str(raw.get()).map_err(|e| Bad::Broken(format!("bad JSON: {e}")))
        }
        Err((code, message)) => Err(error(*code, message)),
    }
}

/// A value that must be there.
fn given<'a, T: Deserialize<'a>>(answer: &'a Answer, what: &str) -> Result<T, Bad> {
    value(answer)?.ok_or_else(|| Bad::Broken(format!("null where {what} must be")))
}

/// A block hash; `null` and zero are never a hash.
pub(super) fn hash(answer: &Answer) -> Result<H256, Bad> {
    let text: Cow<'_, str> = value(answer)?.ok_or(Bad::NoHash("the node answers null"))?;
    match hash32(&text)? {
        H256::ZERO => Err(Bad::NoHash("the node answers the all-zero hash")),
        hash => Ok(hash),
    }
}

#[derive(Deserialize)]
struct SignedBlock<'a> {
    #[serde(borrow)]
    block: Block<'a>,
}

#[derive(Deserialize)]
struct Block<'a> {
    header: Header,
    #[serde(borrow)]
    extrinsics: Vec<Cow<'a, str>>,
}

/// Number in a header notification.
pub(super) fn header_number(header: &RawValue) -> Option<BlockNumber> {
    let header: Header = serde_json::from_str(header.get()).ok()?;
    Some(header.number)
}

/// The block of a header notification; its hash is that of the header's bytes.
pub(super) fn best_head(header: &RawValue) -> Option<BestHead> {
    let header: Header = serde_json::from_str(header.get()).ok()?;
    Some(BestHead {
        number: header.number,
        hash: blake2_256(&encode_header(&header)),
        parent: header.parent_hash,
    })
}

/// Height of a header.
pub(super) fn height(answer: &Answer) -> Result<BlockNumber, Bad> {
    Ok(given::<Header>(answer, "the header of the finalized head")?.number)
}

/// A block without storage values, which must be the one asked for: its number
/// and the hash of its header say so.
pub(super) fn block(answer: &Answer, number: BlockNumber, at: H256) -> Result<RawBlock, Bad> {
    let signed: SignedBlock<'_> =
        value(answer)?.ok_or_else(|| Bad::Absent(format!("null for {at}")))?;
    let told = signed.block.header;
    if told.number != number {
        return Err(Bad::Broken(format!(
            "block {at} is number {}, asked for {number}",
            told.number
        )));
    }
    let header = encode_header(&told);
    let hash = blake2_256(&header);
    // The genesis hash is a name: test nodes may give it another.
    if number > 0 && hash != at {
        return Err(Bad::Broken(format!(
            "the header of block {number} has hash {hash}, asked for {at}"
        )));
    }
    let extrinsics = signed.block.extrinsics.iter().map(|x| from_hex(x));
    Ok(RawBlock {
        number,
        hash: at,
        header,
        parent: told.parent_hash,
        extrinsics: extrinsics.collect::<Result<_, _>>()?,
        values: Vec::new(),
    })
}

#[derive(Deserialize)]
struct Changes<'a> {
    #[serde(borrow)]
    block: Cow<'a, str>,
    #[serde(borrow)]
    changes: Vec<(Cow<'a, str>, Option<Cow<'a, str>>)>,
}

/// The values of `keys` at a block, one each, in order.
pub(super) fn storage(
    answer: &Answer,
    at: H256,
    keys: &[Bytes],
) -> Result<Vec<Option<Bytes>>, Bad> {
    let mut sets: Vec<Changes<'_>> = given(answer, "values")?;
    let (Some(set), true) = (sets.pop(), sets.is_empty()) else {
        return Err(Bad::Broken(format!(
            "values of {} blocks, asked for one",
            sets.len()
        )));
    };
    if hash32(&set.block)? != at {
        return Err(Bad::Broken(format!(
            "values at {:.80}, asked for {at}",
            set.block
        )));
    }
    if set.changes.len() != keys.len() {
        return Err(Bad::Broken(format!(
            "{} values for {} keys at {at}",
            set.changes.len(),
            keys.len()
        )));
    }
    let mut values = Vec::with_capacity(keys.len());
    for (key, (told, value)) in keys.iter().zip(set.changes) {
        if from_hex(&told)? != *key {
            return Err(Bad::Broken(format!(
                "a value for {told:.80} where {} was asked",
                to_hex(key)
            )));
        }
        values.push(value.map(|v| from_hex(&v)).transpose()?);
    }
    Ok(values)
}

/// A page of at most `page` storage keys under `prefix`, strictly ascending and
/// all behind `after`.
pub(super) fn keys(
    answer: &Answer,
    prefix: &[u8],
    after: Option<&[u8]>,
    page: u32,
) -> Result<Vec<Bytes>, Bad> {
    let told: Vec<Cow<'_, str>> = given(answer, "a list of keys")?;
    if u32::try_from(told.len()).map_or(true, |len| len > page) {
        return Err(Bad::Broken(format!(
            "{} keys, asked for {page}",
            told.len()
        )));
    }
    let mut keys: Vec<Bytes> = Vec::with_capacity(told.len());
    for text in told {
        let key = from_hex(&text)?;
        if !key.starts_with(prefix) {
            return Err(Bad::Broken(format!(
                "key {text:.80} does not begin with {}",
                to_hex(prefix)
            )));
        }
        let before = keys.last().map(Vec::as_slice).or(after);
        if before.is_some_and(|before| before >= key.as_slice()) {
            return Err(Bad::Broken(format!(
                "key {text:.160} does not come after the one before it"
            )));
        }
        keys.push(key);
    }
    Ok(keys)
}

/// Bytes that must be there.
pub(super) fn bytes(answer: &Answer) -> Result<Bytes, Bad> {
    from_hex(&given::<Cow<'_, str>>(answer, "bytes")?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuntimeVersion {
    spec_version: u32,
}

/// The spec version of `state_getRuntimeVersion`.
pub(super) fn spec(answer: &Answer) -> Result<SpecVersion, Bad> {
    Ok(given::<RuntimeVersion>(answer, "a runtime version")?.spec_version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(json: &str) -> Answer {
        RawValue::from_string(json.to_owned()).map_err(|e| (0, e.to_string()))
    }

    #[test]
    fn null_and_zero_are_not_a_hash() {
        let zero = format!("\"{}\"", H256::ZERO);
        for json in ["null", zero.as_str()] {
            assert!(matches!(hash(&told(json)), Err(Bad::NoHash(_))), "{json}");
        }
        assert!(matches!(hash(&told("\"0x12\"")), Err(Bad::Broken(_))));
        let one = H256([1; 32]);
        assert_eq!(hash(&told(&format!("\"{one}\""))), Ok(one));
    }

    #[test]
    fn errors_are_sorted() {
        for (code, message, kind) in [
            (
                4003,
                "UnknownBlock: State already discarded for 0x12",
                "Pruned",
            ),
            (-32000, "UnknownBlock: Header was not found", "Absent"),
            (-32601, "Method not found", "Refused"),
            (-32602, "Invalid params: block not found", "Refused"),
            (-32603, "Internal error", "Refused"),
            (-32005, "Batched requests are not supported", "NoBatch"),
            (-32010, "The batch request was too large", "NoBatch"),
            (-32007, "Request is too big", "TooLarge"),
            (-32008, "Response is too big", "TooLarge"),
            (-32011, "The batch response was too large", "TooLarge"),
            (0, "", "Broken"),
            (1, "the answer is Too Large", "TooLarge"),
        ] {
            let bad = format!("{:?}", error(code, message));
            assert!(bad.starts_with(kind), "{code}: {bad}");
        }
    }

    #[test]
    fn a_block_must_be_the_one_asked_for() {
        let header = Header {
            parent_hash: H256([3; 32]),
            number: 7,
            state_root: H256([4; 32]),
            extrinsics_root: H256([5; 32]),
            logs: vec![vec![0, 4, 1]],
        };
        let json = serde_json::json!({"block": {"header": header, "extrinsics": ["0x0401"]}});
        let answer = told(&json.to_string());
        let block = super::block(&answer, 7, header.hash()).unwrap();
        assert_eq!(
            (block.parent, block.extrinsics),
            (header.parent_hash, vec![vec![4, 1]])
        );
        for (number, at) in [(8, header.hash()), (7, H256([9; 32]))] {
            let bad = super::block(&answer, number, at).unwrap_err();
            assert!(matches!(bad, Bad::Broken(_)), "{bad:?}");
        }
        let bad = super::block(&told("null"), 7, header.hash()).unwrap_err();
        assert!(matches!(bad, Bad::Absent(_)), "{bad:?}");
    }

    #[test]
    fn values_must_belong_to_the_keys_asked_for() {
        let at = H256([1; 32]);
        let want = [vec![1], vec![2]];
        let set = |at: H256, changes: &str| format!(r#"{{"block":"{at}","changes":{changes}}}"#);
        let right = set(at, r#"[["0x01",null],["0x02","0x0a"]]"#);
        let values = storage(&told(&format!("[{right}]")), at, &want).unwrap();
        assert_eq!(values, vec![None, Some(vec![10])]);
        for bad in [
            format!("[{}]", set(at, r#"[["0x01",null]]"#)),
            format!(
                "[{}]",
                set(at, r#"[["0x01",null],["0x02",null],["0x03",null]]"#)
            ),
            format!("[{}]", set(at, r#"[["0x01",null],["0x03","0x0a"]]"#)),
            format!("[{}]", set(at, r#"[["0x01",null],["0x02","0a"]]"#)),
            format!(
                "[{}]",
                set(H256([2; 32]), r#"[["0x01",null],["0x02",null]]"#)
            ),
            format!("[{right},{right}]"),
            "[]".into(),
            "null".into(),
        ] {
            let bad = storage(&told(&bad), at, &want).unwrap_err();
            assert!(matches!(bad, Bad::Broken(_)), "{bad:?}");
        }
    }

    #[test]
    fn a_page_of_keys_goes_on_and_ascends() {
        let page = |json: &str, after: Option<&[u8]>| keys(&told(json), &[1], after, 2);
        assert_eq!(
            page(r#"["0x0101","0x0102"]"#, Some(&[1])),
            Ok(vec![vec![1, 1], vec![1, 2]])
        );
        assert_eq!(page("[]", Some(&[1, 2])), Ok(vec![]));
        for (json, after) in [
            (r#"["0x0201"]"#, None),
            (r#"["0x0102","0x0101"]"#, None),
            (r#"["0x0101","0x0101"]"#, None),
            // The page before, again.
            (r#"["0x0101","0x0102"]"#, Some([1_u8, 2].as_slice())),
            (r#"["0x0101","0x0102","0x0103"]"#, None),
            (r#"["0101"]"#, None),
            ("null", None),
        ] {
            let bad = page(json, after).unwrap_err();
            assert!(matches!(bad, Bad::Broken(_)), "{json}: {bad:?}");
        }
    }

    #[test]
    fn what_must_be_there_is_never_null() {
        assert!(matches!(bytes(&told("null")), Err(Bad::Broken(_))));
        assert!(matches!(spec(&told("null")), Err(Bad::Broken(_))));
        assert!(matches!(height(&told("null")), Err(Bad::Broken(_))));
        assert_eq!(spec(&told(r#"{"specVersion":143}"#)), Ok(143));
    }
}
