//! `preflight`: will this program read a runtime that is not live yet?

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use chain_metadata::Metadata;
use indexer::items::{Fit, ItemFit, fits};
use indexer::store::Store;

use super::decode::{metadata, read};
use crate::args::PreflightArgs;

/// Checks a runtime against the manifest and prints a line an item.
pub(crate) fn preflight(args: &PreflightArgs) -> Result<()> {
    let now = from_file(&args.metadata)?;
    let before = before(args)?;
    let lines = fits(&now, before.as_deref());
    let spec = |m: &Metadata| m.spec_version().ok();
    let of = spec(&now);
    let against = before.as_deref().map(spec);
    super::print(&if args.json {
        json(&lines, of, against.flatten())
    } else {
        table(&lines, of, against)
    });
    let wrong: Vec<String> = lines
        .iter()
        .filter(|line| line.essential && line.fit != Fit::Same)
        .map(|line| format!("{}.{} is {}", line.pallet, line.entry, line.fit))
        .collect();
    if !wrong.is_empty() {
        bail!(
            "{}: this program may not read this runtime; look for a newer release before it is live",
            wrong.join(", ")
        );
    }
    Ok(())
}

fn from_file(path: &std::path::Path) -> Result<Metadata> {
    metadata(&read(path)?).with_context(|| format!("{} cannot be used as metadata", path.display()))
}

/// The runtime to compare with: that of a file, or the newest of a store.
fn before(args: &PreflightArgs) -> Result<Option<Arc<Metadata>>> {
    if let Some(path) = &args.against {
        return Ok(Some(Arc::new(from_file(path)?)));
    }
    let Some(dir) = &args.data_dir else {
        return Ok(None);
    };
    let store = Store::open_sled(dir, false, 64 << 20)?;
    let runtimes = store.runtimes()?;
    let newest = runtimes.iter().max_by_key(|(_, row)| row.first_block);
    let (spec, _) = newest.ok_or(indexer::store::StoreError::Empty)?;
    Ok(Some(store.layout(*spec)?.metadata.clone()))
}

fn json(lines: &[ItemFit], spec: Option<u32>, against: Option<u32>) -> String {
    let items: Vec<_> = lines
        .iter()
        .map(|line| {
            serde_json::json!({
                "pallet": line.pallet,
                "entry": line.entry,
                "essential": line.essential,
                "fit": line.fit.to_string(),
                "why": (!line.why.is_empty()).then_some(&line.why),
            })
        })
        .collect();
    let value = serde_json::json!({"spec": spec, "against": against, "items": items});
    format!("{value}\n")
}

fn table(lines: &[ItemFit], spec: Option<u32>, against: Option<Option<u32>>) -> String {
    let named = |spec: Option<u32>| spec.map_or("unknown".to_owned(), |spec| spec.to_string());
    let mut out = format!("runtime  {}\n", named(spec));
    match against {
        Some(before) => out.push_str(&format!("against  {}\n", named(before))),
        None => out.push_str("against  the manifest alone\n"),
    }
    for line in lines {
        let name = format!("{}.{}", line.pallet, line.entry);
        let essential = if line.essential { "essential" } else { "" };
        let row = format!("{:<13}  {name:<48} {essential:<9} {}", line.fit, line.why);
        out.push_str(row.trim_end());
        out.push('\n');
    }
    for fit in [Fit::Same, Fit::ShapeChanged, Fit::Gone] {
        let count = lines.iter().filter(|line| line.fit == fit).count();
        out.push_str(&format!("{count:>4} {fit}\n"));
    }
    out
}
