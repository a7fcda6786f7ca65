//! Bit sequences: a number of bits, then whole storage words.

use super::check_count;
use super::compact::{read_length, write_length};
use super::input::take;
use crate::ScaleError;

/// The words of a bit sequence and its number of bits.
pub(super) fn read_words<'a>(
    input: &mut &'a [u8],
    width: u8,
    msb0: bool,
) -> Result<(&'a [u8], usize), ScaleError> {
    let bits = read_length(input)?;
    let words = bits.div_ceil(u32::from(width));
    let word_size = usize::from(width / 8);
    let words = check_count(words, word_size, input.len())?;
    let bytes = take(input, words * word_size)?;
    let count = usize::try_from(bits).map_err(|_| ScaleError::BitsAfterEnd)?;
    let all = bytes.len() * 8;
    if (count..all).any(|at| bit(bytes, at, width, msb0)) {
        return Err(ScaleError::BitsAfterEnd);
    }
    Ok((bytes, count))
}

/// The bit at a position: words are little-endian, bits in them count from either end.
pub(super) fn bit(bytes: &[u8], at: usize, width: u8, msb0: bool) -> bool {
    let (byte, shift) = place(at, width, msb0);
    bytes.get(byte).is_some_and(|byte| byte >> shift & 1 == 1)
}

pub(super) fn write(bits: &[bool], width: u8, msb0: bool, out: &mut Vec<u8>) {
    write_length(bits.len(), out);
    let words = bits.len().div_ceil(usize::from(width));
    let mut bytes = vec![0u8; words * usize::from(width / 8)];
    for (at, _) in bits.iter().enumerate().filter(|(_, bit)| **bit) {
        let (byte, shift) = place(at, width, msb0);
        if let Some(byte) = bytes.get_mut(byte) {
            *byte |= 1 << shift;
        }
    }
    out.extend(bytes);
}

/// Byte and shift of a bit.
fn place(at: usize, width: u8, msb0: bool) -> (usize, usize) {
    let width = usize::from(width);
    let in_word = if msb0 {
        width - 1 - at % width
    } else {
        at % width
    };
    (at / width * (width / 8) + in_word / 8, in_word % 8)
}
