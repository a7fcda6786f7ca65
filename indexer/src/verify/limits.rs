//! What the store cannot prove of an epoch, and why: the list of `docs/verification.md`.
//!
//! Each line is a reason for a verdict `INPUT_INCOMPLETE` or `RULES_UNKNOWN`, or for a field that is
//! compared within bounds or not at all. A reason for doubt counts only when the results differ:
//! results equal to the last bit prove the inputs.

/// One thing that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Spec versions that it concerns.
    pub specs: &'static str,
    /// What is not known.
    pub what: &'static str,
    /// Why not.
    pub why: &'static str,
    /// What the record says.
    pub then: &'static str,
}

/// All of them.
pub const LIMITS: &[Limit] = &[
    Limit {
        specs: "all",
        what: "an epoch in the first block of a run of stored blocks",
        why: "the state of the parent is not stored",
        then: "INPUT_INCOMPLETE",
    },
    Limit {
        specs: "all",
        what: "uids that an extrinsic of the same block gave to somebody else",
        why: "their results are overwritten before the block ends",
        then: "these uids are not compared",
    },
    Limit {
        specs: "all",
        what: "an epoch in the first block of a runtime",
        why: "migrations change the state after the parent and before the epoch",
        then: "INPUT_INCOMPLETE if results differ",
    },
    Limit {
        specs: "101 to 120",
        what: "the stake of a delegate that was given emission in the block before",
        why: "its parts are rounded for each nominator, and the stakes of nominators are not stored; the state after the block has the sum unless an extrinsic named the hotkey",
        then: "INPUT_INCOMPLETE if results differ",
    },
    Limit {
        specs: "133 to 194",
        what: "the epoch of the root network",
        why: "it is of another kind, which is not computed",
        then: "RULES_UNKNOWN",
    },
    Limit {
        specs: "195 to 232",
        what: "the drained amount",
        why: "no recorded chain has confirmed the order in which the owner's cut is rounded",
        then: "emission is compared with every amount between the pending one without and with cut",
    },
    Limit {
        specs: "216 and later",
        what: "weights that were revealed at the beginning of the block and set again by an extrinsic",
        why: "only the last row of a block is in its state; the first one needs decrypting",
        then: "INPUT_INCOMPLETE if results differ",
    },
    Limit {
        specs: "218 to 232",
        what: "child keys that came into force right before the epoch",
        why: "they are read at the parent, where they are still pending",
        then: "INPUT_INCOMPLETE if results differ",
    },
    Limit {
        specs: "233 to 326",
        what: "the last unit of the drained amount",
        why: "two parts of the block's alpha are rounded down, and their proportion is not stored",
        then: "emission is compared with both amounts",
    },
    Limit {
        specs: "233 to 333",
        what: "root stake between two epochs of one block",
        why: "the take of the first one's root dividends is not stored; it is made good by its proportion",
        then: "INPUT_INCOMPLETE if results differ",
    },
    Limit {
        specs: "273 and later",
        what: "columns of bonds that a commitment of the same block took away",
        why: "they are removed after the epoch",
        then: "these columns are not compared",
    },
    Limit {
        specs: "297 and later",
        what: "commits made before the first stored block",
        why: "the ledger of commits begins with the store",
        then: "INPUT_INCOMPLETE if results differ",
    },
    Limit {
        specs: "301 to 422",
        what: "timelocked commits that were due and not revealed",
        why: "the chain does not say whether it dropped them",
        then: "INPUT_INCOMPLETE if results differ and the commit would mask a weight",
    },
    Limit {
        specs: "320 and later",
        what: "emission of a subnet with several mechanisms",
        why: "its amount is bounded only, and each mechanism rounds its own part",
        then: "emission is not compared; INPUT_INCOMPLETE if other results differ",
    },
    Limit {
        specs: "327 and later",
        what: "the part of the block's own alpha in the drained amount",
        why: "how much of it the root network takes, or recycles, is not stored",
        then: "emission is compared with every amount from the pending one to that plus the block's alpha",
    },
    Limit {
        specs: "423 and later",
        what: "an owner that changed in the block of the epoch",
        why: "an extrinsic may have changed it after the epoch",
        then: "INPUT_INCOMPLETE if results differ",
    },
    Limit {
        specs: "460 and later",
        what: "rules newer than any that were read",
        why: "a runtime may have changed the epoch",
        then: "RULES_UNKNOWN if results differ",
    },
];
