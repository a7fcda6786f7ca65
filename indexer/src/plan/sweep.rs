//! Keys that only the node can tell of: pages of keys under a prefix, at the end
//! of the block and, for what the block has taken away, at the end of its parent.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chain_metadata::{AccountId, H256, KeyPart, Value};

use super::keys::Key;
use crate::items::Layout;
use crate::source::{Bytes, KeyPage};

/// A prefix whose keys are not all known yet.
#[derive(Debug)]
struct Open {
    line: usize,
    at_parent: bool,
    prefix: Bytes,
    after: Option<Bytes>,
}

/// Prefixes under which all keys are wanted, and the keys found so far.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    open: Vec<Open>,
    known: HashSet<(bool, Bytes)>,
    /// Keys found, each once for each side.
    pub(super) found: Vec<Key>,
    /// Keys found that are keyed by two accounts: netuid (or 0), hotkey, coldkey.
    /// Not filled where everything is read anyway.
    pub(super) shares: BTreeSet<(u16, AccountId, AccountId)>,
    /// Everything is read: nothing is to be concluded from a key.
    whole: bool,
    /// Hotkeys that a coldkey stakes with, as far as they are asked for.
    pub(super) staking: BTreeMap<AccountId, BTreeSet<AccountId>>,
}

impl Sweep {
    /// Nothing asked for; `whole` where everything is read.
    pub(super) fn new(whole: bool) -> Sweep {
        Sweep {
            whole,
            ..Sweep::default()
        }
    }

    /// Whether keys are still to be asked for.
    pub(super) fn is_done(&self) -> bool {
        self.open.is_empty()
    }

    /// Asks for all keys of an item that begin with these parts.
    pub(super) fn want(&mut self, layout: &Layout, line: usize, parts: &[&[u8]], at_parent: bool) {
        let Some(entry) = layout.entry(line) else {
            return;
        };
        let prefix = entry.key_of_encoded(parts);
        if self.known.insert((at_parent, prefix.clone())) {
            self.open.push(Open {
                line,
                at_parent,
                prefix,
                after: None,
            });
        }
    }

    /// The pages to ask for now.
    pub(super) fn pages(&self, block: H256, parent: H256) -> Vec<KeyPage> {
        let pages = self.open.iter().map(|open| KeyPage {
            at: if open.at_parent { parent } else { block },
            prefix: open.prefix.clone(),
            after: open.after.clone(),
        });
        pages.collect()
    }

    /// Takes the pages, a list for each that was asked for.
    pub(super) fn turn(&mut self, layout: &Layout, pages: Vec<Vec<Bytes>>) {
        let open = std::mem::take(&mut self.open);
        for (mut open, keys) in open.into_iter().zip(pages) {
            let Some(last) = keys.last() else {
                continue;
            };
            open.after = Some(last.clone());
            for full in keys {
                self.add(layout, open.line, full);
            }
            self.open.push(open);
        }
    }

    fn add(&mut self, layout: &Layout, line: usize, full: Bytes) {
        let Some(entry) = layout.entry(line) else {
            return;
        };
        let parts = match entry.decode_keys(layout.metadata.types(), &full) {
            Ok(parts) => parts,
            Err(error) => {
                // Nobody can ask the chain for such a key: it is in no map that the
                // runtime knows.
                metrics::counter!("indexer_foreign_keys_total").increment(1);
                tracing::warn!(
                    spec = layout.spec,
                    key = hex::encode(&full),
                    "a key that the runtime does not read is left out: {error}"
                );
                return;
            }
        };
        let numbers = parts.iter().filter_map(KeyPart::value);
        let subnet = numbers.filter_map(Value::as_u16).next().unwrap_or(0);
        let accounts = parts.iter().filter_map(KeyPart::value);
        let mut accounts = accounts.filter_map(Value::as_account);
        if !self.whole
            && let (Some(hotkey), Some(coldkey)) = (accounts.next(), accounts.next())
        {
            self.shares.insert((subnet, hotkey, coldkey));
        }
        self.found.push(Key {
            line,
            full,
            subnet,
            uid: 0,
        });
    }
}
