use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::*;

#[test]
fn close_reasons_are_cut_between_characters() {
    let Message::Close(Some(frame)) = bye(1002, &"é".repeat(100)) else {
        panic!("not a close frame");
    };
    assert_eq!(frame.reason.as_str(), "é".repeat(61));
}

/// Operations that never say anything.
#[derive(Clone)]
struct Silent;

impl Executor for Silent {
    async fn execute(&self, _: Request) -> async_graphql::Response {
        std::future::pending().await
    }

    fn execute_stream(
        &self,
        _: Request,
        _: Option<Arc<Data>>,
    ) -> BoxStream<'static, async_graphql::Response> {
        stream::pending().boxed()
    }
}

/// A client that has said everything already, and takes so many messages and no more.
struct Client<I> {
    says: I,
    said: Arc<AtomicUsize>,
    takes: usize,
    took: Arc<AtomicUsize>,
}

impl<I: Iterator<Item = Message> + Unpin> Stream for Client<I> {
    type Item = Result<Message, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.says.next() {
            Some(message) => {
                self.said.fetch_add(1, Ordering::Relaxed);
                Poll::Ready(Some(Ok(message)))
            }
            // Silent, but there.
            None => Poll::Pending,
        }
    }
}

impl<I: Unpin> Sink<Message> for Client<I> {
    type Error = Infallible;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        match self.took.load(Ordering::Relaxed) < self.takes {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    fn start_send(self: Pin<&mut Self>, _: Message) -> Result<(), Infallible> {
        self.took.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

fn text(message: serde_json::Value) -> Message {
    Message::text(message.to_string())
}

/// A first message, and then subscriptions without end to the count.
fn subscriptions(count: usize) -> impl Iterator<Item = Message> + Unpin {
    let first = std::iter::once(text(serde_json::json!({ "type": "connection_init" })));
    let more = (0..count).map(|id| {
        let payload = serde_json::json!({ "query": "{ a }" });
        text(serde_json::json!({ "id": id.to_string(), "type": "subscribe", "payload": payload }))
    });
    first.chain(more)
}

/// Carries until nothing more happens; how many messages were heard, and how many were taken.
async fn carried(
    says: impl Iterator<Item = Message> + Unpin,
    takes: usize,
    operations: usize,
) -> (usize, usize, bool) {
    let (said, took) = (Arc::default(), Arc::default());
    let client = Client {
        says,
        said: Arc::clone(&said),
        takes,
        took: Arc::clone(&took),
    };
    let executor = Bounded::new(Silent, operations);
    let carried = carry(client, executor, None, std::future::pending());
    tokio::pin!(carried);
    let mut ended = false;
    // Everything is there from the start, so that turns are all that it needs, and no time.
    for _ in 0..100_000 {
        if futures::poll!(carried.as_mut()).is_ready() {
            ended = true;
            break;
        }
        tokio::task::yield_now().await;
    }
    let count = |count: &Arc<AtomicUsize>| count.load(Ordering::Relaxed);
    (count(&said), count(&took), ended)
}

#[tokio::test]
async fn nothing_is_read_from_a_client_that_does_not_read() {
    // It takes the acknowledgement and one message more.
    let (said, took, ended) = carried(subscriptions(10_000), 2, 16).await;
    assert_eq!((took, ended), (2, false));
    // The first, sixteen that are open, and those whose refusal was or is to be sent.
    assert!((17..=20).contains(&said), "{said} messages were read");
}

#[tokio::test]
async fn a_client_that_reads_is_told_every_refusal() {
    let (said, took, ended) = carried(subscriptions(1_000), usize::MAX, 16).await;
    assert_eq!((said, ended), (1_001, false));
    // The acknowledgement, and a refusal with its end for all that were too many.
    assert_eq!(took, 1 + 2 * (1_000 - 16));
}

#[tokio::test]
async fn messages_that_ask_for_nothing_are_bounded() {
    let ping = || text(serde_json::json!({ "type": "ping" }));
    let first = text(serde_json::json!({ "type": "connection_init" }));
    let pings = std::iter::once(first).chain(std::iter::repeat_with(ping).take(10_000));
    let (said, _, ended) = carried(pings, usize::MAX, 16).await;
    assert!(ended && said < 5_000, "{said} messages were read");
}

#[test]
fn an_operation_pays_for_the_message_that_ends_it() {
    let start = Instant::now();
    let mut pace = Pace::new(start);
    let subscribe = r#"{"id":"1","type":"sub\u0073cribe","payload":{"query":"{a}"}}"#;
    for _ in 0..1_000 {
        assert!(pace.admits(&Message::text(subscribe), start));
        assert!(pace.admits(&Message::text(r#"{"id":"1","type":"complete"}"#), start));
    }
    for _ in 0..1_000 {
        assert!(pace.admits(&Message::Pong(Bytes::new()), start));
    }
    let alone = (0..100).filter(|_| pace.admits(&Message::Ping(Bytes::new()), start));
    assert_eq!(alone.count(), 63);
    let other = r#"{"type":"ping","payload":{"type":"subscribe"}}"#;
    assert!(!pace.admits(&Message::text(other), start));
    assert!(pace.admits(&Message::text(other), start + Duration::from_secs(60)));
}
