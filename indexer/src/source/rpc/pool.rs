//! The endpoints: which one is asked, and what is known of their heads.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use chain_metadata::{BlockNumber, H256};
use futures::FutureExt;
use futures::future::join_all;
use tokio::sync::watch;

use super::address;
use super::endpoint::{self, Down, Endpoint};
use super::health::lock;
use super::link::{HeadError, Heights, Link, Wiring};
use super::retry::pause;
use super::{RpcOptions, Tuning};
use crate::source::SourceError;

/// An endpoint so many blocks behind another is asked after it.
pub(super) const BEHIND: BlockNumber = 5;
/// Rounds over all endpoints at the first contact.
const FIRST_ROUNDS: u32 = 3;
/// Block hashes whose numbers are remembered.
const REMEMBERED: usize = 8192;

/// The endpoints.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) options: RpcOptions,
    pub(super) silence: Duration,
    in_use: AtomicUsize,
    genesis: OnceLock<H256>,
    heights: Heights,
    numbers: Mutex<HashMap<H256, BlockNumber>>,
    trouble: Mutex<Option<String>>,
}

impl Pool {
    pub(super) fn new(
        urls: &[String],
        options: RpcOptions,
        tuning: Tuning,
    ) -> Result<Pool, SourceError> {
        if urls.is_empty() {
            return Err(SourceError::Url {
                url: "(none)".into(),
                why: "no address is given".into(),
            });
        }
        urls.iter().try_for_each(|url| address::check(url))?;
        let heights: Heights = Arc::new(watch::channel(vec![None; urls.len()]).0);
        let endpoint = |(index, url): (usize, &String)| {
            Endpoint::new(Wiring {
                url: url.clone(),
                label: address::label(url).into(),
                index,
                timeout: options.timeout,
                silence: tuning.silence,
                max_answer: tuning.max_answer,
                heights: heights.clone(),
                health: endpoint::record(),
            })
        };
        Ok(Pool {
            endpoints: urls.iter().enumerate().map(endpoint).collect(),
            silence: tuning.silence,
            in_use: AtomicUsize::new(0),
            genesis: options.genesis.map(OnceLock::from).unwrap_or_default(),
            heights,
            numbers: Mutex::default(),
            trouble: Mutex::default(),
            options,
        })
    }

    /// Names of the endpoints, the one in use first.
    pub(super) fn endpoints(&self) -> Vec<(String, bool)> {
        let used = self.in_use.load(Ordering::Relaxed);
        let named = |(i, e): (usize, &Endpoint)| (e.label().to_string(), i == used);
        let mut list: Vec<_> = self.endpoints.iter().enumerate().map(named).collect();
        list.sort_by_key(|(_, used)| !used);
        list
    }

    /// Endpoints of the right chain, in the order in which to ask them about a
    /// block: those that have its state, do not rest after errors, are not
    /// behind, are fast.
    pub(super) fn order(&self, block: Option<BlockNumber>) -> Vec<usize> {
        let heights = self.heights.borrow().clone();
        let best = heights.iter().flatten().max().copied().unwrap_or_default();
        let used = self.in_use.load(Ordering::Relaxed);
        let mut keyed = Vec::with_capacity(self.endpoints.len());
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            let health = endpoint.health();
            if health.wrong.is_some() {
                continue;
            }
            let gone = match (block, health.pruned) {
                (Some(block), Some(pruned)) => block <= pruned,
                _ => false,
            };
            let height = heights.get(index).copied().flatten();
            let behind = height.is_some_and(|height| height.saturating_add(BEHIND) < best);
            let cost = health.cost(index == used);
            keyed.push((gone, health.rests(), behind, cost, index));
        }
        keyed.sort_unstable();
        keyed.into_iter().map(|(.., index)| index).collect()
    }

    /// An endpoint gave a good answer.
    pub(super) fn good(&self, index: usize) {
        self.in_use.store(index, Ordering::Relaxed);
        self.tell_trouble(None);
    }

    /// What went wrong last, if nothing went right since.
    pub(super) fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    pub(super) fn tell_trouble(&self, trouble: Option<String>) {
        *lock(&self.trouble) = trouble;
    }

    /// Remembers which block a hash is of.
    pub(super) fn learn(&self, pairs: impl Iterator<Item = (H256, BlockNumber)>) {
        let mut numbers = lock(&self.numbers);
        if numbers.len() > REMEMBERED {
            numbers.clear();
        }
        numbers.extend(pairs);
    }

    pub(super) fn number_of(&self, hash: &H256) -> Option<BlockNumber> {
        lock(&self.numbers).get(hash).copied()
    }

    /// Changes when the height of any endpoint does.
    pub(super) fn heads(&self) -> watch::Receiver<Vec<Option<BlockNumber>>> {
        self.heights.subscribe()
    }

    /// The connection of an endpoint.
    pub(super) async fn link(&self, index: usize, patient: bool) -> Result<Arc<Link>, SourceError> {
        let Some(endpoint) = self.endpoints.get(index) else {
            return Err(SourceError::Question(format!(
                "there is no endpoint {index}"
            )));
        };
        let expected = |found| *self.genesis.get_or_init(|| found);
        match endpoint.link(patient, expected).await {
            Ok(link) => Ok(link),
            Err(Down::Unreachable(why)) => {
                // Nobody is to wait for blocks that only it had.
                self.heights.send_if_modified(|heights| {
                    let height = heights.get_mut(index);
                    height.is_some_and(|height| height.take().is_some())
                });
                Err(SourceError::Unreachable {
                    tried: format!("{}: {why}", endpoint.label()),
                })
            }
            Err(Down::Wrong(found)) => {
                tracing::warn!(
                    endpoint = %endpoint.label(), %found,
                    "an endpoint serves another chain and is not used; remove this --url"
                );
                Err(self.all_wrong())
            }
        }
    }

    /// Endpoints that serve another chain, as an error.
    pub(super) fn all_wrong(&self) -> SourceError {
        let served = self.endpoints.iter().filter_map(|endpoint| {
            let found = endpoint.health().wrong?;
            let label = endpoint.label();
            Some(format!("{label} serves the chain with genesis {found}"))
        });
        SourceError::Genesis {
            served: served.collect::<Vec<_>>().join("; "),
            expected: self.genesis.get().copied().unwrap_or_default(),
        }
    }

    /// Finds an endpoint that answers and serves the right chain.
    pub(super) async fn first_contact(&self) -> Result<(), SourceError> {
        let mut tried = Vec::new();
        for round in 0..FIRST_ROUNDS {
            if round > 0 {
                tokio::time::sleep(pause(round)).await;
            }
            tried.clear();
            let order = self.order(None);
            if order.is_empty() {
                break;
            }
            for index in order {
                match self.link(index, true).await {
                    Ok(_) => {
                        self.in_use.store(index, Ordering::Relaxed);
                        return Ok(());
                    }
                    Err(SourceError::Unreachable { tried: why }) => tried.push(why),
                    Err(_) => {}
                }
            }
        }
        if tried.is_empty() {
            return Err(self.all_wrong());
        }
        let wrong = self.endpoints.iter().filter_map(|endpoint| {
            let found = endpoint.health().wrong?;
            let label = endpoint.label();
            Some(format!("{label} serves another chain, genesis {found}"))
        });
        tried.extend(wrong);
        Err(SourceError::Unreachable {
            tried: tried.join("; "),
        })
    }

    pub(super) async fn genesis(&self) -> Result<H256, SourceError> {
        if self.genesis.get().is_none() {
            self.first_contact().await?;
        }
        self.genesis
            .get()
            .copied()
            .ok_or_else(|| SourceError::Unreachable {
                tried: "no endpoint told its genesis hash".into(),
            })
    }

    /// The best connection that can be had now.
    pub(super) async fn any_link(&self) -> Option<Arc<Link>> {
        for index in self.order(None) {
            if let Ok(link) = self.link(index, false).await {
                return Some(link);
            }
        }
        None
    }

    /// Asks all endpoints how far they are, and so how fast; whether any answers.
    pub(super) async fn scout(&self) -> bool {
        let order = self.order(None);
        let answered = join_all(order.into_iter().map(|index| self.scout_one(index))).await;
        answered.contains(&true)
    }

    async fn scout_one(&self, index: usize) -> bool {
        let Ok(link) = self.link(index, false).await else {
            if let Some(endpoint) = self.endpoints.get(index) {
                endpoint.health().failed();
            }
            return false;
        };
        if let Err(error) = link.head().await {
            tracing::debug!(endpoint = %link.label(), ?error, "no finalized head");
            link.health().failed();
            if let (HeadError::Ended(_), Some(endpoint)) = (error, self.endpoints.get(index)) {
                endpoint.forget(&link).await;
            }
            return false;
        }
        true
    }

    /// No head above `height` has come for long: looks at all endpoints, and
    /// leaves the one in use alone for a while if another has one. Whether any answers.
    pub(super) async fn stalled(&self, height: BlockNumber) -> bool {
        let used = self.in_use.load(Ordering::Relaxed);
        if !self.scout().await {
            return false;
        }
        let heights = self.heights.borrow().clone();
        let further = |height: Option<BlockNumber>, than| height.is_some_and(|h| h > than);
        if further(heights.get(used).copied().flatten(), height) {
            return true;
        }
        let Some(other) = heights.iter().position(|h| further(*h, height)) else {
            self.tell_trouble(Some(format!(
                "no endpoint tells a finalized block above {height} for {:?}",
                self.silence
            )));
            return true;
        };
        if let (Some(slow), Some(next)) = (self.endpoints.get(used), self.endpoints.get(other)) {
            tracing::warn!(
                endpoint = %slow.label(), instead = %next.label(), height,
                "an endpoint tells no new finalized blocks and is left"
            );
            slow.health().rest(self.silence);
            self.in_use.store(other, Ordering::Relaxed);
        }
        true
    }

    /// Keeps a connection open while nothing is asked, and knows the others.
    pub(super) async fn keep(self: Arc<Self>) {
        let mut scouts = tokio::time::interval(self.silence);
        scouts.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if self.endpoints.len() > 1 && scouts.tick().now_or_never().is_some() {
                self.scout().await;
            }
            let Some(link) = self.any_link().await else {
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            };
            tokio::select! {
                () = link.closed() => tokio::time::sleep(Duration::from_millis(100)).await,
                () = tokio::time::sleep(self.silence) => {}
            }
        }
    }
}
