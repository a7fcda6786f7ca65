//! The window: GraphQL and HTTP over ports.
//!
//! This crate asks a store through [`Reader`] and serves what it says. It cannot write the chain's
//! data: its one writing port, [`ports::Intake`], takes in challenge results. It knows no database
//! and no chain node. [`serve`] takes a listener and a shutdown future, so that whoever
//! composes the program (or a test) decides where and how long it runs.

// Nothing that a request brings may end a thread; see SECURITY.md.
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing
    )
)]

mod execute;
mod loaders;
pub mod ports;
mod reads;
pub mod rest;
mod schema;
mod server;
pub mod streams;

pub use execute::Executor;
pub use ports::{ReadError, Reader};
pub use schema::Limits;
pub use schema::sdl;
pub use server::{
    ApiKey, Cidr, Cors, DoorOptions, ID_DIGITS, Keys, MetricsPage, NoCidr, NoOrigin, NoProxyHeader,
    ProxyHeader, Rate, SECRET_BYTES, Scopes, ServerOptions, Tls, TlsError, key_hash, key_text,
    openapi, serve,
};
pub use streams::{StreamCursor, StreamMessage, Streams, Topic};
