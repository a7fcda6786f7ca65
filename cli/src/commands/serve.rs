//! `serve`: a store without a node.

use anyhow::Result;

use crate::app;
use crate::config::Config;

/// Serves what is stored until told to stop.
pub(crate) fn serve(config: Config) -> Result<()> {
    super::carry_out(app::serve_only(config))
}
