//! The bytes of one connection: plain or by TLS, cut when told, and not held up by a side that does
//! not read.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;

use super::connections::Connection;

/// Bytes that the other side must read in the time that it has for it.
const LEAST: usize = 256 << 10;

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection's bytes.
pub(super) struct Wire {
    stream: Stream,
    connection: Arc<Connection>,
    /// How long the other side may take to read [`LEAST`] bytes that wait for it.
    patience: Duration,
    /// Runs while bytes wait.
    stall: Option<Pin<Box<Sleep>>>,
    /// Bytes that went since it began to run.
    sent: usize,
}

impl Wire {
    pub(super) fn plain(
        stream: TcpStream,
        connection: Arc<Connection>,
        patience: Duration,
    ) -> Self {
        Self::over(Stream::Plain(stream), connection, patience)
    }

    pub(super) fn tls(
        stream: TlsStream<TcpStream>,
        connection: Arc<Connection>,
        patience: Duration,
    ) -> Self {
        Self::over(Stream::Tls(Box::new(stream)), connection, patience)
    }

    fn over(stream: Stream, connection: Arc<Connection>, patience: Duration) -> Self {
        Self {
            stream,
            connection,
            patience,
            stall: None,
            sent: 0,
        }
    }

    fn is_over(&self, context: &Context<'_>) -> io::Result<()> {
        match self.connection.poll_cut(context) {
            true => Err(io::ErrorKind::ConnectionAborted.into()),
            false => Ok(()),
        }
    }

    /// Watches how writing goes.
    fn watched(
        &mut self,
        context: &mut Context<'_>,
        wrote: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match &wrote {
            Poll::Ready(Ok(bytes)) => {
                self.sent = self.sent.saturating_add(*bytes);
                if self.sent >= LEAST {
                    self.rested();
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                if self.stall.is_none() {
                    self.sent = 0;
                }
                let patience = self.patience;
                let stall = self
                    .stall
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
                if stall.poll_unpin(context).is_ready() {
                    metrics::counter!("limit_hits_total", "limit" => "slow_reader").increment(1);
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        wrote
    }

    fn rested(&mut self) {
        self.stall = None;
        self.sent = 0;
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.is_over(context)?;
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.is_over(context)?;
        let wrote = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        };
        self.watched(context, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.is_over(context)?;
        let wrote = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        };
        self.watched(context, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        };
        match flushed {
            Poll::Ready(Ok(())) => {
                self.rested();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(error) => Poll::Ready(error),
            Poll::Pending => self.watched(context, Poll::Pending).map_ok(|_| ()),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
