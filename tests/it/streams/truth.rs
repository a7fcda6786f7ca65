//! What happened, row by row out of the tables, by no code of the streams.

use chain_metadata::split_storage_index;
use indexer::commits::{CommitRow, Step, Transition};
use indexer::store::Store;
use indexer::store::engine::Range;
use indexer::store::history::EpochRow;
use indexer::store::tables::Table;
use parity_scale_codec::DecodeAll;

/// The streams of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    Blocks,
    Epochs,
    Weights,
    Commits,
    Stake,
}

impl Topic {
    pub(super) const ALL: [Topic; 5] = [
        Topic::Blocks,
        Topic::Epochs,
        Topic::Weights,
        Topic::Commits,
        Topic::Stake,
    ];
}

/// An item by what names it: two have the same name only if they are the same. Those of a block are
/// compared in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Item {
    pub(super) block: u32,
    pub(super) name: String,
}

fn rows(store: &Store, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
    let rows = store.engine().scan(Range::prefix(&table.key(&[])));
    rows.map(|row| row.unwrap())
        .map(|(key, value)| (key[1..].to_vec(), value))
        .collect()
}

fn u32_at(key: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(key[at..at + 4].try_into().unwrap())
}

fn u16_at(key: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(key[at..at + 2].try_into().unwrap())
}

/// Everything of a topic up to a block.
pub(super) fn truth(store: &Store, topic: Topic, until: u32) -> Vec<Item> {
    let mut items = Vec::new();
    let mut put = |block: u32, name: String| items.push(Item { block, name });
    match topic {
        Topic::Blocks => {
            for number in 0..=until {
                let row = store.block(number).unwrap().unwrap();
                put(number, format!("0x{}", hex::encode(row.hash)));
            }
        }
        Topic::Epochs => {
            for (key, value) in rows(store, Table::Epoch) {
                let row = EpochRow::decode_all(&mut value.as_slice()).unwrap();
                for mechanism in 0..row.mechanisms {
                    put(u32_at(&key, 2), format!("{}/{mechanism}", u16_at(&key, 0)));
                }
            }
        }
        Topic::Weights => {
            for (key, _) in rows(store, Table::WeightsSet) {
                let (netuid, mechanism) = split_storage_index(u16_at(&key, 0));
                let uid = u16_at(&key, 2);
                put(
                    u32_at(&key, 4),
                    format!("{}/{}/{uid}", netuid.0, mechanism.0),
                );
            }
        }
        Topic::Stake => {
            for (key, _) in rows(store, Table::StakeMove) {
                let block = u32_at(&key, 0);
                put(block, format!("{block}-{}", u32_at(&key, 4)));
            }
        }
        Topic::Commits => {
            for (key, value) in rows(store, Table::Commit) {
                let row = CommitRow::decode_all(&mut value.as_slice()).unwrap();
                let block = u32_at(&key, 0);
                if row.made_by.is_some() {
                    put(block, format!("{block}-{} MADE", u32_at(&key, 4)));
                }
            }
            for (key, value) in rows(store, Table::CommitStep) {
                let step = Step::decode_all(&mut value.as_slice()).unwrap();
                let did = match step.what {
                    Transition::State(state, _) => format!("{state:?}").to_uppercase(),
                    Transition::Revealed(_) => "REVEALED".to_owned(),
                    Transition::Attempt(_) => "ATTEMPTED".to_owned(),
                    Transition::Holder(_) => "MOVED".to_owned(),
                    Transition::Released => "RELEASED".to_owned(),
                };
                put(
                    step.block,
                    format!("{}-{} {did}", u32_at(&key, 0), u32_at(&key, 4)),
                );
            }
        }
    }
    items.retain(|item| item.block <= until);
    items.sort();
    items
}
