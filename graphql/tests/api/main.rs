//! The window as a client meets it: real HTTP and WebSockets on loopback, a store in memory.

mod changes;
mod connections;
mod documents;
mod fake;
mod heads;
mod histories;
mod http;
mod limits;
mod loading;
mod neurons;
mod paging;
mod queries;
mod rest;
mod results;
mod server;
mod server_access;
mod server_sockets;
mod stake;
mod state;
mod stream;
mod streams;
mod tls;
mod verdicts;
mod whatif;
