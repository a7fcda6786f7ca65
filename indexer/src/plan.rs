//! From raw blocks to prepared ones: decode, find out what each block may have
//! changed, read that, and know the world a little better for the next block.
//!
//! A window of blocks costs one batch for the blocks themselves (fetched ahead
//! by the pipeline) and one for what they touched; only blocks in which subnets
//! or uids change hands, and the first block of a runtime, ask again until
//! nothing new turns up.

mod decode;
mod former;
mod keys;
mod reading;
mod sweep;

use std::collections::HashMap;
use std::sync::Arc;

use chain_metadata::{BlockNumber, H256, Metadata, SpecVersion};

use crate::IndexError;
use crate::items::{Layout, Refresh, Scope, lines, report};
use crate::source::{
    Answers, Bytes, ChainSource, KeyPage, RawBlock, RawRuntime, SourceError, Want,
};
use crate::world::World;

pub use decode::Decoded;
pub use keys::{Ahead, Key};

use former::Former;
use reading::Reading;

/// A block with everything that is stored of it.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The block as the node gave it; its values are moved out.
    pub raw: RawBlock,
    /// What its bytes say.
    pub decoded: Decoded,
    /// Runtime that executed it.
    pub layout: Arc<Layout>,
    /// What every block reads, where that was fetched with the block: values in
    /// the order of [`Ahead::every`].
    pub every: Option<(Arc<Ahead>, Vec<Option<Bytes>>)>,
    /// Other values read at its end.
    pub values: Vec<(Key, Option<Bytes>)>,
    /// What its epochs read, at the end of its parent.
    pub inputs: Vec<(Key, Option<Bytes>)>,
    /// Maps over accounts were read whole: their values may be older than anything
    /// that this block did.
    pub swept: bool,
    /// Netuids whose epoch ran in it, ascending.
    pub epochs: Vec<u16>,
    /// Spec version in `System.LastRuntimeUpgrade` at its end.
    pub upgraded_to: Option<SpecVersion>,
}

/// The values that were fetched with a block.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The keys, shared by the blocks of a window.
    pub ahead: Arc<Ahead>,
    /// A value a key.
    pub values: Vec<Option<Bytes>>,
}

impl Fetched {
    /// What was fetched under a key; `None` when the key was not asked for.
    fn get(&self, key: &[u8]) -> Option<Option<Bytes>> {
        let place = self.ahead.keys.iter().position(|k| k == key)?;
        self.values.get(place).cloned()
    }
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
    ahead: Arc<Ahead>,
}

/// Blocks that wait for one batch with what they touched, and with what their
/// epochs read at the parent, and who had lost a uid before them.
type Waiting = Vec<(Prepared, Vec<Key>, Vec<Key>, Former)>;

/// Parses a runtime's metadata and binds the manifest to it.
pub fn layout_of(raw: RawRuntime, block: BlockNumber) -> Result<Arc<Layout>, IndexError> {
    let spec = raw.spec;
    let refuse = |what: String| IndexError::Metadata { block, spec, what };
    let metadata = Metadata::from_bytes(&raw.metadata).map_err(|e| refuse(e.to_string()))?;
    let layout = Layout::new(spec, Arc::new(metadata), Arc::new(raw.metadata));
    Ok(Arc::new(layout.map_err(refuse)?))
}

impl<S: ChainSource> Planner<S> {
    /// A planner that has seen nothing: its first block is read whole.
    /// `layout` is the runtime that executed that block.
    pub fn fresh(source: Arc<S>, layout: Arc<Layout>) -> Planner<S> {
        let world = World::default();
        report(layout.spec, &layout.metadata, None);
        Planner {
            ahead: Arc::new(Ahead::new(&layout, &world)),
            source,
            world,
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
            ahead: Arc::new(Ahead::new(&layout, &world)),
            source,
            world,
            layout,
            fresh: false,
            upgraded_to,
        }
    }

    /// Keys that the next window should be fetched with.
    pub fn ahead(&mut self) -> Arc<Ahead> {
        if !self.ahead.fits(&self.layout, &self.world) {
            self.ahead = Arc::new(Ahead::new(&self.layout, &self.world));
        }
        self.ahead.clone()
    }

    /// Prepares a window of consecutive blocks, fetched with the keys of `ahead`.
    /// On an error the blocks before the broken one are still returned.
    pub async fn prepare(
        &mut self,
        window: Vec<RawBlock>,
        ahead: &Arc<Ahead>,
    ) -> (Vec<Prepared>, Option<IndexError>) {
        let mut layouts = Vec::with_capacity(window.len());
        let mut error = None;
        let mut fetched = Vec::with_capacity(window.len());
        let mut layout = self.layout.clone();
        let mut raws = Vec::with_capacity(window.len());
        for mut raw in window {
            let values = Fetched {
                ahead: ahead.clone(),
                values: std::mem::take(&mut raw.values),
            };
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

        let mut done = Vec::with_capacity(decoded.len());
        let mut waiting: Waiting = Vec::new();
        for (((raw, decoded), (layout, said)), fetched) in
            raws.into_iter().zip(decoded).zip(layouts).zip(fetched)
        {
            // Migrations run where the version changes, and write what they like.
            let upgraded =
                layout.spec != self.layout.spec || said != self.upgraded_to || self.fresh;
            self.layout = layout.clone();
            self.upgraded_to = said;
            let block = Prepared {
                raw,
                decoded,
                layout,
                every: None,
                values: Vec::new(),
                inputs: Vec::new(),
                swept: false,
                epochs: Vec::new(),
                upgraded_to: said,
            };
            let step = self.block(block, upgraded, fetched, &mut waiting, &mut done);
            if let Err(e) = step.await {
                return (done, Some(e));
            }
            self.fresh = false;
        }
        if let Err(e) = self.flush(&mut waiting, &mut done).await {
            return (done, Some(e));
        }
        (done, error)
    }

    /// One block: it waits for the window's batch when all its keys are known at
    /// once, or is read in rounds now.
    async fn block(
        &mut self,
        mut block: Prepared,
        upgraded: bool,
        fetched: Fetched,
        waiting: &mut Waiting,
        done: &mut Vec<Prepared>,
    ) -> Result<(), IndexError> {
        let mut reading = Reading::of(&block, upgraded, self.fresh, &mut self.world);
        if reading.in_one_round(&fetched, &mut self.world)? {
            let missing = reading.keys(&self.world);
            let inputs = reading.inputs(&self.world);
            let system = fetched.ahead.system();
            let values = fetched.values.into_iter().skip(system).collect();
            block.every = Some((fetched.ahead, values));
            block.epochs = reading.epochs();
            waiting.push((block, missing, inputs, reading.into_former()));
            return Ok(());
        }
        self.flush(waiting, done).await?;
        let mut known: HashMap<Bytes, Option<Bytes>> = fetched
            .ahead
            .keys
            .iter()
            .cloned()
            .zip(fetched.values)
            .collect();
        // Who lost a uid before the first block is told by what the last epoch gave.
        let mut former_known = !self.fresh || block.raw.number == 0;
        // Everything that is wanted is gone through again when something new is known.
        let mut again = true;
        loop {
            if reading.take_enumerate()
                && let Some((_, entry)) = block.layout.find("NetworksAdded")
            {
                let found = self.source.keys(block.raw.hash, &entry.prefix).await?;
                reading.candidates(&found);
                again = true;
            }
            let (mut news, mut missing) = (Vec::new(), Vec::new());
            if again {
                (news, missing) = reading.next(&mut known, &self.world);
            }
            let (known_too, found) = reading.found(&mut known);
            news.extend(known_too);
            missing.extend(found);
            let pages = reading.sweep.pages(block.raw.hash, block.raw.parent);
            if !missing.is_empty() || !pages.is_empty() {
                let want = wanted(block.raw.hash, &missing);
                let (values, lists) = pages_too(&self.source, &want, &pages).await?;
                news.extend(missing.into_iter().zip(values.into_iter().flatten()));
                reading.sweep.turn(&block.layout, lists);
            }
            let changed = reading.absorb(&news, &mut self.world)?;
            let done = reading.sweep.is_done();
            let quiet = news.is_empty() && done && !changed && !reading.wants_enumerate();
            // A map of many pages says nothing that has to be followed up.
            again = changed || done || !reading.is_whole();
            block.values.extend(news);
            if quiet && former_known {
                break;
            }
            if quiet {
                former_known = true;
                again = true;
                for line in lines(Scope::SubnetAccount, Refresh::Epoch) {
                    let Some(entry) = block.layout.entry(*line) else {
                        continue;
                    };
                    let found = self.source.keys(block.raw.hash, &entry.prefix).await?;
                    let types = block.layout.metadata.types();
                    let told = self.world.remember_former(types, entry, &found);
                    told.map_err(|e| IndexError::Decode {
                        block: block.raw.number,
                        spec: block.layout.spec,
                        what: e.to_string(),
                    })?;
                }
            }
        }
        // Before an upgrade the parent's values have another layout.
        let inputs = if upgraded {
            Vec::new()
        } else {
            reading.inputs(&self.world)
        };
        let want = wanted(block.raw.parent, &inputs);
        let values = answers(&self.source, &want).await?;
        block.inputs = inputs
            .into_iter()
            .zip(values.into_iter().flatten())
            .collect();
        block.swept = reading.is_whole() || reading.is_recounted();
        reading.finish(&mut block.values, &mut self.world);
        block.epochs = reading.epochs();
        done.push(block);
        Ok(())
    }

    /// One batch for what all waiting blocks touched.
    async fn flush(
        &mut self,
        waiting: &mut Waiting,
        done: &mut Vec<Prepared>,
    ) -> Result<(), IndexError> {
        let want: Vec<Want> = waiting
            .iter()
            .flat_map(|(block, missing, inputs, _)| {
                let at_parent = wanted(block.raw.parent, inputs);
                [wanted(block.raw.hash, missing), at_parent].concat()
            })
            .collect();
        let mut values = answers(&self.source, &want).await?.into_iter();
        for (mut block, missing, inputs, former) in waiting.drain(..) {
            for (keys, found) in [(missing, &mut block.values), (inputs, &mut block.inputs)] {
                if !keys.is_empty() {
                    found.extend(keys.into_iter().zip(values.next().unwrap_or_default()));
                }
            }
            former.learn(&block.epochs, &block.layout, &block.values, &mut self.world);
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
        let layout = layout_of(runtime, raw.number)?;
        report(layout.spec, &layout.metadata, Some(&current.metadata));
        Ok(layout)
    }
}

/// The keys at a block, if there are any.
fn wanted(at: H256, keys: &[Key]) -> Vec<Want> {
    if keys.is_empty() {
        return Vec::new();
    }
    let keys = keys.iter().map(|k| k.full.clone()).collect();
    vec![Want { at, keys }]
}

/// Values of storage keys, exactly as many as were asked for.
async fn answers<S: ChainSource>(
    source: &Arc<S>,
    want: &[Want],
) -> Result<Vec<Vec<Option<Bytes>>>, IndexError> {
    if want.is_empty() {
        return Ok(Vec::new());
    }
    let values = source.storage(want).await?;
    fitting(want, values)
}

/// Values of storage keys and pages of keys, exactly as many as were asked for.
async fn pages_too<S: ChainSource>(
    source: &Arc<S>,
    want: &[Want],
    pages: &[KeyPage],
) -> Result<Answers, IndexError> {
    if pages.is_empty() {
        return Ok((answers(source, want).await?, Vec::new()));
    }
    let (values, lists) = source.read(want, pages).await?;
    if lists.len() != pages.len() {
        return Err(IndexError::Source(SourceError::Recording(
            "the source gave another number of pages than were asked for".into(),
        )));
    }
    Ok((fitting(want, values)?, lists))
}

/// The values, if there are as many as were asked for.
fn fitting(
    want: &[Want],
    values: Vec<Vec<Option<Bytes>>>,
) -> Result<Vec<Vec<Option<Bytes>>>, IndexError> {
    let fits = values.len() == want.len()
        && values
            .iter()
            .zip(want)
            .all(|(v, w)| v.len() == w.keys.len());
    if fits {
        return Ok(values);
    }
    Err(IndexError::Source(SourceError::Recording(
        "the source gave another number of values than keys were asked for".into(),
    )))
}

/// The spec version in `System.LastRuntimeUpgrade`, by the name of its field.
fn upgraded_to(values: &Fetched, layout: &Layout) -> Option<SpecVersion> {
    let [_, upgrade, _] = layout.system_keys();
    let bytes = values.get(&upgrade)??;
    let entry = layout.metadata.storage("System", "LastRuntimeUpgrade")?;
    let value = entry.decode_value(layout.metadata.types(), &bytes).ok()?;
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
