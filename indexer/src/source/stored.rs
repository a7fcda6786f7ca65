//! The stored chain as a source: what was indexed is prepared again without a node.
//!
//! It knows what the store keeps: blocks, events, the time, and the items of the
//! manifest. A key of another kind is a mistake of whoever asks.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chain_metadata::{BlockNumber, H256, KeyPart, SpecVersion, Value};

use super::{
    Answers, Bytes, ChainSource, KeyPage, RawBlock, RawRuntime, SourceError, Want, same_length,
};
use crate::items::{Item, Layout, MANIFEST, Refresh, Scope};
use crate::store::pulse::{Pulse, Slot};
use crate::store::{BlockRow, Store, StoreError};

/// A store that is read like a node.
#[derive(Debug)]
pub struct StoreSource {
    store: Store,
    remembered: Mutex<Remembered>,
}

/// What the next question is likely to need again.
#[derive(Debug, Default)]
struct Remembered {
    /// Values that every block reads, at the block asked for last.
    pulse: Option<(BlockNumber, Pulse)>,
    /// Where the values of keys are, by the runtime they were asked with.
    places: HashMap<Bytes, Place>,
    spec: Option<SpecVersion>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Events,
    Upgrade,
    Now,
    Pulse(Slot),
    State(u16),
}

fn failed(error: StoreError) -> SourceError {
    SourceError::Recording(error.to_string())
}

fn none(what: impl std::fmt::Display) -> SourceError {
    SourceError::Recording(format!("the store has no {what}"))
}

/// Where the value of a key is kept.
fn place(layout: &Layout, key: &[u8]) -> Option<Place> {
    let system = [Place::Events, Place::Upgrade, Place::Now];
    let named = layout.system_keys().into_iter().zip(system);
    if let Some((_, place)) = { named }.find(|(known, _)| known == key) {
        return Some(place);
    }
    let lines = MANIFEST.iter().enumerate();
    let (item, entry) = lines
        .filter_map(|(line, item)| Some((item, layout.entry(line)?)))
        .find(|(_, entry)| key.starts_with(&entry.prefix))?;
    if item.refresh != Refresh::EveryBlock {
        return Some(Place::State(item.id));
    }
    let subnet = match item.scope {
        Scope::Global => 0,
        _ => {
            let parts = entry.decode_keys(layout.metadata.types(), key).ok()?;
            parts
                .first()
                .and_then(KeyPart::value)
                .and_then(Value::as_u16)?
        }
    };
    Some(Place::Pulse(Slot {
        item: item.id,
        subnet,
    }))
}

impl StoreSource {
    /// Reads a store.
    pub fn new(store: Store) -> StoreSource {
        StoreSource {
            store,
            remembered: Mutex::default(),
        }
    }

    fn row(&self, number: BlockNumber) -> Result<BlockRow, SourceError> {
        let row = self.store.block(number).map_err(failed)?;
        row.ok_or_else(|| none(format_args!("block {number}")))
    }

    fn number(&self, at: &H256) -> Result<BlockNumber, SourceError> {
        let number = self.store.block_number(at).map_err(failed)?;
        number.ok_or_else(|| none(format_args!("block {at}")))
    }

    fn values(
        &self,
        number: BlockNumber,
        row: &BlockRow,
        keys: &[Bytes],
    ) -> Result<Vec<Option<Bytes>>, SourceError> {
        let layout = self.store.layout(row.spec).map_err(failed)?;
        let mut remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let remembered = &mut *remembered;
        if remembered.spec.replace(row.spec) != Some(row.spec) {
            remembered.places.clear();
        }
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            let place = match remembered.places.get(key) {
                Some(place) => *place,
                None => {
                    let place = place(&layout, key);
                    let place = place.ok_or_else(|| {
                        none(format_args!("item for the key 0x{}", hex::encode(key)))
                    })?;
                    remembered.places.insert(key.clone(), place);
                    place
                }
            };
            values.push(match place {
                Place::Events => self.store.events(number).map_err(failed)?,
                // Which runtime executed a block is kept with the block itself.
                Place::Upgrade => None,
                Place::Now => row.timestamp_ms.map(|ms| ms.to_le_bytes().to_vec()),
                Place::Pulse(slot) => {
                    let pulse = pulse(&self.store, &mut remembered.pulse, number)?;
                    pulse.get(slot).map(|(value, _)| value.to_vec())
                }
                Place::State(item) => {
                    let rest = key.get(32..).unwrap_or_default();
                    let row = self.store.state(item, rest, number).map_err(failed)?;
                    row.and_then(|row| row.value)
                }
            });
        }
        Ok(values)
    }
}

/// Values that every block reads, one block after the other.
fn pulse<'a>(
    store: &Store,
    known: &'a mut Option<(BlockNumber, Pulse)>,
    number: BlockNumber,
) -> Result<&'a Pulse, SourceError> {
    let next = match known.take() {
        Some((at, pulse)) if at == number => pulse,
        Some((at, mut pulse)) if at.checked_add(1) == Some(number) => {
            store.pulse_row(number, &mut pulse).map_err(failed)?;
            pulse
        }
        _ => store.pulse(number).map_err(failed)?,
    };
    Ok(&known.insert((number, next)).1)
}

impl ChainSource for StoreSource {
    async fn genesis(&self) -> Result<H256, SourceError> {
        let genesis = self.store.genesis().map_err(failed)?;
        genesis.ok_or_else(|| none("genesis"))
    }

    async fn finalized(&self) -> Result<BlockNumber, SourceError> {
        let last = self.store.last().map_err(failed)?;
        last.ok_or_else(|| none("blocks"))
    }

    async fn finalized_above(&self, _: BlockNumber) -> Result<BlockNumber, SourceError> {
        std::future::pending().await
    }

    async fn hashes(&self, numbers: &[BlockNumber]) -> Result<Vec<H256>, SourceError> {
        let rows = numbers.iter().map(|number| self.row(*number));
        rows.map(|row| Ok(H256(row?.hash))).collect()
    }

    async fn blocks(
        &self,
        numbers: &[BlockNumber],
        want: &[Want],
    ) -> Result<Vec<RawBlock>, SourceError> {
        same_length(numbers.len(), want.len())?;
        let mut blocks = Vec::with_capacity(numbers.len());
        for (number, want) in numbers.iter().zip(want) {
            let row = self.row(*number)?;
            let body = self.store.body(*number).map_err(failed)?;
            let parent = row.header.first_chunk::<32>().copied();
            blocks.push(RawBlock {
                number: *number,
                hash: H256(row.hash),
                parent: parent
                    .map(H256)
                    .ok_or_else(|| none(format_args!("whole header of block {number}")))?,
                extrinsics: body.ok_or_else(|| none(format_args!("body of block {number}")))?,
                values: self.values(*number, &row, &want.keys)?,
                header: row.header,
            });
        }
        Ok(blocks)
    }

    async fn storage(&self, want: &[Want]) -> Result<Vec<Vec<Option<Bytes>>>, SourceError> {
        let mut all = Vec::with_capacity(want.len());
        for want in want {
            let number = self.number(&want.at)?;
            all.push(self.values(number, &self.row(number)?, &want.keys)?);
        }
        Ok(all)
    }

    async fn keys(&self, at: H256, prefix: &[u8]) -> Result<Vec<Bytes>, SourceError> {
        let number = self.number(&at)?;
        // Whoever asks may know the runtime of the next block, which has other items.
        let specs = [Some(number), number.checked_add(1)].into_iter().flatten();
        for number_of_spec in specs {
            let Some(row) = self.store.block(number_of_spec).map_err(failed)? else {
                continue;
            };
            let layout = self.store.layout(row.spec).map_err(failed)?;
            let mut lines = MANIFEST.iter().enumerate();
            let found = lines.find_map(|(line, item)| {
                let entry = layout.entry(line)?;
                let start = prefix.strip_prefix(entry.prefix.as_slice())?;
                Some((item, entry, start))
            });
            if let Some((item, entry, start)) = found {
                return self.keys_of(item, entry, start, number);
            }
        }
        Err(none(format_args!("item under 0x{}", hex::encode(prefix))))
    }

    /// The first page is all there is.
    async fn read(&self, want: &[Want], pages: &[KeyPage]) -> Result<Answers, SourceError> {
        let values = self.storage(want).await?;
        let mut lists = Vec::with_capacity(pages.len());
        for page in pages {
            lists.push(match page.after {
                None => self.keys(page.at, &page.prefix).await?,
                Some(_) => Vec::new(),
            });
        }
        Ok((values, lists))
    }

    async fn runtime(&self, at: H256) -> Result<RawRuntime, SourceError> {
        let spec = self.spec(at).await?;
        let layout = self.store.layout(spec).map_err(failed)?;
        Ok(RawRuntime {
            spec,
            metadata: layout.metadata_bytes.to_vec(),
        })
    }

    /// The runtime in the state of a block is the one that executed its child.
    async fn spec(&self, at: H256) -> Result<SpecVersion, SourceError> {
        let child = self.number(&at)?.saturating_add(1);
        Ok(self.row(child)?.spec)
    }
}

impl StoreSource {
    fn keys_of(
        &self,
        item: &Item,
        entry: &chain_metadata::StorageEntry,
        start: &[u8],
        number: BlockNumber,
    ) -> Result<Vec<Bytes>, SourceError> {
        let mut keys = Vec::new();
        if item.refresh == Refresh::EveryBlock {
            let pulse = self.store.pulse(number).map_err(failed)?;
            for (slot, _, _) in pulse.iter().filter(|(slot, _, _)| slot.item == item.id) {
                keys.push(entry.key_of_encoded(&[&slot.subnet.to_le_bytes()]));
            }
            keys.retain(|key| key.get(32..).is_some_and(|rest| rest.starts_with(start)));
        } else {
            let known = self.store.state_keys_under(item.id, start);
            for rest in known.map_err(failed)? {
                let row = self.store.state(item.id, &rest, number).map_err(failed)?;
                if row.is_some_and(|row| row.value.is_some()) {
                    keys.push([entry.prefix.to_vec(), rest].concat());
                }
            }
        }
        keys.sort_unstable();
        Ok(keys)
    }
}
