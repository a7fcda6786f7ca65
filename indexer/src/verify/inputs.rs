//! What an epoch read, out of the store: the parent's state, corrected by what the runtime itself
//! does before the epoch in the same block.

use chain_metadata::{AccountId, BlockNumber, Event, MechId, NetUid, Phase, Value, storage_index};
use scoring::yuma::commits::EpochClock;
use scoring::yuma::rules::{
    ActivityRule, BondWeights, CommitMask, LiquidAlpha, RegistrationGate, Reveals, RootEpoch,
};
use scoring::yuma::{EpochInputs, Hyperparameters, Knowledge, Row, YumaRules};

use super::commits::Queues;
use super::emission::{Drained, drained};
use super::reads::{Gap, State, missing};
use super::stake::Sources;
use crate::items::PALLET;
use crate::store::{Store, StoreError};
use crate::view::{self, At};

/// The inputs of all mechanisms of a subnet in one block.
#[derive(Debug, Clone)]
pub struct Assembled {
    /// The subnet.
    pub netuid: NetUid,
    /// The block in which the epoch ran.
    pub block: BlockNumber,
    /// How well the rules of the runtime are known.
    pub knowledge: Knowledge,
    /// Inputs of each mechanism, in order, without the amount to distribute.
    pub mechanisms: Vec<EpochInputs<'static>>,
    /// The amount to distribute.
    pub drained: Drained,
    /// `MechanismEmissionSplit`, where it is stored.
    pub split: Option<Vec<u16>>,
    /// Hotkeys by uid.
    pub hotkeys: Vec<Option<AccountId>>,
    /// Inputs of which the store has the likeliest value but no proof. When the results are those
    /// of the chain to the last bit, they were right; otherwise they are what is missing.
    pub doubts: Vec<String>,
}

/// The two states around a block, and its events.
pub(super) struct Around {
    /// The block in which the epoch runs. In a forecast it is the one above the highest stored
    /// block, whose state stands on both sides.
    pub(super) block: BlockNumber,
    pub(super) before: At,
    pub(super) after: At,
    pub(super) events: Vec<Event>,
}

/// Both states, where both blocks are stored.
pub(super) fn around(store: &Store, block: BlockNumber) -> Result<Around, Gap> {
    let Some(after) = view::at(store, block)? else {
        return missing(format!("block {block} is not stored"));
    };
    let Some(parent) = block.checked_sub(1) else {
        return missing("block 0 has no parent");
    };
    let Some(before) = view::at(store, parent)? else {
        return missing(format!("block {parent} is not stored"));
    };
    let events = view::events(store, &after)?;
    Ok(Around {
        block,
        before,
        after,
        events,
    })
}

/// The inputs of the epochs that ran for a subnet in a block.
///
/// # Errors
/// [`Gap`]: what is missing, by name; nothing is replaced by a default that the chain does not define.
pub fn inputs(store: &Store, netuid: NetUid, block: BlockNumber) -> Result<Assembled, Gap> {
    let around = around(store, block)?;
    assemble(store, &around, netuid)
}

/// The inputs that the epochs of a subnet would have in the block after the highest stored one, if
/// nothing happened in it but the epoch: no call, no reveal, no emission.
///
/// # Errors
/// As [`inputs`]; also when nothing is stored.
pub fn forecast(store: &Store, netuid: NetUid) -> Result<Assembled, Gap> {
    let tip = store.checkpoint()?.ok_or(StoreError::Empty)?.last;
    let Some(before) = view::at(store, tip)? else {
        return missing(format!("block {tip} is not stored"));
    };
    let around = Around {
        block: tip.saturating_add(1),
        after: before.clone(),
        before,
        events: Vec::new(),
    };
    let mut assembled = assemble(store, &around, netuid)?;
    assembled.drained = Drained::Unknown("the block of a forecast has drained nothing".into());
    Ok(assembled)
}

pub(super) fn assemble(store: &Store, around: &Around, netuid: NetUid) -> Result<Assembled, Gap> {
    let block = around.block;
    let spec = around.after.row.spec;
    let before = State {
        store,
        at: &around.before,
    };
    let after = State {
        store,
        at: &around.after,
    };
    let (rules, knowledge) = rules_of(store, around, netuid)?;
    if !view::exists(store, &around.before, netuid)? {
        return missing(format!("subnet {netuid} did not exist at the parent"));
    }
    let net = netuid.0;
    let key = net.to_le_bytes();
    if rules.registration_gate == RegistrationGate::SlotConsumed
        && before.read("NetworkRegistrationAllowed", &[&key], Value::as_bool)? == Some(false)
    {
        return Err(Gap::NotRun(
            "registrations are off: the runtime uses up the slot without an epoch".into(),
        ));
    }
    let n = before.need("SubnetworkN", &[&key], Value::as_u16)?;
    let hotkeys = before.hotkeys(net, n)?;
    if rules.needs_unique_hotkeys {
        let mut seen: Vec<_> = hotkeys.iter().flatten().collect();
        seen.sort();
        if seen.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Gap::NotRun("two uids have the same hotkey".into()));
        }
    }

    let mut doubts = Vec::new();
    if around.before.row.spec != spec {
        doubts.push(format!(
            "the state after the migrations of spec {spec}, which ran in this block before the epoch"
        ));
    }
    let params = hyperparameters(&rules, before, net)?;
    let registered = registrations(before, net, &hotkeys)?;
    let earlier = earlier_epochs(store, around, netuid)?;
    let stake = Sources {
        rules: &rules,
        netuid: net,
        before,
        after,
        events: &around.events,
        hotkeys: &hotkeys,
        earlier: &earlier,
    }
    .totals()?;
    doubts.extend(stake.doubts);
    let owner_uid = owner(&rules, before, after, net, &mut doubts)?;
    let Some(permits) = before.vector("ValidatorPermit", net, Value::as_bool)? else {
        return missing("ValidatorPermit is not in the runtime");
    };
    let last_step_block = before.number("LastMechansimStepBlock", net)?.unwrap_or(0);

    let count = match rules.mechanisms {
        true => before
            .read("MechanismCountCurrent", &[&key], Value::as_u8)?
            .unwrap_or(1)
            .max(1),
        false => 1,
    };
    let mut mechanisms = Vec::with_capacity(usize::from(count));
    for mechanism in 0..count {
        let mechanism = MechId(mechanism);
        let Some(index) = storage_index(netuid, mechanism) else {
            return missing(format!(
                "the storage index of mechanism {mechanism} of subnet {netuid}"
            ));
        };
        let matrix = |at: &At, entry: &str| -> Result<Vec<view::Row>, Gap> {
            match view::rows(store, at, entry, netuid, mechanism)? {
                Some(rows) => Ok(rows),
                None => missing(format!(
                    "{entry} of mechanism {mechanism} at block {}",
                    at.number
                )),
            }
        };
        let weights = weights(&rules, around, index, n, &matrix, &mut doubts)?;
        let bonds = owned(matrix(&around.before, "Bonds")?);
        let Some(last_update) = before.vector("LastUpdate", index, Value::as_u64)? else {
            return missing("LastUpdate is not in the runtime");
        };
        let commit_blocks = if rules.commit_mask == CommitMask::None || !params.commit_reveal {
            Vec::new()
        } else {
            let clock = clock(&rules, before, net, &params, block)?;
            let queues = Queues {
                rules: &rules,
                clock,
                index,
                before,
                after,
                n,
            };
            let active = queues.active(&registered)?;
            doubts.extend(active.doubts);
            active.blocks
        };
        mechanisms.push(EpochInputs {
            rules,
            params,
            block: u64::from(block),
            n,
            last_update: fitted(last_update, n, rules.pads_last_update).into(),
            block_at_registration: registered.clone().into(),
            last_step_block,
            total_stake: stake.totals.clone().into(),
            owner_uid,
            validator_permit: permits.clone().into(),
            weights,
            bonds,
            commit_blocks: commit_blocks.into(),
            emission: None,
        });
    }
    let split = match rules.mechanisms {
        true => before.stored("MechanismEmissionSplit", &[&key], |value| {
            value.items().iter().map(Value::as_u16).collect()
        })?,
        false => None,
    };
    Ok(Assembled {
        netuid,
        block,
        knowledge,
        mechanisms,
        drained: drained(&rules, net, before, after)?,
        split,
        hotkeys,
        doubts,
    })
}

/// The rules of the runtime that executed the block. Two spec versions were used by builds that
/// differ; those are told apart by what is stored.
fn rules_of(store: &Store, around: &Around, netuid: NetUid) -> Result<(YumaRules, Knowledge), Gap> {
    let spec = around.after.row.spec;
    let known = YumaRules::for_spec(spec).zip(YumaRules::is_known(spec));
    let Some((mut rules, knowledge)) = known else {
        return Err(Gap::Rules(format!(
            "no chain ran spec {spec} before {}",
            YumaRules::FIRST_SPEC
        )));
    };
    if netuid.0 == 0 && rules.root != RootEpoch::Subnet {
        return Err(Gap::Rules(format!(
            "the epoch of the root network of spec {spec} is of a kind of its own"
        )));
    }
    // The mask needs the block of a commit in the queue; a build of a later number whose queues
    // have none is without it.
    let has = |entry| {
        let metadata = &around.after.layout.metadata;
        metadata.storage(PALLET, entry).is_some()
    };
    if rules.commit_mask == CommitMask::ByBlock
        && !has("CRV3WeightCommitsV2")
        && !has("TimelockedWeightCommits")
    {
        rules.commit_mask = CommitMask::None;
    }
    // The first build of spec 120 did not scale bonds: no column of them reaches the end.
    if spec == 120 {
        let rows = view::rows(store, &around.after, "Bonds", netuid, MechId(0))?;
        let greatest = rows
            .iter()
            .flatten()
            .flat_map(|(_, _, entries)| entries.iter().map(|(_, value)| *value))
            .max();
        if greatest.is_some_and(|value| value > 0 && value < u16::MAX) {
            rules.raw_u16_inputs = false;
            rules.upscales_bonds = false;
        }
    }
    Ok((rules, knowledge))
}

fn hyperparameters(
    rules: &YumaRules,
    before: State<'_>,
    netuid: u16,
) -> Result<Hyperparameters, Gap> {
    let key = netuid.to_le_bytes();
    let key: [&[u8]; 1] = [&key];
    let share = |entry| before.need(entry, &key, Value::as_u16);
    let flag = |entry| before.need(entry, &key, Value::as_bool);
    // What the rules do not read keeps the value that means nothing to them.
    let mut params = rules.defaults().params;
    params.tempo = share("Tempo")?;
    match rules.activity {
        ActivityRule::Blocks => params.activity_cutoff = share("ActivityCutoff")?,
        ActivityRule::FactorMilli => {
            params.activity_cutoff_factor_milli =
                before.need("ActivityCutoffFactorMilli", &key, Value::as_u32)?;
        }
    }
    params.max_validators = share("MaxAllowedValidators")?;
    params.kappa = share("Kappa")?;
    params.bonds_moving_average = before.need("BondsMovingAverage", &key, Value::as_u64)?;
    if rules.stake_threshold {
        params.stake_threshold = before.need("StakeThreshold", &[], Value::as_u64)?;
    }
    if rules.bond_weights == BondWeights::Penalty {
        params.bonds_penalty = share("BondsPenalty")?;
    }
    if rules.yuma3 {
        params.yuma3 = flag("Yuma3On")?;
    }
    if rules.liquid_alpha != LiquidAlpha::None {
        params.liquid_alpha = flag("LiquidAlphaOn")?;
        (params.alpha_low, params.alpha_high) =
            before.need("AlphaValues", &key, |value| match value.items() {
                [low, high] => Some((low.as_u16()?, high.as_u16()?)),
                _ => None,
            })?;
    }
    if let LiquidAlpha::Sigmoid { .. } = rules.liquid_alpha {
        params.alpha_sigmoid_steepness = before.need("AlphaSigmoidSteepness", &key, |value| {
            i32::try_from(value.as_i128()?).ok()
        })?;
    }
    if rules.commit_mask != CommitMask::None {
        params.commit_reveal = flag("CommitRevealWeightsEnabled")?;
    }
    Ok(params)
}

/// `BlockAtRegistration` by uid, 0 for a uid without a key.
fn registrations(
    before: State<'_>,
    netuid: u16,
    hotkeys: &[Option<AccountId>],
) -> Result<Vec<u64>, Gap> {
    let key = netuid.to_le_bytes();
    (0_u16..)
        .zip(hotkeys)
        .map(|(uid, hotkey)| match hotkey {
            None => Ok(0),
            Some(_) => before.need(
                "BlockAtRegistration",
                &[&key, &uid.to_le_bytes()],
                Value::as_u64,
            ),
        })
        .collect()
}

/// Subnets whose epoch ran in the block before that of `netuid`: the chain goes through them in the
/// order of their storage keys.
fn earlier_epochs(store: &Store, around: &Around, netuid: NetUid) -> Result<Vec<u16>, Gap> {
    let mut earlier = Vec::new();
    if around.block != around.after.number {
        return Ok(earlier);
    }
    for other in view::subnets(store, &around.after)? {
        let ran = store.epoch_from(other.0, around.after.number, around.after.number)?;
        if ran.is_some() && other.0.to_le_bytes() < netuid.0.to_le_bytes() {
            earlier.push(other.0);
        }
    }
    Ok(earlier)
}

/// Uid of `SubnetOwnerHotkey`, where the rules know an owner.
fn owner(
    rules: &YumaRules,
    before: State<'_>,
    after: State<'_>,
    netuid: u16,
    doubts: &mut Vec<String>,
) -> Result<Option<u16>, Gap> {
    if !rules.owner_keeps_self_weight {
        return Ok(None);
    }
    let key = netuid.to_le_bytes();
    let of = |state: State<'_>| state.stored("SubnetOwnerHotkey", &[&key], Value::as_account);
    let mut hotkey = of(before)?;
    if rules.owner_may_change {
        let then = of(after)?;
        if then != hotkey {
            doubts.push("SubnetOwnerHotkey, which changed in this block".into());
            hotkey = then;
        }
    }
    let Some(hotkey) = hotkey else {
        return Ok(None);
    };
    before.stored("Uids", &[&key, &hotkey.0], |value| {
        match value.as_option() {
            Some(inner) => inner?.as_u16(),
            None => value.as_u16(),
        }
    })
}

/// Reads the rows of a matrix at one of the two states.
type Matrix<'a> = dyn Fn(&At, &str) -> Result<Vec<view::Row>, Gap> + 'a;

/// Rows of W as the epoch read them: the parent's, but what the chain itself revealed in this block
/// it had set before.
fn weights(
    rules: &YumaRules,
    around: &Around,
    index: u16,
    n: u16,
    matrix: &Matrix<'_>,
    doubts: &mut Vec<String>,
) -> Result<Vec<Row<'static>>, Gap> {
    let mut rows = owned(matrix(&around.before, "Weights")?);
    if rules.reveals == Reveals::Never {
        return Ok(rows);
    }
    let set = |phase: fn(&Phase) -> bool| -> Vec<u16> {
        let ours = around
            .events
            .iter()
            .filter(|e| e.is(PALLET, "WeightsSet") && phase(&e.phase));
        ours.filter(|e| e.field_or("netuid", 0).and_then(Value::as_u16) == Some(index))
            .filter_map(|e| e.field_or("uid", 1).and_then(Value::as_u16))
            .filter(|uid| *uid < n)
            .collect()
    };
    let revealed = set(|phase| matches!(phase, Phase::Initialization));
    if revealed.is_empty() {
        return Ok(rows);
    }
    let called = set(|phase| matches!(phase, Phase::ApplyExtrinsic(_)));
    let after = owned(matrix(&around.after, "Weights")?);
    for uid in revealed {
        if called.contains(&uid) {
            doubts.push(format!(
                "the weights of uid {uid}, revealed in this block and then set again"
            ));
            continue;
        }
        rows.retain(|row| row.uid != uid);
        rows.extend(after.iter().find(|row| row.uid == uid).cloned());
    }
    rows.sort_by_key(|row| row.uid);
    Ok(rows)
}

fn owned(rows: Vec<view::Row>) -> Vec<Row<'static>> {
    rows.into_iter()
        .map(|(uid, _, entries)| Row::owned(uid.0, entries))
        .collect()
}

fn clock(
    rules: &YumaRules,
    before: State<'_>,
    netuid: u16,
    params: &Hyperparameters,
    block: BlockNumber,
) -> Result<EpochClock, Gap> {
    let key = netuid.to_le_bytes();
    let key: [&[u8]; 1] = [&key];
    let epoch_index = match rules.commit_mask {
        CommitMask::ByEpoch => before
            .need("SubnetEpochIndex", &key, Value::as_u64)?
            .saturating_add(1),
        _ => 0,
    };
    Ok(EpochClock {
        rule: rules.commit_mask,
        netuid,
        tempo: params.tempo,
        block: u64::from(block),
        epoch_index,
        reveal_period: before.need("RevealPeriodEpochs", &key, Value::as_u64)?,
    })
}

/// A vector that outlived uids is cut; one that is too short stays so, for the rules to pad or refuse.
fn fitted(mut values: Vec<u64>, n: u16, pads: bool) -> Vec<u64> {
    if pads {
        values.truncate(usize::from(n));
    }
    values
}
