//! What a node's answers mean.

use std::borrow::Cow;

use chain_metadata::{BlockNumber, H256, Header, SpecVersion, encode_header};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::pool::missing;
use crate::source::{Bytes, RawBlock, SourceError, Want};

/// One answer of a batch: the raw result, or code and message of the error.
pub(super) type Answer = Result<Box<RawValue>, (i32, String)>;

/// Marks an answer that was too large to be sent or taken.
pub(super) const TOO_LARGE: &str = "the answer is too large";

/// What to do with an answer.
#[derive(Debug)]
pub(super) enum Verdict<T> {
    /// Use it.
    Good(T),
    /// This endpoint does not have it (yet, or any more); another one may.
    TryAnother(SourceError),
    /// It breaks the protocol.
    Broken(String),
}

impl<T> Verdict<T> {
    /// The same verdict for another type; a good one cannot be cast.
    pub(super) fn cast<U>(self) -> Verdict<U> {
        match self {
            Verdict::Good(_) => Verdict::Broken("an answer of another kind".into()),
            Verdict::TryAnother(e) => Verdict::TryAnother(e),
            Verdict::Broken(why) => Verdict::Broken(why),
        }
    }
}

/// A verdict that is not good.
#[derive(Debug)]
pub(super) enum Bad {
    TryAnother(SourceError),
    Broken(String),
}

impl<T> From<Bad> for Verdict<T> {
    fn from(bad: Bad) -> Self {
        match bad {
            Bad::TryAnother(e) => Verdict::TryAnother(e),
            Bad::Broken(why) => Verdict::Broken(why),
        }
    }
}

fn verdict<T>(result: Result<T, Bad>) -> Verdict<T> {
    match result {
        Ok(value) => Verdict::Good(value),
        Err(bad) => bad.into(),
    }
}

pub(super) fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + bytes.len() * 2);
    text.push_str("0x");
    text.push_str(&hex::encode(bytes));
    text
}

fn from_hex(text: &str) -> Result<Bytes, Bad> {
    let digits = text
        .strip_prefix("0x")
        .ok_or_else(|| Bad::Broken(format!("{:.40} does not begin with 0x", text)))?;
    hex::decode(digits).map_err(|e| Bad::Broken(format!("bad hex: {e}")))
}

fn hash32(text: &str) -> Result<H256, Bad> {
    let bytes = from_hex(text)?;
    let fixed = <[u8; 32]>::try_from(bytes.as_slice())
        .map_err(|_| Bad::Broken(format!("a hash of {} bytes", bytes.len())))?;
    Ok(H256(fixed))
}

/// An answer's value; `None` for `null`.
fn value<'a, T: Deserialize<'a>>(answer: Option<&'a Answer>) -> Result<Option<T>, Bad> {
    match answer {
        None => Err(Bad::Broken("an answer is missing".into())),
        Some(Ok(raw)) => {
            serde_json::from_str(raw.get()).map_err(|e| Bad::Broken(format!("bad JSON: {e}")))
        }
        Some(Err((code, message))) => Err(if is_too_large(*code, message) {
            Bad::Broken(format!("{TOO_LARGE} ({code}): {message}"))
        } else {
            Bad::TryAnother(SourceError::Unreachable {
                tried: format!("the node answers with error {code}: {message}"),
            })
        }),
    }
}

fn is_too_large(code: i32, message: &str) -> bool {
    // jsonrpsee: oversized response, oversized batch response.
    matches!(code, -32008 | -32011 | -32702 | -32007) || message.contains("too large")
}

/// State at `at` that is not there is thrown away, not empty.
fn state<'a, T: Deserialize<'a>>(answer: Option<&'a Answer>, at: H256) -> Result<Option<T>, Bad> {
    if let Some(Err((_, message))) = answer
        && (message.contains("UnknownBlock")
            || message.contains("discarded")
            || message.contains("pruned")
            || message.contains("not found"))
    {
        return Err(Bad::TryAnother(SourceError::Pruned {
            at: at.to_string(),
            why: message.clone(),
        }));
    }
    value(answer)
}

/// A block hash; `null` and zero are never a hash.
pub(super) fn hash(answer: Option<&Answer>, number: Option<BlockNumber>) -> Verdict<H256> {
    verdict(value::<Cow<'_, str>>(answer).and_then(|text| {
        let lagging = |what: &str| Bad::TryAnother(missing(number.unwrap_or(0), what));
        let text = text.ok_or_else(|| lagging("the node answers null"))?;
        let hash = hash32(&text)?;
        if hash == H256::ZERO {
            return Err(lagging("the node answers the all-zero hash"));
        }
        Ok(hash)
    }))
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

/// Height of a header.
pub(super) fn height(answer: Option<&Answer>) -> Verdict<BlockNumber> {
    verdict(value::<Header>(answer).and_then(|header| match header {
        Some(header) => Ok(header.number),
        None => Err(Bad::TryAnother(missing(
            0,
            "the node does not know its own finalized head",
        ))),
    }))
}

/// A block without storage values; checks its number against the one asked for.
pub(super) fn block(
    answer: Option<&Answer>,
    number: BlockNumber,
    at: H256,
) -> Result<RawBlock, Bad> {
    let signed: SignedBlock<'_> = value(answer)?.ok_or_else(|| {
        Bad::TryAnother(missing(number, format!("the node answers null for {at}")))
    })?;
    let header = signed.block.header;
    if header.number != number {
        return Err(Bad::Broken(format!(
            "block {at} is number {}, asked for {number}",
            header.number
        )));
    }
    let extrinsics = signed
        .block
        .extrinsics
        .iter()
        .map(|x| from_hex(x))
        .collect::<Result<_, _>>()?;
    Ok(RawBlock {
        number,
        hash: at,
        header: encode_header(&header),
        parent: header.parent_hash,
        extrinsics,
        values: Vec::new(),
    })
}

#[derive(Deserialize)]
struct Changes<'a> {
    #[serde(borrow)]
    changes: Vec<(Cow<'a, str>, Option<Cow<'a, str>>)>,
}

/// The values of `want`, from as many answers as its keys were cut into.
pub(super) fn storage<'a>(
    answers: &mut impl Iterator<Item = &'a Answer>,
    want: &Want,
    chunk: usize,
) -> Result<Vec<Option<Bytes>>, Bad> {
    let mut values = Vec::with_capacity(want.keys.len());
    for keys in want.keys.chunks(chunk) {
        let sets: Vec<Changes<'_>> = state(answers.next(), want.at)?.unwrap_or_default();
        let changes: Vec<_> = sets.into_iter().flat_map(|s| s.changes).collect();
        if changes.len() != keys.len() {
            return Err(Bad::Broken(format!(
                "{} values for {} keys at {}",
                changes.len(),
                keys.len(),
                want.at
            )));
        }
        for (key, (told, value)) in keys.iter().zip(changes) {
            if from_hex(&told)? != *key {
                return Err(Bad::Broken(format!(
                    "a value for {told:.80} where {} was asked",
                    to_hex(key)
                )));
            }
            values.push(value.map(|v| from_hex(&v)).transpose()?);
        }
    }
    Ok(values)
}

/// A page of storage keys.
pub(super) fn keys(answer: Option<&Answer>, at: H256) -> Verdict<Vec<Bytes>> {
    verdict(state::<Vec<Cow<'_, str>>>(answer, at).and_then(|keys| {
        keys.unwrap_or_default()
            .iter()
            .map(|key| from_hex(key))
            .collect()
    }))
}

/// Bytes that must be there.
pub(super) fn bytes(answer: Option<&Answer>, at: H256) -> Verdict<Bytes> {
    verdict(state::<Cow<'_, str>>(answer, at).and_then(|text| {
        let text = text.ok_or_else(|| Bad::Broken("null where bytes must be".into()))?;
        from_hex(&text)
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuntimeVersion {
    spec_version: u32,
}

/// The spec version of `state_getRuntimeVersion`.
pub(super) fn spec(answer: Option<&Answer>, at: H256) -> Verdict<SpecVersion> {
    verdict(
        state::<RuntimeVersion>(answer, at).and_then(|version| match version {
            Some(version) => Ok(version.spec_version),
            None => Err(Bad::Broken("null where a runtime version must be".into())),
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    fn told(json: &str) -> Answer {
        Ok(raw(json))
    }

    #[test]
    fn null_and_zero_are_not_a_hash() {
        let zero = format!("\"{}\"", H256::ZERO);
        for json in ["null", zero.as_str()] {
            let verdict = hash(Some(&told(json)), Some(7));
            let Verdict::TryAnother(SourceError::Missing { number: 7, .. }) = verdict else {
                panic!("{json}: {verdict:?}");
            };
        }
        assert!(matches!(
            hash(Some(&told("\"0x12\"")), None),
            Verdict::Broken(_)
        ));
    }

    #[test]
    fn thrown_away_state_is_not_empty_state() {
        let answer: Answer = Err((
            4003,
            "UnknownBlock: State already discarded for 0x12".into(),
        ));
        let want = Want {
            at: H256([1; 32]),
            keys: vec![vec![1]],
        };
        let bad = storage(&mut std::iter::once(&answer), &want, 10).unwrap_err();
        assert!(
            matches!(bad, Bad::TryAnother(SourceError::Pruned { .. })),
            "{bad:?}"
        );
    }

    #[test]
    fn values_must_belong_to_the_keys_asked_for() {
        let want = Want {
            at: H256([1; 32]),
            keys: vec![vec![1], vec![2]],
        };
        let good = told(r#"[{"block":"0x00","changes":[["0x01",null],["0x02","0x0a"]]}]"#);
        let values = storage(&mut std::iter::once(&good), &want, 10).unwrap();
        assert_eq!(values, vec![None, Some(vec![10])]);
        for bad in [
            r#"[{"block":"0x00","changes":[["0x01",null]]}]"#,
            r#"[{"block":"0x00","changes":[["0x01",null],["0x03","0x0a"]]}]"#,
            r#"[{"block":"0x00","changes":[["0x01",null],["0x02","0a"]]}]"#,
            "null",
        ] {
            let answer = told(bad);
            assert!(
                storage(&mut std::iter::once(&answer), &want, 10).is_err(),
                "{bad}"
            );
        }
    }
}
