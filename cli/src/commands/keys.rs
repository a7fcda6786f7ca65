//! `keys`: makes, lists and revokes API keys.

use std::path::PathBuf;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::adapters::intake::now_ms;
use crate::args::{KeysArgs, KeysCommand, KeysPlace};
use crate::keys::{FILE, Kept, KeyFile, Turn, Wanted};

/// Carries out a command about keys.
pub(crate) fn keys(args: &KeysArgs) -> Result<()> {
    match &args.command {
        KeysCommand::Create {
            name,
            scope,
            rate,
            burst,
            expires,
            place,
        } => {
            let path = path(place)?;
            let _turn = Turn::take(&path)?;
            let mut file = KeyFile::load(&path)?;
            let wanted = Wanted {
                name: name.clone(),
                scopes: scope.clone(),
                rate: rate.clone(),
                burst: *burst,
                expires: expires.clone(),
            };
            let key = file.create(wanted, now_ms())?;
            file.save(&path)?;
            super::print(&format!("{key}\n"));
            eprintln!(
                "this is the only time that the key is shown; send it as `Authorization: Bearer …` or `X-Api-Key: …`"
            );
            Ok(())
        }
        KeysCommand::List { json, place } => {
            let file = KeyFile::load(&path(place)?)?;
            super::print(&if *json {
                as_json(&file)
            } else {
                as_text(&file)
            });
            Ok(())
        }
        KeysCommand::Revoke { key, place } => {
            let path = path(place)?;
            let _turn = Turn::take(&path)?;
            let mut file = KeyFile::load(&path)?;
            let revoked = file.revoke(key, now_ms())?;
            file.save(&path)?;
            for kept in revoked {
                super::print(&format!("revoked {} ({})\n", kept.name, kept.id));
            }
            Ok(())
        }
    }
}

fn path(place: &KeysPlace) -> Result<PathBuf> {
    if let Some(path) = &place.keys {
        return Ok(path.clone());
    }
    // A new folder would hide that the store waits beside it.
    if indexer::compact::interrupted(&place.data_dir) {
        bail!(
            "a compaction of {} was cut off; run `yumascope compact` with this --data-dir first",
            place.data_dir.display()
        );
    }
    Ok(place.data_dir.join(FILE))
}

fn as_json(file: &KeyFile) -> String {
    let list = file.keys.iter().map(|kept| {
        json!({
            "id": kept.id, "name": kept.name, "scopes": kept.scopes,
            "ratePerSecond": kept.rate, "burst": kept.burst,
            "created": kept.created, "expires": kept.expires, "revoked": kept.revoked,
        })
    });
    format!("{}\n", Value::from_iter(list))
}

fn as_text(file: &KeyFile) -> String {
    if file.keys.is_empty() {
        return "no keys; make one with `yumascope keys create --name NAME`\n".to_owned();
    }
    let mut text = format!(
        "{:<12}  {:<24}  {:<11}  {:>9}  {:<10}  {:<10}  {}\n",
        "id", "name", "scopes", "rate/s", "created", "expires", "state"
    );
    for kept in &file.keys {
        text.push_str(&line(kept));
    }
    text
}

fn line(kept: &Kept) -> String {
    let rate = kept
        .rate
        .map_or("default".to_owned(), |rate| rate.to_string());
    let state = match &kept.revoked {
        Some(day) => format!("revoked {day}"),
        None => "in force".to_owned(),
    };
    format!(
        "{:<12}  {:<24}  {:<11}  {rate:>9}  {:<10}  {:<10}  {state}\n",
        kept.id,
        kept.name,
        kept.scopes.join(","),
        kept.created,
        kept.expires.as_deref().unwrap_or("never"),
    )
}
