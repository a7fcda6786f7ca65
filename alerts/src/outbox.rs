//! What must survive: where each hook and each rule stands, what waits for another attempt, what
//! was given up.
//!
//! | name | what |
//! |---|---|
//! | `hooks/HOOK.json` | cursors of its streams and rules, and the message that is being tried |
//! | `rules/RULE.json` | where the rule stands, its subjects, alerts that a hook has not got yet |
//! | `dead/HOOK/KEY.json` | a message that was given up, with the reason |
//! | `again/HOOK/KEY.json` | one of those that is to be tried again |
//! | `trying/HOOK/KEY.json` | one of those that its hook has taken up |
//!
//! Each is written whole or not at all, so there is nothing to repair after a crash.

mod files;
mod memory;
#[cfg(test)]
pub(crate) mod trouble;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use files::Files;
pub use memory::Memory;

/// Why something could not be kept or found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboxError {
    /// Reading or writing failed.
    #[error("{doing} {name} failed: {why}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Of what.
        name: String,
        /// Reason.
        why: String,
    },
    /// Bytes are there that nobody wrote.
    #[error("{name} cannot be read ({why}); move it away to begin anew there")]
    Damaged {
        /// Of what.
        name: String,
        /// Reason.
        why: String,
    },
}

/// Keeps bytes by name, durably: five methods. A name is of parts with slashes between them, each
/// of small letters, digits, hyphens and points.
pub trait Outbox: Send + Sync {
    /// The bytes under a name; `None` when there are none.
    ///
    /// # Errors
    /// When they cannot be read.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, OutboxError>;

    /// Puts bytes under a name. When this returns they are on disk; after a crash there are these
    /// or those before, never a mixture.
    ///
    /// # Errors
    /// When they cannot be written.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), OutboxError>;

    /// Moves what is under a name to another one, in one step, over whatever is there. Whether
    /// there was something.
    ///
    /// # Errors
    /// When it cannot be moved; it is still where it was then.
    fn rename(&self, from: &str, to: &str) -> Result<bool, OutboxError>;

    /// Takes away what is under a name; nothing there is no error.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn remove(&self, name: &str) -> Result<(), OutboxError>;

    /// The names directly under a prefix such as `dead/ops`, whole, ascending.
    ///
    /// # Errors
    /// When they cannot be listed.
    fn list(&self, prefix: &str) -> Result<Vec<String>, OutboxError>;
}

/// Reads a value.
///
/// # Errors
/// When it cannot be read, or is not what it should be.
pub fn read<T: DeserializeOwned>(
    outbox: &dyn Outbox,
    name: &str,
) -> Result<Option<T>, OutboxError> {
    let Some(bytes) = outbox.get(name)? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| OutboxError::Damaged {
            name: name.to_owned(),
            why: error.to_string(),
        })
}

/// Writes a value.
///
/// # Errors
/// When it cannot be written.
pub fn write<T: Serialize>(outbox: &dyn Outbox, name: &str, value: &T) -> Result<(), OutboxError> {
    let bytes = serde_json::to_vec(value).map_err(|error| OutboxError::Io {
        doing: "writing",
        name: name.to_owned(),
        why: error.to_string(),
    })?;
    outbox.put(name, &bytes)
}

/// Where a hook stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HookState {
    /// Up to where each stream and each rule was delivered, by lane.
    #[serde(default)]
    pub lanes: BTreeMap<String, String>,
    /// The message that is being tried, from its first failure on.
    #[serde(default)]
    pub pending: Option<Pending>,
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Its idempotency key.
    pub key: String,
    /// Where it comes from.
    pub lane: String,
    /// The place behind it, to be kept when it has arrived.
    pub cursor: String,
    /// Its kind, as in the header.
    pub event: String,
    /// The body, byte for byte as it is sent.
    pub body: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When to try next, milliseconds since 1970.
    pub next_ms: u64,
    /// What became of the last attempt.
    #[serde(default)]
    pub why: Option<String>,
}

/// A message that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dead {
    /// Name of the hook.
    pub hook: String,
    /// The message as it was last tried.
    pub message: Pending,
    /// Why it was given up.
    pub reason: String,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
}

/// Name of a hook's state.
pub fn hook_name(hook: &str) -> String {
    format!("hooks/{hook}.json")
}

/// Name of a rule's state.
pub fn rule_name(rule: &str) -> String {
    format!("rules/{rule}.json")
}

/// Name of a dead letter.
pub fn dead_name(hook: &str, key: &str) -> String {
    format!("dead/{hook}/{key}.json")
}

/// Name of a message that is to be tried again.
pub fn again_name(hook: &str, key: &str) -> String {
    format!("again/{hook}/{key}.json")
}

/// Name of a message that is being tried again.
pub fn trying_name(hook: &str, key: &str) -> String {
    format!("trying/{hook}/{key}.json")
}

/// All dead letters, by hook and time.
///
/// # Errors
/// When they cannot be read.
pub fn dead_letters(outbox: &dyn Outbox) -> Result<Vec<Dead>, OutboxError> {
    let mut letters: Vec<Dead> = Vec::new();
    for hook in outbox.list("dead")? {
        for name in outbox.list(&hook)? {
            letters.extend(read::<Dead>(outbox, &name)?);
        }
    }
    letters.sort_by(|a, b| {
        (&a.hook, a.at_ms, &a.message.key).cmp(&(&b.hook, b.at_ms, &b.message.key))
    });
    Ok(letters)
}

/// Puts dead letters where their hook takes them up again: those of a hook, or of all; one by its
/// key, or all. Returns how many.
///
/// # Errors
/// When they cannot be read or written; those before stay put.
pub fn redeliver(
    outbox: &dyn Outbox,
    hook: Option<&str>,
    key: Option<&str>,
) -> Result<u64, OutboxError> {
    let mut moved = 0;
    for letter in dead_letters(outbox)? {
        let message = &letter.message;
        if hook.is_some_and(|hook| hook != letter.hook) || key.is_some_and(|key| key != message.key)
        {
            continue;
        }
        // In one step: what its hook puts here meanwhile is moved too, or stays, and is never lost.
        let (from, to) = (
            dead_name(&letter.hook, &message.key),
            again_name(&letter.hook, &message.key),
        );
        moved += u64::from(outbox.rename(&from, &to)?);
    }
    Ok(moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(hook: &str, key: &str, at_ms: u64) -> Dead {
        Dead {
            hook: hook.into(),
            message: Pending {
                key: key.into(),
                lane: "blocks".into(),
                cursor: "c".into(),
                event: "blocks".into(),
                body: "{}".into(),
                attempts: 3,
                next_ms: 0,
                why: None,
            },
            reason: "500".into(),
            at_ms,
        }
    }

    fn conforms(outbox: &dyn Outbox) {
        assert_eq!(outbox.get("hooks/a.json").unwrap(), None);
        assert_eq!(outbox.list("dead").unwrap(), Vec::<String>::new());
        outbox.put("hooks/a.json", b"1").unwrap();
        outbox.put("hooks/a.json", b"22").unwrap();
        assert_eq!(outbox.get("hooks/a.json").unwrap(), Some(b"22".to_vec()));
        outbox.remove("hooks/a.json").unwrap();
        outbox.remove("hooks/a.json").unwrap();
        assert_eq!(outbox.get("hooks/a.json").unwrap(), None);
        for name in ["../x", "/etc/x", "a//b", "", "a/../b", "A", "a b", "."] {
            assert!(outbox.put(name, b"").is_err(), "{name}");
        }
        for (hook, key, at) in [("b", "k1", 5), ("a", "k2", 9), ("a", "k3", 3)] {
            write(outbox, &dead_name(hook, key), &letter(hook, key, at)).unwrap();
        }
        let keys = |letters: Vec<Dead>| {
            letters
                .into_iter()
                .map(|l| l.message.key)
                .collect::<Vec<_>>()
        };
        assert_eq!(keys(dead_letters(outbox).unwrap()), ["k3", "k2", "k1"]);
        assert_eq!(redeliver(outbox, Some("a"), Some("k2")).unwrap(), 1);
        assert_eq!(redeliver(outbox, Some("c"), None).unwrap(), 0);
        assert_eq!(keys(dead_letters(outbox).unwrap()), ["k3", "k1"]);
        assert_eq!(outbox.list("again/a").unwrap(), ["again/a/k2.json"]);
        assert_eq!(redeliver(outbox, None, None).unwrap(), 2);
        assert!(dead_letters(outbox).unwrap().is_empty());
        outbox.put("rules/w.json", b"w").unwrap();
        outbox.put("moved/x.json", b"old").unwrap();
        assert!(outbox.rename("rules/w.json", "moved/x.json").unwrap());
        assert!(!outbox.rename("rules/w.json", "moved/x.json").unwrap());
        assert_eq!(outbox.get("moved/x.json").unwrap(), Some(b"w".to_vec()));
        assert!(outbox.rename("moved/x.json", "../x.json").is_err());
        outbox.put("rules/x.json", b"{").unwrap();
        let damaged = read::<HookState>(outbox, "rules/x.json");
        assert!(matches!(damaged, Err(OutboxError::Damaged { .. })));
    }

    #[test]
    fn both_outboxes_conform() {
        conforms(&Memory::default());
        let dir = tempfile::tempdir().unwrap();
        conforms(&Files::open(&dir.path().join("alerts")).unwrap());
    }

    #[test]
    fn files_stay_and_halves_of_files_are_not_seen() {
        let dir = tempfile::tempdir().unwrap();
        Files::open(dir.path())
            .unwrap()
            .put("hooks/a.json", b"1")
            .unwrap();
        // What a crash in the middle of writing leaves.
        std::fs::write(dir.path().join("hooks/.b.json.part"), b"half").unwrap();
        let again = Files::open(dir.path()).unwrap();
        assert_eq!(again.list("hooks").unwrap(), ["hooks/a.json"]);
        assert_eq!(again.get("hooks/a.json").unwrap(), Some(b"1".to_vec()));
    }
}
