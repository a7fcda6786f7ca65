//! Who signed a request, when, and in which of the two ways.
//!
//! * `validator-hotkey`, `validator-uid`, `timestamp` in nanoseconds since 1970 and
//!   `signature`: over the text `<sha256 of the body in hex>.<timestamp>`.
//! * `x-chutes-hotkey`, `x-chutes-nonce`, a time in seconds since 1970, and
//!   `x-chutes-signature`: over `<hotkey>:<nonce>:<sha256 of the body in hex>`, each as in
//!   its header.
//!
//! The body is hashed as it is sent: packed, when it is packed.

use std::str::FromStr;

use chain_metadata::AccountId;
use sha2::{Digest, Sha256};

use super::IngestError;
use crate::python::{dumps, parse_slice};
use crate::sign::verify;

/// Most bytes of an idempotency key.
pub const MAX_KEY: usize = 128;

/// Names that mean something here; each may stand once.
pub(super) mod name {
    pub(crate) const HOTKEY: &str = "validator-hotkey";
    pub(crate) const UID: &str = "validator-uid";
    pub(crate) const TIMESTAMP: &str = "timestamp";
    pub(crate) const SIGNATURE: &str = "signature";
    pub(crate) const CHUTES_HOTKEY: &str = "x-chutes-hotkey";
    pub(crate) const CHUTES_NONCE: &str = "x-chutes-nonce";
    pub(crate) const CHUTES_SIGNATURE: &str = "x-chutes-signature";
    pub(crate) const KEY: &str = "idempotency-key";
    pub(crate) const ENCODING: &str = "content-encoding";
    pub(crate) const TYPE: &str = "content-type";
    pub(crate) const ALL: [&str; 10] = [
        HOTKEY,
        UID,
        TIMESTAMP,
        SIGNATURE,
        CHUTES_HOTKEY,
        CHUTES_NONCE,
        CHUTES_SIGNATURE,
        KEY,
        ENCODING,
        TYPE,
    ];
}

/// What the headers say; the signature is not checked yet.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    pub(super) hotkey: AccountId,
    /// The uid, where it is given.
    pub(super) uid: Option<u16>,
    /// When it was signed, in milliseconds since 1970.
    pub(super) at_ms: u64,
    /// The time as it is written.
    pub(super) time: &'a str,
    pub(super) signature: Vec<u8>,
    pub(super) key: Option<&'a str>,
    pub(super) gzip: bool,
    pub(super) lines: bool,
    /// sha256 of the body in hex.
    pub(super) hash: String,
    /// What is signed.
    message: String,
}

impl<'a> Signed<'a> {
    /// Reads the headers, whose names are in lower case.
    pub(super) fn read(
        headers: &'a [(String, String)],
        body: &[u8],
    ) -> Result<Signed<'a>, IngestError> {
        for known in name::ALL {
            if headers.iter().filter(|(name, _)| name == known).count() > 1 {
                return Err(bad(known, "is given twice; give it once".into()));
            }
        }
        let get = |wanted: &str| {
            let found = headers.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.trim())
        };
        let need = |wanted: &'static str| get(wanted).ok_or(IngestError::MissingHeader(wanted));
        let hash = hex::encode(Sha256::digest(body));
        let chutes = get(name::CHUTES_HOTKEY).is_some() || get(name::CHUTES_SIGNATURE).is_some();
        let (names, unit) = match chutes {
            true => (
                [
                    name::CHUTES_HOTKEY,
                    name::CHUTES_NONCE,
                    name::CHUTES_SIGNATURE,
                ],
                "seconds",
            ),
            false => (
                [name::HOTKEY, name::TIMESTAMP, name::SIGNATURE],
                "nanoseconds",
            ),
        };
        if chutes && get(name::SIGNATURE).is_some() {
            return Err(bad(
                name::SIGNATURE,
                "stands beside `x-chutes-signature`; sign in one of the two ways".into(),
            ));
        }
        let text = need(names[0])?;
        let hotkey = AccountId::from_str(text).map_err(|error| {
            bad(
                names[0],
                format!("is neither an ss58 address nor 0x and 64 hex digits ({error})"),
            )
        })?;
        let time = need(names[1])?;
        let whole: u64 = plain(time).ok_or_else(|| {
            bad(
                names[1],
                format!("is not a time in whole {unit} since 1970"),
            )
        })?;
        let at_ms = match chutes {
            true => whole.checked_mul(1000).ok_or_else(|| {
                bad(
                    names[1],
                    "is a time that no clock shows; give seconds".into(),
                )
            })?,
            false => whole / 1_000_000,
        };
        let digits = need(names[2])?;
        let digits = digits.strip_prefix("0x").unwrap_or(digits);
        let mut signature = vec![0; 64];
        hex::decode_to_slice(digits, &mut signature)
            .map_err(|_| bad(names[2], "is not 64 bytes in hex".into()))?;
        let uid = match get(name::UID) {
            None => None,
            Some(text) => Some(plain(text).ok_or_else(|| {
                bad(name::UID, "is not a uid, a whole number up to 65535".into())
            })?),
        };
        let key = get(name::KEY);
        let visible = |key: &str| key.bytes().all(|b| b.is_ascii_graphic());
        if key.is_some_and(|key| key.is_empty() || key.len() > MAX_KEY || !visible(key)) {
            return Err(bad(
                name::KEY,
                format!("must be 1 to {MAX_KEY} visible ASCII characters"),
            ));
        }
        let gzip = match get(name::ENCODING) {
            None | Some("identity") => false,
            Some("gzip" | "x-gzip") => true,
            Some(_) => {
                return Err(bad(
                    name::ENCODING,
                    "is not known here; send gzip, or nothing packed".into(),
                ));
            }
        };
        let kind = get(name::TYPE).unwrap_or("application/json");
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let lines = match kind.to_ascii_lowercase().as_str() {
            "application/json" => false,
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => true,
            _ => {
                return Err(bad(
                    name::TYPE,
                    "must be application/json, or application/x-ndjson for one record a line"
                        .into(),
                ));
            }
        };
        let message = match chutes {
            true => format!("{text}:{time}:{hash}"),
            false => format!("{hash}.{time}"),
        };
        Ok(Signed {
            hotkey,
            uid,
            at_ms,
            time,
            signature,
            key,
            gzip,
            lines,
            hash,
            message,
        })
    }

    /// Refuses what was not signed now or not by the hotkey.
    pub(super) fn check(&self, now_ms: u64, window_ms: u64) -> Result<(), IngestError> {
        let off_ms = self.at_ms.abs_diff(now_ms);
        if off_ms > window_ms {
            return Err(IngestError::Stale { off_ms, window_ms });
        }
        match verify(&self.hotkey, self.message.as_bytes(), &self.signature) {
            true => Ok(()),
            false => Err(IngestError::BadSignature),
        }
    }

    /// As [`Signed::check`]. The clients of [`crate::sn61`] hash the body as Python's
    /// `json.dumps` writes it, whatever bytes they send: such a hash is taken too, and then is
    /// the one by which the request is known.
    pub(super) fn check_python(
        &mut self,
        body: &[u8],
        now_ms: u64,
        window_ms: u64,
    ) -> Result<(), IngestError> {
        let plain = format!("{}.{}", self.hash, self.time);
        match self.check(now_ms, window_ms) {
            Err(IngestError::BadSignature) if self.message == plain && !self.gzip => {}
            done => return done,
        }
        let json = parse_slice(body).map_err(|_| IngestError::BadSignature)?;
        self.hash = hex::encode(Sha256::digest(dumps(&json)));
        self.message = format!("{}.{}", self.hash, self.time);
        self.check(now_ms, window_ms)
    }
}

/// A whole number of digits alone.
fn plain<T: FromStr>(text: &str) -> Option<T> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn bad(name: &'static str, what: String) -> IngestError {
    IngestError::BadHeader { name, what }
}
