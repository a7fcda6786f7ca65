//! Derived rows of blocks that are stored, made again without a node.

use std::sync::Arc;

use crossbeam_channel::Sender;

use super::Work;
use super::walk::{fetch, hand_over, resumed};
use crate::IndexError;
use crate::source::stored::StoreSource;
use crate::store::{Restage, Store};

/// Blocks prepared at once.
const WINDOW: u32 = 32;

/// Prepares the blocks of a span again, from the first whose derived rows are not
/// right to its end, which may move on meanwhile. Ends when there are none left,
/// or when the span was joined to one below it and another run is due.
pub(super) async fn again(
    store: Store,
    run: Restage,
    blocks: Sender<Work>,
) -> Result<(), IndexError> {
    let source = Arc::new(StoreSource::new(store.clone()));
    let mut planner = resumed(&source, &store, run.done, None)?;
    let mut next = run.done.saturating_add(1);
    loop {
        let now = store.restage_of(run.span);
        if now.is_none_or(|now| now.from != run.from) {
            return Ok(());
        }
        let Some(span) = store.span_from(run.span) else {
            return Ok(());
        };
        if next > span.last {
            // The writer is behind, or one more block has come since.
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            continue;
        }
        let last = span.last.min(next.saturating_add(WINDOW - 1));
        let ahead = planner.ahead();
        let numbers = (next..=last).collect();
        let (window, ahead) = fetch(source.clone(), numbers, ahead).await?;
        let (prepared, error) = planner.prepare(window, &ahead).await;
        next = next.saturating_add(u32::try_from(prepared.len()).unwrap_or(0));
        hand_over(&blocks, Work::Restage(run, prepared)).await?;
        if let Some(error) = error {
            return Err(error);
        }
    }
}
