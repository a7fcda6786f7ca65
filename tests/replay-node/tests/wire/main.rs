//! The node as clients see it: real sockets on the loopback interface.

mod counts;
mod faults;
mod forks;
mod live;
mod methods;
mod raw;
mod recordings;
mod repeated;
mod runtime;
mod storage;
mod support;
