//! Signed requests.

use std::collections::BTreeMap;

use chain_metadata::AccountId;
use challenges::sn61::auth::{AuthError, WINDOW_NS, check, message};
use schnorrkel::{ExpansionMode, Keypair, MiniSecretKey, signing_context};

const NOW: u64 = 1_700_000_000_000_000_000;

fn pair(seed: u8) -> Keypair {
    let secret = MiniSecretKey::from_bytes(&[seed; 32]).unwrap();
    secret.expand_to_keypair(ExpansionMode::Ed25519)
}

fn signed(pair: &Keypair, text: &str) -> String {
    let signature = pair.sign(signing_context(b"substrate").bytes(text.as_bytes()));
    format!("0x{}", hex::encode(signature.to_bytes()))
}

fn headers(pair: &Keypair, hashed: &[u8], time: u64) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("validator-uid", "3".to_owned()),
        (
            "validator-hotkey",
            AccountId(pair.public.to_bytes()).to_string(),
        ),
        ("timestamp", time.to_string()),
        ("signature", signed(pair, &message(hashed, time))),
    ])
}

fn asked(headers: &BTreeMap<&'static str, String>, body: &[u8]) -> Result<[u8; 32], AuthError> {
    let header = |name: &str| headers.get(name).map(String::as_str);
    check(header, body, NOW, WINDOW_NS).map(|signed| {
        assert_eq!(signed.uid, 3);
        signed.once
    })
}

const BODY: &[u8] = br#"{"challenge_name":"ab_sniffer_v6"}"#;
const PYTHON: &[u8] = br#"{"challenge_name": "ab_sniffer_v6"}"#;

#[test]
fn both_ways_of_hashing_are_taken() {
    assert_eq!(
        message(PYTHON, 5),
        "b747d774eb4fc6cf1111d6866b8114e9cac19954899192a37673d118d79aa517.5"
    );
    let pair = pair(1);
    let as_sent = headers(&pair, BODY, NOW);
    let as_python = headers(&pair, PYTHON, NOW);
    let once = asked(&as_sent, BODY).unwrap();
    // Another signature of the same text is the same request.
    let again = headers(&pair, BODY, NOW);
    assert_eq!(asked(&again, BODY), Ok(once));
    // Blanks do not make another request of what is hashed as Python writes it.
    let python = asked(&as_python, BODY).unwrap();
    assert_eq!(
        asked(&as_python, br#"{ "challenge_name":  "ab_sniffer_v6"}"#),
        Ok(python)
    );
    assert_ne!(once, python);
    assert_eq!(asked(&as_sent, PYTHON), Err(AuthError::Signature));
}

#[test]
fn what_is_wrong_is_refused() {
    let pair = pair(1);
    let right = headers(&pair, BODY, NOW);
    for name in [
        "validator-uid",
        "validator-hotkey",
        "timestamp",
        "signature",
    ] {
        let mut headers = right.clone();
        headers.remove(name);
        assert_eq!(asked(&headers, BODY), Err(AuthError::Missing(name)));
    }
    for (name, value) in [
        ("validator-uid", "65536"),
        ("validator-uid", "-1"),
        ("validator-hotkey", "5F"),
        ("timestamp", "1.5"),
        ("timestamp", "+1"),
        ("timestamp", ""),
        ("timestamp", "01700000000000000000"),
        ("timestamp", "99999999999999999999999"),
        ("signature", "12"),
        ("signature", "0x12"),
        ("signature", &format!("0x{}", "é".repeat(64))),
    ] {
        let mut headers = right.clone();
        headers.insert(name, value.to_owned());
        let error = asked(&headers, BODY);
        assert!(
            matches!(error, Err(AuthError::Header { name: n, .. }) if n == name),
            "{name} {value}"
        );
    }
    for time in [NOW - WINDOW_NS - 1, NOW + WINDOW_NS + 1] {
        let stale = asked(&headers(&pair, BODY, time), BODY);
        assert_eq!(
            stale,
            Err(AuthError::Stale {
                seconds: 61,
                window: 60
            })
        );
    }
    for time in [NOW - WINDOW_NS, NOW + WINDOW_NS] {
        assert!(asked(&headers(&pair, BODY, time), BODY).is_ok());
    }
    let mut other = right.clone();
    other.insert(
        "validator-hotkey",
        AccountId(self::pair(2).public.to_bytes()).to_string(),
    );
    let mut later = right.clone();
    later.insert("timestamp", (NOW + 1).to_string());
    let mut forged = right;
    forged.insert("signature", format!("0x{}", "00".repeat(64)));
    for headers in [other, later, forged] {
        assert_eq!(asked(&headers, BODY), Err(AuthError::Signature));
        assert_eq!(asked(&headers, b"no json"), Err(AuthError::Signature));
    }
}
