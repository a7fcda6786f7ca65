//! Stake at a stored block, and its movements.

use std::collections::BTreeSet;

use chain_metadata::{AccountId, BlockNumber, KeyPart, NetUid, Value};

use super::{At, exists, held};
use crate::stakes::{Id, Kind, Movement, Side};
use crate::store::stakes::Among;
use crate::store::{Store, StoreError};

/// Movements looked through for one page, at most.
const LOOKED_THROUGH: usize = 20_000;

/// Items with a row for a hotkey and a coldkey, and the pool of which it is a share.
const SHARES: [(&str, Option<(&str, &str)>); 3] = [
    ("Alpha", Some(("TotalHotkeyAlpha", "TotalHotkeyShares"))),
    ("AlphaV2", Some(("TotalHotkeyAlpha", "TotalHotkeySharesV2"))),
    ("Stake", None),
];

/// Which movements are meant; what is `None` does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// Hotkey at one of the ends.
    pub hotkey: Option<AccountId>,
    /// Coldkey at one of the ends.
    pub coldkey: Option<AccountId>,
    /// Subnet at one of the ends.
    pub netuid: Option<NetUid>,
    /// Kind.
    pub kind: Option<Kind>,
}

impl Filter {
    fn passes(&self, moved: &Movement) -> bool {
        let side = |fits: &dyn Fn(&Side) -> bool| moved.sides().any(fits);
        self.kind.is_none_or(|kind| kind == moved.kind)
            && self.hotkey.is_none_or(|h| side(&|s| s.hotkey == Some(h.0)))
            && self
                .coldkey
                .is_none_or(|c| side(&|s| s.coldkey == Some(c.0)))
            && self.netuid.is_none_or(|n| side(&|s| s.netuid == Some(n.0)))
    }
}

/// Some movements, in the order asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The movements with their names.
    pub movements: Vec<(Id, Movement)>,
    /// Where to go on, when there may be more.
    pub next: Option<Id>,
}

/// Movements at or before a block, newest first, those older than `before`.
pub fn page(
    store: &Store,
    at: BlockNumber,
    filter: &Filter,
    before: Option<Id>,
    first: usize,
) -> Result<Page, StoreError> {
    walk(store, filter, before, first, |among, next| {
        store.stake_ids(among, at, next, 256)
    })
}

/// The same, oldest first, those newer than `after`.
pub fn page_up(
    store: &Store,
    at: BlockNumber,
    filter: &Filter,
    after: Option<Id>,
    first: usize,
) -> Result<Page, StoreError> {
    walk(store, filter, after, first, |among, next| {
        store.stake_ids_up(among, at, next, 256)
    })
}

/// Goes through the names that `ids` gives behind a name, chunk by chunk.
fn walk(
    store: &Store,
    filter: &Filter,
    from: Option<Id>,
    first: usize,
    ids: impl Fn(Among, Option<Id>) -> Result<Vec<Id>, StoreError>,
) -> Result<Page, StoreError> {
    let among = match (filter.coldkey, filter.hotkey, filter.netuid) {
        (Some(coldkey), _, _) => Among::Coldkey(coldkey),
        (None, Some(hotkey), _) => Among::Hotkey(hotkey),
        (None, None, Some(netuid)) => Among::Subnet(netuid.0),
        (None, None, None) => Among::All,
    };
    let mut page = Page {
        movements: Vec::new(),
        next: from,
    };
    let mut looked = 0;
    loop {
        let ids = ids(among, page.next)?;
        if ids.is_empty() {
            page.next = None;
            return Ok(page);
        }
        for id in ids {
            if page.movements.len() >= first || looked >= LOOKED_THROUGH {
                return Ok(page);
            }
            looked += 1;
            page.next = Some(id);
            if let Some(movement) = store.stake_movement(id)?
                && filter.passes(&movement)
            {
                page.movements.push((id, movement));
            }
        }
    }
}

/// Whose stake is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Everybody's stake on a hotkey.
    Hotkey(AccountId),
    /// A coldkey's stake on any hotkey.
    Coldkey(AccountId),
}

/// What a coldkey has on a hotkey, as the chain stores it.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// Storage entry that the row is of: `Alpha`, `AlphaV2` or `Stake`.
    pub entry: &'static str,
    /// Hotkey.
    pub hotkey: AccountId,
    /// Coldkey.
    pub coldkey: AccountId,
    /// Subnet; `None` in runtimes without subnet tokens.
    pub netuid: Option<NetUid>,
    /// The decoded value; `None` when its bytes are none of its type.
    pub value: Option<Value>,
    /// The chain's own bytes.
    pub bytes: Vec<u8>,
    /// Block at whose end it first was so, as far as stored.
    pub changed_at: BlockNumber,
    /// Alpha in the hotkey's pool, 10^-9; `None` where there is no pool.
    pub pool_alpha: Option<u64>,
    /// All shares of the pool; `None` where there is no pool.
    pub pool_shares: Option<Value>,
}

/// What is staked at the end of a block, by hotkey, coldkey and subnet; only in
/// subnets that exist.
pub fn shares(
    store: &Store,
    at: &At,
    of: Of,
    netuid: Option<NetUid>,
) -> Result<Vec<Share>, StoreError> {
    let mut found = Vec::new();
    let hotkeys = match of {
        Of::Hotkey(hotkey) => Some(BTreeSet::from([hotkey])),
        Of::Coldkey(coldkey) => staked_on(store, at, coldkey)?,
    };
    for (name, pool) in SHARES {
        let Some((line, entry)) = at.layout.find(name) else {
            continue;
        };
        let prefixes: Vec<Vec<u8>> = match (&hotkeys, of) {
            (Some(hotkeys), Of::Hotkey(_)) => hotkeys
                .iter()
                .map(|h| entry.key_of_encoded(&[&h.0]))
                .collect(),
            (Some(hotkeys), Of::Coldkey(coldkey)) => hotkeys
                .iter()
                .map(|h| entry.key_of_encoded(&[&h.0, &coldkey.0]))
                .collect(),
            (None, _) => vec![entry.prefix.to_vec()],
        };
        let types = at.layout.metadata.types();
        for prefix in prefixes {
            for rest in store.state_keys_under(line.id, prefix.get(32..).unwrap_or_default())? {
                let Some(row) = store.state(line.id, &rest, at.number)? else {
                    continue;
                };
                let Some(bytes) = row.value else {
                    continue;
                };
                let mut key = entry.prefix.to_vec();
                key.extend_from_slice(&rest);
                // A key of other hashers is of another runtime.
                let Ok(parts) = entry.decode_keys(types, &key) else {
                    continue;
                };
                let parts: Vec<&Value> = parts.iter().filter_map(KeyPart::value).collect();
                let accounts: Vec<_> = parts.iter().filter_map(|v| v.as_account()).collect();
                let [hotkey, coldkey] = accounts.as_slice() else {
                    continue;
                };
                let subnet = parts.iter().find_map(|v| v.as_u16()).map(NetUid);
                let theirs = match of {
                    Of::Hotkey(account) => account == *hotkey,
                    Of::Coldkey(account) => account == *coldkey,
                };
                if !theirs || (netuid.is_some() && netuid != subnet) {
                    continue;
                }
                if let Some(subnet) = subnet
                    && !exists(store, at, subnet)?
                {
                    continue;
                }
                let mut share = Share {
                    entry: name,
                    hotkey: *hotkey,
                    coldkey: *coldkey,
                    netuid: subnet,
                    value: entry.decode_value(types, &bytes).ok(),
                    bytes,
                    changed_at: row.changed_at,
                    pool_alpha: None,
                    pool_shares: None,
                };
                if let (Some((alpha, shares)), Some(subnet)) = (pool, subnet) {
                    let keys: [&[u8]; 2] = [&hotkey.0, &subnet.0.to_le_bytes()];
                    let alpha = held(store, at, alpha, &keys)?.value();
                    share.pool_alpha = alpha.and_then(|v| v.as_u64());
                    share.pool_shares = held(store, at, shares, &keys)?.value();
                }
                found.push(share);
            }
        }
    }
    found.sort_by_key(|s| (s.hotkey, s.coldkey, s.netuid, s.entry));
    Ok(found)
}

/// Hotkeys that a coldkey stakes on; `None` where the runtime has no such list.
fn staked_on(
    store: &Store,
    at: &At,
    coldkey: AccountId,
) -> Result<Option<BTreeSet<AccountId>>, StoreError> {
    if at.layout.find("StakingHotkeys").is_none() {
        return Ok(None);
    }
    let list = held(store, at, "StakingHotkeys", &[&coldkey.0])?.value();
    let mut hotkeys = BTreeSet::new();
    if let Some(list) = list {
        crate::world::accounts(&list, &mut hotkeys);
    }
    Ok(Some(hotkeys))
}
