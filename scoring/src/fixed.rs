//! The chain's fixed-point numbers, as integers.
//!
//! The runtime computes with the crate `substrate-fixed`; these types give the same bits for the few operations the epoch uses, and nothing else:
//!
//! | type | stored as | used for |
//! |---|---|---|
//! | [`I32F32`] | `i64`, 32 fraction bits | every vector and matrix of the epoch |
//! | [`I64F64`] | `i128`, 64 fraction bits | total stake before it is normalised |
//! | [`I96F32`] | `i128`, 32 fraction bits | emission, proportions of child keys |
//! | [`U64F64`] | `u128`, 64 fraction bits | weight of a mechanism |
//!
//! Multiplication rounds down (towards minus infinity, also for negative products), division truncates towards zero, conversions round down.
//! Operations called `saturating` stop at the ends of the type; `safe_div` gives zero for a zero divisor or a quotient that does not fit.
//! Tests compare every operation with `substrate-fixed` itself.

mod decimal;
mod i32f32;
mod reciprocal;
mod transcendental;
mod wide;

pub use i32f32::I32F32;
pub(crate) use reciprocal::Reciprocal;
pub(crate) use transcendental::exp_positive_lanes;
pub use transcendental::{exp, exp_safe, ln, safe_exp, safe_ln};
pub use wide::{I64F64, I96F32, U64F64};

#[cfg(test)]
mod tests;
