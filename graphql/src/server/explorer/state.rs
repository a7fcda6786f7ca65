//! Subnets, neurons, weights and runtimes at the highest stored block.

use std::collections::HashMap;

use chain_metadata::{AccountId, BlockNumber, MechId, NetUid, Uid};
use serde_json::Value;

use super::shape::{
    AxonRow, Listed, NeuronRow, RuntimeRow, SubnetRow, WeightRow, WeightsRow, Window, share, time,
};
use crate::ports::{ManifestFit, Neuron, Reader, StakeOf, Subnet};
use crate::server::reads::{No, nothing, out_of_range, stamp};

/// Blocks of a day, by which the explorer reckons.
const BLOCKS_OF_A_DAY: u128 = 7200;

/// The highest stored block and its time.
fn latest(reader: &dyn Reader) -> Result<(BlockNumber, Option<String>), No> {
    let status = reader.status()?;
    match status.last {
        Some(last) => Ok((last, status.last_timestamp_ms.map(time))),
        None => Err(out_of_range(reader, "head")),
    }
}

fn no_subnet(netuid: NetUid, block: BlockNumber) -> No {
    nothing(format!(
        "there is no subnet {netuid} at block {block}; see /api/subnet/latest/v1"
    ))
}

fn neurons(reader: &dyn Reader, block: BlockNumber, netuid: NetUid) -> Result<Vec<Neuron>, No> {
    let found = reader.metagraphs(&[(block, netuid, MechId(0))])?;
    let found = found.into_iter().next().flatten();
    let found = found.ok_or_else(|| no_subnet(netuid, block))?;
    Ok(found.neurons)
}

/// A storage item of a subnet.
fn item<'a>(subnet: &'a Subnet, name: &str) -> Option<&'a Value> {
    let found = subnet.items.iter().find(|item| item.name == name)?;
    found.value.as_ref()
}

/// As a number, whatever its width.
fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::String(digits) => digits.parse().ok(),
        value => value.as_u64(),
    }
}

pub(super) fn metagraph(
    reader: &dyn Reader,
    netuid: NetUid,
    uid: Option<u16>,
    window: Window,
) -> Result<Listed<NeuronRow>, No> {
    let (block, timestamp) = latest(reader)?;
    let subnet = reader.subnet(&[(block, netuid)])?.into_iter().next();
    let subnet = subnet.flatten().ok_or_else(|| no_subnet(netuid, block))?;
    let mut all = neurons(reader, block, netuid)?;
    all.retain(|neuron| uid.is_none_or(|uid| neuron.uid == Uid(uid)));
    let page = window.cut(all);
    let stakes = stakes(reader, block, page.data.iter().map(|neuron| neuron.hotkey))?;
    let immunity = item(&subnet, "ImmunityPeriod").and_then(whole);
    let page = page.map(|neuron| {
        let stake = stakes.as_ref();
        let stake = stake.map(|all| all.get(&neuron.hotkey).copied().unwrap_or(0));
        row(
            neuron,
            (netuid, block, &timestamp),
            &subnet,
            stake,
            immunity,
        )
    });
    Ok(page)
}

fn row(
    neuron: Neuron,
    (netuid, block, timestamp): (NetUid, BlockNumber, &Option<String>),
    subnet: &Subnet,
    stake: Option<u128>,
    immunity: Option<u64>,
) -> NeuronRow {
    let since = |height: u64| u64::from(block).saturating_sub(height);
    let daily = |emission: u64| {
        let tempo = u128::from(subnet.tempo?);
        let day = u128::from(emission).checked_mul(BLOCKS_OF_A_DAY)?;
        Some(day.checked_div(tempo)?.to_string())
    };
    let immune = |registered: u64| Some(since(registered) < immunity?);
    NeuronRow {
        hotkey: neuron.hotkey.into(),
        coldkey: neuron.coldkey.map(Into::into),
        netuid: netuid.0,
        uid: neuron.uid.0,
        block_number: block,
        timestamp: timestamp.clone(),
        stake: stake.map(|stake| stake.to_string()),
        trust: neuron.trust.map(share),
        validator_trust: neuron.validator_trust.map(share),
        consensus: neuron.consensus.map(share),
        incentive: neuron.incentive.map(share),
        dividends: neuron.dividends.map(share),
        emission: neuron.emission.map(|emission| emission.to_string()),
        active: neuron.active,
        validator_permit: neuron.validator_permit,
        updated: neuron.last_update.map(since),
        daily_reward: neuron.emission.and_then(daily),
        registered_at_block: neuron.block_at_registration,
        is_immunity_period: neuron.block_at_registration.and_then(immune),
        rank: None,
        is_child_key: None,
        axon: neuron.axon.map(|axon| AxonRow {
            block: axon.block,
            ip: axon.ip_text,
            ip_type: axon.ip_type,
            placeholder1: axon.placeholder1,
            placeholder2: axon.placeholder2,
            port: axon.port,
            protocol: axon.protocol,
            version: axon.version,
        }),
    }
}

/// Whether stake on a hotkey is one number in a runtime: it keeps rao by hotkey and coldkey
/// (`Stake`), and subnets have no tokens.
fn keeps_rao(reader: &dyn Reader, block: BlockNumber) -> Result<bool, No> {
    let spec = stamp(reader, block)?.spec_version;
    let manifest = reader.manifest(spec)?.unwrap_or_default();
    let has = |entry: &str| {
        let mut lines = manifest.iter();
        lines.any(|line| line.entry == entry && line.fit != ManifestFit::Gone)
    };
    Ok(has("Stake") && !has("Alpha") && !has("AlphaV2"))
}

/// All stake on each hotkey, in runtimes where that is one number; `None` in others. What is not
/// told of a hotkey is 0.
fn stakes(
    reader: &dyn Reader,
    block: BlockNumber,
    hotkeys: impl Iterator<Item = AccountId>,
) -> Result<Option<HashMap<AccountId, u128>>, No> {
    if !keeps_rao(reader, block)? {
        return Ok(None);
    }
    let mut all = HashMap::new();
    for hotkey in hotkeys {
        let rows = reader.stake(block, StakeOf::Hotkey(hotkey), None)?;
        let amounts = rows.iter().map(|row| row.value.as_ref().and_then(whole));
        let sum = amounts.map(|amount| amount.map(u128::from));
        let Some(sum) = sum.sum::<Option<u128>>() else {
            return Ok(None);
        };
        all.insert(hotkey, sum);
    }
    Ok(Some(all))
}

pub(super) fn weights(
    reader: &dyn Reader,
    netuid: NetUid,
    uid: Option<u16>,
    window: Window,
) -> Result<Listed<WeightsRow>, No> {
    let (block, timestamp) = latest(reader)?;
    let holders: HashMap<Uid, AccountId> = neurons(reader, block, netuid)?
        .into_iter()
        .map(|neuron| (neuron.uid, neuron.hotkey))
        .collect();
    let rows = reader.weights(&[(block, netuid, MechId(0))])?;
    let mut rows = rows.into_iter().next().flatten().unwrap_or_default();
    rows.retain(|row| uid.is_none_or(|uid| row.uid == Uid(uid)));
    Ok(window.cut(rows).map(|row| {
        let entries = row.entries.into_iter();
        let entries = entries.map(|(uid, value)| WeightRow {
            uid,
            weight: share(value),
        });
        WeightsRow {
            hotkey: holders.get(&row.uid).copied().map(Into::into),
            uid: row.uid.0,
            netuid: netuid.0,
            block_number: block,
            timestamp: timestamp.clone(),
            weights: entries.collect(),
        }
    }))
}

pub(super) fn subnets(
    reader: &dyn Reader,
    netuid: Option<NetUid>,
    window: Window,
) -> Result<Listed<SubnetRow>, No> {
    let (block, timestamp) = latest(reader)?;
    let mut all = reader
        .subnets(&[block])?
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
    all.retain(|each| netuid.is_none_or(|netuid| *each == netuid));
    let page = window.cut(all);
    let keys: Vec<_> = page.data.iter().map(|netuid| (block, *netuid)).collect();
    let graphs: Vec<_> = keys
        .iter()
        .map(|(block, netuid)| (*block, *netuid, MechId(0)))
        .collect();
    let permits: Vec<Option<u64>> = reader
        .metagraphs(&graphs)?
        .into_iter()
        .map(|graph| {
            let permits = graph?
                .neurons
                .into_iter()
                .map(|neuron| neuron.validator_permit);
            let permits: Option<Vec<bool>> = permits.collect();
            let permits = permits?.into_iter().filter(|permit| *permit).count();
            u64::try_from(permits).ok()
        })
        .collect();
    let found = reader.subnet(&keys)?;
    let registered: Vec<BlockNumber> = found
        .iter()
        .flatten()
        .filter_map(|subnet| BlockNumber::try_from(subnet.registered_at?).ok())
        .collect();
    let times: HashMap<u64, String> = reader
        .blocks(&registered)?
        .into_iter()
        .flatten()
        .filter_map(|block| Some((u64::from(block.number), time(block.timestamp_ms?))))
        .collect();
    let rows = found.iter().zip(permits).filter_map(|(subnet, permits)| {
        let subnet = subnet.as_ref()?;
        Some(SubnetRow {
            block_number: block,
            timestamp: timestamp.clone(),
            validators: permits,
            registration_timestamp: subnet.registered_at.and_then(|at| times.get(&at).cloned()),
            ..subnet_row(subnet)
        })
    });
    let rows = rows.collect();
    Ok(page.with(rows))
}

fn subnet_row(subnet: &Subnet) -> SubnetRow {
    let number = |name: &str| item(subnet, name).and_then(whole);
    let digits = |name: &str| match item(subnet, name)? {
        Value::String(digits) => Some(digits.clone()),
        value => Some(value.as_u64()?.to_string()),
    };
    let since = subnet.blocks_since_last_step;
    SubnetRow {
        netuid: subnet.netuid.0,
        owner: subnet.owner.map(Into::into),
        registration_block_number: subnet.registered_at,
        registration_cost: digits("SubnetLocked"),
        neuron_registration_cost: digits("Burn"),
        max_neurons: number("MaxAllowedUids"),
        modality: number("NetworkModality"),
        emission: digits("EmissionValues"),
        rho: number("Rho"),
        kappa: number("Kappa"),
        immunity_period: number("ImmunityPeriod"),
        min_allowed_weights: number("MinAllowedWeights"),
        max_weights_limit: number("MaxWeightsLimit"),
        tempo: subnet.tempo.map(u64::from),
        min_difficulty: digits("MinDifficulty"),
        max_difficulty: digits("MaxDifficulty"),
        weights_version: digits("WeightsVersionKey"),
        weights_rate_limit: digits("WeightsSetRateLimit"),
        adjustment_interval: number("AdjustmentInterval"),
        activity_cutoff: number("ActivityCutoff"),
        registration_allowed: item(subnet, "NetworkRegistrationAllowed").and_then(Value::as_bool),
        target_regs_per_interval: number("TargetRegistrationsPerInterval"),
        min_burn: digits("MinBurn"),
        max_burn: digits("MaxBurn"),
        bonds_moving_avg: digits("BondsMovingAverage"),
        max_regs_per_block: number("MaxRegistrationsPerBlock"),
        serving_rate_limit: digits("ServingRateLimit"),
        max_validators: number("MaxAllowedValidators"),
        adjustment_alpha: digits("AdjustmentAlpha"),
        difficulty: digits("Difficulty"),
        blocks_since_last_step: since,
        blocks_until_next_epoch: subnet
            .tempo
            .zip(since)
            .map(|(tempo, since)| u64::from(tempo).saturating_sub(since)),
        recycled_lifetime: digits("RAORecycledForRegistration"),
        ..SubnetRow::default()
    }
}

pub(super) fn runtimes(reader: &dyn Reader, window: Window) -> Result<Listed<RuntimeRow>, No> {
    let mut all = reader.runtimes()?;
    all.reverse();
    let page = window.cut(all);
    let firsts: Vec<_> = page
        .data
        .iter()
        .map(|runtime| runtime.first_block)
        .collect();
    let blocks = reader.blocks(&firsts)?;
    let rows = page.data.iter().zip(blocks);
    let rows = rows.map(|(runtime, block)| RuntimeRow {
        block_number: runtime.first_block,
        timestamp: block.and_then(|block| block.timestamp_ms).map(time),
        runtime_version: runtime.spec_version,
    });
    let rows = rows.collect();
    Ok(page.with(rows))
}
