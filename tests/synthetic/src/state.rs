//! What is stored under a key at the end of a block.

use chain_metadata::{AccountId, split_storage_index};

use crate::accounts::{Who, keyed};
use crate::net::Net;
use crate::noise::hash;
use crate::words::Datum;

/// Milliseconds since 1970 at block 0, and between blocks.
const BEGIN_MS: u64 = 1_770_000_000_000;
const BLOCK_MS: u64 = 12_000;

/// `Timestamp.Now` at a block.
pub(crate) fn now(block: u32) -> u64 {
    BEGIN_MS + BLOCK_MS * u64::from(block)
}

/// What a storage item holds; `None` for nothing, and for items this chain does
/// not use. `System.Events` is not here, it is with the bodies.
pub(crate) fn fact(
    net: &Net,
    spec: u32,
    block: u32,
    pallet: &str,
    entry: &str,
    keys: &[&[u8]],
) -> Option<Datum> {
    match (pallet, entry, keys) {
        ("System", "LastRuntimeUpgrade", []) => Some(Datum::Fields(vec![
            ("spec_version", Datum::Number(spec.into())),
            ("spec_name", Datum::Bytes(b"node-subtensor".to_vec())),
        ])),
        ("Timestamp", "Now", []) => Some(now(block).into()),
        ("SubtensorModule", _, []) => global(net, block, entry),
        ("SubtensorModule", _, [a]) => match (short(a), account(a)) {
            (Some(index), _) => one(net, block, entry, index),
            (_, Some(account)) => of_account(net, entry, &account),
            _ => None,
        },
        ("SubtensorModule", _, [a, b]) => two(net, block, entry, a, b),
        ("SubtensorModule", "Alpha", [hot, cold, netuid]) => {
            let (hot, netuid) = (account(hot)?, subnet(net, short(netuid)?)?);
            let Some(who @ Who::Validator { uid }) = net.who(&hot) else {
                return None;
            };
            let its = net.account(who.coldkey()?);
            let whole = || Datum::Number(u128::from(net.staked(netuid, uid, 0)) << 64);
            (uid < net.config.validators && its.0.as_slice() == *cold).then(whole)
        }
        _ => None,
    }
}

/// Which setting or epoch made the row of W or B under a key; `None` for other items.
pub(crate) fn row_version(
    net: &Net,
    block: u32,
    pallet: &str,
    entry: &str,
    keys: &[&[u8]],
) -> Option<u32> {
    if pallet != "SubtensorModule" || !matches!(entry, "Weights" | "Bonds") {
        return None;
    }
    let [index, validator] = keys else {
        return None;
    };
    let (netuid, mechanism) = split_storage_index(short(index)?);
    let netuid = subnet(net, netuid.0).filter(|_| mechanism.0 == 0)?;
    let validator = short(validator).filter(|uid| *uid < net.config.validators)?;
    Some(match entry {
        "Weights" => net.setting_in_force(netuid, validator, block),
        _ => net.epochs(netuid).count(block),
    })
}

fn short(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

fn account(bytes: &[u8]) -> Option<AccountId> {
    Some(AccountId(bytes.try_into().ok()?))
}

/// A netuid of this chain.
fn subnet(net: &Net, netuid: u16) -> Option<u16> {
    net.config.netuids().contains(&netuid).then_some(netuid)
}

fn global(net: &Net, block: u32, entry: &str) -> Option<Datum> {
    let number = match entry {
        "TotalNetworks" => net.config.subnets.into(),
        "TotalIssuance" => 10_400_000_000_000_000 + 500_000_000 * u64::from(block),
        "TotalStake" => net.sum(0, 1, block, 430_000_000),
        "StakeThreshold" => 1_000_000_000_000,
        "TaoWeight" => 3_320_413_933_267_719_290,
        "NetworkRateLimit" => 28_800,
        "TxRateLimit" => 1,
        "SubnetOwnerCut" => 11_796,
        "MaxEpochsPerBlock" => 2,
        _ => return None,
    };
    Some(number.into())
}

/// Settings that no subnet ever changes, with a choice by subnet where there is more than one.
fn setting(entry: &str, pick: u64) -> Option<Datum> {
    let one = |list: &[u64]| {
        let at = usize::try_from(pick).unwrap_or(0) % list.len().max(1);
        Datum::from(list.get(at).copied().unwrap_or_default())
    };
    Some(match entry {
        "Kappa" => one(&[32_767]),
        "Rho" => one(&[10, 30]),
        "ImmunityPeriod" => one(&[4_096, 5_000, 7_200]),
        "MinAllowedWeights" => one(&[1, 8, 256]),
        "MaxWeightsLimit" => one(&[65_535, 455]),
        "MaxAllowedValidators" => one(&[64]),
        "ActivityCutoff" => one(&[5_000]),
        "ActivityCutoffFactorMilli" => one(&[13_889]),
        "WeightsVersionKey" => one(&[0, 1_040, 800_021]),
        "WeightsSetRateLimit" => one(&[100]),
        "AdjustmentInterval" => one(&[360, 100]),
        "AdjustmentAlpha" => one(&[14_757_395_258_967_641_292]),
        "MinDifficulty" => one(&[10_000_000]),
        "MaxDifficulty" => one(&[4_611_686_018_427_387_903]),
        "NetworkRegistrationAllowed" | "SubtokenEnabled" | "TransferToggle" => one(&[1]),
        "NetworkPowRegistrationAllowed" | "LiquidAlphaOn" | "Yuma3On" => one(&[0, 0, 1]),
        "BondsResetOn" => one(&[0]),
        "TargetRegistrationsPerInterval" => one(&[1, 2]),
        "MinBurn" => one(&[500_000]),
        "MaxBurn" => one(&[100_000_000_000]),
        "BondsMovingAverage" => one(&[900_000]),
        "BondsPenalty" => one(&[65_535]),
        "MaxRegistrationsPerBlock" => one(&[1]),
        "ServingRateLimit" => one(&[50]),
        "RevealPeriodEpochs" => one(&[1]),
        "AlphaSigmoidSteepness" => one(&[1_000]),
        "RecycleOrBurn" => one(&[0, 1]),
        "SubnetMechanism" | "MechanismCountCurrent" => one(&[1]),
        "ScalingLawPower" => one(&[50]),
        "SubnetLocked" => one(&[1_000_000_000_000, 733_915_204_411]),
        "RAORecycledForRegistration" => one(&[15_202_433_109]),
        "AlphaValues" => Datum::List(vec![45_875.into(), 58_982.into()]),
        _ => return None,
    })
}

/// By netuid, or by storage index where the chain keys the item so.
fn one(net: &Net, block: u32, entry: &str, index: u16) -> Option<Datum> {
    let (netuid, mechanism) = split_storage_index(index);
    let netuid = subnet(net, netuid.0)?;
    if mechanism.0 != 0 {
        return None;
    }
    let seed = net.config.seed;
    if let Some(list) = net.vector(entry, netuid, block) {
        return Some(Datum::Numbers(list));
    }
    let epochs = net.epochs(netuid);
    let count = epochs.count(block);
    let last = epochs.block(count).unwrap_or(0);
    let since = u64::from(block - last);
    let (last, number) = (u64::from(last), u64::from(block));
    let fact = match entry {
        "NetworksAdded" => 1.into(),
        "SubnetworkN" | "MaxAllowedUids" => u64::from(net.config.neurons).into(),
        "Tempo" => u64::from(net.config.tempo).into(),
        "LastMechansimStepBlock" | "LastEpochBlock" => last.into(),
        "BlocksSinceLastStep" => since.into(),
        "PendingEpochAt" => 0.into(),
        "SubnetEpochIndex" => u64::from(count).into(),
        "Difficulty" => 10_000_000.into(),
        "Burn" => {
            let beat = net.registrations(netuid);
            let registered = beat.and_then(|b| b.block(b.count(block))).unwrap_or(0);
            let age = (number - u64::from(registered)).min(40);
            let burn = hash(seed, &[netuid.into(), registered.into()]) % 1_000_000_000;
            (500_000 + (0..age).fold(burn, |burn, _| burn * 97 / 100)).into()
        }
        "SubnetTAO" => net.pool(netuid, 1, block, 3_906_250).into(),
        "SubnetAlphaIn" => net.pool(netuid, 2, block, 488_281_250).into(),
        "SubnetAlphaOut" => net.pool(netuid, 3, block, 1_000_000_000).into(),
        "SubnetVolume" => net.sum(netuid, 4, block, 2_100_000_000).into(),
        "SubnetMovingPrice" => {
            let price = net.pool(netuid, 5, block, 0);
            Datum::Number(u128::from(price % 1_000_000_000) + (1 << 24))
        }
        "SubnetTaoInEmission" => (net.pool(netuid, 6, block, 0) / 90_000_000).into(),
        "SubnetAlphaInEmission" => (net.pool(netuid, 7, block, 0) / 900_000).into(),
        "SubnetAlphaOutEmission" => 1_000_000_000.into(),
        "PendingServerEmission" => (since * 410_000_000).into(),
        "PendingValidatorEmission" => (since * 399_117_003).into(),
        "PendingRootAlphaDivs" => (since * 10_882_997).into(),
        "PendingOwnerCut" => (since * 180_000_000).into(),
        "CommitRevealWeightsEnabled" => u64::from(net.commits(netuid)).into(),
        "NetworkRegisteredAt" => 0.into(),
        "FirstEmissionBlockNumber" => 1.into(),
        "SubnetOwner" => Datum::Account(net.account(Who::Owner { netuid })),
        "SubnetOwnerHotkey" if net.config.validators > 0 => {
            Datum::Account(net.account(Who::Validator { uid: 0 }))
        }
        "TokenSymbol" => Datum::Bytes(format!("S{netuid}").into_bytes()),
        "SubnetIdentitiesV3" => Datum::Fields(vec![
            (
                "subnet_name",
                Datum::Bytes(format!("subnet {netuid}").into_bytes()),
            ),
            (
                "github_repo",
                Datum::Bytes(format!("https://code.example/{netuid}").into_bytes()),
            ),
            (
                "description",
                Datum::Bytes(b"a subnet of a chain that does not exist".to_vec()),
            ),
        ]),
        _ => return setting(entry, u64::from(netuid)),
    };
    Some(fact)
}

/// By two keys, of which the first or the second says the subnet.
fn two(net: &Net, block: u32, entry: &str, a: &[u8], b: &[u8]) -> Option<Datum> {
    let hotkey = |netuid: u16, bytes: &[u8]| {
        let who = net.who(&account(bytes)?)?;
        net.uid_of(netuid, who, block)
    };
    if let Some(first) = short(a) {
        let (netuid, mechanism) = split_storage_index(first);
        let netuid = subnet(net, netuid.0)?;
        if mechanism.0 != 0 {
            return None;
        }
        let uid = || short(b).filter(|uid| *uid < net.config.neurons);
        let validator = || short(b).filter(|uid| *uid < net.config.validators);
        return Some(match entry {
            "Keys" => Datum::Account(net.account(net.holder(netuid, uid()?, block))),
            "BlockAtRegistration" => u64::from(net.tenancy(netuid, uid()?, block).1).into(),
            "Weights" => {
                let validator = validator()?;
                let setting = net.setting_in_force(netuid, validator, block);
                Datum::Row(net.weights(netuid, validator, setting))
            }
            "Bonds" => {
                let epoch = net.epochs(netuid).count(block);
                Datum::Row(net.bonds(netuid, validator()?, epoch))
            }
            "Uids" => u64::from(hotkey(netuid, b)?).into(),
            "Axons" => {
                let uid = hotkey(netuid, b)?;
                let served = net.axon(netuid, uid, block)?;
                axon(net, netuid, uid, served)
            }
            "AlphaDividendsPerSubnet" => {
                let uid = hotkey(netuid, b).filter(|uid| *uid < net.config.validators)?;
                net.dividend(netuid, uid, block).into()
            }
            "TimelockedWeightCommits" => {
                let epoch = u64::from_le_bytes(b.try_into().ok()?);
                return commits(net, block, netuid, u32::try_from(epoch).ok()?);
            }
            _ => return None,
        });
    }
    let netuid = subnet(net, short(b)?)?;
    let uid = hotkey(netuid, a)?;
    let some = |number: u64| (number > 0).then_some(number);
    match entry {
        "TotalHotkeyAlpha" => some(net.alpha_of(netuid, uid, block)).map(Datum::from),
        "TotalHotkeyAlphaLastEpoch" => {
            let number = some(net.alpha_before(netuid, uid, block));
            number
                .filter(|_| net.holds_since_epoch(netuid, uid, block))
                .map(Datum::from)
        }
        // A fixed-point number of 64 fractional bits.
        "TotalHotkeyShares" => some(net.alpha_of(netuid, uid, block))
            .map(|number| Datum::Number(u128::from(number - number / 50) << 64)),
        "IsNetworkMember" => Some(1.into()),
        _ => None,
    }
}

/// Coldkeys of hotkeys; also of those that hold no uid any more.
fn of_account(net: &Net, entry: &str, account: &AccountId) -> Option<Datum> {
    let coldkey = net.who(account)?.coldkey()?;
    match entry {
        "Owner" => Some(Datum::Account(net.account(coldkey))),
        "Delegates" if matches!(coldkey, Who::Delegate { .. }) => Some(11_796.into()),
        _ => None,
    }
}

/// Address and port that a hotkey serves at.
pub(crate) fn address(net: &Net, netuid: u16, uid: u16) -> [(&'static str, Datum); 4] {
    let random = hash(net.config.seed, &[netuid.into(), uid.into(), 77]);
    [
        ("version", 9_001_000.into()),
        ("ip", Datum::Number(u128::from(random & 0xffff_ffff))),
        ("port", (1024 + (random >> 32) % 60_000).into()),
        ("ip_type", 4.into()),
    ]
}

fn axon(net: &Net, netuid: u16, uid: u16, served: u32) -> Datum {
    let mut fields = vec![("block", u64::from(served).into()), ("protocol", 4.into())];
    fields.extend(address(net, netuid, uid));
    Datum::Fields(fields)
}

/// Encrypted weights: as long as a row of all uids, and as random as a cipher.
pub(crate) fn sealed(net: &Net, netuid: u16, validator: u16, setting: u32) -> Vec<u8> {
    let len = 96 + 4 * usize::from(net.config.neurons);
    let mut out = Vec::with_capacity(len + 32);
    for part in 0_u32.. {
        if out.len() >= len {
            break;
        }
        let mut about = [0; 12];
        about[..2].copy_from_slice(&netuid.to_le_bytes());
        about[2..4].copy_from_slice(&validator.to_le_bytes());
        about[4..8].copy_from_slice(&setting.to_le_bytes());
        about[8..].copy_from_slice(&part.to_le_bytes());
        out.extend(keyed(net.config.seed, &about));
    }
    out.truncate(len);
    out
}

/// Round of the time-lock of what is committed in a block: it opens at the next epoch.
pub(crate) fn round(block: u32) -> u64 {
    16_000_000 + u64::from(block) * 4
}

/// Commits that wait for the next epoch; those of earlier epochs are opened and gone.
fn commits(net: &Net, block: u32, netuid: u16, epoch: u32) -> Option<Datum> {
    let epochs = net.epochs(netuid);
    if !net.commits(netuid) || epochs.count(block) != epoch {
        return None;
    }
    let from = epochs.block(epoch).unwrap_or(0);
    let waiting: Vec<Datum> = (0..net.config.validators)
        .filter_map(|uid| {
            let beat = net.settings(netuid, uid);
            let setting = beat.count(block);
            let at = beat.block(setting).filter(|at| *at >= from)?;
            Some(Datum::List(vec![
                Datum::Account(net.account(Who::Validator { uid })),
                u64::from(at).into(),
                Datum::Bytes(sealed(net, netuid, uid, setting)),
                round(at).into(),
            ]))
        })
        .collect();
    (!waiting.is_empty()).then_some(Datum::List(waiting))
}
