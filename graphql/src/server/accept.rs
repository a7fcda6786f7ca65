//! Connections: taken in within bounds, spoken to over TLS where that is wanted, held to times.
//!
//! A connection that says nothing, says its header one byte at a time, or does not read its answer
//! loses its place after some seconds; see also `wire.rs`.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::connections::{Connection, Full};
use super::door::Door;
use super::stopped;
use super::wire::Wire;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Pause when the system has no more sockets to give.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// Most header lines of a request.
const MOST_HEADERS: usize = 64;
/// Bytes of a request's head, and of what is written before it is sent.
const BUFFER: usize = 64 << 10;
/// First byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// What all connections of one listener share.
#[derive(Clone)]
struct Shared {
    router: Router,
    door: Arc<Door>,
    with_tls: bool,
    /// Whether it is the listener for metrics.
    side: bool,
    stopping: watch::Receiver<bool>,
    /// Held while the connection is open; nothing is sent.
    open: mpsc::Sender<Infallible>,
}

/// Takes in connections until the stop. Those that are open then end after the request that they are
/// in, on their own tasks; each holds `open` until its end.
pub(super) async fn run(
    listener: TcpListener,
    router: Router,
    door: Arc<Door>,
    (with_tls, side): (bool, bool),
    stopping: watch::Receiver<bool>,
    open: mpsc::Sender<Infallible>,
) {
    let stop = stopped(stopping.clone());
    tokio::pin!(stop);
    let shared = Shared {
        router,
        door,
        with_tls,
        side,
        stopping,
        open,
    };
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => take(&shared, stream, peer),
            // Of one client, who is gone already.
            Err(error) if is_of_one(error.kind()) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be taken in; trying again");
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
}

fn is_of_one(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}

fn take(shared: &Shared, stream: TcpStream, peer: SocketAddr) {
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    match shared.door.open(peer, shared.with_tls, shared.side) {
        Ok(connection) => {
            let shared = shared.clone();
            tokio::spawn(async move { serve(shared, stream, connection).await });
        }
        Err(full) => turn_away(&stream, full, shared.with_tls),
    }
}

/// Says why, if that can be said at once.
fn turn_away(stream: &TcpStream, full: Full, with_tls: bool) {
    metrics::counter!("limit_hits_total", "limit" => full.limit).increment(1);
    tracing::debug!(
        limit = full.limit,
        most = full.most,
        "a connection was turned away"
    );
    if !with_tls {
        let body = format!(
            "the limit {} is {}; close a connection, or come again later\n",
            full.limit, full.most
        );
        // Nothing to do when it does not go: the connection ends either way.
        let _ = stream.try_write(plain("503 Service Unavailable", &body).as_bytes());
    }
}

/// An answer to somebody whom the routes never see.
fn plain(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\
         retry-after: 5\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

async fn serve(shared: Shared, stream: TcpStream, connection: Arc<Connection>) {
    // Small answers should not wait for more to come; if it cannot be set they do.
    let _ = stream.set_nodelay(true);
    let patience = shared.door.options.read_timeout;
    let wire = match shared.door.tls().filter(|_| shared.with_tls) {
        None => Wire::plain(stream, connection.clone(), patience),
        Some(tls) => {
            let acceptor = TlsAcceptor::from(tls.now());
            let shaken = handshake(acceptor, stream);
            let shaken = tokio::select! {
                shaken = tokio::time::timeout(HANDSHAKE, shaken) => shaken,
                () = stopped(shared.stopping.clone()) => return,
            };
            match shaken {
                Ok(Some(stream)) => Wire::tls(stream, connection.clone(), patience),
                Ok(None) => return,
                Err(_) => {
                    metrics::counter!("limit_hits_total", "limit" => "tls_handshake").increment(1);
                    return;
                }
            }
        }
    };
    let routes = TowerToHyperService::new(shared.router);
    let answer = service_fn(move |mut request: Request<Incoming>| {
        let extensions = request.extensions_mut();
        extensions.insert(ConnectInfo(connection.peer));
        extensions.insert(connection.clone());
        routes.call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.door.header_timeout())
        .max_headers(MOST_HEADERS)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(wire), answer)
        .with_upgrades();
    tokio::pin!(served);
    tokio::select! {
        ended = served.as_mut() => return told(ended),
        () = stopped(shared.stopping) => served.as_mut().graceful_shutdown(),
    }
    told(served.await);
    drop(shared.open);
}

fn told(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        if error.is_timeout() {
            metrics::counter!("limit_hits_total", "limit" => "header_time").increment(1);
        }
        tracing::debug!(%error, "a connection ended early");
    }
}

/// `None` when the other side does not speak TLS; it was told, if it speaks HTTP.
async fn handshake(acceptor: TlsAcceptor, mut stream: TcpStream) -> Option<TlsStream<TcpStream>> {
    let mut first = [0];
    if stream.peek(&mut first).await.ok()? == 0 {
        return None;
    }
    if first != [TLS_HANDSHAKE] {
        let body = "this port speaks TLS; ask with https:// or wss://\n";
        let answer = plain("400 Bad Request", body);
        stream.write_all(answer.as_bytes()).await.ok()?;
        stream.shutdown().await.ok()?;
        linger(&mut stream).await;
        return None;
    }
    let shaken = acceptor.accept(stream).await;
    shaken
        .inspect_err(|error| tracing::debug!(%error, "a TLS handshake failed"))
        .ok()
}

/// Reads what still comes, within a bound: closing on unread bytes would take back the answer.
async fn linger(stream: &mut TcpStream) {
    let mut scrap = [0; 1024];
    for _ in 0..16 {
        let read = tokio::io::AsyncReadExt::read(stream, &mut scrap);
        match tokio::time::timeout(Duration::from_secs(1), read).await {
            Ok(Ok(1..)) => {}
            _ => return,
        }
    }
}
