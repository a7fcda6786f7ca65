//! What `indexer::store::rowcodec` would make of the values that are stored.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use chain_metadata::StorageEntry;
use indexer::store::Store;
use indexer::store::engine::Range;
use indexer::store::rowcodec::{RowShape, decode, encode};
use indexer::store::tables::{Table, pack};
use synthetic::Chain;

use crate::sizes::{line_of, raw_value, state_key};
use crate::{Failed, float};

/// Rows from one that stands by itself to the next.
const FRAMES: [u32; 4] = [4, 8, 16, 64];

/// Values of one item in several encodings, without keys.
#[derive(Debug, Default)]
struct Sum {
    rows: u64,
    raw: u64,
    packed: u64,
    chained: [u64; FRAMES.len()],
    /// Behind the last row that stands by itself, one of eight.
    starred: u64,
    writing: Duration,
    reading: Duration,
}

/// Where a key's history is.
#[derive(Default)]
struct Key {
    name: Vec<u8>,
    rows: u32,
    previous: Option<Vec<u8>>,
    full: Option<Vec<u8>>,
}

pub(crate) fn print(out: &mut impl Write, store: &Store, chain: &Chain) -> Result<(), Failed> {
    let types = chain.metadata().types();
    let shape = |entry: &StorageEntry| RowShape::of(types, entry.value);
    let mut sums: BTreeMap<u16, Sum> = BTreeMap::new();
    let mut key = Key::default();
    let mut epochs = 0;
    for _ in store.engine().scan(Range::prefix(&Table::Epoch.key(&[]))) {
        epochs += 1;
    }
    for row in store.engine().scan(Range::prefix(&Table::State.key(&[]))) {
        let (name, _) = row?;
        let (item, rest, block) = state_key(&name).ok_or("a state key is too short")?;
        let line = line_of(item).ok_or("a state row is of no item")?;
        let entry = chain.metadata().storage(line.pallet, line.entry);
        let entry = entry.ok_or("an item is not in the metadata")?;
        let Some(shape) = shape(entry) else {
            continue;
        };
        let prefix = name.split_at(name.len() - 4).0;
        if key.name != prefix {
            key = Key {
                name: prefix.to_vec(),
                ..Key::default()
            };
        }
        let Some(value) = raw_value(chain, line, rest, block)? else {
            key.previous = None;
            continue;
        };
        if block > 0 {
            measure(sums.entry(item).or_default(), &key, &value, shape)?;
        }
        if key.rows.is_multiple_of(8) {
            key.full = Some(value.clone());
        }
        key.rows += 1;
        key.previous = Some(value);
    }
    writeln!(
        out,
        "\nrowcodec: kB a (subnet, epoch) of values without keys, with every 4th, 8th, 16th, 64th row by itself;\n\
         *8 is behind the last of those instead of the row before; times are of one row"
    )?;
    writeln!(
        out,
        "{:<18} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "item", "rows", "raw", "packed", "4", "8", "16", "64", "*8", "write us", "read us"
    )?;
    let mut totals = [0.0; 7];
    for (id, sum) in &sums {
        let kilo = |bytes: u64| float(bytes) / float(epochs) / 1000.0;
        let [a, b, c, d] = sum.chained.map(kilo);
        let columns = [
            kilo(sum.raw),
            kilo(sum.packed),
            a,
            b,
            c,
            d,
            kilo(sum.starred),
        ];
        write!(
            out,
            "{:<18} {:>8.1}",
            line_of(*id).map_or("", |l| l.entry),
            float(sum.rows) / float(epochs)
        )?;
        for (total, column) in totals.iter_mut().zip(columns) {
            *total += column;
            write!(out, " {column:>8.3}")?;
        }
        let micro = |time: Duration| time.as_secs_f64() * 1e6 / float(sum.rows.max(1));
        writeln!(
            out,
            " {:>8.2} {:>8.2}",
            micro(sum.writing),
            micro(sum.reading)
        )?;
    }
    write!(out, "{:<27}", "all")?;
    for total in totals {
        write!(out, " {total:>8.3}")?;
    }
    writeln!(out)?;
    Ok(())
}

fn measure(sum: &mut Sum, key: &Key, value: &[u8], shape: RowShape) -> Result<(), Failed> {
    sum.rows += 1;
    sum.raw += value.len() as u64;
    sum.packed += pack(value).len() as u64 + 1;
    let started = Instant::now();
    let behind = encode(key.previous.as_deref(), value, Some(shape));
    sum.writing += started.elapsed();
    let started = Instant::now();
    let back = decode(key.previous.as_deref(), &behind);
    sum.reading += started.elapsed();
    if back.as_deref() != Some(value) {
        return Err("a value did not come back from the codec".into());
    }
    let alone = encode(None, value, Some(shape));
    let star = encode(key.full.as_deref(), value, Some(shape));
    let full = |every: u32| key.rows.is_multiple_of(every);
    for (place, every) in sum.chained.iter_mut().zip(FRAMES) {
        *place += if full(every) {
            alone.len()
        } else {
            behind.len()
        } as u64;
    }
    sum.starred += if full(8) { alone.len() } else { star.len() } as u64;
    Ok(())
}
