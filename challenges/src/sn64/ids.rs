//! UUIDs as numbers.

use sha1::{Digest, Sha1};

/// The namespace of names that are object identifiers.
pub const NAMESPACE_OID: u128 = 0x6ba7_b812_9dad_11d1_80b4_00c0_4fd4_30c8;

/// A UUID of 32 hex digits, with or without its four hyphens.
///
/// ```
/// use challenges::sn64::ids::{show, uuid};
/// let text = "cf9ac153-66b8-5fc4-a7a7-7469c72d480e";
/// assert_eq!(show(uuid(text.as_bytes()).unwrap()), text);
/// assert_eq!(uuid(b"cf9ac15366b85fc4a7a77469c72d480e"), uuid(text.as_bytes()));
/// assert_eq!(uuid(b"cf9ac153-66b8-5fc4-a7a7-7469c72d480"), None);
/// ```
pub fn uuid(text: &[u8]) -> Option<u128> {
    let mut digits = [0_u8; 32];
    let digits = match text.len() {
        32 => text,
        36 => {
            let mut from = 0;
            let mut to = 0;
            for (part, length) in [8, 4, 4, 4, 12].into_iter().enumerate() {
                if part > 0 {
                    if text.get(from) != Some(&b'-') {
                        return None;
                    }
                    from += 1;
                }
                let part = text.get(from..from + length)?;
                digits.get_mut(to..to + length)?.copy_from_slice(part);
                from += length;
                to += length;
            }
            &digits
        }
        _ => return None,
    };
    let mut value = 0_u128;
    let mut bad = 0_u8;
    for half in digits.chunks(16) {
        let mut part = 0_u64;
        for digit in half {
            let nibble = HEX[usize::from(*digit)];
            bad |= nibble & 0xf0;
            part = part << 4 | u64::from(nibble & 0xf);
        }
        value = value << 64 | u128::from(part);
    }
    (bad == 0).then_some(value)
}

/// What a hex digit is worth; 0xff for what is none.
const HEX: [u8; 256] = {
    let mut table = [0xff; 256];
    let mut digit = 0;
    while digit < 16 {
        table[b"0123456789abcdef"[digit] as usize] = HEX_VALUES[digit];
        table[b"0123456789ABCDEF"[digit] as usize] = HEX_VALUES[digit];
        digit += 1;
    }
    table
};
const HEX_VALUES: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// The text of a UUID, with hyphens.
pub fn show(id: u128) -> String {
    let hex = format!("{id:032x}");
    let part = |from, to| hex.get(from..to).unwrap_or_default();
    [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-")
}

/// The UUID of a name within [`NAMESPACE_OID`], of version 5: by sha1.
pub fn uuid5(name: &str) -> u128 {
    let hash = Sha1::new()
        .chain_update(NAMESPACE_OID.to_be_bytes())
        .chain_update(name)
        .finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(hash.get(..16).unwrap_or(&[0; 16]));
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    u128::from_be_bytes(bytes)
}

/// The id of an entry of the index: of its hotkey and block.
///
/// ```
/// use challenges::sn64::ids::{entry_id, show};
/// let id = entry_id("5Dt7HZ7Zpw4DppPxFM7Ke3Cm7sDAWhsZXmM5ZAmE7dSVJbcQ", 4_926_000);
/// assert_eq!(show(id), "cf9ac153-66b8-5fc4-a7a7-7469c72d480e");
/// ```
pub fn entry_id(hotkey: &str, block: u32) -> u128 {
    uuid5(&format!("{hotkey}.{block}"))
}
