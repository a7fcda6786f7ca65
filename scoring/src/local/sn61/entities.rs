//! One place for every operator: of miners that share an address, a coldkey or a docker
//! account only the best keeps its weight.

use std::collections::BTreeSet;

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
        if let Some((_, group)) = groups.get_mut(at) {
            group.coldkeys.insert(miner.coldkey);
            group.dockers.extend(miner.docker);
            group.uids.push(uid);
        }
    }
    let mut entities: Vec<Entity<'_>> = Vec::new();
    for (_, group) in groups {
        let mut joined = false;
        for entity in &mut entities {
            if entity.coldkeys.is_disjoint(&group.coldkeys)
                && entity.dockers.is_disjoint(&group.dockers)
            {
                continue;
            }
            joined = true;
            entity.coldkeys.extend(&group.coldkeys);
            entity.dockers.extend(&group.dockers);
            entity.uids.extend(&group.uids);
        }
        if !joined {
            entities.push(group);
        }
    }
    let mut left = vec![0.0; miners.len()];
    for entity in &entities {
        let mut best: Option<(usize, f64)> = None;
        for uid in &entity.uids {
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
