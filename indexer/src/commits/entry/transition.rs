//! The steps that an entry can take.

use parity_scale_codec::{Decode, Encode};

use super::{Attempt, Reveal, State};

/// What happened to an entry.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Transition {
    /// It is in another state, for a reason in words where there is one.
    State(State, Option<String>),
    /// It was revealed.
    Revealed(Reveal),
    /// A reveal was tried and failed.
    Attempt(Attempt),
    /// The chain keeps it under another hotkey now.
    Holder([u8; 32]),
    /// The chain's storage holds it no longer.
    Released,
}
