//! Two small pages that need no network but this server: a landing page and a page to query with.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};

use super::App;
use super::connections::Connection;
use super::health::STOPPED;
use crate::ports::Status;
use crate::schema::lag;

const LANDING: &str = include_str!("pages/landing.html");
const QUERY: &str = include_str!("pages/query.html");
const SCRIPT: &str = include_str!("pages/query.js");
const STYLE: &str = include_str!("pages/style.css");

/// Only what this server sends may run, and nobody may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// GET `/`: what this is, how it stands, where to go.
pub(super) async fn landing(
    State(app): State<App>,
    Extension(connection): Extension<Arc<Connection>>,
    headers: HeaderMap,
) -> Response {
    let status = app.reads.run("status", |reader| reader.status()).await;
    let rows = match &status {
        Ok(status) => rows(status),
        Err(_) => vec![("State", "the store could not be read".to_owned())],
    };
    let table: String = rows
        .iter()
        .map(|(name, value)| format!("<tr><th>{name}</th><td>{}</td></tr>\n", escaped(value)))
        .collect();
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    // A proxy that is trusted may say that it is spoken to by TLS.
    let told = headers.get("x-forwarded-proto");
    let by_proxy = told.is_some_and(|scheme| scheme.as_bytes() == b"https")
        && app.door.trusts(connection.peer.ip());
    let scheme = match connection.https || by_proxy {
        true => "https",
        false => "http",
    };
    let origin = format!("{scheme}://{}", host.unwrap_or("localhost"));
    let page = LANDING
        .replace("{{origin}}", &escaped(&origin))
        .replace("{{status}}", &table)
        .replace("{{version}}", env!("CARGO_PKG_VERSION"));
    served("text/html; charset=utf-8", page)
}

/// GET `/graphql`: the query page.
pub(super) async fn query_page() -> Response {
    served("text/html; charset=utf-8", QUERY.to_owned())
}

/// The query page's script.
pub(super) async fn query_script() -> Response {
    served("text/javascript; charset=utf-8", SCRIPT.to_owned())
}

/// The style of both pages.
pub(super) async fn style() -> Response {
    served("text/css; charset=utf-8", STYLE.to_owned())
}

fn served(kind: &'static str, text: String) -> Response {
    let headers: [(HeaderName, &str); 4] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}

fn rows(status: &Status) -> Vec<(&'static str, String)> {
    let unknown = || "not known".to_owned();
    let mut rows = vec![
        ("Chain", status.chain.clone().unwrap_or_else(unknown)),
        ("Genesis", status.genesis_hash.to_string()),
        (
            "Stored blocks",
            match (status.first, status.last) {
                (Some(first), Some(last)) => format!("{first} to {last}"),
                _ => "none yet".to_owned(),
            },
        ),
    ];
    if let Some(spec) = status.last_spec {
        rows.push(("Runtime of the last", format!("spec {spec}")));
    }
    rows.push((
        "Following",
        match (status.following, status.node_finalized, lag(status)) {
            (false, ..) => "no node; serving what is stored".to_owned(),
            (true, Some(finalized), Some(0)) => {
                format!("a node, finalized at {finalized}; nothing is missing")
            }
            (true, Some(finalized), Some(lag)) => {
                format!("a node, finalized at {finalized}; {lag} blocks to go")
            }
            (true, Some(finalized), None) => format!("a node, finalized at {finalized}"),
            (true, None, _) => "a node that has not told its height yet".to_owned(),
        },
    ));
    if let Some((first, last)) = status.verified {
        let text = format!("computed again and compared, of blocks {first} to {last}");
        rows.push(("Epochs", text));
    }
    if status.stopped.is_some() {
        rows.push(("Stopped", STOPPED.to_owned()));
    }
    rows
}

/// Text that came from outside, made harmless in HTML.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(char),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_chain_name_stays_text() {
        assert_eq!(
            escaped("<script a='b\"&'>"),
            "&lt;script a=&#39;b&quot;&amp;&#39;&gt;"
        );
    }

    #[test]
    fn why_the_road_stopped_is_not_told_to_strangers() {
        let status = Status {
            stopped: Some("no answer from ws://10.0.0.9:9944".into()),
            ..crate::server::health::tests::followed()
        };
        let rows = rows(&status);
        assert!(rows.contains(&("Stopped", STOPPED.to_owned())), "{rows:?}");
        assert!(rows.iter().all(|(_, text)| !text.contains("10.0.0.9")));
    }

    #[test]
    fn the_pages_load_nothing_from_elsewhere() {
        for page in [LANDING, QUERY, SCRIPT, STYLE] {
            assert!(!page.contains("https://") && !page.contains("http://"));
            assert!(!page.contains("src=\"//"));
        }
    }
}
