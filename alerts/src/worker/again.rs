//! Dead letters that somebody wants tried again: once each, out of turn.
//!
//! A letter is first moved to where only its hook looks, then tried, then put aside or removed. So
//! whoever redelivers meanwhile writes over nothing, and what cannot be moved is not sent. No
//! trouble with one of them keeps the hook from its lanes.

use std::collections::BTreeMap;

use super::Worker;
use crate::outbox::{Dead, OutboxError, Pending, read, trying_name};

/// Most letters that are tried between two looks at the lanes.
const AT_ONCE: usize = 100;

/// What is remembered of letters while the disk is in trouble.
#[derive(Debug, Default)]
pub(super) struct Tried {
    /// What became of those that were sent: nothing more to do but to remove them, or the message
    /// with the reason for which it is to be put aside.
    sent: BTreeMap<String, Option<(Pending, String)>>,
    /// What was told of each, so that it is told once.
    told: BTreeMap<String, OutboxError>,
}

impl Worker {
    pub(super) fn take_again(&mut self) {
        let hook = self.hook.name.clone();
        // Those that were taken up before come first: it may have been another life.
        for name in self.letters(&format!("trying/{hook}")) {
            let done = self.try_again(&name);
            self.tell(name, done);
        }
        for name in self.letters(&format!("again/{hook}")) {
            if self.around.stop.told() {
                break;
            }
            let done = self.take_up(&name);
            self.tell(name, done);
        }
    }

    fn letters(&mut self, place: &str) -> Vec<String> {
        match self.around.outbox.list(place) {
            Ok(mut names) => {
                self.tried.told.remove(place);
                names.truncate(AT_ONCE);
                names
            }
            Err(error) => {
                self.tell(place.to_owned(), Err(error));
                Vec::new()
            }
        }
    }

    /// Moves a letter to this hook's own place and tries it.
    fn take_up(&mut self, name: &str) -> Result<(), OutboxError> {
        let file = name.rsplit('/').next().unwrap_or(name);
        let own = trying_name(&self.hook.name, file.trim_end_matches(".json"));
        if !self.around.outbox.rename(name, &own)? {
            return Ok(());
        }
        self.tried.sent.remove(&own);
        let done = self.try_again(&own);
        self.tell(own, done);
        Ok(())
    }

    /// Tries a letter, if that was not done yet, and puts it where it belongs.
    fn try_again(&mut self, name: &str) -> Result<(), OutboxError> {
        if self.around.stop.told() {
            return Ok(());
        }
        if !self.tried.sent.contains_key(name) {
            let Some(letter) = read::<Dead>(&*self.around.outbox, name)? else {
                return Ok(());
            };
            let mut message = letter.message;
            let failed = self.once(&message).err().map(|failed| {
                message.attempts = message.attempts.saturating_add(1);
                (message, format!("tried once more, and {}", failed.why))
            });
            self.tried.sent.insert(name.to_owned(), failed);
        }
        if let Some(Some((message, reason))) = self.tried.sent.get(name).cloned() {
            self.bury(&message, reason)?;
            self.tried.sent.insert(name.to_owned(), None);
        }
        self.around.outbox.remove(name)?;
        self.tried.sent.remove(name);
        Ok(())
    }

    /// Tells what went wrong with a letter, unless that was told already.
    fn tell(&mut self, name: String, done: Result<(), OutboxError>) {
        match done {
            Ok(()) => {
                self.tried.told.remove(&name);
            }
            Err(error) if self.tried.told.get(&name) == Some(&error) => {}
            Err(error) => {
                tracing::error!(
                    hook = self.hook.name,
                    "what is to be tried again waits: {error}"
                );
                self.tried.told.insert(name, error);
            }
        }
    }
}
