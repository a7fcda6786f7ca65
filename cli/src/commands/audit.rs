//! `audit`: a subnet's own reports and exports against the chain.

use std::fmt::Write;

use anyhow::{Context, Result, bail};
use chain_metadata::{AccountId, NetUid};
use challenges::date;
use challenges::sn64::audit::{Audit, Request, audit as run};
use challenges::sn64::synthetics::Verdict;
use challenges::sn64::trust::Trust;
use challenges::sn64::{AuditError, fetch, synthetics};
use indexer::store::Store;
use scoring::local::sn64::Rules;

use crate::args::{AuditArgs, AuditSn64Args, AuditSystem};

/// Audits, prints what came of it; an error when something is not what was committed.
pub(crate) fn audit(args: &AuditArgs) -> Result<()> {
    crate::telemetry::logs("warn", false)?;
    match &args.system {
        AuditSystem::Sn64(args) => sn64(args),
    }
}

fn sn64(args: &AuditSn64Args) -> Result<()> {
    let rules =
        Rules::named(&args.profile).ok_or_else(|| AuditError::Profile(args.profile.clone()))?;
    let now = match &args.now {
        None => None,
        Some(text) => Some(
            date::parse(text)
                .with_context(|| format!("--now {text} is no time like 2025-10-15T12:00:00Z"))?,
        ),
    };
    let store = match &args.data_dir {
        Some(dir) => Some(Store::open_sled(dir, false, 128 << 20)?),
        None => None,
    };
    let own = match &args.synthetics {
        None => None,
        Some(file) => {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(file).with_context(|| name.clone())?;
            Some(synthetics::parse(&name, &text)?)
        }
    };
    let validators: Vec<AccountId> = args
        .validator
        .iter()
        .map(|text| {
            text.parse()
                .with_context(|| format!("--validator {text} is no hotkey"))
        })
        .collect::<Result<_>>()?;
    if let Some(url) = &args.fetch {
        let trust = Trust {
            named: &validators,
            store: store.as_ref(),
            netuid: NetUid(args.netuid),
        };
        let fetched = fetch::fetch(url, &args.dir, now, &trust)?;
        eprintln!(
            "fetched {} files, {} bytes; {} were there, {} are not served, {} are left out",
            fetched.files,
            fetched.bytes,
            fetched.kept,
            fetched.missing.len(),
            fetched.refused.len()
        );
        for refused in &fetched.refused {
            eprintln!("left out: {refused}");
        }
    }
    let found = run(&Request {
        dir: &args.dir,
        rules,
        netuid: NetUid(args.netuid),
        now,
        store: store.as_ref(),
        validators: &validators,
        block: args.block,
        synthetics: own.as_deref(),
    })?;
    super::print(&if args.json {
        format!("{}\n", serde_json::to_string(&found)?)
    } else {
        text(&found)?
    });
    match found.violations.len() {
        0 => Ok(()),
        n => bail!(
            "{n} files are not what was committed, or nothing was; the audit names them under violations"
        ),
    }
}

/// The audit for people.
fn text(found: &Audit) -> Result<String> {
    let mut out = String::new();
    writeln!(
        out,
        "profile   {} over {} to {}",
        found.profile, found.from, found.now
    )?;
    writeln!(out, "inputs    {}", found.inputs_hash)?;
    let count = &found.invocations;
    writeln!(
        out,
        "exports   {} files, {} rows, {} superseded, {} without a beginning, {} ids read twice",
        count.files, count.rows, count.superseded, count.without_beginning, count.suspects
    )?;
    match found.incentive_block {
        Some(block) => writeln!(
            out,
            "chain     incentives of subnet {} at block {block}",
            found.netuid
        )?,
        None => writeln!(out, "chain     no incentives from our own index")?,
    }
    miners(found, &mut out)?;
    writeln!(
        out,
        "\ncoverage, at least {} s",
        found.thresholds.coverage_seconds
    )?;
    for row in &found.coverage {
        let word = if row.full { "full" } else { "not full" };
        write!(out, "{} {} s {word}", row.hotkey, row.seconds)?;
        if row.full != row.full_by_the_original {
            write!(out, " (the sum of {} s says otherwise)", row.summed_seconds)?;
        }
        for (from, to) in row.gaps.iter().take(5) {
            write!(out, "; nothing from {from} to {to}")?;
        }
        if row.gaps.len() > 5 {
            write!(out, "; {} gaps in all", row.gaps.len())?;
        }
        writeln!(out)?;
    }
    writeln!(out, "\ncommitments of reports")?;
    for row in &found.reports {
        let word = row
            .commitment
            .as_ref()
            .map_or("absent", |verdict| verdict.word());
        let word = match &row.refused {
            Some(_) if row.commitment.is_none() => "not read",
            _ => word,
        };
        write!(out, "{word:<13} block {:>8} {}", row.block, row.path)?;
        if let Some(challenges::sn64::commitment::Verdict::Unverifiable { why }) = &row.commitment {
            write!(out, ": {why}")?;
        }
        if let Some(why) = &row.refused {
            write!(out, "; left out: {why}")?;
        }
        writeln!(out)?;
    }
    for row in &found.exports {
        writeln!(out, "{:<13} {}", row.verdict, row.path)?;
    }
    if !found.agreement.is_empty() {
        writeln!(
            out,
            "\nagreement with miners, ratio at least {}",
            found.thresholds.agreement
        )?;
    }
    for (hotkey, value) in &found.agreement {
        writeln!(out, "{hotkey} {value}")?;
    }
    own(found, &mut out)?;
    for (head, lines) in [
        ("missing", &found.missing),
        ("unknown", &found.unknown),
        ("notes", &found.notes),
        ("violations", &found.violations),
    ] {
        if !lines.is_empty() {
            writeln!(out, "\n{head}")?;
        }
        for line in lines {
            writeln!(out, "{line}")?;
        }
    }
    Ok(out)
}

fn miners(found: &Audit, out: &mut String) -> Result<()> {
    writeln!(out, "\nminers")?;
    for row in &found.miners {
        write!(out, "{} ", row.hotkey)?;
        match (&row.line, row.outcome, row.actual) {
            (Some(line), Some(outcome), _) => write!(out, "{line} {outcome}")?,
            (None, Some(outcome), Some(actual)) => {
                write!(out, "{:.5} and actual {actual:.5} {outcome}", row.share)?;
            }
            _ => write!(out, "{:.5}", row.share)?,
        }
        for (name, value) in &row.features {
            write!(out, " {name}={value}")?;
        }
        if let Some(reason) = &row.reason {
            write!(out, " ({reason})")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn own(found: &Audit, out: &mut String) -> Result<()> {
    let Some(rows) = &found.synthetics else {
        return Ok(());
    };
    let count = rows
        .iter()
        .filter(|row| row.verdict == Verdict::Found)
        .count();
    writeln!(
        out,
        "\nown requests: {count} of {} are in the exports",
        rows.len()
    )?;
    for row in rows {
        let what = match &row.verdict {
            Verdict::Found => continue,
            Verdict::OtherHotkey { found } => format!("is there with the hotkey {found}"),
            Verdict::Missing => "is missing".into(),
            Verdict::TooNew => "is newer than the newest report".into(),
            Verdict::NoExport => "is of an hour whose export is not here".into(),
        };
        writeln!(out, "{} of {} {what}", row.invocation_id, row.created_at)?;
    }
    Ok(())
}
