//! `alerts`: files of rules and hooks checked, rules tried on history, dead letters.

use std::path::Path;
use std::sync::Arc;

use alerts::backtest::{self, Outcome};
use alerts::deliver::{Post, Web};
use alerts::file::{FileError, Settings};
use alerts::hook::{Machine, Secrets};
use alerts::outbox::{Dead, Files, Pending, dead_letters, redeliver};
use alerts::rule::{Alert, PRESETS};
use alerts::sign;
use alerts::worker::now_ms;
use anyhow::{Context, Result, bail};
use serde_json::json;

use super::verify::opened;
use crate::adapters::reader::StoreReader;
use crate::alerts::{StoreChain, folder, settings};
use crate::args::{AlertsArgs, AlertsCommand, BacktestArgs};

/// Carries out one of the commands.
pub(crate) fn alerts(args: &AlertsArgs) -> Result<()> {
    match &args.command {
        AlertsCommand::Check { file } => check(file),
        AlertsCommand::Backtest(args) => backtested(args),
        AlertsCommand::Dead { data_dir, json } => dead(data_dir, *json),
        AlertsCommand::Redeliver {
            data_dir,
            hook,
            key,
        } => again(data_dir, hook.as_deref(), key.as_deref()),
        AlertsCommand::Test { file, hook } => test(file, hook),
        AlertsCommand::Preset { name } => preset(name.as_deref()),
    }
}

/// Everything that is wrong, a line each.
fn check(file: &Path) -> Result<()> {
    let text = std::fs::read_to_string(file);
    let text = text.with_context(|| format!("cannot read {}", file.display()))?;
    let (settings, mut wrong) = match Settings::read(&text, &Machine) {
        Ok(settings) => (settings, Vec::new()),
        Err(errors) => {
            let lines = errors.iter().map(FileError::to_string).collect();
            // Whatever else is right is looked at all the same, as far as it can be.
            (Settings::default(), lines)
        }
    };
    wrong.extend(super::runtime()?.block_on(async { crate::alerts::wrong(&settings) })?);
    if !wrong.is_empty() {
        for line in &wrong {
            eprintln!("{line}");
        }
        let many = wrong.len();
        bail!(
            "{} cannot be used: {many} things are wrong with it",
            file.display()
        );
    }
    let mut said = String::new();
    for rule in &settings.rules {
        said.push_str(&format!("rule {} is good\n", rule.name));
    }
    for hook in &settings.hooks {
        said.push_str(&format!("hook {} to {} is good\n", hook.name, hook.host()));
    }
    super::print(&said);
    Ok(())
}

/// For reading rules alone: hooks are looked at, but their secrets do not matter.
struct Placeholder;

impl Secrets for Placeholder {
    fn variable(&self, _name: &str) -> Option<String> {
        Some("no secret is needed".into())
    }

    fn file(&self, _path: &Path, _most: u64) -> std::io::Result<Vec<u8>> {
        Ok(b"no secret is needed".to_vec())
    }
}

fn backtested(args: &BacktestArgs) -> Result<()> {
    crate::telemetry::logs("warn", false)?;
    let settings = settings(&args.file, &Placeholder)?;
    let rules: Vec<_> = match &args.rule {
        None => settings.rules.iter().collect(),
        Some(name) => settings.rules.iter().filter(|r| &r.name == name).collect(),
    };
    if rules.is_empty() {
        let wanted = args.rule.as_deref().unwrap_or("at all");
        bail!("{} has no rule {wanted}", args.file.display());
    }
    let store = opened(args.recording.as_deref(), args.data_dir.as_deref())?;
    let runtime = super::runtime()?;
    let chain = {
        let _inside = runtime.enter();
        StoreChain::new(Arc::new(StoreReader::at_rest(store, None)))
    };
    let wrong = runtime.block_on(async { crate::alerts::wrong(&settings) })?;
    if !wrong.is_empty() {
        bail!("{}", wrong.join("; "));
    }
    let (from, to) = (args.from.unwrap_or(0), args.to.unwrap_or(u32::MAX));
    for rule in rules {
        let told = |alert: Alert| {
            super::print(&if args.json {
                format!("{}\n", json!({ "alert": alert }))
            } else {
                line(&alert)
            });
        };
        match backtest::run(&chain, rule, from, to, told) {
            // Among others, a rule without a history is passed over.
            Err(error @ backtest::BacktestError::NoHistory(_)) if args.rule.is_none() => {
                eprintln!("{error}");
            }
            Err(error) => return Err(error.into()),
            Ok(outcome) => super::print(&if args.json {
                format!("{}\n", json!({ "outcome": outcome }))
            } else {
                summary(&outcome)
            }),
        }
    }
    Ok(())
}

fn line(alert: &Alert) -> String {
    let why = alert.reason.as_ref();
    let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
    format!(
        "{:>9} {:<8} {}{why}\n",
        alert.block,
        alert.event.name(),
        alert.message
    )
}

fn summary(outcome: &Outcome) -> String {
    let (Some(from), Some(to)) = (outcome.from, outcome.to) else {
        return format!("{}: no block of this range is stored\n", outcome.rule);
    };
    let times = |n: u64| match n {
        1 => "once".to_owned(),
        n => format!("{n} times"),
    };
    format!(
        "{}: would have fired {} from block {from} to {to} ({} asked), cleared {}, could not tell {}; it holds for {} at the end\n",
        outcome.rule,
        times(outcome.fired),
        times(outcome.asked),
        times(outcome.cleared),
        times(outcome.unknown),
        outcome.holding
    )
}

/// The folder of a store's webhooks, which must be there.
fn kept(data_dir: &Path) -> Result<Files> {
    let folder = folder(data_dir);
    if !folder.is_dir() {
        bail!(
            "no webhooks were ever at work in {}; give the --data-dir of a program that runs with --hooks",
            data_dir.display()
        );
    }
    Ok(Files::open(&folder)?)
}

fn dead(data_dir: &Path, json: bool) -> Result<()> {
    let letters = dead_letters(&kept(data_dir)?)?;
    let mut said = String::new();
    for Dead {
        hook,
        message,
        reason,
        at_ms,
    } in &letters
    {
        let (key, event) = (&message.key, &message.event);
        said.push_str(&match json {
            true => {
                let body: serde_json::Value = serde_json::from_str(&message.body)?;
                let line = json!({
                    "hook": hook, "key": key, "type": event, "lane": message.lane,
                    "attempts": message.attempts, "reason": reason, "atMs": at_ms, "body": body,
                });
                format!("{line}\n")
            }
            false => format!("{hook} {key} {event}: {reason}\n"),
        });
    }
    super::print(&said);
    if letters.is_empty() {
        eprintln!("nothing was given up");
    }
    Ok(())
}

fn again(data_dir: &Path, hook: Option<&str>, key: Option<&str>) -> Result<()> {
    let moved = redeliver(&kept(data_dir)?, hook, key)?;
    if moved == 0 {
        bail!("no message that was given up is meant; `yumascope alerts dead` lists them");
    }
    eprintln!(
        "{moved} messages will be tried once more, by the program that runs with this --data-dir or by the next one"
    );
    Ok(())
}

fn test(file: &Path, name: &str) -> Result<()> {
    crate::telemetry::logs("warn", false)?;
    let settings = settings(file, &Machine)?;
    let found = settings.hooks.into_iter().find(|hook| hook.name == name);
    let hook = found.with_context(|| format!("{} has no hook {name}", file.display()))?;
    let at = now_ms();
    let cursor = at.to_string();
    let key = sign::key(&hook.name, "test", &cursor);
    let body = json!({
        "id": key, "hook": hook.name, "type": "test", "cursor": cursor, "kind": "item",
        "data": { "atMs": at },
    });
    let message = Pending {
        key,
        lane: "test".into(),
        cursor,
        event: "test".into(),
        body: body.to_string(),
        attempts: 0,
        next_ms: 0,
        why: None,
    };
    let host = hook.host().to_owned();
    match Web::new(hook).post(&message, at / 1_000) {
        Ok(()) => {
            super::print(&format!(
                "hook {name} at {host} took the message {}\n",
                message.key
            ));
            Ok(())
        }
        Err(failed) => bail!("hook {name} at {host} did not take the message: {failed}"),
    }
}

fn preset(name: Option<&str>) -> Result<()> {
    let Some(name) = name else {
        for preset in PRESETS {
            // What a preset is for stands in its first lines.
            let about = preset.text.lines().take_while(|line| line.starts_with('#'));
            let about: Vec<&str> = about
                .map(|line| line.trim_start_matches(['#', ' ']))
                .collect();
            super::print(&format!("{:<20} {}\n", preset.name, about.join(" ")));
        }
        return Ok(());
    };
    match PRESETS.iter().find(|preset| preset.name == name) {
        Some(preset) => {
            super::print(preset.text);
            Ok(())
        }
        None => bail!("there is no preset {name}; `yumascope alerts preset` lists them"),
    }
}
