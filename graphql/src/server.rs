//! The HTTP server: routes, layers and an orderly end.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use crate::ports::{Intake, Reader};
use crate::reads::Reads;
use crate::schema::persisted::Persisted;
use crate::schema::{self, Api, Limits};

mod access_log;
mod health;
mod ingest;
mod pages;
mod post;
mod rest;
mod results;
mod socket;

/// Renders what `/metrics` shows, in the Prometheus text format.
pub type MetricsPage = Arc<dyn Fn() -> String + Send + Sync>;

/// How the server behaves. The default suits a node that is followed on the same machine.
#[derive(Clone)]
pub struct ServerOptions {
    /// Bounds of every request.
    pub limits: Limits,
    /// `/ready` fails when the store is more than so many blocks behind the node.
    pub max_lag: u32,
    /// `/ready` fails when the node's finalized height is older than this.
    pub max_node_age: Duration,
    /// Whether GET `/graphql` shows the query page.
    pub query_page: bool,
    /// Whether the schema may be asked for by introspection; the query page's documentation needs
    /// it.
    pub introspection: bool,
    /// Whether pages of any origin may read the answers. The data is public, and what can be
    /// written is signed.
    pub cors: bool,
    /// Documents that are known by the sha256 of their text in lower-case hex, for requests that
    /// send the hash alone.
    pub persisted: Option<Arc<HashMap<String, String>>>,
    /// Whether documents that are not among `persisted` are refused.
    pub only_persisted: bool,
    /// Takes in reports of challenge results; without it there is no such route.
    pub intake: Option<Arc<dyn Intake>>,
    /// What `/metrics` shows; without it the route does not exist.
    pub metrics: Option<MetricsPage>,
    /// How long open requests and WebSockets may go on after the shutdown has begun.
    pub shutdown_grace: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            max_lag: 10,
            max_node_age: Duration::from_secs(60),
            query_page: true,
            introspection: true,
            cors: true,
            persisted: None,
            only_persisted: false,
            intake: None,
            metrics: None,
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
            .field("intake", &self.intake.is_some())
            .field("metrics", &self.metrics.is_some())
            .field("shutdown_grace", &self.shutdown_grace)
            .finish()
    }
}

/// What the handlers share.
#[derive(Clone)]
struct App {
    api: Api,
    reads: Reads,
    options: Arc<ServerOptions>,
    limits: Arc<Limits>,
    /// Turns true when the shutdown begins.
    stopping: watch::Receiver<bool>,
    /// Places for HTTP queries.
    queries: Arc<Semaphore>,
    /// Places for bodies that are larger than a query.
    large: Arc<Semaphore>,
    /// Places for such bodies while they arrive.
    arriving: Arc<Semaphore>,
    /// Places for WebSockets.
    sockets: Arc<Semaphore>,
    /// Held by every open WebSocket; nothing is sent. When all are dropped, none is open.
    open: mpsc::Sender<Infallible>,
}

/// Serves until `shutdown` completes, then lets open requests finish, closes WebSockets (1001) and
/// returns, at the latest after the grace time of the options.
///
/// # Errors
///
/// When the listener's socket fails.
pub async fn serve(
    listener: TcpListener,
    reader: Arc<dyn Reader>,
    options: ServerOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (stop, stopping) = watch::channel(false);
    let (open, mut all_closed) = mpsc::channel(1);
    let grace = options.shutdown_grace;

    let limits = Arc::new(options.limits.clone());
    let reads = Reads::new(reader, limits.concurrent_reads);
    let app = App {
        api: schema::build_with(
            reads.clone(),
            limits.clone(),
            options.introspection,
            Persisted::new(options.persisted.clone(), options.only_persisted),
        ),
        reads,
        stopping: stopping.clone(),
        queries: Arc::new(Semaphore::new(limits.concurrent_queries.max(1))),
        large: Arc::new(Semaphore::new(results::AT_ONCE)),
        arriving: Arc::new(Semaphore::new(results::ARRIVING)),
        sockets: Arc::new(Semaphore::new(limits.websockets)),
        options: Arc::new(options),
        limits,
        open,
    };
    let service = router(app).into_make_service_with_connect_info::<SocketAddr>();

    let began = async move {
        shutdown.await;
        // Nobody listening is fine: then there is nobody to tell.
        let _ = stop.send(true);
    };
    let drained = async {
        axum::serve(listener, service)
            .with_graceful_shutdown(began)
            .into_future()
            .await?;
        // The router is gone by now, so only WebSockets still hold the sender.
        let _ = all_closed.recv().await;
        Ok(())
    };
    let out_of_grace = async {
        stopped(stopping).await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        done = drained => done,
        () = out_of_grace => {
            tracing::warn!(grace_s = grace.as_secs(), "some connections did not end in time and were cut");
            Ok(())
        }
    }
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
    if app.options.metrics.is_some() {
        routes = routes.route("/metrics", get(health::metrics));
    }
    // The last layer is the outermost.
    let mut routes = routes
        .merge(rest::routes())
        .merge(results::routes())
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(app.limits.body_bytes))
        // These bound their bodies themselves, by limits of their own.
        .merge(results::large_routes())
        .merge(ingest::routes())
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            request_time,
        ))
        .layer(middleware::from_fn_with_state(
            app.clone(),
            post::explain_refusal,
        ))
        .layer(CompressionLayer::new());
    if app.options.cors {
        routes = routes.layer(
            CorsLayer::new()
                .allow_origin(tower_http::cors::Any)
                .allow_methods([axum::http::Method::GET, axum::http::Method::POST])
                .allow_headers([axum::http::header::CONTENT_TYPE]),
        );
    }
    routes
        .layer(middleware::from_fn(access_log::record))
        .with_state(app)
}
