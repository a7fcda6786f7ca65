//! A connection that asks one thing after the other and reads answers without
//! keeping them.

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No answer is larger.
const MOST: usize = 256 << 20;

/// An HTTP/1.1 connection that is kept open.
pub(super) struct Connection {
    stream: TcpStream,
    /// What was read of the answer at hand.
    buffer: Vec<u8>,
}

/// The answer to one request.
pub(super) struct Answer<'a> {
    /// Status of HTTP.
    pub(super) status: u16,
    /// The body as it came, without the marks of its chunks where it has any.
    pub(super) body: &'a [u8],
    /// Bytes on the wire, with the head.
    pub(super) bytes: usize,
}

/// How long the body is.
enum Length {
    Known(usize),
    Chunks,
}

impl Connection {
    pub(super) async fn open(address: &str) -> Result<Connection> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("{address} does not answer; is the server running?"))?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            buffer: Vec::with_capacity(64 << 10),
        })
    }

    /// Sends a whole request and reads the whole answer.
    pub(super) async fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            self.more().await?;
        };
        let (status, length) = parsed(self.buffer.get(..head).unwrap_or_default())?;
        match length {
            Length::Known(length) => {
                let whole = head.saturating_add(length);
                while self.buffer.len() < whole {
                    self.more().await?;
                }
                Ok(Answer {
                    status,
                    body: self.buffer.get(head..whole).unwrap_or_default(),
                    bytes: whole,
                })
            }
            Length::Chunks => {
                let bytes = self.chunks(head).await?;
                Ok(Answer {
                    status,
                    body: self.buffer.get(head..).unwrap_or_default(),
                    bytes,
                })
            }
        }
    }

    async fn more(&mut self) -> Result<()> {
        if self.buffer.len() > MOST {
            bail!("an answer is longer than {MOST} bytes");
        }
        let read = self.stream.read_buf(&mut self.buffer).await?;
        if read == 0 {
            bail!("the server closed the connection within an answer");
        }
        Ok(())
    }

    /// Reads all chunks and leaves what they hold behind the head; bytes on the wire.
    async fn chunks(&mut self, head: usize) -> Result<usize> {
        let (mut at, mut kept) = (head, head);
        loop {
            let line = loop {
                let rest = self.buffer.get(at..).unwrap_or_default();
                if let Some(end) = find(rest, b"\r\n") {
                    break at + end;
                }
                self.more().await?;
            };
            let size = self.buffer.get(at..line).unwrap_or_default();
            let size = std::str::from_utf8(size)?
                .split(';')
                .next()
                .unwrap_or_default();
            let size = usize::from_str_radix(size.trim(), 16)
                .with_context(|| format!("{size:?} is not the size of a chunk"))?;
            let (from, to) = (line + 2, (line + 2).saturating_add(size));
            let end = to.saturating_add(2);
            while self.buffer.len() < end {
                self.more().await?;
            }
            if size == 0 {
                self.buffer.truncate(kept);
                return Ok(end);
            }
            self.buffer.copy_within(from..to, kept);
            kept += size;
            at = end;
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Status and length of the body, from the head of an answer.
fn parsed(head: &[u8]) -> Result<(u16, Length)> {
    let head = std::str::from_utf8(head).context("the head of an answer is not text")?;
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.with_context(|| format!("{first:?} is no status line"))?;
    let mut length = Length::Known(0);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = Length::Known(value.parse().context("no length of an answer")?);
        } else if name.eq_ignore_ascii_case("transfer-encoding")
            && value.eq_ignore_ascii_case("chunked")
        {
            length = Length::Chunks;
        }
    }
    Ok((status, length))
}

/// A GET request.
pub(super) fn get(address: &str, path: &str, gzip: bool) -> Vec<u8> {
    let packed = accept(gzip);
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: application/json\r\n{packed}\r\n")
        .into_bytes()
}

/// A POST request of JSON.
pub(super) fn post(address: &str, path: &str, body: &str, gzip: bool) -> Vec<u8> {
    let (packed, length) = (accept(gzip), body.len());
    format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n{packed}Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn accept(gzip: bool) -> &'static str {
    match gzip {
        true => "Accept-Encoding: gzip\r\n",
        false => "",
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A server that gives one answer in pieces of so many bytes, twice.
    async fn told(answer: &'static [u8], piece: usize) -> (u16, Vec<u8>, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            for _ in 0..2 {
                assert!(stream.read(&mut request).await.unwrap() > 0);
                for piece in answer.chunks(piece) {
                    stream.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        });
        let mut connection = Connection::open(&address).await.unwrap();
        let request = get(&address, "/", false);
        let mut all = Vec::new();
        for _ in 0..2 {
            let answer = connection.ask(&request).await.unwrap();
            all.push((answer.status, answer.body.to_vec(), answer.bytes));
        }
        server.await.unwrap();
        assert_eq!(all[0], all[1]);
        all.remove(0)
    }

    #[tokio::test]
    async fn answers_of_both_kinds_are_read_in_pieces_of_any_size() {
        let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let chunked = b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n";
        for piece in [1, 2, 7, 1000] {
            assert_eq!(
                told(plain, piece).await,
                (200, b"hello".to_vec(), plain.len())
            );
            let chunks = told(chunked, piece).await;
            assert_eq!(chunks, (503, b"hello".to_vec(), chunked.len()));
        }
    }

    #[test]
    fn heads_that_are_none_are_refused() {
        assert!(parsed(b"hello\r\n\r\n").is_err());
        assert!(parsed(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n").is_err());
        assert!(parsed(b"HTTP/1.1 20\xff OK\r\n\r\n").is_err());
    }
}
