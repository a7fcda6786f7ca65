//! Bytes on disk of W, B and vectors in other layouts, each in a store of its own.
//!
//! * `packed`: a row a value, as `tables::pack` makes it;
//! * `rowcodec`: a row a value, each 16th by itself, the others behind the one before;
//! * `bundles`: the same bytes, but all that changed in a subnet in a block in one row
//!   keyed by subnet and block.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use indexer::store::Store;
use indexer::store::engine::sled::SledEngine;
use indexer::store::engine::{Batch, Engine, Range};
use indexer::store::rowcodec::{RowShape, encode};
use indexer::store::tables::{Table, pack};
use synthetic::Chain;

use crate::sizes::{aimed, line_of, raw_value, state_key};
use crate::{Failed, float};

/// Rows from one that stands by itself to the next.
const FRAME: u32 = 16;
/// Blocks committed in one go.
const WINDOW: u32 = 32;

const NAMES: [&str; 3] = ["packed", "rowcodec", "bundles"];

/// A changed value: item, rest of the storage key.
type Changed = (u16, Vec<u8>);

pub(crate) fn print(
    out: &mut impl Write,
    store: &Store,
    chain: &Chain,
    cache: u64,
) -> Result<(), Failed> {
    let mut blocks: BTreeMap<u32, Vec<Changed>> = BTreeMap::new();
    for row in store.engine().scan(Range::prefix(&Table::State.key(&[]))) {
        let (name, _) = row?;
        let (item, rest, block) = state_key(&name).ok_or("a state key is too short")?;
        if line_of(item).is_some_and(aimed) {
            let list = blocks.entry(block).or_default();
            list.push((item, rest.to_vec()));
        }
    }
    let pairs = store.engine().scan(Range::prefix(&Table::Epoch.key(&[])));
    let pairs = float(pairs.count() as u64).max(1.0);
    let mut stores = Vec::new();
    for name in NAMES {
        let dir = tempfile::tempdir()?;
        let engine = SledEngine::open(dir.path(), true, cache)?;
        stores.push((name, dir, engine, 0_u64, 0_u64));
    }
    let mut history: HashMap<Changed, (u32, Vec<u8>)> = HashMap::new();
    let mut waiting: Vec<Vec<Batch>> = vec![Vec::new(); stores.len()];
    let mut begun = None;
    for number in 0..=chain.config().head {
        let [mut packed, mut coded, mut bundled] = [const { Batch { ops: Vec::new() } }; 3];
        let mut bundles: BTreeMap<[u8; 2], Vec<u8>> = BTreeMap::new();
        for (item, rest) in blocks.remove(&number).unwrap_or_default() {
            let line = line_of(item).ok_or("a state row is of no item")?;
            let entry = chain.metadata().storage(line.pallet, line.entry);
            let entry = entry.ok_or("an item is not in the metadata")?;
            let shape = RowShape::of(chain.metadata().types(), entry.value);
            let value = raw_value(chain, line, &rest, number)?.unwrap_or_default();
            let mut key = Table::State.key(&item.to_be_bytes());
            key.extend_from_slice(&rest);
            key.extend_from_slice(&number.to_be_bytes());
            let known = history.get(&(item, rest.clone()));
            let rows = known.map_or(0, |(rows, _)| rows + 1);
            let previous = known.map(|(_, value)| value.as_slice());
            let previous = previous.filter(|_| !rows.is_multiple_of(FRAME));
            let small = encode(previous, &value, shape);
            // The key is netuid, or netuid and uid, both plain.
            let (netuid, uid) = rest.split_first_chunk::<2>().ok_or("a key is too short")?;
            let bundle = bundles.entry(*netuid).or_default();
            bundle.extend_from_slice(&item.to_le_bytes());
            bundle.extend_from_slice(uid);
            bundle.extend_from_slice(&u16::try_from(small.len())?.to_le_bytes());
            bundle.extend_from_slice(&small);
            packed.put(key.clone(), pack(&value));
            coded.put(key, small);
            history.insert((item, rest), (rows, value));
        }
        for (netuid, bundle) in bundles {
            let mut key = netuid.to_vec();
            key.reverse();
            key.extend_from_slice(&number.to_be_bytes());
            bundled.put(key, bundle);
        }
        for (waiting, batch) in waiting.iter_mut().zip([packed, coded, bundled]) {
            waiting.push(batch);
        }
        if number == 0 || number.is_multiple_of(WINDOW) || number == chain.config().head {
            for ((_, _, engine, rows, bytes), batches) in stores.iter_mut().zip(&mut waiting) {
                for (key, value) in batches.iter().flat_map(|b| &b.ops) {
                    *rows += 1;
                    *bytes += (key.len() + value.as_ref().map_or(0, Vec::len)) as u64;
                }
                engine.commit(std::mem::take(batches))?;
            }
        }
        if number == 0 {
            let sizes: Result<Vec<u64>, _> = stores.iter().map(|s| s.2.size_on_disk()).collect();
            begun = Some(sizes?);
            for store in &mut stores {
                (store.3, store.4) = (0, 0);
            }
        }
    }
    writeln!(
        out,
        "\nW, B and vectors in stores of their own, a (subnet, epoch), without block 0:\n{:<10} {:>10} {:>12} {:>12} {:>8}",
        "layout", "rows", "kB of rows", "kB on disk", "times"
    )?;
    let begun = begun.ok_or("there is no block 0")?;
    for ((name, _, engine, rows, bytes), begun) in stores.iter().zip(begun) {
        let disk = engine.size_on_disk()?.saturating_sub(begun);
        writeln!(
            out,
            "{name:<10} {:>10.1} {:>12.2} {:>12.2} {:>8.2}",
            float(*rows) / pairs,
            float(*bytes) / pairs / 1000.0,
            float(disk) / pairs / 1000.0,
            float(disk) / float((*bytes).max(1)),
        )?;
    }
    Ok(())
}
