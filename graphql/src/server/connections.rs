//! Who is connected: how many in all, how many of one address, how many streams of one caller.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Context;

use futures::task::AtomicWaker;

use super::address::party;
use super::auth::ApiKey;

/// Whom rates and streams are counted for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Party {
    /// An address without a key.
    Address(IpAddr),
    /// The naming part of a key.
    Key(String),
}

/// Why a connection or stream is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full {
    /// Which bound, as it is called in metrics.
    pub(super) limit: &'static str,
    /// The bound.
    pub(super) most: usize,
}

/// Bounds of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) connections: usize,
    pub(super) per_address: usize,
    pub(super) streams: usize,
    /// Of the connections, those that only this machine can have: its probes come in also when
    /// others hold all the rest.
    pub(super) reserved: usize,
}

/// Whose connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// This machine's, which is its owner's.
    Own,
    /// A trusted proxy's, which speaks for many.
    Proxy,
    /// Anybody's; those of one address are bounded.
    Stranger,
}

/// All open connections.
pub(super) struct Connections {
    held: Mutex<Held>,
    bounds: Bounds,
}

#[derive(Default)]
struct Held {
    next: u64,
    open: HashMap<u64, Weak<Connection>>,
    addresses: HashMap<IpAddr, usize>,
    streams: HashMap<Party, usize>,
}

/// One more of a kind, unless there are so many already.
fn more<K: Hash + Eq>(counts: &mut HashMap<K, usize>, who: K, most: usize) -> bool {
    let count = counts.get(&who).copied().unwrap_or(0);
    if count >= most {
        return false;
    }
    counts.insert(who, count.saturating_add(1));
    true
}

fn fewer<K: Hash + Eq>(counts: &mut HashMap<K, usize>, who: &K) {
    if let Some(count) = counts.get_mut(who) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(who);
        }
    }
}

impl Connections {
    pub(super) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            held: Mutex::default(),
            bounds,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection.
    pub(super) fn open(
        self: &Arc<Self>,
        peer: SocketAddr,
        whose: Whose,
        https: bool,
    ) -> Result<Arc<Connection>, Full> {
        let counted = (whose == Whose::Stranger).then(|| party(peer.ip()));
        let most = match whose {
            Whose::Own => self.bounds.connections,
            _ => self.bounds.connections.saturating_sub(self.bounds.reserved),
        };
        let mut held = self.lock();
        if held.open.len() >= most {
            return Err(Full {
                limit: "connections",
                most,
            });
        }
        if let Some(address) = counted
            && !more(&mut held.addresses, address, self.bounds.per_address)
        {
            return Err(Full {
                limit: "connections_per_address",
                most: self.bounds.per_address,
            });
        }
        let id = held.next;
        held.next = id.wrapping_add(1);
        let connection = Arc::new(Connection {
            id,
            peer,
            https,
            counted,
            is_cut: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            streams: Mutex::default(),
            table: self.clone(),
        });
        held.open.insert(id, Arc::downgrade(&connection));
        metrics::gauge!("http_connections").increment(1.0);
        Ok(connection)
    }

    /// A place for a long answer of a caller.
    pub(super) fn stream(self: &Arc<Self>, who: Party) -> Result<StreamPlace, Full> {
        let most = self.bounds.streams;
        if !more(&mut self.lock().streams, who.clone(), most) {
            return Err(Full {
                limit: "streams_per_caller",
                most,
            });
        }
        Ok(StreamPlace {
            counted: Some((who, self.clone())),
        })
    }

    /// Cuts every connection with a stream of a key for which this says no.
    pub(super) fn keep_keys(&self, holds: impl Fn(&ApiKey) -> bool) {
        for connection in self.all() {
            let streams = connection.streams();
            let keys = streams.iter().filter_map(|(_, key)| key.as_ref());
            let is_over = keys.into_iter().any(|key| !holds(key));
            drop(streams);
            if is_over {
                connection.cut();
            }
        }
    }

    /// Cuts all connections.
    pub(super) fn cut_all(&self) {
        for connection in self.all() {
            connection.cut();
        }
    }

    fn all(&self) -> Vec<Arc<Connection>> {
        let held = self.lock();
        held.open.values().filter_map(Weak::upgrade).collect()
    }
}

/// A place for a long answer; its place is free when this is dropped.
pub(super) struct StreamPlace {
    counted: Option<(Party, Arc<Connections>)>,
}

impl StreamPlace {
    /// One that is not bounded.
    pub(super) fn uncounted() -> Self {
        Self { counted: None }
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        if let Some((who, table)) = &self.counted {
            fewer(&mut table.lock().streams, who);
        }
    }
}

/// Streams of a connection, and the keys by which they were let in.
type Streams = Vec<(StreamPlace, Option<Arc<ApiKey>>)>;

/// One connection; its places are free when the socket is closed and this is dropped.
pub(super) struct Connection {
    id: u64,
    /// The other side of the socket.
    pub(super) peer: SocketAddr,
    /// Whether it is spoken to by TLS.
    pub(super) https: bool,
    counted: Option<IpAddr>,
    is_cut: AtomicBool,
    waker: AtomicWaker,
    streams: Mutex<Streams>,
    table: Arc<Connections>,
}

impl Connection {
    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the place of a stream until the socket is closed.
    pub(super) fn keep(&self, place: StreamPlace, key: Option<Arc<ApiKey>>) {
        self.streams().push((place, key));
    }

    /// Gives the socket to a key that was shown on it: what was kept before is given back.
    pub(super) fn hand_over(&self, place: StreamPlace, key: Arc<ApiKey>) {
        let before = std::mem::replace(&mut *self.streams(), vec![(place, Some(key))]);
        drop(before);
    }

    /// Gives back the places of streams that are over: where a request comes, the answer before it
    /// has come to its end.
    pub(super) fn next_request(&self) {
        let over = std::mem::take(&mut *self.streams());
        drop(over);
    }

    /// Ends the connection at its next read.
    pub(super) fn cut(&self) {
        self.is_cut.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Whether it is to end; if not, the task is woken when it is.
    pub(super) fn poll_cut(&self, context: &Context<'_>) -> bool {
        self.waker.register(context.waker());
        self.is_cut.load(Ordering::Acquire)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut held = self.table.lock();
        held.open.remove(&self.id);
        if let Some(address) = &self.counted {
            fewer(&mut held.addresses, address);
        }
        metrics::gauge!("http_connections").decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let table = Connections::new(Bounds {
            connections: 3,
            per_address: 2,
            streams: 1,
            reserved: 0,
        });
        let open = |text: &str, whose| table.open(peer(text), whose, false);
        let one = open("1.1.1.1:1", Whose::Stranger).unwrap();
        let two = open("1.1.1.1:2", Whose::Stranger).unwrap();
        assert_eq!(
            open("1.1.1.1:3", Whose::Stranger).err().unwrap().limit,
            "connections_per_address"
        );
        // Addresses that are not counted meet the total only.
        let three = open("1.1.1.1:3", Whose::Proxy).unwrap();
        let full = open("2.2.2.2:1", Whose::Stranger).err().unwrap();
        assert_eq!(full.limit, "connections");
        drop((one, three));
        let four = open("[2001:db8::1]:1", Whose::Stranger).unwrap();
        let who = || Party::Key("k".into());
        four.keep(table.stream(who()).unwrap(), None);
        assert_eq!(table.stream(who()).err().unwrap().most, 1);
        assert!(table.stream(Party::Address(peer("1.1.1.1:1").ip())).is_ok());
        drop(four);
        assert!(table.stream(who()).is_ok());
        drop(two);
        let held = table.lock();
        assert!(held.open.is_empty() && held.addresses.is_empty() && held.streams.is_empty());
    }

    #[test]
    fn this_machine_finds_a_place_when_others_hold_the_rest() {
        let table = Connections::new(Bounds {
            connections: 4,
            per_address: 9,
            streams: 1,
            reserved: 1,
        });
        let open = |text: &str, whose| table.open(peer(text), whose, false);
        let held: Vec<_> = (0..3)
            .map(|_| open("1.1.1.1:1", Whose::Stranger).unwrap())
            .collect();
        for whose in [Whose::Stranger, Whose::Proxy] {
            assert_eq!(open("2.2.2.2:1", whose).err().unwrap().most, 3);
        }
        let probe = open("127.0.0.1:1", Whose::Own).unwrap();
        assert_eq!(open("127.0.0.1:2", Whose::Own).err().unwrap().most, 4);
        drop((held, probe));
    }
}
