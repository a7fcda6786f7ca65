//! The key that signs, out of a file.
//!
//! Keys come from files alone: arguments and the environment are visible to others.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chain_metadata::AccountId;
use schnorrkel::{ExpansionMode, Keypair, MiniSecretKey, SecretKey};
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

/// What keys of this kind sign under.
const CONTEXT: &[u8] = b"substrate";
/// A key file is far smaller.
const MOST: u64 = 64 << 10;

/// Why a key file is not used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read.
    #[error("cannot read the key file {}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// It is a link.
    #[error("the key file {} is a symbolic link: name the file itself", path.display())]
    Link {
        /// The file.
        path: PathBuf,
    },
    /// It is no plain file, or was exchanged while it was opened.
    #[error("{} is not a plain file: a key is read from one only", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// Others may read or write it.
    #[error("the key file {} has mode {mode:04o}, which lets others at it: run chmod 600 on it", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to another user.
    #[error("the key file {} belongs to user {owner}, not to user {user} who runs this: copy it or run as its owner", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who runs this.
        user: u32,
    },
    /// It is too long to be a key.
    #[error("{} has {length} bytes; a key file has {MOST} at most", path.display())]
    Long {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        length: u64,
    },
    /// It holds no key that can be used. Says nothing of what it holds.
    #[error("the key file {} holds no sr25519 key: {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is missing or wrong.
        what: &'static str,
    },
}

/// A key that signs. It is wiped from memory when dropped, and never shown.
pub struct Signer {
    keypair: Keypair,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("account", &self.account())
            .finish_non_exhaustive()
    }
}

/// A key as wallets write it; unencrypted hotkeys only.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyFile {
    secret_seed: Option<String>,
    private_key: Option<String>,
    public_key: Option<String>,
    ss58_address: Option<String>,
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        self.secret_seed.zeroize();
        self.private_key.zeroize();
    }
}

impl Signer {
    /// Reads a key: hex of a seed of 32 bytes, or the JSON of a wallet's hotkey with
    /// `secretSeed` or `privateKey`. The file must be a plain one of mode 0600 or less that
    /// belongs to the user who runs this.
    ///
    /// # Errors
    ///
    /// See [`KeyError`].
    pub fn from_file(path: &Path) -> Result<Signer, KeyError> {
        let text = read(path)?;
        let keypair = parse(&text).map_err(|what| KeyError::Content {
            path: path.to_owned(),
            what,
        })?;
        Ok(Signer { keypair })
    }

    /// Its account.
    pub fn account(&self) -> AccountId {
        AccountId(self.keypair.public.to_bytes())
    }

    /// An sr25519 signature.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.keypair.sign_simple(CONTEXT, message).to_bytes()
    }
}

/// Whether a signature over a message is the account's.
pub fn verify(account: &AccountId, message: &[u8], signature: &[u8]) -> bool {
    let key = schnorrkel::PublicKey::from_bytes(&account.0);
    let signature = schnorrkel::Signature::from_bytes(signature);
    match (key, signature) {
        (Ok(key), Ok(signature)) => key.verify_simple(CONTEXT, message, &signature).is_ok(),
        _ => false,
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let path_of = || path.to_owned();
    let failed = |cause| KeyError::Read {
        path: path_of(),
        cause,
    };
    let named = std::fs::symlink_metadata(path).map_err(failed)?;
    if named.file_type().is_symlink() {
        return Err(KeyError::Link { path: path_of() });
    }
    if !named.is_file() {
        return Err(KeyError::NotAFile { path: path_of() });
    }
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let opened = file.metadata().map_err(failed)?;
    // What was opened must be what was looked at: it may have been exchanged in between.
    if !opened.is_file() || (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
        return Err(KeyError::NotAFile { path: path_of() });
    }
    let mode = opened.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Mode {
            path: path_of(),
            mode,
        });
    }
    let user = rustix::process::geteuid().as_raw();
    if opened.uid() != user {
        return Err(KeyError::Owner {
            path: path_of(),
            owner: opened.uid(),
            user,
        });
    }
    if opened.len() > MOST {
        return Err(KeyError::Long {
            path: path_of(),
            length: opened.len(),
        });
    }
    // Room from the beginning, so that no copy is left behind by growing.
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(MOST).unwrap_or(0)));
    file.by_ref()
        .take(MOST)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Ok(text)
}

fn parse(text: &str) -> Result<Keypair, &'static str> {
    let text = text.trim();
    if !text.starts_with('{') {
        return seed(text).ok_or("it is neither JSON nor 64 hex digits of a seed");
    }
    let file: KeyFile = serde_json::from_str(text)
        .map_err(|_| "its JSON is damaged, or it is encrypted; decrypt the hotkey first")?;
    let keypair = match (&file.secret_seed, &file.private_key) {
        (Some(text), _) => seed(text).ok_or("secretSeed is not 64 hex digits")?,
        (None, Some(text)) => expanded(text).ok_or("privateKey is not 128 hex digits of a key")?,
        (None, None) => return Err("it has neither secretSeed nor privateKey"),
    };
    let public = keypair.public.to_bytes();
    if let Some(told) = &file.public_key
        && bytes::<32>(told).map(|told| *told) != Some(public)
    {
        return Err("publicKey is not that of its secret: the file is mixed up");
    }
    if let Some(told) = &file.ss58_address
        && AccountId::from_ss58(told).ok().map(|(told, _)| told.0) != Some(public)
    {
        return Err("ss58Address is not that of its secret: the file is mixed up");
    }
    Ok(keypair)
}

fn bytes<const N: usize>(text: &str) -> Option<Zeroizing<[u8; N]>> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let mut bytes = Zeroizing::new([0; N]);
    hex::decode_to_slice(digits, bytes.as_mut_slice()).ok()?;
    Some(bytes)
}

fn seed(text: &str) -> Option<Keypair> {
    let seed = bytes::<32>(text)?;
    let mini = MiniSecretKey::from_bytes(seed.as_slice()).ok()?;
    Some(mini.expand_to_keypair(ExpansionMode::Ed25519))
}

/// Wallets keep the secret scalar as ed25519 does, and the nonce behind it.
fn expanded(text: &str) -> Option<Keypair> {
    let bytes = bytes::<64>(text)?;
    let key = SecretKey::from_ed25519_bytes(bytes.as_slice()).ok()?;
    Some(key.to_keypair())
}

#[cfg(test)]
mod tests;
