//! Requests signed in headers.
//!
//! `validator-uid`, `validator-hotkey`, `timestamp` (nanoseconds since 1970, decimal) and
//! `signature`: `0x` and the hotkey's sr25519 signature over `<sha256 of the body, in
//! hex>.<timestamp>`. Some clients hash the body as they send it, others as Python writes it;
//! both are taken.

use chain_metadata::AccountId;
use sha2::{Digest, Sha256};

use crate::python::{dumps, parse_slice};
use crate::sign;

/// How far a request's time may be from ours, in nanoseconds.
pub const WINDOW_NS: u64 = 60_000_000_000;

/// Why a request is refused. Nothing of the request is in the text but what was checked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// A header is missing.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// A header is not what it should be.
    #[error("the header {name} is wrong: {what}")]
    Header {
        /// Which.
        name: &'static str,
        /// What is wanted.
        what: &'static str,
    },
    /// Too old or from the future.
    #[error(
        "the request is {seconds} s away from the time here, and may be {window} s: set the clock, or sign again"
    )]
    Stale {
        /// How far.
        seconds: u64,
        /// How far it may be.
        window: u64,
    },
    /// The signature is not the hotkey's over this body and time.
    #[error("the signature is not the hotkey's over this body and timestamp")]
    Signature,
}

/// A request whose signature is right. That the hotkey is registered with this uid, and
/// that [`Signed::once`] was not seen before, is for the caller to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The uid that the request claims.
    pub uid: u16,
    /// Who signed it.
    pub hotkey: AccountId,
    /// Its time, in nanoseconds since 1970.
    pub timestamp_ns: u64,
    /// The signature, in hex without `0x`.
    pub signature: String,
    /// What must not be taken in twice: sha256 of hotkey and signed text. It must be
    /// remembered for twice the window.
    pub once: [u8; 32],
    /// sha256 of the body as it came, in hex.
    pub payload: String,
}

/// The text that is signed for a body.
pub fn message(body: &[u8], timestamp_ns: u64) -> String {
    format!("{}.{timestamp_ns}", hex::encode(Sha256::digest(body)))
}

/// Checks headers against a body. `header` gives the value of a header by its name, in small
/// letters; `now_ns` is the time here and `window_ns` how far the request's may be from it.
///
/// # Errors
///
/// See [`AuthError`].
pub fn check<'a>(
    header: impl Fn(&str) -> Option<&'a str>,
    body: &[u8],
    now_ns: u64,
    window_ns: u64,
) -> Result<Signed, AuthError> {
    let get = |name: &'static str| header(name).ok_or(AuthError::Missing(name));
    let wrong = |name, what| AuthError::Header { name, what };
    let uid = get("validator-uid")?
        .parse()
        .map_err(|_| wrong("validator-uid", "an integer from 0 to 65535 is wanted"))?;
    let (hotkey, _) = AccountId::from_ss58(get("validator-hotkey")?)
        .map_err(|_| wrong("validator-hotkey", "an ss58 address is wanted"))?;
    let time = get("timestamp")?;
    let digits = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    let plain = digits && (time == "0" || !time.starts_with('0'));
    let timestamp_ns: u64 = time
        .parse()
        .ok()
        .filter(|_| plain)
        .ok_or_else(|| wrong("timestamp", "nanoseconds since 1970 in decimal are wanted"))?;
    let form = || wrong("signature", "0x and 128 hex digits are wanted");
    let signature = get("signature")?.strip_prefix("0x").ok_or_else(form)?;
    let mut bytes = [0_u8; 64];
    hex::decode_to_slice(signature, &mut bytes).map_err(|_| form())?;
    let away = now_ns.abs_diff(timestamp_ns);
    if away > window_ns {
        return Err(AuthError::Stale {
            seconds: away.div_ceil(1_000_000_000),
            window: window_ns / 1_000_000_000,
        });
    }
    let as_sent = message(body, timestamp_ns);
    let signed = |text: &str| sign::verify(&hotkey, text.as_bytes(), &bytes);
    let text = if signed(&as_sent) {
        as_sent
    } else {
        let json = parse_slice(body).map_err(|_| AuthError::Signature)?;
        let text = message(dumps(&json).as_bytes(), timestamp_ns);
        if !signed(&text) {
            return Err(AuthError::Signature);
        }
        text
    };
    let once = Sha256::new()
        .chain_update(hotkey.0)
        .chain_update(&text)
        .finalize();
    Ok(Signed {
        uid,
        hotkey,
        timestamp_ns,
        signature: signature.to_ascii_lowercase(),
        once: once.into(),
        payload: hex::encode(Sha256::digest(body)),
    })
}
