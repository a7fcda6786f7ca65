//! Who asks: the address of the other side, or what a trusted proxy says it is.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use axum::http::HeaderMap;

/// A range of addresses, as `10.0.0.0/8`; a lone address is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    base: u128,
    bits: u8,
}

/// Why a text is no range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address range; give an address, or one with a prefix as in 10.0.0.0/8")]
pub struct NoCidr(String);

/// All addresses as IPv6, those of version 4 in their mapped form.
fn wide(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn mask(bits: u8) -> u128 {
    let host = 128_u32.saturating_sub(u32::from(bits));
    u128::MAX.checked_shl(host).unwrap_or(0)
}

impl FromStr for Cidr {
    type Err = NoCidr;

    fn from_str(text: &str) -> Result<Self, NoCidr> {
        let wrong = || NoCidr(text.chars().take(80).collect());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let (all, before) = match address {
            IpAddr::V4(_) => (32, 96),
            IpAddr::V6(_) => (128, 0),
        };
        let bits: u8 = match bits {
            Some(bits) => bits.trim().parse().map_err(|_| wrong())?,
            None => all,
        };
        if bits > all {
            return Err(wrong());
        }
        let bits = bits.saturating_add(before);
        Ok(Self {
            base: wide(address) & mask(bits),
            bits,
        })
    }
}

impl Cidr {
    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        wide(address) & mask(self.bits) == self.base
    }
}

/// The header in which trusted proxies write whom they speak for. Any other one passes through them
/// as the client sent it, so that only this one is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Why a text names no such header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no header of proxies; give x-forwarded-for or forwarded, whichever yours writes")]
pub struct NoProxyHeader(String);

impl FromStr for ProxyHeader {
    type Err = NoProxyHeader;

    fn from_str(text: &str) -> Result<Self, NoProxyHeader> {
        match text.trim().to_ascii_lowercase().as_str() {
            "x-forwarded-for" => Ok(Self::XForwardedFor),
            "forwarded" => Ok(Self::Forwarded),
            _ => Err(NoProxyHeader(text.chars().take(80).collect())),
        }
    }
}

/// Most steps back through proxies.
const MOST_PROXIES: usize = 16;

/// The client's address: the peer, unless that is a trusted proxy. Then the nearest address of the
/// proxies' header that is not itself a trusted proxy: every entry was written by the one to its
/// right, so that whatever stands left of the first stranger may be invented.
pub(super) fn client(
    peer: IpAddr,
    headers: &HeaderMap,
    trusted: &[Cidr],
    header: ProxyHeader,
) -> IpAddr {
    let peer = peer.to_canonical();
    let is_trusted = |address: IpAddr| trusted.iter().any(|range| range.contains(address));
    if !is_trusted(peer) {
        return peer;
    }
    let mut nearest = peer;
    for told in hops(headers, header).into_iter().rev().take(MOST_PROXIES) {
        let Some(address) = told else {
            // A proxy of ours hides whom it speaks for: the proxy stands for them.
            return nearest;
        };
        nearest = address;
        if !is_trusted(address) {
            break;
        }
    }
    nearest
}

/// Whether some proxy says that it is one.
pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    ["x-forwarded-for", "forwarded", "x-real-ip", "via"]
        .iter()
        .any(|name| headers.contains_key(*name))
}

/// The addresses that proxies wrote down in their header, the nearest last.
fn hops(headers: &HeaderMap, header: ProxyHeader) -> Vec<Option<IpAddr>> {
    let lines = |name: &str| -> Vec<String> {
        let values = headers.get_all(name).iter();
        let texts = values.map(|value| value.to_str().unwrap_or("?"));
        texts
            .flat_map(|text| text.split(',').map(str::to_owned))
            .collect()
    };
    match header {
        ProxyHeader::XForwardedFor => lines("x-forwarded-for")
            .iter()
            .map(|text| node(text))
            .collect(),
        ProxyHeader::Forwarded => lines("forwarded")
            .iter()
            .map(|element| {
                let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
                let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
                node(value)
            })
            .collect(),
    }
}

/// `1.2.3.4`, `1.2.3.4:5`, `::1`, `[::1]`, `"[::1]:5"`.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => match text.split_once(':') {
            // One colon is a port, more are IPv6.
            Some((address, port)) if !port.contains(':') => address,
            _ => text,
        },
    };
    bare.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// Whom a rate is counted for: an IPv4 address, or the /64 of an IPv6 one, which is the least that
/// one household has.
pub(super) fn party(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask(64))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn seen(peer: &str, headers: &[(&'static str, &str)], trusted: &[&str]) -> String {
        seen_by(ProxyHeader::XForwardedFor, peer, headers, trusted)
    }

    fn seen_by(
        header: ProxyHeader,
        peer: &str,
        headers: &[(&'static str, &str)],
        trusted: &[&str],
    ) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            map.append(HeaderName::from_static(name), value);
        }
        let trusted: Vec<Cidr> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        client(ip(peer), &map, &trusted, header).to_string()
    }

    #[test]
    fn ranges_hold_what_they_say() {
        let inside =
            |range: &str, address: &str| range.parse::<Cidr>().unwrap().contains(ip(address));
        assert!(inside("10.0.0.0/8", "10.255.0.1") && !inside("10.0.0.0/8", "11.0.0.1"));
        assert!(inside("10.1.2.3/8", "10.0.0.1"));
        assert!(inside("::ffff:10.0.0.0/104", "10.0.0.1"));
        assert!(inside("10.0.0.1", "10.0.0.1") && !inside("10.0.0.1", "10.0.0.2"));
        assert!(inside("fd00::/8", "fd12::1") && !inside("fd00::/8", "2001:db8::1"));
        assert!(inside("0.0.0.0/0", "9.9.9.9") && !inside("0.0.0.0/0", "2001:db8::1"));
        assert!(inside("::/0", "9.9.9.9"));
        for wrong in [
            "",
            "/8",
            "10.0.0.0/33",
            "10.0.0/8",
            "::/129",
            "10.0.0.0/-1",
            "host",
        ] {
            assert!(wrong.parse::<Cidr>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_stranger_cannot_say_who_it_is() {
        let forged = [("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=2.2.2.2")];
        assert_eq!(seen("9.9.9.9", &forged, &[]), "9.9.9.9");
        assert_eq!(seen("9.9.9.9", &forged, &["10.0.0.0/8"]), "9.9.9.9");
        assert_eq!(seen("::ffff:9.9.9.9", &[], &[]), "9.9.9.9");
    }

    #[test]
    fn behind_proxies_the_first_stranger_from_the_right_counts() {
        let trusted = ["10.0.0.0/8", "fd00::/8"];
        let of = |list: &str| seen("10.0.0.1", &[("x-forwarded-for", list)], &trusted);
        assert_eq!(of("7.7.7.7"), "7.7.7.7");
        assert_eq!(of("1.1.1.1, 7.7.7.7, 10.0.0.2"), "7.7.7.7");
        assert_eq!(of("7.7.7.7:5000,[fd00::1]:80"), "7.7.7.7");
        assert_eq!(of("2001:db8::7"), "2001:db8::7");
        // Nobody but proxies: the farthest of them.
        assert_eq!(of("10.0.0.3, 10.0.0.2"), "10.0.0.3");
        // What cannot be read ends the walk at the one who wrote it.
        assert_eq!(of("7.7.7.7, unknown, 10.0.0.2"), "10.0.0.2");
        assert_eq!(of("garbage"), "10.0.0.1");
        let two = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "7.7.7.7"),
        ];
        assert_eq!(seen("10.0.0.1", &two, &trusted), "7.7.7.7");
        let forwarded = [(
            "forwarded",
            "for=1.1.1.1, by=3.3.3.3;For=\"[2001:db8::9]:1\"",
        )];
        let of = |headers: &[(&'static str, &str)]| {
            seen_by(ProxyHeader::Forwarded, "10.0.0.1", headers, &trusted)
        };
        assert_eq!(of(&forwarded), "2001:db8::9");
        let of = |list: &str| seen("10.0.0.1", &[("x-forwarded-for", list)], &trusted);
        let many = vec!["10.0.0.2"; 100_000].join(",");
        assert_eq!(of(&many), "10.0.0.2");
    }

    #[test]
    fn only_the_header_that_the_proxy_writes_is_believed() {
        // The proxy wrote one, and passed the client's own other one through.
        let both = [
            ("x-forwarded-for", "1.1.1.1"),
            ("forwarded", "for=\"7.7.7.7:5\""),
        ];
        let of = |header| seen_by(header, "10.0.0.1", &both, &["10.0.0.0/8"]);
        assert_eq!(of(ProxyHeader::Forwarded), "7.7.7.7");
        assert_eq!(of(ProxyHeader::XForwardedFor), "1.1.1.1");
        // Without the one, the other does not stand in for it.
        let only = |header| seen_by(header, "10.0.0.1", &both[..1], &["10.0.0.0/8"]);
        assert_eq!(only(ProxyHeader::Forwarded), "10.0.0.1");
        for (text, header) in [
            ("X-Forwarded-For", ProxyHeader::XForwardedFor),
            (" forwarded", ProxyHeader::Forwarded),
        ] {
            assert_eq!(text.parse(), Ok(header));
        }
        for wrong in ["", "x-real-ip", "forwarded,x-forwarded-for"] {
            assert!(wrong.parse::<ProxyHeader>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_household_of_version_six_is_one_party() {
        assert_eq!(party(ip("2001:db8:1:2:3::4")), ip("2001:db8:1:2::"));
        assert_eq!(party(ip("::ffff:1.2.3.4")), ip("1.2.3.4"));
    }
}
