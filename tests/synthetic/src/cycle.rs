//! Turns: who is next, when somebody was last.

/// So many places that are visited over and over, in an order that looks mixed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cycle {
    total: u64,
    stride: u64,
    inverse: u64,
}

impl Cycle {
    /// `None` when there are no places.
    pub(crate) fn new(total: u64) -> Option<Cycle> {
        if total == 0 {
            return None;
        }
        let start = total * 618 / 1000;
        let stride = (start.max(1)..).find(|s| gcd(*s, total) == 1)?;
        let inverse = (0..total).find(|i| i * stride % total == 1 % total)?;
        Some(Cycle {
            total,
            stride,
            inverse,
        })
    }

    /// The place of a visit; visits are counted from 0.
    pub(crate) fn place(&self, visit: u64) -> u64 {
        (visit % self.total) * self.stride % self.total
    }

    /// Which time it is that this visit comes to its place, from 1.
    pub(crate) fn round(&self, visit: u64) -> u64 {
        visit / self.total + 1
    }

    /// How often a place was visited among the first `visits`.
    pub(crate) fn times(&self, place: u64, visits: u64) -> u64 {
        let first = place * self.inverse % self.total;
        (visits + self.total - 1 - first) / self.total
    }

    /// The visit that came to a place for the `times`th time; `None` for 0.
    pub(crate) fn visit(&self, place: u64, times: u64) -> Option<u64> {
        let first = place * self.inverse % self.total;
        Some(first + times.checked_sub(1)? * self.total)
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// What happens every so many blocks, first at block `first`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beat {
    /// From 1 to `every`.
    pub(crate) first: u32,
    /// At least 1.
    pub(crate) every: u32,
}

impl Beat {
    /// How often it has happened up to the end of a block.
    pub(crate) fn count(&self, block: u32) -> u32 {
        (block + self.every - self.first) / self.every
    }

    /// The block of the `count`th time; `None` for 0.
    pub(crate) fn block(&self, count: u32) -> Option<u32> {
        Some(self.first + count.checked_sub(1)? * self.every)
    }

    /// Whether it happens in a block.
    pub(crate) fn at(&self, block: u32) -> bool {
        block >= self.first && (block - self.first).is_multiple_of(self.every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_counted_right() {
        for total in [1, 2, 7, 8, 60] {
            let cycle = Cycle::new(total).unwrap();
            let mut seen = vec![(0, None); usize::try_from(total).unwrap()];
            for visit in 0..200 {
                for (place, (times, last)) in (0..).zip(&seen) {
                    assert_eq!(cycle.times(place, visit), *times);
                    assert_eq!(cycle.visit(place, *times), *last);
                }
                let place = &mut seen[usize::try_from(cycle.place(visit)).unwrap()];
                *place = (place.0 + 1, Some(visit));
                assert_eq!(cycle.round(visit), place.0);
            }
        }
        assert!(Cycle::new(0).is_none());
    }

    #[test]
    fn beats_are_counted_right() {
        let beat = Beat { first: 3, every: 5 };
        let mut count = 0;
        for block in 0..40 {
            if beat.at(block) {
                count += 1;
            }
            assert_eq!(beat.count(block), count);
            if beat.at(block) {
                assert_eq!(beat.block(count), Some(block));
            }
        }
        assert_eq!((count, beat.block(0)), (8, None));
    }
}
