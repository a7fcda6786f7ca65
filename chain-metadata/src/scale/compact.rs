//! Compact integers: the two low bits of the first byte tell how many bytes there are.

use super::input::{take, take_array, take_byte};
use crate::ScaleError;

/// A compact integer of at most `bits` bits, in its shortest form.
#[inline]
pub(crate) fn read_compact(input: &mut &[u8], bits: u8) -> Result<u128, ScaleError> {
    let first = take_byte(input)?;
    let (value, smallest): (u128, u128) = match first & 3 {
        0 => ((first >> 2).into(), 0),
        1 => {
            let [second] = take_array(input)?;
            ((u16::from_le_bytes([first, second]) >> 2).into(), 1 << 6)
        }
        2 => {
            let [second, third, fourth] = take_array(input)?;
            let word = u32::from_le_bytes([first, second, third, fourth]);
            ((word >> 2).into(), 1 << 14)
        }
        _ => return read_big(input, first >> 2, bits),
    };
    if value < smallest || value > largest(bits) {
        return Err(ScaleError::InvalidCompact { bits: bits.into() });
    }
    Ok(value)
}

/// The long form: a count of bytes, less four, and the bytes.
fn read_big(input: &mut &[u8], count: u8, bits: u8) -> Result<u128, ScaleError> {
    let invalid = ScaleError::InvalidCompact { bits: bits.into() };
    let count = usize::from(count) + 4;
    if count > 16 {
        return Err(invalid);
    }
    let mut bytes = [0; 16];
    for (out, byte) in bytes.iter_mut().zip(take(input, count)?) {
        *out = *byte;
    }
    let value = u128::from_le_bytes(bytes);
    let smallest = if count == 4 {
        1 << 30
    } else {
        1 << (8 * (count - 1))
    };
    if value < smallest || value > largest(bits) {
        return Err(invalid);
    }
    Ok(value)
}

fn largest(bits: u8) -> u128 {
    u128::MAX >> (128 - u32::from(bits.clamp(1, 128)))
}

/// The length of a sequence.
#[inline]
pub(crate) fn read_length(input: &mut &[u8]) -> Result<u32, ScaleError> {
    let length = read_compact(input, 32)?;
    u32::try_from(length).map_err(|_| ScaleError::InvalidCompact { bits: 32 })
}

/// Appends the shortest form.
pub(crate) fn write_compact(value: u128, out: &mut Vec<u8>) {
    let [b0, b1, b2, b3, ..] = (value << 2).to_le_bytes();
    if value < 1 << 6 {
        out.push(b0);
    } else if value < 1 << 14 {
        out.extend([b0 | 1, b1]);
    } else if value < 1 << 30 {
        out.extend([b0 | 2, b1, b2, b3]);
    } else {
        let bytes = value.to_le_bytes();
        let unused = usize::try_from(value.leading_zeros() / 8).unwrap_or(0);
        let count = bytes.len() - unused;
        let [less_four, ..] = (count - 4).to_le_bytes();
        out.push((less_four << 2) | 3);
        out.extend(bytes.iter().take(count));
    }
}

/// Appends the length of a sequence.
pub(crate) fn write_length(length: usize, out: &mut Vec<u8>) {
    // A usize has at most 64 bits on every platform.
    write_compact(u128::try_from(length).unwrap_or(u128::MAX), out);
}

#[cfg(test)]
mod tests {
    use parity_scale_codec::{Compact, Decode, Encode};
    use proptest::prelude::*;

    use super::*;

    fn same_as_reference(value: u128) {
        let mut ours = Vec::new();
        write_compact(value, &mut ours);
        assert_eq!(ours, Compact(value).encode(), "{value}");
        let mut rest = ours.as_slice();
        assert_eq!(read_compact(&mut rest, 128), Ok(value));
        assert!(rest.is_empty());
    }

    #[test]
    fn at_every_power_of_two() {
        same_as_reference(0);
        for bit in 0..128 {
            let value = 1u128 << bit;
            same_as_reference(value);
            same_as_reference(value - 1);
            same_as_reference(value + 1);
        }
        same_as_reference(u128::MAX);
    }

    proptest! {
        #[test]
        fn like_the_reference(value: u128, shift in 0u32..128) {
            same_as_reference(value >> shift);
        }

        #[test]
        fn refuses_what_the_reference_refuses(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let mut ours = bytes.as_slice();
            let mut reference = bytes.as_slice();
            let ours_value = read_compact(&mut ours, 64).ok();
            let reference_value = Compact::<u64>::decode(&mut reference).ok().map(|c| u128::from(c.0));
            prop_assert_eq!(ours_value, reference_value);
            let mut ours = bytes.as_slice();
            let mut reference = bytes.as_slice();
            let ours_value = read_compact(&mut ours, 128).ok();
            let reference_value = Compact::<u128>::decode(&mut reference).ok().map(|c| c.0);
            prop_assert_eq!(ours_value, reference_value);
            let mut ours = bytes.as_slice();
            let mut reference = bytes.as_slice();
            let ours_value = read_compact(&mut ours, 8).ok();
            let reference_value = Compact::<u8>::decode(&mut reference).ok().map(|c| u128::from(c.0));
            prop_assert_eq!(ours_value, reference_value);
        }
    }
}
