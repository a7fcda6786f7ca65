//! The history of a miner's commits, with who told what of them.

use chain_metadata::AccountId;
use serde::Serialize;

use super::{History, Merging};
use crate::sn61::format::disk_key;

/// One ciphertext.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Listed {
    /// The ciphertext.
    pub encrypted_commit: String,
    /// Its time by the rule in force, in seconds since 1970.
    pub commit_timestamp: Option<f64>,
    /// Whether it is the miner's current commit.
    pub current: bool,
    /// The image, when a key that was told opens the ciphertext and may be used by now.
    pub docker_hub_id: Option<String>,
    /// What each validator told.
    pub told: Vec<Told>,
}

/// What one validator told of a ciphertext.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// The validator.
    pub validator: AccountId,
    /// The least time it gave, in seconds since 1970.
    pub commit_timestamp: Option<f64>,
    /// The keys it gave, each as its sha256 in hex: a key is shown by nobody but its miner.
    pub keys: Vec<String>,
}

/// All ciphertexts of a miner in a challenge, the current one first; those without enough support
/// last. Empty when nothing was told. `may_open` tells by its time whether a ciphertext may be opened.
pub fn versions(
    history: &History,
    merging: Merging,
    challenge: &str,
    miner: &AccountId,
    may_open: impl Fn(Option<f64>) -> bool,
) -> Vec<Listed> {
    let Some(versions) = history.versions(challenge, miner) else {
        return Vec::new();
    };
    let ranked = History::ranked(versions, merging);
    let current = ranked.first().map(|(token, _)| *token);
    let place = |token: &str| ranked.iter().position(|(ranked, _)| *ranked == token);
    let mut listed: Vec<Listed> = versions
        .iter()
        .map(|(token, version)| {
            let resolved = version.resolve(challenge, token, merging);
            let opened = resolved.opened.filter(|_| may_open(resolved.timestamp));
            let told = version.words.iter().map(|(validator, word)| Told {
                validator: *validator,
                commit_timestamp: word.timestamp,
                keys: word.keys.iter().map(|key| disk_key(key)).collect(),
            });
            Listed {
                encrypted_commit: token.clone(),
                commit_timestamp: resolved.timestamp,
                current: current == Some(token.as_str()),
                docker_hub_id: opened.map(|(_, plain)| plain.docker),
                told: told.collect(),
            }
        })
        .collect();
    listed.sort_by_key(|one| place(&one.encrypted_commit).unwrap_or(usize::MAX));
    listed
}
