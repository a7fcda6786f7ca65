//! Rules and hooks at work: a thread each.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::chain::Chain;
use crate::deliver::{Post, Web};
use crate::engine::{Board, Engine};
use crate::file::Settings;
use crate::hook::Hook;
use crate::outbox::{Outbox, OutboxError};
use crate::worker::{Around, Stop, Streams, Worker};

/// Why it does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What was kept cannot be read.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// A hook asks for a stream that is not there.
    #[error("hook {hook}: {what}")]
    Stream {
        /// Its name.
        hook: String,
        /// A sentence.
        what: String,
    },
    /// No thread.
    #[error("a thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// Rules and hooks at work.
#[derive(Debug)]
pub struct Service {
    stop: Stop,
    threads: Vec<JoinHandle<()>>,
}

/// Checks that the streams of all hooks are there.
///
/// # Errors
/// The first that is not, with a sentence.
pub fn check_streams(hooks: &[Hook], streams: &dyn Streams) -> Result<(), StartError> {
    for hook in hooks {
        for wanted in &hook.topics {
            streams.check(wanted).map_err(|what| StartError::Stream {
                hook: hook.name.clone(),
                what,
            })?;
        }
    }
    Ok(())
}

impl Service {
    /// Starts everything; it ends with `stop`.
    ///
    /// # Errors
    /// [`StartError`]; what was started ends then.
    pub fn start(
        settings: Settings,
        outbox: Arc<dyn Outbox>,
        chain: Arc<dyn Chain>,
        streams: Arc<dyn Streams>,
        stop: Stop,
    ) -> Result<Service, StartError> {
        check_streams(&settings.hooks, &*streams)?;
        let board = Arc::new(Board::default());
        let mut works: Vec<(String, Box<dyn FnOnce() + Send>)> = Vec::new();
        // Rules first: hooks join where they stand.
        for rule in settings.rules {
            let name = format!("rule {}", rule.name);
            let (chain, outbox, board) = (chain.clone(), outbox.clone(), board.clone());
            let mut engine = Engine::new(rule, chain, outbox, board, stop.clone())?;
            works.push((name, Box::new(move || engine.run())));
        }
        for hook in settings.hooks {
            let name = format!("hook {}", hook.name);
            let post: Box<dyn Post> = Box::new(Web::new(hook.clone()));
            let around = Around {
                outbox: outbox.clone(),
                streams: streams.clone(),
                board: board.clone(),
                post,
                stop: stop.clone(),
            };
            let mut worker = Worker::new(hook, around)?;
            works.push((name, Box::new(move || worker.run())));
        }
        let mut service = Service {
            stop,
            threads: Vec::new(),
        };
        for (name, work) in works {
            match std::thread::Builder::new().name(name).spawn(work) {
                Ok(thread) => service.threads.push(thread),
                Err(error) => {
                    service.stop.now();
                    return Err(error.into());
                }
            }
        }
        Ok(service)
    }

    /// Tells everything to end and waits for it, but not longer than a time. What is still at
    /// work then is left behind, and named: what it was about to send is sent by the next program
    /// that runs with the same outbox, with the same key.
    pub fn end(self, longest: Duration) -> Vec<String> {
        self.stop.now();
        let until = Instant::now() + longest;
        let mut left = Vec::new();
        for thread in self.threads {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            while !thread.is_finished() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(10));
            }
            if !thread.is_finished() {
                tracing::warn!("{name} did not end in time; what it was about to do is done later");
                left.push(name);
            } else if thread.join().is_err() {
                tracing::error!("{name} ended unexpectedly; please report it");
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_hangs_does_not_hold_up_the_end() {
        let (free, wait) = std::sync::mpsc::channel::<()>();
        let named = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let thread = std::thread::Builder::new().name(name.into());
            thread.spawn(work).unwrap()
        };
        let stop = Stop::default();
        let heard = stop.clone();
        let patient = move || heard.nap(Duration::from_secs(3_600));
        let service = Service {
            stop,
            threads: vec![
                named("hook ends", Box::new(patient)),
                named(
                    "rule hangs",
                    Box::new(move || {
                        let _ = wait.recv();
                    }),
                ),
            ],
        };
        assert_eq!(service.end(Duration::from_secs(5)), ["rule hangs"]);
        drop(free);
    }
}
