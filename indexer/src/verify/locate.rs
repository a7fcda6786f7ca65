//! Where two sets of inputs part: the first stage of the epoch at which they give another number,
//! and for which uid.

use scoring::fixed::I32F32;
use scoring::yuma::{EpochError, EpochInputs, RowMatrix, Scratch, Trace, epoch_observed};

/// A number that is not the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parting {
    /// The stage that made it.
    pub stage: &'static str,
    /// The uid; of a matrix, the validator's.
    pub uid: u16,
    /// The column of a matrix.
    pub column: Option<u16>,
    /// Raw bits of the first set; flags are 0 and 1, an entry that is not there is none.
    pub left: Option<i64>,
    /// Raw bits of the second set.
    pub right: Option<i64>,
}

/// The stages of an epoch, all of them.
///
/// # Errors
/// [`EpochError`] for inputs that no runtime could have worked on.
pub fn trace(inputs: &EpochInputs<'_>) -> Result<Trace, EpochError> {
    let mut trace = Trace::default();
    epoch_observed(inputs, &mut Scratch::default(), &mut trace)?;
    Ok(trace)
}

/// The first number, stage by stage and uid by uid, that two sets of inputs do not share; `None`
/// when all are the same.
///
/// # Errors
/// [`EpochError`] for inputs that no runtime could have worked on.
pub fn parting(
    left: &EpochInputs<'_>,
    right: &EpochInputs<'_>,
) -> Result<Option<Parting>, EpochError> {
    let (a, b) = (trace(left)?, trace(right)?);
    let flags = |v: &[bool]| -> Vec<i64> { v.iter().map(|flag| i64::from(*flag)).collect() };
    let bits = |v: &[I32F32]| -> Vec<i64> { v.iter().map(|n| n.to_bits()).collect() };
    let vectors = [
        ("activity", flags(&a.inactive), flags(&b.inactive)),
        ("stake", bits(&a.stake), bits(&b.stake)),
        (
            "permits",
            flags(&a.permits_before),
            flags(&b.permits_before),
        ),
        ("permits", flags(&a.permits_after), flags(&b.permits_after)),
        ("active stake", bits(&a.active_stake), bits(&b.active_stake)),
    ];
    for (stage, a, b) in &vectors {
        if let Some(found) = in_vector(stage, a, b) {
            return Ok(Some(found));
        }
    }
    if let Some(found) = in_matrix("weights", &a.weights, &b.weights) {
        return Ok(Some(found));
    }
    if let Some(found) = in_vector("consensus", &bits(&a.consensus), &bits(&b.consensus)) {
        return Ok(Some(found));
    }
    if let Some(found) = in_matrix("clipping", &a.clipped, &b.clipped) {
        return Ok(Some(found));
    }
    let ranks = [
        ("clipping", &a.validator_trust, &b.validator_trust),
        ("ranks", &a.preranks, &b.preranks),
        ("ranks", &a.ranks, &b.ranks),
        ("ranks", &a.trust, &b.trust),
        ("ranks", &a.incentive, &b.incentive),
    ];
    for (stage, a, b) in ranks {
        if let Some(found) = in_vector(stage, &bits(a), &bits(b)) {
            return Ok(Some(found));
        }
    }
    for (stage, a, b) in [
        ("bond weights", &a.bond_weights, &b.bond_weights),
        ("bonds", &a.bonds, &b.bonds),
    ] {
        if let Some(found) = in_matrix(stage, a, b) {
            return Ok(Some(found));
        }
    }
    let ends = [
        ("dividends", &a.dividends, &b.dividends),
        ("emission", &a.server_emission, &b.server_emission),
        ("emission", &a.validator_emission, &b.validator_emission),
        ("emission", &a.combined_emission, &b.combined_emission),
    ];
    for (stage, a, b) in ends {
        if let Some(found) = in_vector(stage, &bits(a), &bits(b)) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn in_vector(stage: &'static str, left: &[i64], right: &[i64]) -> Option<Parting> {
    let longest = left.len().max(right.len());
    let uids = (0..=u16::MAX).take(longest);
    uids.map(|uid| {
        let at = usize::from(uid);
        (uid, left.get(at).copied(), right.get(at).copied())
    })
    .find(|(_, left, right)| left != right)
    .map(|(uid, left, right)| Parting {
        stage,
        uid,
        column: None,
        left,
        right,
    })
}

fn in_matrix(stage: &'static str, left: &RowMatrix, right: &RowMatrix) -> Option<Parting> {
    let none = Vec::new();
    let longest = left.len().max(right.len());
    for uid in (0..=u16::MAX).take(longest) {
        let at = usize::from(uid);
        let (a, b) = (
            left.get(at).unwrap_or(&none),
            right.get(at).unwrap_or(&none),
        );
        if a == b {
            continue;
        }
        let value = |row: &[(u16, I32F32)], column: u16| {
            let found = row.iter().find(|(to, _)| *to == column);
            found.map(|(_, value)| value.to_bits())
        };
        let columns = a.iter().chain(b).map(|(to, _)| *to);
        let mut columns: Vec<_> = columns.filter(|c| value(a, *c) != value(b, *c)).collect();
        columns.sort_unstable();
        // The same entries in another order part at the row's beginning.
        let column = columns.first().copied();
        return Some(Parting {
            stage,
            uid,
            column,
            left: column.and_then(|c| value(a, c)),
            right: column.and_then(|c| value(b, c)),
        });
    }
    None
}
