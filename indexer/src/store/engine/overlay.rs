//! Batches in memory above an engine that is only read.
//!
//! A [`Layer`] is one batch: rows, and deletions that hide the rows below. What
//! lies in a higher layer wins. Layers never change, so that whoever holds an
//! overlay reads the same blocks for as long as it holds it.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use super::{Batch, Engine, EngineError, Range, Row, Rows};

/// The rows of one batch, and its deletions (`None`).
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Layer {
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl From<Batch> for Layer {
    fn from(batch: Batch) -> Layer {
        // The last write of a key wins, as in any engine.
        let rows = batch.ops.into_iter().collect();
        Layer { rows }
    }
}

impl Layer {
    /// Its rows and deletions, in key order.
    pub fn rows(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let rows = self.rows.iter();
        rows.map(|(key, value)| (key.as_slice(), value.as_deref()))
    }

    /// Bytes of all keys and values.
    pub fn bytes(&self) -> usize {
        let size = |(key, value): (&[u8], Option<&[u8]>)| key.len() + value.map_or(0, <[u8]>::len);
        self.rows().map(size).sum()
    }

    fn get(&self, key: &[u8]) -> Option<&Option<Vec<u8>>> {
        self.rows.get(key)
    }

    /// The first key of a range that is not inverted, from the side asked for.
    fn first(&self, from: Bound<&[u8]>, below: Bound<&[u8]>, reverse: bool) -> Option<&Vec<u8>> {
        let mut range = self.rows.range::<[u8], _>((from, below));
        let row = if reverse {
            range.next_back()
        } else {
            range.next()
        };
        row.map(|(key, _)| key)
    }
}

type Layers = Arc<Vec<Arc<Layer>>>;

/// An engine with layers above it. Nothing is ever written to the one below:
/// a commit adds layers, in memory.
pub struct Overlay {
    base: Arc<dyn Engine>,
    /// Lowest first.
    layers: RwLock<Layers>,
}

impl std::fmt::Debug for Overlay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overlay")
            .field("layers", &self.layers().len())
            .finish_non_exhaustive()
    }
}

impl Overlay {
    /// An overlay of these layers, lowest first.
    pub fn new(base: Arc<dyn Engine>, layers: Vec<Arc<Layer>>) -> Overlay {
        Overlay {
            base,
            layers: RwLock::new(Arc::new(layers)),
        }
    }

    /// The layers as they are now; a list is replaced whole, so that a panic
    /// elsewhere leaves a good one.
    fn layers(&self) -> Layers {
        let held = self.layers.read().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }
}

impl Engine for Overlay {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        match self.layers().iter().rev().find_map(|layer| layer.get(key)) {
            Some(value) => Ok(value.clone()),
            None => self.base.get(key),
        }
    }

    fn scan(&self, range: Range) -> Rows<'_> {
        let inverted = range.below.as_ref().is_some_and(|b| *b <= range.from);
        if inverted {
            return Box::new(std::iter::empty());
        }
        let layers = self.layers();
        let below = range.below.as_deref();
        let below = below.map_or(Bound::Unbounded, Bound::Excluded);
        let first = |layer: &Arc<Layer>| {
            let key = layer.first(Bound::Included(&range.from), below, range.reverse);
            key.cloned()
        };
        let next = layers.iter().map(first).collect();
        Box::new(Merged {
            base: self.base.scan(range.clone()).peekable(),
            layers,
            next,
            range,
        })
    }

    fn commit(&self, batches: Vec<Batch>) -> Result<(), EngineError> {
        let mut held = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        let mut layers = held.to_vec();
        layers.extend(batches.into_iter().map(|batch| Arc::new(batch.into())));
        *held = Arc::new(layers);
        Ok(())
    }

    fn size_on_disk(&self) -> Result<u64, EngineError> {
        self.base.size_on_disk()
    }

    fn verify(&self) -> Result<u64, EngineError> {
        let mut rows = 0;
        for row in self.scan(Range::prefix(&[])) {
            row?;
            rows += 1;
        }
        Ok(rows)
    }
}

/// The rows of all layers and of the engine below as one list.
struct Merged<'a> {
    base: Peekable<Rows<'a>>,
    layers: Layers,
    /// The next key of each layer.
    next: Vec<Option<Vec<u8>>>,
    range: Range,
}

impl Merged<'_> {
    /// The key that comes next, whoever has it.
    fn key(&mut self) -> Option<Vec<u8>> {
        let base = match self.base.peek() {
            Some(Ok((key, _))) => Some(key),
            _ => None,
        };
        let keys = self.next.iter().flatten().chain(base);
        let key = if self.range.reverse {
            keys.max()
        } else {
            keys.min()
        };
        key.cloned()
    }

    /// Moves every layer that is at `key` past it; the value of the highest.
    fn take(&mut self, key: &[u8]) -> Option<Option<Vec<u8>>> {
        let mut found = None;
        for (layer, next) in self.layers.iter().zip(&mut self.next) {
            if next.as_deref() != Some(key) {
                continue;
            }
            found = layer.get(key);
            let (from, below) = match (self.range.reverse, self.range.below.as_deref()) {
                (true, _) => (
                    Bound::Included(self.range.from.as_slice()),
                    Bound::Excluded(key),
                ),
                (false, None) => (Bound::Excluded(key), Bound::Unbounded),
                (false, Some(below)) => (Bound::Excluded(key), Bound::Excluded(below)),
            };
            *next = layer.first(from, below, self.range.reverse).cloned();
        }
        found.cloned()
    }
}

impl Iterator for Merged<'_> {
    type Item = Result<Row, EngineError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(Err(_)) = self.base.peek() {
                // What the layers still have would look like all there is.
                self.next.clear();
                self.layers = Arc::default();
                return self.base.next();
            }
            let key = self.key()?;
            let is_key =
                |row: &Result<Row, EngineError>| row.as_ref().is_ok_and(|(k, _)| *k == key);
            let below = self.base.next_if(is_key);
            match self.take(&key) {
                Some(Some(value)) => return Some(Ok((key, value))),
                Some(None) => {}
                None => return below,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::memory::MemoryEngine;
    use super::*;
    use crate::store::conformance;

    fn batch(ops: &[(Vec<u8>, Option<Vec<u8>>)]) -> Batch {
        Batch { ops: ops.to_vec() }
    }

    #[test]
    fn an_overlay_conforms() {
        conformance::check(
            &|| Box::new(Overlay::new(Arc::new(MemoryEngine::default()), Vec::new())),
            false,
        );
        // Also above rows that a layer has taken away.
        conformance::check(
            &|| {
                let base = MemoryEngine::default();
                let keys = [
                    vec![0],
                    b"a".to_vec(),
                    vec![0xff, 0xff, 0, 5],
                    vec![0xff; 9],
                ];
                let put = keys.clone().map(|key| (key, Some(vec![9])));
                base.commit(vec![batch(&put)]).unwrap();
                let gone = batch(&keys.map(|key| (key, None)));
                Box::new(Overlay::new(Arc::new(base), vec![Arc::new(gone.into())]))
            },
            false,
        );
    }

    #[test]
    fn nothing_is_written_below_and_what_is_held_does_not_change() {
        let base = Arc::new(MemoryEngine::default());
        base.commit(vec![batch(&[(vec![1], Some(vec![1]))])])
            .unwrap();
        let overlay = Overlay::new(base.clone(), Vec::new());
        let open = overlay.scan(Range::prefix(&[]));
        overlay
            .commit(vec![batch(&[(vec![1], None), (vec![2], Some(vec![2]))])])
            .unwrap();
        assert_eq!(open.count(), 1);
        assert_eq!(overlay.verify().unwrap(), 1);
        assert_eq!(overlay.get(&[1]).unwrap(), None);
        assert_eq!(base.get(&[1]).unwrap(), Some(vec![1]));
        assert_eq!(base.verify().unwrap(), 1);
    }

    /// An engine whose scan fails after its first row.
    struct Broken;

    impl Engine for Broken {
        fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
            Ok(None)
        }
        fn scan(&self, _: Range) -> Rows<'_> {
            let why = "bad disk".to_owned();
            let error = EngineError::Corrupt { why };
            Box::new([Ok((vec![1], vec![])), Err(error)].into_iter())
        }
        fn commit(&self, _: Vec<Batch>) -> Result<(), EngineError> {
            Ok(())
        }
        fn size_on_disk(&self) -> Result<u64, EngineError> {
            Ok(7)
        }
        fn verify(&self) -> Result<u64, EngineError> {
            Ok(0)
        }
    }

    #[test]
    fn an_error_below_ends_the_rows() {
        let layer: Layer = batch(&[(vec![0], Some(vec![])), (vec![9], Some(vec![]))]).into();
        let overlay = Overlay::new(Arc::new(Broken), vec![Arc::new(layer)]);
        let rows: Vec<_> = overlay.scan(Range::prefix(&[])).collect();
        assert_eq!(rows.len(), 3);
        assert!(rows[0].is_ok() && rows[1].is_ok() && rows[2].is_err());
        assert!(overlay.verify().is_err());
        assert_eq!(overlay.size_on_disk().unwrap(), 7);
    }

    type Ops = Vec<(Vec<u8>, Option<Vec<u8>>)>;

    fn ops() -> impl Strategy<Value = Ops> {
        let key = proptest::collection::vec(0_u8..4, 0..4);
        let value = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..3));
        proptest::collection::vec((key, value), 0..24)
    }

    proptest! {
        #[test]
        fn it_reads_as_if_all_had_been_written(
            batches in proptest::collection::vec(ops(), 0..6),
            split in 0_usize..6,
            from in proptest::collection::vec(0_u8..4, 0..3),
            below in proptest::option::of(proptest::collection::vec(0_u8..4, 0..3)),
            reverse in any::<bool>(),
        ) {
            let whole = MemoryEngine::default();
            let base = Arc::new(MemoryEngine::default());
            let batches: Vec<_> = batches.iter().map(|ops| batch(ops)).collect();
            whole.commit(batches.clone()).unwrap();
            let (below_it, above) = batches.split_at(split.min(batches.len()));
            base.commit(below_it.to_vec()).unwrap();
            let layers = above.iter().map(|b| Arc::new(Layer::from(b.clone()))).collect();
            let overlay = Overlay::new(base, layers);
            let rows = |engine: &dyn Engine| -> Vec<Row> {
                let range = Range { from: from.clone(), below: below.clone(), reverse };
                engine.scan(range).map(Result::unwrap).collect()
            };
            prop_assert_eq!(rows(&overlay), rows(&whole));
            for (key, _) in batches.iter().flat_map(|b| &b.ops) {
                prop_assert_eq!(overlay.get(key).unwrap(), whole.get(key).unwrap());
            }
        }
    }
}
