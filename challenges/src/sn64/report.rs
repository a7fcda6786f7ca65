//! Reports of validators and miners.
//!
//! Columns came over time; those that are missing are taken as unknown, those that nobody
//! knows are listed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::AuditError;
use super::ids::uuid;
use crate::date;

/// The largest report.
pub const MAX_BYTES: u64 = 64 << 20;

/// A value and where it is, for errors.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    file: &'a str,
    at: String,
    value: &'a Value,
}

impl<'a> Place<'a> {
    pub(crate) fn root(file: &'a str, value: &'a Value) -> Place<'a> {
        Place {
            file,
            at: String::new(),
            value,
        }
    }

    pub(crate) fn refuse(&self, what: impl Into<String>) -> AuditError {
        let at = if self.at.is_empty() {
            "the file"
        } else {
            &self.at
        };
        AuditError::field(self.file, at, what)
    }

    fn of(&self, at: String, value: &'a Value) -> Place<'a> {
        Place {
            file: self.file,
            at,
            value,
        }
    }

    pub(crate) fn items(&self) -> Result<impl Iterator<Item = Place<'a>> + use<'a>, AuditError> {
        let items = self
            .value
            .as_array()
            .ok_or_else(|| self.refuse("must be a list"))?;
        let place = self.clone();
        let of = move |(i, value)| place.of(format!("{}[{i}]", place.at), value);
        Ok(items.iter().enumerate().map(of))
    }

    pub(crate) fn members(
        &self,
    ) -> Result<impl Iterator<Item = (&'a str, Place<'a>)> + use<'a>, AuditError> {
        let members = self
            .value
            .as_object()
            .ok_or_else(|| self.refuse("must be an object"))?;
        let place = self.clone();
        Ok(members
            .iter()
            .map(move |(name, value)| (name.as_str(), place.of(place.inside(name), value))))
    }

    fn inside(&self, name: &str) -> String {
        match self.at.as_str() {
            "" => name.to_owned(),
            at => format!("{at}.{name}"),
        }
    }

    /// A member that is there and not null.
    pub(crate) fn optional(&self, name: &str) -> Option<Place<'a>> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        Some(self.of(self.inside(name), value))
    }

    pub(crate) fn member(&self, name: &str) -> Result<Place<'a>, AuditError> {
        if !self.value.is_object() {
            return Err(self.refuse("must be an object"));
        }
        self.optional(name)
            .ok_or_else(|| self.refuse(format!("the member `{name}` is missing")))
    }

    pub(crate) fn text(&self) -> Result<&'a str, AuditError> {
        self.value
            .as_str()
            .ok_or_else(|| self.refuse("must be a text"))
    }

    pub(crate) fn whole(&self) -> Result<u64, AuditError> {
        self.value
            .as_u64()
            .ok_or_else(|| self.refuse("must be a whole number from 0"))
    }

    /// A finite number from 0.
    pub(crate) fn number(&self) -> Result<f64, AuditError> {
        let number = self.value.as_f64().filter(|n| n.is_finite() && *n >= 0.0);
        number.ok_or_else(|| self.refuse("must be a number from 0"))
    }

    pub(crate) fn time(&self) -> Result<i64, AuditError> {
        date::parse(self.text()?)
            .ok_or_else(|| self.refuse("must be a time like 2025-10-15T12:00:00Z"))
    }

    pub(crate) fn id(&self) -> Result<u128, AuditError> {
        uuid(self.text()?.as_bytes()).ok_or_else(|| self.refuse("must be a UUID"))
    }

    fn truth(&self) -> Result<bool, AuditError> {
        self.value
            .as_bool()
            .ok_or_else(|| self.refuse("must be true or false"))
    }

    fn maybe<T>(
        &self,
        name: &str,
        read: impl Fn(&Place<'a>) -> Result<T, AuditError>,
    ) -> Result<Option<T>, AuditError> {
        self.optional(name).map(|place| read(&place)).transpose()
    }
}

/// An instance by a validator or its miner. Times are microseconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Its id; miners' reports may name only the deployment.
    pub id: u128,
    /// The chute that it ran; `None` when the report does not say.
    pub chute: Option<u128>,
    /// The miner; empty when the report does not say.
    pub hotkey: String,
    /// When it was made.
    pub created_at: i64,
    /// When it was found to work.
    pub verified_at: Option<i64>,
    /// When it began to serve.
    pub activated_at: Option<i64>,
    /// From when on nobody paid for it.
    pub stop_billing_at: Option<i64>,
    /// When it was deleted.
    pub deleted_at: Option<i64>,
    /// Whether a user paid for it.
    pub billed: bool,
    /// Whether its end was not the miner's fault.
    pub valid_termination: bool,
    /// Why it was deleted.
    pub deletion_reason: Option<String>,
    /// Compute units a second.
    pub multiplier: Option<f64>,
}

impl Instance {
    /// What decides which of two records of an instance counts, the greater one: the time of
    /// its deletion, then of its verification, then of its making; a missing time is less
    /// than any.
    pub fn recency(&self) -> (Option<i64>, Option<i64>, i64) {
        (self.deleted_at, self.verified_at, self.created_at)
    }
}

/// A file that a report names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportRef {
    /// Where it is.
    pub path: String,
    /// sha256 of it.
    pub sha256: [u8; 32],
}

/// A part of the history of an instance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HistoryPart {
    /// The instance.
    pub instance: u128,
    /// Compute units a second.
    pub multiplier: f64,
    /// When it began.
    pub from: i64,
    /// When it ended.
    pub to: Option<i64>,
}

/// A validator's report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ValidatorReport {
    /// Instances.
    pub instances: Vec<Instance>,
    /// Files by what is in them: `invocations`, `reports`, `jobs`.
    pub exports: BTreeMap<String, ExportRef>,
    /// Histories; empty in reports before 2026.
    pub history: Vec<HistoryPart>,
    /// Members and columns that nobody knows.
    pub unknown: BTreeSet<String>,
}

/// A miner's report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MinerReport {
    /// Who it says it is.
    pub hotkey: Option<String>,
    /// Invocations that its own metrics counted; `None` when it has no metrics.
    pub invocations: Option<u64>,
    /// Seconds that its own metrics counted.
    pub seconds: f64,
    /// Instances.
    pub instances: Vec<Instance>,
    /// Members and columns that nobody knows.
    pub unknown: BTreeSet<String>,
}

const INSTANCE: [&str; 21] = [
    "instance_id",
    "deployment_id",
    "validator",
    "chute_id",
    "version",
    "deletion_reason",
    "miner_uid",
    "miner_hotkey",
    "region",
    "created_at",
    "verified_at",
    "deleted_at",
    "activated_at",
    "stop_billing_at",
    "billed_to",
    "compute_multiplier",
    "valid_termination",
    "bounty",
    "config_id",
    "verification_error",
    "source",
];

fn json(file: &str, bytes: &[u8]) -> Result<Value, AuditError> {
    serde_json::from_slice(bytes)
        .map_err(|e| AuditError::field(file, "the file", format!("is not JSON: {e}")))
}

/// Reads a validator's report.
///
/// # Errors
///
/// When it is not JSON, or a known member is not what it should be.
pub fn validator(file: &str, bytes: &[u8]) -> Result<ValidatorReport, AuditError> {
    let value = json(file, bytes)?;
    let mut report = ValidatorReport::default();
    for (name, place) in Place::root(file, &value).members()? {
        match name {
            _ if place.value.is_null() => {}
            "instance_audit" => {
                for item in place.items()? {
                    let instance = instance(&item, &mut report.unknown)?;
                    if instance.hotkey.is_empty() {
                        return Err(item.refuse("the member `miner_hotkey` is missing"));
                    }
                    report.instances.push(instance);
                }
            }
            "csv_exports" => {
                for (kind, place) in place.members()? {
                    let sha256 = place.member("sha256")?;
                    let mut hash = [0; 32];
                    hex::decode_to_slice(sha256.text()?, &mut hash)
                        .map_err(|_| sha256.refuse("must be 64 hex digits"))?;
                    let path = place.member("path")?.text()?.to_owned();
                    super::path::under(std::path::Path::new(""), &path)?;
                    report
                        .exports
                        .insert(kind.to_owned(), ExportRef { path, sha256: hash });
                }
            }
            "compute_history" => {
                for item in place.items()? {
                    report.history.push(HistoryPart {
                        instance: item.member("instance_id")?.id()?,
                        multiplier: item.member("compute_multiplier")?.number()?,
                        from: item.member("started_at")?.time()?,
                        to: item.maybe("ended_at", Place::time)?,
                    });
                }
            }
            _ => {
                report.unknown.insert(name.chars().take(64).collect());
            }
        }
    }
    Ok(report)
}

/// Reads a miner's report.
///
/// # Errors
///
/// When it is not JSON, or a known member is not what it should be.
pub fn miner(file: &str, bytes: &[u8]) -> Result<MinerReport, AuditError> {
    let value = json(file, bytes)?;
    let mut report = MinerReport::default();
    for (name, place) in Place::root(file, &value).members()? {
        match name {
            _ if place.value.is_null() => {}
            "miner_hotkey" => report.hotkey = Some(place.text()?.to_owned()),
            "start_time" | "end_time" | "prometheus_message" => {}
            "prometheus_metrics" => {
                for item in place.items()? {
                    // Prometheus extrapolates, so counts may come as floats.
                    let count = item.member("total_count")?;
                    let more = match count.value.as_u64() {
                        Some(whole) => whole,
                        None => rounded(count.number()?),
                    };
                    let sum = report.invocations.unwrap_or(0).checked_add(more);
                    report.invocations =
                        Some(sum.ok_or_else(|| count.refuse("the counts are too great"))?);
                    report.seconds += item.maybe("total_seconds", Place::number)?.unwrap_or(0.0);
                }
            }
            "deployment_audit" => {
                for item in place.items()? {
                    report.instances.push(instance(&item, &mut report.unknown)?);
                }
            }
            _ => {
                report.unknown.insert(name.chars().take(64).collect());
            }
        }
    }
    Ok(report)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a finite number from 0; one that is too great becomes the greatest"
)]
fn rounded(number: f64) -> u64 {
    number.round_ties_even() as u64
}

fn instance(place: &Place<'_>, unknown: &mut BTreeSet<String>) -> Result<Instance, AuditError> {
    for (name, _) in place.members()? {
        if !INSTANCE.contains(&name) {
            unknown.insert(name.chars().take(64).collect());
        }
    }
    let id = match place.optional("instance_id") {
        Some(id) => id,
        None => place.member("deployment_id")?,
    };
    let text = |p: &Place<'_>| Ok(p.text()?.to_owned());
    Ok(Instance {
        id: id.id()?,
        chute: place.maybe("chute_id", Place::id)?,
        hotkey: place.maybe("miner_hotkey", text)?.unwrap_or_default(),
        created_at: place.member("created_at")?.time()?,
        verified_at: place.maybe("verified_at", Place::time)?,
        activated_at: place.maybe("activated_at", Place::time)?,
        stop_billing_at: place.maybe("stop_billing_at", Place::time)?,
        deleted_at: place.maybe("deleted_at", Place::time)?,
        billed: place.optional("billed_to").is_some(),
        valid_termination: place
            .maybe("valid_termination", Place::truth)?
            .unwrap_or(false),
        deletion_reason: place.maybe("deletion_reason", text)?,
        multiplier: place.maybe("compute_multiplier", Place::number)?,
    })
}
