//! The smallest client of the WebSocket sub-protocol.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::http::Server;

pub(crate) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    pub(crate) async fn open(server: &Server) -> Self {
        let url = format!("ws://{}/graphql/ws", server.addr);
        let mut request = url.into_client_request().unwrap();
        let protocol = "graphql-transport-ws".parse().unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
        let stream = TcpStream::connect(server.addr).await.unwrap();
        let (stream, _) = tokio_tungstenite::client_async(request, stream)
            .await
            .unwrap();
        let mut socket = Self(stream);
        socket.send(json!({ "type": "connection_init" })).await;
        assert_eq!(socket.next().await["type"], "connection_ack");
        socket
    }

    async fn send(&mut self, message: Value) {
        let text = message.to_string().into();
        self.0.send(Message::Text(text)).await.unwrap();
    }

    async fn next(&mut self) -> Value {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(30), self.0.next()).await;
            let message = next.expect("no message in time").expect("the socket ended");
            if let Message::Text(text) = message.unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// The first message about an operation.
    pub(crate) async fn ask(&mut self, id: &str, payload: Value) -> Value {
        self.send(json!({ "id": id, "type": "subscribe", "payload": payload }))
            .await;
        loop {
            let message = self.next().await;
            if message["id"] == id {
                return message;
            }
        }
    }
}
