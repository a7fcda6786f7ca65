//! Fixed-point numbers as shown.

use async_graphql::SimpleObject;
use scoring::fixed::I32F32;

use crate::schema::scalars::I64;

/// One in the chain's fixed point.
const ONE: f64 = 4_294_967_296.0;

/// A fixed-point number of the epoch.
#[derive(SimpleObject, Clone)]
pub(crate) struct Fixed {
    /// Raw bits: the number times 2^32, exact.
    bits: I64,
    /// The number as a decimal fraction, exact.
    decimal: String,
    /// The number, rounded, for people.
    value: f64,
}

impl From<I32F32> for Fixed {
    #[expect(clippy::cast_precision_loss, reason = "the exact bits stand beside it")]
    fn from(number: I32F32) -> Self {
        let bits = number.to_bits();
        Self {
            bits: I64(bits),
            decimal: number.to_decimal(),
            value: bits as f64 / ONE,
        }
    }
}
