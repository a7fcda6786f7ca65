//! The task that keeps the unfinalized blocks up to date.

use std::sync::Arc;
use std::time::Duration;

use chain_metadata::{BlockNumber, H256};
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use super::build::Builder;
use super::walk::{HeadsError, path};
use super::{Branch, Heads};
use crate::notify::Committed;
use crate::pipeline::Progress;
use crate::source::remember::Remembering;
use crate::source::{BestHead, ChainSource};

/// How heads are followed.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Heads are followed while the store is at most so many blocks behind the
    /// finalized head.
    pub near: u32,
    /// Longest time for one block.
    pub patience: Duration,
    /// A block that takes longer than this is given up when another head comes.
    pub grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            near: 32,
            patience: Duration::from_secs(30),
            grace: Duration::from_secs(5),
        }
    }
}

/// Pause after a failure: doubling from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// Keeps `heads` up to date until the road ends, which is when `commits` closes.
/// Whatever goes wrong is tried again; [`Heads::trouble`] says what it is.
pub async fn follow<S: ChainSource>(
    source: Arc<Remembering<S>>,
    heads: Heads,
    mut commits: broadcast::Receiver<Committed>,
    progress: watch::Receiver<Progress>,
    options: Options,
) {
    let (settled, hears) = watch::channel(0_u64);
    let settling = async {
        loop {
            match commits.recv().await {
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
            // One look at the store is enough for all that was committed.
            while !matches!(
                commits.try_recv(),
                Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed)
            ) {}
            match heads.settle() {
                // The block of the tip may still be read here, and is read at its parent too.
                Ok(Some(tip)) => source.forget_below(tip.last.saturating_sub(1)),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "unfinalized blocks cannot be brought up to date")
                }
            }
            settled.send_modify(|count| *count += 1);
        }
    };
    let follower = Follower {
        source: source.clone(),
        heads: heads.clone(),
        progress,
        options,
        builder: None,
    };
    tokio::select! {
        () = settling => {}
        () = follower.run(hears) => {}
    }
    source.remember(false);
    if let Err(e) = heads.cut(H256::ZERO) {
        heads.tell_trouble(Some(e.to_string()));
    }
    heads.tell_trouble(Some(
        "unfinalized blocks are followed only while the index is".into(),
    ));
}

struct Follower<S> {
    source: Arc<Remembering<S>>,
    heads: Heads,
    progress: watch::Receiver<Progress>,
    options: Options,
    /// At the end of the branch, if it is not made anew.
    builder: Option<Builder<Remembering<S>>>,
}

impl<S: ChainSource> Follower<S> {
    async fn run(mut self, mut settled: watch::Receiver<u64>) {
        let mut head: Option<BestHead> = None;
        let mut pause = PAUSES.0;
        let mut again: Option<Instant> = None;
        loop {
            let retry = async {
                match again {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                found = self.source.best(head.map(|head| head.hash)) => match found {
                    Ok(found) => {
                        head = Some(found);
                        pause = PAUSES.0;
                    }
                    Err(error) => {
                        self.heads.tell_trouble(Some(error.to_string()));
                        tokio::time::sleep(PAUSES.1).await;
                        continue;
                    }
                },
                changed = settled.changed() => if changed.is_err() { return },
                () = retry => {}
            }
            again = None;
            let Some(head) = head else { continue };
            match self.reach(&head).await {
                Ok(()) => {
                    pause = PAUSES.0;
                    self.heads.tell_trouble(None);
                }
                // The next round finds the other head, or the store as it is now.
                Err(HeadsError::Moved) => again = Some(Instant::now()),
                // Nothing is wrong; nobody tells of its end.
                Err(error @ HeadsError::Restaging { .. }) => {
                    self.heads.tell_trouble(Some(error.to_string()));
                    self.builder = None;
                    again = Some(Instant::now() + PAUSES.0);
                }
                Err(error) => {
                    // The road may ask for the same: not from a memory that led to an error.
                    self.source.remember(false);
                    tracing::warn!(best = head.number, %error, "unfinalized blocks wait");
                    metrics::counter!("indexer_heads_errors_total").increment(1);
                    self.heads.tell_trouble(Some(error.to_string()));
                    self.builder = None;
                    again = Some(Instant::now() + pause);
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    /// Whether the road is close enough to the head for all this.
    fn is_near(&self, stored: u32) -> bool {
        let finalized = self.progress.borrow().finalized;
        finalized.is_some_and(|height| height <= stored.saturating_add(self.options.near))
    }

    /// Brings the branch to `head`.
    async fn reach(&mut self, head: &BestHead) -> Result<(), HeadsError> {
        let Some(tip) = self.heads.settle()? else {
            return Ok(());
        };
        let near = self.is_near(tip.last);
        self.source.remember(near);
        if !near {
            self.builder = None;
            return Ok(());
        }
        // The rows of blocks above would not know what is being made again, and nothing
        // would ever add it to them.
        if let Some(restage) = self.heads.0.base.restage_of(tip.first) {
            self.heads.cut(H256(tip.hash))?;
            let done = restage.done;
            return Err(HeadsError::Restaging { done });
        }
        if head.number <= tip.last {
            // The node is at the store's end, or behind it: nothing is above.
            self.heads.cut(H256(tip.hash))?;
            return Ok(());
        }
        let branch = self.heads.branch();
        if branch.best().is_some_and(|(_, best)| best == head.hash) {
            return Ok(());
        }
        let mut builder = self.builder(&branch, tip.first).await?;
        let ahead = builder.ahead();
        let walked = path(&*self.source, &branch, head, &ahead);
        let path = match self.in_time(head, walked).await {
            Ok(path) => path,
            Err(error) => {
                if let HeadsError::Elsewhere { .. } = error {
                    self.heads.cut(H256(tip.hash))?;
                }
                return Err(error);
            }
        };
        self.heads.cut(path.from)?;
        for raw in path.blocks {
            let branch = self.heads.branch();
            let end = branch.best().or(branch.root()).map(|(_, hash)| hash);
            if end != Some(raw.parent) {
                // The road went on meanwhile; begin again from what is there.
                self.builder = Some(builder);
                return self.moved(head);
            }
            if builder.at() != raw.parent {
                builder = self.builder(&branch, tip.first).await?;
            }
            let built = builder.next(raw, &ahead, branch.store());
            let (next, block) = self.in_time(head, async { Ok(built.await?) }).await?;
            builder = next;
            // What was read is of this branch only if the store still is, and is all that
            // there is only if nothing was joined below it since.
            if block.floor != tip.first
                || !branch.holds(&self.heads.0.base)?
                || !self.heads.push(block)?
            {
                return self.moved(head);
            }
        }
        self.builder = Some(builder);
        Ok(())
    }

    /// The road passed the branch. Nothing is wrong, if the head is still above it.
    fn moved(&mut self, head: &BestHead) -> Result<(), HeadsError> {
        let tip = self.heads.settle()?;
        if tip.is_some_and(|tip| tip.last >= head.number) {
            return Ok(());
        }
        Err(HeadsError::Moved)
    }

    /// A builder at the end of a branch, above the span from `floor` on: the one at hand
    /// or a new one.
    async fn builder(
        &mut self,
        branch: &Branch,
        floor: BlockNumber,
    ) -> Result<Builder<Remembering<S>>, HeadsError> {
        let end = branch.best().or(branch.root()).map(|(_, hash)| hash);
        let stands = |builder: &Builder<Remembering<S>>| {
            Some(builder.at()) == end && builder.floor() == Some(floor)
        };
        if let Some(builder) = self.builder.take().filter(&stands) {
            return Ok(builder);
        }
        let builder = Builder::load(self.source.clone(), branch.store()).await?;
        match stands(&builder) {
            true => Ok(builder),
            false => Err(HeadsError::Moved),
        }
    }

    /// Work on a block, not longer than allowed, and not long when there is another head.
    async fn in_time<T>(
        &self,
        head: &BestHead,
        work: impl Future<Output = Result<T, HeadsError>>,
    ) -> Result<T, HeadsError> {
        let superseded = async {
            tokio::time::sleep(self.options.grace).await;
            if self.source.best(Some(head.hash)).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            done = work => done,
            () = superseded => Err(HeadsError::Moved),
            () = tokio::time::sleep(self.options.patience) => {
                Err(HeadsError::Late(self.options.patience))
            }
        }
    }
}
