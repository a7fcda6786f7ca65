//! Chutes: audits of reports and exports.

pub mod input;
