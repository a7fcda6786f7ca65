//! The door: who may come in, how often, and how many at once.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::address::{Cidr, ProxyHeader, party};
use super::auth::{ApiKey, Keys};
use super::connections::{Bounds, Connection, Connections, Full, Party, Whose};
use super::rate::{Buckets, Level, Rate};
use super::tls::Tls;

/// How many addresses are remembered. An entry has about 80 bytes.
const MOST_ADDRESSES: usize = 1 << 16;
/// How many keys are.
const MOST_KEYS: usize = 1 << 14;

/// Places of the listener for metrics, all its own.
const SIDE_CONNECTIONS: usize = 128;
/// Of so many connections one is kept for this machine, and never more than the second.
const RESERVE_ONE_OF: usize = 64;
const RESERVE_MOST: usize = 16;

/// How the door is kept. The default lets everybody in and counts whoever is not on this machine.
#[derive(Clone)]
pub struct DoorOptions {
    /// The keys in force.
    pub keys: Arc<Keys>,
    /// Whether nothing but pages and probes is answered without a key.
    pub require_key: bool,
    /// Whether signed reports need a key of scope `ingest` besides.
    pub ingest_requires_key: bool,
    /// Rate of an address without a key.
    pub anonymous: Rate,
    /// Rate of a key that has none of its own.
    pub keyed: Rate,
    /// Whether this machine's own addresses are counted like others.
    pub limit_loopback: bool,
    /// Proxies whose word on the client's address is taken.
    pub trusted_proxies: Vec<Cidr>,
    /// The header in which they write it.
    pub proxy_header: ProxyHeader,
    /// Most open connections.
    pub max_connections: usize,
    /// Most open connections of one address.
    pub connections_per_address: usize,
    /// Most WebSockets and event streams of one caller, a key or an address.
    pub streams_per_caller: usize,
    /// How long the head of a request may take, and how long a connection may be idle.
    pub header_timeout: Duration,
    /// How long a client may take to read 256 KiB that wait for it.
    pub read_timeout: Duration,
    /// Certificate and key; without them the listener speaks plain HTTP.
    pub tls: Option<Arc<Tls>>,
}

impl Default for DoorOptions {
    fn default() -> Self {
        Self {
            keys: Arc::default(),
            require_key: false,
            ingest_requires_key: false,
            anonymous: Rate {
                per_second: 20.0,
                burst: 200.0,
            },
            keyed: Rate {
                per_second: 200.0,
                burst: 2_000.0,
            },
            limit_loopback: false,
            trusted_proxies: Vec::new(),
            proxy_header: ProxyHeader::default(),
            max_connections: 4_096,
            connections_per_address: 64,
            streams_per_caller: 32,
            header_timeout: Duration::from_secs(15),
            read_timeout: Duration::from_secs(30),
            tls: None,
        }
    }
}

impl fmt::Debug for DoorOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DoorOptions")
            .field("keys", &self.keys)
            .field("require_key", &self.require_key)
            .field("anonymous", &self.anonymous)
            .field("keyed", &self.keyed)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// The door at work.
pub(super) struct Door {
    pub(super) options: DoorOptions,
    addresses: Buckets<IpAddr>,
    /// Of those who ask what their pages may do.
    preflights: Buckets<IpAddr>,
    keys: Buckets<String>,
    pub(super) connections: Arc<Connections>,
    /// Those of the listener for metrics: whoever fills the other one does not fill this.
    side: Arc<Connections>,
}

impl Door {
    pub(super) fn new(options: DoorOptions) -> Self {
        let connections = options.max_connections.max(1);
        let side = Bounds {
            connections: SIDE_CONNECTIONS,
            per_address: SIDE_CONNECTIONS / 4,
            streams: 1,
            reserved: SIDE_CONNECTIONS / RESERVE_ONE_OF,
        };
        let bounds = Bounds {
            connections,
            reserved: (connections / RESERVE_ONE_OF).min(RESERVE_MOST),
            per_address: options.connections_per_address.max(1),
            streams: options.streams_per_caller.max(1),
        };
        Self {
            options,
            addresses: Buckets::new(MOST_ADDRESSES),
            preflights: Buckets::new(MOST_ADDRESSES),
            keys: Buckets::new(MOST_KEYS),
            connections: Connections::new(bounds),
            side: Connections::new(side),
        }
    }

    /// A place for a connection, on the listener for metrics (`side`) or the other.
    pub(super) fn open(
        &self,
        peer: SocketAddr,
        https: bool,
        side: bool,
    ) -> Result<Arc<Connection>, Full> {
        let address = peer.ip();
        let own = address.is_loopback() && !self.options.limit_loopback;
        let whose = match own {
            true => Whose::Own,
            false if self.trusts(address) => Whose::Proxy,
            false => Whose::Stranger,
        };
        let table = if side { &self.side } else { &self.connections };
        table.open(peer, whose, https)
    }

    /// Ends all connections.
    pub(super) fn cut_all(&self) {
        self.connections.cut_all();
        self.side.cut_all();
    }

    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        let proxies = &self.options.trusted_proxies;
        proxies.iter().any(|range| range.contains(address))
    }

    pub(super) fn tls(&self) -> Option<&Tls> {
        self.options.tls.as_deref()
    }

    pub(super) fn header_timeout(&self) -> Duration {
        self.options.header_timeout
    }

    /// The rate of a party, as it is called in policies and metrics.
    fn rate(&self, key: Option<&ApiKey>) -> (Rate, &'static str) {
        match key {
            Some(key) => (key.rate.unwrap_or(self.options.keyed), "key"),
            None => (self.options.anonymous, "anonymous"),
        }
    }

    /// Takes a token of whoever asks. `None` where no limit is.
    pub(super) fn take(
        &self,
        address: IpAddr,
        key: Option<&ApiKey>,
    ) -> Option<Result<Level, Level>> {
        let (now, (rate, _)) = (Instant::now(), self.rate(key));
        match key {
            Some(key) => self.keys.take(&key.id, rate, now),
            None => self.addresses.take(&party(address), rate, now),
        }
    }

    /// Takes a token for a preflight. `None` where no limit is.
    pub(super) fn take_preflight(&self, address: IpAddr) -> Option<Result<Level, Level>> {
        let rate = self.options.keyed;
        self.preflights.take(&party(address), rate, Instant::now())
    }

    /// Takes what was measured afterwards; nothing only looks.
    pub(super) fn charge(&self, address: IpAddr, key: Option<&ApiKey>, cost: f64) -> Option<Level> {
        let (now, (rate, _)) = (Instant::now(), self.rate(key));
        match key {
            Some(key) => self.keys.charge(&key.id, rate, cost, now),
            None => self.addresses.charge(&party(address), rate, cost, now),
        }
    }

    /// Cuts the streams of keys that are revoked or over, from time to time, for ever.
    pub(super) async fn watch_keys(&self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
            let now = now_ms();
            let keys = &self.options.keys;
            self.connections.keep_keys(|key| keys.holds(key, now));
        }
    }
}

/// Whose place a stream takes.
pub(super) fn holder(address: IpAddr, key: Option<&ApiKey>) -> Party {
    match key {
        Some(key) => holder_of(key),
        None => Party::Address(party(address)),
    }
}

/// Whose place a stream of a key takes.
pub(super) fn holder_of(key: &ApiKey) -> Party {
    Party::Key(key.id.clone())
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
