//! Who is registered, whose they are, and what incentive they have.

use std::collections::BTreeMap;

use chain_metadata::{BlockNumber, MechId};
use indexer::view;

use super::super::folder::{self, METAGRAPH};
use super::super::index::Entry;
use super::super::tables::{self, Listed};
use super::super::{AuditError, report};
use super::Request;

/// Miners by hotkey.
type Miners = BTreeMap<String, Listed>;

/// What is known of the miners.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// The block, when it is from our own index.
    pub(super) block: Option<BlockNumber>,
    /// By hotkey; `None` when nothing is known of who is registered.
    pub(super) miners: Option<Miners>,
}

/// From our own index when there is one, otherwise from the folder; reasons for being left
/// out are from the folder.
pub(super) fn chain(
    request: &Request<'_>,
    window: &[&Entry],
    notes: &mut Vec<String>,
) -> Result<Chain, AuditError> {
    let listed = match folder::read(request.dir, METAGRAPH, report::MAX_BYTES)? {
        Some(bytes) => Some(tables::metagraph(METAGRAPH, &bytes)?),
        None => None,
    };
    let Some((block, mut miners)) = indexed(request, window, notes)? else {
        match &listed {
            None => notes.push(
                "who is registered, coldkeys and incentives are not known: no store that has them and no miner/metagraph.json".into(),
            ),
            Some(_) => notes.push("coldkeys and incentives are from miner/metagraph.json, not from our own index".into()),
        }
        return Ok(Chain {
            block: None,
            miners: listed,
        });
    };
    for (hotkey, from_folder) in listed.unwrap_or_default() {
        if let Some(miner) = miners.get_mut(&hotkey) {
            miner.blacklisted = from_folder.blacklisted;
        }
    }
    Ok(Chain {
        block: Some(block),
        miners: Some(miners),
    })
}

fn indexed(
    request: &Request<'_>,
    window: &[&Entry],
    notes: &mut Vec<String>,
) -> Result<Option<(BlockNumber, Miners)>, AuditError> {
    let Some(store) = request.store else {
        return Ok(None);
    };
    let mut candidates: Vec<BlockNumber> = match request.block {
        Some(block) => vec![block],
        None => window.iter().rev().map(|entry| entry.block).collect(),
    };
    candidates.dedup();
    if request.block.is_none() {
        candidates.extend(store.checkpoint()?.map(|tip| tip.last));
    }
    let mut at = None;
    for block in candidates {
        at = view::at(store, block)?;
        if at.is_some() {
            break;
        }
    }
    let Some(at) = at else {
        notes.push(match request.block {
            Some(block) => {
                format!("block {block} is not in the store: incentives are not compared with it")
            }
            None => "the store is empty: incentives are not compared with it".into(),
        });
        return Ok(None);
    };
    let Some(neurons) = view::metagraph(store, &at, request.netuid, MechId(0))? else {
        notes.push(format!(
            "subnet {} does not exist at block {}",
            request.netuid, at.number
        ));
        return Ok(None);
    };
    let miners = neurons
        .into_iter()
        .map(|neuron| {
            let listed = Listed {
                coldkey: neuron.coldkey.map(|coldkey| coldkey.to_string()),
                incentive: neuron.incentive,
                blacklisted: None,
            };
            (neuron.hotkey.to_string(), listed)
        })
        .collect();
    Ok(Some((at.number, miners)))
}
