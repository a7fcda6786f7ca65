//! `demo`: a replay node on loopback, then exactly the path of `run`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use replay_node::{Mode, Options};

use crate::app;
use crate::args::DemoArgs;
use crate::config::Config;

/// Recording that is part of the program.
const BUILT_IN: &str = "mini-300";

/// Plays a recorded chain and follows it.
pub(crate) fn demo(mut config: Config, args: &DemoArgs) -> Result<()> {
    let recording = match &args.recording {
        Some(dir) => Arc::new(replay_node::load_dir(dir)?),
        None => replay_node::fixture(BUILT_IN)?,
    };
    // A demo leaves nothing behind unless it is told where.
    let scratch = match args.flags.data_dir {
        Some(_) => None,
        None => Some(tempfile::tempdir().context("no temporary folder can be made")?),
    };
    if let Some(dir) = &scratch {
        config.data_dir = dir.path().join("store");
    }
    super::carry_out(async {
        let mode = match args.live {
            Some(ms) => Mode::Live {
                start: 1,
                every: Duration::from_millis(ms.max(1)),
            },
            None => Mode::Whole,
        };
        let options = Options {
            mode,
            ..Options::default()
        };
        let node = replay_node::start(recording.clone(), options).await?;
        tracing::info!(
            recording = recording.name,
            blocks = recording.head,
            node = node.ws_url(),
            "replay node started"
        );
        config.url = vec![node.ws_url()];
        config.network = None;
        let done = app::run(config, app::Serve::Yes).await;
        node.stop().await;
        done
    })
}
