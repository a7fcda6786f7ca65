//! The HTTP server: routes, layers and an orderly end.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tower_http::compression::{CompressionLayer, CompressionLevel};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use crate::ports::{Intake, Reader};
use crate::reads::Reads;
use crate::schema::persisted::Persisted;
use crate::schema::{self, Api, Limits};
use crate::streams::{StreamOptions, Streams};

mod accept;
pub(crate) mod access;
mod access_log;
mod address;
mod auth;
mod connections;
mod cors;
mod door;
mod explorer;
mod health;
mod ingest;
mod openapi;
mod pages;
mod places;
mod post;
mod preflight;
mod rate;
mod reads;
mod refused;
pub(crate) mod request_id;
mod rest;
mod results;
mod socket;
mod sse;
mod tls;
mod wait;
mod wire;

pub use address::{Cidr, NoCidr, NoProxyHeader, ProxyHeader};
pub use auth::{ApiKey, ID_DIGITS, Keys, SECRET_BYTES, Scopes, key_hash, key_text};
pub use cors::{Cors, NoOrigin};
pub use door::DoorOptions;
pub use openapi::openapi;
pub use rate::Rate;
pub use tls::{Tls, TlsError};

use door::Door;

/// Renders what `/metrics` shows, in the Prometheus text format.
pub type MetricsPage = Arc<dyn Fn() -> String + Send + Sync>;

/// How the server behaves. The default suits a node that is followed on the same machine.
#[derive(Clone)]
pub struct ServerOptions {
    /// Bounds of every request.
    pub limits: Limits,
    /// `/ready` fails when the store is more than so many blocks behind the node.
    pub max_lag: u32,
    /// Once it failed, it is ready again when the store is at most so many blocks behind.
    pub back_lag: u32,
    /// How long either of these must last before `/ready` fails.
    pub ready_hold: Duration,
    /// `/ready` fails when the node's finalized height is older than this.
    pub max_node_age: Duration,
    /// Whether GET `/graphql` shows the query page.
    pub query_page: bool,
    /// Whether the schema may be asked for by introspection; the query page's documentation needs
    /// it.
    pub introspection: bool,
    /// Documents that are known by the sha256 of their text in lower-case hex, for requests that
    /// send the hash alone.
    pub persisted: Option<Arc<HashMap<String, String>>>,
    /// Whether documents that are not among `persisted` are refused.
    pub only_persisted: bool,
    /// Whose pages may read the answers.
    pub cors: Cors,
    /// Keys, rates, bounds of connections, TLS.
    pub door: DoorOptions,
    /// Takes in reports of challenge results; without it there is no such route.
    pub intake: Option<Arc<dyn Intake>>,
    /// What `/metrics` shows; without it the route does not exist.
    pub metrics: Option<MetricsPage>,
    /// The longest time without a message in a stream that can be taken up again.
    pub heartbeat: Duration,
    /// The streams, where others use them too; the server makes its own otherwise.
    pub streams: Option<Streams>,
    /// Where `/metrics` is shown, in plain HTTP and to everybody who can reach it; beside the other
    /// routes and under their rules when `None`.
    pub metrics_listener: Option<Arc<std::net::TcpListener>>,
    /// How long `/ready` says no, when the shutdown has begun, before new connections are refused.
    pub drain: Duration,
    /// How long open requests and WebSockets may go on after the shutdown has begun.
    pub shutdown_grace: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            max_lag: 10,
            back_lag: 10,
            ready_hold: Duration::ZERO,
            max_node_age: Duration::from_secs(60),
            query_page: true,
            introspection: true,
            persisted: None,
            only_persisted: false,
            cors: Cors::Any,
            door: DoorOptions::default(),
            intake: None,
            metrics: None,
            heartbeat: Duration::from_secs(15),
            streams: None,
            metrics_listener: None,
            drain: Duration::ZERO,
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("limits", &self.limits)
            .field("max_lag", &self.max_lag)
            .field("max_node_age", &self.max_node_age)
            .field("query_page", &self.query_page)
            .field("introspection", &self.introspection)
            .field("cors", &self.cors)
            .field("door", &self.door)
            .field("intake", &self.intake.is_some())
            .field("metrics", &self.metrics.is_some())
            .field("heartbeat", &self.heartbeat)
            .field("shutdown_grace", &self.shutdown_grace)
            .finish()
    }
}

/// What the handlers share.
#[derive(Clone)]
struct App {
    api: Api,
    streams: Streams,
    reads: Reads,
    options: Arc<ServerOptions>,
    limits: Arc<Limits>,
    door: Arc<Door>,
    /// What `/ready` said before.
    steady: Arc<health::Steady>,
    /// Turns true when the shutdown begins.
    draining: watch::Receiver<bool>,
    /// Turns true when nothing new is taken in any more.
    stopping: watch::Receiver<bool>,
    /// Places for HTTP queries.
    queries: Arc<Semaphore>,
    /// Places for bodies that are larger than a query.
    large: Arc<Semaphore>,
    /// Places for such bodies while they arrive.
    arriving: Arc<Semaphore>,
    /// How many of these one caller may have.
    shares: Arc<Shares>,
    /// Places for WebSockets and streams over HTTP.
    sockets: Arc<Semaphore>,
    /// Held by every open WebSocket and stream; nothing is sent. When all are dropped, none is open.
    open: mpsc::Sender<Infallible>,
}

/// What one caller may have of the places that all share.
struct Shares {
    /// Queries that are answered.
    queries: places::Shares,
    /// Large bodies that arrive.
    arriving: places::Shares,
    /// Requests that wait for a block.
    waiting: places::Shares,
}

/// Serves until `shutdown` completes, then lets open requests finish, closes WebSockets (1001) and
/// returns, at the latest after the drain and grace times of the options.
///
/// # Errors
///
/// When a listener's socket cannot be used.
pub async fn serve(
    listener: TcpListener,
    reader: Arc<dyn Reader>,
    options: ServerOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (drain, draining) = watch::channel(false);
    let (stop, stopping) = watch::channel(false);
    let (open, mut all_closed) = mpsc::channel(1);
    let (grace, drain_time) = (options.shutdown_grace, options.drain);
    let side_listener = options.metrics_listener.clone();

    let limits = Arc::new(options.limits.clone());
    let heartbeat = options.heartbeat;
    let streams = options.streams.clone();
    let streams = streams
        .unwrap_or_else(|| Streams::new(reader.clone(), &limits, StreamOptions { heartbeat }));
    let reads = Reads::new(reader, limits.concurrent_reads);
    let door = Arc::new(Door::new(options.door.clone()));
    let app = App {
        api: schema::build_with(
            reads.clone(),
            limits.clone(),
            options.introspection,
            Persisted::new(options.persisted.clone(), options.only_persisted),
        ),
        streams,
        reads,
        door: door.clone(),
        steady: Arc::default(),
        draining,
        stopping: stopping.clone(),
        queries: Arc::new(Semaphore::new(limits.concurrent_queries.max(1))),
        large: Arc::new(Semaphore::new(results::AT_ONCE)),
        arriving: Arc::new(Semaphore::new(results::ARRIVING)),
        shares: Arc::new(Shares {
            queries: places::Shares::new(limits.concurrent_queries / 4),
            arriving: places::Shares::new(results::ARRIVING_OF_ONE),
            waiting: places::Shares::new(wait::PLACES_OF_ONE),
        }),
        sockets: Arc::new(Semaphore::new(limits.websockets)),
        options: Arc::new(options),
        limits,
        open: open.clone(),
    };
    let mut listeners = Vec::new();
    if let Some(side) = side_listener {
        let side = side.try_clone()?;
        side.set_nonblocking(true)?;
        let side = TcpListener::from_std(side)?;
        listeners.push((side, metrics_router(app.clone()), (false, true)));
    }
    listeners.push((listener, router(app), (door.tls().is_some(), false)));

    tokio::spawn(async move {
        shutdown.await;
        // Nobody listening is fine: then there is nobody to tell.
        let _ = drain.send(true);
        tokio::time::sleep(drain_time).await;
        let _ = stop.send(true);
    });
    let drained = async {
        let running = listeners.into_iter().map(|(listener, router, kind)| {
            let (door, stopping) = (door.clone(), stopping.clone());
            accept::run(listener, router, door, kind, stopping, open.clone())
        });
        futures::future::join_all(running).await;
        drop(open);
        // Only connections, requests and WebSockets still hold the sender.
        let _ = all_closed.recv().await;
    };
    let out_of_grace = async {
        stopped(stopping.clone()).await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        () = drained => {}
        () = door.watch_keys() => {}
        () = out_of_grace => {
            tracing::warn!(grace_s = grace.as_secs(), "some connections did not end in time and were cut");
            door.cut_all();
        }
    }
    Ok(())
}

/// Completes when the shutdown has begun.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that the sender is gone, which happens only after the shutdown began.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

fn router(app: App) -> Router {
    // Room for a slow upload around the time that the query itself may take.
    let request_time = app.limits.query_timeout() + Duration::from_secs(10);
    let mut routes = Router::new()
        .route("/", get(pages::landing))
        .route("/assets/style.css", get(pages::style))
        .route("/graphql/ws", get(socket::upgrade))
        .route("/health", get(health::live))
        .route("/ready", get(health::ready));
    routes = routes.route("/graphql", get(post::get).post(post::execute));
    if app.options.query_page {
        routes = routes.route("/assets/query.js", get(pages::query_script));
    }
    if app.options.metrics.is_some() && app.options.metrics_listener.is_none() {
        routes = routes.route("/metrics", get(health::metrics));
    }
    // The last layer is the outermost.
    let routes = routes
        .merge(sse::routes())
        .merge(rest::routes())
        .merge(reads::routes())
        .merge(explorer::routes())
        .merge(openapi::routes())
        .merge(results::routes())
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(app.limits.body_bytes))
        // These bound their bodies themselves, by limits of their own.
        .merge(results::large_routes())
        .merge(ingest::routes())
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            request_time,
        ));
    let mut routes = wait::layered(routes, &app)
        .layer(middleware::from_fn_with_state(
            app.clone(),
            post::explain_refusal,
        ))
        // The usual level takes longer over a large answer than everything else together.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(middleware::from_fn_with_state(app.clone(), access::admit));
    if let Some(cors) = app.options.cors.layer() {
        routes = routes.layer(cors);
    }
    routes
        .layer(middleware::from_fn_with_state(
            app.clone(),
            preflight::counted,
        ))
        .layer(middleware::from_fn(access_log::record))
        .with_state(app)
}

/// What is shown on an address of its own.
fn metrics_router(app: App) -> Router {
    Router::new()
        .route("/metrics", get(health::metrics))
        .route("/health", get(health::live))
        .route("/ready", get(health::ready))
        .layer(middleware::from_fn(access_log::record))
        .with_state(app)
}
