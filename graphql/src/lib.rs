//! The window: GraphQL and HTTP over ports.
//!
//! This crate asks a store through [`Reader`] and serves what it says. It cannot write the chain's
//! data: its one writing port, [`ports::Intake`], takes in challenge results. It knows no database
//! and no chain node. [`serve`] takes a listener and a shutdown future, so that whoever
//! composes the program (or a test) decides where and how long it runs.

mod loaders;
pub mod ports;
mod reads;
pub mod rest;
mod schema;
mod server;

pub use ports::{ReadError, Reader};
pub use schema::Limits;
pub use schema::sdl;
pub use server::{MetricsPage, ServerOptions, openapi, serve};
