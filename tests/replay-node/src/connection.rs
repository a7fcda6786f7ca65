//! Sockets that can be closed from outside, in the middle of whatever happens on them.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};

/// One open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    id: u64,
    dead: AtomicBool,
    kill: Mutex<Option<oneshot::Sender<()>>>,
    requests: AtomicU64,
}

impl Connection {
    /// Closes the socket; what was not sent yet is lost.
    pub(crate) fn kill(&self) {
        self.dead.store(true, Ordering::Release);
        let kill = self
            .kill
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(kill) = kill {
            // The receiver is gone when the connection ended by itself.
            let _ = kill.send(());
        }
    }

    /// Counts a request; its number on this connection, from 1.
    pub(crate) fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// All open connections.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: Mutex<HashMap<u64, Arc<Connection>>>,
    next: AtomicU64,
    closed: Notify,
}

impl Connections {
    /// Takes a new socket in.
    pub(crate) fn add(self: &Arc<Self>, socket: TcpStream) -> (Arc<Connection>, Socket) {
        let (kill, killed) = oneshot::channel();
        let connection = Arc::new(Connection {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            dead: AtomicBool::new(false),
            kill: Mutex::new(Some(kill)),
            requests: AtomicU64::new(0),
        });
        self.open().insert(connection.id, Arc::clone(&connection));
        let socket = Socket {
            inner: socket,
            killed: Some(killed),
            connection: Arc::clone(&connection),
            all: Arc::clone(self),
        };
        (connection, socket)
    }

    /// Closes all sockets; how many there were.
    pub(crate) fn kill_all(&self) -> usize {
        let open: Vec<_> = self.open().values().cloned().collect();
        for connection in &open {
            connection.kill();
        }
        open.len()
    }

    /// Waits until no socket is open.
    pub(crate) async fn all_closed(&self) {
        loop {
            if self.open().is_empty() {
                return;
            }
            self.closed.notified().await;
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A TCP stream that ends when its [`Connection`] is killed.
#[derive(Debug)]
pub(crate) struct Socket {
    inner: TcpStream,
    /// Waits for the kill. Polled by the reading side only, which always waits for something.
    killed: Option<oneshot::Receiver<()>>,
    connection: Arc<Connection>,
    all: Arc<Connections>,
}

impl Socket {
    fn dead(&self) -> bool {
        self.connection.dead.load(Ordering::Acquire)
    }
}

fn gone<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(killed) = &mut self.killed
            && Pin::new(killed).poll(cx).is_ready()
        {
            self.killed = None;
        }
        if self.dead() {
            // Tell the peer at once; the stream itself is dropped when its tasks have ended.
            let _ = Pin::new(&mut self.inner).poll_shutdown(cx);
            return gone();
        }
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.dead() {
            return gone();
        }
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.dead() {
            return gone();
        }
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.dead() {
            return gone();
        }
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.all.open().remove(&self.connection.id);
        self.all.closed.notify_one();
    }
}
