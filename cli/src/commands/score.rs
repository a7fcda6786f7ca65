//! `profiles`, `score` and `results`: challenges scored by published rules, and the ledger of
//! their results.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use challenges::ledger::{Filter, Ledger};
use challenges::profiles;
use challenges::record::Reporter;
use challenges::sn61::report::{Report, provenance};
use indexer::store::Store;
use indexer::store::engine::Batch;
use scoring::local::Profile;
use serde_json::{Value, json};

use crate::adapters::intake::now_ms;
use crate::adapters::reader::scored;
use crate::args::{ProfilesArgs, ResultsArgs, ResultsCommand, ScoreArgs};
use crate::scorer::Scorer;

/// Largest input.
const INPUT_BYTES: u64 = 256 << 20;

/// Lists the profiles.
pub(crate) fn profiles(args: &ProfilesArgs) -> Result<()> {
    let profiles: Vec<&Profile> = scoring::local::profiles().collect();
    if args.json {
        let list = profiles.iter().map(|profile| {
            json!({
                "name": profile.name, "netuid": profile.netuid, "from": profile.from,
                "until": profile.until, "summary": profile.summary, "source": profile.source,
            })
        });
        super::print(&format!("{}\n", Value::from_iter(list)));
        return Ok(());
    }
    let mut text = String::new();
    for profile in profiles {
        let (from, until) = (profile.from.unwrap_or("?"), profile.until.unwrap_or(""));
        text.push_str(&format!(
            "{:<16} subnet {:<4} {from:<10} to {until:<10} {}\n{:16} {}\n",
            profile.name, profile.netuid, profile.summary, "", profile.source
        ));
    }
    super::print(&text);
    Ok(())
}

/// Scores an input.
pub(crate) fn score(args: &ScoreArgs) -> Result<()> {
    let input = match args.input.to_str() {
        Some("-") => read(&mut std::io::stdin().lock()),
        _ => File::open(&args.input)
            .map_err(Into::into)
            .and_then(|mut file| read(&mut file)),
    };
    let input = input.with_context(|| format!("cannot read the input {}", args.input.display()))?;
    let found = scored(profiles::score(&args.profile, &input)?);
    if args.json {
        super::print(&format!("{}\n", graphql::rest::scores(&found)));
        return Ok(());
    }
    let mut text = format!(
        "profile {}\ninputs  {}\n\n",
        found.profile, found.inputs_hash
    );
    for row in &found.rows {
        let score = row
            .score
            .map_or("none".to_owned(), |score| score.to_string());
        text.push_str(&format!("{:<50} {score}", row.subject));
        if let Some(reason) = &row.reason {
            text.push_str(&format!("  ({reason})"));
        }
        text.push('\n');
        for (name, value) in &row.parts {
            text.push_str(&format!("    {name:<46} {value}\n"));
        }
    }
    for (name, note) in &found.notes {
        text.push_str(&format!("{name}: {note}\n"));
    }
    super::print(&text);
    Ok(())
}

fn read(from: &mut dyn Read) -> Result<Vec<u8>> {
    let mut input = Vec::new();
    from.take(INPUT_BYTES + 1).read_to_end(&mut input)?;
    if u64::try_from(input.len()).is_ok_and(|len| len > INPUT_BYTES) {
        bail!("it is larger than {INPUT_BYTES} bytes");
    }
    Ok(input)
}

/// Backs up, restores or scores the ledger of results again.
pub(crate) fn results(args: &ResultsArgs) -> Result<()> {
    let ledger = |dir: &Path| -> Result<Ledger> {
        Ok(Ledger::open(Store::open_sled(dir, false, 64 << 20)?)?)
    };
    match &args.command {
        ResultsCommand::Export { data_dir, file } => {
            let ledger = ledger(data_dir)?;
            let Some(file) = file else {
                let mut out = std::io::stdout().lock();
                ledger.export(&mut out)?;
                return Ok(());
            };
            let records = exported(&ledger, file)
                .with_context(|| format!("cannot write the backup {}", file.display()))?;
            eprintln!("{records} records written to {}", file.display());
        }
        ResultsCommand::Import { data_dir, file } => {
            let ledger = ledger(data_dir)?;
            let done = match file {
                None => ledger.import(&mut std::io::stdin().lock()),
                Some(file) => {
                    let from = File::open(file)
                        .with_context(|| format!("cannot read the backup {}", file.display()))?;
                    ledger.import(&mut BufReader::new(from))
                }
            }?;
            eprintln!(
                "{} records added, {} were there already, {} payloads",
                done.added, done.known, done.payloads
            );
        }
        ResultsCommand::Reports {
            data_dir,
            scoring,
            files,
        } => reports(ledger(data_dir)?, scoring, files)?,
        ResultsCommand::Score {
            data_dir,
            netuid,
            challenge,
            profile,
        } => {
            let Some(profile) = scoring::local::find(profile) else {
                bail!("there is no profile {profile}; `yumascope profiles` lists them");
            };
            let wanted = Filter {
                netuid: *netuid,
                challenge: challenge.clone(),
                ..Filter::default()
            };
            let done = profiles::rescore(&ledger(data_dir)?, &wanted, profile, now_ms())?;
            for (number, why) in &done.refused {
                eprintln!("record {number} cannot be scored: {why}");
            }
            eprintln!(
                "{} submissions scored, {} scores added, {} were there already",
                done.submissions, done.added, done.known
            );
            if done.submissions == 0 && !done.refused.is_empty() {
                bail!("none of the submissions can be scored by {}", profile.name);
            }
        }
    }
    Ok(())
}

/// Takes in reports of validators; those before one that is refused stay.
fn reports(ledger: Ledger, scoring: &Path, files: &[PathBuf]) -> Result<()> {
    let scorer = Scorer::load(scoring, Arc::new(ledger))?;
    for file in files {
        let name = file.display();
        let body = File::open(file).map_err(Into::into);
        let body = body.and_then(|mut file| read(&mut file));
        let body = body.with_context(|| format!("cannot read the report {name}"))?;
        let read = Report::read(&body, None).with_context(|| format!("{name}"))?;
        let from = provenance(Reporter::File(name.to_string()), None, now_ms());
        let taken = scorer.take(&read, &body, &from, Batch::default())?;
        eprintln!(
            "{name}: {} commits told, {} of them new, {} of challenges that are not active, {} of hotkeys that are not registered, {} left out since the validator has too little stake",
            taken.told, taken.new, taken.inactive, taken.unregistered, taken.without_stake
        );
    }
    Ok(())
}

/// Writes beside the file first: a backup that was cut off never stands in its place.
fn exported(ledger: &Ledger, file: &Path) -> Result<u64> {
    let mut name = file.file_name().context("that is no file")?.to_owned();
    name.push(".part");
    let part = file.with_file_name(name);
    let mut out = BufWriter::new(File::create(&part)?);
    let records = ledger.export(&mut out)?;
    out.flush()?;
    out.into_inner().map_err(|e| e.into_error())?.sync_all()?;
    std::fs::rename(&part, file)?;
    Ok(records)
}
