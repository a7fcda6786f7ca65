//! From scores to the row that would be sent, the row that would be stored, and what is
//! against it; with the chain's state out of our own index.

use chain_metadata::{AccountId, BlockNumber, H256, MechId, NetUid, SpecVersion};
use indexer::store::{Store, StoreError};
use indexer::view::At;
use scoring::local::sn42::chain::{Checked, Route, Row, check};
use scoring::local::sn42::sdk::{Limits, Path, SdkError, emit, process};

mod scores;
mod state;

pub use scores::{Scores, of_file, of_profile};
pub use state::{Described, describe};

/// Whose row it is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whose {
    /// The subnet.
    pub netuid: NetUid,
    /// The mechanism.
    pub mechanism: MechId,
    /// Who signs.
    pub hotkey: AccountId,
}

/// A row that could be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Whose it is.
    pub whose: Whose,
    /// The block whose state it was made from.
    pub block: BlockNumber,
    /// The runtime of that state.
    pub spec: SpecVersion,
    /// Hash of the chain's block 0.
    pub genesis: Option<H256>,
    /// The chain's state.
    pub described: Described,
    /// Which way the scores went through the SDK.
    pub path: Path,
    /// What the SDK makes of the scores: uid and weight; weights sum to one.
    pub weights: Vec<(u16, f64)>,
    /// What it would send.
    pub sent: Row,
    /// How it would go: by a commit where the subnet has them.
    pub route: Route,
    /// The version key that goes with it.
    pub version_key: u64,
    /// What the chain would store and what it would refuse.
    pub checked: Checked,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such subnet.
    #[error("there is no subnet {netuid} at block {block}")]
    NoSubnet {
        /// The subnet.
        netuid: NetUid,
        /// The block.
        block: BlockNumber,
    },
    /// The SDK refuses the scores.
    #[error("the SDK would refuse the scores: {0}")]
    Sdk(#[from] SdkError),
    /// The scores cannot be read.
    #[error(transparent)]
    Scores(#[from] crate::profiles::InputError),
    /// There are scores for none.
    #[error("no uid of the subnet has a score: {0}")]
    NoScores(String),
}

/// Plans the row of a hotkey. Scores are by uid; what is NaN has none. Without a version key the
/// subnet's own is taken.
///
/// # Errors
///
/// See [`PlanError`].
pub fn plan(
    store: &Store,
    at: &At,
    whose: Whose,
    scores: &[f64],
    version_key: Option<u64>,
) -> Result<Plan, PlanError> {
    let described = describe(store, at, whose)?;
    let state = described.state;
    if state.mechanisms == 0 {
        return Err(PlanError::NoSubnet {
            netuid: whose.netuid,
            block: at.number,
        });
    }
    let uids: Vec<u16> = (0..=u16::MAX).take(scores.len()).collect();
    let limits = Limits {
        neurons: state.neurons,
        min_allowed: state.min_allowed,
        max_weight: f64::from(state.max_weight) / 65535.0,
        exclude_quantile: 0,
    };
    let processed = process(&uids, scores, limits)?;
    let sent = emit(&processed.uids, &processed.weights)?;
    let route = if state.commit_reveal {
        Route::Commit
    } else {
        Route::Direct
    };
    let version_key = version_key.unwrap_or(state.version_key);
    Ok(Plan {
        whose,
        block: at.number,
        spec: at.row.spec,
        genesis: store.genesis()?,
        checked: check(&state, route, &sent, version_key),
        described,
        path: processed.path,
        weights: processed.uids.into_iter().zip(processed.weights).collect(),
        sent,
        route,
        version_key,
    })
}
