//! Whose reports count as a validator's: anyone may commit a report and have it listed
//! under `audit/validator/`.

use chain_metadata::{AccountId, NetUid, Value};
use indexer::store::Store;
use indexer::view;

use super::AuditError;
use super::index::{Entry, Whose};

/// Whom to believe.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// Only these hotkeys are validators; when there are none, the chain tells.
    pub named: &'a [AccountId],
    /// Our own index: a validator has a permit at the block of its entry.
    pub store: Option<&'a Store>,
    /// The subnet of the permit.
    pub netuid: NetUid,
}

impl Trust<'_> {
    /// Whether anything tells who is a validator. If not, every report under
    /// `audit/validator/` counts.
    pub fn checks(&self) -> bool {
        !self.named.is_empty() || self.store.is_some()
    }

    /// Why an entry is left out; `None` when it counts. Entries of miners always count.
    ///
    /// # Errors
    ///
    /// When the store is damaged.
    pub fn refusal(&self, entry: &Entry) -> Result<Option<String>, AuditError> {
        if entry.whose == Whose::Miner {
            return Ok(None);
        }
        let (hotkey, block, netuid) = (entry.hotkey, entry.block, self.netuid);
        if !self.named.is_empty() {
            let refused = !self.named.contains(&hotkey);
            return Ok(refused.then(|| {
                format!("{hotkey} is not among the validators that were named with --validator")
            }));
        }
        let Some(store) = self.store else {
            return Ok(None);
        };
        let Some(at) = view::at(store, block)? else {
            return Ok(Some(format!(
                "block {block} is not in the store, so nothing tells whether {hotkey} was a validator; name it with --validator if it is"
            )));
        };
        let net = netuid.0.to_le_bytes();
        let uid = view::held(store, &at, "Uids", &[&net, &hotkey.0])?.stored();
        let permits = view::held(store, &at, "ValidatorPermit", &[&net])?.stored();
        let permit = match (uid.as_ref().and_then(Value::as_u16), permits) {
            (Some(uid), Some(Value::Seq(permits))) => {
                permits.get(usize::from(uid)).and_then(Value::as_bool) == Some(true)
            }
            _ => false,
        };
        Ok((!permit).then(|| {
            format!("{hotkey} has no validator permit on subnet {netuid} at block {block}")
        }))
    }

    /// Parts entries into those that count and those that are left out, with the reason.
    ///
    /// # Errors
    ///
    /// When the store is damaged.
    pub fn part(&self, entries: Vec<Entry>) -> Result<Parted, AuditError> {
        let mut parted = Parted::default();
        for entry in entries {
            match self.refusal(&entry)? {
                None => parted.counted.push(entry),
                Some(why) => parted.left_out.push((entry, why)),
            }
        }
        Ok(parted)
    }
}

/// Entries that count and those that do not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parted {
    /// Those that count.
    pub counted: Vec<Entry>,
    /// Those that do not, and why.
    pub left_out: Vec<(Entry, String)>,
}
