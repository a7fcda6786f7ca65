//! `weights`: rows of weights, planned, read back and, in a build that signs, sent.

use std::path::Path;

use anyhow::{Context, Result, bail};
use chain_metadata::{AccountId, MechId, NetUid, Uid};
use challenges::sn42::plan::{Plan, Scores, Whose, of_file, of_profile, plan};
use challenges::sn42::readback::{Question, Who, read_back, read_back_all};
use indexer::store::Store;
use indexer::view::{At, at};
use scoring::local::sn42::chain::Row;
use serde::Deserialize;
use serde_json::Value;

use super::verify::opened;
use crate::args::{PlanArgs, ReadBackArgs, ScoresArgs, StateArgs, WeightsArgs, WeightsCommand};

#[cfg(feature = "submit")]
mod send;
mod show;

/// Largest file of scores or inputs that is read.
const MOST: u64 = 256 << 20;

/// Carries out one of the commands.
pub(crate) fn weights(args: &WeightsArgs) -> Result<()> {
    crate::telemetry::logs("warn", false)?;
    match &args.command {
        WeightsCommand::Plan(args) => show_plan(args),
        WeightsCommand::ReadBack(args) => show_readback(args),
        #[cfg(feature = "submit")]
        WeightsCommand::Submit(args) => send::submit(args),
        #[cfg(feature = "submit")]
        WeightsCommand::Reveal(args) => send::reveal(args),
    }
}

/// The store and the block that is read.
fn state(args: &StateArgs) -> Result<(Store, At)> {
    let store = opened(args.recording.as_deref(), args.data_dir.as_deref())?;
    let last = store.last()?;
    let Some(block) = args.block.or(last) else {
        bail!("the store is empty: index a chain into it first");
    };
    let Some(found) = at(&store, block)? else {
        let last = last.map_or_else(|| "none".to_owned(), |last| last.to_string());
        bail!("block {block} is not stored; the last one is {last}");
    };
    Ok((store, found))
}

fn json_of(path: &Path) -> Result<Value> {
    let length = std::fs::metadata(path)
        .with_context(|| format!("cannot read {}", path.display()))?
        .len();
    if length > MOST {
        bail!("{} has {length} bytes; {MOST} are the most", path.display());
    }
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", path.display()))
}

fn hotkey_of(text: &str) -> Result<AccountId> {
    text.parse()
        .with_context(|| format!("--hotkey {text} is no account"))
}

/// What made the scores, for the answer.
struct Source {
    profile: Option<&'static str>,
    inputs_hash: Option<String>,
    left_out: Vec<String>,
}

fn planned(store: &Store, at: &At, args: &ScoresArgs, hotkey: AccountId) -> Result<(Plan, Source)> {
    let whose = Whose {
        netuid: NetUid(args.netuid),
        mechanism: MechId(args.mechanism),
        hotkey,
    };
    let neurons = indexer::view::metagraph(store, at, whose.netuid, whose.mechanism)?;
    let Some(neurons) = neurons else {
        bail!(
            "there is no mechanism {} of subnet {} at block {}",
            whose.mechanism,
            whose.netuid,
            at.number
        );
    };
    let hotkeys: Vec<AccountId> = neurons.iter().map(|neuron| neuron.hotkey).collect();
    let mut source = Source {
        profile: None,
        inputs_hash: None,
        left_out: Vec::new(),
    };
    let scores: Scores = match (&args.scores, &args.profile, &args.input) {
        (Some(file), _, _) => of_file(&json_of(file)?, &hotkeys)?,
        (None, Some(profile), Some(input)) => {
            let Some(profile) = scoring::local::find(profile) else {
                bail!("there is no profile {profile}; `yumascope profiles` lists them");
            };
            let scored = challenges::profiles::of_value(profile, &json_of(input)?)?;
            source.profile = Some(scored.profile);
            source.inputs_hash = Some(scored.inputs_hash.clone());
            of_profile(&scored, &hotkeys)?
        }
        _ => bail!("give --scores FILE, or --profile NAME and --input FILE"),
    };
    source.left_out = scores.left_out;
    let plan = plan(store, at, whose, &scores.by_uid, args.version_key)?;
    Ok((plan, source))
}

fn show_plan(args: &PlanArgs) -> Result<()> {
    let hotkey = hotkey_of(&args.hotkey)?;
    let (store, at) = state(&args.state)?;
    let (plan, source) = planned(&store, &at, &args.scores, hotkey)?;
    super::print(&if args.json {
        format!("{}\n", show::plan_json(&plan, &source))
    } else {
        show::plan_text(&plan, &source)
    });
    Ok(())
}

/// A row in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowFile {
    uids: Vec<u16>,
    values: Vec<u16>,
}

fn row_of(path: &Path) -> Result<Row> {
    let file: RowFile = serde_json::from_value(json_of(path)?).with_context(|| {
        format!(
            "{} is no row: give {{\"uids\": […], \"values\": […]}}",
            path.display()
        )
    })?;
    if file.uids.len() != file.values.len() {
        bail!(
            "{} has {} uids but {} values: give one for each",
            path.display(),
            file.uids.len(),
            file.values.len()
        );
    }
    Ok(Row {
        uids: file.uids,
        values: file.values,
    })
}

fn show_readback(args: &ReadBackArgs) -> Result<()> {
    let (netuid, mechanism) = (NetUid(args.netuid), MechId(args.mechanism));
    let who = match (&args.hotkey, args.uid) {
        (Some(hotkey), _) => Some(Who::Hotkey(hotkey_of(hotkey)?)),
        (None, Some(uid)) => Some(Who::Uid(Uid(uid))),
        (None, None) => None,
    };
    let expected = args.expected.as_deref().map(row_of).transpose()?;
    if who.is_none() && (expected.is_some() || args.since.is_some()) {
        bail!("--expected and --since are about one validator: also give --hotkey or --uid");
    }
    let (store, at) = state(&args.state)?;
    let found = match who {
        Some(who) => {
            let question = Question {
                netuid,
                mechanism,
                who,
                expected,
                since: args.since,
                stale_tempos: args.stale_tempos,
            };
            vec![read_back(&store, &at, &question)?]
        }
        None => read_back_all(&store, &at, netuid, mechanism, args.stale_tempos)?,
    };
    super::print(&if args.json {
        let list: Vec<Value> = found.iter().map(show::readback_json).collect();
        format!("{}\n", Value::from(list))
    } else {
        found.iter().map(show::readback_text).collect()
    });
    Ok(())
}
