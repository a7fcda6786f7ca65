//! Addresses that are not public, and networks.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// What an address is, when it is not a public one of a single machine.
pub fn private(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => private_v4(address),
        IpAddr::V6(address) => private_v6(address),
    }
}

fn private_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    Some(match (a, b, c) {
        (0, ..) => "an unspecified address",
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => "a private address",
        (100, 64..=127, _) => "a carrier's private address",
        (127, ..) => "a loopback address",
        (169, 254, _) => "a link-local address",
        (192, 0, 0) => "an address of protocols",
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => "an address of documentation",
        (192, 88, 99) => "a relay's address",
        (198, 18..=19, _) => "an address of measurements",
        (224..=239, ..) => "a multicast address",
        (240..=255, ..) => "a reserved address",
        _ => return None,
    })
}

fn private_v6(address: Ipv6Addr) -> Option<&'static str> {
    let parts = address.segments();
    // Only this eighth is given out at all; what is inside of it and not public follows.
    match parts {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("an unspecified address"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("a loopback address"),
        [0, 0, 0, 0, 0, 0xffff, ..] => Some("an address of IPv4 in disguise"),
        [0, 0, 0, 0, 0, 0, ..] => Some("an address of IPv4 in disguise"),
        [0x64, 0xff9b, ..] => Some("an address of IPv4 behind a translator"),
        [0x100, ..] => Some("a discarded address"),
        [0xfc00..=0xfdff, ..] => Some("a private address"),
        [0xfe80..=0xfeff, ..] => Some("a link-local address"),
        [0xff00..=0xffff, ..] => Some("a multicast address"),
        [0x2001, 0x0000..=0x01ff, ..] => Some("an address of protocols"),
        [0x2001, 0xdb8, ..] => Some("an address of documentation"),
        [0x2002, ..] => Some("an address of IPv4 in a tunnel"),
        [0x3fff, 0x0000..=0x0fff, ..] => Some("an address of documentation"),
        [0x2000..=0x3fff, ..] => None,
        _ => Some("a reserved address"),
    }
}

/// A network: an address and how many of its bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

fn number(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

impl Network {
    /// Whether an address is in it. An address of IPv4 is never in a network of IPv6.
    pub fn holds(&self, address: IpAddr) -> bool {
        let ((ours, width), (theirs, other)) = (number(self.address), number(address));
        let rest = u32::from(width.saturating_sub(self.bits));
        width == other && ours.checked_shr(rest) == theirs.checked_shr(rest)
    }

    /// Whether it is of loopback addresses.
    pub fn is_loopback(&self) -> bool {
        self.address.is_loopback()
    }
}

/// A text that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no network; give an address and bits, as in 10.0.0.0/8 or fd00::/8")]
pub struct NoNetwork(String);

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Network, NoNetwork> {
        let refuse = || NoNetwork(text.chars().take(80).collect());
        let (address, bits) = text.split_once('/').ok_or_else(refuse)?;
        let address: IpAddr = address.parse().map_err(|_| refuse())?;
        let bits: u8 = bits.parse().map_err(|_| refuse())?;
        let (number, width) = number(address);
        if bits > width {
            return Err(refuse());
        }
        // Bits behind those that count are a slip of the pen.
        let rest = u32::from(width - bits);
        let behind = 1_u128.checked_shl(rest).map_or(u128::MAX, |one| one - 1);
        if number & behind != 0 {
            return Err(refuse());
        }
        Ok(Network { address, bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}
