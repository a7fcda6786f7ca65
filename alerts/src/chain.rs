//! The port through which rules ask, and the positions at which they do.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::rule::{On, Rule};
use crate::worker::Stop;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct AskError {
    /// A sentence.
    pub what: String,
    /// Whether the same question may be answered a moment later.
    pub passing: bool,
}

/// A chain as it is stored.
///
/// Methods may block on a disk. History does not change: the same question about stored blocks
/// has the same answer.
pub trait Chain: Send + Sync {
    /// First and last block of every run of stored, final blocks without a hole, ascending.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn spans(&self) -> Result<Vec<(u32, u32)>, AskError>;

    /// The epochs that ran in the blocks from `from` to `to`, as block and subnet, ascending;
    /// of some subnets or of all. All blocks are stored.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn epochs(
        &self,
        netuids: Option<&[u16]>,
        from: u32,
        to: u32,
    ) -> Result<Vec<(u32, u16)>, AskError>;

    /// The `data` of an answer.
    ///
    /// # Errors
    /// When it has errors; the first of them.
    fn ask(&self, document: &str, variables: Map<String, Value>) -> Result<Value, AskError>;
}

/// Where a rule is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Height of the block.
    pub block: u32,
    /// Number of the subnet; `None` for rules without subnets.
    pub netuid: Option<u16>,
    /// When, in milliseconds since 1970, of rules on time.
    pub at_ms: Option<u64>,
}

/// Most blocks whose positions are listed at once.
pub const STRETCH: u32 = 256;

/// The positions of a rule in some blocks, ascending, by block. Blocks without a position have no
/// entry.
///
/// # Errors
/// When the store cannot be read.
pub fn positions(
    chain: &dyn Chain,
    rule: &Rule,
    from: u32,
    to: u32,
) -> Result<BTreeMap<u32, Vec<Position>>, AskError> {
    let mut found: BTreeMap<u32, Vec<Position>> = BTreeMap::new();
    let mut put = |block: u32, netuid: Option<u16>| {
        let position = Position {
            block,
            netuid,
            at_ms: None,
        };
        found.entry(block).or_default().push(position);
    };
    match rule.on {
        On::Time => {}
        On::Epoch => {
            for (block, netuid) in chain.epochs(rule.netuids.as_deref(), from, to)? {
                put(block, Some(netuid));
            }
        }
        On::Block => {
            for block in (from..=to).filter(|block| block.is_multiple_of(rule.every)) {
                match &rule.netuids {
                    None => put(block, None),
                    Some(netuids) => netuids.iter().for_each(|netuid| put(block, Some(*netuid))),
                }
            }
        }
    }
    Ok(found)
}

/// The first stretch of stored blocks at or after `next`, at most [`STRETCH`] blocks and up to
/// `to`; `None` when there is none.
pub fn stretch(spans: &[(u32, u32)], next: u32, to: u32) -> Option<(u32, u32)> {
    let (first, last) = spans.iter().find(|(_, last)| *last >= next)?;
    let from = next.max(*first);
    let to = to.min(*last).min(from.saturating_add(STRETCH - 1));
    (from <= to).then_some((from, to))
}

/// How often a question is asked again when trouble passes.
const TRIES: u32 = 5;

/// Asks at a position; what passes is waited for a little. `None` when the stop was told before
/// there was an answer: then nothing is known, not even that there is none.
///
/// # Errors
/// Why there is no answer, in a sentence.
pub fn ask(
    chain: &dyn Chain,
    rule: &Rule,
    position: &Position,
    stop: &Stop,
) -> Option<Result<Value, String>> {
    let mut wait = std::time::Duration::from_millis(50);
    let mut tries = 1;
    while !stop.told() {
        match chain.ask(&rule.query, rule.variables_at(position)) {
            Err(error) if error.passing && stop.told() => break,
            Err(error) if error.passing && tries < TRIES => {
                stop.nap(wait);
                wait *= 4;
                tries += 1;
            }
            other => return Some(other.map_err(|error| error.what)),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_passed_over() {
        let spans = [(10, 20), (300, 1000)];
        assert_eq!(stretch(&spans, 0, u32::MAX), Some((10, 20)));
        assert_eq!(stretch(&spans, 15, 18), Some((15, 18)));
        assert_eq!(stretch(&spans, 21, u32::MAX), Some((300, 555)));
        assert_eq!(stretch(&spans, 990, u32::MAX), Some((990, 1000)));
        assert_eq!(stretch(&spans, 1001, u32::MAX), None);
        assert_eq!(stretch(&spans, 21, 100), None);
        assert_eq!(stretch(&[], 0, 5), None);
    }
}
