//! The epochs of a subnet as its commits are counted by, in each runtime's own way.

use std::collections::HashMap;

use chain_metadata::{AccountId, Value};

use crate::IndexError;
use crate::commits::Entry;
use crate::items::{MANIFEST, PALLET, Refresh};
use crate::plan::Prepared;
use crate::source::Bytes;
use crate::stages::Tip;
use crate::store::Store;
use crate::store::pulse::Slot;

/// Items that are remembered as they are read.
const KEPT: [&str; 4] = [
    "Tempo",
    "RevealPeriodEpochs",
    "WeightCommitRevealInterval",
    "Uids",
];

/// How a runtime counts epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beat {
    /// `SubnetEpochIndex`: a counter in storage; commits carry its value.
    Counter,
    /// By block number: `(block + netuid + 1) / (tempo + 1)`, with the tempo of now.
    Tempo { length: u64, netuid: u64 },
    /// By block number: `block / interval`.
    Interval(u64),
}

/// The time in a subnet at one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    beat: Beat,
    /// The epoch that this block belongs to.
    pub(super) now: u64,
    /// Epochs between a commit and its reveal.
    pub(super) period: u64,
}

impl Clock {
    /// The epoch that a commit under a hash belongs to.
    pub(super) fn epoch_of(&self, entry: &Entry) -> Option<u64> {
        match self.beat {
            Beat::Counter => entry.row.epoch,
            _ => self.at(entry.id.block),
        }
    }

    fn at(&self, block: u32) -> Option<u64> {
        let block = u64::from(block);
        match self.beat {
            Beat::Counter => None,
            Beat::Tempo { length, netuid } => (block + netuid + 1).checked_div(length),
            Beat::Interval(length) => block.checked_div(length),
        }
    }

    /// Whether the epochs are counted in storage.
    pub(super) fn counts(&self) -> bool {
        self.beat == Beat::Counter
    }
}

/// What tells the time: values as of the block at hand.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    known: HashMap<Bytes, Option<Bytes>>,
}

impl Clocks {
    /// Remembers what was read at a block.
    pub(super) fn learn(&mut self, block: &Prepared) {
        for (key, value) in &block.values {
            let entry = MANIFEST.get(key.line).map(|item| item.entry);
            if entry.is_some_and(|entry| KEPT.contains(&entry)) {
                self.known.insert(key.full.clone(), value.clone());
            }
        }
    }

    /// The time in a subnet at the end of the block; `None` where the runtime
    /// has no commits that time moves.
    pub(super) fn of(
        &mut self,
        store: &Store,
        tip: &Tip,
        block: &Prepared,
        netuid: u16,
    ) -> Result<Option<Clock>, IndexError> {
        let net = netuid.to_le_bytes();
        let mut number = |entry: &str| -> Result<Option<u64>, IndexError> {
            let value = self.value(store, tip, block, entry, &[&net])?;
            Ok(value.and_then(|v| v.as_u64()))
        };
        let period = number("RevealPeriodEpochs")?;
        let length = number("Tempo")?.map_or(0, |tempo| tempo.saturating_add(1));
        let beat = match (period, number("WeightCommitRevealInterval")?) {
            (Some(_), _) if block.layout.find("SubnetEpochIndex").is_some() => Beat::Counter,
            (Some(_), _) => Beat::Tempo {
                length,
                netuid: u64::from(netuid),
            },
            (None, Some(interval)) => Beat::Interval(interval),
            (None, None) => return Ok(None),
        };
        let mut clock = Clock {
            beat,
            now: 0,
            period: period.unwrap_or(1),
        };
        clock.now = match clock.at(block.raw.number) {
            Some(epoch) => epoch,
            None => number("SubnetEpochIndex")?.unwrap_or(0),
        };
        Ok(Some(clock))
    }

    /// The uid of a hotkey at the end of the block.
    pub(super) fn uid(
        &mut self,
        store: &Store,
        tip: &Tip,
        block: &Prepared,
        netuid: u16,
        who: AccountId,
    ) -> Result<Option<u16>, IndexError> {
        let net = netuid.to_le_bytes();
        let value = self.value(store, tip, block, "Uids", &[&net, &who.0])?;
        Ok(value.and_then(|v| match v.as_option() {
            Some(inner) => inner.and_then(Value::as_u16),
            None => v.as_u16(),
        }))
    }

    fn value(
        &mut self,
        store: &Store,
        tip: &Tip,
        block: &Prepared,
        name: &str,
        parts: &[&[u8]],
    ) -> Result<Option<Value>, IndexError> {
        let Some((line, entry)) = block.layout.find(name) else {
            return Ok(None);
        };
        let key = entry.key_of_encoded(parts);
        let bytes = if line.refresh == Refresh::EveryBlock {
            let subnet = parts.first().and_then(|p| p.first_chunk::<2>());
            let slot = Slot {
                item: line.id,
                subnet: subnet.map_or(0, |le| u16::from_le_bytes(*le)),
            };
            let pulse = tip.pulse.as_ref().and_then(|pulse| pulse.get(slot));
            pulse.map(|(value, _)| value.to_vec())
        } else if let Some(known) = self.known.get(&key) {
            known.clone()
        } else {
            let rest = key.get(32..).unwrap_or_default();
            let stored = match tip.checkpoint {
                Some(last) => store.state(line.id, rest, last.last)?,
                None => None,
            };
            let value = stored.and_then(|row| row.value);
            self.known.insert(key.clone(), value.clone());
            value
        };
        let types = block.layout.metadata.types();
        let value = match bytes {
            Some(bytes) => entry.decode_value(types, &bytes).map(Some),
            None => entry.default_value(types),
        };
        value.map_err(|e| IndexError::Decode {
            block: block.raw.number,
            spec: block.layout.spec,
            what: e.to_string(),
        })
    }
}

/// Whether the runtime takes a whole queue of timelocked commits in the block of
/// an epoch, rather than trying every block for as long as the epoch lasts. The
/// queues of such runtimes do not say in which block a commit was made.
pub(super) fn reveals_at_epochs(block: &Prepared) -> bool {
    let has = |entry| block.layout.metadata.storage(PALLET, entry).is_some();
    has("CRV3WeightCommits") && !has("CRV3WeightCommitsV2") && !has("TimelockedWeightCommits")
}
