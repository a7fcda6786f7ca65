//! What happens in a block: its extrinsics and its events.

use chain_metadata::{AccountId, Event, Phase, blake2_256};

use crate::SyntheticError;
use crate::accounts::{Who, keyed};
use crate::net::Net;
use crate::state::{address, now, round, sealed};
use crate::words::{Datum, Words};

/// Extrinsics and the value of `System.Events`.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) extrinsics: Vec<Vec<u8>>,
    pub(crate) events: Vec<u8>,
}

/// Fee of every extrinsic, rao.
const FEE: u64 = 124_871;

/// A call of a signed extrinsic with the event that tells of it.
struct Act {
    signer: Who,
    call: &'static str,
    args: Vec<Datum>,
    event: &'static str,
    said: Vec<Datum>,
}

/// The body of a block; that of block 0 is empty.
pub(crate) fn body(net: &Net, words: &Words, block: u32) -> Result<Body, SyntheticError> {
    if block == 0 {
        return Ok(Body::default());
    }
    let mut events = at_first(net, words, block)?;
    let mut extrinsics =
        vec![words.extrinsic(block, None, "Timestamp", "set", &[now(block).into()])?];
    let done = |phase| words.event(phase, "System", "ExtrinsicSuccess", &[weight()]);
    events.push(done(Phase::ApplyExtrinsic(0))?);
    for (index, act) in (1_u32..).zip(acts(net, block)) {
        let who = net.account(act.signer);
        let raw = words.extrinsic(
            block,
            Some((who, block.into(), signature(net, block, index, &who))),
            "SubtensorModule",
            act.call,
            &act.args,
        )?;
        extrinsics.push(raw);
        let phase = Phase::ApplyExtrinsic(index);
        let fee = Datum::from(FEE);
        let account = Datum::Account(who);
        let paid = [account.clone(), fee.clone()];
        events.push(words.event(phase, "Balances", "Withdraw", &paid)?);
        events.push(words.event(phase, "SubtensorModule", act.event, &act.said)?);
        let paid = [account, fee, Datum::Zero];
        events.push(words.event(phase, "TransactionPayment", "TransactionFeePaid", &paid)?);
        events.push(done(phase)?);
    }
    Ok(Body {
        extrinsics,
        events: words.events(&events)?,
    })
}

/// What the chain does by itself before the extrinsics: committed weights are
/// opened, epochs run.
fn at_first(net: &Net, words: &Words, block: u32) -> Result<Vec<Event>, SyntheticError> {
    let phase = Phase::Initialization;
    let mut events = Vec::new();
    for netuid in net.config.netuids() {
        let epochs = net.epochs(netuid);
        if !epochs.at(block) {
            continue;
        }
        let opened = |uid: &u16| {
            let now = net.setting_in_force(netuid, *uid, block);
            net.commits(netuid) && now != net.setting_in_force(netuid, *uid, block - 1)
        };
        for uid in (0..net.config.validators).filter(opened) {
            let who = Datum::Account(net.account(Who::Validator { uid }));
            let said = [netuid_of(netuid), who];
            let name = "TimelockedWeightsRevealed";
            events.push(words.event(phase, "SubtensorModule", name, &said)?);
        }
        let earned = net.emission(netuid, epochs.count(block));
        let said = [netuid_of(netuid), Datum::Numbers(earned)];
        let name = "IncentiveAlphaEmittedToMiners";
        events.push(words.event(phase, "SubtensorModule", name, &said)?);
    }
    Ok(events)
}

/// Everything that is signed in a block, in order.
fn acts(net: &Net, block: u32) -> Vec<Act> {
    let mut acts = Vec::new();
    for netuid in net.config.netuids() {
        for uid in 0..net.config.validators {
            let beat = net.settings(netuid, uid);
            if beat.at(block) {
                acts.push(setting(net, netuid, uid, beat.count(block), block));
            }
        }
    }
    for netuid in net.config.netuids() {
        if let Some(uid) = net.registered(netuid, block) {
            let who = net.holder(netuid, uid, block);
            let hotkey = Datum::Account(net.account(who));
            acts.push(Act {
                signer: who.coldkey().unwrap_or(who),
                call: "burned_register",
                args: vec![netuid_of(netuid), hotkey.clone()],
                event: "NeuronRegistered",
                said: vec![netuid_of(netuid), u64::from(uid).into(), hotkey],
            });
        }
    }
    for (netuid, uid, by) in net.stake_moves(block) {
        let who = Who::Validator { uid };
        let signer = Who::Delegate { uid };
        let hotkey = Datum::Account(net.account(who));
        let alpha = Datum::Number(by.unsigned_abs());
        let tao = Datum::Number(by.unsigned_abs() / 40);
        let added = by >= 0;
        let amount = if added { tao.clone() } else { alpha.clone() };
        acts.push(Act {
            signer,
            call: if added { "add_stake" } else { "remove_stake" },
            args: vec![hotkey.clone(), netuid_of(netuid), amount],
            event: if added { "StakeAdded" } else { "StakeRemoved" },
            said: vec![
                Datum::Account(net.account(signer)),
                hotkey,
                tao,
                alpha,
                netuid_of(netuid),
                50_000.into(),
            ],
        });
    }
    for (netuid, uid) in net.axons_served(block) {
        // Whoever registered in this very block serves later.
        if block > 0 && net.axon(netuid, uid, block) == Some(block) {
            let signer = net.holder(netuid, uid, block);
            let [version, ip, port, ip_type] = address(net, netuid, uid).map(|(_, fact)| fact);
            acts.push(Act {
                signer,
                call: "serve_axon",
                args: vec![netuid_of(netuid), version, ip, port, ip_type, 4.into()],
                event: "AxonServed",
                said: vec![netuid_of(netuid), Datum::Account(net.account(signer))],
            });
        }
    }
    acts
}

/// A validator sets its weights, or commits them.
fn setting(net: &Net, netuid: u16, uid: u16, setting: u32, block: u32) -> Act {
    let signer = Who::Validator { uid };
    if net.commits(netuid) {
        let sealed = sealed(net, netuid, uid, setting);
        let hash = AccountId(blake2_256(&sealed).0);
        return Act {
            signer,
            call: "commit_timelocked_weights",
            args: vec![
                netuid_of(netuid),
                Datum::Bytes(sealed),
                round(block).into(),
                4.into(),
            ],
            event: "TimelockedWeightsCommitted",
            said: vec![
                Datum::Account(net.account(signer)),
                netuid_of(netuid),
                Datum::Account(hash),
                round(block).into(),
            ],
        };
    }
    let row = net.weights(netuid, uid, setting);
    let part = |pick: fn(&(u16, u16)) -> u16| row.iter().map(|p| u64::from(pick(p))).collect();
    Act {
        signer,
        call: "set_weights",
        args: vec![
            netuid_of(netuid),
            Datum::Numbers(part(|p| p.0)),
            Datum::Numbers(part(|p| p.1)),
            1_040.into(),
        ],
        event: "WeightsSet",
        said: vec![netuid_of(netuid), u64::from(uid).into()],
    }
}

fn netuid_of(netuid: u16) -> Datum {
    u64::from(netuid).into()
}

fn weight() -> Datum {
    Datum::Fields(vec![(
        "weight",
        Datum::Fields(vec![
            ("ref_time", 1_204_918_000.into()),
            ("proof_size", 6_213.into()),
        ]),
    )])
}

/// Sixty-four bytes that nobody could have signed.
fn signature(net: &Net, block: u32, index: u32, who: &AccountId) -> [u8; 64] {
    let mut about = who.0.to_vec();
    about.extend_from_slice(&block.to_le_bytes());
    about.extend_from_slice(&index.to_le_bytes());
    let mut out = [0; 64];
    let (first, second) = out.split_at_mut(32);
    first.copy_from_slice(&keyed(net.config.seed, &about));
    about.push(1);
    second.copy_from_slice(&keyed(net.config.seed, &about));
    out
}
