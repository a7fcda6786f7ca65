//! One address: its short name, its connection, and how it behaved.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use chain_metadata::H256;
use jsonrpsee::rpc_params;

use super::answer;
use super::health::{Health, lock};
use super::link::{Ended, Link, Wiring, follow};

/// After a failed attempt to connect, further ones fail at once for so long.
const FAILS_FOR: Duration = Duration::from_secs(1);

/// An address and what is behind it.
#[derive(Debug)]
pub(super) struct Endpoint {
    wiring: Wiring,
    slot: tokio::sync::Mutex<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    link: Option<Arc<Link>>,
    failed: Option<(Instant, String)>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Down {
    /// No connection, or no answer on it.
    Unreachable(String),
    /// It serves the chain with this genesis.
    Wrong(H256),
}

impl Endpoint {
    pub(super) fn new(wiring: Wiring) -> Endpoint {
        Endpoint {
            wiring,
            slot: tokio::sync::Mutex::default(),
        }
    }

    /// Scheme, host and port.
    pub(super) fn label(&self) -> &Arc<str> {
        &self.wiring.label
    }

    /// How it behaved.
    pub(super) fn health(&self) -> MutexGuard<'_, Health> {
        lock(&self.wiring.health)
    }

    /// The open connection, or a new one that has proved its genesis: `expected`
    /// is told what it is and says what it must be. `patient` tries even when it
    /// failed a moment ago.
    pub(super) async fn link(
        &self,
        patient: bool,
        expected: impl Fn(H256) -> H256,
    ) -> Result<Arc<Link>, Down> {
        // Held while connecting: whoever waits finds the connection, or how it failed.
        let mut slot = self.slot.lock().await;
        if let Some(link) = &slot.link
            && link.is_open()
        {
            return Ok(link.clone());
        }
        if let Some((at, why)) = &slot.failed
            && !patient
            && at.elapsed() < FAILS_FOR
        {
            return Err(Down::Unreachable(why.clone()));
        }
        slot.link = None;
        let within = self.wiring.timeout;
        let connected = tokio::time::timeout(within, self.connect()).await;
        let connected = connected.unwrap_or_else(|_| Err(format!("no connection in {within:?}")));
        let (link, genesis) = match connected {
            Ok(connected) => connected,
            Err(why) => {
                slot.failed = Some((Instant::now(), why.clone()));
                return Err(Down::Unreachable(why));
            }
        };
        if genesis != expected(genesis) {
            self.health().wrong = Some(genesis);
            return Err(Down::Wrong(genesis));
        }
        let link = Arc::new(link);
        tokio::spawn(follow(Arc::downgrade(&link), self.wiring.silence));
        *slot = Slot {
            link: Some(link.clone()),
            failed: None,
        };
        Ok(link)
    }

    async fn connect(&self) -> Result<(Link, H256), String> {
        let link = Link::connect(self.wiring.clone()).await?;
        let asked = Instant::now();
        let told = match link.call(("chain_getBlockHash", rpc_params![0_u32])).await {
            Ok(told) => told,
            Err(Ended::Lost(why) | Ended::Whole { why, .. }) => {
                return Err(format!("connected, but: {why}"));
            }
        };
        link.health().took(asked.elapsed());
        match answer::hash(&told) {
            Ok(genesis) => Ok((link, genesis)),
            Err(bad) => Err(format!("it does not tell its genesis hash: {bad}")),
        }
    }

    /// Lets a connection go that is of no use any more.
    pub(super) async fn forget(&self, link: &Arc<Link>) {
        let mut slot = self.slot.lock().await;
        if slot
            .link
            .as_ref()
            .is_some_and(|held| Arc::ptr_eq(held, link))
        {
            slot.link = None;
        }
    }
}

/// A record shared between an endpoint and its connections.
pub(super) fn record() -> Arc<Mutex<Health>> {
    Arc::default()
}
