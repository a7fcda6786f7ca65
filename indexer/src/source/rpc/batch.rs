//! Questions asked together, in batches as large as the node takes them.
//!
//! What was answered stays answered, whichever endpoint is asked for the rest:
//! everything but hashes is asked by hash. A batch that is not taken becomes
//! two, down to single calls, and a call too large becomes two with half the keys.

use chain_metadata::BlockNumber;
use futures::future::join_all;

use super::answer::{Answer, Bad};
use super::ask::{Ask, Told};
use super::health::Doubt;
use super::link::{Call, Ended, Link, passes_limit};
use super::task::{Fault, Task, head_fault, said};
use crate::source::SourceError;

/// Most storage keys in one batch.
const MOST_KEYS: usize = 20_000;
/// Most blocks in one batch.
const MOST_BLOCKS: usize = 64;
/// Single calls sent at once where batches are not taken.
const ABREAST: usize = 16;
/// A block that is not given although the finalized head is so far above it is
/// not late but gone; nodes behind one address may differ by a few blocks.
const LATE: BlockNumber = 64;
/// Code of a call that failed for a reason only the message tells.
const UNKNOWN: i32 = -32000;

#[derive(Debug)]
struct Piece<'a> {
    ask: Ask<'a>,
    told: Option<Told>,
}

/// Questions and the answers so far.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    pieces: Vec<Piece<'a>>,
    /// Times in a row that a connection was lost over it.
    lost: u32,
    /// One call at a time, to know which one is too large.
    alone: bool,
}

impl<'a> Batch<'a> {
    pub(super) fn new(asks: impl IntoIterator<Item = Ask<'a>>) -> Batch<'a> {
        let piece = |ask| Piece { ask, told: None };
        Batch {
            pieces: asks.into_iter().map(piece).collect(),
            lost: 0,
            alone: false,
        }
    }

    fn open(&self) -> impl Iterator<Item = (usize, &Piece<'a>)> {
        self.pieces
            .iter()
            .enumerate()
            .filter(|(_, piece)| piece.told.is_none())
    }

    /// What goes into the next request, by index, when `limit` calls are taken.
    fn next(&self, limit: usize) -> Vec<usize> {
        let most = match limit {
            0 | 1 if self.alone => 1,
            0 | 1 => ABREAST,
            more => more,
        };
        let (mut keys, mut blocks) = (0_usize, 0);
        let mut chosen = Vec::new();
        for (index, piece) in self.open() {
            keys = keys.saturating_add(piece.ask.keys());
            blocks += usize::from(matches!(piece.ask, Ask::Block { .. }));
            let full = chosen.len() >= most || keys > MOST_KEYS || blocks > MOST_BLOCKS;
            if full && !chosen.is_empty() {
                break;
            }
            chosen.push(index);
        }
        chosen
    }

    fn calls(&self, chosen: &[usize]) -> Vec<Call> {
        let asks = chosen.iter().filter_map(|index| self.pieces.get(*index));
        asks.map(|p| (p.ask.method(), p.ask.params())).collect()
    }

    /// Replaces a question by smaller ones; false when there are none.
    fn split(&mut self, index: usize) -> bool {
        let Some(parts) = self.pieces.get(index).and_then(|p| p.ask.smaller()) else {
            return false;
        };
        let parts = parts.into_iter().map(|ask| Piece { ask, told: None });
        self.pieces.splice(index..=index, parts);
        true
    }

    /// A request ended without answers.
    fn ended(&mut self, link: &Link, chosen: &[usize], ended: Ended) -> Fault {
        let limit = link.health().calls();
        let batch = chosen.len() > 1 && limit > 1;
        match ended {
            Ended::Whole { blamed, why } if blamed > 1 => {
                tracing::info!(endpoint = %link.label(), calls = blamed, why, "a batch is not taken");
                link.health().shrink(blamed / 2, Doubt::None);
                Fault::Again
            }
            Ended::Whole { why, .. } => match chosen {
                [one] if self.split(*one) => Fault::Again,
                [one] if passes_limit(&why) => Fault::Said(self.too_large(link, *one, why)),
                // An answer without an id to one small call: a limit of another kind.
                [_] => Fault::Lost(why),
                _ => {
                    self.alone = true;
                    Fault::Again
                }
            },
            Ended::Lost(why) => {
                self.lost += 1;
                if self.lost >= 2 {
                    // Perhaps it is what was asked that the node cannot bear.
                    self.lost = 0;
                    if batch {
                        link.health().shrink(chosen.len() / 2, Doubt::Some);
                    } else if let [one] = chosen {
                        self.split(*one);
                    } else {
                        self.alone = true;
                    }
                }
                Fault::Lost(why)
            }
        }
    }

    fn too_large(&self, link: &Link, index: usize, why: String) -> SourceError {
        let method = self.pieces.get(index).map_or("", |p| p.ask.method());
        SourceError::TooLarge {
            endpoint: link.label().to_string(),
            method: method.into(),
            why,
        }
    }

    /// Takes answers in; the first that cannot be used is the result.
    fn take(&mut self, answers: &[(usize, Answer)]) -> Result<(), (usize, Bad)> {
        let (mut large, mut worst) = (Vec::new(), None);
        for (index, answer) in answers {
            let Some(piece) = self.pieces.get_mut(*index) else {
                continue;
            };
            match piece.ask.read(answer) {
                Ok(told) => piece.told = Some(told),
                Err(Bad::TooLarge(_)) if piece.ask.smaller().is_some() => large.push(*index),
                Err(bad) => worst = worst.or(Some((*index, bad))),
            }
        }
        if let Some(worst) = worst {
            return Err(worst);
        }
        // From the end, so that the indices before stay right.
        for index in large.into_iter().rev() {
            self.split(index);
        }
        Ok(())
    }

    /// What an answer that cannot be used means.
    async fn fault(&self, link: &Link, index: usize, bad: Bad) -> Fault {
        let Some(ask) = self.pieces.get(index).map(|p| &p.ask) else {
            return Fault::Again;
        };
        let why = match bad {
            Bad::Absent(why) => why,
            other => return said(link, ask, other),
        };
        // Late or gone? The finalized head of this very node tells.
        let Some(number) = ask.number() else {
            return said(link, ask, Bad::Refused(UNKNOWN, why));
        };
        match link.head().await {
            Err(error) => head_fault(link, error),
            Ok(head) if head >= number.saturating_add(LATE) => said(link, ask, Bad::Pruned(why)),
            Ok(head) => Fault::Behind(SourceError::Missing {
                number,
                why: format!("{}: {why}, its finalized head is {head}", link.label()),
            }),
        }
    }

    /// Hashes above what this connection knows to be final would be of its best chain.
    async fn finality(&self, link: &Link) -> Result<(), Fault> {
        let hashes = self.open().filter_map(|(_, piece)| match piece.ask {
            Ask::Hash(number) => Some(number),
            _ => None,
        });
        let Some(top) = hashes.max() else {
            return Ok(());
        };
        if link.finalized().is_some_and(|known| known >= top) {
            return Ok(());
        }
        match link.head().await {
            Err(error) => Err(head_fault(link, error)),
            Ok(head) if head >= top => Ok(()),
            Ok(head) => Err(Fault::Behind(SourceError::Missing {
                number: top,
                why: format!("{}: its finalized head is {head}", link.label()),
            })),
        }
    }
}

impl Task for Batch<'_> {
    type Out = Vec<Told>;

    fn method(&self) -> &'static str {
        self.open().next().map_or("", |(_, p)| p.ask.method())
    }

    fn block(&self) -> Option<BlockNumber> {
        self.open()
            .filter(|(_, piece)| !matches!(piece.ask, Ask::Hash(_)))
            .filter_map(|(_, piece)| piece.ask.number())
            .min()
    }

    fn left(&self) -> usize {
        self.open().count()
    }

    async fn attempt(&mut self, link: &Link) -> Result<Vec<Told>, Fault> {
        self.finality(link).await?;
        loop {
            let limit = link.health().calls();
            let chosen = self.next(limit);
            if chosen.is_empty() {
                let told = std::mem::take(&mut self.pieces).into_iter();
                return Ok(told.filter_map(|piece| piece.told).collect());
            }
            let calls = self.calls(&chosen);
            let mut answers = Vec::with_capacity(chosen.len());
            let mut failed = None;
            if limit > 1 && chosen.len() > 1 {
                match link.batch(calls).await {
                    Ok(told) => answers.extend(chosen.iter().copied().zip(told)),
                    Err(ended) => failed = Some(ended),
                }
            } else {
                let told = join_all(calls.into_iter().map(|call| link.call(call))).await;
                for (index, told) in chosen.iter().zip(told) {
                    match told {
                        Ok(told) => answers.push((*index, told)),
                        Err(ended) => failed = Some(ended),
                    }
                }
            }
            if !answers.is_empty() {
                self.lost = 0;
            }
            let taken = self.take(&answers);
            if let Some(ended) = failed {
                return Err(self.ended(link, &chosen, ended));
            }
            if chosen.len() >= limit {
                link.health().full_batch();
            }
            match taken {
                Ok(()) => {}
                Err((_, Bad::NoBatch(why))) if chosen.len() > 1 && limit > 1 => {
                    tracing::info!(endpoint = %link.label(), calls = chosen.len(), why, "a batch is not taken");
                    link.health().shrink(chosen.len() / 2, Doubt::None);
                }
                Err((index, bad)) => return Err(self.fault(link, index, bad).await),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chain_metadata::H256;
    use serde_json::value::RawValue;

    use super::*;

    fn storage(keys: &[Vec<u8>]) -> Ask<'_> {
        Ask::Storage {
            number: None,
            at: H256::ZERO,
            keys,
        }
    }

    #[test]
    fn requests_have_a_size() {
        let keys = vec![vec![0]; 9_000];
        let batch = Batch::new((0..5).map(|_| storage(&keys)));
        assert_eq!(batch.next(256), [0, 1]);
        let more = vec![vec![0]; 30_000];
        let batch = Batch::new([storage(&more), storage(&keys)]);
        assert_eq!(batch.next(256), [0], "one call goes whatever its size");
        let block = |number| Ask::Block {
            number,
            at: H256::ZERO,
        };
        let batch = Batch::new((0..200).map(block));
        assert_eq!(batch.next(256).len(), MOST_BLOCKS);
        assert_eq!(batch.next(10).len(), 10);
        let mut batch = Batch::new((0..200).map(Ask::Hash));
        assert_eq!(batch.next(1).len(), ABREAST);
        batch.alone = true;
        assert_eq!(batch.next(1), [0]);
    }

    #[test]
    fn calls_too_large_are_cut_and_answers_stay_in_order() {
        let keys: Vec<Vec<u8>> = (0..5).map(|k| vec![k]).collect();
        let mut batch = Batch::new([storage(&keys), Ask::Hash(3), storage(&keys[..1])]);
        let large: Answer = Err((-32008, "Response is too big".into()));
        let hash = H256([7; 32]);
        let told: Answer = Ok(RawValue::from_string(format!("\"{hash}\"")).unwrap());
        let other: Answer = Err((-32603, "Internal error".into()));
        let bad = batch
            .take(&[(0, large), (1, told), (2, other)])
            .unwrap_err();
        assert_eq!(bad, (2, Bad::Refused(-32603, "Internal error".into())));
        assert_eq!(batch.next(256), [0, 2], "what was answered stays so");
        let large: Answer = Err((-32008, "Response is too big".into()));
        batch.take(&[(0, large)]).unwrap();
        let sizes: Vec<_> = batch.pieces.iter().map(|p| p.ask.keys()).collect();
        assert_eq!(sizes, [2, 3, 0, 1]);
        assert!(!batch.split(3), "one key is the least");
    }
}
