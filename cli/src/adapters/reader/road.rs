//! What is known of the road besides the store, and a reader that hears of it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chain_metadata::BlockNumber;
use graphql::ports;
use indexer::notify::Notify;
use indexer::pipeline::Progress;
use indexer::pipeline::pace::Pace;
use indexer::store::Store;
use tokio::sync::{broadcast, watch};

use super::{StoreReader, heads};

/// Silence after which a source's trouble is told: a request that another node
/// answers a moment later is none.
const QUIET: Duration = Duration::from_secs(5);

/// What the source of blocks says is wrong, if anything is.
pub(super) type Trouble = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// What is known of the road besides the store.
#[derive(Debug, Default)]
pub(super) struct Road {
    pub(super) started: Option<Instant>,
    pub(super) finalized: Option<(BlockNumber, Instant)>,
    pub(super) committed: Option<Instant>,
    pub(super) following: bool,
    pub(super) stopped: Option<String>,
    /// Blocks of the wanted ranges that are not stored; `None` without a road.
    pub(super) left: Option<u64>,
    pub(super) pace: Pace,
}

impl Road {
    /// Why nothing is added: the end of the road, or a source in trouble.
    pub(super) fn standing(&self, trouble: &Trouble) -> Option<String> {
        let told = self.finalized.map(|(_, at)| at);
        let news = [self.started, told, self.committed].into_iter().flatten();
        let quiet = news.max().is_some_and(|last| last.elapsed() >= QUIET);
        self.stopped.clone().or_else(|| {
            let trouble = (self.following && quiet).then(|| trouble()).flatten()?;
            Some(format!(
                "nothing new comes from the node, which is asked again: {trouble}"
            ))
        })
    }
}

/// Milliseconds since a moment.
pub(super) fn age_ms(since: Option<Instant>) -> Option<u64> {
    let age: Duration = since?.elapsed();
    u64::try_from(age.as_millis()).ok()
}

impl StoreReader {
    /// Over a store that nobody writes.
    pub(crate) fn at_rest(store: Store, chain: Option<String>) -> StoreReader {
        StoreReader {
            store,
            chain,
            road: Arc::default(),
            trouble: Arc::new(|| None),
            committed: broadcast::channel(1).0,
            above: heads::Above::default(),
            scorer: None,
        }
    }

    /// Over a store that the road writes; must be called inside a tokio runtime.
    /// `trouble` is asked for what is wrong with the source of blocks.
    pub(crate) fn following(
        store: Store,
        chain: Option<String>,
        notify: &Notify,
        mut progress: watch::Receiver<Progress>,
        trouble: impl Fn() -> Option<String> + Send + Sync + 'static,
    ) -> StoreReader {
        let road = Arc::new(Mutex::new(Road {
            started: Some(Instant::now()),
            following: true,
            ..Road::default()
        }));
        let committed = broadcast::channel(4096).0;
        let (sender, heard) = (committed.clone(), road.clone());
        let mut commits = notify.subscribe();
        tokio::spawn(async move {
            loop {
                match commits.recv().await {
                    Ok(block) => {
                        if let Ok(mut road) = heard.lock() {
                            road.committed = Some(Instant::now());
                        }
                        let _ = sender.send(ports::Committed {
                            number: block.number,
                            hash: block.hash,
                            epochs: block.epochs,
                        });
                    }
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        });
        let heard = road.clone();
        tokio::spawn(async move {
            while progress.changed().await.is_ok() {
                let told = *progress.borrow_and_update();
                let Ok(mut road) = heard.lock() else {
                    continue;
                };
                if let (Some(wanted), Some(since)) = (told.wanted, road.started) {
                    road.left = Some(told.left);
                    let filled = wanted.saturating_sub(told.left);
                    road.pace.note(since.elapsed(), filled);
                }
                if let Some(height) = told.finalized
                    && road.finalized.is_none_or(|(known, _)| known != height)
                {
                    road.finalized = Some((height, Instant::now()));
                }
            }
        });
        StoreReader {
            store,
            chain,
            road,
            trouble: Arc::new(trouble),
            committed,
            above: heads::Above::default(),
            scorer: None,
        }
    }

    /// Remembers why the road ended, for `/ready` and `status`.
    pub(crate) fn stopped(&self, why: Option<String>) {
        if let Ok(mut road) = self.road.lock() {
            road.following = false;
            road.stopped = why;
        }
    }
}

#[cfg(test)]
mod tests {
    use graphql::ports::Reader as _;

    use super::*;

    #[test]
    fn trouble_is_told_after_a_silence_and_never_over_the_end() {
        let trouble: Trouble = Arc::new(|| Some("refused".into()));
        let none: Trouble = Arc::new(|| None);
        let now = Instant::now();
        let quiet = now.checked_sub(QUIET).unwrap();
        let road = |committed| Road {
            started: Some(quiet),
            committed: Some(committed),
            following: true,
            ..Road::default()
        };
        assert_eq!(road(now).standing(&trouble), None);
        assert_eq!(road(quiet).standing(&none), None);
        let told = road(quiet).standing(&trouble).unwrap();
        assert!(told.contains("refused"), "{told}");
        let ended = Road {
            stopped: Some("bad block 7".into()),
            ..road(quiet)
        };
        assert_eq!(ended.standing(&trouble).as_deref(), Some("bad block 7"));
        let done = Road {
            following: false,
            ..road(quiet)
        };
        assert_eq!(done.standing(&trouble), None);
    }

    #[test]
    fn a_store_without_a_chain_has_no_status() {
        let store = Store::in_memory().unwrap();
        let error = StoreReader::at_rest(store, None).status().unwrap_err();
        assert!(error.to_string().contains("the store is empty"), "{error}");
    }
}
