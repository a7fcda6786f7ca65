//! The manifest: every storage item that is kept, and when it is read again.
//!
//! Only names and numbers stand here. Hashers, key types and value types come
//! from the metadata of the block's runtime: [`Layout`] binds the manifest to
//! one runtime and says for each item whether the runtime has it in the shape
//! that its [`Scope`] needs.

mod fits;
mod manifest;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use chain_metadata::{H256, Metadata, SpecVersion, StorageEntry, skip_type};

use crate::store::rowcodec::RowShape;

pub use fits::{ItemFit, fits, report};
pub use manifest::MANIFEST;

/// What an item is keyed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One value.
    Global,
    /// By netuid.
    Subnet,
    /// By storage index (`mechanism * 4096 + netuid`; the netuid in runtimes without mechanisms).
    Mech,
    /// By netuid and uid.
    SubnetUid,
    /// By storage index and uid.
    MechUid,
    /// By netuid and hotkey.
    SubnetAccount,
    /// By hotkey and netuid.
    AccountSubnet,
    /// By an account: a hotkey or a coldkey.
    Account,
    /// By two accounts, most by hotkey and coldkey.
    Pair,
    /// By hotkey, coldkey and netuid.
    PairSubnet,
    /// By netuid, hotkey and coldkey.
    SubnetPair,
}

impl Scope {
    /// Whether any account at all may have a key: which ones there are is told by
    /// the node alone, where nothing is known yet.
    pub fn is_open(self) -> bool {
        match self {
            Scope::Global | Scope::Subnet | Scope::Mech | Scope::SubnetUid | Scope::MechUid => {
                false
            }
            Scope::SubnetAccount
            | Scope::AccountSubnet
            | Scope::Account
            | Scope::Pair
            | Scope::PairSubnet
            | Scope::SubnetPair => true,
        }
    }
}

/// When an item is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refresh {
    /// In every block: it changes without an event. Kept packed, see
    /// [`crate::store::pulse`]; only for scopes global and subnet.
    EveryBlock,
    /// When an event or a call may have changed it.
    Touched,
    /// As `Touched`, and in every block in which an epoch of its subnet ran.
    Epoch,
}

/// A line of the manifest.
#[derive(Debug, Clone, Copy)]
pub struct Item {
    /// Its number in state keys; never used again for another item.
    pub id: u16,
    /// Pallet that it belongs to.
    pub pallet: &'static str,
    /// Name of the storage item.
    pub entry: &'static str,
    /// What it is keyed by.
    pub scope: Scope,
    /// When it is read again.
    pub refresh: Refresh,
}

/// Pallet of nearly all items.
pub const PALLET: &str = "SubtensorModule";

/// The line of an entry; `None` when it is not kept.
pub fn item(entry: &str) -> Option<&'static Item> {
    MANIFEST.get(position(entry)?)
}

/// How an item stands in one runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It is there, keyed as its scope needs.
    Same,
    /// It is there, but keyed otherwise: it is not read. In [`fits`] also: keys
    /// or values have another shape than in the runtime before.
    ShapeChanged,
    /// The runtime does not have it.
    Gone,
}

/// The manifest bound to one runtime.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The runtime.
    pub spec: SpecVersion,
    /// Its metadata.
    pub metadata: Arc<Metadata>,
    /// blake2-256 of the metadata bytes.
    pub metadata_hash: H256,
    /// The metadata bytes, to be stored.
    pub metadata_bytes: Arc<Vec<u8>>,
    /// Entry of each manifest line, by position.
    entries: Arc<Vec<Option<StorageEntry>>>,
}

/// Items without which nothing else can be read: a runtime that lacks one, or
/// keys it otherwise, cannot be indexed by this program.
const ESSENTIAL: [&str; 8] = [
    "NetworksAdded",
    "SubnetworkN",
    "TotalNetworks",
    "LastMechansimStepBlock",
    "Keys",
    "Owner",
    "Weights",
    "Bonds",
];

/// Items of other pallets that every block is read with.
const SYSTEM: [(&str, &str); 3] = [
    ("System", "Events"),
    ("System", "LastRuntimeUpgrade"),
    ("Timestamp", "Now"),
];

/// Bytes of a key part of each scope.
fn key_parts(scope: Scope) -> &'static [usize] {
    match scope {
        Scope::Global => &[],
        Scope::Subnet | Scope::Mech => &[2],
        Scope::SubnetUid | Scope::MechUid => &[2, 2],
        Scope::SubnetAccount => &[2, 32],
        Scope::AccountSubnet => &[32, 2],
        Scope::Account => &[32],
        Scope::Pair => &[32, 32],
        Scope::PairSubnet => &[32, 32, 2],
        Scope::SubnetPair => &[2, 32, 32],
    }
}

/// How `item` stands in a runtime.
pub fn fit(metadata: &Metadata, item: &Item) -> Fit {
    let Some(entry) = metadata.storage(item.pallet, item.entry) else {
        return Fit::Gone;
    };
    let wanted = key_parts(item.scope);
    let same = entry.keys.len() == wanted.len()
        && entry.hashers.len() == wanted.len()
        && entry.keys.iter().zip(wanted).all(|(ty, len)| {
            // By shape: whatever it is called, it must take this many bytes.
            let zeros = [0_u8; 64];
            let mut input = &zeros[..];
            skip_type(metadata.types(), *ty, &mut input).is_ok() && input.len() == 64 - len
        })
        && entry.hashers.iter().all(|h| h.hash_len() + 32 <= 64);
    if same { Fit::Same } else { Fit::ShapeChanged }
}

impl Layout {
    /// Binds the manifest to a runtime's metadata. An error names what the
    /// runtime lacks that cannot be done without.
    pub fn new(
        spec: SpecVersion,
        metadata: Arc<Metadata>,
        bytes: Arc<Vec<u8>>,
    ) -> Result<Layout, String> {
        let mut entries = Vec::with_capacity(MANIFEST.len());
        for item in MANIFEST {
            let found = fit(&metadata, item);
            if found != Fit::Same && ESSENTIAL.contains(&item.entry) {
                return Err(format!(
                    "{}.{} is {}; this program cannot read such a runtime, look for a newer release",
                    item.pallet,
                    item.entry,
                    if found == Fit::Gone {
                        "not in it"
                    } else {
                        "keyed otherwise"
                    }
                ));
            }
            if found == Fit::ShapeChanged {
                tracing::warn!(
                    spec,
                    entry = item.entry,
                    "this runtime keys the item otherwise; it is not read"
                );
                metrics::counter!("indexer_items_changed_total", "entry" => item.entry)
                    .increment(1);
            }
            entries.push(match found {
                Fit::Same => metadata.storage(item.pallet, item.entry).cloned(),
                _ => None,
            });
        }
        for (pallet, entry) in SYSTEM {
            let plain = metadata.storage(pallet, entry);
            if plain.is_none_or(|e| !e.keys.is_empty()) {
                return Err(format!(
                    "{pallet}.{entry} is not in it; this program cannot read such a runtime"
                ));
            }
        }
        Ok(Layout {
            spec,
            metadata,
            metadata_hash: chain_metadata::blake2_256(&bytes),
            metadata_bytes: bytes,
            entries: Arc::new(entries),
        })
    }

    /// Keys of events, of the last runtime upgrade and of the time, in this order.
    pub fn system_keys(&self) -> [Vec<u8>; 3] {
        SYSTEM.map(|(pallet, entry)| {
            let entry = self.metadata.storage(pallet, entry);
            entry.map(|e| e.prefix.to_vec()).unwrap_or_default()
        })
    }

    /// The runtime's entry for the manifest line at `position`; `None` when this
    /// runtime has no such item.
    pub fn entry(&self, position: usize) -> Option<&StorageEntry> {
        self.entries.get(position)?.as_ref()
    }

    /// How the values of the manifest line at `position` fall apart, for rows of
    /// [`crate::store::frames`].
    pub fn shape(&self, position: usize) -> Option<RowShape> {
        RowShape::of(self.metadata.types(), self.entry(position)?.value)
    }

    /// The manifest line and the runtime's entry by name.
    pub fn find(&self, name: &str) -> Option<(&'static Item, &StorageEntry)> {
        let line = position(name)?;
        Some((&MANIFEST[line], self.entry(line)?))
    }
}

/// Position of an entry in the manifest.
pub fn position(name: &str) -> Option<usize> {
    static BY_NAME: LazyLock<HashMap<&str, usize>> = LazyLock::new(|| {
        let lines = MANIFEST.iter().enumerate();
        lines.map(|(line, item)| (item.entry, line)).collect()
    });
    BY_NAME.get(name).copied()
}

/// Positions of the lines of a scope that are read at the same times.
pub fn lines(scope: Scope, refresh: Refresh) -> &'static [usize] {
    static BY_KIND: LazyLock<HashMap<(Scope, Refresh), Vec<usize>>> = LazyLock::new(|| {
        let mut kinds: HashMap<_, Vec<usize>> = HashMap::new();
        for (line, item) in MANIFEST.iter().enumerate() {
            kinds
                .entry((item.scope, item.refresh))
                .or_default()
                .push(line);
        }
        kinds
    });
    BY_KIND.get(&(scope, refresh)).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_block_reads_is_global_or_of_a_subnet() {
        for item in MANIFEST.iter().filter(|i| i.refresh == Refresh::EveryBlock) {
            assert!(
                matches!(item.scope, Scope::Global | Scope::Subnet),
                "{}",
                item.entry
            );
        }
    }

    #[test]
    fn numbers_and_names_are_unique() {
        let mut ids: Vec<_> = MANIFEST.iter().map(|i| i.id).collect();
        let mut names: Vec<_> = MANIFEST.iter().map(|i| i.entry).collect();
        ids.sort_unstable();
        names.sort_unstable();
        assert!(ids.windows(2).all(|w| w[0] != w[1]), "an id stands twice");
        assert!(
            names.windows(2).all(|w| w[0] != w[1]),
            "a name stands twice"
        );
    }
}
