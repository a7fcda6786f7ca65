//! `/graphql/ws`: subscriptions over the sub-protocol graphql-transport-ws.
//!
//! A socket is one task with three duties: carry messages, ask from time to time whether the other
//! side is still there, and close when the server stops. A client that reads slowly stops its own
//! task at the send; its streams then just fall behind, since they pull, and nothing more is read
//! from it. Messages are taken in one by one, none while a refusal waits to be sent, so that what a
//! socket holds is bounded by the operations that it may have.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use async_graphql::http::{WebSocket as Protocol, WebSocketProtocols, WsMessage};
use async_graphql::{Data, Error, Executor, Request};
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, BoxStream, StreamExt};
use futures::{Sink, SinkExt, Stream};
use serde::Deserialize;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, MissedTickBehavior};

use super::{App, access, stopped};
use crate::schema::limits::over_limit;
use crate::streams::Streams;

/// How long a client may take to introduce itself (`connection_init`).
const INIT_TIME: Duration = Duration::from_secs(10);
/// How often the other side is asked for a sign of life. Silence for a whole round ends the socket.
const PING_EVERY: Duration = Duration::from_secs(30);
/// How long one message may take to leave.
const SEND_TIME: Duration = Duration::from_secs(30);

/// Messages that begin no operation and may come at once.
const SPARE_MESSAGES: f64 = 64.0;
/// How many more of them there may be each second.
const SPARE_PER_SECOND: f64 = 4.0;

/// Close codes of the two protocols.
mod close {
    pub(super) const GOING_AWAY: u16 = 1001;
    pub(super) const INIT_TIMEOUT: u16 = 4408;
    pub(super) const TOO_MANY: u16 = 4429;
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
            let executor = Bounded::new(app.api.clone(), app.limits.operations_per_websocket);
            let (stopping, streams) = (app.stopping.clone(), app.streams.clone());
            drop(app);
            carry(socket, executor, Some(streams), stopped(stopping)).await;
            metrics::gauge!("graphql_websockets").decrement(1.0);
            drop(place);
        })
    })
}

/// What happened next on a socket.
enum Step {
    /// The other side said something.
    Heard(Option<Message>),
    /// There is something to say.
    Answer(Option<WsMessage>),
}

async fn carry<S, F, E>(
    socket: S,
    executor: Bounded<E>,
    streams: Option<Streams>,
    stop: impl Future<Output = ()>,
) where
    S: Sink<Message> + Stream<Item = Result<Message, F>>,
    E: Executor,
{
    let (mut sink, mut incoming) = socket.split();
    let mut alive = true;
    let refused = executor.refused.clone();
    // The protocol takes all that is there before it says anything, so it is given one at a time.
    let (feed, mut fed) = mpsc::channel::<Bytes>(1);
    let texts = stream::poll_fn(move |context| fed.poll_recv(context));
    let caller = access::current();
    let mut outgoing = Protocol::new(executor, texts, WebSocketProtocols::GraphQLWS)
        .on_connection_init(async move |payload| {
            let known = access::introduced(caller.as_deref(), &payload);
            known.map_err(Error::new)?;
            let mut data = Data::default();
            if let Some(streams) = streams {
                data.insert(streams);
            }
            Ok(data)
        });

    let (mut introduced, mut answered) = (false, false);
    let mut pace = Pace::new(Instant::now());
    let init = tokio::time::sleep(INIT_TIME);
    let mut pings = tokio::time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(init, stop);
    loop {
        let may_hear = || feed.capacity() > 0 && refused.load(Ordering::Acquire) == 0;
        let step = std::future::poll_fn(|context| {
            // Neither of the two keeps the other waiting for ever.
            if answered
                && may_hear()
                && let Poll::Ready(heard) = incoming.poll_next_unpin(context)
            {
                return Poll::Ready(Step::Heard(heard.and_then(Result::ok)));
            }
            // This is also what takes the message that was heard before.
            if let Poll::Ready(answer) = outgoing.poll_next_unpin(context) {
                return Poll::Ready(Step::Answer(answer));
            }
            match may_hear() {
                true => incoming
                    .poll_next_unpin(context)
                    .map(|heard| Step::Heard(heard.and_then(Result::ok))),
                false => Poll::Pending,
            }
        });
        let (message, last) = tokio::select! {
            biased;
            () = &mut stop => (bye(close::GOING_AWAY, "the server is stopping"), true),
            () = &mut init, if !introduced => {
                (bye(close::INIT_TIMEOUT, "connection_init did not arrive in time"), true)
            }
            _ = pings.tick() => {
                if !std::mem::take(&mut alive) {
                    tracing::debug!("a WebSocket gave no sign of life and was dropped");
                    return;
                }
                (Message::Ping(Bytes::new()), false)
            }
            step = step => match step {
                Step::Heard(None | Some(Message::Close(_))) => return,
                Step::Heard(Some(message)) => {
                    (alive, answered) = (true, false);
                    if !pace.admits(&message, Instant::now()) {
                        metrics::counter!("limit_hits_total", "limit" => "socket_messages")
                            .increment(1);
                        (bye(close::TOO_MANY, "too many messages that ask for nothing"), true)
                    } else {
                        // Pings are answered below us; binary frames mean nothing in this protocol.
                        if let Message::Text(_) = message
                            && feed.try_send(message.into_data()).is_err()
                        {
                            return;
                        }
                        continue;
                    }
                }
                Step::Answer(Some(WsMessage::Text(text))) => {
                    // The first thing that this protocol sends is the acknowledgement.
                    (introduced, answered) = (true, true);
                    (Message::Text(text.into()), false)
                }
                Step::Answer(Some(WsMessage::Close(code, reason))) => (bye(code, &reason), true),
                Step::Answer(None) => return,
            },
        };
        let sent = tokio::time::timeout(SEND_TIME, send(&mut sink, message)).await;
        if last || !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

/// Counts the messages of a socket that begin no operation: those that do are paid for as requests,
/// and each gives room for the message that ends it.
struct Pace {
    spare: f64,
    at: Instant,
}

impl Pace {
    fn new(at: Instant) -> Self {
        let spare = SPARE_MESSAGES;
        Self { spare, at }
    }

    /// Whether one more message may come.
    fn admits(&mut self, message: &Message, now: Instant) -> bool {
        let cost = match message {
            Message::Text(text) if begins_operation(text.as_str()) => -1.0,
            // Asked for by us.
            Message::Pong(_) => 0.0,
            _ => 1.0,
        };
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        let filled = self.spare + passed * SPARE_PER_SECOND;
        self.at = now;
        self.spare = (filled - cost).min(SPARE_MESSAGES);
        self.spare >= 0.0
    }
}

fn begins_operation(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(borrow, rename = "type")]
        name: std::borrow::Cow<'a, str>,
    }
    let kind = serde_json::from_str::<Kind<'_>>(text);
    kind.is_ok_and(|kind| matches!(&*kind.name, "subscribe" | "start"))
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

/// What executes, with a bound on the operations of one socket.
#[derive(Clone)]
struct Bounded<E> {
    inner: E,
    places: Arc<Semaphore>,
    most: usize,
    /// Refusals that are not sent yet.
    refused: Arc<AtomicUsize>,
}

impl<E> Bounded<E> {
    fn new(inner: E, most: usize) -> Self {
        Self {
            inner,
            places: Arc::new(Semaphore::new(most)),
            most,
            refused: Arc::default(),
        }
    }
}

/// Counts one as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl<E: Executor> Executor for Bounded<E> {
    async fn execute(&self, request: Request) -> async_graphql::Response {
        self.inner.execute(request).await
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
            let counted = Counted::new(self.refused.clone());
            return stream::once(std::future::ready(refused))
                .inspect(move |_| {
                    // Moves it into the stream, which is dropped when all of it is sent.
                    let _ = &counted;
                })
                .boxed();
        };
        self.inner
            .execute_stream(request, session_data)
            .inspect(move |_| {
                // Moves the place into the stream, so that it is free when the stream is dropped.
                let _ = &place;
            })
            .boxed()
    }
}

#[cfg(test)]
mod tests;
