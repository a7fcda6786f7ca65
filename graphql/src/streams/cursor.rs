//! Where a stream stands, as an opaque text.
//!
//! A cursor names a place on a chain, not in a list: the block, the first bytes of its hash and how
//! many of its items are done. It also says up to which block all was final when it was made: if
//! the block has lost its branch since, the stream goes back to there, whoever gives the cursor and
//! whatever was forgotten meanwhile.

use chain_metadata::{BlockNumber, H256};

use crate::ports::Topic;

/// The first bytes of a block's hash; `None` when the block was not stored.
pub(crate) type ForkId = Option<[u8; 8]>;

/// The fork id of a block.
pub(crate) fn fork_id(hash: H256) -> ForkId {
    hash.0.first_chunk::<8>().copied()
}

/// A place in a stream: everything up to here was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamCursor {
    topic: Topic,
    place: Place,
}

/// A place, by what the topic counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a block.
    Block(BlockPlace),
    /// Behind so many records.
    Records(u64),
}

/// A place in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockPlace {
    /// Height of the block.
    pub(crate) block: BlockNumber,
    /// Which block of that height.
    pub(crate) fork: ForkId,
    /// So many of its items are done, wanted or not; [`END`] when all are.
    pub(crate) index: u32,
    /// Up to this height, at most `block`, all that was sent was final.
    pub(crate) base: BlockNumber,
}

/// The index behind the last item of a block.
pub(crate) const END: u32 = u32::MAX;

/// Before the first stored block, whichever that is.
pub(crate) const START: BlockPlace = BlockPlace {
    block: 0,
    fork: None,
    index: 0,
    base: 0,
};

/// What stands for a cursor before everything.
const FIRST: &str = "first";

impl BlockPlace {
    /// Behind a block that is final.
    pub(crate) fn behind_final(block: BlockNumber, fork: ForkId) -> Self {
        Self {
            block,
            fork,
            index: END,
            base: block,
        }
    }

    /// Whether the block was final when this was made.
    pub(crate) fn is_final(&self) -> bool {
        self.base >= self.block
    }
}

/// A text that is no cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// Other people's bytes.
    #[error(
        "this is no cursor of a stream; take one from a message of it, or give `first` for all that is stored"
    )]
    Malformed,
    /// A cursor of another stream.
    #[error(
        "the cursor is of the stream `{found}`, not of `{wanted}`; take one from a message of that stream"
    )]
    OtherTopic {
        /// Whose it is.
        found: Topic,
        /// Which was asked for.
        wanted: Topic,
    },
}

fn tag(topic: Topic) -> u8 {
    match topic {
        Topic::Blocks => b'B',
        Topic::Epochs => b'E',
        Topic::Weights => b'W',
        Topic::Commits => b'C',
        Topic::Stake => b'S',
        Topic::Scores => b'R',
    }
}

impl StreamCursor {
    pub(crate) fn in_block(topic: Topic, place: BlockPlace) -> Self {
        Self {
            topic,
            place: Place::Block(place),
        }
    }

    pub(crate) fn behind_records(records: u64) -> Self {
        Self {
            topic: Topic::Scores,
            place: Place::Records(records),
        }
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// The stream that it is of.
    pub fn topic(&self) -> Topic {
        self.topic
    }

    /// Height of the block; `None` for the stream of scores, which is of no block.
    pub fn block(&self) -> Option<BlockNumber> {
        match self.place {
            Place::Block(place) => Some(place.block),
            Place::Records(_) => None,
        }
    }

    /// As text: letters and digits only.
    pub fn encode(&self) -> String {
        let mut bytes = vec![tag(self.topic)];
        match self.place {
            Place::Block(place) => {
                bytes.extend(place.block.to_be_bytes());
                bytes.extend(place.fork.unwrap_or_default());
                bytes.extend(place.index.to_be_bytes());
                bytes.extend(place.base.to_be_bytes());
            }
            Place::Records(records) => bytes.extend(records.to_be_bytes()),
        }
        hex::encode(bytes)
    }

    /// Out of a text.
    ///
    /// # Errors
    /// When the text is no cursor.
    pub fn decode(text: &str) -> Result<Self, CursorError> {
        let mut bytes = [0; 21];
        // The longest cursor has 21 bytes; nothing longer is looked at.
        let len = text.len() / 2;
        let room = bytes.get_mut(..len).ok_or(CursorError::Malformed)?;
        hex::decode_to_slice(text, room).map_err(|_| CursorError::Malformed)?;
        let (first, rest) = room.split_first().ok_or(CursorError::Malformed)?;
        let topic = Topic::ALL.into_iter().find(|topic| tag(*topic) == *first);
        let topic = topic.ok_or(CursorError::Malformed)?;
        let place = match topic {
            Topic::Scores => rest
                .try_into()
                .ok()
                .map(u64::from_be_bytes)
                .map(Place::Records),
            _ => block_place(rest).map(Place::Block),
        };
        let place = place.ok_or(CursorError::Malformed)?;
        Ok(Self { topic, place })
    }

    /// The place before everything that is stored.
    pub fn first(topic: Topic) -> Self {
        match topic {
            Topic::Scores => Self::behind_records(0),
            _ => Self::in_block(topic, START),
        }
    }

    /// Out of a text that must be of this stream; `first` is the place before everything.
    ///
    /// # Errors
    /// When the text is no cursor, or one of another stream.
    pub fn decode_for(topic: Topic, text: &str) -> Result<Self, CursorError> {
        if text == FIRST {
            return Ok(Self::first(topic));
        }
        let cursor = Self::decode(text)?;
        cursor.check(topic)?;
        Ok(cursor)
    }

    /// Refuses a cursor of another stream.
    pub(crate) fn check(&self, wanted: Topic) -> Result<(), CursorError> {
        let found = self.topic;
        if found == wanted {
            Ok(())
        } else {
            Err(CursorError::OtherTopic { found, wanted })
        }
    }
}

impl std::fmt::Display for StreamCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.encode())
    }
}

fn block_place(bytes: &[u8]) -> Option<BlockPlace> {
    let (block, rest) = bytes.split_first_chunk::<4>()?;
    let (fork, rest) = rest.split_first_chunk::<8>()?;
    let (index, rest) = rest.split_first_chunk::<4>()?;
    let base = u32::from_be_bytes(rest.try_into().ok()?);
    let block = u32::from_be_bytes(*block);
    // A base above the block would make a later block final by mere words.
    (base <= block).then_some(BlockPlace {
        block,
        fork: (*fork != [0; 8]).then_some(*fork),
        index: u32::from_be_bytes(*index),
        base,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cursors() -> impl Strategy<Value = StreamCursor> {
        let topic = (0..Topic::ALL.len()).prop_map(|at| Topic::ALL[at]);
        (
            topic,
            any::<u32>(),
            any::<u32>(),
            any::<[u8; 8]>(),
            any::<u32>(),
        )
            .prop_map(|(topic, block, index, fork, below)| match topic {
                Topic::Scores => {
                    StreamCursor::behind_records(u64::from(block) << 32 | u64::from(index))
                }
                _ => StreamCursor::in_block(
                    topic,
                    BlockPlace {
                        block,
                        fork: (fork != [0; 8]).then_some(fork),
                        index,
                        base: block.saturating_sub(below),
                    },
                ),
            })
    }

    proptest! {
        #[test]
        fn texts_are_read_back(cursor in cursors()) {
            let text = cursor.encode();
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            prop_assert_eq!(StreamCursor::decode(&text), Ok(cursor));
            prop_assert_eq!(StreamCursor::decode_for(cursor.topic(), &text), Ok(cursor));
            prop_assert_eq!(StreamCursor::decode(&text.to_uppercase()), Ok(cursor));
        }

        #[test]
        fn foreign_texts_are_refused_without_a_panic(text in ".{0,80}") {
            if let Ok(cursor) = StreamCursor::decode(&text) {
                prop_assert_eq!(cursor.encode(), text.to_lowercase());
            }
        }

        #[test]
        fn damaged_texts_are_refused_or_other_places(cursor in cursors(), at in 0_usize..42, with in any::<char>()) {
            let mut text: Vec<char> = cursor.encode().chars().collect();
            let at = at % text.len();
            text[at] = with;
            let text: String = text.into_iter().collect();
            if let Ok(other) = StreamCursor::decode(&text) {
                prop_assert_eq!(other.encode(), text.to_lowercase());
            }
        }

        #[test]
        fn bytes_of_any_length_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = StreamCursor::decode(&hex::encode(bytes));
        }
    }

    #[test]
    fn a_place_that_makes_a_later_block_final_is_refused() {
        let place = BlockPlace {
            block: 5,
            fork: None,
            index: 0,
            base: 6,
        };
        let text = StreamCursor::in_block(Topic::Blocks, place).encode();
        assert_eq!(StreamCursor::decode(&text), Err(CursorError::Malformed));
    }
}
