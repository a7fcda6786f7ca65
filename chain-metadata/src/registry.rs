//! The metadata of every runtime met so far.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::{Metadata, MetadataError, SpecVersion};

/// Metadata by spec version. It locks inside, so one registry can be shared by all threads behind
/// a plain reference or an `Arc`.
#[derive(Debug, Default)]
pub struct Registry {
    by_spec: RwLock<BTreeMap<SpecVersion, Arc<Metadata>>>,
}

impl Registry {
    /// A registry that knows no runtime yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the metadata of a runtime and gives it back. Metadata already there for this spec
    /// version is kept, and the bytes are not even read.
    ///
    /// # Errors
    /// When the bytes are not metadata, or are those of a runtime of another spec version.
    pub fn insert(&self, spec: SpecVersion, bytes: &[u8]) -> Result<Arc<Metadata>, MetadataError> {
        if let Some(known) = self.get(spec) {
            return Ok(known);
        }
        let meta = Metadata::from_bytes(bytes)?;
        match meta.spec_version() {
            Ok(found) if found != spec => {
                return Err(MetadataError::WrongSpec {
                    wanted: spec,
                    found,
                });
            }
            Ok(_) => {}
            Err(error) => {
                return Err(MetadataError::UnexpectedShape {
                    place: "constant System.Version".into(),
                    reason: error.cause.to_string(),
                });
            }
        }
        let mut by_spec = self.by_spec.write().unwrap_or_else(PoisonError::into_inner);
        Ok(by_spec
            .entry(spec)
            .or_insert_with(|| Arc::new(meta))
            .clone())
    }

    /// The metadata of a runtime.
    pub fn get(&self, spec: SpecVersion) -> Option<Arc<Metadata>> {
        let by_spec = self.by_spec.read().unwrap_or_else(PoisonError::into_inner);
        by_spec.get(&spec).cloned()
    }

    /// The spec versions there are, rising.
    pub fn specs(&self) -> Vec<SpecVersion> {
        let by_spec = self.by_spec.read().unwrap_or_else(PoisonError::into_inner);
        by_spec.keys().copied().collect()
    }
}
