//! The method table.

use std::sync::Arc;

use jsonrpsee::server::{Methods, RegisterMethodError, RpcModule};
use jsonrpsee::types::{ErrorObjectOwned, Params};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::answer::{Answer, Reply};
use crate::shared::Shared;

mod author;
mod chain;
mod runtime;
mod state;
mod storage_events;
mod subscriptions;
mod system;

/// Method table under construction.
struct Table(RpcModule<Shared>);

impl Table {
    /// Adds a method under all its names.
    fn method(
        &mut self,
        names: &[&'static str],
        answer: fn(&Shared, &mut Arguments<'_>) -> Reply,
    ) -> Result<(), RegisterMethodError> {
        for name in names {
            self.0.register_method(name, move |params, shared, _| {
                answer(shared, &mut Arguments::new(&params))
            })?;
        }
        Ok(())
    }

    /// Adds other names for a method or subscription.
    fn aliases(
        &mut self,
        existing: &'static str,
        aliases: &[&'static str],
    ) -> Result<(), RegisterMethodError> {
        aliases
            .iter()
            .try_for_each(|alias| self.0.register_alias(alias, existing))
    }
}

/// Positional arguments of a call; those left out are the same as `null`.
struct Arguments<'a>(jsonrpsee::types::params::ParamsSequence<'a>);

impl<'a> Arguments<'a> {
    fn new(params: &'a Params<'a>) -> Arguments<'a> {
        Arguments(params.sequence())
    }

    fn required<T: DeserializeOwned>(&mut self) -> Result<T, ErrorObjectOwned> {
        self.0.next()
    }

    fn optional<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ErrorObjectOwned> {
        self.0.optional_next()
    }
}

/// Every method, subscription and alias of the node.
pub(crate) fn methods(shared: &Arc<Shared>) -> Result<Methods, RegisterMethodError> {
    let mut table = Table(RpcModule::from_arc(Arc::clone(shared)));
    author::register(&mut table)?;
    chain::register(&mut table)?;
    runtime::register(&mut table)?;
    state::register(&mut table)?;
    storage_events::register(&mut table)?;
    subscriptions::register(&mut table)?;
    system::register(&mut table)?;

    let mut names: Vec<&str> = table.0.method_names().collect();
    names.push("rpc_methods");
    names.sort_unstable();
    let names = json!({ "version": 1, "methods": names });
    table.0.register_method("rpc_methods", move |_, _, _| {
        Ok::<_, ErrorObjectOwned>(Answer::Json(names.clone()))
    })?;
    Ok(table.0.into())
}
