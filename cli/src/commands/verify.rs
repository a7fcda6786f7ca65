//! `verify`: every epoch computed again and compared, to the last bit.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use chain_metadata::NetUid;
use indexer::notify::Notify;
use indexer::pipeline::{self, Plan, Progress};
use indexer::source::recording::RecordingSource;
use indexer::store::Store;
use indexer::verify::compare::Field;
use indexer::verify::{Record, Verdict, follow};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::args::VerifyArgs;

/// Blocks computed at once; their lines are printed before the next ones.
const STEP: u32 = 1024;

/// How many epochs ended in which way.
#[derive(Debug, Default, PartialEq)]
struct Summary {
    exact: u64,
    differs: u64,
    input_incomplete: u64,
    rules_unknown: u64,
    /// Slots that were due or used up without an epoch: no epochs.
    not_run: u64,
    /// Epochs with a number that is not the chain's, whatever the verdict.
    differing: u64,
}

/// Verifies a recording or a store; an error when anything differs.
pub(crate) fn verify(args: &VerifyArgs) -> Result<()> {
    crate::telemetry::logs("warn", false)?;
    if let (Some(from), Some(to)) = (args.from, args.to)
        && to < from
    {
        bail!("--to {to} is before --from {from}; swap them");
    }
    let store = opened(args.recording.as_deref(), args.data_dir.as_deref())?;
    let tip = store
        .checkpoint()?
        .ok_or(indexer::store::StoreError::Empty)?;
    let from = args.from.unwrap_or(tip.first).max(tip.first);
    let to = args.to.unwrap_or(tip.last).min(tip.last);
    let netuid = args.netuid.map(NetUid);
    let mut summary = Summary::default();
    if !args.json {
        super::print(HEAD);
    }
    let mut first = from;
    while first <= to {
        let last = to.min(first.saturating_add(STEP - 1));
        for verified in follow::epochs(&store, netuid, first..=last)? {
            let record = &verified.record;
            summary.count(record);
            if matches!(record.verdict, Verdict::NotRun(_)) {
                continue;
            }
            super::print(&if args.json {
                format!("{}\n", line(record))
            } else {
                row(record)
            });
        }
        let slots = follow::slots(&store, netuid, first..=last)?;
        summary.not_run += u64::try_from(slots.len()).unwrap_or(u64::MAX);
        match last.checked_add(1) {
            Some(next) => first = next,
            None => break,
        }
    }
    super::print(&if args.json {
        format!("{}\n", summary.json())
    } else {
        summary.text()
    });
    match summary.differing {
        0 => Ok(()),
        n => bail!(
            "{n} epochs differ from what the chain stored; the lines above name the first stage and uid of each"
        ),
    }
}

/// A recording in a store in memory, or a store on disk.
pub(super) fn opened(recording: Option<&Path>, data_dir: Option<&Path>) -> Result<Store> {
    match (recording, data_dir) {
        (Some(dir), _) => indexed(dir),
        (None, Some(dir)) => Ok(Store::open_sled(dir, false, 256 << 20)?),
        (None, None) => bail!("give --recording DIR or --data-dir DIR"),
    }
}

/// A recording in a store in memory.
fn indexed(dir: &Path) -> Result<Store> {
    let recording = Arc::new(replay_node::load_dir(dir)?);
    let store = Store::in_memory()?;
    let plan = Plan {
        until: Some(recording.head),
        window: 64,
        ..Plan::default()
    };
    let (progress, _) = watch::channel(Progress::default());
    let (_stop, stop) = watch::channel(false);
    let source = Arc::new(RecordingSource(recording));
    let road = pipeline::run(
        source,
        store.clone(),
        plan,
        Notify::default(),
        progress,
        stop,
    );
    super::runtime()?
        .block_on(road)?
        .context("the recording holds no block")?;
    Ok(store)
}

impl Summary {
    fn count(&mut self, record: &Record) {
        match record.verdict {
            Verdict::Exact => self.exact += 1,
            Verdict::Differs => self.differs += 1,
            Verdict::InputIncomplete(_) => self.input_incomplete += 1,
            Verdict::RulesUnknown(_) => self.rules_unknown += 1,
            Verdict::NotRun(_) => self.not_run += 1,
        }
        self.differing += u64::from(record.first.is_some());
    }

    fn epochs(&self) -> u64 {
        self.exact + self.differs + self.input_incomplete + self.rules_unknown
    }

    fn json(&self) -> Value {
        json!({"summary": {
            "epochs": self.epochs(),
            "exact": self.exact,
            "differs": self.differs,
            "input_incomplete": self.input_incomplete,
            "rules_unknown": self.rules_unknown,
        }})
    }

    fn text(&self) -> String {
        format!(
            "\nepochs            {:>8}\nexact             {:>8}\ndiffers           {:>8}\n\
             input incomplete  {:>8}\nrules unknown     {:>8}\n\
             slots without one {:>8}\n",
            self.epochs(),
            self.exact,
            self.differs,
            self.input_incomplete,
            self.rules_unknown,
            self.not_run
        )
    }
}

/// A record as one line of JSON.
fn line(record: &Record) -> Value {
    let mut fields = Map::new();
    for field in Field::ALL {
        if let Some(d) = record.field(*field) {
            let value = json!({"differing": d.differing, "max_abs_diff": d.max_abs_diff});
            fields.insert(field.name().to_owned(), value);
        }
    }
    let mut value = json!({
        "block": record.block,
        "netuid": record.netuid.0,
        "mechanism": record.mechanism.0,
        "spec_version": record.spec,
        "verdict": record.verdict.word(),
        "fields": fields,
    });
    if let Some(what) = record.verdict.what() {
        value["what"] = json!(what);
    }
    if let Some((field, uid)) = record.first {
        value["first"] = json!({"stage": field.stage(), "field": field.name(), "uid": uid});
    }
    if !record.unknown.is_empty() {
        let unknown = record.unknown.iter();
        let unknown: Map<_, _> = unknown
            .map(|(field, why)| (field.name().to_owned(), json!(why)))
            .collect();
        value["not_compared"] = Value::Object(unknown);
    }
    value
}

const HEAD: &str =
    "   block netuid mech  spec  verdict           fields  entries  differing  first difference\n";

/// A record as a row of the table.
fn row(record: &Record) -> String {
    let sum = |of: fn(&indexer::verify::compare::Difference) -> u32| -> u64 {
        record.fields.iter().map(|d| u64::from(of(d))).sum()
    };
    let first = match (record.first, record.verdict.what()) {
        (Some((field, uid)), what) => {
            let by = record.field(field).map_or(0, |d| d.max_abs_diff);
            let what = what.map(|what| format!("; {what}")).unwrap_or_default();
            format!(
                "{} of uid {uid}, stage {}, by up to {by}{what}",
                field.name(),
                field.stage()
            )
        }
        (None, Some(what)) => what.to_owned(),
        (None, None) => String::new(),
    };
    let row = format!(
        "{:>8} {:>6} {:>4} {:>5}  {:<16} {:>7} {:>8} {:>10}  {first}",
        record.block,
        record.netuid,
        record.mechanism,
        record.spec,
        record.verdict.word(),
        record.fields.len(),
        sum(|d| d.compared),
        sum(|d| d.differing),
    );
    format!("{}\n", row.trim_end())
}
