//! Answers about neurons and delegates, which metadata does not describe in old
//! runtimes: stake by coldkey, nominators, registrations. The other fields of
//! neurons are compared in `metagraph`.

use std::collections::BTreeMap;

use chain_metadata::{AccountId, KeyPart, NetUid, Uid, Value};
use indexer::view;
use parity_scale_codec::{Compact, Decode};

use super::{Asked, Seen, not_covered};
use crate::metagraph::{Full, Lite, all, unwrapped};

/// A hotkey and the stake on it, by coldkey.
type Staked = ([u8; 32], Vec<([u8; 32], Compact<u64>)>);

/// Old `Stake` of a hotkey by coldkey, with what is zero left out.
fn nominators(asked: &Asked<'_>, hotkey: &[u8; 32]) -> BTreeMap<AccountId, u64> {
    let (line, entry) = asked.at.layout.find("Stake").unwrap();
    let prefix = entry.key_of_encoded(&[hotkey]);
    let mut found = BTreeMap::new();
    for rest in asked.store.state_keys(line.id).unwrap() {
        let mut key = entry.prefix.to_vec();
        key.extend_from_slice(&rest);
        if !key.starts_with(&prefix) {
            continue;
        }
        let types = asked.at.layout.metadata.types();
        let parts = entry.decode_keys(types, &key).unwrap();
        let coldkey = parts.last().and_then(KeyPart::value);
        let coldkey = coldkey.and_then(Value::as_account).unwrap();
        let amount = asked.held("Stake", &[hotkey, &coldkey.0]).unwrap();
        if let Some(amount @ 1..) = amount.as_u64() {
            found.insert(coldkey, amount);
        }
    }
    found
}

/// Stake of every neuron by coldkey.
pub(super) fn stake(asked: &Asked<'_>, seen: &mut Seen) {
    let bytes = unwrapped(asked.recording, &asked.result);
    let told: Vec<Staked> = match &*asked.method {
        "get_neurons" => all::<Full>(&bytes)
            .into_iter()
            .map(|n| (n.hotkey, n.stake))
            .collect(),
        _ => all::<Lite>(&bytes)
            .into_iter()
            .map(|n| (n.hotkey, n.stake))
            .collect(),
    };
    for (hotkey, stake) in told {
        let place = asked.place(&format!("stake of {}", AccountId(hotkey)));
        let told: BTreeMap<_, _> = stake.iter().map(|(c, n)| (AccountId(*c), n.0)).collect();
        let served = if asked.at.layout.find("TotalHotkeyAlpha").is_some() {
            // One line: what the hotkey has in the subnet, with its coldkey.
            let owner = asked.held("Owner", &[&hotkey]).unwrap();
            let netuid = asked.netuid.0.to_le_bytes();
            let alpha = asked.held("TotalHotkeyAlpha", &[&hotkey, &netuid]).unwrap();
            BTreeMap::from([(owner.as_account().unwrap(), alpha.as_u64().unwrap())])
        } else if asked.method == "get_neurons" {
            nominators(asked, &hotkey)
        } else {
            let owner = asked.held("Owner", &[&hotkey]).unwrap();
            let total = asked.held("TotalHotkeyStake", &[&hotkey]).unwrap();
            BTreeMap::from([(owner.as_account().unwrap(), total.as_u64().unwrap())])
        };
        assert_eq!(told, served, "{place}");
        seen.compared(&asked.method, "stake");
    }
}

/// `DelegateInfo` of runtimes 103 to 143.
#[derive(Debug, Decode)]
struct Delegate {
    delegate_ss58: [u8; 32],
    take: Compact<u16>,
    nominators: Vec<([u8; 32], Compact<u64>)>,
    owner_ss58: [u8; 32],
    registrations: Vec<Compact<u16>>,
    validator_permits: Vec<Compact<u16>>,
    _return_per_1000: Compact<u64>,
    _total_daily_return: Compact<u64>,
}

/// Every delegate.
pub(super) fn delegates(asked: &Asked<'_>, seen: &mut Seen) {
    assert!(not_covered("get_delegates", "return_per_1000"));
    assert!(not_covered("get_delegates", "total_daily_return"));
    let told: Vec<Delegate> = all(&unwrapped(asked.recording, &asked.result));
    let (line, _) = asked.at.layout.find("Delegates").unwrap();
    let stored = asked.store.state_keys(line.id).unwrap();
    let stored = stored.into_iter().filter(|rest| {
        let row = asked.store.state(line.id, rest, asked.at.number).unwrap();
        row.is_some_and(|row| row.value.is_some())
    });
    assert_eq!(told.len(), stored.count());
    assert!(!told.is_empty());
    for told in told {
        let hotkey = told.delegate_ss58;
        let place = asked.place(&format!("delegate {}", AccountId(hotkey)));
        let take = asked.held("Delegates", &[&hotkey]).unwrap();
        assert_eq!(Some(told.take.0), take.as_u16(), "{place}");
        let owner = asked.held("Owner", &[&hotkey]).unwrap();
        assert_eq!(
            Some(AccountId(told.owner_ss58)),
            owner.as_account(),
            "{place}"
        );
        let shares = told.nominators.iter();
        let shares: BTreeMap<_, _> = shares
            .filter(|(_, amount)| amount.0 > 0)
            .map(|(c, amount)| (AccountId(*c), amount.0))
            .collect();
        assert_eq!(shares, nominators(asked, &hotkey), "{place}");
        let (mut registrations, mut permits) = (Vec::new(), Vec::new());
        for netuid in view::subnets(asked.store, &asked.at).unwrap() {
            let net = netuid.0.to_le_bytes();
            let Some(uid) = asked.held("Uids", &[&net, &hotkey]) else {
                continue;
            };
            registrations.push(netuid);
            let list = asked.held("ValidatorPermit", &[&net]).unwrap();
            let uid = Uid(uid.as_u16().unwrap());
            if list.items()[usize::from(uid.0)].as_bool() == Some(true) {
                permits.push(netuid);
            }
        }
        let told_in = |list: &[Compact<u16>]| -> Vec<NetUid> {
            let mut list: Vec<_> = list.iter().map(|n| NetUid(n.0)).collect();
            list.sort_unstable();
            list
        };
        assert_eq!(told_in(&told.registrations), registrations, "{place}");
        assert_eq!(told_in(&told.validator_permits), permits, "{place}");
        for field in [
            "delegate_ss58",
            "take",
            "nominators",
            "owner_ss58",
            "registrations",
            "validator_permits",
        ] {
            seen.compared(&asked.method, field);
        }
    }
}
