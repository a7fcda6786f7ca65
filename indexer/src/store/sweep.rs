//! What a join leaves in tables state and pulse, put right piece by piece.
//!
//! To the upper span every value that it saw was new. Where the span below had
//! the same one, the row is too much; full rows of table pulse say that values are
//! younger than they are, and leave out what is left of subnets that are gone. They
//! are told again on the way of the derived rows. Until then, reads see through both.

use chain_metadata::BlockNumber;

use super::engine::{Batch, Range};
use super::frames::frame_of;
use super::spans::{Joint, delete_joint, put_joint};
use super::tables::Table;
use super::{Store, StoreError};

impl Store {
    /// Goes on with the lowest joint over at most `most` keys of table state.
    /// False when there is nothing to do for state.
    pub fn sweep(&self, most: usize) -> Result<bool, StoreError> {
        let Some(mut joint) = self.joints().into_iter().find(|joint| !joint.swept) else {
            return Ok(false);
        };
        let Some(span) = self.span_of(joint.at) else {
            return Err(StoreError::Row {
                table: Table::Meta.name(),
                key: hex::encode(joint.at.to_be_bytes()),
                what: format!("a joint at block {}, which is in no span", joint.at),
            });
        };
        let mut batch = Batch::default();
        let table = Table::State.key(&[]);
        let mut range = Range::prefix(&table);
        if !joint.cursor.is_empty() {
            range.from.clone_from(&joint.cursor);
        }
        let end = range.below.clone();
        for _ in 0..most {
            let row = self.engine().scan(range.clone()).next();
            let Some(row) = row else {
                joint.swept = true;
                joint.cursor.clear();
                break;
            };
            let (key, _) = row?;
            let prefix = key.get(..key.len().saturating_sub(4)).unwrap_or_default();
            self.sweep_key(prefix, (span.first, span.last), joint.at, &mut batch)?;
            let Some(next) = Range::prefix(prefix).below else {
                joint.swept = true;
                break;
            };
            joint.cursor.clone_from(&next);
            range.from = next;
            range.below.clone_from(&end);
        }
        self.put_or_drop(&joint, &mut batch);
        self.commit(vec![batch])?;
        Ok(true)
    }

    /// Drops the first row that the upper span has of a key when it repeats what
    /// the span below had.
    fn sweep_key(
        &self,
        prefix: &[u8],
        (first, last): (BlockNumber, BlockNumber),
        joint: BlockNumber,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        let Some(row) = self.first_row(prefix, joint)? else {
            return Ok(());
        };
        if row.changed_at > last {
            return Ok(());
        }
        let below = joint.checked_sub(1);
        let before = match below {
            Some(below) => self.last_row(prefix, first, below)?,
            None => None,
        };
        let repeats = match before {
            Some(before) => before.value == row.value,
            // Since block 0 nothing was there: that needs no row.
            None => first == 0 && row.value.is_none(),
        };
        let mut gone = repeats.then_some(row.changed_at);
        // What the lower span learned in the very block in which they meet, the upper
        // one may have learned later.
        if gone.is_none()
            && row.changed_at == joint
            && let Some(next) = joint.checked_add(1)
            && let Some(later) = self.first_row(prefix, next)?
            && later.changed_at <= last
            && later.value == row.value
        {
            gone = Some(later.changed_at);
        }
        if let Some(gone) = gone {
            let mut key = prefix.to_vec();
            key.extend_from_slice(&gone.to_be_bytes());
            batch.delete(key);
        }
        // Rows of the upper span stand behind its own first one.
        for number in frames_touched(joint, gone) {
            self.tell_again(prefix, first, number, gone, batch)?;
        }
        Ok(())
    }

    /// Whether anything in the store still tells of a joint.
    fn put_or_drop(&self, joint: &Joint, batch: &mut Batch) {
        if joint.swept && self.pulse_is_right(joint) {
            delete_joint(batch, joint.at);
        } else {
            put_joint(batch, joint);
        }
    }

    /// Packed rows are told again on the way of the derived rows.
    fn pulse_is_right(&self, joint: &Joint) -> bool {
        let span = self.span_of(joint.at).map(|span| span.first);
        let restage = span.and_then(|span| self.restage_of(span));
        restage.is_none_or(|restage| restage.done >= joint.to)
    }

    /// Joints of which nothing tells any more are forgotten.
    pub fn drop_joints(&self) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for joint in self.joints() {
            if joint.swept && self.pulse_is_right(&joint) {
                delete_joint(&mut batch, joint.at);
            }
        }
        if batch.ops.is_empty() {
            return Ok(());
        }
        self.commit(vec![batch])
    }
}

/// A block of each frame whose first row may be another one now.
fn frames_touched(joint: BlockNumber, gone: Option<BlockNumber>) -> Vec<BlockNumber> {
    let gone = gone.filter(|gone| frame_of(*gone) != frame_of(joint));
    [Some(joint), gone].into_iter().flatten().collect()
}
