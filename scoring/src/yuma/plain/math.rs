//! The vector and matrix functions of the plain epoch, one for one.

use std::iter::Peekable;

use crate::fixed::{I32F32, safe_exp, safe_ln};

/// A matrix as rows of pairs of a column's uid and a value.
pub type SparseRows = Vec<Vec<(u16, I32F32)>>;

const ZERO: I32F32 = I32F32::ZERO;
const ONE: I32F32 = I32F32::ONE;
const FULL: I32F32 = I32F32::from_u16(u16::MAX);

/// True for the `k` greatest, by a stable ascending sort.
pub fn is_top_k(vector: &[I32F32], k: usize) -> Vec<bool> {
    let n = vector.len();
    let mut result = vec![true; n];
    if n < k {
        return result;
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|index| vector[*index]);
    for index in order.iter().take(n - k) {
        result[*index] = false;
    }
    result
}

/// Sets masked entries to zero.
pub fn mask_vector(mask: &[bool], vector: &mut [I32F32]) {
    vector
        .iter_mut()
        .zip(mask)
        .filter(|(_, masked)| **masked)
        .for_each(|(value, _)| *value = ZERO);
}

/// Divides by the sum, unless it is zero.
pub fn normalize(vector: &mut [I32F32]) {
    let sum: I32F32 = vector.iter().sum();
    normalize_by(vector, sum);
}

/// Divides by a number, unless it is zero.
pub fn normalize_by(vector: &mut [I32F32], sum: I32F32) {
    if sum != ZERO {
        vector
            .iter_mut()
            .for_each(|value| *value = value.safe_div(sum));
    }
}

/// Divides every entry by 65535.
pub fn to_proportions(matrix: &mut SparseRows) {
    matrix
        .iter_mut()
        .flatten()
        .for_each(|(_, value)| *value = value.safe_div(FULL));
}

/// Empties masked rows.
pub fn mask_rows(mask: &[bool], matrix: &SparseRows) -> SparseRows {
    let mut result = vec![vec![]; matrix.len()];
    for (i, row) in matrix.iter().enumerate() {
        if !mask[i] {
            result[i].clone_from(row);
        }
    }
    result
}

/// Removes the diagonal but for one row.
pub fn mask_diagonal_except(matrix: &SparseRows, except: Option<u16>) -> SparseRows {
    let mut result = vec![vec![]; matrix.len()];
    for (i, row) in matrix.iter().enumerate() {
        for (j, value) in row {
            if i != usize::from(*j) || except == Some(*j) {
                result[i].push((*j, *value));
            }
        }
    }
    result
}

/// Removes entries for which the mask is true of the row's and the column's number.
pub fn mask_matrix(
    matrix: &SparseRows,
    of_row: &[u64],
    of_column: &[u64],
    mask: impl Fn(u64, u64) -> bool,
) -> SparseRows {
    let mut result = vec![vec![]; matrix.len()];
    for (i, row) in matrix.iter().enumerate() {
        for (j, value) in row {
            let column = of_column.get(usize::from(*j)).copied().unwrap_or(0);
            if !mask(of_row[i], column) {
                result[i].push((*j, *value));
            }
        }
    }
    result
}

/// Removes columns whose number is not below the limit.
pub fn mask_columns(matrix: &SparseRows, limit: u64, of_column: &[u64]) -> SparseRows {
    let mut result = vec![vec![]; matrix.len()];
    for (i, row) in matrix.iter().enumerate() {
        for (j, value) in row {
            let column = of_column.get(usize::from(*j)).copied().unwrap_or(0);
            if column < limit {
                result[i].push((*j, *value));
            }
        }
    }
    result
}

/// Divides each row by its sum.
pub fn row_normalize(matrix: &mut SparseRows) {
    for row in matrix {
        let sum = row
            .iter()
            .fold(ZERO, |sum, (_, value)| sum.saturating_add(*value));
        if sum > ZERO {
            row.iter_mut()
                .for_each(|(_, value)| *value = value.safe_div(sum));
        }
    }
}

/// Divides each column by its sum, unless it is zero. Foreign columns are left alone.
pub fn col_normalize(matrix: &mut SparseRows, columns: usize) {
    let mut sums = vec![ZERO; columns];
    for (j, value) in matrix.iter().flatten() {
        if let Some(sum) = sums.get_mut(usize::from(*j)) {
            *sum = sum.saturating_add(*value);
        }
    }
    divide_columns(matrix, &sums);
}

/// Divides each column by its greatest entry, unless it is zero.
pub fn col_max_upscale(matrix: &mut SparseRows, columns: usize) {
    let mut greatest = vec![ZERO; columns];
    for (j, value) in matrix.iter().flatten() {
        if let Some(greatest) = greatest.get_mut(usize::from(*j)) {
            *greatest = (*greatest).max(*value);
        }
    }
    divide_columns(matrix, &greatest);
}

fn divide_columns(matrix: &mut SparseRows, divisors: &[I32F32]) {
    for (j, value) in matrix.iter_mut().flatten() {
        match divisors.get(usize::from(*j)) {
            Some(divisor) if *divisor != ZERO => *value = value.safe_div(*divisor),
            _ => {}
        }
    }
}

/// `sum over i of vector_i * matrix_ij`.
pub fn matmul(matrix: &SparseRows, vector: &[I32F32], columns: usize) -> Vec<I32F32> {
    let mut result = vec![ZERO; columns];
    for (i, row) in matrix.iter().enumerate() {
        for (j, value) in row {
            let j = usize::from(*j);
            result[j] = result[j].saturating_add(vector[i].saturating_mul(*value));
        }
    }
    result
}

/// `sum over j of vector_j * matrix_ij`.
pub fn matmul_transpose(matrix: &SparseRows, vector: &[I32F32]) -> Vec<I32F32> {
    let mut result = vec![ZERO; matrix.len()];
    for (i, row) in matrix.iter().enumerate() {
        for (j, value) in row {
            result[i] = result[i].saturating_add(vector[usize::from(*j)].saturating_mul(*value));
        }
    }
    result
}

/// Sums of rows.
pub fn row_sum(matrix: &SparseRows) -> Vec<I32F32> {
    matrix
        .iter()
        .map(|row| {
            row.iter()
                .fold(ZERO, |sum, (_, value)| sum.saturating_add(*value))
        })
        .collect()
}

/// Each row times its number.
pub fn row_hadamard(matrix: &SparseRows, vector: &[I32F32]) -> SparseRows {
    let mut result = matrix.clone();
    for (i, row) in result.iter_mut().enumerate() {
        row.iter_mut()
            .for_each(|(_, value)| *value = vector[i].saturating_mul(*value));
    }
    result
}

/// Each column times its number; zeros are dropped.
pub fn mat_vec_mul(matrix: &SparseRows, vector: &[I32F32]) -> SparseRows {
    let mut result = vec![vec![]; matrix.len()];
    for (i, row) in matrix.iter().enumerate() {
        for (j, value) in row {
            if let Some(number) = vector.get(usize::from(*j)) {
                let product = number.saturating_mul(*value);
                if product != ZERO {
                    result[i].push((*j, product));
                }
            }
        }
    }
    result
}

/// Entries above the threshold of their column become the threshold; those that would become zero are dropped.
pub fn col_clip(matrix: &SparseRows, threshold: &[I32F32]) -> SparseRows {
    let mut result = vec![vec![]; matrix.len()];
    for (i, row) in matrix.iter().enumerate() {
        for (j, value) in row {
            let limit = threshold[usize::from(*j)];
            if limit >= *value {
                result[i].push((*j, *value));
            } else if limit > ZERO {
                result[i].push((*j, limit));
            }
        }
    }
    result
}

/// The weighted median by splitting at the middle entry, again and again.
pub fn weighted_median(
    stake: &[I32F32],
    score: &[I32F32],
    partition: &[usize],
    minority: I32F32,
    low: I32F32,
    high: I32F32,
) -> I32F32 {
    let n = partition.len();
    if n == 0 {
        return ZERO;
    }
    if n == 1 {
        return score[partition[0]];
    }
    let pivot = score[partition[n / 2]];
    let (mut low_stake, mut high_stake) = (ZERO, ZERO);
    let (mut lower, mut upper) = (vec![], vec![]);
    for index in partition {
        if score[*index] < pivot {
            low_stake = low_stake.saturating_add(stake[*index]);
            lower.push(*index);
        } else if score[*index] > pivot {
            high_stake = high_stake.saturating_add(stake[*index]);
            upper.push(*index);
        }
    }
    let (below, above) = (
        low.saturating_add(low_stake),
        high.saturating_sub(high_stake),
    );
    if below <= minority && minority < above {
        pivot
    } else if minority < below && !lower.is_empty() {
        weighted_median(stake, score, &lower, minority, low, below)
    } else if above <= minority && !upper.is_empty() {
        weighted_median(stake, score, &upper, minority, above, high)
    } else {
        pivot
    }
}

/// The weighted median of every column.
pub fn weighted_median_col(
    stake: &[I32F32],
    score: &SparseRows,
    columns: usize,
    majority: I32F32,
) -> Vec<I32F32> {
    let mut voters: Vec<I32F32> = stake
        .iter()
        .copied()
        .filter(|stake| *stake > ZERO)
        .collect();
    normalize(&mut voters);
    let sum: I32F32 = voters.iter().sum();
    let minority = sum.saturating_sub(majority);
    let everyone: Vec<usize> = (0..voters.len()).collect();
    let mut scores = vec![vec![ZERO; voters.len()]; columns];
    let mut voter = 0;
    for (stake, row) in stake.iter().zip(score) {
        if *stake > ZERO {
            for (j, value) in row {
                scores[usize::from(*j)][voter] = *value;
            }
            voter += 1;
        }
    }
    scores
        .iter()
        .map(|scores| weighted_median(&voters, scores, &everyone, minority, ZERO, sum))
        .collect()
}

/// `a + ratio * (b - a)`; one of the two itself at the ends.
pub fn interpolate(a: &SparseRows, b: &SparseRows, columns: usize, ratio: I32F32) -> SparseRows {
    if ratio == ZERO {
        return a.clone();
    }
    if ratio == ONE {
        return b.clone();
    }
    let dense = |row: &[(u16, I32F32)]| {
        let mut dense = vec![ZERO; columns];
        row.iter()
            .for_each(|(j, value)| dense[usize::from(*j)] = *value);
        dense
    };
    let mut result = Vec::with_capacity(a.len());
    for (a, b) in a.iter().zip(b) {
        let mut row = vec![];
        for (j, (a, b)) in (0..=u16::MAX).zip(dense(a).iter().zip(dense(b))) {
            let value = a.saturating_add(ratio.saturating_mul(b.saturating_sub(*a)));
            if value > ZERO {
                row.push((j, value));
            }
        }
        result.push(row);
    }
    result
}

/// `alpha * new + (1 - alpha) * old`.
pub fn ema(new: &SparseRows, old: &SparseRows, alpha: I32F32) -> SparseRows {
    ema_with_column_alphas(new, old, &vec![alpha; new.len()])
}

/// The same with an alpha for each column.
pub fn ema_with_column_alphas(new: &SparseRows, old: &SparseRows, alphas: &[I32F32]) -> SparseRows {
    let n = new.len();
    let mut result = vec![vec![]; n];
    for (i, (new, old)) in new.iter().zip(old).enumerate() {
        let mut row = vec![ZERO; n];
        for (j, value) in new {
            let j = usize::from(*j);
            row[j] = row[j].saturating_add(alphas[j].saturating_mul(*value));
        }
        for (j, value) in old {
            if let Some(sum) = row.get_mut(usize::from(*j)) {
                *sum = sum.saturating_add(
                    ONE.saturating_sub(alphas[usize::from(*j)])
                        .saturating_mul(*value),
                );
            }
        }
        for (j, value) in (0..=u16::MAX).zip(row) {
            if value > ZERO {
                result[i].push((j, value));
            }
        }
    }
    result
}

/// The same with an alpha for each cell, only for cells that `new` has, in its order.
pub fn ema_with_alphas(new: &SparseRows, old: &SparseRows, alphas: &[Vec<I32F32>]) -> SparseRows {
    let mut result = Vec::with_capacity(new.len());
    for ((new, old), alphas) in new.iter().zip(old).zip(alphas) {
        let mut decayed = vec![ZERO; alphas.len()];
        for (j, value) in old {
            if let Some(cell) = decayed.get_mut(usize::from(*j)) {
                *cell = ONE
                    .saturating_sub(alphas[usize::from(*j)])
                    .saturating_mul(*value);
            }
        }
        let mut row = vec![];
        for (j, value) in new {
            let added = alphas[usize::from(*j)].saturating_mul(*value).max(ZERO);
            let cell = decayed[usize::from(*j)].saturating_add(added).min(ONE);
            if cell > ZERO {
                row.push((*j, cell));
            }
        }
        result.push(row);
    }
    result
}

/// Moves an iterator over a row on to a column, and reads it there. What was passed over is never seen again.
pub fn advance<'a>(
    row: &mut Peekable<impl Iterator<Item = &'a (u16, I32F32)>>,
    uid: u16,
) -> I32F32 {
    while let Some((j, value)) = row.peek() {
        if *j >= uid {
            return if *j == uid { *value } else { ZERO };
        }
        row.next();
    }
    ZERO
}

/// Scales so that the greatest becomes 65535.
pub fn max_upscale(vector: &[I32F32]) -> Vec<u16> {
    let Some(greatest) = vector.iter().copied().max() else {
        return vec![];
    };
    let scale = |value: &I32F32| {
        if greatest == ZERO {
            value.saturating_mul(FULL).floor_to_u16()
        } else if greatest > I32F32::from_u16(32768) {
            value.saturating_mul(FULL.safe_div(greatest)).round_to_u16()
        } else {
            value.saturating_mul(FULL).safe_div(greatest).round_to_u16()
        }
    };
    vector.iter().map(scale).collect()
}

/// A quantile, its position computed in floating point as the chain does.
#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "what the chain does"
)]
pub fn quantile(vector: &[I32F32], quantile: f64) -> I32F32 {
    let mut sorted = vector.to_vec();
    sorted.sort();
    let value = |index: usize| sorted.get(index).copied().unwrap_or(ZERO);
    let position = quantile * sorted.len().saturating_sub(1) as f64;
    let (low, high) = (position.floor() as usize, position.ceil() as usize);
    if low == high {
        return value(low);
    }
    let weight = I32F32::from_bits(((position - low as f64) * 4_294_967_296.0).round() as i64);
    value(low).saturating_add(
        value(high)
            .saturating_sub(value(low))
            .saturating_mul(weight),
    )
}

#[cfg(not(test))]
fn quartiles(consensus: &[I32F32]) -> (I32F32, I32F32) {
    let mut sorted = consensus.to_vec();
    sorted.sort();
    (
        crate::yuma::liquid::quartile(&sorted, 3),
        crate::yuma::liquid::quartile(&sorted, 1),
    )
}

#[cfg(test)]
fn quartiles(consensus: &[I32F32]) -> (I32F32, I32F32) {
    (quantile(consensus, 0.75), quantile(consensus, 0.25))
}

/// Liquid alpha 1, one alpha per miner, or none if the quartiles do not allow it.
pub fn quantile_alphas(
    consensus: &[I32F32],
    low: u16,
    high: u16,
    safe_division: bool,
) -> Option<Vec<I32F32>> {
    let (consensus_high, consensus_low) = quartiles(consensus);
    if !(consensus_high > consensus_low || consensus_high != ZERO || consensus_low < ZERO) {
        return None;
    }
    let low = I32F32::from_u16(low).safe_div(FULL);
    let high = I32F32::from_u16(high).safe_div(FULL);
    let (mut a, mut b) = (ZERO, ZERO);
    if consensus_high > consensus_low && low != ZERO && high != ZERO {
        let log_low = safe_ln(ONE.saturating_div(low).saturating_sub(ONE));
        let log_high = safe_ln(ONE.saturating_div(high).saturating_sub(ONE));
        let rise = log_high.saturating_sub(log_low);
        let run = consensus_low.saturating_sub(consensus_high);
        a = if safe_division {
            rise.safe_div(run)
        } else {
            rise.saturating_div(run)
        };
        b = log_low.saturating_add(a.saturating_mul(consensus_low));
    }
    let alpha = |consensus: &I32F32| {
        let growth = safe_exp(b.saturating_sub(a.saturating_mul(*consensus)));
        ONE.saturating_div(ONE.saturating_add(growth))
            .clamped(low, high)
    };
    Some(consensus.iter().map(alpha).collect())
}
