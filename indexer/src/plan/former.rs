//! Who has something of a subnet's last epoch and holds no uid there: the next
//! epoch takes it away, or leaves it.

use std::collections::{BTreeMap, BTreeSet};

use chain_metadata::{AccountId, KeyPart, Value};

use super::keys::Key;
use crate::items::{Layout, MANIFEST, Refresh, Scope};
use crate::source::Bytes;
use crate::world::World;

/// Those who were known before a block, by subnet.
#[derive(Debug)]
pub(super) struct Former(BTreeMap<u16, BTreeSet<AccountId>>);

impl Former {
    /// Before a block.
    pub(super) fn of(world: &World) -> Former {
        let subnets = world.subnets.iter();
        let some = subnets.filter(|(_, s)| !s.former.is_empty());
        Former(some.map(|(n, s)| (*n, s.former.clone())).collect())
    }

    /// Learns from what was read at the block: whom an epoch left nothing is forgotten,
    /// who has something is asked for at the next one. The world is then what
    /// [`World::load`] would find.
    pub(super) fn learn(
        &self,
        epochs: &[u16],
        layout: &Layout,
        values: &[(Key, Option<Bytes>)],
        world: &mut World,
    ) {
        for netuid in epochs {
            if let (Some(known), Some(subnet)) = (self.0.get(netuid), world.subnets.get_mut(netuid))
            {
                subnet.former.retain(|account| !known.contains(account));
            }
        }
        // An epoch reads what its stakers have on root too, and a swap of a hotkey leaves
        // zeros behind in every subnet.
        for (key, _) in values.iter().filter(|(_, value)| value.is_some()) {
            let item = &MANIFEST[key.line];
            if (item.scope, item.refresh) == (Scope::SubnetAccount, Refresh::Epoch)
                && let Some(subnet) = world.subnets.get_mut(&key.subnet)
                && let Some(account) = account_of(layout, key)
                && !subnet.hotkeys.contains(&Some(account))
            {
                subnet.former.insert(account);
            }
        }
    }
}

fn account_of(layout: &Layout, key: &Key) -> Option<AccountId> {
    let types = layout.metadata.types();
    let parts = layout.entry(key.line)?.decode_keys(types, &key.full).ok()?;
    let mut values = parts.iter().filter_map(KeyPart::value);
    values.find_map(Value::as_account)
}
