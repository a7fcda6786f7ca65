//! Taking bytes off the front of the input.

use crate::ScaleError;

#[inline]
pub(crate) fn take<'a>(input: &mut &'a [u8], count: usize) -> Result<&'a [u8], ScaleError> {
    match input.split_at_checked(count) {
        Some((taken, rest)) => {
            *input = rest;
            Ok(taken)
        }
        None => Err(ScaleError::UnexpectedEnd {
            needed: count,
            left: input.len(),
        }),
    }
}

#[inline]
pub(crate) fn take_array<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], ScaleError> {
    match input.split_first_chunk::<N>() {
        Some((taken, rest)) => {
            *input = rest;
            Ok(*taken)
        }
        None => Err(ScaleError::UnexpectedEnd {
            needed: N,
            left: input.len(),
        }),
    }
}

#[inline]
pub(crate) fn take_byte(input: &mut &[u8]) -> Result<u8, ScaleError> {
    take_array::<1>(input).map(|[byte]| byte)
}

pub(super) fn take_bool(input: &mut &[u8]) -> Result<bool, ScaleError> {
    match take_byte(input)? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(ScaleError::InvalidBool(other)),
    }
}

pub(super) fn take_char(input: &mut &[u8]) -> Result<char, ScaleError> {
    let code = u32::from_le_bytes(take_array(input)?);
    char::from_u32(code).ok_or(ScaleError::InvalidChar(code))
}

/// A little-endian unsigned integer of 8, 16, 32, 64 or 128 bits.
#[inline]
pub(super) fn take_uint(input: &mut &[u8], bits: u8) -> Result<u128, ScaleError> {
    Ok(match bits {
        8 => take_byte(input)?.into(),
        16 => u16::from_le_bytes(take_array(input)?).into(),
        32 => u32::from_le_bytes(take_array(input)?).into(),
        64 => u64::from_le_bytes(take_array(input)?).into(),
        _ => u128::from_le_bytes(take_array(input)?),
    })
}

/// A little-endian two's complement integer of 8, 16, 32, 64 or 128 bits.
pub(super) fn take_int(input: &mut &[u8], bits: u8) -> Result<i128, ScaleError> {
    Ok(match bits {
        8 => i8::from_le_bytes(take_array(input)?).into(),
        16 => i16::from_le_bytes(take_array(input)?).into(),
        32 => i32::from_le_bytes(take_array(input)?).into(),
        64 => i64::from_le_bytes(take_array(input)?).into(),
        _ => i128::from_le_bytes(take_array(input)?),
    })
}
