//! How long an extrinsic may wait to be included.

use crate::Value;

/// The validity of an extrinsic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// For ever.
    Immortal,
    /// During `period` blocks, beginning at a block whose number is `phase` modulo `period`.
    Mortal {
        /// Blocks; a power of two from 4 to 65536.
        period: u64,
        /// Blocks, less than the period.
        phase: u64,
    },
}

impl Era {
    /// Reads the enum of 256 variants by which metadata describes the one or two bytes of an era.
    pub fn from_value(value: &Value) -> Option<Era> {
        let Value::Variant { index, fields, .. } = value else {
            return None;
        };
        match (*index, fields.as_slice()) {
            (0, []) => Some(Era::Immortal),
            (first, [(_, second)]) => {
                let encoded = u64::from(u16::from_le_bytes([first, second.as_u8()?]));
                let period = 2u64 << (encoded % 16);
                // Phases of long periods are rounded so that they fit twelve bits.
                let step = (period >> 12).max(1);
                Some(Era::Mortal {
                    period,
                    phase: (encoded >> 4) * step,
                })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn era(first: u8, second: u8) -> Option<Era> {
        Era::from_value(&Value::Variant {
            name: format!("Mortal{first}").into(),
            index: first,
            fields: vec![(
                None,
                Value::Uint {
                    width: 8,
                    value: second.into(),
                },
            )],
        })
    }

    #[test]
    fn known_eras() {
        // Period 64 at block 42, and period 32768 at block 20000, as in Substrate's documentation
        // of the format: the low four bits are the period, the others the phase.
        let low = |word: u16| era(word.to_le_bytes()[0], word.to_le_bytes()[1]);
        assert_eq!(
            low(5 + 42 * 16),
            Some(Era::Mortal {
                period: 64,
                phase: 42
            })
        );
        assert_eq!(
            low(14 + 2500 * 16),
            Some(Era::Mortal {
                period: 32768,
                phase: 20000
            })
        );
        let immortal = Value::Variant {
            name: "Immortal".into(),
            index: 0,
            fields: vec![],
        };
        assert_eq!(Era::from_value(&immortal), Some(Era::Immortal));
        assert_eq!(Era::from_value(&Value::Unit), None);
    }
}
