//! One place for every operator: of miners that share an address, a coldkey or a docker
//! account only the best keeps its weight.

use std::collections::{BTreeSet, HashMap};

use super::sum::pairwise;

/// The address of a miner that serves none; such miners lose their weight.
pub const NO_ADDRESS: &str = "0.0.0.0";

/// What is known of a uid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Miner<'a> {
    /// Its weight.
    pub score: f64,
    /// Address of its axon.
    pub ip: &'a str,
    /// Its coldkey.
    pub coldkey: &'a str,
    /// Its docker account, when known.
    pub docker: Option<&'a str>,
}

#[derive(Default)]
struct Entity<'a> {
    coldkeys: BTreeSet<&'a str>,
    dockers: BTreeSet<&'a str>,
    uids: Vec<usize>,
}

/// The weights that are left, by uid, summing to 1 (all 0 when nobody has an address).
///
/// Miners with a weight are grouped by address. Groups, in the order of their first uid,
/// join *every* earlier entity with a coldkey or docker account in common, or begin one; two
/// entities that a group joins do not become one. Of each the best stays, the
/// first of equals. Weights that are not finite count as 0.
pub fn same_entity(miners: &[Miner<'_>]) -> Vec<f64> {
    let mut groups: Vec<Entity<'_>> = Vec::new();
    let mut by_ip: HashMap<&str, usize> = HashMap::new();
    for (uid, miner) in miners.iter().enumerate() {
        if !miner.score.is_finite() || miner.score == 0.0 || miner.ip == NO_ADDRESS {
            continue;
        }
        let at = *by_ip.entry(miner.ip).or_insert_with(|| {
            groups.push(Entity::default());
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(at) {
            group.coldkeys.insert(miner.coldkey);
            group.dockers.extend(miner.docker);
            group.uids.push(uid);
        }
    }
    let mut entities: Vec<Vec<usize>> = Vec::new();
    // Which entities have a coldkey or docker account.
    let mut by_coldkey: HashMap<&str, BTreeSet<usize>> = HashMap::new();
    let mut by_docker: HashMap<&str, BTreeSet<usize>> = HashMap::new();
    for group in groups {
        let coldkeys = group.coldkeys.iter().map(|name| by_coldkey.get(name));
        let dockers = group.dockers.iter().map(|name| by_docker.get(name));
        let both = coldkeys.chain(dockers).flatten().flatten();
        let mut joined: BTreeSet<usize> = both.copied().collect();
        if joined.is_empty() {
            joined.insert(entities.len());
            entities.push(Vec::new());
        }
        for at in &joined {
            if let Some(uids) = entities.get_mut(*at) {
                uids.extend(&group.uids);
            }
        }
        for (names, by) in [
            (&group.coldkeys, &mut by_coldkey),
            (&group.dockers, &mut by_docker),
        ] {
            for name in names {
                by.entry(name).or_default().extend(&joined);
            }
        }
    }
    let mut left = vec![0.0; miners.len()];
    for uids in &entities {
        let mut best: Option<(usize, f64)> = None;
        for uid in uids {
            let score = miners.get(*uid).map_or(0.0, |miner| miner.score);
            if best.is_none_or(|(_, best)| score > best) {
                best = Some((*uid, score));
            }
        }
        if let Some((uid, score)) = best
            && let Some(place) = left.get_mut(uid)
        {
            *place = score;
        }
    }
    let sum = pairwise(&left);
    if sum > 0.0 {
        left.iter_mut().for_each(|score| *score /= sum);
    }
    left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same as the rule says it, looking through everything.
    fn plain(miners: &[Miner<'_>]) -> Vec<f64> {
        let mut groups: Vec<(&str, Entity<'_>)> = Vec::new();
        for (uid, miner) in miners.iter().enumerate() {
            if !miner.score.is_finite() || miner.score == 0.0 || miner.ip == NO_ADDRESS {
                continue;
            }
            let at = groups.iter().position(|(ip, _)| *ip == miner.ip);
            let at = at.unwrap_or_else(|| {
                groups.push((miner.ip, Entity::default()));
                groups.len() - 1
            });
            groups[at].1.coldkeys.insert(miner.coldkey);
            groups[at].1.dockers.extend(miner.docker);
            groups[at].1.uids.push(uid);
        }
        let mut entities: Vec<Entity<'_>> = Vec::new();
        for (_, group) in groups {
            let mut joined = false;
            for entity in &mut entities {
                let apart = entity.coldkeys.is_disjoint(&group.coldkeys)
                    && entity.dockers.is_disjoint(&group.dockers);
                if !apart {
                    joined = true;
                    entity.coldkeys.extend(&group.coldkeys);
                    entity.dockers.extend(&group.dockers);
                    entity.uids.extend(&group.uids);
                }
            }
            if !joined {
                entities.push(group);
            }
        }
        let mut left = vec![0.0; miners.len()];
        for entity in &entities {
            let mut best: Option<usize> = None;
            for uid in &entity.uids {
                if best.is_none_or(|best| miners[*uid].score > miners[best].score) {
                    best = Some(*uid);
                }
            }
            if let Some(uid) = best {
                left[uid] = miners[uid].score;
            }
        }
        let sum = pairwise(&left);
        if sum > 0.0 {
            left.iter_mut().for_each(|score| *score /= sum);
        }
        left
    }

    const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", NO_ADDRESS];

    proptest! {
        #[test]
        fn maps_come_to_the_same_as_looking_through_everything(
            rows in prop::collection::vec((0_u8..6, 0_usize..10, 0_usize..9, prop::option::of(0_usize..9)), 0..24),
        ) {
            let of = |(score, ip, coldkey, docker): &(u8, usize, usize, Option<usize>)| Miner {
                score: f64::from(*score) / 5.0,
                ip: NAMES[*ip],
                coldkey: NAMES[*coldkey],
                docker: docker.map(|docker| NAMES[docker]),
            };
            let miners: Vec<Miner<'_>> = rows.iter().map(of).collect();
            let bits = |weights: Vec<f64>| weights.into_iter().map(f64::to_bits).collect::<Vec<_>>();
            prop_assert_eq!(bits(same_entity(&miners)), bits(plain(&miners)));
        }
    }

    #[test]
    fn a_full_range_of_uids_takes_no_time() {
        let names: Vec<String> = (0..65_536_u32).map(|n| n.to_string()).collect();
        let miners: Vec<Miner<'_>> = names
            .iter()
            .map(|name| Miner {
                score: 1.0,
                ip: name,
                coldkey: name,
                docker: Some(name),
            })
            .collect();
        let begun = std::time::Instant::now();
        let left = same_entity(&miners);
        assert!(left.iter().all(|weight| *weight == 1.0 / 65_536.0));
        // Looking through everything takes minutes here.
        assert!(begun.elapsed().as_secs() < 20);
    }
}
