//! Features of miners, their shares, and the incentives beside them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use scoring::local::sn64::units::quantise;
use scoring::local::sn64::{Features, Miner, Rules, bonus, compare};

use super::super::input::{feature, features, shares};
use super::super::instances::Instances;
use super::super::invocations::{Sums, Work};
use super::MinerRow;
use super::chain::Chain;

/// What miners did, by hotkey.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) sums: BTreeMap<String, Sums>,
    /// Distinct chutes.
    chutes: BTreeMap<String, u64>,
    /// P2b: what bounties give.
    bounty: BTreeMap<String, f64>,
}

/// Numbers of hotkeys become hotkeys.
pub(super) fn named(hotkeys: &[String], work: Work) -> Named {
    let mut found = Named::default();
    for (hotkey, sums) in hotkeys.iter().zip(&work.miners) {
        found.sums.insert(hotkey.clone(), *sums);
    }
    let name = |miner: u32| hotkeys.get(usize::try_from(miner).unwrap_or(usize::MAX));
    for (miner, _) in work.chutes {
        if let Some(hotkey) = name(miner) {
            *found.chutes.entry(hotkey.clone()).or_default() += 1;
        }
    }
    let mut of_chute: HashMap<u32, u64> = HashMap::new();
    for ((_, chute), count) in &work.bounties {
        *of_chute.entry(*chute).or_default() += count;
    }
    // Added from the greatest down, so that neither hash maps nor numbers given while reading
    // have a say in the last bits.
    let mut worth: BTreeMap<&String, Vec<f64>> = BTreeMap::new();
    for ((miner, chute), count) in &work.bounties {
        let all = of_chute.get(chute).copied().unwrap_or(*count);
        if let Some(hotkey) = name(*miner) {
            worth
                .entry(hotkey)
                .or_default()
                .push(bonus::bounty(*count, all));
        }
    }
    for (hotkey, mut parts) in worth {
        parts.sort_unstable_by(|a, b| b.total_cmp(a));
        found.bounty.insert(
            hotkey.clone(),
            parts.iter().fold(0.0, |sum, part| sum + part),
        );
    }
    found
}

#[expect(clippy::cast_precision_loss, reason = "counts of a week")]
fn float(count: u64) -> f64 {
    count as f64
}

/// Rows of all miners that did something or have an incentive, by hotkey.
pub(super) fn rows(
    rules: Rules,
    now: i64,
    work: &Named,
    instances: &Instances,
    gpus: &BTreeMap<u128, u64>,
    chain: &Chain,
    notes: &mut Vec<String>,
) -> Vec<MinerRow> {
    let units = instances.units(now);
    let private = instances.private(now);
    let unique = instances.unique(gpus, now);
    let of = |hotkey: &String| -> Features {
        let sums = work.sums.get(hotkey).copied().unwrap_or_default();
        let mut features = Features {
            units: sums.units,
            invocations: float(sums.invocations),
            bounties: float(sums.bounties),
            ..Features::default()
        };
        let gpus = float(unique.get(hotkey).copied().unwrap_or(0));
        match rules {
            Rules::P1 => features.unique = float(work.chutes.get(hotkey).copied().unwrap_or(0)),
            Rules::P1b | Rules::P2 => {
                features.unique = gpus;
                if let Some(private) = private.get(hotkey) {
                    features.bounties += float(private.instances);
                    features.units += private.units;
                    features.invocations += private.seconds.trunc();
                }
            }
            Rules::P2b => {
                features.breadth = gpus;
                features.demand = bonus::demand(sums.units, float(sums.invocations));
                features.bounty = work.bounty.get(hotkey).copied().unwrap_or(0.0);
                features.units = units.get(hotkey).copied().unwrap_or(0.0);
            }
            Rules::P3 => features.units = units.get(hotkey).copied().unwrap_or(0.0),
        }
        features
    };
    let mut hotkeys: BTreeSet<&String> = work
        .sums
        .keys()
        .chain(units.keys())
        .chain(unique.keys())
        .chain(private.keys())
        .collect();
    let known = chain.miners.as_ref();
    hotkeys.extend(known.into_iter().flat_map(BTreeMap::keys));

    // Who does not take part, and why.
    let listed = |hotkey: &String| known.and_then(|known| known.get(hotkey));
    let excluded = |hotkey: &String| -> Option<String> {
        if rules != Rules::P1 && known.is_some() && listed(hotkey).is_none() {
            return Some("not registered".into());
        }
        let why = listed(hotkey)?.blacklisted.as_ref()?;
        (rules == Rules::P3).then(|| format!("blacklisted: {why}"))
    };
    let taking: Vec<&String> = hotkeys
        .iter()
        .copied()
        .filter(|hotkey| excluded(hotkey).is_none())
        .collect();
    let mut coldkeys: HashMap<&str, u32> = HashMap::new();
    let miners: Vec<Miner> = taking
        .iter()
        .map(|hotkey| {
            let next = u32::try_from(coldkeys.len()).unwrap_or(u32::MAX);
            let coldkey = listed(hotkey).and_then(|listed| listed.coldkey.as_deref());
            Miner {
                coldkey: coldkey.map(|coldkey| *coldkeys.entry(coldkey).or_insert(next)),
                features: of(hotkey),
            }
        })
        .collect();
    let scored = shares(rules, &miners);
    notes.extend(scored.notes.iter().map(ToString::to_string));
    let weights: HashMap<usize, u16> = quantise(&scored.shares).into_iter().collect();
    let place: HashMap<&String, usize> = taking
        .iter()
        .enumerate()
        .map(|(i, hotkey)| (*hotkey, i))
        .collect();

    let share = |hotkey: &String| {
        place
            .get(hotkey)
            .and_then(|i| scored.shares.get(*i))
            .copied()
            .unwrap_or(0.0)
    };
    let incentive = |hotkey: &String| listed(hotkey).and_then(|listed| listed.incentive);
    let expected: Vec<f64> = hotkeys.iter().map(|hotkey| share(hotkey)).collect();
    let actual: Vec<u16> = hotkeys
        .iter()
        .map(|hotkey| incentive(hotkey).unwrap_or(0))
        .collect();
    let compared = compare::compare(&expected, &actual);
    if compared.is_none() && known.is_some() {
        notes.push("nobody has an incentive: there is nothing to compare with".into());
    }
    let row = |(i, hotkey): (usize, &&String)| {
        let place = place.get(*hotkey).copied();
        let beaten = place.and_then(|place| scored.beaten_by.get(place).copied().flatten());
        let beaten = beaten
            .and_then(|by| taking.get(by))
            .map(|by| format!("{by} of the same coldkey has more"));
        let compared = compared.as_ref().and_then(|rows| rows.get(i));
        let values = of(hotkey);
        MinerRow {
            hotkey: (*hotkey).clone(),
            coldkey: listed(hotkey).and_then(|listed| listed.coldkey.clone()),
            share: share(hotkey),
            weight: place.and_then(|place| weights.get(&place).copied()),
            features: features(rules)
                .iter()
                .map(|name| (*name, feature(&values, name)))
                .collect(),
            reason: excluded(hotkey).or(beaten),
            incentive: incentive(hotkey),
            actual: compared.map(|row| row.actual),
            outcome: compared.map(|row| row.outcome.word()),
            line: compared
                .filter(|row| {
                    matches!(row.outcome, compare::Outcome::Close | compare::Outcome::Far)
                })
                .map(compare::Compared::text),
        }
    };
    hotkeys.iter().enumerate().map(row).collect()
}
