//! Answers about a subnet: its values, and vectors over its neurons.

use chain_metadata::{MechId, Value};
use indexer::view::{self, Neuron};
use parity_scale_codec::{Compact, Decode};

use super::{Asked, Seen, not_covered};

/// The item that a field shows as it is.
fn item_of(field: &str) -> Option<&'static str> {
    Some(match field {
        "activity_cutoff" => "ActivityCutoff",
        "adjustment_alpha" => "AdjustmentAlpha",
        "adjustment_interval" => "AdjustmentInterval",
        "alpha_in_emission" => "SubnetAlphaInEmission",
        "alpha_out" => "SubnetAlphaOut",
        "alpha_out_emission" => "SubnetAlphaOutEmission",
        "bonds_moving_avg" => "BondsMovingAverage",
        "burn" => "Burn",
        "commit_reveal_period" => "RevealPeriodEpochs",
        "commit_reveal_weights_enabled" => "CommitRevealWeightsEnabled",
        "difficulty" => "Difficulty",
        "emission_values" => "EmissionValues",
        "immunity_period" => "ImmunityPeriod",
        "kappa" => "Kappa",
        "last_step" => "LastMechansimStepBlock",
        "liquid_alpha_enabled" => "LiquidAlphaOn",
        "max_allowed_uids" | "max_uids" => "MaxAllowedUids",
        "max_allowed_validators" | "max_validators" => "MaxAllowedValidators",
        "max_burn" => "MaxBurn",
        "max_difficulty" => "MaxDifficulty",
        "max_regs_per_block" => "MaxRegistrationsPerBlock",
        "max_weights_limit" => "MaxWeightsLimit",
        "min_allowed_weights" => "MinAllowedWeights",
        "min_burn" => "MinBurn",
        "min_difficulty" => "MinDifficulty",
        "network_modality" => "NetworkModality",
        "network_registered_at" => "NetworkRegisteredAt",
        "num_uids" | "subnetwork_n" => "SubnetworkN",
        "owner" | "owner_coldkey" => "SubnetOwner",
        "owner_hotkey" => "SubnetOwnerHotkey",
        "pending_alpha_emission" => "PendingEmission",
        "pending_root_emission" => "PendingRootDivs",
        "pow_registration_allowed" => "NetworkPowRegistrationAllowed",
        "registration_allowed" => "NetworkRegistrationAllowed",
        "rho" => "Rho",
        "scaling_law_power" => "ScalingLawPower",
        "serving_rate_limit" => "ServingRateLimit",
        "subnet_volume" => "SubnetVolume",
        "symbol" | "token_symbol" => "TokenSymbol",
        "tao_in_emission" => "SubnetTaoInEmission",
        "target_regs_per_interval" => "TargetRegistrationsPerInterval",
        "synergy_scaling_law_power" => "SynergyScalingLawPower",
        "tempo" => "Tempo",
        "validator_batch_size" => "ValidatorBatchSize",
        "validator_epoch_length" => "ValidatorEpochLen",
        "validator_epochs_per_reset" => "ValidatorEpochsPerReset",
        "validator_sequence_length" => "ValidatorSequenceLength",
        "weights_rate_limit" => "WeightsSetRateLimit",
        "weights_version" => "WeightsVersionKey",
        _ => return None,
    })
}

/// How a field of a vector over neurons is found in a neuron.
fn of_neuron(field: &str) -> Option<fn(&Neuron, &Value) -> bool> {
    Some(match field {
        "hotkeys" => |n, v| v.as_account() == Some(n.hotkey),
        "coldkeys" => |n, v| v.as_account().is_some() && v.as_account() == n.coldkey,
        "active" => |n, v| v.as_bool().is_some() && v.as_bool() == n.active,
        "validator_permit" => |n, v| v.as_bool().is_some() && v.as_bool() == n.validator_permit,
        "pruning_score" => |n, v| v.as_u16().is_some() && v.as_u16() == n.pruning_score,
        "last_update" => |n, v| v.as_u64().is_some() && v.as_u64() == n.last_update,
        "emission" => |n, v| v.as_u64().is_some() && v.as_u64() == n.emission,
        "dividends" => |n, v| v.as_u16().is_some() && v.as_u16() == n.dividends,
        "incentives" => |n, v| v.as_u16().is_some() && v.as_u16() == n.incentive,
        "consensus" => |n, v| v.as_u16().is_some() && v.as_u16() == n.consensus,
        "trust" => |n, v| v.as_u16().is_some() && v.as_u16() == n.trust,
        "rank" => |n, v| v.as_u16().is_some() && v.as_u16() == n.rank,
        "block_at_registration" => {
            |n, v| v.as_u64().is_some() && v.as_u64() == n.block_at_registration
        }
        _ => return None,
    })
}

/// Two values that mean the same: numbers of any width, text as bytes, or equal.
fn same(told: &Value, stored: &Value) -> bool {
    let bytes = |v: &Value| -> Option<Vec<u8>> {
        let items = || v.items().iter().map(|i| i.as_u128()?.try_into().ok());
        match v {
            Value::Seq(_) => items().collect(),
            _ => v.as_bytes().map(<[u8]>::to_vec),
        }
    };
    match (told.as_u128(), stored.as_u128()) {
        (Some(a), Some(b)) => a == b,
        (None, None) => told == stored || (bytes(told).is_some() && bytes(told) == bytes(stored)),
        _ => false,
    }
}

/// Every field of an answer that metadata describes.
pub(super) fn fields(asked: &Asked<'_>, seen: &mut Seen) {
    let value = asked.value();
    assert!(value.fields().len() > 10, "{}", asked.place("fields"));
    let neurons = view::metagraph(asked.store, &asked.at, asked.netuid, MechId(0))
        .unwrap()
        .unwrap();
    for (name, told) in value.fields() {
        let name = name.as_deref().unwrap();
        if not_covered(&asked.method, name) {
            if name == "alpha_stake" {
                without_kin(asked, told, &neurons);
            }
            continue;
        }
        one(asked, name, told, &neurons);
        seen.compared(&asked.method, name);
    }
}

fn one(asked: &Asked<'_>, name: &str, told: &Value, neurons: &[Neuron]) {
    let place = asked.place(name);
    let netuid = asked.netuid.0.to_le_bytes();
    if let Some(matches) = of_neuron(name).filter(|_| matches!(told, Value::Seq(_))) {
        assert_eq!(told.items().len(), neurons.len(), "{place}");
        for (told, neuron) in told.items().iter().zip(neurons) {
            assert!(
                matches(neuron, told),
                "{place} uid {}: {told:?}",
                neuron.uid
            );
        }
        return;
    }
    match name {
        // The entry is gone in this runtime, the field stayed.
        "emission_values" if asked.at.layout.find("EmissionValues").is_none() => {
            assert_eq!(told.as_u128(), Some(0), "{place}");
        }
        "netuid" => assert_eq!(told.as_u16(), Some(asked.netuid.0), "{place}"),
        "block" => assert_eq!(told.as_u128(), Some(asked.at.number.into()), "{place}"),
        // Root has no epochs in this runtime and nothing is stored; these answers
        // count from block 0, `get_subnet_info` does not.
        "blocks_since_last_step" if asked.netuid.0 == 0 && asked.method != "get_subnet_info" => {
            assert_eq!(asked.number("BlocksSinceLastStep"), 0, "{place}");
            assert_eq!(told.as_u128(), Some(asked.at.number.into()), "{place}");
        }
        "blocks_since_last_step" => {
            let served = asked.number("BlocksSinceLastStep");
            assert_eq!(told.as_u128(), Some(served), "{place}");
        }
        // The runtime adds what its swap holds to the reserves.
        "alpha_in" | "tao_in" => {
            let (reserve, provided) = match name {
                "alpha_in" => ("SubnetAlphaIn", "SubnetAlphaInProvided"),
                _ => ("SubnetTAO", "SubnetTaoProvided"),
            };
            let served = asked.number(reserve) + asked.number(provided);
            if asked.at.number == 140 && served == 1_000_000_000_000_000 {
                // The recorder set the reserves back at the end of this block, after
                // it had asked; `state` shows that the store has what was recorded.
                return;
            }
            assert_eq!(told.as_u128(), Some(served), "{place}");
        }
        "alpha_low" | "alpha_high" => {
            let pair = asked.item("AlphaValues");
            let [low, high] = pair.items() else {
                panic!("{place}: {pair:?}")
            };
            let wanted = if name == "alpha_low" { low } else { high };
            assert_eq!(told.as_u16(), wanted.as_u16(), "{place}");
            assert!(told.as_u16().is_some(), "{place}");
        }
        "moving_price" => {
            let served = asked.item("SubnetMovingPrice");
            assert!(told.field("bits").is_some(), "{place}: {told:?}");
            assert_eq!(told.field("bits"), served.field("bits"), "{place}");
        }
        "subnet_identity" | "identity" => {
            let served = asked.held("SubnetIdentitiesV3", &[&netuid]);
            assert_eq!(told.as_option().unwrap(), served.as_ref(), "{place}");
        }
        "identities" => {
            assert_eq!(told.items().len(), neurons.len(), "{place}");
            for (told, neuron) in told.items().iter().zip(neurons) {
                let coldkey = neuron.coldkey.unwrap();
                let served = asked.held("IdentitiesV2", &[&coldkey.0]);
                assert_eq!(told.as_option().unwrap(), served.as_ref(), "{place}");
            }
        }
        "axons" => {
            for (told, neuron) in told.items().iter().zip(neurons) {
                for (field, value) in told.fields() {
                    // Who serves nothing is answered with zeros.
                    let served = neuron.axon.as_ref();
                    let served = served.map_or(Some(0), |axon| {
                        axon.field(field.as_deref().unwrap()).unwrap().as_u128()
                    });
                    assert_eq!(value.as_u128(), served, "{place} uid {}", neuron.uid);
                }
            }
        }
        "tao_dividends_per_hotkey" | "alpha_dividends_per_hotkey" => {
            let entry = match name {
                "tao_dividends_per_hotkey" => "TaoDividendsPerSubnet",
                _ => "AlphaDividendsPerSubnet",
            };
            assert_eq!(told.items().len(), neurons.len(), "{place}");
            for (told, neuron) in told.items().iter().zip(neurons) {
                let [hotkey, amount] = told.items() else {
                    panic!("{place}: {told:?}")
                };
                assert_eq!(hotkey.as_account(), Some(neuron.hotkey), "{place}");
                let served = asked.held(entry, &[&netuid, &neuron.hotkey.0]).unwrap();
                assert!(same(amount, &served), "{place}: {amount:?} {served:?}");
            }
        }
        _ => {
            let entry =
                item_of(name).unwrap_or_else(|| panic!("nobody compares {place}: {told:?}"));
            let served = asked.item(entry);
            assert!(same(told, &served), "{place}: {told:?}, stored {served:?}");
        }
    }
}

/// A hotkey without parents and children has the stake that is its own.
fn without_kin(asked: &Asked<'_>, told: &Value, neurons: &[Neuron]) {
    let netuid = asked.netuid.0.to_le_bytes();
    assert_eq!(told.items().len(), neurons.len());
    for (told, neuron) in told.items().iter().zip(neurons) {
        let keys: [&[u8]; 2] = [&neuron.hotkey.0, &netuid];
        let kin = ["ParentKeys", "ChildKeys"]
            .iter()
            .any(|entry| !asked.held(entry, &keys).unwrap().items().is_empty());
        if kin {
            continue;
        }
        let own = asked.held("TotalHotkeyAlpha", &keys).unwrap();
        let place = asked.place("alpha_stake");
        assert!(
            same(told, &own),
            "{place} uid {}: {told:?} {own:?}",
            neuron.uid
        );
    }
}

/// `SubnetInfo` of runtimes 103 and 119.
#[derive(Debug, Decode)]
struct OldInfo {
    netuid: Compact<u16>,
    rho: Compact<u16>,
    kappa: Compact<u16>,
    difficulty: Compact<u64>,
    immunity_period: Compact<u16>,
    validator_batch_size: Compact<u16>,
    validator_sequence_length: Compact<u16>,
    validator_epochs_per_reset: Compact<u16>,
    validator_epoch_length: Compact<u16>,
    max_allowed_validators: Compact<u16>,
    min_allowed_weights: Compact<u16>,
    max_weights_limit: Compact<u16>,
    scaling_law_power: Compact<u16>,
    synergy_scaling_law_power: Compact<u16>,
    subnetwork_n: Compact<u16>,
    max_allowed_uids: Compact<u16>,
    blocks_since_last_step: Compact<u64>,
    tempo: Compact<u16>,
    network_modality: Compact<u16>,
    network_connect: Vec<[u16; 2]>,
    emission_values: Compact<u64>,
    burn: Compact<u64>,
}

/// `get_subnet_info` before metadata described it.
pub(super) fn old_info(asked: &Asked<'_>, seen: &mut Seen) {
    // Optional, and wrapped into bytes.
    let wrapped = Vec::<u8>::decode(&mut asked.result.as_slice());
    let bytes = wrapped.unwrap_or_else(|_| asked.result.clone());
    let mut input = bytes.as_slice();
    let told = OldInfo::decode(&mut input).unwrap();
    assert!(input.is_empty(), "{} bytes left", input.len());
    assert_eq!(told.netuid.0, asked.netuid.0);
    assert_eq!(told.network_connect, Vec::<[u16; 2]>::new());
    for (field, value) in [
        ("rho", told.rho.0.into()),
        ("kappa", told.kappa.0.into()),
        ("difficulty", told.difficulty.0),
        ("immunity_period", told.immunity_period.0.into()),
        (
            "max_allowed_validators",
            told.max_allowed_validators.0.into(),
        ),
        ("min_allowed_weights", told.min_allowed_weights.0.into()),
        ("max_weights_limit", told.max_weights_limit.0.into()),
        ("scaling_law_power", told.scaling_law_power.0.into()),
        (
            "synergy_scaling_law_power",
            told.synergy_scaling_law_power.0.into(),
        ),
        ("validator_batch_size", told.validator_batch_size.0.into()),
        (
            "validator_sequence_length",
            told.validator_sequence_length.0.into(),
        ),
        (
            "validator_epochs_per_reset",
            told.validator_epochs_per_reset.0.into(),
        ),
        (
            "validator_epoch_length",
            told.validator_epoch_length.0.into(),
        ),
        ("subnetwork_n", told.subnetwork_n.0.into()),
        ("max_allowed_uids", told.max_allowed_uids.0.into()),
        ("tempo", told.tempo.0.into()),
        ("network_modality", told.network_modality.0.into()),
        ("emission_values", told.emission_values.0),
        ("burn", told.burn.0),
        ("blocks_since_last_step", told.blocks_since_last_step.0),
    ] {
        let entry = item_of(field).unwrap_or("BlocksSinceLastStep");
        let place = asked.place(field);
        assert_eq!(u128::from(value), asked.number(entry), "{place}");
        seen.compared(&asked.method, field);
    }
}
