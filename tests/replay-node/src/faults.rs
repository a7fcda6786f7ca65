//! Making a node misbehave, while it runs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chain_metadata::H256;
use jsonrpsee::types::{ErrorObject, ErrorObjectOwned};
use serde_json::Value;

use crate::shared::Shared;

/// What `chain_getBlockHash` answers for numbers above 0 of blocks that exist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HashFault {
    /// The hash.
    #[default]
    None,
    /// `null`, as a node that does not have the block.
    Null,
    /// Thirty-two zero bytes.
    Zero,
}

/// The faults that hold until they are changed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Settings {
    pub(crate) delay: Duration,
    pub(crate) drop_every: u64,
    pub(crate) refuse: bool,
    pub(crate) hash: HashFault,
    pub(crate) lag: u32,
    pub(crate) genesis: Option<H256>,
    pub(crate) mute: bool,
    pub(crate) pruned_below: u32,
}

/// What happens to the next calls of one method.
#[derive(Debug, Clone)]
pub(crate) enum MethodFault {
    Fail(ErrorObjectOwned),
    Truncate,
    Oversize(usize),
    Drop,
}

/// Faults of single methods, each for a number of calls.
#[derive(Debug, Default)]
pub(crate) struct MethodFaults {
    any: AtomicBool,
    by_method: Mutex<HashMap<String, (u64, MethodFault)>>,
}

impl MethodFaults {
    /// Takes one use of a method's fault, if it has one.
    pub(crate) fn take(&self, method: &str) -> Option<MethodFault> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut faults = self
            .by_method
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (left, fault) = faults.get_mut(method)?;
        *left = left.checked_sub(1)?;
        let fault = fault.clone();
        if *left == 0 {
            faults.remove(method);
            self.any.store(!faults.is_empty(), Ordering::Release);
        }
        Some(fault)
    }

    fn set(&self, method: &str, times: u64, fault: MethodFault) {
        let mut faults = self
            .by_method
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if times == 0 {
            faults.remove(method);
        } else {
            faults.insert(method.to_owned(), (times, fault));
        }
        self.any.store(!faults.is_empty(), Ordering::Release);
    }

    fn clear(&self) {
        let mut faults = self
            .by_method
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        faults.clear();
        self.any.store(false, Ordering::Release);
    }
}

/// Switches for everything that can go wrong with a node; they act at once and from any thread.
///
/// A fault of a method replaces the one set before for that method; `times` 0 takes it away.
#[derive(Debug, Clone)]
pub struct Faults {
    shared: Arc<Shared>,
}

impl Faults {
    pub(crate) fn new(shared: Arc<Shared>) -> Faults {
        Faults { shared }
    }

    /// Ends all lasting faults. Blocks taken back and forks stay as they are.
    pub fn clear(&self) {
        *self.shared.settings_mut() = Settings::default();
        self.shared.method_faults.clear();
    }

    /// Closes every open connection now, in the middle of whatever it does; how many there were.
    pub fn drop_connections(&self) -> usize {
        self.shared.connections.kill_all()
    }

    /// Closes a connection instead of answering its `n`th, 2 `n`th, … request; 0 ends it.
    pub fn drop_every(&self, n: u64) {
        self.shared.settings_mut().drop_every = n;
    }

    /// Closes new connections as soon as they are made. Open ones stay.
    pub fn refuse_connections(&self, refuse: bool) {
        self.shared.settings_mut().refuse = refuse;
    }

    /// Waits before each answer; a batch waits once.
    pub fn delay(&self, delay: Duration) {
        self.shared.settings_mut().delay = delay;
    }

    /// Answers `chain_getBlockHash` wrongly for blocks that exist.
    pub fn hashes(&self, fault: HashFault) {
        self.shared.settings_mut().hash = fault;
    }

    /// Serves the chain as it was `blocks` blocks ago: later ones are unknown.
    pub fn lag(&self, blocks: u32) {
        self.shared.settings_mut().lag = blocks;
    }

    /// Tells subscribers no heads; those who ask still hear of them.
    pub fn mute(&self, mute: bool) {
        self.shared.settings_mut().mute = mute;
    }

    /// Keeps no state of blocks below `number`, as a node that prunes; 0 keeps all. Headers, bodies
    /// and hashes stay.
    pub fn pruned_below(&self, number: u32) {
        self.shared.settings_mut().pruned_below = number;
    }

    /// Claims another hash for block 0, as a node of another chain.
    pub fn genesis(&self, hash: Option<H256>) {
        self.shared.settings_mut().genesis = hash;
    }

    /// Answers the next `times` calls of `method` with an internal error.
    pub fn fail(&self, method: &str, times: u64) {
        self.fail_with(method, times, -32603, "Internal error");
    }

    /// Answers the next `times` calls of `method` with this error.
    pub fn fail_with(&self, method: &str, times: u64, code: i32, message: &str) {
        let error = ErrorObject::owned(code, message.to_owned(), None::<()>);
        self.set(method, times, MethodFault::Fail(error));
    }

    /// Cuts the next `times` results of `method` in half: half of a text's hex digits, half of a list,
    /// every text and list within an object.
    pub fn truncate(&self, method: &str, times: u64) {
        self.set(method, times, MethodFault::Truncate);
    }

    /// Makes the next `times` results of `method` longer by `bytes` bytes of JSON.
    pub fn oversize(&self, method: &str, times: u64, bytes: usize) {
        self.set(method, times, MethodFault::Oversize(bytes));
    }

    /// Closes the connection instead of answering the next `times` calls of `method`.
    pub fn drop_on(&self, method: &str, times: u64) {
        self.set(method, times, MethodFault::Drop);
    }

    /// Takes blocks back, final ones too, as a node restored from an older copy; subscribers are told
    /// the lower heads. A live chain grows again from there.
    pub fn go_back(&self, blocks: u32) {
        self.shared.heads().go_back(&self.shared.chain, blocks);
    }

    /// Puts `depth` unfinalized blocks, at most 8, on the best block, which are not those of the final
    /// branch; their hashes, lowest first.
    ///
    /// They are announced as new and best heads. The fork loses when finality passes its parent or the
    /// final branch grows longer; its blocks can still be asked for by hash.
    pub fn fork(&self, depth: u32) -> Vec<H256> {
        self.shared.heads().fork(&self.shared.chain, depth.min(8))
    }

    /// Makes a fork that lost the best chain again, by the hash of its last block; it is announced as
    /// the best head. False when there is no such fork or finality has passed its parent. The final
    /// branch wins again when it grows longer.
    pub fn switch_to(&self, tip: H256) -> bool {
        self.shared.heads().switch_to(&self.shared.chain, &tip)
    }

    fn set(&self, method: &str, times: u64, fault: MethodFault) {
        self.shared.method_faults.set(method, times, fault);
    }
}

/// Half of a result.
pub(crate) fn halved(value: Value) -> Value {
    match value {
        Value::String(mut text) => {
            // Keeps 0x and cuts at a whole byte of hex, so that it is the data that ends too early.
            let keep = (text.len() / 4) * 2;
            if text.is_char_boundary(keep) {
                text.truncate(keep.max(2.min(text.len())));
            }
            Value::String(text)
        }
        Value::Array(mut list) => {
            list.truncate(list.len() / 2);
            Value::Array(list)
        }
        Value::Object(map) => {
            let halves = map.into_iter().map(|(key, value)| (key, halved(value)));
            Value::Object(halves.collect())
        }
        other => other,
    }
}

/// A result that is longer by `bytes`.
pub(crate) fn oversized(value: Value, bytes: usize) -> Value {
    let padding = "0".repeat(bytes);
    match value {
        Value::String(text) => Value::String(text + &padding),
        Value::Array(mut list) => {
            list.push(Value::String(padding));
            Value::Array(list)
        }
        Value::Object(mut map) => {
            map.insert("padding".into(), Value::String(padding));
            Value::Object(map)
        }
        _ => Value::String(padding),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn halves_and_paddings() {
        assert_eq!(halved(json!("0x01020304")), json!("0x01"));
        assert_eq!(halved(json!("0x")), json!("0x"));
        assert_eq!(halved(json!("é")), json!("é"));
        assert_eq!(halved(json!([1, 2, 3])), json!([1]));
        assert_eq!(
            halved(json!({"a": [1, 2], "b": null})),
            json!({"a": [1], "b": null})
        );
        assert_eq!(oversized(json!("0x01"), 2), json!("0x0100"));
        assert_eq!(oversized(json!([1]), 1), json!([1, "0"]));
        assert_eq!(oversized(json!({}), 1), json!({"padding": "0"}));
        assert_eq!(oversized(Value::Null, 3), json!("000"));
    }

    #[test]
    fn a_method_fault_wears_off() {
        let faults = MethodFaults::default();
        assert!(faults.take("m").is_none());
        faults.set("m", 2, MethodFault::Truncate);
        assert!(faults.take("other").is_none());
        assert!(faults.take("m").is_some() && faults.take("m").is_some());
        assert!(faults.take("m").is_none());
        faults.set("m", 5, MethodFault::Truncate);
        faults.set("m", 0, MethodFault::Truncate);
        assert!(faults.take("m").is_none());
    }
}
