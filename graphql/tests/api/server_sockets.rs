//! WebSockets at the door: keys in the first message, what operations cost, how many.

use futures::{SinkExt, StreamExt};
use graphql::{DoorOptions, key_text};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::http::Server;
use crate::server_access::{BOTH, READER, SECRET, TELLER, guarded, key, keys, slow};
use crate::stream::Client;

pub(crate) async fn socket(
    server: &Server,
    headers: &[(&'static str, &'static str)],
) -> Result<Client, Error> {
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let mut request = format!("ws://{}/graphql/ws", server.addr)
        .into_client_request()
        .unwrap();
    let fixed = [("sec-websocket-protocol", "graphql-transport-ws")];
    for (name, value) in fixed.iter().chain(headers) {
        request
            .headers_mut()
            .insert(*name, HeaderValue::from_static(value));
    }
    let (socket, _) = tokio_tungstenite::client_async(request, stream).await?;
    Ok(Client(socket))
}

pub(crate) async fn say(client: &mut Client, message: serde_json::Value) {
    client
        .0
        .send(Message::text(message.to_string()))
        .await
        .unwrap();
}

/// The next text, or `None` at the end of the socket.
pub(crate) async fn hear(client: &mut Client) -> Option<serde_json::Value> {
    let wait = std::time::Duration::from_secs(30);
    loop {
        match tokio::time::timeout(wait, client.0.next())
            .await
            .expect("silence")
        {
            Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return None,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_shows_its_key_at_the_latest_in_its_first_message() {
    let keys = keys();
    let server = guarded(DoorOptions {
        keys: keys.clone(),
        require_key: true,
        ..DoorOptions::default()
    })
    .await;
    for payload in [
        json!({}),
        json!({ "apiKey": "nonsense" }),
        json!({ "apiKey": key_text("00000000000d", &SECRET) }),
    ] {
        let mut client = socket(&server, &[]).await.unwrap();
        say(
            &mut client,
            json!({ "type": "connection_init", "payload": payload }),
        )
        .await;
        assert_eq!(hear(&mut client).await, None, "{payload}");
    }
    let bearer = format!("Bearer {}", key_text(READER, &SECRET));
    let mut client = socket(&server, &[]).await.unwrap();
    let init = json!({ "type": "connection_init", "payload": { "authorization": bearer } });
    say(&mut client, init).await;
    assert_eq!(
        hear(&mut client).await,
        Some(json!({ "type": "connection_ack" }))
    );
    let ask = |id: &str| json!({ "id": id, "type": "subscribe", "payload": { "query": "{ status { last } }" } });
    say(&mut client, ask("1")).await;
    let answer = hear(&mut client).await.unwrap();
    assert_eq!(answer["payload"]["data"]["status"]["last"], 20, "{answer}");
    assert_eq!(hear(&mut client).await.unwrap()["type"], "complete");
    // A key that may only tell is let in and told what it lacks.
    let mut teller = socket(&server, &[]).await.unwrap();
    say(
        &mut teller,
        json!({ "type": "connection_init", "payload": { "apiKey": key_text(TELLER, &SECRET) } }),
    )
    .await;
    hear(&mut teller).await.unwrap();
    say(&mut teller, ask("1")).await;
    let answer = hear(&mut teller).await.unwrap();
    assert!(
        answer.to_string().contains("has not the scope read"),
        "{answer}"
    );

    keys.replace([key(BOTH, true, true)]);
    // Either is told at its next operation; nothing is answered any more.
    say(&mut client, ask("2")).await;
    if let Some(answer) = hear(&mut client).await {
        assert!(answer.to_string().contains("revoked"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_loses_its_open_socket() {
    let keys = keys();
    let server = guarded(DoorOptions {
        keys: keys.clone(),
        ..DoorOptions::default()
    })
    .await;
    let shown: &'static str = key_text(READER, &SECRET).leak();
    let mut keyed = socket(&server, &[("x-api-key", shown)]).await.unwrap();
    let mut other = socket(&server, &[]).await.unwrap();
    for client in [&mut keyed, &mut other] {
        say(client, json!({ "type": "connection_init" })).await;
        hear(client).await.unwrap();
    }
    keys.replace([]);
    assert_eq!(hear(&mut keyed).await, None);
    say(
        &mut other,
        json!({ "id": "1", "type": "subscribe", "payload": { "query": "{ status { last } }" } }),
    )
    .await;
    assert_eq!(hear(&mut other).await.unwrap()["type"], "next");
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_of_a_socket_count_like_requests() {
    let server = guarded(DoorOptions {
        anonymous: slow(3.0),
        limit_loopback: true,
        ..DoorOptions::default()
    })
    .await;
    let mut client = socket(&server, &[]).await.unwrap();
    say(&mut client, json!({ "type": "connection_init" })).await;
    hear(&mut client).await.unwrap();
    let mut refused = 0;
    for id in 0..4 {
        let query = json!({ "query": "{ status { last } }" });
        say(
            &mut client,
            json!({ "id": id.to_string(), "type": "subscribe", "payload": query }),
        )
        .await;
        let answer = hear(&mut client).await.unwrap();
        let text = answer.to_string();
        refused += u32::from(text.contains("RATE_LIMITED"));
        if answer["type"] == "next" {
            assert_eq!(hear(&mut client).await.unwrap()["type"], "complete");
        }
    }
    assert_eq!(refused, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_caller_has_so_many_sockets() {
    let server = guarded(DoorOptions {
        streams_per_caller: 2,
        limit_loopback: true,
        keys: keys(),
        ..DoorOptions::default()
    })
    .await;
    let one = socket(&server, &[]).await.unwrap();
    let _two = socket(&server, &[]).await.unwrap();
    let Err(Error::Http(refused)) = socket(&server, &[]).await else {
        panic!("a third was let in");
    };
    assert_eq!(refused.status(), 429);
    let body = String::from_utf8_lossy(refused.body().as_deref().unwrap_or_default()).into_owned();
    assert!(body.contains("2 WebSockets"), "{body}");
    // A key counts for itself, and a place comes back when its socket is gone.
    let shown: &'static str = key_text(READER, &SECRET).leak();
    socket(&server, &[("x-api-key", shown)]).await.unwrap();
    drop(one);
    let mut tries = 0;
    while socket(&server, &[]).await.is_err() {
        tries += 1;
        assert!(tries < 3_000, "the place did not come back");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
