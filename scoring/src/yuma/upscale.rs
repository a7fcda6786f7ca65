//! Scaling a vector so that its greatest entry becomes 65535: what `set_weights` stores, and pruning scores.

use crate::fixed::I32F32;

/// The row that `set_weights` stores for these weights from spec 117 on: scaled so that the greatest becomes 65535, rounded half away from zero.
pub fn stored_weights(weights: &[u16]) -> Vec<u16> {
    let weights: Vec<I32F32> = weights
        .iter()
        .map(|weight| I32F32::from_u16(*weight))
        .collect();
    max_upscale(&weights)
}

/// Scales numbers that are not negative so that the greatest becomes 65535.
///
/// Above 32768 the factor is computed first, since the product with 65535 would not fit; that gives other roundings.
pub fn max_upscale(values: &[I32F32]) -> Vec<u16> {
    const FULL: I32F32 = I32F32::from_u16(u16::MAX);
    let greatest = values.iter().copied().max().unwrap_or(I32F32::ZERO);
    if greatest == I32F32::ZERO {
        return values
            .iter()
            .map(|value| value.to_u16_proportion())
            .collect();
    }
    if greatest > I32F32::from_u16(32768) {
        let factor = FULL.safe_div(greatest);
        return values
            .iter()
            .map(|value| value.saturating_mul(factor).round_to_u16())
            .collect();
    }
    values
        .iter()
        .map(|value| value.saturating_mul(FULL).safe_div(greatest).round_to_u16())
        .collect()
}
