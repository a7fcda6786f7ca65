//! Rows of the exports of invocations.

use scoring::local::sn64::units::Work;

use super::csv::Record;
use super::error::quoted;
use super::ids::uuid;
use super::literal::{self, Scalar};
use crate::date;

/// Columns that are read, by their names in the first line; others are tolerated.
pub const COLUMNS: [&str; 12] = [
    "parent_invocation_id",
    "invocation_id",
    "chute_id",
    "instance_id",
    "miner_uid",
    "miner_hotkey",
    "started_at",
    "completed_at",
    "error_message",
    "compute_multiplier",
    "bounty",
    "metrics",
];

/// Columns that are known and not needed.
const UNUSED: [&str; 6] = [
    "chute_user_id",
    "function_name",
    "image_id",
    "image_user_id",
    "user_id",
    "upstream_target",
];

/// Where the columns are in a file.
#[derive(Debug, Clone)]
pub struct Columns {
    places: [usize; COLUMNS.len()],
    count: usize,
    /// Columns that nobody knows.
    pub unknown: Vec<String>,
}

impl Columns {
    /// Reads the first line.
    ///
    /// # Errors
    ///
    /// When a column is missing or comes twice.
    pub fn of(header: Record<'_>) -> Result<Columns, String> {
        let mut places = [usize::MAX; COLUMNS.len()];
        let mut unknown = Vec::new();
        for at in 0..header.len() {
            let name = header.get(at);
            let name = name.strip_prefix(b"\xef\xbb\xbf").unwrap_or(name);
            let known = COLUMNS.iter().position(|c| c.as_bytes() == name);
            match known.and_then(|known| places.get_mut(known)) {
                Some(place) if *place == usize::MAX => *place = at,
                Some(_) => return Err(format!("the column {} comes twice", quoted(name))),
                None if UNUSED.iter().any(|c| c.as_bytes() == name) => {}
                None => unknown.push(String::from_utf8_lossy(name).chars().take(64).collect()),
            }
        }
        let missing = places
            .iter()
            .zip(COLUMNS)
            .find(|(place, _)| **place == usize::MAX);
        if let Some((_, name)) = missing {
            return Err(format!(
                "the column `{name}` is missing; an export of invocations has {}",
                COLUMNS.join(", ")
            ));
        }
        let count = header.len();
        Ok(Columns {
            places,
            count,
            unknown,
        })
    }
}

/// An invocation. Times are microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<'a> {
    /// Its id.
    pub id: u128,
    /// The id of the request that it belongs to; a request that is tried again has several
    /// invocations.
    pub parent: u128,
    /// The chute.
    pub chute: u128,
    /// The uid of the miner; negative for nobody.
    pub uid: i64,
    /// The hotkey of the miner; empty for nobody.
    pub hotkey: &'a str,
    /// When it began.
    pub started: i64,
    /// When it ended; `None` when it has not.
    pub completed: Option<i64>,
    /// Whether it ended with an error.
    pub failed: bool,
    /// Compute units a second.
    pub multiplier: f64,
    /// Bounty won.
    pub bounty: f64,
    /// What was done.
    pub work: Work,
    /// Whether it is of a private chute.
    pub private: bool,
}

impl<'a> Row<'a> {
    /// Reads a row; `times` remembers the day that was read last.
    ///
    /// # Errors
    ///
    /// Says which column is wrong and what is wanted.
    pub fn of(columns: &Columns, record: Record<'a>, times: &mut Times) -> Result<Row<'a>, String> {
        if record.len() != columns.count {
            return Err(format!(
                "{} columns, the first line has {}",
                record.len(),
                columns.count
            ));
        }
        let [
            parent,
            id,
            chute,
            instance,
            uid,
            hotkey,
            started,
            completed,
            error,
            multiplier,
            bounty,
            metrics,
        ] = columns.places.map(|place| record.get(place));
        let id_of = |name, text| uuid(text).ok_or_else(|| wrong(name, text, "is no UUID"));
        if !instance.is_empty() {
            id_of("instance_id", instance)?;
        }
        let mut time = |name, text| {
            times
                .parse(text)
                .ok_or_else(|| wrong(name, text, "is no time like 2025-10-15 12:34:56.789"))
        };
        let (work, private) = metrics_of(metrics)?;
        Ok(Row {
            id: id_of("invocation_id", id)?,
            parent: if parent.is_empty() {
                0
            } else {
                id_of("parent_invocation_id", parent)?
            },
            chute: id_of("chute_id", chute)?,
            uid: whole(uid).ok_or_else(|| wrong("miner_uid", uid, "is no whole number"))?,
            hotkey: name_of(hotkey)
                .ok_or_else(|| wrong("miner_hotkey", hotkey, "is no address"))?,
            started: time("started_at", started)?,
            completed: if completed.is_empty() {
                None
            } else {
                Some(time("completed_at", completed)?)
            },
            failed: !error.trim_ascii().is_empty(),
            multiplier: number(multiplier)
                .ok_or_else(|| wrong("compute_multiplier", multiplier, "is no number from 0"))?,
            bounty: if bounty.is_empty() {
                0.0
            } else {
                number(bounty).ok_or_else(|| wrong("bounty", bounty, "is no number from 0"))?
            },
            work,
            private,
        })
    }

    /// Seconds from its beginning to its end; 0 while it has none, or when the clock went back.
    pub fn elapsed(&self) -> f64 {
        let micros = self
            .completed
            .map_or(0, |end| end.saturating_sub(self.started));
        scoring::local::sn64::units::seconds(micros.max(0))
    }
}

fn wrong(column: &str, text: &[u8], what: &str) -> String {
    format!("{column} {} {what}", quoted(text))
}

fn name_of(text: &[u8]) -> Option<&str> {
    let plain = text.len() <= 64 && text.iter().all(u8::is_ascii_alphanumeric);
    std::str::from_utf8(text).ok().filter(|_| plain)
}

fn whole(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        digits => (1, digits),
    };
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    let add = |sum: i64, digit: &u8| {
        digit
            .is_ascii_digit()
            .then(|| sum * 10 + i64::from(digit - b'0'))
    };
    Some(sign * digits.iter().try_fold(0, add)?)
}

/// A finite number from 0.
fn number(text: &[u8]) -> Option<f64> {
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

/// What the metrics say; nothing when there are none.
fn metrics_of(text: &[u8]) -> Result<(Work, bool), String> {
    let mut work = Work::default();
    let mut private = false;
    let mut negative = false;
    let text = text.trim_ascii();
    if text.is_empty() || text == b"None" || text == b"null" {
        return Ok((work, private));
    }
    literal::walk(text, |key, scalar| {
        if key == b"p" {
            private = match scalar {
                Scalar::Bool(is) => is,
                Scalar::Number(number) => number != 0.0,
                Scalar::Other => false,
            };
            return;
        }
        let place = match key {
            b"steps" => &mut work.steps,
            b"tokens" => &mut work.tokens,
            b"it" => &mut work.input_tokens,
            b"ot" => &mut work.output_tokens,
            b"masps" => &mut work.per_step,
            b"maspt" => &mut work.per_token,
            b"nc" => &mut work.normalised,
            _ => return,
        };
        *place = match scalar {
            Scalar::Number(number) => Some(number),
            _ => None,
        };
        negative |= matches!(scalar, Scalar::Number(number) if number < 0.0);
    })
    .map_err(|error| format!("metrics {}: {error}", quoted(text)))?;
    if negative {
        return Err(wrong("metrics", text, "has a number below 0"));
    }
    Ok((work, private))
}

/// Reads times; the day is computed once as long as it stays the same.
#[derive(Debug)]
pub struct Times {
    day: [u8; 10],
    micros: i64,
}

impl Default for Times {
    fn default() -> Times {
        Times {
            day: *b"1970-01-01",
            micros: 0,
        }
    }
}

impl Times {
    /// Microseconds since 1970 of a time, as [`date::parse`] reads it.
    pub fn parse(&mut self, text: &[u8]) -> Option<i64> {
        let (day, rest) = text.split_first_chunk::<10>()?;
        if *day != self.day {
            self.micros = date::parse(std::str::from_utf8(day).ok()?)?;
            self.day = *day;
        }
        if let Some(micros) = clock(rest) {
            return Some(self.micros + micros);
        }
        date::parse(std::str::from_utf8(text).ok()?)
    }
}

/// The common form of a time of day, ` HH:MM:SS[.f…]` in UTC; `None` for any other.
fn clock(text: &[u8]) -> Option<i64> {
    let (&[t, a, b, c1, c, d, c2, e, f], rest) = text.split_first_chunk::<9>()?;
    if !matches!(t, b' ' | b'T') || c1 != b':' || c2 != b':' {
        return None;
    }
    let pair = |a: u8, b: u8| {
        let (a, b) = (a.wrapping_sub(b'0'), b.wrapping_sub(b'0'));
        (a < 10 && b < 10).then(|| i64::from(a * 10 + b))
    };
    let (hour, minute, second) = (pair(a, b)?, pair(c, d)?, pair(e, f)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let whole = (hour * 3600 + minute * 60 + second) * 1_000_000;
    let rest = rest
        .strip_suffix(b"+00:00")
        .or(rest.strip_suffix(b"Z"))
        .unwrap_or(rest);
    let [b'.', digits @ ..] = rest else {
        return rest.is_empty().then_some(whole);
    };
    if digits.is_empty() || digits.len() > 6 {
        return None;
    }
    let mut micros = 0;
    for place in 0..6 {
        let digit = digits.get(place).unwrap_or(&b'0').wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        micros = micros * 10 + i64::from(digit);
    }
    Some(whole + micros)
}

#[cfg(test)]
mod tests;
