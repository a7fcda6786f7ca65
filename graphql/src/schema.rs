//! The GraphQL schema: one file a concern.

use std::sync::Arc;

use async_graphql::{EmptyMutation, Schema};

use crate::reads::Reads;

mod account;
mod as_of;
mod block;
mod changes;
mod commit;
mod connection;
mod cost;
pub(crate) mod error;
mod event;
mod extrinsic;
mod find;
mod heads;
mod history;
pub(crate) mod limits;
mod matrix;
mod measure;
mod metagraph;
mod neuron;
mod numbers;
mod operation;
pub(crate) mod paging;
pub(crate) mod persisted;
mod query;
pub(crate) mod results;
mod runtime;
pub(crate) mod scalars;
mod series;
mod shape;
mod stake;
mod stamp;
mod status;
mod subnet;
mod subscription;
mod tenancy;
mod verification;
mod weights_set;
pub(crate) mod whatif;
mod window;

pub use limits::Limits;
pub(crate) use status::lag;

use history::Root;
use persisted::Persisted;
use subscription::Subscription;

/// The schema as it is executed.
pub(crate) type Api = Schema<Root, EmptyMutation, Subscription>;

/// Builds the schema over a store, without a list of documents.
pub(crate) fn build(reads: Reads, limits: Arc<Limits>, introspection: bool) -> Api {
    build_with(reads, limits, introspection, Persisted::default())
}

/// Builds the schema over a store.
pub(crate) fn build_with(
    reads: Reads,
    limits: Arc<Limits>,
    introspection: bool,
    persisted: Persisted,
) -> Api {
    let persisted = Arc::new(persisted);
    let mut builder = Schema::build(Root::default(), EmptyMutation, Subscription)
        .data(limits.clone())
        .data(reads.clone())
        .data(persisted.clone())
        .extension(limits::Guard::new(limits, reads, persisted));
    if !introspection {
        builder = builder.disable_introspection();
    }
    builder.finish()
}

/// The schema in the schema definition language, as committed in `schema.graphql`.
pub fn sdl() -> String {
    Schema::build(Root::default(), EmptyMutation, Subscription)
        .finish()
        .sdl()
}
