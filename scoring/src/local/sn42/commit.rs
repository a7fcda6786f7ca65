//! What a hash commit puts on the chain is the hash of.

use super::chain::Row;

/// The bytes whose blake2-256 is committed to: account, storage index, uids, values, salt and
/// version key, in this order, each as SCALE writes it. The index is
/// `mechanism * 4096 + netuid`.
///
/// ```
/// use scoring::local::sn42::chain::Row;
/// use scoring::local::sn42::commit::preimage;
/// let row = Row { uids: vec![0], values: vec![65535] };
/// let bytes = preimage(&[7; 32], 61, &row, &[1, 2], 3);
/// assert_eq!(bytes[32..34], [61, 0]);
/// assert_eq!(bytes[34..], [4, 0, 0, 4, 255, 255, 8, 1, 0, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
/// ```
pub fn preimage(
    account: &[u8; 32],
    index: u16,
    row: &Row,
    salt: &[u16],
    version_key: u64,
) -> Vec<u8> {
    let mut bytes = account.to_vec();
    bytes.extend_from_slice(&index.to_le_bytes());
    for list in [row.uids.as_slice(), row.values.as_slice(), salt] {
        write_list(list, &mut bytes);
    }
    bytes.extend_from_slice(&version_key.to_le_bytes());
    bytes
}

/// A list behind its compact length.
fn write_list(list: &[u16], bytes: &mut Vec<u8>) {
    let length = list.len();
    let le = |value: usize| (value as u64).to_le_bytes();
    // The two lowest bits of a compact number say how many bytes it has.
    let [first, second, third, fourth, ..] = match length {
        0..=0x3f => le(length << 2),
        0x40..=0x3fff => le((length << 2) | 1),
        _ => le((length << 2) | 2),
    };
    match length {
        0..=0x3f => bytes.push(first),
        0x40..=0x3fff => bytes.extend_from_slice(&[first, second]),
        _ => bytes.extend_from_slice(&[first, second, third, fourth]),
    }
    for number in list {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: [u8; 32] = [
        0xd4, 0x35, 0x93, 0xc7, 0x15, 0xfd, 0xd3, 0x1c, 0x61, 0x14, 0x1a, 0xbd, 0x04, 0xa9, 0x9f,
        0xd6, 0x82, 0x2c, 0x85, 0x58, 0x85, 0x4c, 0xcd, 0xe3, 0x9a, 0x56, 0x84, 0xe7, 0xa5, 0x6d,
        0xa2, 0x7d,
    ];

    #[test]
    fn the_golden_preimage() {
        let row = Row {
            uids: vec![0, 1, 2],
            values: vec![65535, 32768, 1],
        };
        let bytes = preimage(&ALICE, 61, &row, &[1, 2, 3, 4, 5, 6, 7, 8], 1000);
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            text,
            "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d\
             3d000c0000010002000cffff008001002001000200030004000500060007000800e803000000000000"
        );
    }

    #[test]
    fn long_lists_have_long_lengths() {
        let mut bytes = Vec::new();
        write_list(&[0; 64], &mut bytes);
        assert_eq!(bytes[..2], [0x01, 0x01]);
        assert_eq!(bytes.len(), 2 + 128);
        let mut bytes = Vec::new();
        write_list(&[0; 16_384], &mut bytes);
        assert_eq!(bytes[..4], [0x02, 0x00, 0x01, 0x00]);
    }
}
