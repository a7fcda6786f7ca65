//! Starting, steering and stopping a node.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chain_metadata::Recording;
use jsonrpsee::server::middleware::rpc::{RpcService, RpcServiceBuilder};
use jsonrpsee::server::{BatchRequestConfig, Methods, Server, ServerConfig, ServerHandle};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::chain::Chain;
use crate::counts::CallCounts;
use crate::faults::Faults;
use crate::heads::Heads;
use crate::meter::{MAX_BODY, Meter};
use crate::options::{Mode, Options, StartError};
use crate::rpc;
use crate::shared::Shared;

/// A running node. Dropping it ends it at once; [`ReplayNode::stop`] waits until its sockets are closed.
#[derive(Debug)]
pub struct ReplayNode {
    address: SocketAddr,
    shared: Arc<Shared>,
    faults: Faults,
    server: ServerHandle,
    tasks: Vec<JoinHandle<()>>,
}

/// Starts a node on the current tokio runtime. It answers as soon as this returns.
///
/// # Errors
///
/// When the address cannot be listened on, or the options do not fit the recording.
pub async fn start(recording: Arc<Recording>, options: Options) -> Result<ReplayNode, StartError> {
    let chain = Chain::new(recording, options.repeat)?;
    let end = chain.end();
    let head = match options.mode {
        Mode::Whole => end,
        Mode::Live { start, .. } | Mode::Stepped { start } => start,
    };
    if head > end {
        return Err(StartError::StartHeight { start: head, end });
    }
    if let Mode::Live { every, .. } = options.mode
        && every < Duration::from_millis(1)
    {
        return Err(StartError::Interval);
    }
    let heads = Heads::new(head, options.finality_lag);
    let shared = Arc::new(Shared::new(chain, heads));
    let methods = rpc::methods(&shared)?;

    let listen = |cause| StartError::Listen {
        address: options.listen,
        cause,
    };
    let listener = TcpListener::bind(options.listen).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let (stopped, server) = jsonrpsee::server::stop_channel();
    let mut tasks = vec![tokio::spawn(accept(
        listener,
        Arc::clone(&shared),
        methods,
        stopped,
        options,
    ))];
    if let Mode::Live { every, .. } = options.mode {
        tasks.push(tokio::spawn(grow(Arc::clone(&shared), every)));
    }
    Ok(ReplayNode {
        address,
        faults: Faults::new(Arc::clone(&shared)),
        shared,
        server,
        tasks,
    })
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    methods: Methods,
    stopped: jsonrpsee::server::StopHandle,
    options: Options,
) {
    let max_response = options.max_response.unwrap_or(MAX_BODY);
    let batches = match options.max_batch {
        None => BatchRequestConfig::Unlimited,
        Some(0) => BatchRequestConfig::Disabled,
        Some(calls) => BatchRequestConfig::Limit(calls),
    };
    let config = ServerConfig::builder()
        .max_request_body_size(MAX_BODY)
        .max_response_body_size(max_response)
        .max_connections(4096)
        .set_batch_request_config(batches)
        .build();
    let builder = Server::builder().set_config(config).to_service_builder();
    loop {
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(error) => {
                // Out of file descriptors, as a rule: some are free again in a moment.
                tracing::warn!(%error, "the replay node cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        shared.counter.connection();
        if shared.settings().refuse {
            continue;
        }
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "the peer has gone already");
            continue;
        }
        let (connection, socket) = shared.connections.add(socket);
        let shared = Arc::clone(&shared);
        let meter = RpcServiceBuilder::new().layer_fn(move |service: RpcService| {
            Meter::new(
                service,
                Arc::clone(&shared),
                Arc::clone(&connection),
                max_response,
            )
        });
        let service = builder
            .clone()
            .set_rpc_middleware(meter)
            .build(methods.clone(), stopped.clone());
        tokio::spawn(async move {
            if let Err(error) = jsonrpsee::server::serve(socket, service).await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
}

async fn grow(shared: Arc<Shared>, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        shared.advance(1);
    }
}

impl ReplayNode {
    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Where a client on this machine finds it, `ws://…`.
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.reachable())
    }

    /// Where a client on this machine finds it, `http://…`.
    pub fn http_url(&self) -> String {
        format!("http://{}", self.reachable())
    }

    /// The address, with loopback for "any".
    fn reachable(&self) -> SocketAddr {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        address
    }

    /// Switches for what can go wrong.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What clients asked for since the start or the last [`ReplayNode::reset_counts`].
    pub fn counts(&self) -> CallCounts {
        self.shared.counter.snapshot()
    }

    /// Begins to count anew.
    pub fn reset_counts(&self) {
        self.shared.counter.reset();
    }

    /// Extrinsics that clients submitted, in order, as they sent them.
    pub fn submitted(&self) -> Vec<Vec<u8>> {
        self.shared.submitted().clone()
    }

    /// Adds up to `count` blocks of the final branch; how many there were before the end of the chain.
    pub fn advance(&self, count: u32) -> u32 {
        self.shared.advance(count)
    }

    /// Height of the final branch so far. Faults that make clients see less do not change it.
    pub fn head(&self) -> u32 {
        self.shared.heads().main()
    }

    /// Height of the last block that there will be.
    pub fn end(&self) -> u32 {
        self.shared.chain.end()
    }

    /// Hash of a block of the final branch, whether or not the chain has come so far.
    pub fn hash(&self, number: u32) -> Option<chain_metadata::H256> {
        self.shared.chain.block(number).map(|block| block.hash)
    }

    /// Ends the node and waits until all its sockets are closed.
    pub async fn stop(mut self) {
        self.end_now();
        for task in std::mem::take(&mut self.tasks) {
            // The task was aborted, so it ends with an error.
            let _ = task.await;
        }
        let closed = self.shared.connections.all_closed();
        if tokio::time::timeout(Duration::from_secs(5), closed)
            .await
            .is_err()
        {
            tracing::warn!("the replay node's connections did not close in five seconds");
        }
    }

    fn end_now(&self) {
        for task in &self.tasks {
            task.abort();
        }
        // An error only means that it was stopped before.
        let _ = self.server.stop();
        self.shared.connections.kill_all();
    }
}

impl Drop for ReplayNode {
    fn drop(&mut self) {
        self.end_now();
    }
}
