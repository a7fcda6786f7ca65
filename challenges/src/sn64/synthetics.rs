//! Own requests: every one of them must be in the exports.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::AuditError;
use super::ids::{show, uuid};
use super::report::Place;
use scoring::local::sn64::units::HOUR;

/// An own request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synthetic {
    /// The id of its invocation.
    pub id: u128,
    /// The id of the request.
    pub parent: Option<u128>,
    /// When it was made, microseconds since 1970.
    pub at: i64,
    /// The hotkey that answered; `None` when the record does not say.
    pub hotkey: Option<String>,
}

/// What a line of a trace says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// The instance that was asked.
    pub instance: u128,
    /// The uid of its miner; `None` when the line does not say.
    pub uid: Option<u16>,
    /// The hotkey of its miner.
    pub hotkey: String,
    /// The coldkey, which only errors name.
    pub coldkey: Option<String>,
    /// The error; `None` when the line says that the instance is asked.
    pub error: Option<String>,
}

/// Reads a line of a trace: `query target=<instance> uid=<n> hotkey=<hotkey>` or
/// `error encountered while querying target=… uid=… hotkey=… coldkey=…: <message>`, with
/// whatever before it. `None` for every other line.
///
/// ```
/// use challenges::sn64::synthetics::trace_line;
/// let id = "cf9ac153-66b8-5fc4-a7a7-7469c72d480e";
/// let asked = trace_line(&format!("12:00 query target={id} uid=7 hotkey=5Dt7")).unwrap();
/// assert_eq!((asked.uid, asked.hotkey.as_str(), asked.error), (Some(7), "5Dt7", None));
/// let line = format!("error encountered while querying target={id} uid=7 hotkey=5Dt7 coldkey=5C: timed out: 3 s");
/// let failed = trace_line(&line).unwrap();
/// assert_eq!(failed.error.as_deref(), Some("timed out: 3 s"));
/// assert_eq!(failed.coldkey.as_deref(), Some("5C"));
/// assert_eq!(trace_line("query target=me"), None);
/// ```
pub fn trace_line(line: &str) -> Option<Traced> {
    const ERROR: &str = "error encountered while querying ";
    let (rest, failed) = match line.find(ERROR) {
        Some(at) => (line.get(at + ERROR.len()..)?, true),
        None => (
            line.get(line.find("query target=")? + "query ".len()..)?,
            false,
        ),
    };
    let (fields, message) = if failed {
        // The message begins at the first colon behind the fields.
        let colon = rest
            .find(": ")
            .or_else(|| rest.strip_suffix(':').map(str::len))?;
        let message = rest.get(colon + 1..).unwrap_or_default().trim();
        (rest.get(..colon)?, Some(message.to_owned()))
    } else {
        (rest, None)
    };
    let field = |name: &str| {
        let mut words = fields.split_whitespace();
        words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    };
    let clean = |text: &str| text.trim_end_matches([',', ':', ';']).to_owned();
    Some(Traced {
        instance: uuid(clean(field("target")?).as_bytes())?,
        uid: field("uid").and_then(|uid| clean(uid).parse().ok()),
        hotkey: clean(field("hotkey")?),
        coldkey: field("coldkey").map(clean),
        error: message,
    })
}

/// The hotkey that answered, by the lines of a trace: of the last query that was not
/// followed by an error of the same instance.
pub fn answered<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Traced> {
    let mut last: Option<Traced> = None;
    for traced in lines.filter_map(trace_line) {
        if traced.error.is_none() {
            last = Some(traced);
        } else if last
            .as_ref()
            .is_some_and(|asked| asked.instance == traced.instance)
        {
            last = None;
        }
    }
    last
}

/// Reads own requests: an object of JSON a line, with `invocation_id` and `created_at`, and
/// when they are known `parent_invocation_id`, `miner_hotkey`, or `trace`, a list of lines.
///
/// # Errors
///
/// When a line is no such object, or an id comes twice.
pub fn parse(file: &str, text: &str) -> Result<Vec<Synthetic>, AuditError> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let refuse = |what: String| AuditError::Line {
            file: file.to_owned(),
            line,
            what,
        };
        let value: Value =
            serde_json::from_str(text).map_err(|e| refuse(format!("is not JSON: {e}")))?;
        let one = one(&value).map_err(|error| match error {
            AuditError::Field { at, what, .. } => refuse(format!("{at}: {what}")),
            other => other,
        })?;
        if !seen.insert(one.id) {
            return Err(refuse(format!(
                "the invocation {} comes twice",
                show(one.id)
            )));
        }
        found.push(one);
    }
    Ok(found)
}

fn one(value: &Value) -> Result<Synthetic, AuditError> {
    let place = Place::root("", value);
    let id = place.member("invocation_id")?.id()?;
    let at = place.member("created_at")?.time()?;
    let parent = place
        .optional("parent_invocation_id")
        .map(|p| p.id())
        .transpose()?;
    let named = place
        .optional("miner_hotkey")
        .map(|p| p.text())
        .transpose()?;
    let mut hotkey = named.map(str::to_owned);
    if let (None, Some(trace)) = (&hotkey, place.optional("trace")) {
        let lines: Result<Vec<_>, _> = trace.items()?.map(|line| line.text()).collect();
        hotkey = answered(lines?.into_iter()).map(|traced| traced.hotkey);
    }
    Ok(Synthetic {
        id,
        parent,
        at,
        hotkey,
    })
}

/// What became of an own request.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It is in the exports.
    Found,
    /// It is there with another hotkey.
    OtherHotkey {
        /// The hotkey in the export.
        found: String,
    },
    /// It is not there, and should be.
    Missing,
    /// It was made when the newest report had already ended: later exports hold it.
    TooNew,
    /// The export of its hour is not here.
    NoExport,
}

/// What became of every own request. `cut` is the end of the newest report of a validator;
/// `rows` are the hotkeys by id that the exports hold, `ends` the ends of the hours whose
/// exports are here.
pub fn judge(
    synthetics: &[Synthetic],
    cut: i64,
    rows: &HashMap<u128, Vec<String>>,
    ends: &HashSet<i64>,
) -> Vec<Verdict> {
    let one = |synthetic: &Synthetic| match (rows.get(&synthetic.id), &synthetic.hotkey) {
        (Some(found), Some(wanted)) if !found.contains(wanted) => Verdict::OtherHotkey {
            found: found.first().cloned().unwrap_or_default(),
        },
        (Some(_), _) => Verdict::Found,
        (None, _) if synthetic.at >= cut => Verdict::TooNew,
        (None, _) => {
            let end = synthetic
                .at
                .div_euclid(HOUR)
                .saturating_add(1)
                .saturating_mul(HOUR);
            if ends.contains(&end) {
                Verdict::Missing
            } else {
                Verdict::NoExport
            }
        }
    };
    synthetics.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "cf9ac153-66b8-5fc4-a7a7-7469c72d480e";
    const B: &str = "00000000-0000-0000-0000-000000000001";

    #[test]
    fn who_answered() {
        let asked = |id: &str, hotkey: &str| format!("query target={id} uid=1 hotkey={hotkey}");
        let failed = |id: &str| {
            format!(
                "error encountered while querying target={id} uid=1 hotkey=x coldkey=c: 502: bad"
            )
        };
        let lines = [asked(A, "one"), failed(A), "noise".into(), asked(B, "two")];
        assert_eq!(
            answered(lines.iter().map(String::as_str)).unwrap().hotkey,
            "two"
        );
        let lines = [asked(A, "one"), failed(A)];
        assert_eq!(answered(lines.iter().map(String::as_str)), None);
    }

    #[test]
    fn every_verdict() {
        let lines = format!(
            "{{\"invocation_id\": \"{A}\", \"created_at\": \"1970-01-01T00:10:00\", \"trace\": [\"query target={A} uid=1 hotkey=one\"]}}\n\n\
             {{\"invocation_id\": \"{B}\", \"created_at\": \"1970-01-01T00:20:00Z\", \"miner_hotkey\": \"two\", \"parent_invocation_id\": \"{A}\"}}\n"
        );
        let known = parse("s", &lines).unwrap();
        assert_eq!(known[0].hotkey.as_deref(), Some("one"));
        let rows = HashMap::from([(known[0].id, vec!["one".to_owned()])]);
        let ends = HashSet::from([HOUR]);
        assert_eq!(
            judge(&known, HOUR, &rows, &ends),
            [Verdict::Found, Verdict::Missing]
        );
        assert_eq!(judge(&known, known[1].at, &rows, &ends)[1], Verdict::TooNew);
        assert_eq!(
            judge(&known, HOUR, &rows, &HashSet::new())[1],
            Verdict::NoExport
        );
        let rows = HashMap::from([(known[1].id, vec!["three".to_owned()])]);
        let other = Verdict::OtherHotkey {
            found: "three".into(),
        };
        assert_eq!(judge(&known, HOUR, &rows, &ends)[1], other);
        for (bad, wanted) in [
            (
                "{}",
                "line 1: the file: the member `invocation_id` is missing",
            ),
            ("\n[]", "line 2: the file: must be an object"),
            ("nothing", "line 1: is not JSON"),
            (&format!("{lines}{lines}"), "comes twice"),
        ] {
            let error = parse("s", bad).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
