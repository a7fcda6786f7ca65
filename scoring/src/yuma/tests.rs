//! Tests of the epoch as a whole.

pub(crate) mod case;
mod choices;
mod errors;
mod fuzz;
mod loaded;
mod mechanisms;
pub(crate) mod properties;
mod recorded;
pub(crate) mod subnet;
mod switches;
mod vectors;
mod vectors_math;

use super::consensus::{Votes, consensus};
use super::matrix::{Matrix, Pattern};
use crate::fixed::I32F32;

/// The fast median of rows, as many columns as rows.
fn fast_consensus(stake: &[I32F32], rows: &[Vec<(u16, I32F32)>], kappa: I32F32) -> Vec<I32F32> {
    let mut pattern = Pattern::default();
    let mut values = vec![];
    pattern.clear();
    for row in rows {
        pattern
            .columns
            .extend(row.iter().map(|(column, _)| *column));
        values.extend(row.iter().map(|(_, value)| *value));
        pattern.end_row();
    }
    consensus(
        kappa,
        stake,
        Matrix {
            pattern: &pattern,
            values: &values,
        },
        &mut Votes::default(),
    )
}
