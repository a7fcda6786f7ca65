//! Decodes the blocks of a window side by side.

use std::sync::Arc;

use chain_metadata::{
    Extrinsic, H256, Origin, Outcome, Phase, SpecVersion, blake2_256, decode_events,
    decode_extrinsic, extrinsic_outcome, nested_calls,
};
use rayon::prelude::*;

use crate::IndexError;
use crate::activity::Activity;
use crate::commits::Said;
use crate::items::{Layout, PALLET};
use crate::plan::Fetched;
use crate::sets::{self, Sets};
use crate::source::{Bytes, RawBlock};
use crate::stakes::{self, Movement};
use crate::touch::Touched;

/// What the bytes of a block say.
#[derive(Debug, Clone, Default)]
pub struct Decoded {
    /// What it may have changed.
    pub touched: Touched,
    /// Where accounts, calls, events and errors occur.
    pub activity: Activity,
    /// What it says about commits.
    pub commits: Said,
    /// Movements of stake, in the order of the events.
    pub stake: Vec<Movement>,
    /// What set rows of W in it.
    pub sets: Sets,
    /// Raw `System.Events`; empty when nothing is stored.
    pub events: Bytes,
    /// Number of events.
    pub event_count: u32,
    /// Hash of every extrinsic.
    pub extrinsic_hashes: Vec<H256>,
    /// `Timestamp.Now`, milliseconds.
    pub timestamp_ms: Option<u64>,
}

/// Decodes a window on the rayon pool; stops before the first block that does
/// not decode.
pub(super) async fn window(
    raws: &[RawBlock],
    layouts: &[(Arc<Layout>, Option<SpecVersion>)],
    fetched: &[Fetched],
) -> (Vec<Decoded>, Option<IndexError>) {
    let jobs: Vec<_> = raws
        .iter()
        .zip(layouts)
        .zip(fetched)
        .map(|((raw, (layout, _)), values)| {
            let [events, _, now] = layout.system_keys();
            (
                raw.number,
                raw.hash,
                raw.header.clone(),
                raw.extrinsics.clone(),
                values.get(&events).flatten().unwrap_or_default(),
                values.get(&now).flatten(),
                layout.clone(),
            )
        })
        .collect();
    let (done, results) = tokio::sync::oneshot::channel();
    let started = std::time::Instant::now();
    rayon::spawn(move || {
        let decoded: Vec<_> = jobs
            .into_par_iter()
            .map(|(number, hash, header, extrinsics, events, now, layout)| {
                // Block 0 is what the network was agreed on; its hash is its name.
                if number > 0 && blake2_256(&header) != hash {
                    return Err(IndexError::NotTheBlock {
                        block: number,
                        hash,
                        what: format!("its header hashes to {}", blake2_256(&header)),
                    });
                }
                block(number, &extrinsics, events, now.as_deref(), &layout)
            })
            .collect();
        let _ = done.send(decoded);
    });
    let results = results.await;
    metrics::histogram!("indexer_decode_seconds").record(started.elapsed().as_secs_f64());
    let Ok(results) = results else {
        return (
            Vec::new(),
            Some(IndexError::Thread("decode", "a decoder panicked".into())),
        );
    };
    let mut decoded = Vec::with_capacity(results.len());
    for result in results {
        match result {
            Ok(block) => decoded.push(block),
            Err(e) => return (decoded, Some(e)),
        }
    }
    (decoded, None)
}

fn block(
    number: u32,
    extrinsics: &[Bytes],
    events: Bytes,
    now: Option<&[u8]>,
    layout: &Layout,
) -> Result<Decoded, IndexError> {
    let metadata = &layout.metadata;
    let broken = |e: chain_metadata::DecodeError| IndexError::Decode {
        block: number,
        spec: layout.spec,
        what: e.to_string(),
    };
    let list = if events.is_empty() {
        Vec::new()
    } else {
        decode_events(metadata, &events).map_err(broken)?
    };
    let mut touched = Touched::default();
    let mut activity = Activity::default();
    let mut commits = Said::default();
    let mut weights = Sets::new();
    sets::outside(&mut weights, &list, sets::tells(metadata));
    for event in &list {
        touched.event(event);
        activity.event(event);
        commits.event(event);
    }
    let mut stake: Vec<Movement> = stakes::of_the_chain(&list).collect();
    let mut hashes = Vec::with_capacity(extrinsics.len());
    for (index, raw) in (0_u32..).zip(extrinsics) {
        let mut extrinsic: Extrinsic = decode_extrinsic(metadata, raw).map_err(|mut e| {
            e.entry = format!("{} (extrinsic {index})", e.entry);
            broken(e)
        })?;
        extrinsic.index = index;
        hashes.push(extrinsic.hash);
        let its_events: Vec<_> = list
            .iter()
            .filter(|e| e.phase == Phase::ApplyExtrinsic(index))
            .collect();
        let signer = extrinsic.signer();
        let outcome = extrinsic_outcome(metadata, &extrinsic, &its_events);
        let calls = nested_calls(metadata, &extrinsic, &its_events);
        activity.extrinsic(&extrinsic, &calls, outcome.error.as_ref());
        let fees = its_events
            .iter()
            .filter(|e| &*e.pallet == PALLET && &*e.name == "TransactionFeePaidWithAlpha");
        for event in fees {
            touched.fee(event, &calls);
        }
        stake.extend(stakes::of_extrinsic(index, &its_events, &calls));
        sets::extrinsic(&mut weights, index, &calls, &its_events);
        for nested in calls {
            commits.call(index, &nested);
            // Calls are transactional: what failed has changed nothing. But the fee
            // may have been taken from the stake that the call was about.
            if !matches!(nested.outcome, Outcome::Failed(_) | Outcome::NotRun)
                || Touched::is_about_stake(&nested.call)
            {
                let origin = match &nested.origin {
                    Origin::Signed(account) => Some(*account),
                    _ => None,
                };
                touched.call(&nested.call, signer.into_iter().chain(origin));
            }
        }
    }
    let timestamp_ms = match (now, metadata.storage("Timestamp", "Now")) {
        (Some(bytes), Some(entry)) => entry
            .decode_value(metadata.types(), bytes)
            .map_err(broken)?
            .as_u64(),
        _ => None,
    };
    stake.sort_by_key(|movement| movement.event);
    Ok(Decoded {
        stake,
        touched,
        activity,
        commits,
        sets: weights,
        event_count: u32::try_from(list.len()).unwrap_or(u32::MAX),
        events,
        extrinsic_hashes: hashes,
        timestamp_ms,
    })
}
