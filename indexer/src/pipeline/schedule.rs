//! Who walks where: the head, and as many ranges at once as are wanted.

use std::collections::HashMap;
use std::sync::Arc;

use crossbeam_channel::Sender;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};

use super::ranges::{Blocks, Wanted, count, merged, missing, wanted};
use super::walk::{Reach, Stopped, Stretch, Walker, first_kept, hand_over};
use super::{Plan, Progress, Work, restage};
use crate::IndexError;
use crate::source::{ChainSource, SourceError};
use crate::store::{Missing, Store};

/// What one task does.
#[derive(Debug, Clone, Copy)]
enum Job {
    Walk(Stretch),
    Restage,
}

/// How a task ended.
enum Ended {
    Walk(Stopped),
    Restage(Result<(), IndexError>),
}

/// Gives out the work until there is none.
pub(super) struct Schedule<S> {
    pub(super) source: Arc<S>,
    pub(super) store: Store,
    pub(super) plan: Plan,
    pub(super) live: Sender<Work>,
    pub(super) rest: Sender<Work>,
    pub(super) progress: watch::Sender<Progress>,
    tasks: JoinSet<Ended>,
    jobs: HashMap<Id, Job>,
    /// Blocks that the nodes do not have.
    gone: Vec<Blocks>,
}

impl<S: ChainSource> Schedule<S> {
    pub(super) fn new(
        source: Arc<S>,
        store: Store,
        plan: Plan,
        live: Sender<Work>,
        rest: Sender<Work>,
        progress: watch::Sender<Progress>,
    ) -> Schedule<S> {
        Schedule {
            source,
            store,
            plan,
            live,
            rest,
            progress,
            tasks: JoinSet::new(),
            jobs: HashMap::new(),
            gone: Vec::new(),
        }
    }

    /// Runs until everything wanted is stored, for ever if the head is followed.
    pub(super) async fn run(&mut self) -> Result<(), IndexError> {
        let finalized = self.source.finalized().await?;
        let wanted = wanted(&self.plan, &self.store.spans(), finalized)?;
        let committed = self.store.last()?;
        self.progress.send_modify(|p| {
            p.finalized = Some(finalized);
            p.committed = committed;
        });
        if let Some(from) = wanted.follow {
            self.walk(Stretch { from, to: None });
        }
        let mut heard = self.progress.subscribe();
        loop {
            self.give_out(&wanted);
            self.tell(&wanted);
            if self.tasks.is_empty() && self.store.joints().is_empty() {
                return Ok(());
            }
            tokio::select! {
                ended = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => {
                    if let Some(ended) = ended {
                        let (id, ended) = ended.map_err(|e| IndexError::Thread("walk", e.to_string()))?;
                        let job = self.jobs.remove(&id);
                        self.ended(job, ended, &wanted).await?;
                    }
                }
                _ = heard.changed() => {}
            }
        }
    }

    /// Ends every task and closes the channels: nobody but the writer has the store
    /// any more.
    pub(super) async fn end(mut self) {
        self.tasks.shutdown().await;
    }

    fn walking(&self) -> impl Iterator<Item = Stretch> {
        self.jobs.values().filter_map(|job| match job {
            Job::Walk(stretch) => Some(*stretch),
            Job::Restage => None,
        })
    }

    fn walk(&mut self, stretch: Stretch) {
        let blocks = match stretch.to {
            None => self.live.clone(),
            Some(_) => self.rest.clone(),
        };
        let walker = Walker {
            source: self.source.clone(),
            store: self.store.clone(),
            reach: Reach {
                window: self.plan.window,
                ahead: self.plan.ahead,
            },
            blocks,
            progress: self.progress.clone(),
        };
        let task = self
            .tasks
            .spawn(async move { Ended::Walk(walker.walk(stretch).await) });
        self.jobs.insert(task.id(), Job::Walk(stretch));
    }

    /// Stored blocks, those that somebody walks, and those that cannot be had.
    fn held(&self) -> Vec<Blocks> {
        let spans = self.store.spans();
        let mut held: Vec<Blocks> = spans.iter().map(|s| (s.first, s.last)).collect();
        held.extend(self.walking().map(|s| (s.from, s.end())));
        held.extend(&self.gone);
        merged(held)
    }

    fn give_out(&mut self, wanted: &Wanted) {
        self.restage();
        loop {
            let busy = self.walking().filter(|s| s.to.is_some()).count();
            if busy >= self.plan.ranges_at_once.max(1) {
                return;
            }
            let next = self.meeting().or_else(|| {
                let gaps = missing(&wanted.ranges, &self.held());
                gaps.first().copied()
            });
            let Some((from, to)) = next else {
                return;
            };
            self.walk(Stretch { from, to: Some(to) });
        }
    }

    /// The first block of a span that lies right above another one, when nobody is
    /// about to join them.
    fn meeting(&self) -> Option<Blocks> {
        let spans = self.store.spans();
        let pairs = spans.iter().zip(spans.iter().skip(1));
        let mut meetings = pairs
            .filter(|(below, above)| below.last.checked_add(1) == Some(above.first))
            .map(|(_, above)| above.first);
        meetings
            .find(|at| {
                !self
                    .walking()
                    .any(|s| s.from <= *at && s.end().saturating_add(1) >= *at)
            })
            .map(|at| (at, at))
    }

    fn restage(&mut self) {
        if self.jobs.values().any(|job| matches!(job, Job::Restage)) {
            return;
        }
        let Some(run) = self.store.restages().first().copied() else {
            return;
        };
        let again = restage::again(self.store.clone(), run, self.rest.clone());
        let task = self.tasks.spawn(async move { Ended::Restage(again.await) });
        self.jobs.insert(task.id(), Job::Restage);
    }

    async fn ended(
        &mut self,
        job: Option<Job>,
        ended: Ended,
        wanted: &Wanted,
    ) -> Result<(), IndexError> {
        match (job, ended) {
            (_, Ended::Restage(done)) => done,
            (_, Ended::Walk(Stopped { error: None, .. })) => {
                if self.store.has_missing() {
                    hand_over(&self.rest, Work::Missing(None)).await?;
                }
                Ok(())
            }
            (
                Some(Job::Walk(stretch)),
                Ended::Walk(Stopped {
                    next,
                    error: Some(IndexError::Source(pruned @ SourceError::Pruned { .. })),
                }),
            ) => self.pruned(stretch, next, pruned, wanted).await,
            (_, Ended::Walk(Stopped { error: Some(e), .. })) => Err(e),
        }
    }

    /// The nodes have no state of a block any more: go on above, when that is
    /// allowed, or say which blocks are missing.
    async fn pruned(
        &mut self,
        stretch: Stretch,
        next: u32,
        pruned: SourceError,
        wanted: &Wanted,
    ) -> Result<(), IndexError> {
        let end = match stretch.to {
            Some(to) => to,
            None => self.source.finalized().await?,
        };
        let kept = match next <= end {
            true => first_kept(&*self.source, (next, end)).await?,
            false => None,
        };
        let (last, goes_on) = match kept {
            Some(kept) => (kept.saturating_sub(1), kept),
            None => (end, end.saturating_add(1)),
        };
        let why = match &pruned {
            SourceError::Pruned { why, .. } => why.clone(),
            other => other.to_string(),
        };
        if kept == Some(next) || last < next {
            // It was there after all when it was asked for alone.
            return Err(pruned.into());
        }
        if !self.plan.allow_partial {
            return Err(IndexError::Pruned {
                first: next,
                last,
                next: goes_on,
                why,
            });
        }
        tracing::warn!(first = next, last, why, "blocks are left out");
        self.gone.push((next, last));
        let missing = Missing {
            first: next,
            last,
            reason: format!("the state is not kept by the node ({why})"),
        };
        hand_over(&self.rest, Work::Missing(Some(missing))).await?;
        if stretch.to.is_none() && wanted.follow.is_some() {
            self.walk(Stretch {
                from: goes_on,
                to: None,
            });
        }
        Ok(())
    }

    /// How far the ranges are.
    fn tell(&self, wanted: &Wanted) {
        let spans = self.store.spans();
        let held: Vec<Blocks> = spans.iter().map(|s| (s.first, s.last)).collect();
        let without: Vec<Blocks> = merged([held.clone(), self.gone.clone()].concat());
        let left = count(&missing(&wanted.ranges, &without));
        for range in &wanted.ranges {
            let stored = count(&[*range]) - count(&missing(&[*range], &held));
            let label = format!("{}..{}", range.0, range.1);
            metrics::gauge!("indexer_range_blocks", "range" => label).set(whole(stored));
        }
        metrics::gauge!("indexer_blocks_left").set(whole(left));
        self.progress.send_if_modified(|p| {
            let news = p.left != left;
            p.left = left;
            p.wanted.get_or_insert(left);
            news
        });
    }
}

/// A count of blocks for a gauge: they are fewer than 2^33.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
fn whole(blocks: u64) -> f64 {
    blocks as f64
}
