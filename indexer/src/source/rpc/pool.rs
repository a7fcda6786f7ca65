//! Endpoints, the one in use, and what to do when it fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chain_metadata::{BlockNumber, H256};
use jsonrpsee::core::client::ClientT;
use jsonrpsee::core::params::{ArrayParams, BatchRequestBuilder};
use jsonrpsee::rpc_params;
use jsonrpsee::ws_client::{PingConfig, WsClient, WsClientBuilder};
use rand::Rng;
use serde_json::value::RawValue;
use tokio::sync::{Mutex, OnceCell};

use super::RpcOptions;
use super::answer::{self, Answer, Verdict};
use crate::source::SourceError;

/// One call of a batch.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) params: ArrayParams,
}

impl Call {
    pub(super) fn new(method: &'static str, params: ArrayParams) -> Call {
        Call { method, params }
    }
}

#[derive(Debug)]
struct Endpoint {
    url: String,
    client: Mutex<Option<Arc<WsClient>>>,
}

/// The endpoints.
#[derive(Debug)]
pub(super) struct Pool {
    endpoints: Vec<Endpoint>,
    current: AtomicUsize,
    options: RpcOptions,
    genesis: OnceCell<H256>,
}

/// Largest answer taken from a node.
const MAX_ANSWER: u32 = 128 << 20;
/// Rounds over all endpoints at the first contact.
const FIRST_ROUNDS: u32 = 3;

impl Pool {
    pub(super) fn new(urls: &[String], options: RpcOptions) -> Result<Pool, SourceError> {
        let refuse = |url: &str, why: &str| SourceError::Url {
            url: url.to_owned(),
            why: why.to_owned(),
        };
        if urls.is_empty() {
            return Err(refuse("(none)", "no address is given"));
        }
        for url in urls {
            let rest = url
                .strip_prefix("ws://")
                .or_else(|| url.strip_prefix("wss://"))
                .ok_or_else(|| refuse(url, "it does not begin with ws:// or wss://"))?;
            if rest.is_empty() || rest.starts_with('/') || rest.contains(char::is_whitespace) {
                return Err(refuse(url, "it names no host"));
            }
        }
        let genesis = match options.genesis {
            Some(hash) => OnceCell::new_with(Some(hash)),
            None => OnceCell::new(),
        };
        Ok(Pool {
            endpoints: urls
                .iter()
                .map(|url| Endpoint {
                    url: url.clone(),
                    client: Mutex::new(None),
                })
                .collect(),
            current: AtomicUsize::new(0),
            options,
            genesis,
        })
    }

    pub(super) fn endpoints(&self) -> Vec<(String, bool)> {
        let current = self.current.load(Ordering::Relaxed) % self.endpoints.len();
        let mut list: Vec<_> = self
            .endpoints
            .iter()
            .enumerate()
            .map(|(i, e)| (e.url.clone(), i == current))
            .collect();
        list.sort_by_key(|(_, current)| !current);
        list
    }

    /// Finds an endpoint that answers and serves the right chain.
    pub(super) async fn first_contact(&self) -> Result<(), SourceError> {
        let mut tried = Vec::new();
        for round in 0..FIRST_ROUNDS {
            tried.clear();
            for index in 0..self.endpoints.len() {
                match self.client(index).await {
                    Ok(_) => {
                        self.current.store(index, Ordering::Relaxed);
                        return Ok(());
                    }
                    Err(e @ SourceError::Genesis { .. }) => return Err(e),
                    Err(e) => tried.push(e.to_string()),
                }
            }
            tokio::time::sleep(pause(round)).await;
        }
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

    /// The connection of the endpoint in use, if it can be had now.
    pub(super) async fn connected(&self) -> Option<(String, Arc<WsClient>)> {
        let index = self.current.load(Ordering::Relaxed) % self.endpoints.len();
        let client = self.client(index).await.ok()?;
        Some((self.endpoints[index].url.clone(), client))
    }

    /// Connects if needed; a new connection proves its genesis first.
    async fn client(&self, index: usize) -> Result<Arc<WsClient>, SourceError> {
        let endpoint = &self.endpoints[index];
        let mut held = endpoint.client.lock().await;
        if let Some(client) = held.as_ref()
            && client.is_connected()
        {
            return Ok(client.clone());
        }
        let unreachable = |why: String| SourceError::Unreachable {
            tried: format!("{}: {why}", endpoint.url),
        };
        let build = WsClientBuilder::default()
            .max_response_size(MAX_ANSWER)
            .max_request_size(MAX_ANSWER)
            .max_concurrent_requests(1024)
            .max_buffer_capacity_per_subscription(4096)
            .enable_ws_ping(PingConfig::new())
            .request_timeout(self.options.timeout)
            .connection_timeout(self.options.timeout.min(Duration::from_secs(10)))
            .build(&endpoint.url);
        let client = tokio::time::timeout(self.options.timeout, build)
            .await
            .map_err(|_| unreachable("no connection in time".into()))?
            .map_err(|e| unreachable(e.to_string()))?;
        let asked = client.request::<Box<RawValue>, _>("chain_getBlockHash", rpc_params![0_u32]);
        let told = tokio::time::timeout(self.options.timeout, asked)
            .await
            .map_err(|_| unreachable("connected, but no answer in time".into()))?
            .map_err(|e| unreachable(e.to_string()))?;
        let found = match answer::hash(Some(&Ok(told)), Some(0)) {
            Verdict::Good(hash) => hash,
            _ => return Err(unreachable("it does not tell its genesis hash".into())),
        };
        let expected = *self.genesis.get_or_init(|| async { found }).await;
        if found != expected {
            return Err(SourceError::Genesis {
                url: endpoint.url.clone(),
                found,
                expected,
            });
        }
        let client = Arc::new(client);
        *held = Some(client.clone());
        Ok(client)
    }

    /// Sends a batch until `judge` accepts an answer. One call goes alone.
    pub(super) async fn ask<T>(
        &self,
        calls: Vec<Call>,
        judge: impl Fn(&[Answer]) -> Verdict<T>,
    ) -> Result<T, SourceError> {
        let method = calls.first().map_or("nothing", |c| c.method);
        let started = Instant::now();
        let mut attempt = 0;
        loop {
            let index = self.current.load(Ordering::Relaxed) % self.endpoints.len();
            let url = &self.endpoints[index].url;
            let asked = Instant::now();
            let (last, drop_connection) = match self.send(index, &calls).await {
                Ok(answers) => {
                    metrics::histogram!("indexer_rpc_seconds", "endpoint" => url.clone())
                        .record(asked.elapsed().as_secs_f64());
                    match judge(&answers) {
                        Verdict::Good(value) => return Ok(value),
                        Verdict::TryAnother(error) => (error, false),
                        Verdict::Broken(why) => (
                            SourceError::Answer {
                                url: url.clone(),
                                method: method.into(),
                                why,
                            },
                            false,
                        ),
                    }
                }
                // Asking again for something too large does not make it smaller.
                Err(e @ SourceError::Answer { .. })
                    if e.to_string().contains(answer::TOO_LARGE) =>
                {
                    return Err(e);
                }
                Err(e) => (e, true),
            };
            metrics::counter!("indexer_rpc_errors_total", "endpoint" => url.clone()).increment(1);
            tracing::warn!(url, method, attempt, "{last}");
            if drop_connection {
                *self.endpoints[index].client.lock().await = None;
            }
            if self.options.patience.is_some_and(|p| started.elapsed() > p) {
                return Err(last);
            }
            // Another endpoint at once; the same one, or all of them, after a pause.
            let next = (index + 1) % self.endpoints.len();
            let _ =
                self.current
                    .compare_exchange(index, next, Ordering::Relaxed, Ordering::Relaxed);
            attempt += 1;
            let rounds = attempt / u32::try_from(self.endpoints.len()).unwrap_or(1);
            if rounds > 0 {
                tokio::time::sleep(pause(rounds - 1)).await;
            }
        }
    }

    async fn send(&self, index: usize, calls: &[Call]) -> Result<Vec<Answer>, SourceError> {
        let client = self.client(index).await?;
        let url = &self.endpoints[index].url;
        let failed = |method: &str, why: String| {
            let too_large = why.to_lowercase();
            if too_large.contains("too large") || too_large.contains("too big") {
                return SourceError::Answer {
                    url: url.clone(),
                    method: method.into(),
                    why: format!("{}: {why}", answer::TOO_LARGE),
                };
            }
            SourceError::Unreachable {
                tried: format!("{url}: {method}: {why}"),
            }
        };
        let timeout = self.options.timeout;
        if let [call] = calls {
            let asked = client.request::<Box<RawValue>, _>(call.method, call.params.clone());
            let told = tokio::time::timeout(timeout, asked)
                .await
                .map_err(|_| failed(call.method, format!("no answer in {timeout:?}")))?;
            return match told {
                Ok(value) => Ok(vec![Ok(value)]),
                Err(jsonrpsee::core::client::Error::Call(error)) => {
                    Ok(vec![Err((error.code(), error.message().to_owned()))])
                }
                Err(e) => Err(failed(call.method, e.to_string())),
            };
        }
        let method = calls.first().map_or("nothing", |c| c.method);
        let mut batch = BatchRequestBuilder::new();
        for call in calls {
            batch
                .insert(call.method, call.params.clone())
                .map_err(|e| failed(call.method, e.to_string()))?;
        }
        let asked = client.batch_request::<Box<RawValue>>(batch);
        let told = tokio::time::timeout(timeout, asked)
            .await
            .map_err(|_| failed(method, format!("no answer in {timeout:?}")))?
            .map_err(|e| failed(method, e.to_string()))?;
        if told.len() != calls.len() {
            return Err(failed(
                method,
                format!("{} answers to {} calls", told.len(), calls.len()),
            ));
        }
        Ok(told
            .into_iter()
            .map(|one| one.map_err(|e| (e.code(), e.message().to_owned())))
            .collect())
    }
}

/// Pause before the next try: doubling from 100 ms to 10 s, with jitter.
fn pause(round: u32) -> Duration {
    let base = 100_u64 << round.min(7);
    let jitter = rand::rng().random_range(0..=base / 2);
    Duration::from_millis((base + jitter).min(10_000))
}

/// A block that must exist was not given.
pub(super) fn missing(number: BlockNumber, why: impl Into<String>) -> SourceError {
    SourceError::Missing {
        number,
        why: why.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_before_anything_is_asked() {
        for (url, word) in [
            ("http://127.0.0.1:9944", "ws://"),
            ("ws://", "no host"),
            ("ws://a b", "no host"),
            ("", "ws://"),
        ] {
            let error = Pool::new(&[url.to_owned()], RpcOptions::default()).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
        assert!(Pool::new(&[], RpcOptions::default()).is_err());
    }

    #[test]
    fn pauses_grow_and_end() {
        assert!(pause(0) < Duration::from_millis(151));
        assert!(pause(40) <= Duration::from_secs(10));
    }
}
