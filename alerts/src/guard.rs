//! Which addresses may be reached: only public ones, unless a hook's settings say otherwise.
//!
//! An address is looked at twice. As text, when the settings are read: scheme, port, no user, no
//! numbers that stand for an address in disguise (the parser writes those out). And when it is
//! connected to: the name is resolved once, every address that comes back must be allowed, and
//! the connection goes to one of those very addresses. What a name resolved to earlier does not
//! matter, so a name that changes its address gains nothing.

mod address;

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use url::{Host, Url};

pub use address::{Network, NoNetwork, private};

/// Longest URL, in bytes.
const MAX_URL: usize = 2_048;
/// Most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 16;

/// Why an address may not be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// It is no URL.
    #[error("the url cannot be read: {0}; give https://host/path")]
    Url(String),
    /// It has something that it must not have.
    #[error("the url {0}")]
    Shape(&'static str),
    /// Not HTTPS.
    #[error("the url's scheme is {0}; use https, or set allow_http = true for http")]
    Scheme(String),
    /// A port of other services.
    #[error("the url's port is {0}; ports below 1024 may only be 80 and 443")]
    Port(u16),
    /// A private address.
    #[error(
        "{host} is at {address}, which is {kind}; only public addresses are reached, unless allow_networks names this one"
    )]
    Private {
        /// As in the URL.
        host: String,
        /// The address.
        address: IpAddr,
        /// What it is.
        kind: &'static str,
    },
    /// No address.
    #[error("{host} has no address: {why}")]
    Unknown {
        /// As in the URL.
        host: String,
        /// Reason.
        why: String,
    },
}

/// What a hook may reach besides public addresses by HTTPS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Plain HTTP.
    pub http: bool,
    /// Networks that are not public.
    pub networks: Vec<Network>,
}

impl Allowed {
    /// Checks one address.
    fn address(&self, host: &str, address: IpAddr) -> Result<(), GuardError> {
        let Some(kind) = private(address) else {
            return Ok(());
        };
        if self.networks.iter().any(|network| network.holds(address)) {
            return Ok(());
        }
        Err(GuardError::Private {
            host: host.to_owned(),
            address,
            kind,
        })
    }

    /// Checks a URL as far as that can be done without asking anybody.
    ///
    /// # Errors
    /// [`GuardError`], with a sentence.
    pub fn url(&self, text: &str) -> Result<Url, GuardError> {
        if text.len() > MAX_URL {
            return Err(GuardError::Shape("is longer than 2048 bytes"));
        }
        let url = Url::parse(text).map_err(|error| GuardError::Url(error.to_string()))?;
        match url.scheme() {
            "https" => {}
            "http" if self.http => {}
            other => return Err(GuardError::Scheme(other.to_owned())),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(GuardError::Shape(
                "holds a user or a password; the secret signs instead",
            ));
        }
        if url.fragment().is_some() {
            return Err(GuardError::Shape(
                "has a part behind #, which is never sent; leave it out",
            ));
        }
        let port = url.port_or_known_default().unwrap_or_default();
        if port < 1_024 && port != 80 && port != 443 {
            return Err(GuardError::Port(port));
        }
        match url.host() {
            None => return Err(GuardError::Shape("names no host")),
            Some(Host::Domain(name)) => {
                let bare = name.strip_suffix('.').unwrap_or(name);
                let local = bare == "localhost" || bare.ends_with(".localhost");
                // Some systems resolve these without asking anybody.
                if local && !self.networks.iter().any(Network::is_loopback) {
                    return Err(GuardError::Private {
                        host: name.to_owned(),
                        address: IpAddr::from([127, 0, 0, 1]),
                        kind: "a loopback address",
                    });
                }
            }
            Some(Host::Ipv4(address)) => self.address(&address.to_string(), address.into())?,
            Some(Host::Ipv6(address)) => self.address(&address.to_string(), address.into())?,
        }
        Ok(url)
    }

    /// Checks everything that a name resolved to; one bad address refuses all.
    ///
    /// # Errors
    /// [`GuardError`], with a sentence.
    pub fn addresses(
        &self,
        host: &str,
        found: impl IntoIterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, GuardError> {
        let mut good = Vec::new();
        for address in found {
            self.address(host, address.ip())?;
            good.push(address);
        }
        if good.is_empty() {
            return Err(GuardError::Unknown {
                host: host.to_owned(),
                why: "the name resolves to nothing".into(),
            });
        }
        good.truncate(MAX_ADDRESSES);
        Ok(good)
    }
}

/// What tells the addresses of a name.
pub trait Names: Send + Sync + fmt::Debug {
    /// All addresses of a host with a port.
    ///
    /// # Errors
    /// When there are none, with the reason.
    fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String>;
}

/// The system's own resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Names for System {
    fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        // As a URL writes it, an address of IPv6 stands in brackets.
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let found = (bare.unwrap_or(host), port).to_socket_addrs();
        found
            .map(Iterator::collect)
            .map_err(|error| error.to_string())
    }
}

/// Resolves for a connection: what it gives is what is connected to.
#[derive(Debug, Clone)]
pub(crate) struct Pinned {
    pub(crate) names: Arc<dyn Names>,
    pub(crate) allowed: Allowed,
}

impl Pinned {
    /// The addresses to connect to.
    pub(crate) fn of(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, GuardError> {
        let found = self.names.resolve(host, port);
        let found = found.map_err(|why| GuardError::Unknown {
            host: host.to_owned(),
            why,
        })?;
        self.allowed.addresses(host, found)
    }
}

impl Resolver for Pinned {
    fn resolve(
        &self,
        uri: &Uri,
        _config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default().to_owned();
        let default = if uri.scheme_str() == Some("http") {
            80
        } else {
            443
        };
        let port = uri.port_u16().unwrap_or(default);
        // The system's resolver cannot be stopped, so it works elsewhere and is not waited for.
        let (sender, receiver) = std::sync::mpsc::channel();
        let pinned = self.clone();
        let work = move || {
            let _ = sender.send(pinned.of(&host, port));
        };
        std::thread::Builder::new()
            .name("resolve".into())
            .spawn(work)
            .map_err(ureq::Error::Io)?;
        let wait = match timeout.after {
            ureq::unversioned::transport::time::Duration::Exact(wait) => wait,
            ureq::unversioned::transport::time::Duration::NotHappening => {
                std::time::Duration::from_secs(30)
            }
        };
        let found = match receiver.recv_timeout(wait) {
            Ok(found) => found.map_err(|error| ureq::Error::Other(Box::new(error)))?,
            Err(_) => return Err(ureq::Error::Timeout(timeout.reason)),
        };
        let mut addresses = self.empty();
        for address in found {
            addresses.push(address);
        }
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests;
