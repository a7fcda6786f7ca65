//! The window as a client meets it: real HTTP and WebSockets on loopback, a store in memory.

mod changes;
mod documents;
mod fake;
mod heads;
mod histories;
mod http;
mod limits;
mod loading;
mod paging;
mod queries;
mod rest;
mod results;
mod server;
mod stake;
mod state;
mod stream;
mod verdicts;
mod whatif;
