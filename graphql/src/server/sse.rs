//! `/v1/streams/{topic}`: streams as Server-Sent Events.
//!
//! A stream is one task that hands its messages over one by one: while the client does not take one,
//! nothing is read for it. A client that takes none for a while is let go; it can come back with the
//! last id.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chain_metadata::AccountId;
use futures::StreamExt;
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::rest::{Parameters, bad, failed, number};
use super::{App, stopped};
use crate::rest::Problem;
use crate::schema::error::{INTERNAL_TEXT, code};
use crate::streams::{Filter, Messages, StreamCursor, StreamError, StreamMessage, Topic, Wanted};

/// How long one message may take to be taken.
const SEND_TIME: Duration = Duration::from_secs(30);
/// Parameters of a stream.
const KNOWN: [&str; 5] = ["netuid", "hotkey", "kind", "after", "unfinalized"];

/// The routes.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/v1/streams/{topic}", get(open))
}

async fn open(
    State(app): State<App>,
    Path(topic): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let messages = asked(&topic, query.as_deref(), &headers)
        .and_then(|wanted| app.streams.follow_all(wanted).map_err(problem));
    let messages = match messages {
        Ok(messages) => messages,
        Err(problem) => return failed(&problem),
    };
    let Ok(place) = app.sockets.clone().try_acquire_owned() else {
        let most = app.limits.websockets;
        let text =
            format!("all {most} places for streams and WebSockets are taken; try again later");
        return failed(&Problem::new(code::BUSY, text));
    };
    let (sender, receiver) = mpsc::channel(1);
    let (stopping, alive) = (app.stopping.clone(), app.open.clone());
    tokio::spawn(async move {
        metrics::gauge!("graphql_event_streams").increment(1.0);
        tokio::select! {
            () = carry(messages, sender) => {}
            () = stopped(stopping) => {}
        }
        metrics::gauge!("graphql_event_streams").decrement(1.0);
        // The server waits at its end until all of these are dropped.
        drop((place, alive));
    });
    let events = stream::unfold(receiver, |mut receiver| async move {
        let event: Event = receiver.recv().await?;
        Some((Ok::<_, Infallible>(event), receiver))
    });
    let mut response = Sse::new(events).into_response();
    let told = response.headers_mut();
    told.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that collect answers before they pass them on are asked not to.
    let buffering = HeaderName::from_static("x-accel-buffering");
    told.insert(buffering, HeaderValue::from_static("no"));
    response
}

/// Hands messages over until there are none, or nobody takes them.
async fn carry(mut messages: Messages, sender: mpsc::Sender<Event>) {
    loop {
        let message = tokio::select! {
            message = messages.next() => message,
            // A client that went away is noticed though nothing happens.
            () = sender.closed() => return,
        };
        let (event, last) = match message {
            Some(Ok(message)) => (event(&message), false),
            Some(Err(error)) => (error_event(error), true),
            None => return,
        };
        let sent = tokio::time::timeout(SEND_TIME, sender.send(event)).await;
        if last || !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

fn event(message: &StreamMessage) -> Event {
    let (name, data) = shown(message);
    Event::default()
        .id(message.cursor().encode())
        .event(name)
        .data(data.to_string())
}

/// The name of a message and its JSON.
fn shown(message: &StreamMessage) -> (&'static str, Value) {
    let cursor = message.cursor().encode();
    match message {
        StreamMessage::Item {
            block,
            block_hash,
            spec_version,
            finalized,
            value,
            ..
        } => {
            let data = json!({
                "cursor": cursor,
                "block": block,
                "blockHash": block_hash.map(|hash| hash.to_string()),
                "specVersion": spec_version,
                "finalized": finalized,
                "value": **value,
            });
            ("item", data)
        }
        StreamMessage::Lagged { from, to, why, .. } => {
            let data = json!({ "cursor": cursor, "from": from, "to": to, "why": why });
            ("lagged", data)
        }
        StreamMessage::Retracted { above, blocks, .. } => {
            let lost = blocks.iter();
            let lost =
                lost.map(|(number, hash)| json!({ "number": number, "hash": hash.to_string() }));
            let blocks: Vec<_> = lost.collect();
            let data = json!({ "cursor": cursor, "above": above, "blocks": blocks });
            ("retracted", data)
        }
        StreamMessage::Heartbeat {
            indexed,
            finalized,
            at_ms,
            ..
        } => {
            let data = json!({
                "cursor": cursor,
                "indexed": indexed,
                "finalized": finalized,
                "atMs": at_ms.to_string(),
            });
            ("heartbeat", data)
        }
    }
}

/// The last event of a stream that failed; it has no id, so that the place is kept.
fn error_event(error: StreamError) -> Event {
    let problem = problem(error);
    Event::default()
        .event("error")
        .data(problem.document().to_string())
}

fn problem(error: StreamError) -> Problem {
    match error {
        // Its cause was logged where it was read.
        StreamError::Read(_) => Problem::new(code::INTERNAL, INTERNAL_TEXT),
        other => bad(other.to_string()),
    }
}

fn asked(topic: &str, query: Option<&str>, headers: &HeaderMap) -> Result<Wanted, Problem> {
    let topic: Topic = topic
        .parse()
        .map_err(|error: crate::streams::UnknownTopic| {
            Problem::new(code::NOT_FOUND, error.to_string())
        })?;
    let parameters = Parameters::new(query, &KNOWN)?;
    let after = match headers.get("last-event-id") {
        // A client that comes back says where it stopped; its address still says where it began.
        Some(id) => Some(id.to_str().map_err(|_| {
            bad("the header Last-Event-ID is no text; send the id of an event".to_owned())
        })?),
        None => parameters.get("after"),
    };
    let cursor =
        |text| StreamCursor::decode_for(topic, text).map_err(|error| bad(error.to_string()));
    let unfinalized = match parameters.get("unfinalized") {
        None | Some("false") => false,
        Some("true" | "") => true,
        Some(other) => {
            return Err(bad(format!(
                "`unfinalized` is `{other}`; give true or false"
            )));
        }
    };
    Ok(Wanted {
        topic,
        filter: Filter {
            netuids: listed(&parameters, "netuid", |text| number("netuid", text))?,
            hotkeys: listed(&parameters, "hotkey", hotkey)?,
            kinds: listed(&parameters, "kind", |text| Ok(text.to_owned()))?,
        },
        after: after.map(cursor).transpose()?,
        unfinalized,
    })
}

fn hotkey(text: &str) -> Result<AccountId, Problem> {
    text.parse().map_err(|error| {
        bad(format!(
            "`hotkey` is not an account ({error}); give ss58 addresses, or 0x and 64 hex digits"
        ))
    })
}

/// A parameter that may be several, with commas between them.
fn listed<T>(
    parameters: &Parameters<'_>,
    name: &str,
    each: impl Fn(&str) -> Result<T, Problem>,
) -> Result<Option<Vec<T>>, Problem> {
    let text = parameters.text(name)?;
    let values = text.map(|text| text.split(',').map(each).collect::<Result<Vec<_>, _>>());
    values.transpose()
}
