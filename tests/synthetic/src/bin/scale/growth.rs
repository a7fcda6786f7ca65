//! How the folder grows beside what was given to the index.

use std::io::Write;
use std::sync::Arc;

use indexer::pipeline::Progress;
use indexer::store::{Store, StoreError};
use synthetic::SyntheticSource;
use tokio::sync::watch;

use crate::{Failed, float, mega};

/// Blocks from one line to the next.
const STEP: u32 = 500;

/// One moment of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grown {
    block: u32,
    given: u64,
    disk: u64,
}

/// Measures the folder every [`STEP`] blocks until the run is over.
pub(crate) async fn watch(
    store: Store,
    source: Arc<SyntheticSource>,
    mut seen: watch::Receiver<Progress>,
) -> Result<Vec<Grown>, StoreError> {
    let mut lines: Vec<Grown> = Vec::new();
    loop {
        let next = lines.last().map_or(0, |l| l.block - l.block % STEP) + STEP;
        let reached = seen
            .wait_for(|p| p.committed.is_some_and(|block| block >= next))
            .await
            .map(|p| p.committed.unwrap_or_default());
        let Ok(block) = reached else {
            return Ok(lines);
        };
        lines.push(Grown {
            block,
            given: source.given(),
            disk: store.engine().size_on_disk()?,
        });
    }
}

pub(crate) fn print(out: &mut impl Write, lines: &[Grown]) -> Result<(), Failed> {
    writeln!(
        out,
        "\n{:<10} {:>12} {:>12} {:>8}   growth of the folder",
        "block", "given MB", "on disk MB", "ratio"
    )?;
    for line in lines {
        writeln!(
            out,
            "{:<10} {:>12.1} {:>12.1} {:>8.2}",
            line.block,
            mega(line.given),
            mega(line.disk),
            float(line.disk) / float(line.given.max(1))
        )?;
    }
    Ok(())
}
