//! What miners report of themselves beside what was audited.

use std::collections::BTreeMap;

use scoring::local::sn64::agreement::{Counts, Instances as Agreed, Life, counts, quarrels};
use serde_json::{Map, Value, json};

use super::instances::Instances;
use super::report::{Instance, MinerReport};

/// What a miner's reports say, put together.
#[derive(Debug, Clone, Default)]
pub struct Reported {
    /// Invocations by its own metrics; `None` when no report has metrics.
    pub invocations: Option<u64>,
    /// Its instances: of each the latest record.
    instances: Instances,
}

impl Reported {
    /// Takes a report of the miner.
    pub fn take(&mut self, report: MinerReport) {
        if let Some(more) = report.invocations {
            self.invocations = Some(self.invocations.unwrap_or(0).saturating_add(more));
        }
        for instance in report.instances {
            self.instances.take(instance);
        }
    }
}

/// How one miner's reports agree with the audit.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// Of the counts of invocations.
    pub counts: Counts,
    /// Invocations by the audit.
    pub audited: u64,
    /// Invocations by the miner.
    pub reported: Option<u64>,
    /// Of the instances; `None` when the miner reports none.
    pub instances: Option<Agreed>,
}

fn life(instance: &Instance) -> Life {
    Life {
        created_at: Some(instance.created_at),
        activated_at: instance.activated_at,
        deleted_at: instance.deleted_at,
        multiplier: instance.multiplier,
    }
}

/// Compares all miners that reported, by hotkey; `audited` are invocations that ended
/// without an error.
pub fn compare(
    reported: &BTreeMap<String, Reported>,
    audited: &BTreeMap<String, u64>,
    validators: &Instances,
    now: i64,
) -> BTreeMap<String, Agreement> {
    let mut of_hotkey: BTreeMap<&str, Vec<&Instance>> = BTreeMap::new();
    for instance in validators.latest() {
        of_hotkey
            .entry(&instance.hotkey)
            .or_default()
            .push(instance);
    }
    let one = |(hotkey, reported): (&String, &Reported)| {
        let count = audited.get(hotkey).copied();
        let mine = &reported.instances;
        let mut agreed = Agreed::default();
        let theirs = of_hotkey
            .get(hotkey.as_str())
            .map(Vec::as_slice)
            .unwrap_or_default();
        for instance in theirs {
            agreed.validator_seconds += life(instance).seconds(now);
            match mine.get(instance.id) {
                None => agreed.validator_only += 1,
                Some(told) => {
                    agreed.both += 1;
                    agreed.quarrels +=
                        usize::from(!quarrels(&life(instance), &life(told)).is_empty());
                }
            }
        }
        let mut told = 0;
        for instance in mine.latest() {
            told += 1;
            agreed.miner_seconds += life(instance).seconds(now);
        }
        agreed.miner_only = told - agreed.both;
        let agreement = Agreement {
            counts: counts(count, reported.invocations),
            audited: count.unwrap_or(0),
            reported: reported.invocations,
            instances: (told > 0).then_some(agreed),
        };
        (hotkey.clone(), agreement)
    };
    reported.iter().map(one).collect()
}

impl Agreement {
    /// As JSON.
    pub fn json(&self) -> Value {
        let (word, ratio) = match self.counts {
            Counts::Agree(ratio) => ("agree", Some(ratio)),
            Counts::Differ(ratio) => ("differ", Some(ratio)),
            Counts::NothingReported => ("no-reported-metrics", None),
            Counts::NothingAudited => ("nothing-audited", None),
        };
        let mut members = Map::new();
        members.insert("verdict".into(), word.into());
        members.insert("ratio".into(), json!(ratio));
        members.insert("audited".into(), self.audited.into());
        members.insert("reported".into(), json!(self.reported));
        if let Some(agreed) = &self.instances {
            let value = json!({
                "both": agreed.both,
                "toldDifferently": agreed.quarrels,
                "validatorOnly": agreed.validator_only,
                "minerOnly": agreed.miner_only,
                "validatorSeconds": agreed.validator_seconds,
                "minerSeconds": agreed.miner_seconds,
                "ratio": agreed.ratio(),
                "warnings": agreed.warnings(),
            });
            members.insert("instances".into(), value);
        }
        Value::Object(members)
    }
}
