//! `check`: a whole store.

use anyhow::Result;
use indexer::check::{Report, check as check_store};
use indexer::store::Store;

use crate::args::CheckArgs;

/// Checks a store and prints what it holds.
pub(crate) fn check(args: &CheckArgs) -> Result<()> {
    let store = Store::open_sled(&args.data_dir, false, 256 << 20)?;
    let report = check_store(&store)?;
    let disk = store.engine().size_on_disk()?;
    super::print(&if args.json {
        json(&report, disk)
    } else {
        text(&report, disk)
    });
    Ok(())
}

fn json(report: &Report, disk: u64) -> String {
    let tables: serde_json::Map<_, _> = report
        .tables
        .iter()
        .map(|(name, rows, bytes)| {
            let value = serde_json::json!({"rows": rows, "bytes": bytes});
            ((*name).to_owned(), value)
        })
        .collect();
    let value = serde_json::json!({
        "first": report.first,
        "last": report.last,
        "digest": report.digest,
        "tables": tables,
        "bytesOnDisk": disk,
    });
    format!("{value}\n")
}

fn text(report: &Report, disk: u64) -> String {
    let mut out = format!(
        "blocks  {} to {}\nchecked none is missing, each continues the one before, headers after \
         block 0 have their hashes, extrinsics and events are there\n",
        report.first, report.last
    );
    for (name, rows, bytes) in &report.tables {
        out.push_str(&format!(
            "table   {name:<10} {rows:>10} rows {bytes:>14} bytes\n"
        ));
    }
    out.push_str(&format!("disk    {disk} bytes\n"));
    out.push_str(&format!("digest  {}\n", report.digest));
    out
}
