//! The port under the store: five methods over bytes.
//!
//! A second engine is a small adapter that passes [`super::conformance`].

pub mod memory;
pub mod overlay;
pub mod sled;

/// Why an engine failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The folder cannot be opened or created.
    #[error("cannot open the data folder {dir}: {why}")]
    Open {
        /// Folder.
        dir: String,
        /// Reason and what to do.
        why: String,
    },
    /// Reading or writing failed.
    #[error("the storage engine failed while {doing}: {why}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Reason.
        why: String,
    },
    /// Bytes on disk are damaged.
    #[error(
        "the storage engine found damaged data ({why}): move the data folder away and index again; the chain has everything"
    )]
    Corrupt {
        /// Reason.
        why: String,
    },
}

/// Writes that become visible and durable together or not at all.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Puts (`Some`) and deletions (`None`) in order.
    pub ops: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Batch {
    /// Adds or replaces a row.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.ops.push((key, Some(value)));
    }

    /// Removes a row.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.ops.push((key, None));
    }
}

/// One row: key and value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Rows in key order, or an error that ends them.
pub type Rows<'a> = Box<dyn Iterator<Item = Result<Row, EngineError>> + 'a>;

/// Which rows a scan visits, and in which direction.
#[derive(Debug, Clone)]
pub struct Range {
    /// First key that may be visited.
    pub from: Vec<u8>,
    /// Keys at or above this one are not visited; `None` is no upper bound.
    pub below: Option<Vec<u8>>,
    /// Highest key first.
    pub reverse: bool,
}

impl Range {
    /// All keys that begin with `prefix`, ascending.
    ///
    /// ```
    /// use indexer::store::engine::Range;
    /// let range = Range::prefix(&[7, 0xff]);
    /// assert_eq!((range.from, range.below), (vec![7, 0xff], Some(vec![8])));
    /// ```
    pub fn prefix(prefix: &[u8]) -> Range {
        let mut below = prefix.to_vec();
        while let Some(last) = below.pop() {
            if last < 0xff {
                below.push(last + 1);
                break;
            }
        }
        Range {
            from: prefix.to_vec(),
            below: (!below.is_empty()).then_some(below),
            reverse: false,
        }
    }

    /// The same rows, highest key first.
    pub fn reversed(mut self) -> Range {
        self.reverse = true;
        self
    }
}

/// A sorted map from bytes to bytes with atomic, durable batches.
///
/// One thread writes; any number read. A reader sees every batch wholly or not
/// at all in single-row reads; a scan is not a snapshot, so readers pin what
/// they read by the block number in the key.
pub trait Engine: Send + Sync {
    /// The value at `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError>;
    /// The rows of `range`, in order.
    fn scan(&self, range: Range) -> Rows<'_>;
    /// Applies the batches in order. Each is atomic; when this returns all are
    /// on disk. After a crash a prefix of the batches is there, never a part of one.
    fn commit(&self, batches: Vec<Batch>) -> Result<(), EngineError>;
    /// Bytes used on disk; 0 for an engine without one.
    fn size_on_disk(&self) -> Result<u64, EngineError>;
    /// Looks for damage that the engine itself can see; returns the number of rows.
    fn verify(&self) -> Result<u64, EngineError>;
}
