//! Signatures of what is sent, and keys that name a message for good.
//!
//! The header `Yumascope-Signature` is `t=SECONDS,v1=HEX`: the time of the attempt, and the
//! HMAC-SHA256 by the hook's secret over `SECONDS.BODY`, the body being the bytes as sent.
//!
//! ```
//! use alerts::sign::{signature, verify};
//! let secret = b"a secret of sixteen bytes or more";
//! let header = signature(secret, 1_700_000_000, b"{}");
//! assert!(verify(secret, &header, b"{}", 1_700_000_010, 300).is_ok());
//! assert!(verify(secret, &header, b"{ }", 1_700_000_010, 300).is_err());
//! assert!(verify(secret, &header, b"{}", 1_700_009_000, 300).is_err());
//! ```

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// Header with the signature.
pub const SIGNATURE: &str = "yumascope-signature";
/// Header with the kind of message: a topic, `alert` or `test`.
pub const EVENT: &str = "yumascope-event";
/// Header with the key that names the message.
pub const KEY: &str = "idempotency-key";

/// Why a signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The header is not of the form.
    #[error("the signature header is not t=SECONDS,v1=HEX")]
    Form,
    /// It is too old, or from the future.
    #[error("the signature is of {signed}, {now} is more than {tolerance} seconds away")]
    Time {
        /// When it was signed, seconds since 1970.
        signed: u64,
        /// Now, seconds since 1970.
        now: u64,
        /// How far apart they may be, seconds.
        tolerance: u64,
    },
    /// Another secret, or another body.
    #[error("the signature is not that of this body by this secret")]
    Wrong,
}

fn mac(secret: &[u8], at: u64, body: &[u8]) -> Option<Hmac<Sha256>> {
    // Keys of any length are taken; the type says otherwise.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(at.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(mac)
}

/// The header for a body sent at `at`, seconds since 1970.
pub fn signature(secret: &[u8], at: u64, body: &[u8]) -> String {
    let mac = mac(secret, at, body).map(|mac| hex::encode(mac.finalize().into_bytes()));
    format!("t={at},v1={}", mac.unwrap_or_default())
}

/// Checks a header against the body; the comparison takes the same time whatever differs.
///
/// `tolerance` is how many seconds the time of signing may be away from `now`: it bounds how long
/// a request that somebody recorded can be played again.
///
/// # Errors
/// [`Refused`], when it does not hold.
pub fn verify(
    secret: &[u8],
    header: &str,
    body: &[u8],
    now: u64,
    tolerance: u64,
) -> Result<(), Refused> {
    let (mut signed, mut given) = (None, Vec::new());
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", time)) => signed = time.parse::<u64>().ok(),
            Some(("v1", text)) => given.push(hex::decode(text).map_err(|_| Refused::Form)?),
            // Signatures of later kinds may stand beside.
            Some(_) => {}
            None => return Err(Refused::Form),
        }
    }
    let signed = signed.ok_or(Refused::Form)?;
    if given.is_empty() {
        return Err(Refused::Form);
    }
    if signed.abs_diff(now) > tolerance {
        return Err(Refused::Time {
            signed,
            now,
            tolerance,
        });
    }
    for given in given {
        let mac = mac(secret, signed, body).ok_or(Refused::Wrong)?;
        if mac.verify_slice(&given).is_ok() {
            return Ok(());
        }
    }
    Err(Refused::Wrong)
}

/// The key that names a message: the same for every attempt, also after a restart.
///
/// `lane` is where the message comes from (a topic with its filter, or a rule), `cursor` where it
/// stands there.
pub fn key(hook: &str, lane: &str, cursor: &str) -> String {
    let mut hasher = Sha256::new();
    for part in [hook, lane, cursor] {
        let len = u64::try_from(part.len()).unwrap_or(u64::MAX);
        hasher.update(len.to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let hash = hasher.finalize();
    hex::encode(hash.get(..16).unwrap_or(&hash))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef";

    #[test]
    fn it_is_what_other_programs_compute() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef
        let header = signature(SECRET, 1_700_000_000, br#"{"a":1}"#);
        assert_eq!(
            header,
            "t=1700000000,v1=9eb18f493f8ec135d9eb2dad817c369bb4e9cbfa818657897a7437c1cd8c3a23"
        );
    }

    #[test]
    fn everything_else_is_refused() {
        let good = signature(SECRET, 100, b"x");
        assert_eq!(verify(SECRET, &good, b"x", 100, 0), Ok(()));
        assert_eq!(verify(b"another", &good, b"x", 100, 0), Err(Refused::Wrong));
        assert_eq!(verify(SECRET, &good, b"y", 100, 0), Err(Refused::Wrong));
        for header in ["", "t=1", "v1=00", "t=x,v1=00", "t=100,v1=zz", "nonsense"] {
            assert_eq!(
                verify(SECRET, header, b"x", 100, 0),
                Err(Refused::Form),
                "{header}"
            );
        }
        assert_eq!(
            verify(SECRET, "t=100,v1=00", b"x", 100, 0),
            Err(Refused::Wrong)
        );
        for now in [94, 106] {
            let error = verify(SECRET, &good, b"x", now, 5).unwrap_err();
            assert!(matches!(error, Refused::Time { .. }));
        }
        // A new secret beside the old one.
        let two = format!("{good},v1={}", "00".repeat(32));
        assert_eq!(verify(SECRET, &two, b"x", 100, 0), Ok(()));
    }

    #[test]
    fn keys_name_one_message() {
        assert_eq!(key("a", "b", "c"), key("a", "b", "c"));
        for (a, b, c) in [
            ("ab", "", "c"),
            ("a", "b", "d"),
            ("x", "b", "c"),
            ("a", "bc", ""),
        ] {
            assert_ne!(key(a, b, c), key("a", "b", "c"));
        }
        assert_eq!(key("a", "b", "c").len(), 32);
    }

    proptest! {
        #[test]
        fn no_header_panics(header in "\\PC{0,120}") {
            prop_assert!(verify(SECRET, &header, b"x", 0, 10).is_err());
        }
    }
}
