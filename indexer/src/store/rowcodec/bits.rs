//! Bits and numbers of variable length.

/// Appends a number, seven bits a byte, lowest first.
pub(super) fn varint(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Undoes [`varint`]; `None` when it does not end or does not fit.
pub(super) fn take_varint(input: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = input.split_first()?;
        *input = rest;
        let bits = u64::from(byte & 0x7f);
        if bits.leading_zeros() < shift {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Writes bits, lowest first.
#[derive(Debug, Default)]
pub(super) struct Writer {
    out: Vec<u8>,
    held: u128,
    count: u32,
}

impl Writer {
    /// The lowest `count` (at most 64) bits of a number whose other bits are 0.
    pub(super) fn put(&mut self, number: u64, count: u32) {
        self.held |= u128::from(number) << self.count;
        self.count += count;
        while self.count >= 8 {
            self.out.push(self.held.to_le_bytes()[0]);
            self.held >>= 8;
            self.count -= 8;
        }
    }

    /// The bytes; the last one is filled with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.out.push(self.held.to_le_bytes()[0]);
        }
        self.out
    }
}

/// Reads what [`Writer`] wrote.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    input: &'a [u8],
    held: u128,
    count: u32,
}

impl<'a> Reader<'a> {
    pub(super) fn new(input: &'a [u8]) -> Reader<'a> {
        Reader {
            input,
            held: 0,
            count: 0,
        }
    }

    fn fill(&mut self) {
        while self.count <= 64 {
            if let Some((eight, rest)) = self.input.split_first_chunk::<8>()
                && self.count <= 56
            {
                self.held |= u128::from(u64::from_le_bytes(*eight)) << self.count;
                self.count += 64;
                self.input = rest;
                continue;
            }
            let Some((byte, rest)) = self.input.split_first() else {
                return;
            };
            self.held |= u128::from(*byte) << self.count;
            self.count += 8;
            self.input = rest;
        }
    }

    /// The next `count` (at most 64) bits.
    pub(super) fn take(&mut self, count: u32) -> Option<u64> {
        if self.count < count {
            self.fill();
        }
        if self.count < count {
            return None;
        }
        let low = self.held & ((1_u128 << count) - 1);
        self.held >>= count;
        self.count -= count;
        u64::try_from(low).ok()
    }

    /// How many ones stand before the next zero, and takes them; it takes at
    /// most `most` ones, and then no zero.
    pub(super) fn ones(&mut self, most: u32) -> Option<u32> {
        if self.count <= most {
            self.fill();
        }
        let ones = self.held.trailing_ones();
        if ones >= most {
            self.take(most)?;
            return Some(most);
        }
        self.take(ones + 1)?;
        Some(ones)
    }

    /// Whether all bytes are used up and the bits that fill the last one are 0.
    pub(super) fn ended(&self) -> bool {
        self.input.is_empty() && self.count < 8 && self.held == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_come_back(list in proptest::collection::vec((any::<u64>(), 0_u32..=64), 0..200)) {
            let mut writer = Writer::default();
            let cut = |number: u64, count: u32| if count == 64 { number } else { number & ((1 << count) - 1) };
            for (number, count) in &list {
                writer.put(cut(*number, *count), *count);
            }
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            for (number, count) in &list {
                prop_assert_eq!(reader.take(*count), Some(cut(*number, *count)));
            }
            prop_assert!(reader.ended());
        }

        #[test]
        fn numbers_come_back(number in any::<u64>()) {
            let mut out = Vec::new();
            varint(&mut out, number);
            prop_assert_eq!(take_varint(&mut out.as_slice()), Some(number));
        }
    }

    #[test]
    fn ones_are_counted() {
        let mut writer = Writer::default();
        writer.put(0b111, 4);
        writer.put(0xfffff, 20);
        writer.put(0, 1);
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes);
        assert_eq!(
            (reader.ones(20), reader.ones(20), reader.ones(20)),
            (Some(3), Some(20), Some(0))
        );
    }
}
