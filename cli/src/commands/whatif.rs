//! `explain`, `diff`, `simulate` and `copying`: what made a number, what changed it, what would
//! have, and who sets the weights of others.
//!
//! The questions and their JSON are REST's; here is what people read of it.

use std::sync::Arc;

use anyhow::{Context, Result};
use graphql::Limits;
use graphql::rest::{EpochAt, Question, ask};
use serde_json::Value;

use super::verify::opened;
use crate::adapters::reader::StoreReader;
use crate::args::{BlocksArgs, CopyingArgs, DiffArgs, ExplainArgs, SimulateArgs};

/// Explains a uid's numbers of an epoch.
pub(crate) fn explain(args: &ExplainArgs) -> Result<()> {
    let question = Question::Explain {
        epoch: epoch(&args.blocks, args.block),
        uid: args.uid,
    };
    answer(&args.blocks, &question, explained)
}

/// Splits a difference.
pub(crate) fn diff(args: &DiffArgs) -> Result<()> {
    let question = Question::Diff {
        from: epoch(&args.blocks, args.from),
        to: args.to,
        hotkey: args.hotkey.clone(),
        dividends: args.dividends,
        detail: args.detail,
    };
    answer(&args.blocks, &question, difference)
}

/// Computes epochs with and without a patch.
pub(crate) fn simulate(args: &SimulateArgs) -> Result<()> {
    let patch = match &args.patch {
        None => Value::Object(serde_json::Map::new()),
        Some(file) => {
            let text = std::fs::read(file)
                .with_context(|| format!("cannot read the patch {}", file.display()))?;
            serde_json::from_slice(&text)
                .with_context(|| format!("the patch {} is not JSON", file.display()))?
        }
    };
    let question = Question::Simulate {
        epoch: epoch(&args.blocks, args.block),
        horizon: args.horizon,
        patch,
        uids: args.uids.clone(),
    };
    answer(&args.blocks, &question, simulated)
}

/// Compares validators with what others had set before.
pub(crate) fn copying(args: &CopyingArgs) -> Result<()> {
    let question = Question::Copying {
        from: epoch(&args.blocks, args.from),
        to: args.to,
        lag: args.lag,
        relations: args.relations,
    };
    answer(&args.blocks, &question, copied)
}

fn epoch(blocks: &BlocksArgs, block: u32) -> EpochAt {
    EpochAt {
        netuid: blocks.netuid,
        mechanism: blocks.mechanism,
        block,
    }
}

/// Asks the store and prints the answer, as JSON or as text.
fn answer(blocks: &BlocksArgs, question: &Question, text: fn(&Value) -> String) -> Result<()> {
    crate::telemetry::logs("warn", false)?;
    let store = opened(blocks.recording.as_deref(), blocks.data_dir.as_deref())?;
    let reader = Arc::new(StoreReader::at_rest(store, None));
    // Nobody waits for a turn here; the bounds of the work itself hold all the same.
    let limits = Limits {
        complexity: usize::MAX,
        query_timeout_ms: 600_000,
        ..Limits::default()
    };
    let answer = super::runtime()?.block_on(ask(reader, limits, question))?;
    super::print(&if blocks.json {
        format!("{answer}\n")
    } else {
        text(&answer)
    });
    Ok(())
}

/// Lines of text.
#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        let line = line.to_string();
        // A blank line that ends what is above it stays.
        let blank = if line.ends_with('\n') { "\n\n" } else { "\n" };
        self.0.push_str(line.trim_end());
        self.0.push_str(blank);
    }

    fn notes(&mut self, title: &str, notes: &Value) {
        for note in list(notes) {
            self.line(format_args!("{title}: {}", plain(note)));
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A string without quotes, anything else as JSON; nothing for null.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The exact decimal of a fixed-point number, cut behind nine digits and marked so.
fn fixed(value: &Value) -> String {
    let text = plain(&value["decimal"]);
    match text.split_once('.') {
        Some((whole, digits)) if digits.len() > 9 => {
            format!("{whole}.{}…", digits.get(..9).unwrap_or(digits))
        }
        _ => text,
    }
}

fn explained(told: &Value) -> String {
    let mut page = Page::default();
    let (voice, median, dividends) = (&told["voice"], &told["median"], &told["dividends"]);
    page.line(format_args!(
        "uid {}, rules of spec {}\n",
        told["uid"], told["specVersion"]
    ));
    page.line(format_args!(
        "incentive {} = rank {} / {}, stored as {}",
        fixed(&told["incentive"]),
        fixed(&told["rank"]),
        fixed(&told["rankSum"]),
        told["storedIncentive"]
    ));
    page.line(format_args!(
        "rank before clipping {}; own stake {} of all, active {} {}",
        fixed(&told["prerank"]),
        fixed(&voice["stake"]),
        fixed(&voice["activeStake"]),
        plain(&voice["lost"])
    ));
    page.line(format_args!("\nvalidator  active stake   weight of row            normalised     clipped        contribution   removed by"));
    for weight in list(&told["weights"]) {
        page.line(format_args!(
            "{:>9}  {:<13}  {:>6} of {:<12}  {:<13}  {:<13}  {:<13}  {}",
            weight["validator"],
            fixed(&weight["voice"]["activeStake"]),
            plain(&weight["raw"]),
            plain(&weight["rowSum"]),
            fixed(&weight["normalised"]),
            fixed(&weight["clipped"]),
            fixed(&weight["contribution"]),
            plain(&weight["removedBy"]),
        ));
    }
    page.line(format_args!(
        "\nconsensus {}, stored as {}; decided by uid {}, where the stake passes {} (kappa {})",
        fixed(&median["consensus"]),
        median["stored"],
        plain(&median["decidedBy"]),
        fixed(&median["minority"]),
        fixed(&median["kappa"]),
    ));
    page.line(format_args!(
        "    voter  score          stake          up to here"
    ));
    for vote in list(&median["votes"]) {
        page.line(format_args!(
            "{:>9}  {:<13}  {:<13}  {}",
            vote["validator"],
            fixed(&vote["score"]),
            fixed(&vote["stake"]),
            fixed(&vote["upTo"]),
        ));
    }
    page.line(format_args!(
        "\ndividends {} = {} / {}, stored as {}; bonds bring {}",
        fixed(&dividends["dividends"]),
        fixed(&dividends["unnormalised"]),
        fixed(&dividends["sum"]),
        dividends["stored"],
        fixed(&dividends["held"]),
    ));
    let bonds = list(&dividends["bonds"]);
    if !bonds.is_empty() {
        page.line(format_args!(
            "    miner  before  after   weight         share          incentive      contribution"
        ));
    }
    for bond in bonds {
        page.line(format_args!(
            "{:>9}  {:<6}  {:<6}  {:<13}  {:<13}  {:<13}  {}",
            bond["miner"],
            plain(&bond["before"]),
            plain(&bond["after"]),
            fixed(&bond["weight"]),
            fixed(&bond["share"]),
            fixed(&bond["incentive"]),
            fixed(&bond["contribution"]),
        ));
    }
    page.notes("without a proof", &told["doubts"]);
    page.0
}

fn difference(told: &Value) -> String {
    let mut page = Page::default();
    page.line(format_args!(
        "{} of {}: {} in block {}, {} in block {}, difference {}\n",
        plain(&told["field"]).to_lowercase(),
        plain(&told["hotkey"]),
        told["from"],
        told["fromBlock"],
        told["to"],
        told["toBlock"],
        told["difference"],
    ));
    page.line(format_args!("  change  unclipped  clipping  cause"));
    for term in list(&told["terms"]) {
        page.line(format_args!(
            "{:>8}  {:>9}  {:>8}  {} {}{}",
            term["change"],
            term["unclipped"],
            term["clipping"],
            plain(&term["cause"]).to_lowercase(),
            plain(&term["name"]),
            plain(&term["hotkey"]),
        ));
    }
    page.notes("without a proof", &told["doubts"]);
    page.0
}

fn simulated(told: &Value) -> String {
    let mut page = Page::default();
    page.line(format_args!("permalink {}", plain(&told["permalink"])));
    page.line(format_args!(
        "cost {} of {}",
        plain(&told["cost"]),
        plain(&told["costLimit"])
    ));
    page.notes("note", &told["notes"]);
    for epoch in list(&told["epochs"]) {
        let inputs = match epoch["isStored"].as_bool() {
            Some(true) => "inputs as stored",
            _ => "inputs follow from the epoch before",
        };
        page.line(format_args!(
            "\nepoch {} in block {}, {inputs}",
            epoch["index"],
            plain(&epoch["blockNumber"])
        ));
        let neurons = list(&epoch["neurons"]);
        if neurons.is_empty() {
            page.line(format_args!("nothing changes"));
            continue;
        }
        page.line(format_args!(
            "  uid  {:<22}{:<22}{:<22}{:<22}emission",
            "incentive", "dividends", "consensus", "validator trust"
        ));
        for neuron in neurons {
            let both = |field: &str| {
                let value = &neuron[field];
                let (without, with) = (plain(&value["without"]), plain(&value["with"]));
                if without == with {
                    with
                } else {
                    format!("{without} → {with}")
                }
            };
            page.line(format_args!(
                "{:>5}  {:<22}{:<22}{:<22}{:<22}{}",
                neuron["uid"],
                both("incentive"),
                both("dividends"),
                both("consensus"),
                both("validatorTrust"),
                both("emission"),
            ));
        }
        for (word, uids) in [("gain", "permitsGained"), ("lose", "permitsLost")] {
            let uids: Vec<String> = list(&epoch[uids]).iter().map(plain).collect();
            if !uids.is_empty() {
                page.line(format_args!("permits: uids {} {word} one", uids.join(", ")));
            }
        }
    }
    page.0
}

fn copied(told: &Value) -> String {
    let mut page = Page::default();
    let steps = list(&told["steps"]);
    let end = |step: Option<&Value>| step.map(plain).unwrap_or_default();
    page.line(format_args!(
        "{} epochs, from block {} to block {}",
        steps.len(),
        end(steps.first()),
        end(steps.last())
    ));
    let validators = list(&told["validators"]);
    if validators.is_empty() {
        page.line(format_args!("nobody had weights"));
    }
    for validator in validators {
        page.line(format_args!(
            "\n{}: {} changes, score {}{}",
            plain(&validator["hotkey"]),
            plain(&validator["changes"]),
            share(&validator["score"]),
            match plain(&validator["leader"]) {
                leader if leader.is_empty() => ", follows nobody".to_owned(),
                leader => format!(", follows {leader}"),
            }
        ));
        let relations = list(&validator["relations"]);
        if !relations.is_empty() {
            page.line(format_args!(
                "  score   timing  repeated  lag  compared  identical  correlation  reverse  together  of"
            ));
        }
        for relation in relations {
            page.line(format_args!(
                "  {:<6}  {:<6}  {:<8}  {:>3}  {:>8}  {:>9}  {:<11}  {:<7}  {:<8}  {}",
                share(&relation["score"]),
                share(&relation["timing"]),
                share(&relation["repeated"]),
                plain(&relation["lag"]),
                plain(&relation["compared"]),
                plain(&relation["identical"]),
                share(&relation["correlation"]),
                share(&relation["reverse"]),
                share(&relation["together"]),
                plain(&relation["leader"]),
            ));
        }
    }
    page.0
}

/// A share with three digits; nothing for null.
fn share(value: &Value) -> String {
    value
        .as_f64()
        .map_or_else(String::new, |share| format!("{share:.3}"))
}
