//! The chain's state as its checks of weights read it, out of our own index.

use chain_metadata::{AccountId, BlockNumber, Value, storage_index};
use indexer::commits::Kind;
use indexer::store::commits::Among;
use indexer::store::{Store, StoreError};
use indexer::verify::inputs;
use indexer::view::{At, held};
use scoring::local::sn42::chain::{ChainState, Scaling};

use super::Whose;

/// Commits of a hotkey that are looked through for those that still wait.
const COMMITS: usize = 500;

/// What the chain's checks would read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// The state, in the block after the one asked about.
    pub state: ChainState,
    /// What is not known for sure, in words.
    pub doubts: Vec<String>,
    /// The block from whose epoch the stake is; `None` when it is not known or not asked for.
    pub stake_at: Option<BlockNumber>,
}

/// A plain value of the pallet, with the metadata's default where nothing is stored.
fn plain<T>(
    store: &Store,
    at: &At,
    entry: &str,
    keys: &[&[u8]],
    kind: impl Fn(&Value) -> Option<T>,
) -> Result<Option<T>, StoreError> {
    let value = held(store, at, entry, keys)?.value();
    Ok(value.as_ref().and_then(kind))
}

/// What the chain's checks would read for a hotkey in the block after `at`.
///
/// # Errors
///
/// When the store fails.
pub fn describe(store: &Store, at: &At, whose: Whose) -> Result<Described, StoreError> {
    let Whose {
        netuid,
        mechanism,
        hotkey,
    } = whose;
    let net: &[u8] = &netuid.0.to_le_bytes();
    let number = |entry: &str| plain(store, at, entry, &[net], Value::as_u64);
    let small = |entry: &str| plain(store, at, entry, &[net], Value::as_u16);
    let exists = indexer::view::exists(store, at, netuid)?;
    let count = plain(store, at, "MechanismCountCurrent", &[net], Value::as_u8)?;
    let index = storage_index(netuid, mechanism);
    let uids = held(store, at, "Uids", &[net, &hotkey.0])?.stored();
    let uid = uids.and_then(|uid| uid.as_u16());
    let of_uid =
        |list: Option<Value>| -> Option<Value> { list?.items().get(usize::from(uid?)).cloned() };
    let updates = match index {
        Some(index) => held(store, at, "LastUpdate", &[&index.to_le_bytes()])?.value(),
        None => None,
    };
    let permits = held(store, at, "ValidatorPermit", &[net])?.value();
    let owner = plain(store, at, "SubnetOwnerHotkey", &[net], Value::as_account)?;
    let threshold = match plain(store, at, "StakeThreshold", &[], Value::as_u64)? {
        Some(threshold) => Some(threshold),
        None => plain(store, at, "WeightsMinStake", &[], Value::as_u64)?,
    };
    let threshold = threshold.unwrap_or(0);
    let mut doubts = Vec::new();
    let mut stake_at = None;
    let stake = match uid {
        Some(uid) if threshold > 0 => match stake(store, at, whose, uid)? {
            Some((stake, block)) => {
                stake_at = Some(block);
                Some(stake)
            }
            None => {
                doubts.push(format!(
                    "the stake of uid {uid} is not known: no epoch up to block {} can be read",
                    at.number
                ));
                None
            }
        },
        _ => None,
    };
    // A new runtime executes the block after the one that brought it.
    let next = match at.number.checked_add(1) {
        Some(next) => indexer::view::at(store, next)?,
        None => None,
    };
    let spec = next.map_or(at.row.spec, |next| next.row.spec);
    let state = ChainState {
        netuid: netuid.0,
        mechanism: mechanism.0,
        mechanisms: if exists { count.unwrap_or(1).max(1) } else { 0 },
        block: u64::from(at.number) + 1,
        commit_reveal: plain(
            store,
            at,
            "CommitRevealWeightsEnabled",
            &[net],
            Value::as_bool,
        )?
        .unwrap_or(false),
        neurons: small("SubnetworkN")?.unwrap_or(0),
        uid,
        stake,
        stake_threshold: threshold,
        version_key: number("WeightsVersionKey")?.unwrap_or(0),
        last_update: of_uid(updates).and_then(|v| v.as_u64()).unwrap_or(0),
        rate_limit: number("WeightsSetRateLimit")?.unwrap_or(0),
        permit: of_uid(permits).and_then(|v| v.as_bool()).unwrap_or(false),
        owner: owner == Some(hotkey),
        min_allowed: small("MinAllowedWeights")?.unwrap_or(0),
        max_weight: small("MaxWeightsLimit")?.unwrap_or(u16::MAX),
        unrevealed: match index {
            Some(index) => unrevealed(store, at, index, &hotkey)?,
            None => 0,
        },
        scaling: Scaling::of_spec(spec),
    };
    Ok(Described {
        state,
        doubts,
        stake_at,
    })
}

/// The stake weight of a uid as the last epoch saw it, in rao, and the block of that epoch.
fn stake(
    store: &Store,
    at: &At,
    whose: Whose,
    uid: u16,
) -> Result<Option<(u64, BlockNumber)>, StoreError> {
    let epochs = store.epochs(whose.netuid.0, at.number, 1)?;
    let Some(block) = epochs.first().copied() else {
        return Ok(None);
    };
    let assembled = match inputs(store, whose.netuid, block) {
        Ok(assembled) => assembled,
        Err(indexer::verify::Gap::Store(error)) => return Err(error),
        Err(_) => return Ok(None),
    };
    // Another may have held the uid then.
    let same = assembled.hotkeys.get(usize::from(uid)) == Some(&Some(whose.hotkey));
    let first = assembled.mechanisms.first();
    let stake = first.and_then(|inputs| inputs.total_stake.get(usize::from(uid)));
    let whole = stake.and_then(|stake| u64::try_from(stake.to_bits() >> 64).ok());
    Ok(whole.filter(|_| same).map(|stake| (stake, block)))
}

/// Hash commits of a hotkey that wait for their reveal.
fn unrevealed(store: &Store, at: &At, index: u16, hotkey: &AccountId) -> Result<u16, StoreError> {
    let mut waiting = 0_u16;
    for id in store.commit_ids(Among::Hotkey(*hotkey), at.number, None, COMMITS)? {
        let Some(entry) = store.commit_entry(id, at.number)? else {
            continue;
        };
        if entry.row.kind == Kind::Hash && entry.row.index == index && entry.state.is_open() {
            waiting = waiting.saturating_add(1);
        }
    }
    Ok(waiting)
}
