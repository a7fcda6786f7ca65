//! A socket on which anything can be said.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::PATIENCE;

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    Answer {
        status: u16,
        body: Vec<u8>,
    },
    /// The socket was closed, or reset, without a whole answer.
    Closed,
}

pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    address: String,
    /// Read, but of no answer yet.
    rest: Vec<u8>,
}

impl Wire {
    /// Connects from an address of the loopback interface.
    pub(crate) fn open(address: &str, from: &str) -> std::io::Result<Wire> {
        let to: SocketAddr = address.parse().map_err(std::io::Error::other)?;
        let from: IpAddr = from.parse().map_err(std::io::Error::other)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let stream = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from((from, 0)))?;
            socket.connect(to).await?.into_std()
        })?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Wire {
            stream,
            address: address.to_owned(),
            rest: Vec::new(),
        })
    }

    /// Whether all of it was taken: whoever refuses may close before the end.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    pub(crate) fn post(&mut self, path: &str, body: &[u8]) -> Said {
        let head = format!(
            "Content-Type: application/json\r\nContent-Length: {}",
            body.len()
        );
        self.request("POST", path, &head, body)
    }

    pub(crate) fn get(&mut self, path: &str) -> Said {
        self.request("GET", path, "Accept: application/json", b"")
    }

    /// One request with some lines of a head.
    pub(crate) fn request(&mut self, method: &str, path: &str, head: &str, body: &[u8]) -> Said {
        let address = &self.address;
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n{head}\r\n\r\n");
        let mut whole = head.into_bytes();
        whole.extend_from_slice(body);
        // What was said before it closed still counts.
        self.send(&whole);
        self.answer()
    }

    pub(crate) fn finish(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads one answer. Interim ones (100) are skipped.
    pub(crate) fn answer(&mut self) -> Said {
        loop {
            let Some(end) = self.until(|bytes| {
                let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
                end.map(|end| end + 4)
            }) else {
                return Said::Closed;
            };
            let head = String::from_utf8_lossy(&self.rest[..end]).to_lowercase();
            self.rest.drain(..end);
            let status: u16 = match head.split(' ').nth(1).map(str::parse) {
                Some(Ok(status)) => status,
                _ => panic!("no status: {head}"),
            };
            if (100..200).contains(&status) && status != 101 {
                continue;
            }
            if status == 101 {
                return Said::Answer {
                    status,
                    body: Vec::new(),
                };
            }
            let field = |name: &str| {
                let line = head.lines().find_map(|line| line.strip_prefix(name))?;
                Some(line.trim().to_owned())
            };
            let body = if field("transfer-encoding:").as_deref() == Some("chunked") {
                self.chunks()
            } else {
                let length = field("content-length:").map_or(0, |length| length.parse().unwrap());
                self.take(length)
            };
            return match body {
                Some(body) => Said::Answer { status, body },
                None => Said::Closed,
            };
        }
    }

    fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = self.until(|bytes| bytes.windows(2).position(|two| two == b"\r\n"))?;
            let size = String::from_utf8_lossy(&self.rest[..end]).into_owned();
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            self.rest.drain(..end + 2);
            body.extend(self.take(size)?);
            self.take(2)?;
            if size == 0 {
                return Some(body);
            }
        }
    }

    fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        self.until(|bytes| (bytes.len() >= length).then_some(length))?;
        Some(self.rest.drain(..length).collect())
    }

    /// Reads until `found` finds what it looks for; `None` at the end.
    fn until(&mut self, found: impl Fn(&[u8]) -> Option<usize>) -> Option<usize> {
        let started = Instant::now();
        loop {
            if let Some(at) = found(&self.rest) {
                return Some(at);
            }
            let mut piece = [0; 65_536];
            match self.stream.read(&mut piece) {
                Ok(0) => return None,
                Ok(read) => self.rest.extend_from_slice(&piece[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    panic!("neither an answer nor an end within {PATIENCE:?}");
                }
                // Reset: it was closed with something of ours unread.
                Err(_) => return None,
            }
            assert!(started.elapsed() < 4 * PATIENCE, "an answer without an end");
        }
    }

    /// Opens a WebSocket; `None` when it is refused.
    pub(crate) fn upgraded(mut self) -> Option<Wire> {
        let head = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws";
        match self.request("GET", "/graphql/ws", head, b"") {
            Said::Answer { status: 101, .. } => Some(self),
            said => {
                super::refused("a WebSocket too many", &said);
                None
            }
        }
    }

    /// One frame, masked with zeros as far as it is masked.
    pub(crate) fn frame(&mut self, first: u8, payload: &[u8]) -> bool {
        let mut frame = vec![first];
        match payload.len() {
            length @ ..=125 => frame.push(0x80 | u8::try_from(length).unwrap()),
            length => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&u64::try_from(length).unwrap().to_be_bytes());
            }
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(payload);
        self.send(&frame)
    }

    /// Reads whatever comes until the other side closes, or so long.
    pub(crate) fn drain(&mut self, time: Duration) -> Vec<u8> {
        let started = Instant::now();
        let mut all = std::mem::take(&mut self.rest);
        let _ = self
            .stream
            .set_read_timeout(Some(Duration::from_millis(200)));
        let mut piece = [0; 65_536];
        while started.elapsed() < time {
            match self.stream.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => all.extend_from_slice(&piece[..read]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => break,
            }
        }
        all
    }
}
