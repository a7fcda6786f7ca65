//! Which pages of browsers may read the answers.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

/// Whose pages may read. No cookie is ever used, so that a page can do no more than its visitor
/// could from a command line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Cors {
    /// Those of any origin: the data is public, and what can be written is signed.
    #[default]
    Any,
    /// Those of this server only.
    Off,
    /// Those of these origins besides.
    Origins(Vec<HeaderValue>),
}

/// A text is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no origin; give any, off, or origins such as https://example.org, with commas between"
)]
pub struct NoOrigin(String);

impl std::str::FromStr for Cors {
    type Err = NoOrigin;

    /// `any`, `off`, or origins with commas between.
    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        match text.trim() {
            "any" => return Ok(Self::Any),
            "off" => return Ok(Self::Off),
            _ => {}
        }
        let origins = parts.map(origin).collect::<Result<Vec<_>, _>>()?;
        match origins.is_empty() {
            true => Err(NoOrigin(text.to_owned())),
            false => Ok(Self::Origins(origins)),
        }
    }
}

fn origin(text: &str) -> Result<HeaderValue, NoOrigin> {
    let wrong = || NoOrigin(text.chars().take(80).collect());
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let is_host = |host: &str| {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        !host.is_empty() && host.bytes().all(fine)
    };
    host.filter(|host| is_host(host)).ok_or_else(wrong)?;
    // Browsers send it in lower case.
    HeaderValue::from_str(&text.to_ascii_lowercase()).map_err(|_| wrong())
}

impl Cors {
    /// The layer, where there is one.
    pub(super) fn layer(&self) -> Option<CorsLayer> {
        let origins: AllowOrigin = match self {
            Self::Off => return None,
            Self::Any => Any.into(),
            Self::Origins(origins) => origins.clone().into(),
        };
        let names = |names: &[&'static str]| -> Vec<HeaderName> {
            names
                .iter()
                .map(|name| HeaderName::from_static(name))
                .collect()
        };
        let asked = names(&[
            "accept",
            "authorization",
            "content-type",
            "if-none-match",
            "last-event-id",
            "x-api-key",
            "x-min-block",
            "x-request-id",
        ]);
        let told = names(&[
            "etag",
            "link",
            "ratelimit",
            "ratelimit-limit",
            "ratelimit-policy",
            "ratelimit-remaining",
            "ratelimit-reset",
            "retry-after",
            "www-authenticate",
            "x-block",
            "x-block-hash",
            "x-epoch-block",
            "x-finalized",
            "x-request-id",
            "x-spec-version",
        ]);
        let layer = CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([Method::GET, Method::HEAD, Method::POST])
            .allow_headers(asked)
            .expose_headers(told)
            .max_age(Duration::from_secs(3_600))
            .vary([header::ORIGIN]);
        Some(layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_a_word_or_a_list() {
        assert_eq!("any".parse(), Ok(Cors::Any));
        assert_eq!(" off ".parse(), Ok(Cors::Off));
        let two: Cors = "https://A.example, http://localhost:3000,".parse().unwrap();
        let wanted = ["https://a.example", "http://localhost:3000"];
        assert_eq!(
            two,
            Cors::Origins(wanted.map(HeaderValue::from_static).to_vec())
        );
        for wrong in [
            "",
            ",",
            "*",
            "example.org",
            "https://",
            "https://a/b",
            "https://a b",
            "null",
        ] {
            let error = wrong.parse::<Cors>().unwrap_err().to_string();
            assert!(error.contains("give any, off"), "{error}");
        }
    }
}
