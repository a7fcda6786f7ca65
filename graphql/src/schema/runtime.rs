//! Runtimes: the manifest against one, and the difference of two.

use async_graphql::{ComplexObject, Context, Enum, SimpleObject};

use super::error::{ApiError, Res};
use super::scalars::{Hash, U64};
use crate::loaders::loaders;
use crate::ports;

/// A runtime that executed stored blocks.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(crate) struct Runtime {
    /// Its spec version.
    spec_version: u32,
    /// First stored block that it executed.
    first_block: u32,
    /// Last stored block that it executed; null while it is the newest runtime.
    last_block: Option<u32>,
    /// BLAKE2-256 of its raw metadata.
    metadata_hash: Hash,
    /// Version of its metadata's format: 14, 15 or 16.
    metadata_version: u8,
    /// Length of its raw metadata, in bytes.
    metadata_bytes: U64,
}

#[ComplexObject]
impl Runtime {
    /// Every storage item that this program reads, checked against the runtime and the one before
    /// it in the store. Null only together with an error.
    #[graphql(complexity = "20 + 150 * child_complexity")]
    async fn manifest(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only items that stand so.")] fit: Option<ManifestFit>,
    ) -> Res<Option<Vec<ManifestItem>>> {
        let spec = self.spec_version;
        let lines = loaders(ctx)?
            .reads
            .run("manifest", move |reader| reader.manifest(spec))
            .await?
            .ok_or_else(|| ApiError::internal("a listed runtime is not stored"))?;
        let items = lines.into_iter().map(ManifestItem::from);
        Ok(Some(
            items
                .filter(|item| fit.is_none_or(|fit| item.fit == fit))
                .collect(),
        ))
    }
}

impl From<ports::Runtime> for Runtime {
    fn from(runtime: ports::Runtime) -> Self {
        Self {
            spec_version: runtime.spec_version,
            first_block: runtime.first_block,
            last_block: runtime.last_block,
            metadata_hash: Hash(runtime.metadata_hash),
            metadata_version: runtime.metadata_version,
            metadata_bytes: U64(runtime.metadata_bytes),
        }
    }
}

/// How a storage item that this program reads stands in a runtime.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "ports::ManifestFit")]
pub(crate) enum ManifestFit {
    /// It is there, and keys and values have the shape of the runtime before.
    Same,
    /// It is there, but its keys or its values have another shape.
    ShapeChanged,
    /// The runtime does not have it.
    Gone,
}

/// A storage item that this program reads, against one runtime.
#[derive(SimpleObject)]
pub(crate) struct ManifestItem {
    /// Its pallet.
    pallet: String,
    /// Name of the storage entry.
    entry: String,
    /// Whether nothing can be indexed without it.
    essential: bool,
    /// How it stands.
    fit: ManifestFit,
    /// Why it is not the same, in words; null when it is.
    why: Option<String>,
}

impl From<ports::ManifestLine> for ManifestItem {
    fn from(line: ports::ManifestLine) -> Self {
        Self {
            pallet: line.pallet,
            entry: line.entry,
            essential: line.essential,
            fit: line.fit.into(),
            why: line.why,
        }
    }
}

/// Which part of a runtime a difference is in.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "ports::RuntimePart")]
pub(crate) enum RuntimePart {
    /// Calls.
    Call,
    /// Events.
    Event,
    /// Storage entries.
    Storage,
    /// Constants.
    Constant,
}

/// What became of an item from one runtime to another.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "ports::RuntimeChange")]
pub(crate) enum RuntimeChange {
    /// Only the runtime `to` has it.
    Added,
    /// Only the runtime `from` has it.
    Removed,
    /// Both have it, but not alike.
    Changed,
}

/// An item that differs between two runtimes. Types are compared by shape, not by name.
#[derive(SimpleObject)]
pub(crate) struct RuntimeDifference {
    /// Where it is.
    part: RuntimePart,
    /// Its pallet.
    pallet: String,
    /// Its name in the pallet.
    name: String,
    /// What became of it.
    change: RuntimeChange,
    /// In words: its shape where it was added or removed, what changed otherwise.
    what: String,
}

impl From<ports::RuntimeDiffLine> for RuntimeDifference {
    fn from(line: ports::RuntimeDiffLine) -> Self {
        Self {
            part: line.part.into(),
            pallet: line.pallet,
            name: line.name,
            change: line.change.into(),
            what: line.what,
        }
    }
}

/// What differs between two runtimes in calls, events, storage and constants.
pub(crate) async fn difference(
    ctx: &Context<'_>,
    from: u32,
    to: u32,
) -> Res<Option<Vec<RuntimeDifference>>> {
    let lines = loaders(ctx)?
        .reads
        .run("runtime_diff", move |reader| reader.runtime_diff(from, to))
        .await?;
    Ok(lines.map(|lines| lines.into_iter().map(RuntimeDifference::from).collect()))
}
