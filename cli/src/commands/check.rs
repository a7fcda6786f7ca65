//! `check`: a whole store.

use std::time::Duration;

use anyhow::{Result, bail};
use indexer::against::{Compared, Difference, Samples, compare};
use indexer::check::{Report, check as check_store};
use indexer::source::rpc::{RpcOptions, RpcSource};
use indexer::store::Store;

use crate::args::CheckArgs;

/// Checks a store and prints what it holds; compares it with a node when asked.
pub(crate) fn check(args: &CheckArgs) -> Result<()> {
    let store = Store::open_sled(&args.data_dir, false, 256 << 20)?;
    let report = check_store(&store)?;
    let disk = store.engine().size_on_disk()?;
    if args.against_node.is_empty() {
        super::print(&if args.json {
            format!("{}\n", json(&report, disk))
        } else {
            text(&report, disk)
        });
        return Ok(());
    }
    if !args.json {
        super::print(&text(&report, disk));
    }
    let samples = Samples {
        count: args.samples,
        seed: match args.seed {
            Some(seed) => seed,
            None => some_seed(),
        },
    };
    let compared = super::runtime()?.block_on(async {
        let options = RpcOptions {
            timeout: Duration::from_secs(30),
            patience: Some(Duration::from_secs(120)),
            genesis: store.genesis()?,
        };
        let source = RpcSource::connect(&args.against_node, options).await?;
        anyhow::Ok(compare(&store, &source, samples).await?)
    })?;
    super::print(&if args.json {
        let mut value = json(&report, disk);
        value["against"] = against_json(&compared, samples);
        format!("{value}\n")
    } else {
        against_text(&compared, samples)
    });
    match compared.differences.len() {
        0 => Ok(()),
        n => bail!(
            "{n} differences from the node: if the node is right, move the data folder away and index again, and please report it"
        ),
    }
}

/// A seed from the clock, to be printed.
fn some_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(1, |d| d.as_secs() ^ (u64::from(d.subsec_nanos()) << 24))
}

fn hex_or_nothing(bytes: Option<&Vec<u8>>) -> String {
    bytes.map_or("nothing".into(), |bytes| {
        let shown = bytes.get(..64).unwrap_or(bytes);
        let dots = if bytes.len() > shown.len() {
            format!("… ({} bytes)", bytes.len())
        } else {
            String::new()
        };
        format!("0x{}{dots}", hex::encode(shown))
    })
}

fn against_text(compared: &Compared, samples: Samples) -> String {
    let mut out = format!(
        "node    {} blocks of {} to {} compared: hash, header, extrinsics, events\n\
         node    {} values of {} items compared: {} kept as changes, {} read in every block; \
         {} of them absent\nseed    {}\n",
        compared.blocks,
        compared.first,
        compared.last,
        u64::from(compared.state) + u64::from(compared.pulse),
        compared.items,
        compared.state,
        compared.pulse,
        compared.absent,
        samples.seed
    );
    for d in &compared.differences {
        let Difference {
            block, item, key, ..
        } = d;
        out.push_str(&format!(
            "differs block {block} {item} key 0x{} stored {} node {}\n",
            hex::encode(key),
            hex_or_nothing(d.stored.as_ref()),
            hex_or_nothing(d.node.as_ref())
        ));
    }
    out.push_str(&format!("differs {}\n", compared.differences.len()));
    out
}

fn against_json(compared: &Compared, samples: Samples) -> serde_json::Value {
    let hexed = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|b| format!("0x{}", hex::encode(b)));
    let differences: Vec<_> = compared
        .differences
        .iter()
        .map(|d| {
            serde_json::json!({
                "block": d.block,
                "item": d.item,
                "key": format!("0x{}", hex::encode(&d.key)),
                "stored": hexed(&d.stored),
                "node": hexed(&d.node),
            })
        })
        .collect();
    serde_json::json!({
        "seed": samples.seed.to_string(),
        "first": compared.first,
        "last": compared.last,
        "blocks": compared.blocks,
        "items": compared.items,
        "state": compared.state,
        "pulse": compared.pulse,
        "absent": compared.absent,
        "differences": differences,
    })
}

fn json(report: &Report, disk: u64) -> serde_json::Value {
    let tables: serde_json::Map<_, _> = report
        .tables
        .iter()
        .map(|(name, rows, bytes)| {
            let value = serde_json::json!({"rows": rows, "bytes": bytes});
            ((*name).to_owned(), value)
        })
        .collect();
    serde_json::json!({
        "first": report.first,
        "last": report.last,
        "ranges": report.spans,
        "unfinishedJoins": report.unfinished,
        "digest": report.digest,
        "tables": tables,
        "bytesOnDisk": disk,
    })
}

fn text(report: &Report, disk: u64) -> String {
    let ranges: Vec<String> = report
        .spans
        .iter()
        .map(|(a, b)| format!("{a} to {b}"))
        .collect();
    let mut out = format!(
        "blocks  {}\nchecked none is missing, each continues the one before, headers after \
         block 0 have their hashes, extrinsics and events are there\n",
        ranges.join(", ")
    );
    if report.unfinished > 0 {
        out.push_str(&format!(
            "joins   {} are not cleared up yet; the next run does it\n",
            report.unfinished
        ));
    }
    for (name, rows, bytes) in &report.tables {
        out.push_str(&format!(
            "table   {name:<10} {rows:>10} rows {bytes:>14} bytes\n"
        ));
    }
    out.push_str(&format!("disk    {disk} bytes\n"));
    out.push_str(&format!("digest  {}\n", report.digest));
    out
}
