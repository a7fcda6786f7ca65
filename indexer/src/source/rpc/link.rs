//! One connection to one node: calls, batches, and what it knows to be final.

use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use chain_metadata::BlockNumber;
use jsonrpsee::core::client::{ClientT, Error, Subscription, SubscriptionClientT};
use jsonrpsee::core::params::{ArrayParams, BatchRequestBuilder};
use jsonrpsee::rpc_params;
use jsonrpsee::types::ErrorObjectOwned;
use jsonrpsee::ws_client::{PingConfig, WsClient, WsClientBuilder};
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::address;
use super::answer::{self, Answer};
use super::health::{Health, lock};
use crate::source::BestHead;

/// Finalized heights as last heard, an endpoint each.
pub(super) type Heights = Arc<watch::Sender<Vec<Option<BlockNumber>>>>;

/// Method and parameters of one call.
pub(super) type Call = (&'static str, ArrayParams);

/// How a request ended without an answer of its own.
#[derive(Debug)]
pub(super) enum Ended {
    /// Connection or patience ended.
    Lost(String),
    /// The node, or the client, found some request or answer on this connection
    /// too large or not allowed, and did not say which one. An answer without an
    /// id ends the connection. The largest one under way is to blame; this is
    /// how many calls it had.
    Whole { blamed: usize, why: String },
}

/// What a link is made with.
#[derive(Debug, Clone)]
pub(super) struct Wiring {
    pub(super) url: String,
    pub(super) label: Arc<str>,
    pub(super) index: usize,
    pub(super) timeout: Duration,
    pub(super) silence: Duration,
    pub(super) max_answer: u32,
    pub(super) heights: Heights,
    pub(super) health: Arc<Mutex<Health>>,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    wiring: Wiring,
    client: WsClient,
    /// What *this* connection said is final: behind one address there may be several nodes.
    finalized: Mutex<Option<BlockNumber>>,
    flying: Mutex<Flying>,
}

/// Requests under way.
#[derive(Debug, Default)]
struct Flying {
    sizes: Vec<usize>,
    blamed: Option<usize>,
}

/// A request under way, by its number of calls.
struct Flight<'a>(&'a Link, usize);

impl<'a> Flight<'a> {
    fn begin(link: &'a Link, calls: usize) -> Flight<'a> {
        lock(&link.flying).sizes.push(calls);
        Flight(link, calls)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let sizes = &mut lock(&self.0.flying).sizes;
        if let Some(at) = sizes.iter().position(|size| *size == self.1) {
            sizes.swap_remove(at);
        }
    }
}

/// Longest text of a node that goes into a message.
const LONGEST_TEXT: usize = 300;

impl Link {
    /// Connects; nothing is asked yet.
    pub(super) async fn connect(wiring: Wiring) -> Result<Link, String> {
        let client = WsClientBuilder::default()
            .max_response_size(wiring.max_answer)
            .max_request_size(wiring.max_answer)
            .max_concurrent_requests(1024)
            .max_buffer_capacity_per_subscription(4096)
            .enable_ws_ping(PingConfig::new())
            .request_timeout(wiring.timeout)
            .connection_timeout(wiring.timeout)
            .build(&wiring.url)
            .await
            .map_err(|e| shown(&e, &wiring))?;
        Ok(Link {
            wiring,
            client,
            finalized: Mutex::new(None),
            flying: Mutex::default(),
        })
    }

    /// Scheme, host and port.
    pub(super) fn label(&self) -> &Arc<str> {
        &self.wiring.label
    }

    /// The record of its endpoint.
    pub(super) fn health(&self) -> std::sync::MutexGuard<'_, Health> {
        lock(&self.wiring.health)
    }

    pub(super) fn is_open(&self) -> bool {
        self.client.is_connected()
    }

    /// Waits until the connection ends.
    pub(super) async fn closed(&self) {
        self.client.on_disconnect().await;
    }

    /// What it said is final, if it said so yet.
    pub(super) fn finalized(&self) -> Option<BlockNumber> {
        *lock(&self.finalized)
    }

    /// It said that this is its finalized height. A node restored from a copy may go back.
    pub(super) fn note(&self, number: BlockNumber) {
        *lock(&self.finalized) = Some(number);
        self.wiring.heights.send_if_modified(|heights| {
            let Some(height) = heights.get_mut(self.wiring.index) else {
                return false;
            };
            let changed = *height != Some(number);
            *height = Some(number);
            changed
        });
    }

    /// Asks for the finalized height, and takes the time of the first, small question.
    pub(super) async fn head(&self) -> Result<BlockNumber, HeadError> {
        let asked = Instant::now();
        let head = self
            .call(("chain_getFinalizedHead", rpc_params![]))
            .await
            .map_err(HeadError::Ended)?;
        self.health().took(asked.elapsed());
        let head = answer::hash(&head).map_err(|e| HeadError::Bad("chain_getFinalizedHead", e))?;
        let header = self
            .call(("chain_getHeader", rpc_params![head]))
            .await
            .map_err(HeadError::Ended)?;
        let number = answer::height(&header).map_err(|e| HeadError::Bad("chain_getHeader", e))?;
        self.note(number);
        Ok(number)
    }

    /// One call alone.
    pub(super) async fn call(&self, call: Call) -> Result<Answer, Ended> {
        let _flight = Flight::begin(self, 1);
        let (method, params) = call;
        let asked = self.client.request::<Box<RawValue>, _>(method, params);
        match tokio::time::timeout(self.wiring.timeout, asked).await {
            Err(_) => Err(self.late()),
            Ok(Ok(value)) => Ok(Ok(value)),
            Ok(Err(Error::Call(error))) => Ok(Err(told(&error))),
            Ok(Err(error)) => Err(self.ended(&error)),
        }
    }

    /// Several calls as one batch.
    pub(super) async fn batch(&self, calls: Vec<Call>) -> Result<Vec<Answer>, Ended> {
        let count = calls.len();
        let mut batch = BatchRequestBuilder::new();
        for (method, params) in calls {
            batch
                .insert(method, params)
                .map_err(|e| Ended::Lost(format!("{method} cannot be written: {e}")))?;
        }
        let _flight = Flight::begin(self, count);
        let asked = self.client.batch_request::<Box<RawValue>>(batch);
        let answers = match tokio::time::timeout(self.wiring.timeout, asked).await {
            Err(_) => return Err(self.late()),
            Ok(Err(error)) => return Err(self.ended(&error)),
            Ok(Ok(answers)) => answers,
        };
        if answers.len() != count {
            return Err(Ended::Lost(format!(
                "{} answers to {count} calls",
                answers.len()
            )));
        }
        Ok(answers
            .into_iter()
            .map(|one| one.map_err(|error| told(&error)))
            .collect())
    }

    /// Its best heads from now on, the present one first; `None` when the node
    /// gives no such subscription.
    pub(super) async fn best_heads(&self) -> Option<Subscription<Box<RawValue>>> {
        let subscribed = self.client.subscribe(
            "chain_subscribeNewHeads",
            rpc_params![],
            "chain_unsubscribeNewHeads",
        );
        match subscribed.await {
            Ok(heads) => Some(heads),
            Err(error) => {
                tracing::debug!(%error, "no subscription to best heads");
                None
            }
        }
    }

    /// The best head when asked for it.
    pub(super) async fn best_head(&self) -> Option<BestHead> {
        let header = self.call(("chain_getHeader", rpc_params![])).await.ok()?;
        answer::best_head(&header.ok()?)
    }

    fn late(&self) -> Ended {
        Ended::Lost(format!("no answer in {:?}", self.wiring.timeout))
    }

    fn ended(&self, error: &Error) -> Ended {
        let why = shown(error, &self.wiring);
        let cause = match error {
            Error::RestartNeeded(cause) => cause,
            other => other,
        };
        if !matches!(cause, Error::InvalidRequestId(_)) && !passes_limit(&why) {
            return Ended::Lost(why);
        }
        let mut flying = lock(&self.flying);
        let largest = flying.sizes.iter().copied().max().unwrap_or(1);
        // All that was under way ends together; all of it names the same one.
        let blamed = *flying.blamed.get_or_insert(largest);
        Ended::Whole { blamed, why }
    }
}

/// Why there is no finalized height.
#[derive(Debug)]
pub(super) enum HeadError {
    Ended(Ended),
    Bad(&'static str, answer::Bad),
}

/// Whether it was the client that found a message too large.
pub(super) fn passes_limit(why: &str) -> bool {
    why.contains("too large")
}

fn told(error: &ErrorObjectOwned) -> (i32, String) {
    let mut text = error.message().to_owned();
    if let Some(data) = error.data() {
        text = format!("{text}: {}", data.get());
    }
    (error.code(), clip(text))
}

/// The text of an error without the secrets of the address.
fn shown(error: &Error, wiring: &Wiring) -> String {
    clip(address::hide(&error.to_string(), &wiring.url))
}

fn clip(text: String) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// Keeps a link's finalized height up to date, for as long as there is the link.
///
/// A subscription that is silent, refused or closed is made again, and the node
/// is asked: what it answers counts, subscription or not.
pub(super) async fn follow(link: Weak<Link>, silence: Duration) {
    let patience = silence / 2;
    loop {
        let Some(held) = link.upgrade() else { return };
        let subscribed: Result<Subscription<Box<RawValue>>, _> = held
            .client
            .subscribe(
                "chain_subscribeFinalizedHeads",
                rpc_params![],
                "chain_unsubscribeFinalizedHeads",
            )
            .await;
        if !held.is_open() {
            return;
        }
        drop(held);
        match subscribed {
            Err(error) => {
                tracing::debug!(%error, "no subscription to finalized heads");
                tokio::time::sleep(patience).await;
            }
            Ok(mut heads) => {
                while let Ok(Some(head)) = tokio::time::timeout(patience, heads.next()).await {
                    let Some(held) = link.upgrade() else { return };
                    match head.ok().as_deref().and_then(answer::header_number) {
                        Some(number) => held.note(number),
                        None => {
                            tracing::warn!(endpoint = %held.label(), "a head that cannot be read");
                        }
                    }
                }
            }
        }
        let Some(held) = link.upgrade() else { return };
        if !held.is_open() {
            return;
        }
        if let Err(error) = held.head().await {
            tracing::debug!(endpoint = %held.label(), ?error, "no finalized head");
        }
        drop(held);
        // A subscription that the node closes at once is not made in a hurry.
        tokio::time::sleep(Duration::from_millis(200).min(patience)).await;
    }
}
