//! Asking again: another endpoint at once, all of them after a pause.

use std::time::{Duration, Instant};

use rand::Rng;

use super::pool::Pool;
use super::task::{Fault, Task};
use crate::source::SourceError;

/// An error that cannot change is believed when every endpoint said so in as
/// many rounds.
const ROUNDS: u32 = 3;
/// Most times in a row that one endpoint is asked for less.
const AGAIN: u32 = 24;

/// What one endpoint answered to one request.
#[derive(Debug, Clone, Default)]
struct Said {
    last: Option<SourceError>,
    /// Rounds in a row with an error that cannot change.
    lasting: u32,
}

impl Pool {
    /// Asks until there is an answer, the patience ends, or no answer can come.
    pub(super) async fn run<T: Task>(&self, mut task: T) -> Result<T::Out, SourceError> {
        let mut started = Instant::now();
        let mut said = vec![Said::default(); self.endpoints.len()];
        let mut round = 0;
        loop {
            let order = self.order(task.block());
            if order.is_empty() {
                return Err(self.all_wrong());
            }
            for index in &order {
                let left = task.left();
                match self.once(*index, &mut task).await {
                    Ok(out) => {
                        self.good(*index);
                        return Ok(out);
                    }
                    Err(error) => {
                        if let Some(said) = said.get_mut(*index) {
                            said.heard(error);
                        }
                    }
                }
                // Some of it was answered: that is not the same failure over and over.
                if task.left() < left {
                    started = Instant::now();
                    round = 0;
                }
                if self.options.patience.is_some_and(|p| started.elapsed() > p) {
                    return Err(told(said));
                }
            }
            let hopeless = |index: &usize| said.get(*index).is_some_and(|s| s.lasting >= ROUNDS);
            if self.order(None).iter().all(hopeless) {
                return Err(told(said));
            }
            tokio::time::sleep(pause(round)).await;
            round += 1;
        }
    }

    /// Asks one endpoint, for less if it must be.
    async fn once<T: Task>(&self, index: usize, task: &mut T) -> Result<T::Out, SourceError> {
        let Some(endpoint) = self.endpoints.get(index) else {
            return Err(SourceError::Question(format!(
                "there is no endpoint {index}"
            )));
        };
        let label = endpoint.label();
        let mut failed = Err(SourceError::Unreachable {
            tried: format!("{label}: it takes nothing, however small"),
        });
        let (mut good, mut blame) = (false, true);
        for again in 0..AGAIN {
            let asked = Instant::now();
            let link = match self.link(index, false).await {
                Ok(link) => link,
                Err(error) => {
                    failed = Err(error);
                    break;
                }
            };
            match task.attempt(&link).await {
                Ok(out) => {
                    metrics::histogram!("indexer_rpc_seconds", "endpoint" => label.to_string())
                        .record(asked.elapsed().as_secs_f64());
                    failed = Ok(out);
                    good = true;
                    break;
                }
                Err(Fault::Again) => {
                    endpoint.forget(&link).await;
                    tokio::time::sleep(Duration::from_millis(20) * again).await;
                    continue;
                }
                Err(Fault::Lost(why)) => {
                    endpoint.forget(&link).await;
                    failed = Err(SourceError::Unreachable {
                        tried: format!("{label}: {}: {why}", task.method()),
                    });
                }
                Err(Fault::Behind(error)) => {
                    blame = false;
                    failed = Err(error);
                }
                Err(Fault::Said(error)) => {
                    // It answers well enough, only not this.
                    blame = !error.is_lasting() || matches!(error, SourceError::Answer { .. });
                    failed = Err(error);
                }
            }
            break;
        }
        if good {
            endpoint.health().good();
        }
        if let Err(error) = &failed {
            if blame {
                endpoint.health().failed();
            }
            metrics::counter!("indexer_rpc_errors_total", "endpoint" => label.to_string())
                .increment(1);
            let error = brief(error);
            tracing::warn!(endpoint = %label, method = task.method(), "{error}");
            self.tell_trouble(Some(error));
        }
        failed
    }
}

impl Said {
    fn heard(&mut self, error: SourceError) {
        self.lasting = if error.is_lasting() {
            self.lasting + 1
        } else {
            0
        };
        self.last = Some(error);
    }
}

/// An error of one attempt, without the sentence for all of them.
fn brief(error: &SourceError) -> String {
    match error {
        SourceError::Unreachable { tried } => tried.clone(),
        other => other.to_string(),
    }
}

/// The error that says most: an answer before a missing block, both before
/// silence. An endpoint of another chain matters only when there is no other.
fn told(said: Vec<Said>) -> SourceError {
    let mut tried = Vec::new();
    let (mut missing, mut wrong) = (None, None);
    for error in said.into_iter().filter_map(|said| said.last) {
        match error {
            SourceError::Unreachable { tried: why } => tried.push(why),
            SourceError::Missing { .. } => missing = missing.or(Some(error)),
            SourceError::Genesis { .. } => wrong = Some(error),
            other => return other,
        }
    }
    if let Some(error) = missing {
        return error;
    }
    match wrong {
        Some(error) if tried.is_empty() => error,
        _ => SourceError::Unreachable {
            tried: tried.join("; "),
        },
    }
}

/// Pause before the next round: doubling from 100 ms to 10 s, with jitter.
pub(super) fn pause(round: u32) -> Duration {
    let base = 100_u64 << round.min(7);
    let jitter = rand::rng().random_range(0..=base / 2);
    Duration::from_millis((base + jitter).min(10_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreachable(tried: &str) -> SourceError {
        SourceError::Unreachable {
            tried: tried.into(),
        }
    }

    #[test]
    fn pauses_grow_and_end() {
        assert!(pause(0) < Duration::from_millis(151));
        assert!(pause(40) <= Duration::from_secs(10));
    }

    #[test]
    fn what_says_most_is_told() {
        let of = |errors: Vec<SourceError>| {
            let said = errors.into_iter().map(|error| Said {
                last: Some(error),
                lasting: 0,
            });
            told(said.collect()).to_string()
        };
        let both = of(vec![unreachable("a: no"), unreachable("b: no")]);
        assert_eq!(both.matches("no node answers").count(), 1);
        assert!(both.contains("(a: no; b: no)"), "{both}");
        let missing = SourceError::Missing {
            number: 7,
            why: "c: null".into(),
        };
        assert!(of(vec![unreachable("a"), missing.clone()]).contains("block 7"));
        let pruned = SourceError::Pruned {
            at: "7".into(),
            why: "discarded".into(),
        };
        assert!(of(vec![missing, unreachable("a"), pruned]).contains("not kept"));
    }

    #[test]
    fn only_errors_that_last_are_counted() {
        let mut said = Said::default();
        let refused = |code| SourceError::Refused {
            endpoint: "a".into(),
            method: "m".into(),
            code,
            message: String::new(),
        };
        said.heard(refused(-32601));
        said.heard(refused(-32602));
        assert_eq!(said.lasting, 2);
        said.heard(refused(-32603));
        assert_eq!(said.lasting, 0);
        said.heard(refused(-32601));
        said.heard(unreachable("a"));
        assert_eq!(said.lasting, 0);
    }
}
