//! Which blocks are wanted, and which stretch of them is next: by number alone.

use chain_metadata::BlockNumber;

use super::Plan;
use crate::IndexError;
use crate::store::Checkpoint;
use crate::store::spans::without;

/// First and last block of a range.
pub type Blocks = (BlockNumber, BlockNumber);

/// What a plan wants of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Ranges to fill, lowest first, none overlapping. Where two of them touch,
    /// the work may be shared out.
    pub ranges: Vec<Blocks>,
    /// Where following the head begins, if it is followed.
    pub follow: Option<BlockNumber>,
}

/// Works out what a plan wants, for a store with these spans and a node with this
/// finalized head.
pub fn wanted(
    plan: &Plan,
    spans: &[Checkpoint],
    finalized: BlockNumber,
) -> Result<Wanted, IndexError> {
    let mut ranges = plan.ranges.clone();
    for (first, last) in &ranges {
        if first > last {
            return Err(IndexError::Range(format!(
                "the range {first}..{last} ends before it begins: swap the two"
            )));
        }
    }
    let mut follow = None;
    match spans.last() {
        Some(top) => {
            if let Some(from) = plan.from
                && from > top.last.saturating_add(1)
            {
                return Err(IndexError::Range(format!(
                    "the store ends at block {}, --from {from} would leave a gap: leave --from out, use --ranges, or index into another --data-dir",
                    top.last
                )));
            }
            let next = top.last.saturating_add(1);
            match plan.until {
                None => {
                    follow = Some(next);
                    ranges.extend(plan.from.map(|from| (from, top.last)));
                }
                Some(until) if plan.from.is_some() || plan.ranges.is_empty() => {
                    ranges.push((plan.from.unwrap_or(next), until));
                }
                Some(_) => {}
            }
        }
        None if plan.from.is_none() && !plan.ranges.is_empty() => {
            if plan.until.is_none() {
                follow = Some(finalized);
            }
        }
        None => {
            let start = if plan.at_head { finalized } else { 0 };
            let start = plan.from.unwrap_or(start);
            if start > finalized {
                return Err(IndexError::Range(format!(
                    "--from {start} is above the finalized head {finalized}: choose a lower block"
                )));
            }
            match plan.until {
                Some(until) => ranges.push((start, until)),
                // One stretch that ends nowhere, unless it is to be cut.
                None if plan.split <= 1 => follow = Some(start),
                None => {
                    follow = Some(finalized);
                    ranges.push((start, finalized));
                }
            }
        }
    }
    if let Some(follow) = follow {
        // What lies above is on the way of whoever follows.
        ranges.retain(|(first, _)| *first < follow);
        for (_, last) in &mut ranges {
            *last = (*last).min(follow.saturating_sub(1));
        }
    }
    ranges.retain(|(first, last)| first <= last);
    let held: Vec<Blocks> = spans.iter().map(|s| (s.first, s.last)).collect();
    Ok(Wanted {
        ranges: cut(&merged(ranges), &held, plan.split),
        follow,
    })
}

/// Ranges in order, those that overlap as one.
pub fn merged(mut ranges: Vec<Blocks>) -> Vec<Blocks> {
    ranges.sort_unstable();
    let mut out: Vec<Blocks> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match out.last_mut() {
            Some((_, before)) if first <= *before => *before = last.max(*before),
            _ => out.push((first, last)),
        }
    }
    out
}

/// Cuts what is not held of ranges into about so many pieces of one length; an
/// index that was stopped halfway is not cut smaller and smaller.
fn cut(ranges: &[Blocks], held: &[Blocks], pieces: u32) -> Vec<Blocks> {
    let gaps = missing(ranges, held);
    let all = count(&gaps);
    if pieces <= 1 || all == 0 {
        return ranges.to_vec();
    }
    let mut out = Vec::new();
    for (first, last) in gaps {
        let length = u64::from(last - first) + 1;
        let share = (u64::from(pieces) * length + all / 2) / all;
        let share = share.clamp(1, length);
        for piece in 0..share {
            let begin = u64::from(first) + length * piece / share;
            let end = u64::from(first) + length * (piece + 1) / share - 1;
            if let (Ok(begin), Ok(end)) = (u32::try_from(begin), u32::try_from(end)) {
                out.push((begin, end));
            }
        }
    }
    out
}

/// What is not held of some ranges.
pub fn missing(ranges: &[Blocks], held: &[Blocks]) -> Vec<Blocks> {
    let gaps = ranges.iter();
    gaps.flat_map(|range| without(*range, held.iter().copied()))
        .collect()
}

/// How many blocks some ranges hold that do not overlap.
pub fn count(ranges: &[Blocks]) -> u64 {
    let lengths = ranges
        .iter()
        .map(|(first, last)| u64::from(last - first) + 1);
    lengths.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(ranges: &[Blocks]) -> Vec<Checkpoint> {
        let span = |(first, last): &Blocks| Checkpoint {
            first: *first,
            last: *last,
            hash: [0; 32],
            spec: 1,
            upgraded_to: None,
        };
        ranges.iter().map(span).collect()
    }

    fn told(plan: Plan, held: &[Blocks]) -> (Vec<Blocks>, Option<u32>) {
        let wanted = wanted(&plan, &spans(held), 1000).unwrap();
        (wanted.ranges, wanted.follow)
    }

    #[test]
    fn a_plan_for_an_empty_store() {
        let plan = Plan::default;
        assert_eq!(told(plan(), &[]), (vec![], Some(0)));
        let at_head = Plan {
            at_head: true,
            ..plan()
        };
        assert_eq!(told(at_head, &[]), (vec![], Some(1000)));
        let from = Plan {
            from: Some(7),
            ..plan()
        };
        assert_eq!(told(from.clone(), &[]), (vec![], Some(7)));
        let until = Plan {
            until: Some(2000),
            ..from.clone()
        };
        assert_eq!(told(until, &[]), (vec![(7, 2000)], None));
        let split = Plan {
            split: 3,
            ..from.clone()
        };
        let thirds = vec![(7, 337), (338, 668), (669, 999)];
        assert_eq!(told(split, &[]), (thirds, Some(1000)));
        let ranges = Plan {
            ranges: vec![(50, 60), (5, 9), (8, 20), (990, 2000)],
            ..plan()
        };
        let wanted = vec![(5, 20), (50, 60), (990, 999)];
        assert_eq!(told(ranges.clone(), &[]), (wanted, Some(1000)));
        let alone = Plan {
            until: Some(9),
            ..ranges
        };
        let wanted = vec![(5, 20), (50, 60), (990, 2000)];
        assert_eq!(told(alone, &[]), (wanted, None));
        let high = Plan {
            from: Some(1001),
            ..plan()
        };
        let error = wanted_error(&high, &[]);
        assert!(error.contains("finalized head 1000"), "{error}");
        let turned = Plan {
            ranges: vec![(9, 5)],
            ..plan()
        };
        assert!(wanted_error(&turned, &[]).contains("9..5"));
    }

    fn wanted_error(plan: &Plan, held: &[Blocks]) -> String {
        wanted(plan, &spans(held), 1000).unwrap_err().to_string()
    }

    #[test]
    fn a_plan_for_a_store_with_holes() {
        let held = [(100, 199), (300, 399)];
        let plan = |from, until| Plan {
            from,
            until,
            ..Plan::default()
        };
        assert_eq!(told(plan(None, None), &held), (vec![], Some(400)));
        let below = told(plan(Some(50), None), &held);
        assert_eq!(below, (vec![(50, 399)], Some(400)));
        assert_eq!(
            told(plan(Some(50), Some(99)), &held),
            (vec![(50, 99)], None)
        );
        assert_eq!(told(plan(None, Some(450)), &held), (vec![(400, 450)], None));
        assert_eq!(told(plan(None, Some(350)), &held), (vec![], None));
        let error = wanted_error(&plan(Some(401), None), &held);
        assert!(error.contains("would leave a gap"), "{error}");
        let gaps = missing(&[(50, 399)], &held);
        assert_eq!(gaps, [(50, 99), (200, 299)]);
        assert_eq!(count(&gaps), 150);
        // Three pieces of fifty blocks each.
        let split = Plan {
            split: 3,
            ..plan(Some(50), None)
        };
        let pieces = vec![(50, 99), (200, 249), (250, 299)];
        assert_eq!(told(split, &held), (pieces, Some(400)));
    }

    #[test]
    fn pieces_are_not_more_than_blocks() {
        assert_eq!(cut(&[(5, 7)], &[], 9), [(5, 5), (6, 6), (7, 7)]);
        assert_eq!(cut(&[(5, 7)], &[(5, 7)], 9), [(5, 7)]);
        let all = cut(&[(0, u32::MAX)], &[], 4);
        assert_eq!(all.len(), 4);
        assert_eq!(count(&all), 1 << 32);
    }
}
