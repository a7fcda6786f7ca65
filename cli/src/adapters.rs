//! Joins the crates: what one asks for, answered by another. No rules in here.

pub(crate) mod intake;
pub(crate) mod reader;
