//! Scores that come from challenges, kept beside the chain.
//!
//! ```text
//! reports, files ──checked, signed──► ledger (append-only) ──profile──► scores ──► beside W and incentive
//! ```
//!
//! * [`record`] is what is kept: runs, submissions, scores, comparisons, finalizations,
//!   each with its provenance.
//! * [`ledger`] keeps them in the store's engine, in tables of its own.
//! * [`ingest`] takes in signed reports of registered hotkeys.
//! * [`join`] puts scores beside the weights, the consensus and the incentive of an epoch.
//! * [`profiles`] scores an input by a named, dated set of rules.
//! * `sn27`, `sn42`, `sn61`, `sn64`, `sn128` hold what belongs to one subnet's system:
//!   formats, protocols, checks. The formulas are in `scoring::local`.
//! * [`date`] turns timestamps of any of them into numbers.

pub mod date;
mod fields;
pub mod ingest;
pub mod join;
pub mod ledger;
pub mod profiles;
pub mod python;
pub mod record;
pub mod sign;
pub mod sn128;
pub mod sn27;
pub mod sn42;
pub mod sn61;
pub mod sn64;
