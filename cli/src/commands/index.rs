//! `run` and `index`: follow a chain into a store.

use anyhow::Result;

use crate::app;
use crate::config::Config;

/// Follows and serves.
pub(crate) fn run(config: Config) -> Result<()> {
    super::carry_out(app::run(config, app::Serve::Yes))
}

/// Follows only.
pub(crate) fn index(config: Config) -> Result<()> {
    super::carry_out(app::run(config, app::Serve::No))
}
