//! Weights written and read back.
//!
//! * [`input`] scores by the profiles `sn42-2024` and `sn42-2025`.
//! * [`plan`] makes of scores the row that would be sent and stored, and what is against it.
//! * [`readback`] says of a validator's weights what became of them, with the evidence.

pub mod input;
pub mod plan;
pub mod readback;
