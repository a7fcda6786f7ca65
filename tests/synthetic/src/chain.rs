//! The chain with its blocks: headers that hang together, and bytes for every key.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use chain_metadata::{BlockNumber, H256, Header, encode_header};

use crate::accounts::{Who, keyed};
use crate::body::{Body, body};
use crate::net::Net;
use crate::state::{fact, row_version};
use crate::words::{Words, fixed_length};
use crate::{Config, SyntheticError};

/// The bytes of a row of W or B, and which setting or epoch made it.
type Made = (u32, Vec<u8>);

/// Raw extrinsics of a block and the values that were asked for with it.
pub(crate) type BodyAndValues = (Vec<Vec<u8>>, Vec<Option<Vec<u8>>>);

/// A made-up chain. Holds a hash a block and nothing else of its history, but
/// for the row of W and B that was asked for last for each validator: they are
/// asked for again and again.
#[derive(Debug)]
pub struct Chain {
    net: Net,
    words: Words,
    hashes: Vec<H256>,
    numbers: HashMap<H256, BlockNumber>,
    events_key: Vec<u8>,
    rows: Mutex<HashMap<Vec<u8>, Made>>,
}

impl Chain {
    /// Makes a chain.
    ///
    /// # Errors
    /// When the numbers make no chain, or the metadata of the crate cannot be read.
    pub fn new(config: Config) -> Result<Chain, SyntheticError> {
        let net = Net::new(config)?;
        let words = Words::load()?;
        let events_key = words.metadata.storage("System", "Events");
        let mut chain = Chain {
            events_key: events_key.map(|e| e.prefix.to_vec()).unwrap_or_default(),
            hashes: Vec::new(),
            numbers: HashMap::new(),
            rows: Mutex::default(),
            net,
            words,
        };
        for number in 0..=config.head {
            let hash = chain.header_after(number, chain.hashes.last()).hash();
            chain.hashes.push(hash);
            chain.numbers.insert(hash, number);
        }
        Ok(chain)
    }

    /// What it was made from.
    pub fn config(&self) -> &Config {
        &self.net.config
    }

    /// Spec version of its only runtime.
    pub fn spec(&self) -> u32 {
        self.words.spec
    }

    /// Bytes of the runtime's metadata.
    pub fn metadata_bytes(&self) -> &[u8] {
        &self.words.bytes
    }

    /// The runtime's metadata.
    pub fn metadata(&self) -> &chain_metadata::Metadata {
        &self.words.metadata
    }

    /// Hash of a block.
    pub fn hash(&self, number: BlockNumber) -> Option<H256> {
        self.hashes.get(usize::try_from(number).ok()?).copied()
    }

    /// The block of a hash.
    pub fn number(&self, hash: &H256) -> Option<BlockNumber> {
        self.numbers.get(hash).copied()
    }

    /// SCALE-encoded header and parent hash of a block.
    pub fn header(&self, number: BlockNumber) -> (Vec<u8>, H256) {
        let parent = number.checked_sub(1).and_then(|n| self.hash(n));
        let header = self.header_after(number, parent.as_ref());
        (encode_header(&header), header.parent_hash)
    }

    fn header_after(&self, number: BlockNumber, parent: Option<&H256>) -> Header {
        let root = |kind: u8| {
            let [a, b, c, d] = number.to_le_bytes();
            H256(keyed(self.net.config.seed, &[kind, a, b, c, d]))
        };
        let mut seal = vec![6];
        seal.extend_from_slice(b"aura");
        seal.push(32);
        seal.extend_from_slice(&u64::from(number).to_le_bytes());
        Header {
            parent_hash: parent.copied().unwrap_or(H256::ZERO),
            number,
            state_root: root(1),
            extrinsics_root: root(2),
            logs: vec![seal],
        }
    }

    /// Extrinsics of a block and its `System.Events`.
    ///
    /// # Errors
    /// When something does not fit the runtime's types.
    pub fn body(&self, number: BlockNumber) -> Result<(Vec<Vec<u8>>, Vec<u8>), SyntheticError> {
        let Body { extrinsics, events } = body(&self.net, &self.words, number)?;
        Ok((extrinsics, events))
    }

    /// Extrinsics of a block and the values of keys at its end: as [`Chain::body`]
    /// and [`Chain::storage`], but what happens in the block is made once.
    ///
    /// # Errors
    /// As there.
    pub fn block(
        &self,
        number: BlockNumber,
        keys: &[Vec<u8>],
    ) -> Result<BodyAndValues, SyntheticError> {
        let (extrinsics, events) = self.body(number)?;
        let value = |key: &Vec<u8>| {
            if *key == self.events_key {
                return Ok((!events.is_empty()).then(|| events.clone()));
            }
            self.storage(number, key)
        };
        let values = keys.iter().map(value).collect::<Result<_, _>>()?;
        Ok((extrinsics, values))
    }

    /// The value of a storage key at the end of a block; `None` is nothing.
    ///
    /// # Errors
    /// When something does not fit the runtime's types.
    pub fn storage(
        &self,
        number: BlockNumber,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, SyntheticError> {
        if key == self.events_key {
            let events = self.body(number)?.1;
            return Ok((!events.is_empty()).then_some(events));
        }
        let Some((known, parts)) = self.words.parse(key) else {
            return Ok(None);
        };
        let entry = &known.entry;
        let spec = self.words.spec;
        let version = row_version(&self.net, number, &entry.pallet, &entry.name, &parts);
        if let Some(version) = version
            && let Ok(rows) = self.rows.lock()
            && let Some((made, bytes)) = rows.get(key)
            && *made == version
        {
            return Ok(Some(bytes.clone()));
        }
        let fact = fact(&self.net, spec, number, &entry.pallet, &entry.name, &parts);
        let Some(fact) = fact else {
            return Ok(None);
        };
        let bytes = self.words.value(known, &fact)?;
        if let Some(version) = version
            && let Ok(mut rows) = self.rows.lock()
        {
            rows.insert(key.to_vec(), (version, bytes.clone()));
        }
        Ok(Some(bytes))
    }

    /// All keys under a prefix at the end of a block, in order.
    ///
    /// Asks for every key that could be there; slow for large chains unless the
    /// prefix is that of a small map.
    ///
    /// # Errors
    /// When something does not fit the runtime's types.
    pub fn keys(&self, number: BlockNumber, prefix: &[u8]) -> Result<Vec<Vec<u8>>, SyntheticError> {
        let mut found = BTreeSet::new();
        for known in self.words.under(prefix) {
            let types = self.words.metadata.types();
            let lengths: Option<Vec<usize>> = known
                .entry
                .keys
                .iter()
                .map(|ty| fixed_length(types, *ty))
                .collect();
            for parts in self.candidates(&lengths.unwrap_or_default(), number) {
                let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
                let key = known.entry.key_of_encoded(&parts);
                if key.starts_with(prefix) && self.storage(number, &key)?.is_some() {
                    found.insert(key);
                }
            }
        }
        Ok(found.into_iter().collect())
    }

    /// Keys that a map keyed by so many bytes may have: by what this chain has.
    fn candidates(&self, lengths: &[usize], number: BlockNumber) -> Vec<Vec<Vec<u8>>> {
        let config = &self.net.config;
        let netuids = || config.netuids().map(|n| n.to_le_bytes().to_vec());
        let hotkeys = |netuid: u16| {
            (0..config.neurons).map(move |uid| {
                let who = self.net.holder(netuid, uid, number);
                self.net.account(who).0.to_vec()
            })
        };
        let le = |n: u16| n.to_le_bytes().to_vec();
        match lengths {
            [] => vec![vec![]],
            [2] => netuids().map(|n| vec![n]).collect(),
            [2, 2] => config
                .netuids()
                .flat_map(|n| (0..config.neurons).map(move |uid| vec![le(n), le(uid)]))
                .collect(),
            [2, 32] => config
                .netuids()
                .flat_map(|n| hotkeys(n).map(move |hot| vec![le(n), hot]))
                .collect(),
            [32, 2] => config
                .netuids()
                .flat_map(|n| hotkeys(n).map(move |hot| vec![hot, le(n)]))
                .collect(),
            [2, 8] => config
                .netuids()
                .map(|n| {
                    let epoch = self.net.epochs(n).count(number);
                    vec![le(n), u64::from(epoch).to_le_bytes().to_vec()]
                })
                .collect(),
            [32] => config
                .netuids()
                .flat_map(hotkeys)
                .map(|hot| vec![hot])
                .collect(),
            [32, 32, 2] => (0..config.validators)
                .filter_map(|uid| {
                    let who = Who::Validator { uid };
                    Some((self.net.account(who), self.net.account(who.coldkey()?)))
                })
                .flat_map(|(hot, cold)| {
                    netuids().map(move |n| vec![hot.0.to_vec(), cold.0.to_vec(), n])
                })
                .collect(),
            _ => Vec::new(),
        }
    }
}
