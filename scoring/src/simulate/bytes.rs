//! A patch as bytes, for a hash that names it.

use super::Patch;

/// First byte: the version of this form.
const VERSION: u8 = 1;

impl Patch {
    /// Bytes that are the same for the same patch and different for different ones, whatever the order in which its parts were given.
    ///
    /// Only what has an order keeps it: the entries of a row, since liquid alpha reads rows as they are stored. After the version come the parts that are not empty,
    /// each with its number; integers are little-endian, lists begin with their length as a u32.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        let mut weights: Vec<_> = self.weights.iter().collect();
        weights.sort_by_key(|row| row.uid);
        list(&mut bytes, 1, &weights, |bytes, row| {
            bytes.extend(row.uid.to_le_bytes());
            length(bytes, row.entries.len());
            for (uid, weight) in row.entries.iter() {
                bytes.extend(uid.to_le_bytes());
                bytes.extend(weight.to_le_bytes());
            }
        });
        list(
            &mut bytes,
            2,
            &sorted(&self.stakes),
            |bytes, (uid, stake)| {
                bytes.extend(uid.to_le_bytes());
                bytes.extend(stake.to_le_bytes());
            },
        );
        value(&mut bytes, 3, self.kappa.map(u16::to_le_bytes));
        value(&mut bytes, 4, self.bonds_penalty.map(u16::to_le_bytes));
        let average = self.bonds_moving_average;
        value(&mut bytes, 5, average.map(u64::to_le_bytes));
        value(&mut bytes, 6, self.yuma3.map(|on| [u8::from(on)]));
        value(&mut bytes, 7, self.liquid_alpha.map(|on| [u8::from(on)]));
        value(&mut bytes, 8, self.alpha_low.map(u16::to_le_bytes));
        value(&mut bytes, 9, self.alpha_high.map(u16::to_le_bytes));
        let steepness = self.alpha_sigmoid_steepness;
        value(&mut bytes, 10, steepness.map(i32::to_le_bytes));
        list(&mut bytes, 11, &sorted(&self.removed), |bytes, uid| {
            bytes.extend(uid.to_le_bytes());
        });
        list(&mut bytes, 12, &sorted(&self.copies), |bytes, copy| {
            bytes.extend(copy.copier.to_le_bytes());
            bytes.extend(copy.source.to_le_bytes());
            bytes.extend(copy.delay.to_le_bytes());
        });
        bytes
    }
}

fn sorted<T: Copy + Ord>(values: &[T]) -> Vec<T> {
    let mut values = values.to_vec();
    values.sort_unstable();
    values
}

fn list<T>(bytes: &mut Vec<u8>, number: u8, values: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    if values.is_empty() {
        return;
    }
    bytes.push(number);
    length(bytes, values.len());
    values.iter().for_each(|value| write(bytes, value));
}

fn value<const N: usize>(bytes: &mut Vec<u8>, number: u8, value: Option<[u8; N]>) {
    if let Some(value) = value {
        bytes.push(number);
        bytes.extend(value);
    }
}

/// Lists of a patch have unique uids, or their rows have: far fewer than 2^32 entries.
fn length(bytes: &mut Vec<u8>, len: usize) {
    bytes.extend(u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}
