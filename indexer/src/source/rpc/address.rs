//! Node addresses: which are any, and what of them may be shown.

use crate::source::SourceError;

/// Scheme, host and port of an address. User, path and query may be secret.
pub(super) fn label(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, url),
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    match scheme {
        Some(scheme) => format!("{scheme}://{host}"),
        None => host.to_owned(),
    }
}

/// A text without what is secret of an address: user, path and query.
pub(super) fn hide(text: &str, url: &str) -> String {
    let mut shown = text.replace(url, &label(url));
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, tail) = rest.split_at(end);
    let user = host.rsplit_once('@').map_or("", |(user, _)| user);
    for secret in [user, tail] {
        // A lone slash is in many texts and no secret.
        if secret.len() > 1 {
            shown = shown.replace(secret, "…");
        }
    }
    shown
}

/// Refuses what cannot be an address.
pub(super) fn check(url: &str) -> Result<(), SourceError> {
    let refuse = |why: &str| SourceError::Url {
        url: label(url),
        why: why.to_owned(),
    };
    if !url.starts_with("ws://") && !url.starts_with("wss://") {
        return Err(refuse("it does not begin with ws:// or wss://"));
    }
    let label = label(url);
    let host = label.split_once("://").map_or("", |(_, host)| host);
    if host.is_empty() || host.starts_with(':') || url.contains(char::is_whitespace) {
        return Err(refuse("it names no host"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_out_of_labels() {
        for (url, short) in [
            (
                "wss://host.example:443/key?token=a",
                "wss://host.example:443",
            ),
            ("wss://user:pass@host.example/x@y", "wss://host.example"),
            ("ws://a@b@[::1]:9944#f", "ws://[::1]:9944"),
            ("ws://127.0.0.1:9944", "ws://127.0.0.1:9944"),
            ("wss://host?apikey=1", "wss://host"),
            ("user:pass@host:1", "host:1"),
        ] {
            assert_eq!(label(url), short);
        }
    }

    #[test]
    fn secrets_stay_out_of_messages() {
        let url = "wss://user:pass@host.example/key?token=a";
        for (text, shown) in [
            (
                "cannot reach wss://user:pass@host.example/key?token=a now",
                "cannot reach wss://host.example now",
            ),
            (
                "moved to https://host.example/key?token=a/",
                "moved to https://host.example…/",
            ),
            ("user:pass is refused", "… is refused"),
        ] {
            assert_eq!(hide(text, url), shown);
        }
        assert_eq!(hide("a/b", "ws://host/"), "a/b");
    }

    #[test]
    fn addresses_are_checked_before_anything_is_asked() {
        for (url, word) in [
            ("http://127.0.0.1:9944", "ws://"),
            ("ws://", "no host"),
            ("ws://:9944", "no host"),
            ("ws://user@/path", "no host"),
            ("ws://a b", "no host"),
            ("", "ws://"),
        ] {
            let error = check(url).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
        let error = check("http://user:secret@host/secret").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        check("wss://user:secret@host/path").unwrap();
    }
}
