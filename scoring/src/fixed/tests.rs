//! Every operation against `substrate-fixed`.

use proptest::prelude::*;
use substrate_fixed::transcendental;
use substrate_fixed::types::{I32F32 as F32, I64F64 as F64, I96F32 as F96, U64F64 as W64};

use super::{
    I32F32, I64F64, I96F32, Reciprocal, U64F64, exp, exp_positive_lanes, exp_safe, ln, safe_exp,
    safe_ln,
};

fn ours(bits: i64) -> I32F32 {
    I32F32::from_bits(bits)
}

/// Bits of every size, and the corners.
fn bits() -> impl Strategy<Value = i64> {
    let corner = prop::sample::select(vec![
        0,
        1,
        -1,
        2,
        1 << 31,
        1 << 32,
        -(1 << 32),
        (1 << 32) - 1,
        (1 << 32) + 1,
        65535 << 32,
        20 << 32,
        -20 << 32,
        i64::MAX,
        i64::MIN,
        i64::MIN + 1,
        1 << 62,
    ]);
    prop_oneof![
        corner,
        any::<i64>(),
        (any::<i64>(), 0u32..63).prop_map(|(bits, shift)| bits >> shift)
    ]
}

/// Numbers in `0..=1`.
fn unit() -> impl Strategy<Value = i64> {
    prop_oneof![
        0..=1i64 << 32,
        (0..=1i64 << 32, 0u32..32).prop_map(|(bits, shift)| bits >> shift),
        Just(1 << 32)
    ]
}

fn wide(bits: u32) -> impl Strategy<Value = u128> {
    (any::<u128>(), 128 - bits..128).prop_map(|(value, shift)| value >> shift)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn arithmetic_of_i32f32(a in bits(), b in bits()) {
        let (x, y) = (F32::from_bits(a), F32::from_bits(b));
        prop_assert_eq!(ours(a).saturating_mul(ours(b)).to_bits(), x.saturating_mul(y).to_bits());
        prop_assert_eq!(ours(a).checked_mul(ours(b)).map(I32F32::to_bits), x.checked_mul(y).map(F32::to_bits));
        prop_assert_eq!(ours(a).checked_div(ours(b)).map(I32F32::to_bits), x.checked_div(y).map(F32::to_bits));
        prop_assert_eq!(ours(a).safe_div(ours(b)).to_bits(), x.checked_div(y).unwrap_or_default().to_bits());
        if b != 0 {
            prop_assert_eq!(ours(a).saturating_div(ours(b)).to_bits(), x.saturating_div(y).to_bits());
        }
        prop_assert_eq!(ours(a).saturating_add(ours(b)).to_bits(), x.saturating_add(y).to_bits());
        prop_assert_eq!(ours(a).saturating_sub(ours(b)).to_bits(), x.saturating_sub(y).to_bits());
        prop_assert_eq!(ours(a) < ours(b), x < y);
    }

    #[test]
    fn conversions_of_i32f32(a in bits(), int: i64, short: u16) {
        let x = F32::from_bits(a);
        prop_assert_eq!(ours(a).floor_to_u16(), x.saturating_to_num::<u16>());
        let full = F32::from_num(u16::MAX);
        prop_assert_eq!(ours(a).to_u16_proportion(), x.saturating_mul(full).saturating_to_num::<u16>());
        if let Some(rounded) = x.checked_round() {
            prop_assert_eq!(ours(a).round_to_u16(), rounded.saturating_to_num::<u16>());
        }
        prop_assert_eq!(I32F32::saturating_from_int(int).to_bits(), F32::saturating_from_num(int).to_bits());
        prop_assert_eq!(I32F32::from_u16(short).to_bits(), F32::from_num(short).to_bits());
        prop_assert_eq!(I32F32::from_u16_proportion(short).to_bits(), (F32::from_num(short) / full).to_bits());
    }

    #[test]
    fn quick_ways_for_units(a in unit(), b in unit(), share in unit()) {
        prop_assert_eq!(ours(a).unit_mul(ours(b)), ours(a).saturating_mul(ours(b)));
        prop_assert_eq!(ours(a).unit_to_u16(), ours(a).to_u16_proportion());
        prop_assert_eq!(ours(a).plus(ours(b)), ours(a).saturating_add(ours(b)));
        // A part of a sum of many.
        let whole = ours(a).plus(ours(b)).plus(ours(share));
        prop_assert_eq!(Reciprocal::of(whole).share_of_unit(ours(a)), ours(a).safe_div(whole));
        prop_assert_eq!(Reciprocal::of(whole).divide(ours(a)), ours(a).safe_div(whole));
    }

    #[test]
    fn reciprocals_divide_exactly(part in 0u64..=1 << 32, more: u64, shift in 0u32..64, dividend in bits()) {
        let divisor = part.saturating_add(more >> shift).min(u64::MAX >> 1);
        let expected = (u128::from(part) << 32).checked_div(u128::from(divisor)).unwrap_or(0);
        prop_assert_eq!(u128::from(Reciprocal::new(divisor).share(part)), expected);
        let (dividend, divisor) = (ours(dividend & i64::MAX), ours(divisor.cast_signed()));
        prop_assert_eq!(Reciprocal::of(divisor).divide(dividend), dividend.safe_div(divisor));
    }

    #[test]
    fn exponentials(a in bits(), near in -25i64 << 32..25i64 << 32, powers: [u64; 4]) {
        for bits in [a, near] {
            let expected = transcendental::exp::<F32, F32>(F32::from_bits(bits)).ok();
            prop_assert_eq!(exp(ours(bits)).map(I32F32::to_bits), expected.map(F32::to_bits));
            prop_assert_eq!(safe_exp(ours(bits)).to_bits(), expected.unwrap_or_default().to_bits());
            let stopped = bits.clamp(-20 << 32, 20 << 32);
            let expected = transcendental::exp::<F32, F32>(F32::from_bits(stopped)).ok();
            prop_assert_eq!(Some(exp_safe(ours(bits)).to_bits()), expected.map(F32::to_bits));
        }
        let powers = powers.map(|power| power % ((20 << 32) + 1));
        for (power, lane) in powers.into_iter().zip(exp_positive_lanes(powers)) {
            if power != 0 && power != 1 << 32 {
                prop_assert_eq!(exp(ours(power.cast_signed())), Some(ours(lane.cast_signed())));
            }
        }
    }

    #[test]
    fn logarithms(a in bits(), positive in 1..i64::MAX) {
        for bits in [a, positive, positive >> 20, positive >> 31, positive >> 45] {
            // The library panics for some numbers in debug builds; those have no result here.
            let expected = std::panic::catch_unwind(|| transcendental::ln::<F32, F32>(F32::from_bits(bits)).ok());
            if let Ok(expected) = expected {
                prop_assert_eq!(ln(ours(bits)).map(I32F32::to_bits), expected.map(F32::to_bits));
                prop_assert_eq!(safe_ln(ours(bits)).to_bits(), expected.unwrap_or_default().to_bits());
            }
        }
    }

    #[test]
    fn arithmetic_of_i64f64(a in wide(127), b in wide(127), int: u64) {
        let (a, b) = (a.cast_signed(), b.cast_signed());
        let (x, y) = (F64::from_bits(a), F64::from_bits(b));
        let quotient = x.checked_div(y).unwrap_or_default();
        prop_assert_eq!(I64F64::from_bits(a).safe_div(I64F64::from_bits(b)).to_bits(), quotient.to_bits());
        if a <= b {
            let share = F32::saturating_from_num(quotient).to_bits();
            prop_assert_eq!(I64F64::from_bits(a).share_of(I64F64::from_bits(b)).to_bits(), share);
        }
        prop_assert_eq!(I64F64::from_bits(a).floor_to_u64(), x.saturating_to_num::<u64>());
        prop_assert_eq!(I64F64::from_bits(-a).floor_to_u64(), 0);
        prop_assert_eq!(I64F64::from_bits(a).to_i32f32().to_bits(), F32::saturating_from_num(x).to_bits());
        prop_assert_eq!(I64F64::from_bits(-a).to_i32f32().to_bits(), F32::saturating_from_num(-x).to_bits());
        prop_assert_eq!(I64F64::saturating_from_u64(int).to_bits(), F64::saturating_from_num(int).to_bits());
    }

    #[test]
    fn arithmetic_of_i96f32(a in wide(127), b in wide(127), int: u64, short in bits()) {
        let (a, b) = (a.cast_signed(), b.cast_signed());
        let (x, y) = (F96::from_bits(a), F96::from_bits(b));
        let (p, q) = (I96F32::from_bits(a), I96F32::from_bits(b));
        prop_assert_eq!(p.saturating_mul(q).to_bits(), x.saturating_mul(y).to_bits());
        prop_assert_eq!(p.safe_div(q).to_bits(), x.checked_div(y).unwrap_or_default().to_bits());
        prop_assert_eq!(p.saturating_add(q).to_bits(), x.saturating_add(y).to_bits());
        prop_assert_eq!(p.saturating_sub_to_zero(q).to_bits(), x.saturating_sub(y).to_bits().max(0));
        prop_assert_eq!(p.floor_to_u64(), x.saturating_to_num::<u64>());
        prop_assert_eq!(I96F32::from_u64(int).to_bits(), F96::from_num(int).to_bits());
        prop_assert_eq!(I96F32::from_i32f32(ours(short)).to_bits(), F96::from_num(F32::from_bits(short)).to_bits());
    }

    #[test]
    fn arithmetic_of_u64f64(a in wide(128), b in wide(128), int: u64) {
        let (x, y) = (W64::from_bits(a), W64::from_bits(b));
        let (p, q) = (U64F64::from_bits(a), U64F64::from_bits(b));
        prop_assert_eq!(p.saturating_mul(q).to_bits(), x.saturating_mul(y).to_bits());
        prop_assert_eq!(p.checked_div(q).map(U64F64::to_bits), x.checked_div(y).map(W64::to_bits));
        prop_assert_eq!(p.saturating_add(q).to_bits(), x.saturating_add(y).to_bits());
        prop_assert_eq!(p.floor_to_u64(), x.saturating_to_num::<u64>());
        prop_assert_eq!(U64F64::from_u64(int).to_bits(), W64::from_num(int).to_bits());
    }
}

#[test]
fn known_bits() {
    assert_eq!(exp(I32F32::ONE).unwrap().to_bits(), 11_674_931_200);
    assert_eq!(
        exp(I32F32::from_u16(20)).unwrap().to_bits(),
        2_066_907_302_758_576_256
    );
    assert_eq!(exp(I32F32::from_u16(21)), None);
    assert_eq!(exp(I32F32::MIN), None);
    assert_eq!(ln(I32F32::from_u16(2)).unwrap().to_bits(), 2_977_044_511);
    assert_eq!(ln(I32F32::HALF).unwrap().to_bits(), -2_977_044_511);
    assert_eq!(
        (ln(I32F32::ZERO), ln(ours(1)), ln(ours(2))),
        (None, None, None)
    );
    // The smallest negative product is not zero.
    assert_eq!(ours(-1).saturating_mul(I32F32::HALF), ours(-1));
    assert_eq!(I32F32::from_u16_proportion(65535), I32F32::ONE);
    assert_eq!(I32F32::ONE.saturating_div(I32F32::ZERO), I32F32::MAX);
    assert_eq!(ours(-1).saturating_div(I32F32::ZERO), I32F32::MIN);
    assert_eq!(format!("{:?}", ours(7)), "7/2^32");
    assert_eq!(Reciprocal::new(0).divide(I32F32::ONE), I32F32::ZERO);
}
