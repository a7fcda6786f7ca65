//! What the planner must know of the chain to ask the right questions: which
//! subnets there are, how many uids, who holds them.

use std::collections::BTreeMap;

use chain_metadata::{AccountId, BlockNumber, MECHANISM_STRIDE, storage_index};
use chain_metadata::{MechId, NetUid};

use crate::items::{Layout, item};
use crate::store::{Store, StoreError};

/// One subnet as the planner knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubnetWorld {
    /// Hotkey by uid, as far as known.
    pub hotkeys: Vec<Option<AccountId>>,
    /// `SubnetworkN`: uids run below it.
    pub uids: u16,
    /// `MechanismCountCurrent`; 1 in runtimes without mechanisms.
    pub mechanisms: u8,
}

/// The subnets at the end of one block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct World {
    /// By netuid.
    pub subnets: BTreeMap<u16, SubnetWorld>,
    /// `TotalNetworks` when last read.
    pub total_networks: Option<u64>,
}

impl World {
    /// The subnet, made with nothing known if it is new.
    pub fn subnet(&mut self, netuid: u16) -> &mut SubnetWorld {
        self.subnets.entry(netuid).or_insert_with(|| SubnetWorld {
            mechanisms: 1,
            ..SubnetWorld::default()
        })
    }

    /// Storage indices of a subnet's mechanisms, in order.
    pub fn indices(&self, netuid: u16) -> Vec<u16> {
        let mechanisms = self.subnets.get(&netuid).map_or(1, |s| s.mechanisms.max(1));
        (0..mechanisms)
            .filter_map(|m| storage_index(NetUid(netuid), MechId(m)))
            .collect()
    }

    /// Every (netuid, uid) that the account holds.
    pub fn places(&self, account: &AccountId) -> Vec<(u16, u16)> {
        let mut places = Vec::new();
        for (netuid, subnet) in &self.subnets {
            for (uid, hotkey) in (0_u16..).zip(&subnet.hotkeys) {
                if hotkey.as_ref() == Some(account) {
                    places.push((*netuid, uid));
                }
            }
        }
        places
    }

    /// Remembers who holds a uid.
    pub fn set_hotkey(&mut self, netuid: u16, uid: u16, hotkey: Option<AccountId>) {
        let hotkeys = &mut self.subnet(netuid).hotkeys;
        let uid = usize::from(uid);
        if hotkeys.len() <= uid {
            hotkeys.resize(uid + 1, None);
        }
        hotkeys[uid] = hotkey;
    }

    /// The world at the end of a stored block.
    pub fn load(store: &Store, layout: &Layout, at: BlockNumber) -> Result<World, StoreError> {
        let mut world = World::default();
        for netuid in subnets_at(store, layout, at)? {
            let le = netuid.to_le_bytes();
            let uids = uint(store, layout, "SubnetworkN", &[&le], at)?;
            let mechanisms = uint(store, layout, "MechanismCountCurrent", &[&le], at)?;
            let subnet = world.subnet(netuid);
            subnet.uids = uids.and_then(|n| u16::try_from(n).ok()).unwrap_or(0);
            subnet.mechanisms = mechanisms.and_then(|n| u8::try_from(n).ok()).unwrap_or(1);
            for uid in 0..subnet.uids {
                let hotkey = value(store, layout, "Keys", &[&le, &uid.to_le_bytes()], at)?
                    .and_then(|v| v.as_account());
                world.set_hotkey(netuid, uid, hotkey);
            }
        }
        world.total_networks =
            uint(store, layout, "TotalNetworks", &[], at)?.and_then(|n| u64::try_from(n).ok());
        Ok(world)
    }
}

/// Netuids that exist at the end of a stored block, ascending.
pub fn subnets_at(store: &Store, layout: &Layout, at: BlockNumber) -> Result<Vec<u16>, StoreError> {
    let mut netuids = Vec::new();
    let (Some(line), Some((_, entry))) = (item("NetworksAdded"), layout.find("NetworksAdded"))
    else {
        return Ok(netuids);
    };
    for rest in store.state_keys(line.id)? {
        let Some(row) = store.state(line.id, &rest, at)? else {
            continue;
        };
        let Some(bytes) = row.value else { continue };
        let mut key = entry.prefix.to_vec();
        key.extend_from_slice(&rest);
        let types = layout.metadata.types();
        let netuid = entry.decode_keys(types, &key).ok().and_then(|parts| {
            let [chain_metadata::KeyPart::Value(netuid)] = parts.as_slice() else {
                return None;
            };
            netuid.as_u16()
        });
        let added = entry
            .decode_value(types, &bytes)
            .ok()
            .and_then(|v| v.as_bool());
        if let (Some(netuid), Some(true)) = (netuid, added) {
            netuids.push(netuid);
        }
    }
    netuids.sort_unstable();
    Ok(netuids)
}

/// A stored value, decoded with `layout`; `None` when the runtime has no such
/// item or nothing is stored (no default is applied).
pub fn value(
    store: &Store,
    layout: &Layout,
    entry: &str,
    keys: &[&[u8]],
    at: BlockNumber,
) -> Result<Option<chain_metadata::Value>, StoreError> {
    let Some((line, entry)) = layout.find(entry) else {
        return Ok(None);
    };
    let key = entry.key_of_encoded(keys);
    let rest = key.get(32..).unwrap_or_default();
    let Some(bytes) = store.state(line.id, rest, at)?.and_then(|row| row.value) else {
        return Ok(None);
    };
    match entry.decode_value(layout.metadata.types(), &bytes) {
        Ok(value) => Ok(Some(value)),
        Err(e) => Err(StoreError::Row {
            table: "state",
            key: hex::encode(key),
            what: e.in_spec(layout.spec).at_block(at).to_string(),
        }),
    }
}

fn uint(
    store: &Store,
    layout: &Layout,
    entry: &str,
    keys: &[&[u8]],
    at: BlockNumber,
) -> Result<Option<u128>, StoreError> {
    Ok(value(store, layout, entry, keys, at)?.and_then(|v| v.as_u128()))
}

/// Netuid of a storage index.
pub fn netuid_of(index: u16) -> u16 {
    index % MECHANISM_STRIDE
}
