//! The first message of a subscription.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

/// Subscribes and returns the first message about it, whatever it is.
pub(crate) fn first(address: &str, query: &str) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let url = format!("ws://{address}/graphql/ws");
        let mut request = url.into_client_request().unwrap();
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream)
            .await
            .unwrap();
        for message in [
            json!({ "type": "connection_init" }),
            json!({ "id": "1", "type": "subscribe", "payload": { "query": query } }),
        ] {
            socket
                .send(Message::text(message.to_string()))
                .await
                .unwrap();
        }
        loop {
            let message = tokio::time::timeout(Duration::from_secs(60), socket.next()).await;
            let message = message
                .expect("a subscription says something")
                .unwrap()
                .unwrap();
            let text = message.to_text().unwrap_or_default();
            match serde_json::from_str::<Value>(text) {
                Ok(message) if message["id"] == "1" => {
                    assert_ne!(message["type"], "error", "{message}");
                    return message;
                }
                _ => {}
            }
        }
    })
}
