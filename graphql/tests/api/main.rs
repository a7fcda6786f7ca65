//! The window as a client meets it: real HTTP and WebSockets on loopback, a store in memory.

mod accounts;
mod changes;
mod documents;
mod epochs;
mod fake;
mod fuzz;
mod heads;
mod histories;
mod hostile;
mod http;
mod limits;
mod lists;
mod loading;
mod paging;
mod persisted;
mod queries;
mod results;
mod server;
mod socket;
mod stake;
mod state;
mod stream;
mod verdicts;
mod whatif;
