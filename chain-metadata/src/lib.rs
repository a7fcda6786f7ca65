//! Words: the bytes of a Substrate chain and the metadata of its runtime in, named values out.
//!
//! Nothing here reads a file, a socket or a clock.
//!
//! Metadata comes first: [`Metadata::from_bytes`], or a [`Registry`] that keeps one for each
//! runtime. A block is decoded with the metadata of the runtime in its *parent's* state:
//! [`decode_extrinsic`], [`decode_events`], [`Metadata::storage_by_key`]. All of them yield
//! [`Value`]s; whatever decodes encodes back to the same bytes. [`nested_calls`] lists the calls
//! inside an extrinsic and what became of each.
//!
//! ```
//! use chain_metadata::{Metadata, NetUid, Value};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/metadata");
//! # let packed = std::fs::read(format!("{folder}/upgrades_spec103_v14.scale.zst"))?;
//! # let bytes = zstd::decode_all(packed.as_slice())?;
//! let meta = Metadata::from_bytes(&bytes)?;
//! assert_eq!(meta.spec_version()?, 103);
//!
//! let tempo = meta.storage("SubtensorModule", "Tempo").ok_or("no such entry")?;
//! let key = tempo.key_of_encoded(&[&NetUid(3).0.to_le_bytes()]);
//! assert_eq!(meta.storage_by_key(&key).map(|entry| &*entry.name), Some("Tempo"));
//! assert_eq!(tempo.decode_value(meta.types(), &[99, 0])?, Value::Uint { width: 16, value: 99 });
//! # Ok(())
//! # }
//! ```

mod calls;
mod diff;
mod dispatch_error;
mod error;
mod events;
mod extrinsics;
mod fingerprint;
mod hasher;
mod ids;
mod metadata;
mod outcome;
mod recording;
mod registry;
mod render;
mod scale;
mod storage;
mod types;
mod value;

mod pair;

pub use calls::*;
pub use diff::*;
pub use dispatch_error::*;
pub use error::*;
pub use events::*;
pub use extrinsics::*;
pub use fingerprint::*;
pub use hasher::*;
pub use ids::*;
pub use metadata::*;
pub use outcome::*;
pub use recording::*;
pub use registry::*;
pub use render::*;
pub use scale::*;
pub use storage::*;
pub use types::*;
pub use value::*;
