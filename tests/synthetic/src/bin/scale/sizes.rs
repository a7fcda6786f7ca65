//! Bytes of the store: by table, and of table state by item.

use std::collections::BTreeMap;
use std::io::Write;

use indexer::items::{Item, MANIFEST, Refresh, Scope};
use indexer::store::Store;
use indexer::store::engine::Range;
use indexer::store::tables::{ALL, Table};
use synthetic::Chain;

use crate::{Failed, float, mega};

/// Rows and bytes.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Sum {
    pub(crate) rows: u64,
    /// Keys and values as they are given to the engine.
    pub(crate) stored: u64,
    /// Values as the chain has them; only of table state.
    pub(crate) raw: u64,
}

/// What was counted.
#[derive(Debug, Default)]
pub(crate) struct Sizes {
    /// (Subnet, epoch) pairs after block 0.
    pub(crate) epochs: u64,
    /// By table, with the rows of block 0.
    tables: BTreeMap<&'static str, Sum>,
    /// Rows of table state at block 0: the state that the index began with.
    begin: Sum,
    /// Rows of table state after block 0, by manifest number.
    items: BTreeMap<u16, Sum>,
}

/// A row's key in table state: item, rest of the storage key, block.
pub(crate) fn state_key(key: &[u8]) -> Option<(u16, &[u8], u32)> {
    let (head, rest) = key.split_first_chunk::<4>()?;
    let (rest, block) = rest.split_last_chunk::<4>()?;
    let item = u16::from_be_bytes([head[1], head[2]]);
    Some((item, rest, u32::from_be_bytes(*block)))
}

/// The manifest line of a number.
pub(crate) fn line_of(id: u16) -> Option<&'static Item> {
    MANIFEST.iter().find(|line| line.id == id)
}

/// The value under a state row's key as the chain has it.
pub(crate) fn raw_value(
    chain: &Chain,
    line: &Item,
    rest: &[u8],
    block: u32,
) -> Result<Option<Vec<u8>>, Failed> {
    let Some(entry) = chain.metadata().storage(line.pallet, line.entry) else {
        return Ok(None);
    };
    let mut key = entry.prefix.to_vec();
    key.extend_from_slice(rest);
    Ok(chain.storage(block, &key)?)
}

pub(crate) fn measure(store: &Store, chain: &Chain) -> Result<Sizes, Failed> {
    let mut sizes = Sizes::default();
    for table in ALL {
        let mut sum = Sum::default();
        for row in store.engine().scan(Range::prefix(&table.key(&[]))) {
            let (key, value) = row?;
            let stored = (key.len() + value.len()) as u64;
            sum.rows += 1;
            sum.stored += stored;
            if table != Table::State {
                continue;
            }
            let (item, rest, block) = state_key(&key).ok_or("a state key is too short")?;
            let line = line_of(item).ok_or("a state row is of no item")?;
            let raw = raw_value(chain, line, rest, block)?;
            let raw = raw.map_or(0, |v| v.len()) as u64;
            let place = match block {
                0 => &mut sizes.begin,
                _ => sizes.items.entry(item).or_default(),
            };
            place.rows += 1;
            place.stored += stored;
            place.raw += raw;
            sum.raw += raw;
        }
        if table == Table::Epoch {
            sizes.epochs = sum.rows;
        }
        sizes.tables.insert(table.name(), sum);
    }
    Ok(sizes)
}

/// Whether the aim for bytes a (subnet, epoch) counts an item: W, B and vectors.
pub(crate) fn aimed(line: &Item) -> bool {
    match line.scope {
        Scope::MechUid | Scope::Mech => true,
        Scope::Subnet => line.refresh == Refresh::Epoch,
        _ => false,
    }
}

pub(crate) fn print(out: &mut impl Write, sizes: &Sizes, disk: u64) -> Result<(), Failed> {
    let epochs = float(sizes.epochs.max(1));
    let kilo = |bytes: u64| float(bytes) / epochs / 1000.0;
    writeln!(out, "\n{} (subnet, epoch) pairs", sizes.epochs)?;
    writeln!(
        out,
        "\n{:<10} {:>10} {:>10} {:>14}",
        "table", "rows", "MB", "kB/epoch"
    )?;
    let mut all = Sum::default();
    for (name, sum) in &sizes.tables {
        let later = match *name {
            "state" => sum.stored - sizes.begin.stored,
            "meta" | "metadata" | "runtime" => 0,
            _ => sum.stored,
        };
        writeln!(
            out,
            "{name:<10} {:>10} {:>10.2} {:>14.2}",
            sum.rows,
            mega(sum.stored),
            kilo(later)
        )?;
        all.rows += sum.rows;
        all.stored += sum.stored;
    }
    writeln!(
        out,
        "{:<10} {:>10} {:>10.2}\non disk {:.1} MB, {:.2} times the rows; state of block 0: {} rows, {:.1} MB, raw {:.1} MB",
        "all",
        all.rows,
        mega(all.stored),
        mega(disk),
        float(disk) / float(all.stored.max(1)),
        sizes.begin.rows,
        mega(sizes.begin.stored),
        mega(sizes.begin.raw),
    )?;
    writeln!(
        out,
        "\n{:<28} {:>10} {:>12} {:>12} {:>9}",
        "state after block 0", "rows/epoch", "kB/epoch", "raw kB/epoch", "B a row"
    )?;
    let mut sum = |name: &str, sum: Sum| {
        writeln!(
            out,
            "{name:<28} {:>10.1} {:>12.3} {:>12.3} {:>9.1}",
            float(sum.rows) / epochs,
            kilo(sum.stored),
            kilo(sum.raw),
            float(sum.stored) / float(sum.rows.max(1)),
        )
    };
    let (mut aim, mut other) = (Sum::default(), Sum::default());
    for (id, item) in &sizes.items {
        let Some(line) = line_of(*id) else {
            continue;
        };
        sum(line.entry, *item)?;
        let into = if aimed(line) { &mut aim } else { &mut other };
        into.rows += item.rows;
        into.stored += item.stored;
        into.raw += item.raw;
    }
    sum("= W, B and vectors", aim)?;
    sum("= all other items", other)?;
    Ok(())
}
