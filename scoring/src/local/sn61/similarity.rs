//! What a similarity takes from a score.

/// Up to this similarity nothing is taken.
pub const FREE: f64 = 0.4;
/// Up to this similarity a straight line is taken, above it a curve.
pub const LINEAR: f64 = 0.6;

/// The curve: 0 at 0, 1 at 1, steepest in the middle, for `x` from 0 to 1.
///
/// ```
/// use scoring::local::sn61::similarity::curve;
/// assert_eq!((curve(0.0), curve(1.0)), (0.0, 1.0));
/// ```
pub fn curve(x: f64) -> f64 {
    let y = x.powf(1.5);
    if y < 0.5 {
        0.5 * (1.0 - (1.0 - square(2.0 * y)).sqrt())
    } else {
        0.5 * ((1.0 - square(2.0 * y - 2.0)).sqrt() + 1.0)
    }
}

fn square(x: f64) -> f64 {
    x * x
}

/// The part of a score that a similarity from [`FREE`] to 1 takes away, 0 to 1.
pub fn reduction(similarity: f64) -> f64 {
    if similarity <= LINEAR {
        ((similarity - FREE) / 0.2) * curve((LINEAR - FREE) / (1.0 - FREE))
    } else {
        curve((similarity - FREE) / 0.6)
    }
}

/// The score that is left at a similarity. None or a negative similarity leaves 0, so a
/// commit that was never compared has no score; similarities above 1 leave 0 as 1 does,
/// and so does one that is not a number.
///
/// ```
/// use scoring::local::sn61::similarity::adjust;
/// assert_eq!(adjust(0.9, 0.1), 0.9);
/// assert_eq!(adjust(0.9, 0.0), 0.0);
/// ```
pub fn adjust(score: f64, similarity: f64) -> f64 {
    if similarity.is_nan() || similarity <= 0.0 || similarity > 1.0 {
        0.0
    } else if similarity < FREE {
        score
    } else {
        score * (1.0 - reduction(similarity))
    }
}
