//! Rules and hooks at work: a thread each.

use std::sync::Arc;
use std::thread::JoinHandle;

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

    /// Tells everything to end and waits for it: at most as long as one attempt may take.
    pub fn end(self) {
        self.stop.now();
        for thread in self.threads {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                tracing::error!("{name} ended unexpectedly; please report it");
            }
        }
    }
}
