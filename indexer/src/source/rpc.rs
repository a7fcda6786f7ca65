//! Subtensor nodes as a source: JSON-RPC over WebSocket, several endpoints.
//!
//! * `pool` has the endpoints and chooses; `retry` asks until there is an answer.
//! * `endpoint` is one node, `address` what of its address is shown, `link` one
//!   connection and what it knows to be final, `health` how the endpoint behaved.
//! * `batch` asks many things together, as many as a node takes; `ask` and
//!   `answer` are single questions and what the answers mean; `task` is what
//!   `pool` sees of all of them.
//! * `best` follows the best head of one endpoint.
//!
//! A `null` or all-zero hash for a block below the finalized head is never "no
//! block", and a hash above what the answering node knows to be final is never
//! taken.

mod address;
mod answer;
mod ask;
mod batch;
mod best;
mod endpoint;
mod health;
mod link;
mod pool;
mod retry;
mod task;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chain_metadata::{BlockNumber, H256, SpecVersion};
use jsonrpsee::rpc_params;
use tokio::time::Instant;

use super::{
    Answers, BestHead, Bytes, ChainSource, KeyPage, RawBlock, RawRuntime, SourceError, Want,
    same_length,
};
use ask::{Ask, Told};
use batch::Batch;
use pool::Pool;
use task::Head;

/// How nodes are asked.
#[derive(Debug, Clone)]
pub struct RpcOptions {
    /// Longest wait for one answer.
    pub timeout: Duration,
    /// How long a failing request is tried again, over all endpoints, once a
    /// node has answered; `None` is forever. Errors that no repetition changes
    /// end it in either case.
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

/// Numbers that need another value only in tests.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// An endpoint that tells no new finalized block for so long is left if
    /// another one does.
    pub silence: Duration,
    /// Largest message to and from a node, bytes.
    pub max_answer: u32,
}

impl Default for Tuning {
    fn default() -> Self {
        Tuning {
            silence: Duration::from_secs(30),
            max_answer: 128 << 20,
        }
    }
}

/// Nodes behind one or more WebSocket addresses.
#[derive(Debug)]
pub struct RpcSource {
    pool: Arc<Pool>,
    keeper: tokio::task::JoinHandle<()>,
    /// Begun when a best head is first asked for.
    best: OnceLock<best::Following>,
}

impl Drop for RpcSource {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// Most storage keys in one `state_queryStorageAt`.
const KEYS_A_CALL: usize = 1000;
/// Most keys of one page of `state_getKeysPaged`; nodes refuse more.
const PAGE: u32 = 1000;

impl RpcSource {
    /// Connects to the first endpoint that answers, and follows its finalized heads.
    ///
    /// # Errors
    ///
    /// When an address is none, when nothing answers, or when every endpoint
    /// that answers serves another chain.
    pub async fn connect(urls: &[String], options: RpcOptions) -> Result<RpcSource, SourceError> {
        RpcSource::connect_tuned(urls, options, Tuning::default()).await
    }

    /// [`RpcSource::connect`] with other limits.
    ///
    /// # Errors
    ///
    /// The same.
    pub async fn connect_tuned(
        urls: &[String],
        options: RpcOptions,
        tuning: Tuning,
    ) -> Result<RpcSource, SourceError> {
        let pool = Arc::new(Pool::new(urls, options, tuning)?);
        pool.first_contact().await?;
        let keeper = tokio::spawn(pool.clone().keep());
        Ok(RpcSource {
            pool,
            keeper,
            best: OnceLock::new(),
        })
    }

    /// Scheme, host and port of every endpoint and whether it is in use; that one first.
    pub fn endpoints(&self) -> Vec<(String, bool)> {
        self.pool.endpoints()
    }

    /// The last thing that went wrong, in one sentence, if nothing was answered since.
    pub fn trouble(&self) -> Option<String> {
        self.pool.trouble()
    }

    /// The node's name of its chain, if it tells one.
    pub async fn chain_name(&self) -> Option<String> {
        let link = self.pool.any_link().await?;
        let told = link
            .call(("system_chain", rpc_params![]))
            .await
            .ok()?
            .ok()?;
        serde_json::from_str(told.get()).ok()
    }

    async fn ask_one(&self, ask: Ask<'_>) -> Result<Told, SourceError> {
        let mut told = self.pool.run(Batch::new([ask])).await?;
        told.pop().ok_or_else(mixed)
    }
}

/// The keys of one [`Want`] as they are asked for: a node leaves out repeated keys.
struct Wanted {
    at: H256,
    keys: Vec<Bytes>,
    /// Where in `keys` each key of the want is, if that is not the same place.
    places: Option<Vec<usize>>,
}

impl Wanted {
    fn new(want: &Want) -> Wanted {
        let mut seen: HashMap<&[u8], usize> = HashMap::with_capacity(want.keys.len());
        let mut places = Vec::with_capacity(want.keys.len());
        let mut keys = Vec::with_capacity(want.keys.len());
        for key in &want.keys {
            let place = *seen.entry(key).or_insert_with(|| {
                keys.push(key.clone());
                keys.len() - 1
            });
            places.push(place);
        }
        let repeated = keys.len() < places.len();
        Wanted {
            at: want.at,
            keys,
            places: repeated.then_some(places),
        }
    }

    fn asks(&self, number: Option<BlockNumber>) -> impl Iterator<Item = Ask<'_>> {
        self.keys.chunks(KEYS_A_CALL).map(move |keys| Ask::Storage {
            number,
            at: self.at,
            keys,
        })
    }

    /// Takes its values, which may have come in any number of parts.
    fn values(
        &self,
        told: &mut impl Iterator<Item = Told>,
    ) -> Result<Vec<Option<Bytes>>, SourceError> {
        let mut values = Vec::with_capacity(self.keys.len());
        while values.len() < self.keys.len() {
            match told.next() {
                Some(Told::Values(part)) if !part.is_empty() => values.extend(part),
                _ => return Err(mixed()),
            }
        }
        if values.len() != self.keys.len() {
            return Err(mixed());
        }
        let Some(places) = &self.places else {
            return Ok(values);
        };
        let at = |place: &usize| values.get(*place).cloned().ok_or_else(mixed);
        places.iter().map(at).collect()
    }
}

fn mixed() -> SourceError {
    SourceError::Question(
        "answers came in another order than the questions: this is a mistake in the program, please report it"
            .into(),
    )
}

impl ChainSource for RpcSource {
    async fn genesis(&self) -> Result<H256, SourceError> {
        self.pool.genesis().await
    }

    async fn finalized(&self) -> Result<BlockNumber, SourceError> {
        let asked = self.pool.run(Head).await?;
        // Another endpoint may be further.
        let known = self.pool.heads().borrow().iter().flatten().max().copied();
        Ok(known.map_or(asked, |known| known.max(asked)))
    }

    async fn finalized_above(&self, height: BlockNumber) -> Result<BlockNumber, SourceError> {
        let mut heads = self.pool.heads();
        let mut stalls = Instant::now() + self.pool.silence;
        loop {
            let best = heads.borrow_and_update().iter().flatten().max().copied();
            if let Some(best) = best
                && best > height
            {
                self.pool.tell_trouble(None);
                return Ok(best);
            }
            // The sender lives in the pool, so that a change is all that can end the wait.
            if tokio::time::timeout_at(stalls, heads.changed())
                .await
                .is_err()
            {
                if !self.pool.stalled(height).await {
                    // Nobody answers: wait for that with the usual patience.
                    self.pool.run(Head).await?;
                }
                stalls = Instant::now() + self.pool.silence;
            }
        }
    }

    async fn best(&self, known: Option<H256>) -> Result<BestHead, SourceError> {
        let following = self.best.get_or_init(|| best::Following::begin(&self.pool));
        following.other_than(known).await
    }

    async fn hashes(&self, numbers: &[BlockNumber]) -> Result<Vec<H256>, SourceError> {
        let asks = numbers.iter().map(|number| Ask::Hash(*number));
        let told = self.pool.run(Batch::new(asks)).await?;
        let hashes: Vec<H256> = told
            .into_iter()
            .map(|told| match told {
                Told::Hash(hash) => Ok(hash),
                _ => Err(mixed()),
            })
            .collect::<Result<_, _>>()?;
        same_length(numbers.len(), hashes.len())?;
        let pairs = hashes.iter().copied().zip(numbers.iter().copied());
        self.pool.learn(pairs);
        Ok(hashes)
    }

    async fn blocks(
        &self,
        numbers: &[BlockNumber],
        want: &[Want],
    ) -> Result<Vec<RawBlock>, SourceError> {
        same_length(numbers.len(), want.len())?;
        let pairs = want.iter().map(|w| w.at).zip(numbers.iter().copied());
        self.pool.learn(pairs);
        let wanted: Vec<Wanted> = want.iter().map(Wanted::new).collect();
        let asks = numbers.iter().zip(&wanted).flat_map(|(number, wanted)| {
            let block = Ask::Block {
                number: *number,
                at: wanted.at,
            };
            std::iter::once(block).chain(wanted.asks(Some(*number)))
        });
        let mut told = self.pool.run(Batch::new(asks)).await?.into_iter();
        let mut blocks = Vec::with_capacity(numbers.len());
        for wanted in &wanted {
            let Some(Told::Block(block)) = told.next() else {
                return Err(mixed());
            };
            let values = wanted.values(&mut told)?;
            blocks.push(RawBlock { values, ..block });
        }
        told.next().map_or(Ok(blocks), |_| Err(mixed()))
    }

    async fn storage(&self, want: &[Want]) -> Result<Vec<Vec<Option<Bytes>>>, SourceError> {
        let wanted: Vec<Wanted> = want.iter().map(Wanted::new).collect();
        let asks = wanted
            .iter()
            .flat_map(|wanted| wanted.asks(self.pool.number_of(&wanted.at)));
        let mut told = self.pool.run(Batch::new(asks)).await?.into_iter();
        let values = wanted.iter().map(|wanted| wanted.values(&mut told));
        let all = values.collect::<Result<Vec<_>, _>>()?;
        told.next().map_or(Ok(all), |_| Err(mixed()))
    }

    async fn read(&self, want: &[Want], pages: &[KeyPage]) -> Result<Answers, SourceError> {
        let wanted: Vec<Wanted> = want.iter().map(Wanted::new).collect();
        let values = wanted
            .iter()
            .flat_map(|wanted| wanted.asks(self.pool.number_of(&wanted.at)));
        let keys = pages.iter().map(|page| Ask::Keys {
            number: self.pool.number_of(&page.at),
            at: page.at,
            prefix: &page.prefix,
            after: page.after.as_deref(),
            page: PAGE,
        });
        let mut told = self
            .pool
            .run(Batch::new(values.chain(keys)))
            .await?
            .into_iter();
        let values = wanted.iter().map(|wanted| wanted.values(&mut told));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let mut lists = Vec::with_capacity(pages.len());
        for told in told {
            match told {
                Told::Keys(page) => lists.push(page),
                _ => return Err(mixed()),
            }
        }
        same_length(pages.len(), lists.len())?;
        Ok((values, lists))
    }

    async fn keys(&self, at: H256, prefix: &[u8]) -> Result<Vec<Bytes>, SourceError> {
        let mut keys: Vec<Bytes> = Vec::new();
        loop {
            let ask = Ask::Keys {
                number: self.pool.number_of(&at),
                at,
                prefix,
                after: keys.last().map(Vec::as_slice),
                page: PAGE,
            };
            match self.ask_one(ask).await? {
                // A short page may have been cut short on the way; an empty one is the end.
                Told::Keys(page) if page.is_empty() => return Ok(keys),
                Told::Keys(page) => keys.extend(page),
                _ => return Err(mixed()),
            }
        }
    }

    async fn runtime(&self, at: H256) -> Result<RawRuntime, SourceError> {
        let number = self.pool.number_of(&at);
        let asks = [Ask::Spec { number, at }, Ask::Metadata { number, at }];
        let mut told = self.pool.run(Batch::new(asks)).await?.into_iter();
        match (told.next(), told.next()) {
            (Some(Told::Spec(spec)), Some(Told::Metadata(metadata))) => {
                Ok(RawRuntime { spec, metadata })
            }
            _ => Err(mixed()),
        }
    }

    async fn spec(&self, at: H256) -> Result<SpecVersion, SourceError> {
        let number = self.pool.number_of(&at);
        match self.ask_one(Ask::Spec { number, at }).await? {
            Told::Spec(spec) => Ok(spec),
            _ => Err(mixed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_keys_are_asked_once_and_answered_each_time() {
        let want = Want {
            at: H256::ZERO,
            keys: vec![vec![1], vec![2], vec![1]],
        };
        let wanted = Wanted::new(&want);
        assert_eq!(wanted.keys, [[1], [2]]);
        let parts = [vec![Some(vec![10])], vec![None]];
        let values = wanted.values(&mut parts.into_iter().map(Told::Values));
        assert_eq!(values.unwrap(), [Some(vec![10]), None, Some(vec![10])]);
        for parts in [vec![vec![None]], vec![vec![None, None, None]], vec![vec![]]] {
            let values = wanted.values(&mut parts.into_iter().map(Told::Values));
            assert!(values.is_err());
        }
    }
}
