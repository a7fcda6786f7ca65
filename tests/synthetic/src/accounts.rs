//! Accounts: thirty-two bytes that look random and still say whose they are.

use chain_metadata::{AccountId, blake2_256};

/// Who an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// Hotkey of a validator, the same in all subnets.
    Validator {
        /// Its uid everywhere.
        uid: u16,
    },
    /// Hotkey of a miner.
    Miner {
        /// Its subnet.
        netuid: u16,
        /// Its uid.
        uid: u16,
        /// How many held the uid before it.
        generation: u32,
    },
    /// Coldkey of a validator.
    Delegate {
        /// Uid of the validator.
        uid: u16,
    },
    /// Coldkey of several miners of a subnet.
    Operator {
        /// The subnet.
        netuid: u16,
        /// Which of its operators.
        number: u16,
    },
    /// Owner of a subnet.
    Owner {
        /// The subnet.
        netuid: u16,
    },
}

impl Who {
    /// The coldkey of a hotkey.
    pub fn coldkey(self) -> Option<Who> {
        match self {
            Who::Validator { uid } => Some(Who::Delegate { uid }),
            Who::Miner { netuid, uid, .. } => Some(Who::Operator {
                netuid,
                number: uid / 4,
            }),
            _ => None,
        }
    }

    fn tag(self) -> [u8; 8] {
        let (kind, a, b, c): (u8, u16, u16, u32) = match self {
            Who::Validator { uid } => (1, uid, 0, 0),
            Who::Miner {
                netuid,
                uid,
                generation,
            } => (2, netuid, uid, generation),
            Who::Delegate { uid } => (3, uid, 0, 0),
            Who::Operator { netuid, number } => (4, netuid, number, 0),
            Who::Owner { netuid } => (5, netuid, 0, 0),
        };
        let [a0, a1] = a.to_le_bytes();
        let [b0, b1] = b.to_le_bytes();
        let [c0, c1, c2, _] = c.to_le_bytes();
        [kind, a0, a1, b0, b1, c0, c1, c2]
    }

    fn of_tag(tag: [u8; 8]) -> Option<Who> {
        let [kind, a0, a1, b0, b1, c0, c1, c2] = tag;
        let a = u16::from_le_bytes([a0, a1]);
        let b = u16::from_le_bytes([b0, b1]);
        let generation = u32::from_le_bytes([c0, c1, c2, 0]);
        let who = match kind {
            1 => Who::Validator { uid: a },
            2 => Who::Miner {
                netuid: a,
                uid: b,
                generation,
            },
            3 => Who::Delegate { uid: a },
            4 => Who::Operator {
                netuid: a,
                number: b,
            },
            5 => Who::Owner { netuid: a },
            _ => return None,
        };
        (who.tag() == tag).then_some(who)
    }

    /// The account. The first eight bytes hide the tag behind a hash of the
    /// others, which are a hash of the tag.
    pub fn account(self, seed: u64) -> AccountId {
        let tag = self.tag();
        let mut bytes = keyed(seed, &tag);
        let (head, tail) = bytes.split_at_mut(8);
        for ((byte, tag), mask) in head.iter_mut().zip(tag).zip(keyed(seed, tail)) {
            *byte = tag ^ mask;
        }
        AccountId(bytes)
    }

    /// Whose account it is; `None` for one that is not of this chain.
    pub fn of(seed: u64, account: &AccountId) -> Option<Who> {
        let (head, tail) = account.0.split_at(8);
        let mut tag = [0; 8];
        for ((tag, byte), mask) in tag.iter_mut().zip(head).zip(keyed(seed, tail)) {
            *tag = byte ^ mask;
        }
        let who = Who::of_tag(tag)?;
        (who.account(seed) == *account).then_some(who)
    }
}

/// A hash of bytes that another seed would make another one.
pub(crate) fn keyed(seed: u64, bytes: &[u8]) -> [u8; 32] {
    let mut input = seed.to_le_bytes().to_vec();
    input.extend_from_slice(bytes);
    blake2_256(&input).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_say_whose_they_are() {
        let all = [
            Who::Validator { uid: 63 },
            Who::Miner {
                netuid: 128,
                uid: 255,
                generation: 70_000,
            },
            Who::Delegate { uid: 63 },
            Who::Operator {
                netuid: 3,
                number: 17,
            },
            Who::Owner { netuid: 4095 },
        ];
        for who in all {
            let account = who.account(9);
            assert_eq!(Who::of(9, &account), Some(who));
            assert_eq!(Who::of(8, &account), None);
        }
        assert_eq!(Who::of(9, &AccountId([0; 32])), None);
    }
}
