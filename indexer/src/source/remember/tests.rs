use std::sync::atomic::AtomicUsize;

use super::*;

/// Answers by the first byte of a hash or key, and counts.
#[derive(Debug, Default)]
struct Counting {
    blocks: AtomicUsize,
    keys: AtomicUsize,
    others: AtomicUsize,
    slow: bool,
}

impl Counting {
    fn taken(&self) -> (usize, usize, usize) {
        let take = |count: &AtomicUsize| count.swap(0, Ordering::SeqCst);
        (take(&self.blocks), take(&self.keys), take(&self.others))
    }
}

fn hash(of: u8) -> H256 {
    H256([of; 32])
}

fn want(at: u8, keys: &[u8]) -> Want {
    Want {
        at: hash(at),
        keys: keys.iter().map(|key| vec![*key]).collect(),
    }
}

fn answer(want: &Want) -> Vec<Option<Bytes>> {
    let value = |key: &Bytes| (key[0] > 0).then(|| vec![want.at.0[0], key[0]]);
    want.keys.iter().map(value).collect()
}

impl ChainSource for Counting {
    async fn genesis(&self) -> Result<H256, SourceError> {
        Ok(hash(0))
    }
    async fn finalized(&self) -> Result<BlockNumber, SourceError> {
        Ok(0)
    }
    async fn finalized_above(&self, _: BlockNumber) -> Result<BlockNumber, SourceError> {
        Ok(0)
    }
    async fn hashes(&self, _: &[BlockNumber]) -> Result<Vec<H256>, SourceError> {
        Ok(Vec::new())
    }
    async fn blocks(
        &self,
        numbers: &[BlockNumber],
        want: &[Want],
    ) -> Result<Vec<RawBlock>, SourceError> {
        if self.slow {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.blocks.fetch_add(numbers.len(), Ordering::SeqCst);
        let block = |(number, want): (&BlockNumber, &Want)| RawBlock {
            number: *number,
            hash: want.at,
            header: vec![7; 100],
            parent: hash(want.at.0[0] - 1),
            extrinsics: vec![vec![1, 2]],
            values: answer(want),
        };
        Ok(numbers.iter().zip(want).map(block).collect())
    }
    async fn storage(&self, want: &[Want]) -> Result<Vec<Vec<Option<Bytes>>>, SourceError> {
        if self.slow {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let keys = want.iter().map(|want| want.keys.len()).sum();
        self.keys.fetch_add(keys, Ordering::SeqCst);
        Ok(want.iter().map(answer).collect())
    }
    async fn keys(&self, _: H256, prefix: &[u8]) -> Result<Vec<Bytes>, SourceError> {
        self.others.fetch_add(1, Ordering::SeqCst);
        Ok(vec![prefix.to_vec()])
    }
    async fn runtime(&self, _: H256) -> Result<RawRuntime, SourceError> {
        self.others.fetch_add(1, Ordering::SeqCst);
        let metadata = vec![1, 2, 3];
        Ok(RawRuntime { spec: 5, metadata })
    }
    async fn spec(&self, _: H256) -> Result<SpecVersion, SourceError> {
        self.others.fetch_add(1, Ordering::SeqCst);
        Ok(5)
    }
}

fn remembering(slow: bool) -> Remembering<Counting> {
    let source = Counting {
        slow,
        ..Counting::default()
    };
    let source = Remembering::new(Arc::new(source));
    source.remember(true);
    source
}

#[tokio::test]
async fn what_was_answered_is_not_asked_again() {
    let source = remembering(false);
    let plain = Counting::default();
    let first = [want(3, &[1, 0]), want(4, &[1])];
    let told = source.blocks(&[3, 4], &first).await.unwrap();
    assert_eq!(told, plain.blocks(&[3, 4], &first).await.unwrap());
    assert_eq!(source.source().taken(), (2, 0, 0));
    // The same and one more; with fewer keys; with another one.
    let more = [want(3, &[0]), want(5, &[]), want(4, &[1])];
    let told = source.blocks(&[3, 5, 4], &more).await.unwrap();
    assert_eq!(told, plain.blocks(&[3, 5, 4], &more).await.unwrap());
    assert_eq!(source.source().taken(), (1, 0, 0));
    let other = [want(3, &[1, 2])];
    let told = source.blocks(&[3], &other).await.unwrap();
    assert_eq!(told, plain.blocks(&[3], &other).await.unwrap());
    assert_eq!(source.source().taken(), (1, 0, 0));
    // Another number under the hash is not what was answered.
    source.blocks(&[9], &[want(3, &[])]).await.unwrap();
    assert_eq!(source.source().taken(), (1, 0, 0));

    let values = [want(4, &[1, 2, 3]), want(3, &[2]), want(4, &[3, 1])];
    let told = source.storage(&values).await.unwrap();
    assert_eq!(told, plain.storage(&values).await.unwrap());
    assert_eq!(
        source.source().taken(),
        (0, 3, 0),
        "2 and 3 of 4, and 3 of it again"
    );
    assert_eq!(source.storage(&values).await.unwrap(), told);
    assert_eq!(source.source().taken(), (0, 0, 0));

    for _ in 0..2 {
        assert_eq!(source.keys(hash(4), &[8]).await.unwrap(), [[8]]);
        assert_eq!(source.spec(hash(4)).await.unwrap(), 5);
        assert_eq!(source.runtime(hash(4)).await.unwrap().spec, 5);
    }
    assert_eq!(source.source().taken(), (0, 0, 3));
}

#[tokio::test]
async fn it_is_forgotten_by_height_by_size_and_when_turned_off() {
    let source = remembering(false);
    for number in 3..9_u8 {
        let asked = [want(number, &[1])];
        source.blocks(&[u32::from(number)], &asked).await.unwrap();
    }
    assert_eq!(source.remembered().0, 6);
    source.forget_below(7);
    assert_eq!(source.remembered().0, 2);
    source.source().taken();
    source.blocks(&[6], &[want(6, &[1])]).await.unwrap();
    source.blocks(&[7], &[want(7, &[1])]).await.unwrap();
    assert_eq!(source.source().taken(), (1, 0, 0));
    source.remember(false);
    assert_eq!(source.remembered(), (0, 0));
    source.blocks(&[7], &[want(7, &[1])]).await.unwrap();
    assert_eq!(source.remembered(), (0, 0));

    let mut memory = Memory::default();
    for of in 0..200_u8 {
        let value = Some(vec![0; 1 << 20]);
        memory.learn_values(hash(of), &[vec![1]], &[value]);
    }
    assert!(memory.bytes <= MOST_BYTES);
    assert_eq!(memory.known.len(), memory.ages.len());
    assert!(memory.known.contains_key(&hash(199)));
    assert!(!memory.known.contains_key(&hash(100)));
}

#[tokio::test]
async fn two_that_ask_at_once_ask_once() {
    let source = remembering(true);
    let (block, values) = ([want(3, &[1])], [want(3, &[2]), want(4, &[2])]);
    let (a, b) = tokio::join!(source.blocks(&[3], &block), source.blocks(&[3], &block));
    assert_eq!(a.unwrap(), b.unwrap());
    let (a, b) = tokio::join!(source.storage(&values), source.storage(&values));
    assert_eq!(a.unwrap(), b.unwrap());
    assert_eq!(source.source().taken(), (1, 2, 0));
    // One that gives up leaves the other free to ask.
    let given_up = tokio::time::timeout(Duration::from_millis(10), source.blocks(&[5], &block));
    let (given_up, answer) = tokio::join!(given_up, source.blocks(&[5], &block));
    assert!(given_up.is_err() && answer.is_ok());
    assert!(lock(&source.memory).flying.is_empty());
}
