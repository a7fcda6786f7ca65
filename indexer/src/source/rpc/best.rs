//! The best head of one endpoint, the one that is asked first.
//!
//! Two nodes may have two best chains, so only one is heard at a time. What it
//! says is a hash with its parent; numbers of other blocks are never asked for.

use std::sync::{Arc, Weak};
use std::time::Duration;

use chain_metadata::H256;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::answer;
use super::link::Link;
use super::pool::{BEHIND, Pool};
use crate::source::{BestHead, SourceError};

/// Pause before another endpoint, or the same one again, is heard.
const PAUSE: Duration = Duration::from_millis(200);

/// A task that hears of best heads, for as long as this is held.
#[derive(Debug)]
pub(super) struct Following {
    heads: watch::Receiver<Option<BestHead>>,
    task: JoinHandle<()>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Following {
    /// Begins to hear; must be called inside a tokio runtime.
    pub(super) fn begin(pool: &Arc<Pool>) -> Following {
        let (tell, heads) = watch::channel(None);
        let task = tokio::spawn(follow(pool.clone(), tell));
        Following { heads, task }
    }

    /// The head when it is another block than `known`.
    pub(super) async fn other_than(&self, known: Option<H256>) -> Result<BestHead, SourceError> {
        let mut heads = self.heads.clone();
        let another = |head: &Option<BestHead>| head.is_some_and(|head| Some(head.hash) != known);
        let head = heads.wait_for(another).await.ok().and_then(|head| *head);
        head.ok_or_else(|| SourceError::Unreachable {
            tried: "the task that follows best heads has ended".into(),
        })
    }
}

async fn follow(pool: Arc<Pool>, tell: watch::Sender<Option<BestHead>>) {
    loop {
        if let Some(link) = pool.any_link().await {
            let weak = Arc::downgrade(&link);
            drop(link);
            hear(&pool, weak, &tell).await;
        }
        tokio::time::sleep(PAUSE.min(pool.silence / 2)).await;
    }
}

/// Hears one endpoint until its connection ends or another is further. One that
/// is silent is asked: what it answers counts, subscription or not.
///
/// The connection is not held while waiting: it ends when the pool lets it go.
async fn hear(pool: &Pool, link: Weak<Link>, tell: &watch::Sender<Option<BestHead>>) {
    let patience = pool.silence / 2;
    let subscribed = match link.upgrade() {
        Some(held) => held.best_heads().await,
        None => return,
    };
    let mut subscribed = subscribed;
    loop {
        let news = async {
            match &mut subscribed {
                Some(heads) => heads.next().await,
                // Without a subscription it is asked again and again.
                None => std::future::pending().await,
            }
        };
        let head = match tokio::time::timeout(patience, news).await {
            Ok(Some(Ok(header))) => answer::best_head(&header),
            Ok(Some(Err(error))) => {
                tracing::warn!(%error, "a best head that cannot be read");
                None
            }
            Ok(None) => return,
            Err(_) => {
                let Some(held) = link.upgrade() else { return };
                if !held.is_open() {
                    return;
                }
                match held.best_head().await {
                    Some(head) => Some(head),
                    None => return,
                }
            }
        };
        let Some(head) = head else { continue };
        tell.send_if_modified(|told| {
            let news = *told != Some(head);
            *told = Some(head);
            news
        });
        // What others know to be final is above it, or far above what this one
        // does: it is behind, and its best chain may be one that has lost.
        let further = pool.heads().borrow().iter().flatten().max().copied();
        let own = link.upgrade().and_then(|held| held.finalized());
        let behind = |height| {
            height > head.number || own.is_some_and(|own| own.saturating_add(BEHIND) < height)
        };
        if further.is_some_and(behind) {
            return;
        }
    }
}
