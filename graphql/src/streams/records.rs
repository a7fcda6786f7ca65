//! One client's way along the ledger of results. The ledger tells nobody of new records, so it is
//! asked once a second, for all clients together.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::cursor::{Place, StreamCursor};
use super::filter::Sieve;
use super::hub::Hub;
use super::walk::Beat;
use super::{StreamError, Wanted, now_ms};
use crate::ports::{ReadError, ResultRecord};

/// How often it is asked whether there are more.
const EVERY: Duration = Duration::from_secs(1);
/// Records that one read takes.
const BATCH: usize = 64;

/// What comes.
pub(crate) enum RecordStep {
    Record(StreamCursor, Box<ResultRecord>),
    Heartbeat(Beat),
}

pub(crate) struct Records {
    hub: Arc<Hub>,
    sieve: Sieve,
    /// Number of the next record.
    next: u64,
    ready: VecDeque<ResultRecord>,
    next_beat: Option<Instant>,
    ended: bool,
}

impl Records {
    pub(super) async fn begin(
        hub: Arc<Hub>,
        sieve: Sieve,
        wanted: &Wanted,
    ) -> Result<Self, StreamError> {
        let next = match wanted.after.map(|cursor| cursor.place()) {
            Some(Place::Records(done)) => done,
            _ => {
                hub.read("stream_records", |reader| reader.result_count())
                    .await?
            }
        };
        Ok(Self {
            hub,
            sieve,
            next,
            ready: VecDeque::new(),
            next_beat: None,
            ended: false,
        })
    }

    pub(crate) async fn next(&mut self) -> Option<Result<RecordStep, StreamError>> {
        if self.ended {
            return None;
        }
        let step = self.step().await;
        self.ended = step.is_err();
        Some(step)
    }

    async fn step(&mut self) -> Result<RecordStep, StreamError> {
        loop {
            if self.next_beat.is_none_or(|due| due <= Instant::now()) {
                return self.beat().await;
            }
            while let Some(record) = self.ready.pop_front() {
                self.next = record.number.saturating_add(1);
                if self.sieve.record(&record) {
                    return Ok(RecordStep::Record(self.cursor(), Box::new(record)));
                }
            }
            if self.hub.record_count().await? > self.next {
                self.ready = self.hub.records(self.next, BATCH).await?.into();
                if !self.ready.is_empty() {
                    continue;
                }
            }
            let beat = self.next_beat.unwrap_or_else(Instant::now);
            tokio::time::sleep_until(beat.min(Instant::now() + EVERY)).await;
        }
    }

    async fn beat(&mut self) -> Result<RecordStep, StreamError> {
        self.next_beat = Some(Instant::now() + self.hub.options.heartbeat);
        let look = match self.hub.look(0).await {
            Ok(look) => Some(look),
            // A branch that lost says nothing of records.
            Err(ReadError::Dropped(_)) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(RecordStep::Heartbeat(Beat {
            cursor: self.cursor(),
            indexed: look.as_ref().and_then(|look| look.indexed),
            finalized: look.as_ref().and_then(|look| look.finalized),
            at_ms: now_ms(),
        }))
    }

    fn cursor(&self) -> StreamCursor {
        StreamCursor::behind_records(self.next)
    }
}
