//! A subtensor chain that nobody ran: made from a seed, as large as the real one.
//!
//! [`Chain`] has the real metadata of spec 424 and the size and pace that
//! [`Config`] says: subnets run epochs in turn, validators set or commit their
//! weights once in an epoch and move them a little, bonds follow as an average
//! does, uids change hands, stake moves, axons are served, pools change in every
//! block. Block N and every value at its end follow from the seed, N and the key
//! alone, so a chain of any length costs a hash a block.
//!
//! Every byte comes from `chain-metadata`'s encoders by the shapes of the
//! metadata. What it is not: nobody computed Yuma consensus for it, signatures do
//! not verify, and roots in headers are hashes of nothing.
//!
//! ```
//! use synthetic::{Chain, Config};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let chain = Chain::new(Config::small())?;
//! let now = chain.metadata().storage("Timestamp", "Now").ok_or("no such entry")?;
//! let value = chain.storage(5, &now.prefix)?.ok_or("nothing stored")?;
//! let value = now.decode_value(chain.metadata().types(), &value)?;
//! assert_eq!(value.as_u64(), Some(1_770_000_060_000));
//! # Ok(())
//! # }
//! ```

mod accounts;
mod body;
mod chain;
mod config;
mod cycle;
mod error;
mod net;
mod noise;
mod source;
mod state;
mod words;

pub use accounts::Who;
pub use chain::Chain;
pub use config::Config;
pub use error::SyntheticError;
pub use source::SyntheticSource;
