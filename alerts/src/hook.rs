//! Where messages go.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use crate::guard::{Allowed, GuardError};
use crate::rule::{From, named_well};

/// Least secret, in bytes.
const MIN_SECRET: usize = 16;
/// Longest secret, in bytes.
const MAX_SECRET: u64 = 4_096;

/// What is wrong with a hook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("hook {hook}: {what}")]
pub struct HookError {
    /// Its name.
    pub hook: String,
    /// A sentence that says what to do.
    pub what: String,
}

/// A hook as written in the file; [`Hook::build`] checks it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawHook {
    /// Name, in logs, metrics and folders.
    pub name: String,
    /// Where to send.
    pub url: String,
    /// Name of the environment variable with the secret.
    #[serde(default)]
    pub secret_env: Option<String>,
    /// File with the secret.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// Which streams.
    #[serde(default)]
    pub topics: Vec<Wanted>,
    /// Which rules, by name; `*` is all.
    #[serde(default)]
    pub alerts: Vec<String>,
    /// Where streams begin when the hook is new: `tip` or `first`.
    #[serde(default)]
    pub from: From,
    /// How often a message is tried before it is put aside.
    #[serde(default = "max_attempts")]
    pub max_attempts: u32,
    /// Wait before the second attempt, in milliseconds; it doubles from attempt to attempt.
    #[serde(default = "first_retry")]
    pub first_retry_ms: u64,
    /// Longest wait between two attempts, in milliseconds.
    #[serde(default = "longest_retry")]
    pub longest_retry_ms: u64,
    /// How long one attempt may take, in milliseconds.
    #[serde(default = "timeout")]
    pub timeout_ms: u64,
    /// Largest message, in KiB.
    #[serde(default = "max_body")]
    pub max_body_kib: u64,
    /// Whether plain HTTP will do.
    #[serde(default)]
    pub allow_http: bool,
    /// Networks that are not public and may be reached.
    #[serde(default)]
    pub allow_networks: Vec<String>,
}

/// A stream that a hook wants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Which: blocks, epochs, weights, commits, stake or scores.
    pub topic: String,
    /// Only these subnets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netuids: Option<Vec<u16>>,
    /// Only these hotkeys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hotkeys: Option<Vec<String>>,
    /// Only these kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<String>>,
}

impl Wanted {
    /// Names the stream with its filter: with another filter it is another one, and begins anew.
    pub fn lane(&self) -> String {
        let bare = self.netuids.is_none() && self.hotkeys.is_none() && self.kinds.is_none();
        match serde_json::to_string(self) {
            Ok(text) if !bare => format!("{}?{text}", self.topic),
            _ => self.topic.clone(),
        }
    }
}

fn max_attempts() -> u32 {
    12
}

fn first_retry() -> u64 {
    1_000
}

fn longest_retry() -> u64 {
    3_600_000
}

fn timeout() -> u64 {
    10_000
}

fn max_body() -> u64 {
    256
}

/// What signs; nothing shows it.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes a secret.
    ///
    /// # Errors
    /// When it is too short.
    pub fn new(bytes: Vec<u8>) -> Result<Secret, String> {
        let bytes = Zeroizing::new(bytes);
        match bytes.len() < MIN_SECRET {
            true => Err(format!(
                "the secret has {} bytes, it must have {MIN_SECRET} or more; make one with `openssl rand -hex 32`",
                bytes.len()
            )),
            false => Ok(Secret(bytes)),
        }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A hook that can be sent to.
#[derive(Clone)]
pub struct Hook {
    /// Its name.
    pub name: String,
    /// Where to send. A path or a query may hold what is secret too: it is in no log.
    pub url: Url,
    /// What signs.
    pub secret: Secret,
    /// Which streams.
    pub topics: Vec<Wanted>,
    /// Which rules, by name.
    pub alerts: Vec<String>,
    /// Whether streams begin with everything that is stored when the hook is new.
    pub from_first: bool,
    /// How often a message is tried before it is put aside.
    pub max_attempts: u32,
    /// Wait before the second attempt.
    pub first_retry: Duration,
    /// Longest wait between two attempts.
    pub longest_retry: Duration,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Largest message, in bytes.
    pub max_body: usize,
    /// What may be reached.
    pub allowed: Allowed,
}

impl fmt::Debug for Hook {
    /// Without the path of the URL, which may be a secret of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook")
            .field("name", &self.name)
            .field("host", &self.host())
            .field("topics", &self.topics)
            .field("alerts", &self.alerts)
            .field("allowed", &self.allowed)
            .finish_non_exhaustive()
    }
}

/// Where secrets are.
pub trait Secrets {
    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;
    /// The bytes of a file, at most `most` of them.
    ///
    /// # Errors
    /// When it cannot be read.
    fn file(&self, path: &Path, most: u64) -> std::io::Result<Vec<u8>>;
}

/// Those of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Machine;

impl Secrets for Machine {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
        use std::io::Read;
        let mut bytes = Vec::new();
        std::fs::File::open(path)?
            .take(most)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

fn secret(raw: &RawHook, secrets: &dyn Secrets) -> Result<Secret, String> {
    match (&raw.secret_env, &raw.secret_file) {
        (Some(name), None) => {
            let value = secrets.variable(name);
            let value = value.ok_or_else(|| {
                format!("the environment has no {name}; set it to the hook's secret")
            })?;
            Secret::new(value.into_bytes())
        }
        (None, Some(path)) => {
            let bytes = secrets.file(path, MAX_SECRET);
            let bytes = bytes.map_err(|error| {
                format!("the secret cannot be read from {}: {error}", path.display())
            })?;
            // An editor ends a file with a line break; it is no part of a secret.
            let end = bytes.trim_ascii_end().len();
            Secret::new(bytes.get(..end).unwrap_or_default().to_vec())
        }
        _ => Err("give one of `secret_env` and `secret_file`; every message is signed".into()),
    }
}

impl Hook {
    /// Checks a hook; `rules` are the names of all rules.
    ///
    /// # Errors
    /// [`HookError`], with a sentence about the first thing that is wrong.
    pub fn build(
        raw: &RawHook,
        rules: &BTreeSet<String>,
        secrets: &dyn Secrets,
    ) -> Result<Hook, HookError> {
        Hook::checked(raw, rules, secrets).map_err(|what| HookError {
            hook: raw.name.clone(),
            what,
        })
    }

    fn checked(
        raw: &RawHook,
        rules: &BTreeSet<String>,
        secrets: &dyn Secrets,
    ) -> Result<Hook, String> {
        if !named_well(&raw.name) {
            return Err("a name has 1 to 63 small letters, digits and hyphens".into());
        }
        if raw.topics.is_empty() && raw.alerts.is_empty() {
            return Err("it asks for nothing; give `topics` or `alerts`".into());
        }
        let networks = raw.allow_networks.iter().map(|text| text.parse());
        let allowed = Allowed {
            http: raw.allow_http,
            networks: networks
                .collect::<Result<_, _>>()
                .map_err(|error: crate::guard::NoNetwork| error.to_string())?,
        };
        let url = allowed
            .url(&raw.url)
            .map_err(|error: GuardError| error.to_string())?;
        for (name, number, least, most) in [
            ("max_attempts", u64::from(raw.max_attempts), 1, 100),
            ("first_retry_ms", raw.first_retry_ms, 1, 3_600_000),
            (
                "longest_retry_ms",
                raw.longest_retry_ms,
                raw.first_retry_ms,
                86_400_000,
            ),
            ("timeout_ms", raw.timeout_ms, 100, 60_000),
            ("max_body_kib", raw.max_body_kib, 1, 16_384),
        ] {
            if !(least..=most).contains(&number) {
                return Err(format!("{name} is {number}, it must be {least} to {most}"));
            }
        }
        let mut alerts = BTreeSet::new();
        for name in &raw.alerts {
            match name.as_str() {
                "*" => alerts.extend(rules.iter().cloned()),
                name if rules.contains(name) => {
                    alerts.insert(name.to_owned());
                }
                name => return Err(format!("there is no rule {name:?} in this file")),
            }
        }
        let lanes: BTreeSet<String> = raw.topics.iter().map(Wanted::lane).collect();
        if lanes.len() != raw.topics.len() {
            return Err("a topic stands twice with the same filter; leave one out".into());
        }
        let from_first = match raw.from {
            From::First => true,
            From::Tip => false,
            From::Block(_) => return Err("`from` of a hook is \"tip\" or \"first\"".into()),
        };
        Ok(Hook {
            name: raw.name.clone(),
            url,
            secret: secret(raw, secrets)?,
            topics: raw.topics.clone(),
            alerts: alerts.into_iter().collect(),
            from_first,
            max_attempts: raw.max_attempts,
            first_retry: Duration::from_millis(raw.first_retry_ms),
            longest_retry: Duration::from_millis(raw.longest_retry_ms),
            timeout: Duration::from_millis(raw.timeout_ms),
            max_body: usize::try_from(raw.max_body_kib.saturating_mul(1_024)).unwrap_or(usize::MAX),
            allowed,
        })
    }

    /// Where it is, for logs: without path and query.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    struct Given;

    impl Secrets for Given {
        fn variable(&self, name: &str) -> Option<String> {
            match name {
                "GOOD" => Some("a-very-secret-secret".into()),
                "SHORT" => Some("short".into()),
                _ => None,
            }
        }

        fn file(&self, path: &Path, _most: u64) -> std::io::Result<Vec<u8>> {
            match path.to_str() {
                Some("good") => Ok(b"a-very-secret-secret\n".to_vec()),
                _ => Err(std::io::ErrorKind::NotFound.into()),
            }
        }
    }

    #[expect(clippy::unwrap_in_result, reason = "a test")]
    fn built(more: Value) -> Result<Hook, String> {
        let mut raw = json!({"name": "ops", "url": "https://example.com/h/token", "secret_env": "GOOD", "topics": [{"topic": "blocks"}]});
        raw.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let raw: RawHook = serde_json::from_value(raw).unwrap();
        let rules = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        Hook::build(&raw, &rules, &Given).map_err(|error| error.to_string())
    }

    #[test]
    fn the_secret_is_nowhere_to_be_seen() {
        let hook = built(json!({"alerts": ["*"]})).unwrap();
        assert_eq!(hook.alerts, ["a", "b"]);
        assert_eq!(hook.secret.bytes(), b"a-very-secret-secret");
        let shown = format!("{hook:?}");
        assert!(
            !shown.contains("very-secret") && !shown.contains("token"),
            "{shown}"
        );
        assert_eq!(hook.host(), "example.com");
        let file = built(json!({"secret_env": null, "secret_file": "good"})).unwrap();
        assert_eq!(file.secret.bytes(), hook.secret.bytes());
    }

    #[test]
    fn hooks_that_cannot_be_are_refused() {
        for (more, part) in [
            (json!({"name": "../x"}), "small letters"),
            (json!({"topics": []}), "nothing"),
            (json!({"url": "http://example.com"}), "allow_http"),
            (json!({"url": "https://127.0.0.1/"}), "loopback"),
            (json!({"allow_networks": ["x"]}), "no network"),
            (json!({"secret_env": "SHORT"}), "16 or more"),
            (json!({"secret_env": "NONE"}), "NONE"),
            (json!({"secret_env": null}), "secret_env"),
            (json!({"secret_file": "good"}), "one of"),
            (json!({"secret_env": null, "secret_file": "bad"}), "bad"),
            (json!({"alerts": ["c"]}), "\"c\""),
            (json!({"max_attempts": 0}), "1 to 100"),
            (json!({"timeout_ms": 5}), "100 to 60000"),
            (
                json!({"first_retry_ms": 500, "longest_retry_ms": 100}),
                "500 to",
            ),
            (
                json!({"topics": [{"topic": "blocks"}, {"topic": "blocks"}]}),
                "twice",
            ),
            (json!({"from": 7}), "`from`"),
        ] {
            let error = built(more.clone()).unwrap_err();
            assert!(
                error.contains(part) && !error.contains("very-secret"),
                "{more}: {error}"
            );
        }
    }

    #[test]
    fn another_filter_is_another_lane() {
        let wanted = |netuids: Option<Vec<u16>>| Wanted {
            topic: "epochs".into(),
            netuids,
            hotkeys: None,
            kinds: None,
        };
        assert_eq!(wanted(None).lane(), "epochs");
        assert_eq!(
            wanted(Some(vec![1])).lane(),
            r#"epochs?{"topic":"epochs","netuids":[1]}"#
        );
        assert_ne!(wanted(Some(vec![1])).lane(), wanted(Some(vec![2])).lane());
    }
}
