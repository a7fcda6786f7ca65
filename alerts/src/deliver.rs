//! One attempt to deliver a message, and how long to wait for the next.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::Agent;
use ureq::unversioned::transport::DefaultConnector;

use crate::guard::{Names, Pinned, System};
use crate::hook::Hook;
use crate::outbox::Pending;
use crate::sign;

/// Most bytes of an answer that are read.
const MAX_ANSWER: u64 = 64 << 10;
/// Largest head of an answer, in bytes.
const MAX_HEAD: usize = 32 << 10;

/// Why an attempt failed. The text holds neither path nor query of the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Failed {
    /// A sentence.
    pub why: String,
    /// In which word it is counted: `refused`, `status`, `timeout` or `network`.
    pub kind: &'static str,
    /// How long the receiver asked to wait.
    pub after: Option<Duration>,
}

/// What sends.
pub trait Post: Send + Sync {
    /// Sends a message once. `now` is the time of the attempt, seconds since 1970.
    ///
    /// # Errors
    /// Anything but an answer of 200 to 299.
    fn post(&self, message: &Pending, now: u64) -> Result<(), Failed>;
}

/// Sends by HTTP to the address of a hook.
#[derive(Debug)]
pub struct Web {
    hook: Hook,
    agent: Agent,
}

impl Web {
    /// To this hook.
    pub fn new(hook: Hook) -> Web {
        Web::with_names(hook, Arc::new(System))
    }

    /// The same, with names resolved by `names`.
    pub fn with_names(hook: Hook, names: Arc<dyn Names>) -> Web {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(!hook.allowed.http)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            // Every message has a connection of its own: its address was just checked.
            .max_idle_connections(0)
            .max_response_header_size(MAX_HEAD)
            .timeout_global(Some(hook.timeout))
            .user_agent("yumascope")
            .build();
        let pinned = Pinned {
            names,
            allowed: hook.allowed.clone(),
        };
        Web {
            agent: Agent::with_parts(config, DefaultConnector::default(), pinned),
            hook,
        }
    }
}

impl Post for Web {
    fn post(&self, message: &Pending, now: u64) -> Result<(), Failed> {
        let body = message.body.as_bytes();
        let signature = sign::signature(self.hook.secret.bytes(), now, body);
        let answer = self
            .agent
            .post(self.hook.url.as_str())
            .header("content-type", "application/json")
            .header(sign::SIGNATURE, signature)
            .header(sign::EVENT, message.event.as_str())
            .header(sign::KEY, message.key.as_str())
            .send(body);
        let mut answer = answer.map_err(|error| failed(&error))?;
        let status = answer.status().as_u16();
        let after = answer.headers().get("retry-after");
        let after = after.and_then(|after| after.to_str().ok()?.trim().parse().ok());
        // Read, so that the receiver is not cut off; what it says does not matter.
        let rest = answer
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER)
            .read_to_vec();
        drop(rest);
        match status {
            200..=299 => Ok(()),
            300..=399 => Err(Failed {
                why: format!(
                    "the receiver answered {status}; redirects are not followed, give the final url"
                ),
                kind: "refused",
                after: None,
            }),
            _ => Err(Failed {
                why: format!("the receiver answered {status}"),
                kind: "status",
                after: after.map(Duration::from_secs),
            }),
        }
    }
}

fn failed(error: &ureq::Error) -> Failed {
    let (kind, why) = match error {
        ureq::Error::Timeout(at) => ("timeout", format!("the receiver took too long ({at})")),
        ureq::Error::Other(inner) => ("refused", inner.to_string()),
        ureq::Error::RequireHttpsOnly(_) | ureq::Error::BadUri(_) => {
            ("refused", "the url is not of https".to_owned())
        }
        ureq::Error::Io(error) => ("network", format!("the connection failed: {error}")),
        other => ("network", format!("the connection failed: {other}")),
    };
    Failed {
        why,
        kind,
        after: None,
    }
}

/// How long to wait after `attempts` failed ones: twice as long from time to time, less up to a
/// half that depends on the message alone, so that many messages do not come back together.
///
/// ```
/// use std::time::Duration;
/// use alerts::deliver::wait;
/// let (first, longest) = (Duration::from_secs(1), Duration::from_secs(60));
/// let third = wait("key", 3, first, longest);
/// assert!(third >= Duration::from_secs(2) && third <= Duration::from_secs(4));
/// assert_eq!(third, wait("key", 3, first, longest));
/// ```
pub fn wait(key: &str, attempts: u32, first: Duration, longest: Duration) -> Duration {
    let doublings = attempts.saturating_sub(1).min(31);
    let full = first.saturating_mul(1 << doublings).min(longest);
    let mut hasher = Sha256::new();
    hasher.update(key.as_bytes());
    hasher.update(attempts.to_be_bytes());
    let hash = hasher.finalize();
    let dice = hash
        .first_chunk::<4>()
        .map_or(0, |bytes| u32::from_be_bytes(*bytes));
    let nanos = (full / 2).as_nanos() * u128::from(dice) / u128::from(u32::MAX);
    full.saturating_sub(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn waits_grow_and_are_bounded(key in "[a-f0-9]{8}", attempts in 1_u32..200, first in 1_u64..10_000, more in 0_u64..10_000_000) {
            let (first, longest) = (Duration::from_millis(first), Duration::from_millis(first + more));
            let found = wait(&key, attempts, first, longest);
            let full = first.saturating_mul(1 << attempts.saturating_sub(1).min(31)).min(longest);
            prop_assert!(found <= full && found >= full / 2);
            prop_assert_eq!(found, wait(&key, attempts, first, longest));
        }
    }

    #[test]
    fn messages_do_not_come_back_together() {
        let waits = |key: &str| wait(key, 5, Duration::from_secs(1), Duration::from_secs(60));
        assert_ne!(waits("a"), waits("b"));
    }
}
