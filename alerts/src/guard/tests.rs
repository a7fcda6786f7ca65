use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;

/// Every one of these leads to a machine that is none of a receiver's business.
const HOSTILE: &[&str] = &[
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.1./",
    "https://①②⑦.⓪.⓪.①/",
    "https://127%2E0%2E0%2E1/",
    "https://localhost/",
    "https://LOCALHOST./",
    "https://a.localhost/",
    "https://0/",
    "https://0.0.0.0/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://192.0.0.8/",
    "https://192.0.2.1/",
    "https://198.51.100.1/",
    "https://203.0.113.9/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://240.0.0.1/",
    "https://[::]/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:8.8.8.8]/",
    "https://[::127.0.0.1]/",
    "https://[::ffff:0:127.0.0.1]/",
    "https://[64:ff9b::127.0.0.1]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001::1]/",
    "https://[2001:db8::1]/",
    "https://[3fff::1]/",
    "https://[fc00::1]/",
    "https://[fd12:3456::1]/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[100::1]/",
    "https://[5f00::1]/",
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://example.com#@127.0.0.1/",
    "https://example.com:22/",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://",
    "https:///127.0.0.1/",
    "//example.com/",
    "example.com",
    "",
    "https://exa mple.com/",
    "https://[::1%25lo]/",
];

#[test]
fn hostile_urls_are_refused() {
    for url in HOSTILE {
        let found = Allowed::default().url(url);
        assert!(found.is_err(), "{url} is taken for {found:?}");
    }
    let long = format!("https://example.com/{}", "a".repeat(3_000));
    assert!(Allowed::default().url(&long).is_err());
}

#[test]
fn public_urls_are_taken() {
    for url in [
        "https://example.com/",
        "https://example.com:8443/hook?token=1",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://bücher.example/",
        "https://172.32.0.1/",
        "https://100.128.0.1/",
    ] {
        assert!(Allowed::default().url(url).is_ok(), "{url}");
    }
    let http = Allowed {
        http: true,
        ..Allowed::default()
    };
    assert!(http.url("http://example.com/").is_ok());
    assert!(http.url("http://127.0.0.1/").is_err());
}

#[test]
fn networks_are_allowed_one_by_one() {
    let loopback = Allowed {
        http: true,
        networks: vec!["127.0.0.0/8".parse().unwrap()],
    };
    assert!(loopback.url("http://127.0.0.1:9000/").is_ok());
    assert!(loopback.url("http://localhost:9000/").is_ok());
    for url in [
        "http://10.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
    ] {
        assert!(loopback.url(url).is_err(), "{url}");
    }
    for text in [
        "127.0.0.1",
        "10.0.0.1/8",
        "10.0.0.0/33",
        "x/8",
        "::/129",
        "",
        "/",
        "fd00::1/8",
    ] {
        assert!(text.parse::<Network>().is_err(), "{text}");
    }
    for (network, inside, outside) in [
        ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
        ("0.0.0.0/0", "1.2.3.4", "::1"),
        ("::/0", "fe80::1", "1.2.3.4"),
        ("fd00::/8", "fdff::1", "fe00::1"),
        ("192.168.1.7/32", "192.168.1.7", "192.168.1.6"),
    ] {
        let network: Network = network.parse().unwrap();
        assert!(network.holds(inside.parse().unwrap()), "{network} {inside}");
        assert!(
            !network.holds(outside.parse().unwrap()),
            "{network} {outside}"
        );
    }
}

/// A name server that says something else each time.
#[derive(Debug)]
struct Changing {
    answers: Vec<Vec<&'static str>>,
    asked: AtomicUsize,
}

impl Names for Changing {
    fn resolve(&self, _host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers.get(asked).ok_or("no such name")?;
        let address = |text: &&str| SocketAddr::new(text.parse().unwrap(), port);
        Ok(answer.iter().map(address).collect())
    }
}

fn pinned(answers: Vec<Vec<&'static str>>) -> (Pinned, Arc<Changing>) {
    let names = Arc::new(Changing {
        answers,
        asked: AtomicUsize::new(0),
    });
    let pinned = Pinned {
        names: names.clone(),
        allowed: Allowed::default(),
    };
    (pinned, names)
}

#[test]
fn names_that_lead_inside_are_refused() {
    for answer in [
        vec!["127.0.0.1"],
        vec!["8.8.8.8", "127.0.0.1"],
        vec!["8.8.8.8", "::ffff:10.0.0.1"],
        vec!["fd00::1"],
    ] {
        let (pinned, _) = pinned(vec![answer.clone()]);
        let error = pinned.of("evil.example", 443).unwrap_err();
        assert!(matches!(error, GuardError::Private { .. }), "{answer:?}");
        assert!(error.to_string().contains("evil.example"), "{error}");
    }
    let (empty, _) = pinned(vec![vec![]]);
    assert!(matches!(
        empty.of("x", 443),
        Err(GuardError::Unknown { .. })
    ));
    let (unknown, _) = pinned(vec![]);
    assert!(matches!(
        unknown.of("x", 443),
        Err(GuardError::Unknown { .. })
    ));
}

#[test]
fn what_was_checked_is_what_is_connected_to() {
    // Public when looked at first, loopback ever after: each connection looks anew, once, and
    // takes what it saw.
    let (pinned, names) = pinned(vec![vec!["8.8.8.8"], vec!["127.0.0.1"]]);
    let seen = pinned.of("evil.example", 443).unwrap();
    assert_eq!(seen, ["8.8.8.8:443".parse().unwrap()]);
    assert!(pinned.of("evil.example", 443).is_err());
    assert_eq!(names.asked.load(Ordering::SeqCst), 2);
}

#[test]
fn the_system_knows_addresses_in_brackets() {
    let found = System.resolve("[::1]", 5).unwrap();
    assert_eq!(found, ["[::1]:5".parse().unwrap()]);
}

proptest! {
    #[test]
    fn no_spelling_of_an_inner_address_passes(address in any::<u32>(), form in 0_u8..4) {
        let ip = std::net::Ipv4Addr::from_bits(address);
        let [a, b, c, d] = ip.octets();
        let host = match form {
            0 => ip.to_string(),
            1 => address.to_string(),
            2 => format!("0x{address:x}"),
            _ => format!("0{a:o}.0x{b:x}.{}", u16::from_be_bytes([c, d])),
        };
        let taken = Allowed::default().url(&format!("https://{host}/"));
        prop_assert_eq!(taken.is_ok(), private(ip.into()).is_none(), "{}", host);
        for inside in [format!("[::ffff:{ip}]"), format!("[::{ip}]"), format!("[64:ff9b::{ip}]")] {
            let taken = Allowed::default().url(&format!("https://{inside}/"));
            prop_assert!(taken.is_err(), "{}", inside);
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        let _ = Allowed::default().url(&text);
        let _ = text.parse::<Network>();
    }

    #[test]
    fn a_network_holds_itself(address in any::<u128>(), bits in 0_u8..=128) {
        let rest = u32::from(128 - bits);
        let base = address.checked_shr(rest).unwrap_or(0).checked_shl(rest).unwrap_or(0);
        let text = format!("{}/{bits}", std::net::Ipv6Addr::from_bits(base));
        let network: Network = text.parse().unwrap();
        prop_assert!(network.holds(std::net::Ipv6Addr::from_bits(address).into()));
    }
}
