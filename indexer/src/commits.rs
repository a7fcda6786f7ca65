//! Commits of three kinds, as the chain speaks of them: which calls and events of
//! a block are about them, and what a call's arguments commit to or reveal.
//!
//! The ledger that is made of it is written by [`crate::stages::commits`], kept in
//! the tables of [`crate::store::commits`], and read through [`crate::view::commits`].

mod entry;

use chain_metadata::{
    AccountId, Call, DispatchError, Event, H256, MechId, NestedCall, NetUid, Origin, Outcome,
    Value, blake2_256, storage_index,
};

pub use entry::{Attempt, CallAt, CommitRow, Entry, Id, Kind, Reveal, State, Step, Transition};

use crate::items::PALLET;

/// Pallet of free-form commitments.
pub const COMMITMENTS: &str = "Commitments";

/// A call that commits or reveals, with what became of it.
#[derive(Debug, Clone)]
pub struct CommitCall {
    /// Position of its extrinsic in the block.
    pub extrinsic: u32,
    /// Where it stands in the extrinsic, as in [`NestedCall::path`].
    pub path: Vec<u32>,
    /// Account it acts for.
    pub who: AccountId,
    /// The call.
    pub call: Call,
    /// The dispatch error, as `Pallet.Name`; `None` when it did not fail.
    pub failed: Option<String>,
}

/// What a block says about commits; empty for most blocks.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// Calls that commit or reveal, in order.
    pub calls: Vec<CommitCall>,
    /// Events that may move an entry of the ledger, in order.
    pub events: Vec<Event>,
}

impl Said {
    /// Takes an event if it is about commits.
    pub fn event(&mut self, event: &Event) {
        let ours = match &*event.pallet {
            PALLET => {
                let name = &*event.name;
                matches!(
                    name,
                    "WeightsSet"
                        | "WeightsBatchRevealed"
                        | "NetworkRemoved"
                        | "NeuronRegistered"
                        | "HotkeySwapped"
                        | "HotkeySwappedOnSubnet"
                        | "EpochDeferred"
                ) || name.ends_with("WeightsCommitted")
                    || name.ends_with("WeightsRevealed")
            }
            COMMITMENTS => true,
            _ => false,
        };
        if ours {
            self.events.push(event.clone());
        }
    }

    /// Takes a call if it commits or reveals. Calls that were not run, and calls
    /// of nobody, are left out.
    pub fn call(&mut self, extrinsic: u32, nested: &NestedCall) {
        if !(commits(&nested.call) || reveals(&nested.call)) {
            return;
        }
        let Origin::Signed(who) = nested.origin else {
            return;
        };
        let failed = match &nested.outcome {
            Outcome::Succeeded | Outcome::Unknown => None,
            Outcome::Failed(error) => Some(short(error)),
            Outcome::NotRun => return,
        };
        self.calls.push(CommitCall {
            extrinsic,
            path: nested.path.clone(),
            who,
            call: nested.call.clone(),
            failed,
        });
    }
}

/// `Pallet.Name` of an error, without the runtime's explanation.
fn short(error: &DispatchError) -> String {
    match error {
        DispatchError::Module { pallet, name, .. } => format!("{pallet}.{name}"),
        DispatchError::Other(text) => text.clone(),
    }
}

/// Whether a call puts weights under a hash or a time lock, or makes a commitment.
pub fn commits(call: &Call) -> bool {
    match &*call.pallet {
        PALLET => {
            let name = &*call.name;
            (name.starts_with("commit_") || name.starts_with("batch_commit_"))
                && name.ends_with("weights")
        }
        COMMITMENTS => &*call.name == "set_commitment",
        _ => false,
    }
}

/// Whether a call reveals weights that were put under a hash.
pub fn reveals(call: &Call) -> bool {
    let name = &*call.name;
    &*call.pallet == PALLET
        && (name.starts_with("reveal_") || name.starts_with("batch_reveal_"))
        && name.ends_with("weights")
}

/// The storage index that a call is about; for calls with one subnet.
pub fn index_of(call: &Call) -> Option<u16> {
    let netuid = call.arg("netuid")?.as_u16()?;
    // The mechanism is the one argument of eight bits, whatever it is called.
    let mechanism = call.args.iter().find_map(|(_, value)| match value {
        Value::Uint { width: 8, .. } => value.as_u8(),
        _ => None,
    });
    storage_index(NetUid(netuid), MechId(mechanism.unwrap_or(0)))
}

/// Storage index and hash of every commit that a hash-committing call makes.
pub fn committed_hashes(call: &Call) -> Vec<(u16, H256)> {
    let hash = |value: &Value| <[u8; 32]>::try_from(value.as_bytes()?).ok().map(H256);
    if let (Some(netuids), Some(hashes)) = (call.arg("netuids"), call.arg("commit_hashes")) {
        let pairs = netuids.items().iter().zip(hashes.items());
        return pairs
            .filter_map(|(netuid, value)| Some((netuid.as_u16()?, hash(value)?)))
            .collect();
    }
    let one = call.arg("commit_hash").and_then(hash);
    index_of(call).zip(one).into_iter().collect()
}

/// Encrypted bytes and drand round of a call that commits under a time lock.
pub fn timelocked(call: &Call) -> Option<(&[u8], u64)> {
    let bytes = call.arg("commit")?.as_bytes()?;
    Some((bytes, call.arg("reveal_round")?.as_u64()?))
}

/// The fields of a commitment.
pub fn fields(call: &Call) -> Option<&[Value]> {
    Some(call.arg("info")?.field("fields")?.items())
}

/// The drand round that a field of a commitment is locked until.
pub fn field_round(field: &Value) -> Option<u64> {
    field.field("reveal_round")?.as_u64()
}

/// The hashes that the arguments of a revealing call lead to: what the commit
/// must have been for the reveal to be right.
///
/// A hash commits to account, storage index, uids, values, salt and version key,
/// in this order and each SCALE-encoded with the type it has in the call.
pub fn revealed_hashes(who: &AccountId, call: &Call) -> Vec<H256> {
    let Some(index) = index_of(call) else {
        return Vec::new();
    };
    let one = ["uids", "values", "salt", "version_key"];
    let many = ["uids_list", "values_list", "salts_list", "version_keys"];
    let args = |names: [&str; 4]| -> Option<Vec<Value>> {
        names.iter().map(|name| call.arg(name).cloned()).collect()
    };
    if let Some(parts) = args(one) {
        return preimage_hash(who, index, &parts).into_iter().collect();
    }
    let Some(lists) = args(many) else {
        return Vec::new();
    };
    let length = lists.iter().map(|list| list.items().len()).min();
    (0..length.unwrap_or(0))
        .filter_map(|i| {
            let parts: Option<Vec<Value>> = lists
                .iter()
                .map(|list| list.items().get(i).cloned())
                .collect();
            preimage_hash(who, index, &parts?)
        })
        .collect()
}

fn preimage_hash(who: &AccountId, index: u16, parts: &[Value]) -> Option<H256> {
    let mut preimage = who.0.to_vec();
    preimage.extend_from_slice(&index.to_le_bytes());
    for part in parts {
        encode(part, &mut preimage)?;
    }
    Some(blake2_256(&preimage))
}

/// SCALE of plain integers, bytes and sequences of such.
fn encode(value: &Value, out: &mut Vec<u8>) -> Option<()> {
    use parity_scale_codec::{Compact, Encode};
    let length = |n: usize| u32::try_from(n).ok().map(|n| Compact(n).encode());
    match value {
        Value::Uint { width, value } => {
            let bytes = value.to_le_bytes();
            out.extend_from_slice(bytes.get(..usize::from(width / 8))?);
        }
        Value::Bytes(bytes) => {
            out.extend(length(bytes.len())?);
            out.extend_from_slice(bytes);
        }
        Value::Seq(items) => {
            out.extend(length(items.len())?);
            for item in items {
                encode(item, out)?;
            }
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(width: u8, values: &[u128]) -> Value {
        let one = |value: &u128| Value::Uint {
            width,
            value: *value,
        };
        Value::Seq(values.iter().map(one).collect())
    }

    fn reveal(mechanism: Option<u8>) -> Call {
        let number = |width, value| Value::Uint { width, value };
        let mut args = vec![("netuid".into(), number(16, 61))];
        if let Some(mechanism) = mechanism {
            args.push(("mecid".into(), number(8, u128::from(mechanism))));
        }
        args.extend([
            ("uids".into(), numbers(16, &[0, 1, 2])),
            ("values".into(), numbers(16, &[65_535, 32_768, 1])),
            ("salt".into(), numbers(16, &[1, 2, 3, 4, 5, 6, 7, 8])),
            ("version_key".into(), number(64, 1000)),
        ]);
        Call {
            pallet: PALLET.into(),
            name: "reveal_weights".into(),
            pallet_index: 7,
            call_index: 97,
            args,
        }
    }

    #[test]
    fn the_hash_of_a_reveal_is_the_chains() {
        let alice: AccountId = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
            .parse()
            .unwrap();
        let hash = |mechanism| revealed_hashes(&alice, &reveal(mechanism))[0].to_string();
        assert_eq!(
            hash(None),
            "0xb4a3fd89f408197ef787dc14da1d5698ed4e43e999af320f7dc3929bf9c7c63c"
        );
        assert_eq!(
            hash(Some(2)),
            "0x13b08c54f2d701cf1a53658f800ec213a1baf2a01b150d2518f79873ef446389"
        );
    }

    #[test]
    fn a_batch_has_a_hash_for_each_of_its_reveals() {
        let single = reveal(None);
        let listed = |name: &str| Value::Seq(vec![single.arg(name).unwrap().clone(); 2]);
        let mut batch = single.clone();
        batch.args = vec![
            ("netuid".into(), single.args[0].1.clone()),
            ("uids_list".into(), listed("uids")),
            ("values_list".into(), listed("values")),
            ("salts_list".into(), listed("salt")),
            ("version_keys".into(), listed("version_key")),
        ];
        let who = AccountId([7; 32]);
        let one = revealed_hashes(&who, &single)[0];
        assert_eq!(revealed_hashes(&who, &batch), vec![one, one]);
    }

    #[test]
    fn calls_are_told_by_their_names() {
        let named = |name: &str| Call {
            name: name.into(),
            ..reveal(None)
        };
        for name in [
            "commit_weights",
            "batch_commit_weights",
            "commit_crv3_mechanism_weights",
            "commit_timelocked_weights",
            "commit_sub_weights",
        ] {
            assert!(commits(&named(name)) && !reveals(&named(name)), "{name}");
        }
        for name in ["reveal_mechanism_weights", "batch_reveal_weights"] {
            assert!(reveals(&named(name)) && !commits(&named(name)), "{name}");
        }
        assert!(!commits(&named("set_weights")));
        assert!(!commits(&named("sudo_set_commit_reveal_weights_enabled")));
    }
}
