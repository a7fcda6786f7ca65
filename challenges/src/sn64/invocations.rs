//! What miners did, by the exports of invocations.

use std::collections::{HashMap, HashSet};

use scoring::local::sn64::Rules;
use scoring::local::sn64::units::{HOUR, WINDOW};
use scoring::local::sn64::weighted::median;

use super::row::Row;
use super::scan::{Measure, Numbers};

/// A chute that counts as public although its invocations are marked as private.
pub const NOT_PRIVATE: u128 = 0x561e_4875_254d_588f_a36f_57c9_cdef_8961;
/// P1: medians are of so long before now.
pub const MEDIAN_WINDOW: i64 = 48 * HOUR;

/// Median seconds of a step and of a token in a chute.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Median {
    /// Of a step; `None` when no invocation has any.
    pub step: Option<f64>,
    /// Of a token.
    pub token: Option<f64>,
}

/// Measures medians of chutes over the last two days, for P1: of invocations that ended
/// without an error. Eight bytes a row are kept.
#[derive(Debug, Clone, Copy)]
pub struct Medians {
    /// Now, microseconds since 1970.
    pub now: i64,
}

/// Seconds of a step and of a token of one invocation.
#[derive(Debug, Clone, Copy)]
pub struct Speed {
    chute: u32,
    step: f64,
    token: f64,
}

/// Seconds of steps and of tokens, by the number of the chute.
pub type Speeds = Vec<(Vec<f64>, Vec<f64>)>;

fn per(elapsed: f64, count: Option<f64>) -> f64 {
    count
        .filter(|count| *count > 0.0)
        .map_or(f64::NAN, |count| elapsed / count)
}

impl Measure for Medians {
    type Value = Speed;
    type Part = Speeds;

    fn value(&self, row: &Row<'_>, numbers: &mut Numbers<'_>) -> Result<Option<Speed>, String> {
        let recent = row.started > self.now.saturating_sub(MEDIAN_WINDOW);
        if row.failed || row.completed.is_none() || !recent {
            return Ok(None);
        }
        let elapsed = row.elapsed();
        let (step, token) = (per(elapsed, row.work.steps), per(elapsed, row.work.tokens));
        if step.is_nan() && token.is_nan() {
            return Ok(None);
        }
        let chute = numbers.chute(row.chute)?;
        Ok(Some(Speed { chute, step, token }))
    }

    fn add(&self, part: &mut Speeds, value: &Speed) {
        let at = usize::try_from(value.chute).unwrap_or(usize::MAX);
        if part.len() <= at {
            part.resize_with(at.saturating_add(1), Default::default);
        }
        if let Some((steps, tokens)) = part.get_mut(at) {
            if !value.step.is_nan() {
                steps.push(value.step);
            }
            if !value.token.is_nan() {
                tokens.push(value.token);
            }
        }
    }

    fn merge(&self, into: &mut Speeds, part: Speeds) {
        if into.len() < part.len() {
            into.resize_with(part.len(), Default::default);
        }
        for ((steps, tokens), (more_steps, more_tokens)) in into.iter_mut().zip(part) {
            steps.extend(more_steps);
            tokens.extend(more_tokens);
        }
    }
}

/// The medians of what was measured.
pub fn medians(mut speeds: Speeds) -> Vec<Median> {
    let one = |(steps, tokens): &mut (Vec<f64>, Vec<f64>)| Median {
        step: median(steps),
        token: median(tokens),
    };
    speeds.iter_mut().map(one).collect()
}

/// Measures what counts by a profile.
#[derive(Debug)]
pub struct Invocations<'a> {
    /// The profile.
    pub rules: Rules,
    /// Now, microseconds since 1970.
    pub now: i64,
    /// Requests with a confirmed report.
    pub reported: &'a HashSet<u128>,
    /// P1: medians by the number of the chute.
    pub medians: &'a [Median],
}

/// What one invocation comes to.
#[derive(Debug, Clone, Copy)]
pub struct Worth {
    miner: u32,
    chute: u32,
    units: f64,
    /// Whether it ended without an error: audits compare these with what miners report.
    done: bool,
    /// Whether it counts as an invocation.
    counts: bool,
    /// Whether it counts as a bounty.
    bounty: bool,
}

/// What one miner did.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// Rows of the miner.
    pub rows: u64,
    /// Invocations that ended without an error, at any time in the exports.
    pub done: u64,
    /// Invocations that count.
    pub invocations: u64,
    /// Bounties that count.
    pub bounties: u64,
    /// Compute units.
    pub units: f64,
}

/// What miners did, by their numbers.
#[derive(Debug, Default)]
pub struct Work {
    /// Sums by the number of the hotkey.
    pub miners: Vec<Sums>,
    /// Chutes of miners, by invocations that count: number of the hotkey, of the chute.
    pub chutes: HashSet<(u32, u32)>,
    /// Bounties by miner and chute.
    pub bounties: HashMap<(u32, u32), u64>,
}

impl Measure for Invocations<'_> {
    type Value = Worth;
    type Part = Work;

    fn value(&self, row: &Row<'_>, numbers: &mut Numbers<'_>) -> Result<Option<Worth>, String> {
        if row.hotkey.is_empty() || row.uid < 0 {
            return Ok(None);
        }
        let (miner, chute) = (numbers.hotkey(row.hotkey)?, numbers.chute(row.chute)?);
        let done = row.completed.is_some() && !row.failed;
        let recent = row.started > self.now.saturating_sub(WINDOW) && row.started <= self.now;
        let mut worth = Worth {
            miner,
            chute,
            units: 0.0,
            done,
            counts: false,
            bounty: false,
        };
        if !recent {
            return Ok(Some(worth));
        }
        if self.rules == Rules::P1 {
            if done && row.uid > 0 {
                let at = usize::try_from(chute).unwrap_or(usize::MAX);
                let of = self.medians.get(at).copied().unwrap_or_default();
                let seconds = row.work.by_medians(row.elapsed(), of.step, of.token);
                worth.units = row.bounty + row.multiplier * seconds;
                worth.counts = true;
                worth.bounty = row.bounty > 0.0;
            }
            return Ok(Some(worth));
        }
        if self.reported.contains(&row.parent) {
            return Ok(Some(worth));
        }
        let private = row.private && row.chute != NOT_PRIVATE;
        worth.counts = done && !private;
        worth.bounty = row.bounty > 0.0 && !private;
        let seconds = if worth.counts {
            row.work.by_averages(row.elapsed())
        } else {
            0.0
        };
        // The bounty is added even when nothing came of the invocation, as the original does.
        worth.units = row.bounty + row.multiplier * seconds;
        Ok(Some(worth))
    }

    fn add(&self, part: &mut Work, value: &Worth) {
        let at = usize::try_from(value.miner).unwrap_or(usize::MAX);
        if part.miners.len() <= at {
            part.miners.resize(at.saturating_add(1), Sums::default());
        }
        if let Some(sums) = part.miners.get_mut(at) {
            sums.rows += 1;
            sums.done += u64::from(value.done);
            sums.invocations += u64::from(value.counts);
            sums.bounties += u64::from(value.bounty);
            sums.units += value.units;
        }
        if value.counts {
            part.chutes.insert((value.miner, value.chute));
        }
        if value.bounty {
            *part.bounties.entry((value.miner, value.chute)).or_default() += 1;
        }
    }

    fn merge(&self, into: &mut Work, part: Work) {
        if into.miners.len() < part.miners.len() {
            into.miners.resize(part.miners.len(), Sums::default());
        }
        for (sums, more) in into.miners.iter_mut().zip(part.miners) {
            sums.rows += more.rows;
            sums.done += more.done;
            sums.invocations += more.invocations;
            sums.bounties += more.bounties;
            sums.units += more.units;
        }
        into.chutes.extend(part.chutes);
        for (key, count) in part.bounties {
            *into.bounties.entry(key).or_default() += count;
        }
    }
}
