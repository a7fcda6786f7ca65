//! Decimal digits of 256 bit integers.

/// Decimal text of a little-endian unsigned integer.
pub(super) fn unsigned(bytes: &[u8; 32]) -> String {
    const CHUNK: u64 = 10_000_000_000_000_000_000;
    let mut limbs: Vec<u64> = bytes
        .chunks_exact(8)
        .rev()
        .map(|chunk| {
            chunk
                .iter()
                .rev()
                .fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
        })
        .collect();
    let mut digits: Vec<u64> = Vec::new();
    while limbs.iter().any(|limb| *limb != 0) {
        let mut rest: u128 = 0;
        for limb in &mut limbs {
            let dividend = (rest << 64) | u128::from(*limb);
            // The rest is below the divisor, so the quotient fits 64 bits.
            *limb = u64::try_from(dividend / u128::from(CHUNK)).unwrap_or(u64::MAX);
            rest = dividend % u128::from(CHUNK);
        }
        digits.push(u64::try_from(rest).unwrap_or(u64::MAX));
    }
    let mut text = digits.pop().unwrap_or(0).to_string();
    for chunk in digits.iter().rev() {
        text.push_str(&format!("{chunk:019}"));
    }
    text
}

/// Decimal text of a little-endian two's complement integer.
pub(super) fn signed(bytes: &[u8; 32]) -> String {
    let [.., last] = bytes;
    if *last < 0x80 {
        return unsigned(bytes);
    }
    let mut carry = true;
    let mut magnitude = [0; 32];
    for (out, byte) in magnitude.iter_mut().zip(bytes) {
        (*out, carry) = (!byte).overflowing_add(u8::from(carry));
    }
    format!("-{}", unsigned(&magnitude))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_decimals() {
        assert_eq!(unsigned(&[0; 32]), "0");
        assert_eq!(
            unsigned(&[0xff; 32]),
            "115792089237316195423570985008687907853269984665640564039457584007913129639935"
        );
        let mut ten_to_the_19 = [0; 32];
        ten_to_the_19[..8].copy_from_slice(&10_000_000_000_000_000_000u64.to_le_bytes());
        assert_eq!(unsigned(&ten_to_the_19), "10000000000000000000");
        for number in [
            0u128,
            1,
            255,
            u128::from(u64::MAX),
            u128::MAX,
            10u128.pow(38),
        ] {
            let mut bytes = [0; 32];
            bytes[..16].copy_from_slice(&number.to_le_bytes());
            assert_eq!(unsigned(&bytes), number.to_string());
        }
        assert_eq!(signed(&[0xff; 32]), "-1");
        let mut lowest = [0; 32];
        lowest[31] = 0x80;
        assert_eq!(
            signed(&lowest),
            "-57896044618658097711785492504343953926634992332820282019728792003956564819968"
        );
    }
}
