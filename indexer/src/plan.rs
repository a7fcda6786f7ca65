//! From raw blocks to prepared ones: decode, find out what each block may have
//! changed, read that, and know the world a little better for the next block.
//!
//! A window of blocks costs one batch for the blocks themselves (fetched ahead
//! by the pipeline) and one for what they touched; only blocks in which subnets
//! or uids change hands, and the first block of a runtime, ask again until
//! nothing new turns up.

mod decode;
mod reading;

use std::collections::HashMap;
use std::sync::Arc;

use chain_metadata::{BlockNumber, H256, Metadata, SpecVersion};

use crate::IndexError;
use crate::items::Layout;
use crate::source::{Bytes, ChainSource, RawBlock, RawRuntime, Want};
use crate::world::World;

pub use decode::Decoded;
pub use reading::{Key, every_block_keys};

use reading::Reading;

/// A block with everything that is stored of it.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The block as the node gave it.
    pub raw: RawBlock,
    /// What its bytes say.
    pub decoded: Decoded,
    /// Runtime that executed it.
    pub layout: Arc<Layout>,
    /// Values read at its end.
    pub values: Vec<(Key, Option<Bytes>)>,
    /// Netuids whose epoch ran in it, ascending.
    pub epochs: Vec<u16>,
    /// Spec version in `System.LastRuntimeUpgrade` at its end.
    pub upgraded_to: Option<SpecVersion>,
}

/// The planner: what it knows at the end of the last block it prepared.
#[derive(Debug)]
pub struct Planner<S> {
    source: Arc<S>,
    world: World,
    layout: Arc<Layout>,
    /// Nothing is known of the state before the first block.
    fresh: bool,
    /// `System.LastRuntimeUpgrade` at the last block.
    upgraded_to: Option<SpecVersion>,
}

/// System items read with every block, with the layout's metadata.
pub(crate) fn system_keys(metadata: &Metadata) -> [Bytes; 3] {
    let prefix = |pallet: &str, entry: &str| {
        metadata
            .storage(pallet, entry)
            .map(|e| e.prefix.to_vec())
            .unwrap_or_default()
    };
    [
        prefix("System", "Events"),
        prefix("System", "LastRuntimeUpgrade"),
        prefix("Timestamp", "Now"),
    ]
}

/// Parses a runtime's metadata and binds the manifest to it.
pub fn layout_of(raw: RawRuntime, block: BlockNumber) -> Result<Arc<Layout>, IndexError> {
    let metadata = Metadata::from_bytes(&raw.metadata).map_err(|e| IndexError::Metadata {
        block,
        spec: raw.spec,
        what: e.to_string(),
    })?;
    Ok(Arc::new(Layout::new(
        raw.spec,
        Arc::new(metadata),
        Arc::new(raw.metadata),
    )))
}

impl<S: ChainSource> Planner<S> {
    /// A planner that has seen nothing: its first block is read whole.
    /// `layout` is the runtime that executed that block.
    pub fn fresh(source: Arc<S>, layout: Arc<Layout>) -> Planner<S> {
        Planner {
            source,
            world: World::default(),
            layout,
            fresh: true,
            upgraded_to: None,
        }
    }

    /// A planner that goes on after a stored block.
    pub fn resumed(
        source: Arc<S>,
        layout: Arc<Layout>,
        world: World,
        upgraded_to: Option<SpecVersion>,
    ) -> Planner<S> {
        Planner {
            source,
            world,
            layout,
            fresh: false,
            upgraded_to,
        }
    }

    /// Keys that the next window should be fetched with.
    pub fn keys_ahead(&self) -> Vec<Bytes> {
        let mut keys = system_keys(&self.layout.metadata).to_vec();
        keys.extend(
            every_block_keys(&self.layout, self.world.subnets.keys().copied())
                .into_iter()
                .map(|k| k.full),
        );
        keys
    }

    /// Prepares a window of consecutive blocks. On an error the blocks before
    /// the broken one are still returned.
    pub async fn prepare(
        &mut self,
        window: Vec<RawBlock>,
        keys: &[Bytes],
    ) -> (Vec<Prepared>, Option<IndexError>) {
        let mut layouts = Vec::with_capacity(window.len());
        let mut error = None;
        let mut fetched: Vec<HashMap<Bytes, Option<Bytes>>> = Vec::with_capacity(window.len());
        let mut layout = self.layout.clone();
        let mut raws = Vec::with_capacity(window.len());
        for mut raw in window {
            let values: HashMap<_, _> = keys.iter().cloned().zip(raw.values.drain(..)).collect();
            let said = upgraded_to(&values, &layout);
            match self.executed_by(&raw, said, &layout).await {
                Ok(found) => layout = found,
                Err(e) => {
                    error = Some(e);
                    break;
                }
            }
            layouts.push((layout.clone(), said));
            fetched.push(values);
            raws.push(raw);
        }
        let (decoded, broken) = decode::window(&raws, &layouts, &fetched).await;
        error = broken.or(error);

        let mut done: Vec<Prepared> = Vec::with_capacity(decoded.len());
        let mut waiting: Vec<(Prepared, Reading, Vec<Key>)> = Vec::new();
        for (((raw, decoded), (layout, said)), mut known) in
            raws.into_iter().zip(decoded).zip(layouts).zip(fetched)
        {
            // Migrations run where the version changes, and write what they like.
            let upgraded =
                layout.spec != self.layout.spec || said != self.upgraded_to || self.fresh;
            self.layout = layout.clone();
            self.upgraded_to = said;
            let mut reading =
                Reading::of(&decoded.touched, upgraded, raw.number, &layout, &self.world);
            let mut block = Prepared {
                raw,
                decoded,
                layout,
                values: Vec::new(),
                epochs: Vec::new(),
                upgraded_to: said,
            };
            let outcome = if reading.in_one_round(&known, &self.world) {
                reading.note_epochs(&known, &self.world);
                let missing = reading.take_known(&mut block, &mut known, &self.world);
                // A subnet that grew without an event needs rounds of its own.
                reading.absorb(&block.values, &mut self.world);
                if reading.settled() {
                    waiting.push((block, reading, missing));
                    continue;
                }
                if let Err(e) = self.flush(&mut waiting, &mut done).await {
                    return (done, Some(e));
                }
                self.rounds(&mut block, &mut reading, &mut known).await
            } else {
                if let Err(e) = self.flush(&mut waiting, &mut done).await {
                    return (done, Some(e));
                }
                self.rounds(&mut block, &mut reading, &mut known).await
            };
            if let Err(e) = outcome {
                return (done, Some(e));
            }
            self.fresh = false;
            block.epochs = reading.epochs.iter().copied().collect();
            done.push(block);
        }
        if let Err(e) = self.flush(&mut waiting, &mut done).await {
            return (done, Some(e));
        }
        (done, error)
    }

    /// Reads until nothing new turns up.
    async fn rounds(
        &mut self,
        block: &mut Prepared,
        reading: &mut Reading,
        known: &mut HashMap<Bytes, Option<Bytes>>,
    ) -> Result<(), IndexError> {
        if reading.enumerate
            && let Some((_, entry)) = block.layout.find("NetworksAdded")
        {
            let found = self.source.keys(block.raw.hash, &entry.prefix).await?;
            reading.candidates(&block.layout, &found);
        }
        loop {
            reading.note_epochs(known, &self.world);
            let missing = reading.take_known(block, known, &self.world);
            if !missing.is_empty() {
                let want = Want {
                    at: block.raw.hash,
                    keys: missing.iter().map(|k| k.full.clone()).collect(),
                };
                let mut values = self.source.storage(std::slice::from_ref(&want)).await?;
                for (key, value) in want.keys.into_iter().zip(values.pop().unwrap_or_default()) {
                    known.insert(key, value);
                }
                reading.take_known(block, known, &self.world);
            }
            let before = self.world.clone();
            reading.absorb(&block.values, &mut self.world);
            if missing.is_empty() && before == self.world {
                reading.finish(&mut self.world);
                return Ok(());
            }
        }
    }

    /// One batch for what all waiting blocks touched.
    async fn flush(
        &mut self,
        waiting: &mut Vec<(Prepared, Reading, Vec<Key>)>,
        done: &mut Vec<Prepared>,
    ) -> Result<(), IndexError> {
        let want: Vec<Want> = waiting
            .iter()
            .filter(|(_, _, missing)| !missing.is_empty())
            .map(|(block, _, missing)| Want {
                at: block.raw.hash,
                keys: missing.iter().map(|k| k.full.clone()).collect(),
            })
            .collect();
        let mut answers = if want.is_empty() {
            Vec::new()
        } else {
            self.source.storage(&want).await?
        }
        .into_iter();
        for (mut block, reading, missing) in waiting.drain(..) {
            if !missing.is_empty() {
                let values = answers.next().unwrap_or_default();
                block.values.extend(missing.into_iter().zip(values));
            }
            block.epochs = reading.epochs.iter().copied().collect();
            done.push(block);
        }
        Ok(())
    }

    /// The runtime that executed a block: the one in its parent's state. The
    /// executive leaves its version in `System.LastRuntimeUpgrade` before
    /// anything else runs, so the block itself says which one that was; the
    /// node is asked only when that changes or is not there.
    async fn executed_by(
        &self,
        raw: &RawBlock,
        said: Option<SpecVersion>,
        current: &Arc<Layout>,
    ) -> Result<Arc<Layout>, IndexError> {
        if said == Some(current.spec) {
            return Ok(current.clone());
        }
        let at = executed_in(raw);
        if self.source.spec(at).await? == current.spec {
            return Ok(current.clone());
        }
        let runtime = self.source.runtime(at).await?;
        tracing::info!(
            block = raw.number,
            from = current.spec,
            to = runtime.spec,
            "runtime upgrade"
        );
        layout_of(runtime, raw.number)
    }
}

/// The spec version in `System.LastRuntimeUpgrade`, by the name of its field.
fn upgraded_to(values: &HashMap<Bytes, Option<Bytes>>, layout: &Layout) -> Option<SpecVersion> {
    let [_, upgrade, _] = system_keys(&layout.metadata);
    let bytes = values.get(&upgrade)?.as_ref()?;
    let entry = layout.metadata.storage("System", "LastRuntimeUpgrade")?;
    let value = entry.decode_value(layout.metadata.types(), bytes).ok()?;
    value.field("spec_version")?.as_u32()
}

/// The block whose state holds the runtime that executed `raw`.
pub fn executed_in(raw: &RawBlock) -> H256 {
    if raw.number == 0 {
        raw.hash
    } else {
        raw.parent
    }
}
