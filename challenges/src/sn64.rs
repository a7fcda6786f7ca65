//! Chutes: audits of reports and exports.
//!
//! ```text
//! index ─► reports ──sha256──► commitment on chain (our own index)
//!             │ csv_exports, sha256
//!             ▼
//!          CSVs, streamed ──► features of miners ──profile──► shares ──► beside the incentive
//! ```
//!
//! * [`index`], [`report`], [`tables`]: what there is to audit, read and checked;
//! * [`commitment`]: whether a report is the one that was committed on chain;
//! * [`csv`], [`literal`], [`row`]: exports of invocations, row by row, without keeping them;
//! * [`scan`]: many exports at once, every invocation counted once;
//! * [`invocations`], [`instances`]: what miners did; the formulas are `scoring::local::sn64`;
//! * [`agreement`], [`synthetics`]: what miners and own requests say against it;
//! * [`folder`], [`fetch`], [`path`]: where the files are;
//! * [`audit`]: all of it together.

pub mod agreement;
pub mod audit;
pub mod commitment;
pub mod csv;
pub mod error;
pub mod fetch;
pub mod folder;
pub mod ids;
pub mod index;
pub mod input;
pub mod instances;
pub mod invocations;
pub mod literal;
pub mod path;
pub mod report;
pub mod row;
pub mod scan;
pub mod synthetics;
pub mod tables;
pub mod trust;

pub use error::AuditError;
