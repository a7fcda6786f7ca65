//! A WebSocket client that shows every message as it stands on the wire.

use replay_node::ReplayNode;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) struct Raw(TcpStream);

impl Raw {
    pub(crate) async fn connect(node: &ReplayNode) -> Raw {
        let mut stream = TcpStream::connect(node.addr()).await.unwrap();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
            node.addr()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(
            head.starts_with(b"HTTP/1.1 101"),
            "{}",
            String::from_utf8_lossy(&head)
        );
        Raw(stream)
    }

    /// Sends a text frame with a mask of zeros, which leaves the text as it is.
    pub(crate) async fn send(&mut self, message: &Value) {
        let text = message.to_string();
        let mut frame = vec![0x81, 0x80 | 126];
        frame.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.0.write_all(&frame).await.unwrap();
    }

    pub(crate) async fn receive(&mut self) -> Value {
        assert_eq!(self.0.read_u8().await.unwrap(), 0x81, "a text frame");
        let length = match self.0.read_u8().await.unwrap() {
            127 => self.0.read_u64().await.unwrap(),
            126 => self.0.read_u16().await.unwrap().into(),
            length => length.into(),
        };
        let mut text = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut text).await.unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Whether the peer has closed the socket.
    pub(crate) async fn closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0; 16]).await, Ok(0) | Err(_))
    }
}
