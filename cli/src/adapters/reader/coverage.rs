//! Which blocks a store holds, as the window shows it.

use chain_metadata::BlockNumber;
use graphql::ports;
use indexer::store::Store;
use indexer::store::spans::without;

/// Everything but how fast it goes.
pub(super) fn of(store: &Store) -> ports::Coverage {
    let spans: Vec<_> = store.spans().iter().map(|s| (s.first, s.last)).collect();
    let gone = store.missing();
    let mut missing: Vec<ports::MissingBlocks> = gone
        .iter()
        .map(|m| ports::MissingBlocks {
            first: m.first,
            last: m.last,
            reason: Some(m.reason.clone()),
        })
        .collect();
    for (below, above) in spans.iter().zip(spans.iter().skip(1)) {
        let (Some(first), Some(last)) = (below.1.checked_add(1), above.0.checked_sub(1)) else {
            continue;
        };
        // Two spans that are about to be joined have nothing between them.
        if first <= last {
            let not_read = without((first, last), gone.iter().map(|m| (m.first, m.last)));
            missing.extend(
                not_read
                    .into_iter()
                    .map(|(first, last)| ports::MissingBlocks {
                        first,
                        last,
                        reason: None,
                    }),
            );
        }
    }
    missing.sort_by_key(|m| m.first);
    let restages = store.restages();
    let restaging = restages.iter().filter_map(|restage| {
        Some(ports::Restaging {
            first: restage.from,
            last: store.span_from(restage.span)?.last,
            done: restage.done,
        })
    });
    ports::Coverage {
        spans,
        missing,
        restaging: restaging.collect(),
        blocks_left: None,
        eta_ms: None,
    }
}

/// Up to where the commit ledger is right, when it is not at this block.
pub(super) fn restaged_to(store: &Store, number: BlockNumber) -> Option<BlockNumber> {
    let span = store.span_of(number)?;
    let done = store.restage_of(span.first)?.done;
    (number > done).then_some(done)
}

/// The highest stored block below another one.
pub(super) fn stored_below(store: &Store, number: BlockNumber) -> Option<BlockNumber> {
    let below = number.checked_sub(1)?;
    let spans = store.spans();
    let span = spans.iter().rev().find(|span| span.first <= below)?;
    Some(span.last.min(below))
}
