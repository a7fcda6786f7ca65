//! Webhooks and alert rules.
//!
//! | module | what is in it |
//! |---|---|
//! | [`mod@file`] | the file of TOML that says which rules and hooks there are |
//! | [`rule`] | a rule: a query, a condition over its answer, and what has become of it so far |
//! | [`chain`] | the port through which rules ask, and the positions at which they do |
//! | [`backtest`] | a rule over stored history |
//! | [`engine`] | the same, as the chain goes on |
//! | [`hook`] | where messages go |
//! | [`sign`] | signatures and idempotency keys |
//! | [`guard`] | which addresses may be reached |
//! | [`deliver`] | one attempt, and how long to wait for the next |
//! | [`outbox`] | what must survive: cursors, pending messages, dead letters |
//! | [`owner`] | files and folders that keep their owner whoever writes them |
//! | [`worker`] | one hook at work |
//! | [`service`] | all of it together |
//!
//! It knows neither the store nor GraphQL: both are behind the ports [`chain::Chain`] and
//! [`worker::Streams`].

pub mod backtest;
pub mod chain;
pub mod deliver;
pub mod engine;
pub mod file;
pub mod guard;
pub mod hook;
pub mod number;
pub mod outbox;
pub mod owner;
pub mod rule;
pub mod service;
pub mod sign;
pub mod worker;
