//! RedTeam: centralised scoring.
//!
//! ```text
//! reports of validators ─report──► ledger ─state─► merge ─reveal, select─► controller ─► judge ─► ledger
//!                                                                              finalize, once a day ─┘
//! ```
//!
//! * [`report`] takes in what a validator tells of miners' commits; [`merge`] makes one
//!   picture of what many tell, the same in whatever order they come.
//! * [`cycle::pass`] opens commits, has them scored and compared, and judges them;
//!   [`finalize::run`] closes a day. Every step is one append to the ledger, known by a key: cut off
//!   anywhere and begun again, nothing is lost and nothing is done twice.
//! * [`state`] is what the ledger's records come to; [`state::get_scoring_result`] answers
//!   validators.
//! * [`mod@format`], [`fernet`], [`reveal`], [`controller`], [`backup`] are the formats and protocols.
//! * [`input`] scores a single file by a profile; the formulas are in `scoring::local::sn61`.
//!
//! Where it differs from the original, on purpose:
//!
//! * Reports are put together by a rule in which their order does not matter ([`merge`]; the
//!   original's is there as `compat`), and a key counts only if it opens the ciphertext.
//! * A ciphertext that several miners have is scored for the one that had it first.
//! * A commit that brings a uid's new holder is not ignored.
//! * The best commit, judged again when its day is closed, has its new score even if lower.
//! * A failed closing is tried again. (A day on which nothing was revealed stays open, as in the
//!   original: `is_done` does not change.)
//! * What validators cannot have seen, times ahead of the clock, is not believed; a ciphertext that
//!   cannot be opened, or not yet, takes no place from a commit that can.
//! * An unknown challenge is an error of its own rather than a failure of the service.
//!
//! No function reads a clock: the time comes as `now_ms`, milliseconds since 1970.

pub mod backup;
pub mod config;
pub mod controller;
pub mod cycle;
pub mod fernet;
pub mod finalize;
pub mod format;
pub mod input;
pub mod merge;
pub mod report;
pub mod reveal;
pub mod select;
pub mod state;
