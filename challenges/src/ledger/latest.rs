//! The newest score of every subject.

use chain_metadata::AccountId;
use indexer::store::engine::Range;
use indexer::store::tables::Table;

use super::{Ledger, LedgerError, Seq, entry_of, of_prefix, seq_of};
use crate::record::{Entry, Kind, Record, Reporter};

/// Whose scores count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Whose {
    /// Those computed here, read from files or fetched from a service: no stranger could
    /// put one there.
    #[default]
    Ours,
    /// Those that this hotkey reported.
    Hotkey(AccountId),
    /// All; any registered hotkey may have reported them.
    Anybody,
}

impl Whose {
    /// Whether a record may be wanted, by its row in the index.
    fn may_be(self, class: &[u8]) -> bool {
        match self {
            Whose::Ours => class != [1],
            Whose::Hotkey(_) => class != [0],
            Whose::Anybody => true,
        }
    }

    fn has(self, reporter: &Reporter) -> bool {
        match (self, reporter) {
            (Whose::Anybody, _) => true,
            (Whose::Ours, Reporter::Hotkey { .. }) => false,
            (Whose::Ours, _) => true,
            (Whose::Hotkey(wanted), Reporter::Hotkey { hotkey, .. }) => wanted == *hotkey,
            (Whose::Hotkey(_), _) => false,
        }
    }
}

/// Which scores are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latest {
    /// Of this subnet.
    pub netuid: u16,
    /// Of this challenge; of each when `None`.
    pub challenge: Option<String>,
    /// By this profile; by whichever was last when `None`.
    pub profile: Option<String>,
    /// Whose.
    pub whose: Whose,
    /// Only what had come in by then, in milliseconds since 1970.
    pub until_ms: Option<u64>,
}

impl Latest {
    fn wants(&self, entry: &Entry) -> bool {
        let Record::Score(score) = &entry.record else {
            return false;
        };
        let came = entry.provenance.received_ms;
        self.until_ms.is_none_or(|until| came <= until)
            && self.profile.as_ref().is_none_or(|p| *p == score.profile)
            && self.whose.has(&entry.provenance.reporter)
    }
}

impl Ledger {
    /// The newest score of every challenge and subject, by number, in the order of their
    /// numbers.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or a row is damaged.
    pub fn latest_scores(&self, wanted: &Latest) -> Result<Vec<(Seq, Entry)>, LedgerError> {
        let mut prefix = Table::ResultOf.key(&wanted.netuid.to_be_bytes());
        if let Some(challenge) = &wanted.challenge {
            super::name(&mut prefix, "the name of the challenge", challenge)?;
            prefix.push(Kind::Score as u8);
        }
        let mut range = Range::prefix(&prefix);
        let mut found = Vec::new();
        // From subject to subject: what is between is stepped over.
        while let Some(row) = self.store.engine().scan(range.clone()).next() {
            let (key, _) = row?;
            let (challenge, kind, subject) = parts(&key)?;
            let list = of_prefix(wanted.netuid, challenge, Kind::Score, subject)?;
            if kind == Kind::Score as u8 {
                found.extend(self.newest(&list, wanted)?);
            }
            let kinds = list.get(..4 + challenge.len()).unwrap_or(&list);
            let past = match kind.cmp(&(Kind::Score as u8)) {
                // Other kinds stand before and behind the scores of a challenge.
                std::cmp::Ordering::Less => [kinds, &[Kind::Score as u8]].concat(),
                std::cmp::Ordering::Equal => behind(&list),
                std::cmp::Ordering::Greater => behind(kinds),
            };
            if past.is_empty() {
                break;
            }
            range.from = past;
        }
        found.sort_unstable_by_key(|(seq, _)| *seq);
        Ok(found)
    }

    /// The newest record of a list that is wanted.
    fn newest(&self, list: &[u8], wanted: &Latest) -> Result<Option<(Seq, Entry)>, LedgerError> {
        for row in self.store.engine().scan(Range::prefix(list).reversed()) {
            let (key, class) = row?;
            // Strangers' records are stepped over without a look at them.
            if !wanted.whose.may_be(&class) {
                continue;
            }
            let seq = seq_of(&key)?;
            let key = Table::Result.key(&seq.to_be_bytes());
            let bytes = self.store.engine().get(&key)?;
            let bytes = bytes.ok_or_else(|| LedgerError::Damaged {
                seq,
                what: "it is listed and not there".into(),
            })?;
            let entry = entry_of(seq, &bytes)?;
            if wanted.wants(&entry) {
                return Ok(Some((seq, entry)));
            }
        }
        Ok(None)
    }
}

/// The first key behind all that begin with a prefix; empty when there is none.
fn behind(prefix: &[u8]) -> Vec<u8> {
    Range::prefix(prefix).below.unwrap_or_default()
}

/// Challenge, kind and subject of a key of table result-of.
fn parts(key: &[u8]) -> Result<(&str, u8, &str), LedgerError> {
    let read = || {
        let rest = key.get(3..)?;
        let (challenge, rest) = named(rest)?;
        let (kind, rest) = rest.split_first()?;
        let (subject, rest) = named(rest)?;
        (rest.len() == 8).then_some((challenge, *kind, subject))
    };
    read().ok_or_else(|| LedgerError::Damaged {
        seq: seq_of(key).unwrap_or(0),
        what: "its key in table result-of is none".into(),
    })
}

fn named(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (len, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*len))?;
    Some((std::str::from_utf8(name).ok()?, rest))
}
