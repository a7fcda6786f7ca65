//! P2b: nine tenths compute units of instances, one tenth a bonus.

use super::{Miner, Note, Shares, beaten, float, sum};

/// Weight of the compute units.
pub const BASE: f64 = 0.9;
/// Weight of the bonus.
pub const BONUS: f64 = 0.1;
/// Weights of breadth, demand and bounty within the bonus.
pub const PARTS: [f64; 3] = [0.30, 0.35, 0.35];

/// Demand before it is normalised: compute units of invocations and their number.
///
/// ```
/// assert_eq!(scoring::local::sn64::bonus::demand(10.0, 10.0), 10.0);
/// ```
pub fn demand(units: f64, invocations: f64) -> f64 {
    0.75 * units + 0.25 * invocations
}

/// What the bounties of one chute give a miner: the `n`-th is worth 0.8 of the one before,
/// and all are worth less where many were given for the chute (`all`, by everyone).
///
/// ```
/// use scoring::local::sn64::bonus::bounty;
/// assert_eq!(bounty(0, 9), 0.0);
/// assert!((bounty(2, 4) - 0.9).abs() < 1e-15);
/// ```
pub fn bounty(n: u64, all: u64) -> f64 {
    let power = i32::try_from(n).unwrap_or(i32::MAX);
    let series = (1.0 - 0.8_f64.powi(power)) / (1.0 - 0.8);
    #[expect(clippy::cast_precision_loss, reason = "a count of bounties")]
    let all = all.max(1) as f64;
    series * all.powf(0.5 - 1.0)
}

/// P2b. Of every coldkey the hotkey with most units is kept, the others have zero and do
/// not take part. When all units are zero the base is the same for all, and so is a
/// category of the bonus in which all are equal.
pub fn p2b(miners: &[Miner]) -> Shares {
    let units: Vec<f64> = miners.iter().map(|m| m.features.units).collect();
    let beaten_by = beaten(miners, &units);
    let kept: Vec<usize> = (0..miners.len())
        .filter(|place| beaten_by.get(*place).is_none_or(Option::is_none))
        .collect();
    let mut notes = Vec::new();
    if kept.is_empty() {
        notes.push(Note::NoMiners);
    }
    let of = |value: fn(&Miner) -> f64| -> Vec<f64> {
        let kept = kept.iter().filter_map(|place| miners.get(*place));
        kept.map(value).collect()
    };
    let mut base = of(|m| m.features.units);
    let total = sum(base.iter().copied());
    if total <= 0.0 && !base.is_empty() {
        notes.push(Note::AllEqual("compute units"));
    }
    let even = 1.0 / float(kept.len().max(1));
    for unit in &mut base {
        *unit = if total > 0.0 { *unit / total } else { even };
    }
    let breadth = category("breadth", of(|m| m.features.breadth), &mut notes);
    let demand = category("demand", of(|m| m.features.demand), &mut notes);
    let bounty = category("bounty", of(|m| m.features.bounty), &mut notes);
    let mut shares = vec![0.0; miners.len()];
    let parts = breadth.iter().zip(&demand).zip(&bounty);
    for ((place, base), ((breadth, demand), bounty)) in kept.iter().zip(base).zip(parts) {
        let bonus = PARTS[0] * breadth + PARTS[1] * demand + PARTS[2] * bounty;
        if let Some(share) = shares.get_mut(*place) {
            *share = BASE * base + BONUS * bonus;
        }
    }
    Shares {
        before: units,
        shares,
        beaten_by,
        notes,
    }
}

/// Stretched to 0 to 1, raised to 1.4, divided by the sum.
fn category(name: &'static str, raw: Vec<f64>, notes: &mut Vec<Note>) -> Vec<f64> {
    let low = raw.iter().copied().fold(f64::INFINITY, f64::min);
    let high = raw.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = (high - low).max(1e-12);
    let mut values: Vec<f64> = raw.iter().map(|v| ((v - low) / range).powf(1.4)).collect();
    let total = sum(values.iter().copied());
    if total > 0.0 {
        for value in &mut values {
            *value /= total;
        }
    } else if !values.is_empty() {
        notes.push(Note::AllEqual(name));
        let even = 1.0 / float(values.len());
        values.fill(even);
    }
    values
}
