//! Numbers that look like chance and can be computed for any time by themselves.

/// Hash of a few numbers.
pub(crate) fn hash(seed: u64, parts: &[u64]) -> u64 {
    parts.iter().fold(mix(seed), |h, part| {
        mix(h ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    })
}

/// Spreads a number over all bits (the finalizer of splitmix64).
pub(crate) fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One in [`signed`] and the walks.
pub(crate) const ONE: i64 = 1 << 16;

/// A number from -1 to 1, as parts of [`ONE`].
pub(crate) fn signed(hash: u64) -> i64 {
    i64::from(u32::try_from(hash >> 47).unwrap_or(0)) - ONE
}

/// A line through random points `period` steps apart.
fn line(key: u64, time: u64, period: u64) -> i64 {
    let time = time + mix(key ^ period) % period;
    let (knot, step) = (time / period, time % period);
    let at = |knot: u64| signed(mix(key ^ mix(knot ^ (period << 40))));
    let (a, b) = (at(knot), at(knot + 1));
    let along = i64::try_from(step).unwrap_or(0) * (b - a);
    a + along / i64::try_from(period).unwrap_or(1)
}

/// A sum of lines, as parts of [`ONE`]: period and size in hundredths.
fn octaves(key: u64, time: u64, list: &[(u64, i64)]) -> i64 {
    let sum: i64 = list
        .iter()
        .map(|(period, size)| line(key, time, *period) * size)
        .sum();
    sum / 100
}

/// A walk whose steps are about one in size and do not depend on each other,
/// pulled back to 0 after a hundred of them.
pub(crate) fn walk(key: u64, time: u64) -> i64 {
    octaves(key, time, &[(2, 213), (8, 426), (32, 852), (128, 1704)])
}

/// What an average of a tenth new and nine tenths old makes of [`walk`]: slow
/// movements remain, quick ones are gone.
pub(crate) fn averaged(key: u64, time: u64) -> i64 {
    octaves(key, time, &[(8, 170), (32, 724), (128, 1704)])
}

/// `base` and so many parts of 10,000 of it, times `noise`.
pub(crate) fn moved(base: u64, noise: i64, parts: u16) -> u64 {
    let by = i128::from(base) * i128::from(noise) * i128::from(parts) / i128::from(ONE) / 10_000;
    u64::try_from(i128::from(base) + by).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Root of the mean square of the steps, in thousandths of one.
    fn step(noise: fn(u64, u64) -> i64) -> f64 {
        let steps = 4000_u32;
        let sum: f64 = (0..steps)
            .map(|i| {
                let (key, time) = (hash(1, &[u64::from(i)]), u64::from(i % 97));
                let by = f64::from(i32::try_from(noise(key, time + 1) - noise(key, time)).unwrap());
                (by / 65536.0).powi(2)
            })
            .sum();
        (sum / f64::from(steps)).sqrt()
    }

    #[test]
    fn steps_are_as_large_as_told() {
        let walk = step(walk);
        assert!((0.8..1.2).contains(&walk), "{walk}");
        let averaged = step(averaged);
        assert!((0.15..0.35).contains(&averaged), "{averaged}");
    }

    #[test]
    fn equal_questions_get_equal_answers() {
        assert_eq!(hash(7, &[1, 2]), hash(7, &[1, 2]));
        assert_ne!(hash(7, &[1, 2]), hash(7, &[2, 1]));
        assert_ne!(hash(7, &[1, 2]), hash(8, &[1, 2]));
        assert_eq!(moved(1000, ONE, 100), 1010);
        assert_eq!(moved(1000, -ONE, 100), 990);
    }
}
