//! What a commit needs for its reveal, on disk before the commit is sent.
//!
//! Without the salt a commit can never be revealed, so the file is there, whole and synced,
//! before the first byte leaves: a file without a commit does no harm, a commit without a
//! file does.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use chain_metadata::{AccountId, H256, MechId, NetUid, blake2_256, storage_index};
use scoring::local::sn42::chain::Row;
use scoring::local::sn42::commit::preimage;
use serde::{Deserialize, Serialize};

use crate::order::Order;

/// Numbers in a salt.
const LENGTH: usize = 8;
/// Largest salt file that is read.
const MOST: u64 = 4 << 20;

/// Everything that a reveal sends.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SaltFile {
    /// Version of this format: 1.
    pub format: u8,
    /// Genesis hash of the chain.
    pub genesis: H256,
    /// Who commits.
    pub hotkey: AccountId,
    /// The subnet.
    pub netuid: u16,
    /// The mechanism.
    pub mechanism: u8,
    /// Uids of the row.
    pub uids: Vec<u16>,
    /// Values of the row, as they are sent.
    pub values: Vec<u16>,
    /// The salt.
    pub salt: Vec<u16>,
    /// The version key.
    pub version_key: u64,
    /// blake2-256 of all that: what is committed to.
    pub hash: H256,
}

impl std::fmt::Debug for SaltFile {
    /// Without row and salt, which are secrets until the reveal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SaltFile")
            .field("hotkey", &self.hotkey)
            .field("netuid", &self.netuid)
            .field("mechanism", &self.mechanism)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

/// Why a salt cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum SaltError {
    /// A file or folder cannot be written or read.
    #[error("cannot {doing} {}: {cause}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// The file is damaged.
    #[error("the salt file {} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl SaltFile {
    /// A new random salt for an order on the chain of this genesis.
    pub fn new(order: &Order, genesis: H256) -> SaltFile {
        let salt: Vec<u16> = (0..LENGTH).map(|_| rand::random()).collect();
        SaltFile {
            format: 1,
            genesis,
            hotkey: order.hotkey,
            netuid: order.state.netuid,
            mechanism: order.state.mechanism,
            uids: order.row.uids.clone(),
            values: order.row.values.clone(),
            hash: order.commit_hash(&salt),
            version_key: order.version_key,
            salt,
        }
    }

    /// The row.
    pub fn row(&self) -> Row {
        Row {
            uids: self.uids.clone(),
            values: self.values.clone(),
        }
    }

    /// The hash of what the file holds; `None` for a mechanism that has no place on the chain.
    pub fn computed_hash(&self) -> Option<H256> {
        let index = storage_index(NetUid(self.netuid), MechId(self.mechanism))?;
        let bytes = preimage(
            &self.hotkey.0,
            index,
            &self.row(),
            &self.salt,
            self.version_key,
        );
        Some(blake2_256(&bytes))
    }

    /// Writes it into a folder, under a name of its own, so that it is there as a whole or not
    /// at all: mode 0600, synced, and never over another file. The folder is made if need be.
    ///
    /// # Errors
    ///
    /// [`SaltError::Io`].
    pub fn keep(&self, folder: &Path) -> Result<PathBuf, SaltError> {
        let failed = |doing, path: &Path| {
            let path = path.to_owned();
            move |cause| SaltError::Io { doing, path, cause }
        };
        std::fs::create_dir_all(folder).map_err(failed("make the folder", folder))?;
        let hash = hex::encode(self.hash.0);
        let name = format!("commit-{}-{}-{hash}.json", self.netuid, self.mechanism);
        let path = folder.join(&name);
        let unfinished = folder.join(format!(".{name}.{}", std::process::id()));
        let text = serde_json::to_vec_pretty(self).map_err(|e| SaltError::Damaged {
            path: path.clone(),
            what: e.to_string(),
        })?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unfinished)
            .map_err(failed("write", &unfinished))?;
        let written = file
            .write_all(&text)
            .and_then(|()| file.sync_all())
            // A link fails where a renaming would replace what is there.
            .and_then(|()| std::fs::hard_link(&unfinished, &path));
        let removed = std::fs::remove_file(&unfinished);
        written.map_err(failed("write", &path))?;
        removed.map_err(failed("remove", &unfinished))?;
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed("sync", folder))?;
        Ok(path)
    }

    /// Reads one back and checks it: what it holds must have its hash.
    ///
    /// # Errors
    ///
    /// See [`SaltError`].
    pub fn read(path: &Path) -> Result<SaltFile, SaltError> {
        let failed = |cause| SaltError::Io {
            doing: "read",
            path: path.to_owned(),
            cause,
        };
        let damaged = |what: String| SaltError::Damaged {
            path: path.to_owned(),
            what,
        };
        let length = std::fs::metadata(path).map_err(failed)?.len();
        if length > MOST {
            return Err(damaged(format!("{length} bytes; {MOST} are the most")));
        }
        let text = std::fs::read(path).map_err(failed)?;
        // The place alone: the parser's own words repeat what the file holds.
        let parsed = serde_json::from_slice(&text).map_err(|e| {
            damaged(format!(
                "line {}, column {} is not what a salt file holds",
                e.line(),
                e.column()
            ))
        });
        let file: SaltFile = parsed?;
        if file.format != 1 {
            return Err(damaged(format!("format {}; only 1 is known", file.format)));
        }
        match file.computed_hash() {
            Some(hash) if hash == file.hash => Ok(file),
            _ => Err(damaged("what it holds does not have its hash".into())),
        }
    }
}
