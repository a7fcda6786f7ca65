//! Records of runtimes: what this program reads of them, and what differs between two.

/// How a storage item that this program reads stands in a runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestFit {
    /// It is there, and keys and values have the shape of the runtime before.
    Same,
    /// It is there, but its keys or its values have another shape.
    ShapeChanged,
    /// The runtime does not have it.
    Gone,
}

/// A storage item that this program reads, against one runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestLine {
    /// Its pallet.
    pub pallet: String,
    /// Name of the storage entry.
    pub entry: String,
    /// Whether nothing can be indexed without it.
    pub essential: bool,
    /// How it stands.
    pub fit: ManifestFit,
    /// Why it is not the same; `None` when it is.
    pub why: Option<String>,
}

/// Which part of a runtime a difference is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuntimePart {
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuntimeChange {
    /// Only the later one has it.
    Added,
    /// Only the earlier one has it.
    Removed,
    /// Both have it, but not alike.
    Changed,
}

/// An item that differs between two runtimes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeDiffLine {
    /// Where it is.
    pub part: RuntimePart,
    /// Its pallet.
    pub pallet: String,
    /// Its name in the pallet.
    pub name: String,
    /// What became of it.
    pub change: RuntimeChange,
    /// In words: its shape where it was added or removed, what changed otherwise.
    pub what: String,
}
