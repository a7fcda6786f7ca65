//! Texts of accounts that were written before.
//!
//! An answer names hundreds of accounts, mostly the same ones, and writing one takes a
//! hash and a long division. So the last text of each place in a table of fixed size is
//! kept; the place follows from the account's bytes, and nothing depends on what is
//! there.

use std::sync::{LazyLock, Mutex, PoisonError};

use super::AccountId;

/// Parts that are locked by themselves.
const PARTS: usize = 64;
/// Texts in a part: together some three megabytes.
const PLACES: usize = 512;
/// Every text of a one-byte prefix above 1 and 32 bytes has so many characters.
const LENGTH: usize = 48;

type Place = ([u8; 32], [u8; LENGTH]);

static TEXTS: LazyLock<Vec<Mutex<Vec<Option<Place>>>>> =
    LazyLock::new(|| (0..PARTS).map(|_| Mutex::default()).collect());

/// Part and place of an account. Several bytes are mixed: accounts that pallets derive
/// have many in common.
fn place(account: &AccountId) -> (usize, usize) {
    let words = account.0.as_chunks::<8>().0.iter();
    let mixed = words.fold(0_u64, |mixed, word| {
        (mixed ^ u64::from_le_bytes(*word))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29)
    });
    let [a, b, c, ..] = mixed.to_le_bytes();
    (
        usize::from(a) % PARTS,
        usize::from(u16::from_le_bytes([b, c])) % PLACES,
    )
}

/// The text of an account, if it is kept.
pub(super) fn find(account: &AccountId) -> Option<String> {
    let (part, place) = place(account);
    let texts = TEXTS.get(part)?;
    let texts = texts.lock().unwrap_or_else(PoisonError::into_inner);
    let (of, text) = texts.get(place)?.as_ref()?;
    if *of != account.0 {
        return None;
    }
    std::str::from_utf8(text).ok().map(str::to_owned)
}

/// Keeps the text of an account.
pub(super) fn keep(account: &AccountId, text: &str) {
    let (part, place) = place(account);
    let (Some(texts), Ok(text)) = (TEXTS.get(part), text.as_bytes().try_into()) else {
        return;
    };
    let mut texts = texts.lock().unwrap_or_else(PoisonError::into_inner);
    if texts.is_empty() {
        texts.resize(PLACES, None);
    }
    if let Some(kept) = texts.get_mut(place) {
        *kept = Some((account.0, text));
    }
}
