//! The window as a client meets it: real HTTP and WebSockets on loopback, a store in memory.

mod documents;
mod fake;
mod http;
mod limits;
mod loading;
mod paging;
mod queries;
mod server;
mod state;
mod stream;
