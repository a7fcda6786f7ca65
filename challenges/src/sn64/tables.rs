//! The smaller files of an audit: reports of users, histories, feeds.

use std::collections::{BTreeMap, HashSet};
use std::io::Read;

use serde_json::Value;

use super::AuditError;
use super::csv::{Record, Records};
use super::error::quoted;
use super::ids::uuid;
use super::report::{HistoryPart, Place};
use super::row::Times;

/// Reads a small table: `each` gets the wanted columns of every row. Other columns are
/// passed over.
fn table<const N: usize>(
    file: &str,
    source: impl Read,
    hash: &mut [u8; 32],
    wanted: [&str; N],
    mut each: impl FnMut([&[u8]; N]) -> Result<(), String>,
) -> Result<(), AuditError> {
    let mut records = Records::new(source, true);
    let refuse = |line, what: String| AuditError::Line {
        file: file.to_owned(),
        line,
        what,
    };
    let header = match records.next_record() {
        Ok(header) => header.map(|record| (record.len(), places(record, wanted))),
        Err(error) => return Err(refuse(records.line(), error.to_string())),
    };
    let Some((count, places)) = header else {
        return Err(refuse(
            1,
            "the file is empty; the first line names the columns".into(),
        ));
    };
    let places = places.map_err(|what| refuse(1, what))?;
    loop {
        let done = match records.next_record() {
            Ok(None) => break,
            Ok(Some(record)) if record.len() != count => Err(format!(
                "{} columns, the first line has {count}",
                record.len()
            )),
            Ok(Some(record)) => each(places.map(|place| record.get(place))),
            Err(error) => Err(error.to_string()),
        };
        if let Err(what) = done {
            return Err(refuse(records.line(), what));
        }
    }
    *hash = records.finish();
    Ok(())
}

fn places<const N: usize>(header: Record<'_>, wanted: [&str; N]) -> Result<[usize; N], String> {
    let mut found = [0; N];
    for (place, name) in found.iter_mut().zip(wanted) {
        let at = (0..header.len()).find(|at| header.get(*at) == name.as_bytes());
        *place = at.ok_or_else(|| format!("the column `{name}` is missing"))?;
    }
    Ok(found)
}

fn id(name: &str, text: &[u8]) -> Result<u128, String> {
    uuid(text).ok_or_else(|| format!("{name} {} is no UUID", quoted(text)))
}

/// Requests with a confirmed report, from an export of reports; `hash` becomes its sha256.
///
/// # Errors
///
/// When a row is not what it should be.
pub fn confirmed(
    file: &str,
    source: impl Read,
    hash: &mut [u8; 32],
    into: &mut HashSet<u128>,
) -> Result<(), AuditError> {
    table(
        file,
        source,
        hash,
        ["invocation_id", "confirmed_at"],
        |[invocation, at]| {
            let id = id("invocation_id", invocation)?;
            if !at.is_empty() {
                into.insert(id);
            }
            Ok(())
        },
    )
}

/// Histories of instances, from the feed of 2026.
///
/// # Errors
///
/// When a row is not what it should be.
pub fn history(file: &str, source: impl Read) -> Result<Vec<HistoryPart>, AuditError> {
    let mut found = Vec::new();
    let mut times = Times::default();
    let columns = [
        "instance_id",
        "compute_multiplier",
        "started_at",
        "ended_at",
    ];
    table(
        file,
        source,
        &mut [0; 32],
        columns,
        |[instance, multiplier, from, to]| {
            let mut time = |name, text: &[u8]| {
                times
                    .parse(text)
                    .ok_or_else(|| format!("{name} {} is no time", quoted(text)))
            };
            let number = std::str::from_utf8(multiplier)
                .ok()
                .and_then(|text| text.parse().ok());
            found.push(HistoryPart {
                instance: id("instance_id", instance)?,
                multiplier: number
                    .filter(|n: &f64| n.is_finite() && *n >= 0.0)
                    .ok_or_else(|| {
                        format!(
                            "compute_multiplier {} is no number from 0",
                            quoted(multiplier)
                        )
                    })?,
                from: time("started_at", from)?,
                to: if to.is_empty() {
                    None
                } else {
                    Some(time("ended_at", to)?)
                },
            });
            Ok(())
        },
    )?;
    Ok(found)
}

/// Times of deletions that reports may have missed, from the feed of 2026.
///
/// # Errors
///
/// When a row is not what it should be.
pub fn deletions(file: &str, source: impl Read) -> Result<BTreeMap<u128, i64>, AuditError> {
    let mut found = BTreeMap::new();
    let mut times = Times::default();
    table(
        file,
        source,
        &mut [0; 32],
        ["instance_id", "deleted_at"],
        |[instance, at]| {
            let id = id("instance_id", instance)?;
            if !at.is_empty() {
                let at = times
                    .parse(at)
                    .ok_or_else(|| format!("deleted_at {} is no time", quoted(at)))?;
                found.insert(id, at);
            }
            Ok(())
        },
    )?;
    Ok(found)
}

/// GPUs of chutes: a list of objects with `chute_id` and `gpu_count`. Of several the
/// greatest counts.
///
/// # Errors
///
/// When it is no such list.
pub fn gpus(file: &str, bytes: &[u8]) -> Result<BTreeMap<u128, u64>, AuditError> {
    let value = json(file, bytes)?;
    let mut found: BTreeMap<u128, u64> = BTreeMap::new();
    for item in Place::root(file, &value).items()? {
        let chute = item.member("chute_id")?.id()?;
        let count = item.member("gpu_count")?.whole()?;
        let held = found.entry(chute).or_default();
        *held = count.max(*held);
    }
    Ok(found)
}

/// What a folder without a store says of a miner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its coldkey, in any form that tells it from others.
    pub coldkey: Option<String>,
    /// Its incentive on chain.
    pub incentive: Option<u16>,
    /// Why it is left out.
    pub blacklisted: Option<String>,
}

/// Miners: a list of objects with `hotkey`, and `coldkey`, `incentive` and
/// `blacklist_reason` when they are known.
///
/// # Errors
///
/// When it is no such list, or a hotkey comes twice.
pub fn metagraph(file: &str, bytes: &[u8]) -> Result<BTreeMap<String, Listed>, AuditError> {
    let value = json(file, bytes)?;
    let mut found = BTreeMap::new();
    for item in Place::root(file, &value).items()? {
        let hotkey = item.member("hotkey")?.text()?.to_owned();
        let text = |name: &str| -> Result<Option<String>, AuditError> {
            item.optional(name)
                .map(|p| Ok(p.text()?.to_owned()))
                .transpose()
        };
        let incentive = item.optional("incentive").map(|place| {
            let number = place.whole()?;
            u16::try_from(number)
                .map_err(|_| place.refuse("must be from 0 to 65535, as the chain has it"))
        });
        let listed = Listed {
            coldkey: text("coldkey")?,
            incentive: incentive.transpose()?,
            blacklisted: text("blacklist_reason")?.filter(|why| !why.is_empty()),
        };
        if found.insert(hotkey.clone(), listed).is_some() {
            return Err(item.refuse(format!(
                "the hotkey {} comes twice",
                quoted(hotkey.as_bytes())
            )));
        }
    }
    Ok(found)
}

fn json(file: &str, bytes: &[u8]) -> Result<Value, AuditError> {
    serde_json::from_slice(bytes)
        .map_err(|e| AuditError::field(file, "the file", format!("is not JSON: {e}")))
}
