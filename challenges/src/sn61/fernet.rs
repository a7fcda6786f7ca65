//! Fernet tokens: AES-128-CBC under HMAC-SHA256, in base64 for addresses.

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The first byte of a token.
const VERSION: u8 = 0x80;
/// Version, time and first block.
const HEAD: usize = 1 + 8 + 16;
/// The authentication code.
const MAC: usize = 32;

/// Why a token cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FernetError {
    /// The key is no key.
    #[error("the key is not 32 bytes in base64 for addresses")]
    Key,
    /// The token is no token.
    #[error("the token is not a Fernet token: {0}")]
    Token(&'static str),
    /// Another key, or the token was changed.
    #[error("the key does not belong to the token, or the token was changed")]
    Mac,
    /// The authentication is right and the text is not.
    #[error("the token's padding is wrong: half of the key belongs to another token")]
    Padding,
}

/// What was in a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// When it was made, in seconds since 1970, as its maker says.
    pub created: u64,
    /// The text.
    pub plain: Vec<u8>,
}

fn halves(key: &str) -> Result<([u8; 16], [u8; 16]), FernetError> {
    let bytes = URL_SAFE.decode(key).map_err(|_| FernetError::Key)?;
    let (signing, encryption) = bytes.split_at_checked(16).ok_or(FernetError::Key)?;
    let half = |bytes: &[u8]| bytes.try_into().map_err(|_| FernetError::Key);
    Ok((half(signing)?, half(encryption)?))
}

fn mac(signing: &[u8; 16], bytes: &[u8]) -> Result<Hmac<Sha256>, FernetError> {
    let mac = Hmac::<Sha256>::new_from_slice(signing).map_err(|_| FernetError::Key)?;
    Ok(mac.chain_update(bytes))
}

/// Opens a token. The code is compared in constant time, before anything is decrypted; how
/// old the token is does not matter.
///
/// # Errors
///
/// See [`FernetError`].
pub fn open(key: &str, token: &str) -> Result<Opened, FernetError> {
    let (signing, encryption) = halves(key)?;
    let bytes = URL_SAFE
        .decode(token)
        .map_err(|_| FernetError::Token("it is not base64 for addresses"))?;
    if bytes.first() != Some(&VERSION) {
        return Err(FernetError::Token("its first byte is not 0x80"));
    }
    let short = FernetError::Token("it is too short");
    let at = bytes.len().checked_sub(MAC).ok_or(short)?;
    let (signed, code) = bytes.split_at_checked(at).ok_or(short)?;
    let (head, text) = signed.split_at_checked(HEAD).ok_or(short)?;
    if text.is_empty() || text.len() % 16 != 0 {
        return Err(FernetError::Token("its text is not whole blocks"));
    }
    mac(&signing, signed)?
        .verify_slice(code)
        .map_err(|_| FernetError::Mac)?;
    let created = head.get(1..9).and_then(|time| time.try_into().ok());
    let iv: [u8; 16] = head
        .get(9..)
        .and_then(|iv| iv.try_into().ok())
        .ok_or(short)?;
    let plain = cbc::Decryptor::<Aes128>::new(&encryption.into(), &iv.into())
        .decrypt_padded_vec_mut::<Pkcs7>(text)
        .map_err(|_| FernetError::Padding)?;
    Ok(Opened {
        created: created.map(u64::from_be_bytes).ok_or(short)?,
        plain,
    })
}

/// Makes a token, as a miner does. `iv` must come from a good source and never be used twice
/// with a key.
///
/// # Errors
///
/// When the key is no key.
pub fn seal(key: &str, created: u64, iv: [u8; 16], plain: &[u8]) -> Result<String, FernetError> {
    let (signing, encryption) = halves(key)?;
    let text = cbc::Encryptor::<Aes128>::new(&encryption.into(), &iv.into())
        .encrypt_padded_vec_mut::<Pkcs7>(plain);
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&created.to_be_bytes());
    bytes.extend_from_slice(&iv);
    bytes.extend_from_slice(&text);
    let code = mac(&signing, &bytes)?.finalize().into_bytes();
    bytes.extend_from_slice(&code);
    Ok(URL_SAFE.encode(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const TOKEN: &str = "gAAAAABlU_EAAAECAwQFBgcICQoLDA0ODwqbyXWax_Lhu-JG6RBy7FgI6nh6mVOp6qDXHSoyT0M1vYpXT8s06sneQhYHEpNh_rBrhECrHkvdoSTpvXSTxwm2nuN9yT_LqnG9EYK-nd4760AGH8bA-6rcJle7D6FbA1Wer4UCA9SfLwWIhW_Xt2FJ1s8Ex7_yZeP_Af8xCHKOasPNMjLAd3J4VlyoS9GB5w==";

    fn plain() -> String {
        format!("ab_sniffer_v6---user/img@sha256:{}", "ab".repeat(32))
    }

    #[test]
    fn the_published_token_opens_and_is_made() {
        let opened = open(KEY, TOKEN).unwrap();
        assert_eq!(opened.created, 1_700_000_000);
        assert_eq!(opened.plain, plain().as_bytes());
        let iv = std::array::from_fn(|n| u8::try_from(n).unwrap());
        assert_eq!(
            seal(KEY, 1_700_000_000, iv, plain().as_bytes()).unwrap(),
            TOKEN
        );
    }

    #[test]
    fn what_is_wrong_is_told() {
        let (mut half, mut other) = (URL_SAFE.decode(KEY).unwrap(), URL_SAFE.decode(KEY).unwrap());
        half[31] ^= 1;
        other[0] ^= 1;
        let of = |bytes: &[u8]| URL_SAFE.encode(bytes);
        assert_eq!(open(&of(&other), TOKEN), Err(FernetError::Mac));
        assert_ne!(
            open(&of(&half), TOKEN).map(|o| o.plain),
            Ok(plain().into_bytes())
        );
        for key in ["", "AAAA", &"A".repeat(44), "not base64!"] {
            assert_eq!(open(key, TOKEN), Err(FernetError::Key), "{key}");
        }
        for token in ["", "gAAA", "AAAA", "é", &of(&[0x80; 57]), &of(&[0x80; 60])] {
            assert!(
                matches!(open(KEY, token), Err(FernetError::Token(_))),
                "{token}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back_and_no_bit_may_change(
            plain in prop::collection::vec(any::<u8>(), 0..100),
            iv in any::<[u8; 16]>(),
            bit in any::<prop::sample::Index>(),
        ) {
            let token = seal(KEY, 5, iv, &plain).unwrap();
            prop_assert_eq!(open(KEY, &token).unwrap(), Opened { created: 5, plain });
            let mut bytes = URL_SAFE.decode(&token).unwrap();
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(open(KEY, &URL_SAFE.encode(bytes)).is_err());
        }
    }
}
