//! Subtensor nodes as a source: JSON-RPC over WebSocket, several endpoints.
//!
//! Every request goes to the endpoint in use; when that fails, is silent or
//! answers as a node does that lags behind, the next one is asked, with growing
//! pauses. A `null` or all-zero hash for a block below the finalized head is
//! never "no block".

mod answer;
mod pool;

use std::sync::Arc;
use std::time::Duration;

use chain_metadata::{BlockNumber, H256, SpecVersion};
use jsonrpsee::core::client::{ClientT, Subscription, SubscriptionClientT};
use jsonrpsee::rpc_params;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::{Bytes, ChainSource, RawBlock, RawRuntime, SourceError, Want};
use answer::{Answer, Verdict};
use pool::{Call, Pool};

/// How nodes are asked.
#[derive(Debug, Clone)]
pub struct RpcOptions {
    /// Longest wait for one answer.
    pub timeout: Duration,
    /// How long a failing request is tried again, over all endpoints, once a
    /// node has answered; `None` is forever.
    pub patience: Option<Duration>,
    /// Genesis hash that every endpoint must serve; the first one's if `None`.
    pub genesis: Option<H256>,
}

impl Default for RpcOptions {
    fn default() -> Self {
        RpcOptions {
            timeout: Duration::from_secs(30),
            patience: Some(Duration::from_secs(120)),
            genesis: None,
        }
    }
}

/// Nodes behind one or more WebSocket addresses.
#[derive(Debug)]
pub struct RpcSource {
    pool: Arc<Pool>,
    heads: watch::Receiver<Option<BlockNumber>>,
    follower: tokio::task::JoinHandle<()>,
}

impl Drop for RpcSource {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

/// Most storage keys in one `state_queryStorageAt`.
const KEYS_A_CALL: usize = 1000;
/// Most keys of one page of `state_getKeysPaged`; nodes refuse more.
const PAGE: u32 = 1000;

impl RpcSource {
    /// Connects to the first endpoint that answers and follows its finalized heads.
    pub async fn connect(urls: &[String], options: RpcOptions) -> Result<RpcSource, SourceError> {
        let pool = Arc::new(Pool::new(urls, options)?);
        pool.first_contact().await?;
        let (sender, heads) = watch::channel(None);
        let follower = tokio::spawn(follow(pool.clone(), sender));
        Ok(RpcSource {
            pool,
            heads,
            follower,
        })
    }

    /// Address and state of every endpoint, the one in use first.
    pub fn endpoints(&self) -> Vec<(String, bool)> {
        self.pool.endpoints()
    }

    /// The node's name of its chain, if it tells one.
    pub async fn chain_name(&self) -> Option<String> {
        let (_, client) = self.pool.connected().await?;
        client.request("system_chain", rpc_params![]).await.ok()
    }

    async fn block_window(
        &self,
        numbers: &[BlockNumber],
        want: &[Want],
    ) -> Result<Vec<RawBlock>, SourceError> {
        let mut calls = Vec::with_capacity(want.len() * 2);
        for want in want {
            calls.push(Call::new("chain_getBlock", rpc_params![want.at]));
            for keys in want.keys.chunks(KEYS_A_CALL) {
                calls.push(storage_call(want.at, keys));
            }
        }
        self.pool
            .ask(calls, |answers| {
                let mut answers = answers.iter();
                let mut blocks = Vec::with_capacity(numbers.len());
                for (number, want) in numbers.iter().zip(want) {
                    let body = match answer::block(answers.next(), *number, want.at) {
                        Ok(body) => body,
                        Err(verdict) => return verdict.into(),
                    };
                    let values = match answer::storage(&mut answers, want, KEYS_A_CALL) {
                        Ok(values) => values,
                        Err(verdict) => return verdict.into(),
                    };
                    blocks.push(RawBlock { values, ..body });
                }
                Verdict::Good(blocks)
            })
            .await
    }
}

fn storage_call(at: H256, keys: &[Bytes]) -> Call {
    let keys: Vec<String> = keys.iter().map(|k| answer::to_hex(k)).collect();
    Call::new("state_queryStorageAt", rpc_params![keys, at])
}

/// Keeps the finalized height up to date from the endpoint in use.
async fn follow(pool: Arc<Pool>, heads: watch::Sender<Option<BlockNumber>>) {
    loop {
        if let Some((_, client)) = pool.connected().await {
            let subscription: Result<Subscription<Box<RawValue>>, _> = client
                .subscribe(
                    "chain_subscribeFinalizedHeads",
                    rpc_params![],
                    "chain_unsubscribeFinalizedHeads",
                )
                .await;
            if let Ok(mut subscription) = subscription {
                while let Some(Ok(header)) = subscription.next().await {
                    if let Some(number) = answer::header_number(&header) {
                        heads.send_replace(Some(number));
                    }
                }
            }
        }
        if heads.is_closed() {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

impl ChainSource for RpcSource {
    async fn genesis(&self) -> Result<H256, SourceError> {
        self.pool.genesis().await
    }

    async fn finalized(&self) -> Result<BlockNumber, SourceError> {
        let head: H256 = self
            .pool
            .ask(
                vec![Call::new("chain_getFinalizedHead", rpc_params![])],
                |answers| answer::hash(answers.first(), None),
            )
            .await?;
        self.pool
            .ask(
                vec![Call::new("chain_getHeader", rpc_params![head])],
                |answers| answer::height(answers.first()),
            )
            .await
    }

    async fn finalized_above(&self, height: BlockNumber) -> Result<BlockNumber, SourceError> {
        let mut heads = self.heads.clone();
        loop {
            if let Some(head) = *heads.borrow_and_update()
                && head > height
            {
                return Ok(head);
            }
            // A subscription that is silent for longer than a block is asked behind.
            let quiet = tokio::time::timeout(Duration::from_secs(15), heads.changed()).await;
            if !matches!(quiet, Ok(Ok(()))) {
                let head = self.finalized().await?;
                if head > height {
                    return Ok(head);
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }

    async fn hashes(&self, numbers: &[BlockNumber]) -> Result<Vec<H256>, SourceError> {
        let calls = numbers
            .iter()
            .map(|n| Call::new("chain_getBlockHash", rpc_params![n]))
            .collect();
        self.pool
            .ask(calls, |answers| {
                let mut hashes = Vec::with_capacity(numbers.len());
                for (number, answer) in numbers.iter().zip(answers) {
                    match answer::hash(Some(answer), Some(*number)) {
                        Verdict::Good(hash) => hashes.push(hash),
                        other => return other.cast(),
                    }
                }
                Verdict::Good(hashes)
            })
            .await
    }

    async fn blocks(
        &self,
        numbers: &[BlockNumber],
        want: &[Want],
    ) -> Result<Vec<RawBlock>, SourceError> {
        // A node that finds the answer too large is asked for half of it.
        let mut parts = vec![(numbers, want)];
        let mut blocks = Vec::with_capacity(numbers.len());
        while let Some((numbers, want)) = parts.pop() {
            match self.block_window(numbers, want).await {
                Err(SourceError::Answer { why, .. })
                    if why.contains(answer::TOO_LARGE) && numbers.len() > 1 =>
                {
                    let half = numbers.len() / 2;
                    parts.push((&numbers[half..], &want[half..]));
                    parts.push((&numbers[..half], &want[..half]));
                }
                other => blocks.extend(other?),
            }
        }
        Ok(blocks)
    }

    async fn storage(&self, want: &[Want]) -> Result<Vec<Vec<Option<Bytes>>>, SourceError> {
        // Large reads (the first block, an upgrade) go in several batches.
        let mut all = Vec::with_capacity(want.len());
        let total: usize = want.iter().map(|w| w.keys.len()).sum();
        if total > 8 * KEYS_A_CALL {
            for one in want {
                let mut values = Vec::with_capacity(one.keys.len());
                for keys in one.keys.chunks(4 * KEYS_A_CALL) {
                    let part = Want {
                        at: one.at,
                        keys: keys.to_vec(),
                    };
                    values.extend(self.storage_window(&[part]).await?.into_iter().flatten());
                }
                all.push(values);
            }
            return Ok(all);
        }
        self.storage_window(want).await
    }

    async fn keys(&self, at: H256, prefix: &[u8]) -> Result<Vec<Bytes>, SourceError> {
        let mut keys: Vec<Bytes> = Vec::new();
        loop {
            let after = keys.last().map(|k| answer::to_hex(k));
            let call = Call::new(
                "state_getKeysPaged",
                rpc_params![answer::to_hex(prefix), PAGE, after, at],
            );
            let page: Vec<Bytes> = self
                .pool
                .ask(vec![call], |answers| answer::keys(answers.first(), at))
                .await?;
            let full = page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
            keys.extend(page);
            if !full {
                return Ok(keys);
            }
        }
    }

    async fn runtime(&self, at: H256) -> Result<RawRuntime, SourceError> {
        let spec = self.spec(at).await?;
        let metadata = self
            .pool
            .ask(
                vec![Call::new("state_getMetadata", rpc_params![at])],
                |answers| answer::bytes(answers.first(), at),
            )
            .await?;
        Ok(RawRuntime { spec, metadata })
    }

    async fn spec(&self, at: H256) -> Result<SpecVersion, SourceError> {
        self.pool
            .ask(
                vec![Call::new("state_getRuntimeVersion", rpc_params![at])],
                |answers| answer::spec(answers.first(), at),
            )
            .await
    }
}

impl RpcSource {
    async fn storage_window(&self, want: &[Want]) -> Result<Vec<Vec<Option<Bytes>>>, SourceError> {
        let mut calls = Vec::new();
        for want in want {
            for keys in want.keys.chunks(KEYS_A_CALL) {
                calls.push(storage_call(want.at, keys));
            }
        }
        self.pool
            .ask(calls, |answers: &[Answer]| {
                let mut answers = answers.iter();
                let mut all = Vec::with_capacity(want.len());
                for want in want {
                    match answer::storage(&mut answers, want, KEYS_A_CALL) {
                        Ok(values) => all.push(values),
                        Err(verdict) => return verdict.into(),
                    }
                }
                Verdict::Good(all)
            })
            .await
    }
}
