//! When the later validator (2025) writes weights, and when it writes nothing.

/// Uids above zero that it wants on mainnet.
pub const MAINNET_UIDS: usize = 150;
/// Blocks that must have passed since its last weights; one more is needed to write.
pub const BLOCKS: u64 = 100;

/// What the gates look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Situation {
    /// Setting weights is switched off.
    pub disabled: bool,
    /// The chain is mainnet.
    pub mainnet: bool,
    /// The validator has just started and wrote nothing yet.
    pub first_run: bool,
    /// Blocks since `LastUpdate` of its uid.
    pub blocks_since_last_update: u64,
}

/// A gate that is shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Shut {
    /// The switch is off.
    #[error("setting weights is switched off")]
    Disabled,
    /// Not enough uids have a score.
    #[error("{scored} uids have a score above zero; mainnet wants {MAINNET_UIDS}")]
    TooFewUids {
        /// Uids above zero.
        scored: usize,
    },
    /// The last weights are too young.
    #[error("{blocks} blocks since the last weights; more than {BLOCKS} are wanted")]
    TooSoon {
        /// Blocks since then.
        blocks: u64,
    },
    /// Every score is zero.
    #[error("all scores are zero")]
    AllZero,
    /// A score is no number.
    #[error("the score of uid {uid} is not a number")]
    NotANumber {
        /// The first such uid.
        uid: usize,
    },
}

/// The first gate that is shut; `None` when the scores are written.
///
/// ```
/// use scoring::local::sn42::gates::{Shut, Situation, shut};
/// let now = Situation { blocks_since_last_update: 100, ..Situation::default() };
/// assert_eq!(shut(&[1.0], now), Some(Shut::TooSoon { blocks: 100 }));
/// assert_eq!(shut(&[1.0], Situation { first_run: true, ..now }), None);
/// ```
pub fn shut(scores: &[f32], now: Situation) -> Option<Shut> {
    if now.disabled {
        return Some(Shut::Disabled);
    }
    let scored = scores.iter().filter(|score| **score > 0.0).count();
    if now.mainnet && scored < MAINNET_UIDS {
        return Some(Shut::TooFewUids { scored });
    }
    if !now.first_run && now.blocks_since_last_update <= BLOCKS {
        return Some(Shut::TooSoon {
            blocks: now.blocks_since_last_update,
        });
    }
    if scores.iter().all(|score| *score == 0.0) {
        return Some(Shut::AllZero);
    }
    let uid = scores.iter().position(|score| score.is_nan());
    uid.map(|uid| Shut::NotANumber { uid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gate_at_its_edge() {
        let open = Situation {
            mainnet: true,
            blocks_since_last_update: 101,
            ..Situation::default()
        };
        let scores = vec![0.5; 150];
        assert_eq!(shut(&scores, open), None);
        let disabled = Situation {
            disabled: true,
            ..open
        };
        assert_eq!(shut(&scores, disabled), Some(Shut::Disabled));
        let fewer = shut(&scores[1..], open);
        assert_eq!(fewer, Some(Shut::TooFewUids { scored: 149 }));
        let test = Situation {
            mainnet: false,
            ..open
        };
        assert_eq!(shut(&scores[1..], test), None);
        let soon = Situation {
            blocks_since_last_update: 100,
            ..open
        };
        assert_eq!(shut(&scores, soon), Some(Shut::TooSoon { blocks: 100 }));
        let first = Situation {
            first_run: true,
            ..soon
        };
        assert_eq!(shut(&scores, first), None);
        assert_eq!(shut(&[0.0, 0.0], test), Some(Shut::AllZero));
        assert_eq!(
            shut(&[1.0, f32::NAN], test),
            Some(Shut::NotANumber { uid: 1 })
        );
    }
}
