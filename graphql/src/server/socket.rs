//! `/graphql/ws`: subscriptions over the sub-protocol graphql-transport-ws.
//!
//! A socket is one task with three duties: carry messages, ask from time to time whether the other
//! side is still there, and close when the server stops. A client that reads slowly stops its own
//! task at the send; its streams then just fall behind, since they pull.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_graphql::http::{WebSocket as Protocol, WebSocketProtocols, WsMessage};
use async_graphql::{Data, Error, Executor, Request};
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, BoxStream, StreamExt};
use futures::{Sink, SinkExt};
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior};

use super::{App, access, stopped};
use crate::schema::Api;
use crate::schema::limits::over_limit;
use crate::streams::Streams;

/// How long a client may take to introduce itself (`connection_init`).
const INIT_TIME: Duration = Duration::from_secs(10);
/// How often the other side is asked for a sign of life. Silence for a whole round ends the socket.
const PING_EVERY: Duration = Duration::from_secs(30);
/// How long one message may take to leave.
const SEND_TIME: Duration = Duration::from_secs(30);

/// Close codes of the two protocols.
mod close {
    pub(super) const GOING_AWAY: u16 = 1001;
    pub(super) const INIT_TIMEOUT: u16 = 4408;
}

/// Accepts a WebSocket if there is a place for it.
pub(super) async fn upgrade(State(app): State<App>, upgrade: WebSocketUpgrade) -> Response {
    let protocol = WebSocketProtocols::GraphQLWS.sec_websocket_protocol();
    let upgrade = upgrade
        .protocols([protocol])
        .max_message_size(app.limits.body_bytes)
        .max_frame_size(app.limits.body_bytes);
    if upgrade.selected_protocol().is_none() {
        let text = format!("this endpoint speaks the WebSocket sub-protocol {protocol}\n");
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    let Ok(place) = app.sockets.clone().try_acquire_owned() else {
        let most = app.limits.websockets;
        let text = format!("all {most} places for WebSockets are taken; try again later\n");
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    let caller = access::current();
    upgrade.on_upgrade(move |socket| {
        access::within(caller, async move {
            metrics::gauge!("graphql_websockets").increment(1.0);
            // The field is held, not used: the server waits at its end until all are dropped.
            let _open = app.open.clone();
            let executor = Bounded {
                api: app.api.clone(),
                streams: app.streams.clone(),
                places: Arc::new(Semaphore::new(app.limits.operations_per_websocket)),
                most: app.limits.operations_per_websocket,
            };
            let stopping = app.stopping.clone();
            drop(app);
            carry(socket, executor, stopped(stopping)).await;
            metrics::gauge!("graphql_websockets").decrement(1.0);
            drop(place);
        })
    })
}

async fn carry(socket: WebSocket, executor: Bounded, stop: impl Future<Output = ()>) {
    let (mut sink, incoming) = socket.split();
    let alive = Arc::new(AtomicBool::new(true));
    let heard = alive.clone();
    let texts = incoming
        .take_while(|message| {
            let goes_on = matches!(message, Ok(message) if !matches!(message, Message::Close(_)));
            std::future::ready(goes_on)
        })
        .filter_map(move |message| {
            heard.store(true, Ordering::Relaxed);
            std::future::ready(match message {
                Ok(text @ Message::Text(_)) => Some(text.into_data()),
                // Pings are answered below us; binary frames mean nothing in this protocol.
                _ => None,
            })
        });
    let caller = access::current();
    let mut outgoing = Protocol::new(executor, texts, WebSocketProtocols::GraphQLWS)
        .on_connection_init(async move |payload| {
            let known = access::introduced(caller.as_deref(), &payload);
            known.map(|()| Data::default()).map_err(Error::new)
        });

    let mut introduced = false;
    let init = tokio::time::sleep(INIT_TIME);
    let mut pings = tokio::time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(init, stop);
    loop {
        let (message, last) = tokio::select! {
            biased;
            () = &mut stop => (bye(close::GOING_AWAY, "the server is stopping"), true),
            () = &mut init, if !introduced => {
                (bye(close::INIT_TIMEOUT, "connection_init did not arrive in time"), true)
            }
            _ = pings.tick() => {
                if !alive.swap(false, Ordering::Relaxed) {
                    tracing::debug!("a WebSocket gave no sign of life and was dropped");
                    return;
                }
                (Message::Ping(Default::default()), false)
            }
            answer = outgoing.next() => match answer {
                Some(WsMessage::Text(text)) => {
                    // The first thing that this protocol sends is the acknowledgement.
                    introduced = true;
                    (Message::Text(text.into()), false)
                }
                Some(WsMessage::Close(code, reason)) => (bye(code, &reason), true),
                None => return,
            },
        };
        let sent = tokio::time::timeout(SEND_TIME, send(&mut sink, message)).await;
        if last || !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

async fn send<S: Sink<Message> + Unpin>(sink: &mut S, message: Message) -> Result<(), S::Error> {
    sink.send(message).await
}

/// A close frame; its reason may have 123 bytes at most.
fn bye(code: u16, reason: &str) -> Message {
    let cut = reason
        .char_indices()
        .map(|(at, char)| at + char.len_utf8())
        .take_while(|end| *end <= 123)
        .last()
        .unwrap_or(0);
    Message::Close(Some(CloseFrame {
        code,
        reason: reason.get(..cut).unwrap_or_default().to_owned().into(),
    }))
}

/// The schema with a bound on the operations of one socket.
#[derive(Clone)]
struct Bounded {
    api: Api,
    streams: Streams,
    places: Arc<Semaphore>,
    most: usize,
}

impl Executor for Bounded {
    async fn execute(&self, request: Request) -> async_graphql::Response {
        self.api.execute(request).await
    }

    fn execute_stream(
        &self,
        request: Request,
        session_data: Option<Arc<Data>>,
    ) -> BoxStream<'static, async_graphql::Response> {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            let error = over_limit(
                "number of operations on one WebSocket",
                self.most.saturating_add(1),
                self.most,
                "complete one first, or open another socket",
            );
            let refused = async_graphql::Response::from_errors(vec![error]);
            return stream::once(std::future::ready(refused)).boxed();
        };
        let request = request.data(self.streams.clone());
        self.api
            .execute_stream_with_session_data(request, session_data.unwrap_or_default())
            .inspect(move |_| {
                // Moves the place into the stream, so that it is free when the stream is dropped.
                let _ = &place;
            })
            .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_reasons_are_cut_between_characters() {
        let Message::Close(Some(frame)) = bye(1002, &"é".repeat(100)) else {
            panic!("not a close frame");
        };
        assert_eq!(frame.reason.as_str(), "é".repeat(61));
    }
}
