//! A name for every request: in its answer, in every log line about it, in the body of a failure.

use std::future::Future;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// The header, of requests and of answers.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id that is taken from a client.
const MOST: usize = 64;

tokio::task_local! {
    static CURRENT: HeaderValue;
}

/// The client's id if it is short and plain, one of our own otherwise. What is taken can forge no
/// log line: it holds letters, digits, `.`, `_` and `-` only.
pub(super) fn of(headers: &HeaderMap) -> HeaderValue {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let is_fine = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        (1..=MOST).contains(&bytes.len()) && bytes.iter().all(plain)
    };
    headers
        .get(HEADER)
        .filter(is_fine)
        .cloned()
        .unwrap_or_else(made)
}

fn made() -> HeaderValue {
    let text = hex::encode(rand::random::<[u8; 16]>());
    // Hex digits are always a header's value.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("none"))
}

/// Runs a request under its id.
pub(super) async fn within<F: Future>(id: HeaderValue, request: F) -> F::Output {
    CURRENT.scope(id, request).await
}

/// The id of the request that this task answers; `None` outside of any.
pub(crate) fn current() -> Option<String> {
    let text = |id: &HeaderValue| id.to_str().ok().map(str::to_owned);
    CURRENT.try_with(text).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(value: &[u8]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_bytes(value).unwrap());
        of(&headers).as_bytes() == value
    }

    #[test]
    fn only_short_and_plain_ids_are_taken() {
        assert!(taken(b"a") && taken(b"Az09._-") && taken(&[b'x'; MOST]));
        for wrong in [
            &b""[..],
            b"a b",
            b"a\tb",
            b"a=b",
            b"\xff",
            b"\"",
            &[b'x'; MOST + 1],
        ] {
            assert!(!taken(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn made_ids_differ() {
        let empty = HeaderMap::new();
        let (one, two) = (of(&empty), of(&empty));
        assert_eq!(one.len(), 32);
        assert_ne!(one, two);
    }

    #[tokio::test]
    async fn a_task_knows_its_request() {
        assert_eq!(current(), None);
        let id = HeaderValue::from_static("abc");
        let seen = within(id, async { current() }).await;
        assert_eq!(seen.as_deref(), Some("abc"));
    }
}
