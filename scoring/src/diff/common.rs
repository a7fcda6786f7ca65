//! Two epochs over the same uids: those of B, and behind them the hotkeys that are in A only.

use std::collections::{BTreeMap, BTreeSet};

use super::{DiffError, Epoch};
use crate::fixed::I64F64;
use crate::yuma::{EpochInputs, Row};

/// What two epochs have in common, and how they differ.
pub(super) struct Common {
    /// Both epochs over all hotkeys. A hotkey that an epoch does not have is there without anything.
    pub(super) a: EpochInputs<'static>,
    pub(super) b: EpochInputs<'static>,
    /// The caller's number of each uid.
    pub(super) hotkeys: Vec<u32>,
    /// Uids that are in A only: the last ones.
    pub(super) departed: Vec<u16>,
    /// Uids that are in B only.
    pub(super) arrived: Vec<u16>,
    uids: BTreeMap<u32, u16>,
}

impl Common {
    pub(super) fn new(a: &Epoch<'_>, b: &Epoch<'_>) -> Result<Self, DiffError> {
        let in_a = hotkeys_of(a, 'A')?;
        let in_b = hotkeys_of(b, 'B')?;
        let gone = a.hotkeys.iter().filter(|hotkey| !in_b.contains(hotkey));
        let hotkeys: Vec<u32> = b.hotkeys.iter().chain(gone).copied().collect();
        let n = u16::try_from(hotkeys.len()).map_err(|_| DiffError::TooManyHotkeys {
            hotkeys: hotkeys.len(),
        })?;
        let uids: BTreeMap<u32, u16> = hotkeys.iter().copied().zip(0..n).collect();
        let only = |known: &BTreeSet<u32>| {
            let missing = hotkeys.iter().zip(0..n);
            let missing = missing.filter(|(hotkey, _)| !known.contains(hotkey));
            missing.map(|(_, uid)| uid).collect()
        };
        Ok(Self {
            departed: only(&in_b),
            arrived: only(&in_a),
            a: over_all(a, n, &uids),
            b: over_all(b, n, &uids),
            hotkeys,
            uids,
        })
    }

    pub(super) fn uid_of(&self, hotkey: u32) -> Option<u16> {
        self.uids.get(&hotkey).copied()
    }

    pub(super) fn hotkey_of(&self, uid: u16) -> Option<u32> {
        self.hotkeys.get(usize::from(uid)).copied()
    }

    /// Where the walk begins: A, over all hotkeys.
    pub(super) fn start(&self) -> EpochInputs<'static> {
        self.a.clone()
    }
}

fn hotkeys_of(epoch: &Epoch<'_>, name: char) -> Result<BTreeSet<u32>, DiffError> {
    let n = epoch.inputs.n;
    if epoch.hotkeys.len() != usize::from(n) {
        return Err(DiffError::Hotkeys {
            epoch: name,
            got: epoch.hotkeys.len(),
            n,
        });
    }
    let mut seen = BTreeSet::new();
    match epoch.hotkeys.iter().find(|hotkey| !seen.insert(**hotkey)) {
        None => Ok(seen),
        Some(hotkey) => Err(DiffError::TwoUids {
            epoch: name,
            hotkey: *hotkey,
        }),
    }
}

/// An epoch's inputs with its uids renamed and `n` neurons. Entries of foreign uids, which do not count, are left out.
fn over_all(epoch: &Epoch<'_>, n: u16, uids: &BTreeMap<u32, u16>) -> EpochInputs<'static> {
    let inputs = epoch.inputs;
    let renamed = |uid: u16| {
        let hotkey = epoch.hotkeys.get(usize::from(uid))?;
        uids.get(hotkey).copied()
    };
    let rows = |rows: &[Row<'_>]| {
        let row = |row: &Row<'_>| {
            let is_sorted = row.entries.is_sorted_by_key(|(uid, _)| *uid);
            let entries = row.entries.iter();
            let mut entries: Vec<(u16, u16)> = entries
                .filter_map(|(uid, value)| Some((renamed(*uid)?, *value)))
                .collect();
            if is_sorted {
                entries.sort_unstable();
            }
            Some(Row::owned(renamed(row.uid)?, entries))
        };
        let mut rows: Vec<Row<'static>> = rows.iter().filter_map(row).collect();
        rows.sort_by_key(|row| row.uid);
        rows
    };
    fn vector<T: Copy>(
        values: &[T],
        n: u16,
        absent: T,
        renamed: impl Fn(u16) -> Option<u16>,
    ) -> std::borrow::Cow<'static, [T]> {
        let mut all = vec![absent; usize::from(n)];
        for (value, uid) in values.iter().zip(0..) {
            if let Some(place) = renamed(uid).and_then(|uid| all.get_mut(usize::from(uid))) {
                *place = *value;
            }
        }
        all.into()
    }
    EpochInputs {
        n,
        last_update: vector(&inputs.last_update, n, 0, renamed),
        block_at_registration: vector(&inputs.block_at_registration, n, 0, renamed),
        total_stake: vector(&inputs.total_stake, n, I64F64::ZERO, renamed),
        validator_permit: vector(&inputs.validator_permit, n, false, renamed),
        commit_blocks: vector(&inputs.commit_blocks, n, u64::MAX, renamed),
        owner_uid: inputs.owner_uid.and_then(renamed),
        weights: rows(&inputs.weights),
        bonds: rows(&inputs.bonds),
        rules: inputs.rules,
        params: inputs.params,
        block: inputs.block,
        last_step_block: inputs.last_step_block,
        emission: None,
    }
}
