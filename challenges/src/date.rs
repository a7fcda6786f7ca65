//! Dates and times in UTC as numbers, without a clock.
//!
//! The systems write times as ISO 8601 with or without a `Z`, with or without fractions;
//! all of them mean UTC unless an offset is given.

/// Microseconds in a day.
pub const DAY: i64 = 86_400_000_000;

/// Days since 1970-01-01 of a date of the Gregorian calendar; `None` when there is no such date.
///
/// ```
/// use challenges::date::days;
/// assert_eq!(days(1970, 1, 1), Some(0));
/// assert_eq!(days(2000, 3, 1), Some(11017));
/// assert_eq!(days(2023, 2, 29), None);
/// ```
pub fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(0..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    if day < 1 || day > month_length(year, month) {
        return None;
    }
    // Years begin in March, so that the leap day is the last one.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Year, month and day of a number of days since 1970-01-01.
///
/// ```
/// assert_eq!(challenges::date::date(11017), (2000, 3, 1));
/// ```
pub fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// `YYYY-MM-DD` of a time in microseconds since 1970.
///
/// ```
/// assert_eq!(challenges::date::day_of(1_700_000_000_000_000), "2023-11-14");
/// ```
pub fn day_of(micros: i64) -> String {
    let (year, month, day) = date(micros.div_euclid(DAY));
    format!("{year:04}-{month:02}-{day:02}")
}

/// Microseconds since 1970 of an ISO 8601 time; finer fractions are cut off. A blank may
/// stand for the `T`, and the offset may be missing: then it is UTC.
///
/// ```
/// use challenges::date::parse;
/// assert_eq!(parse("1970-01-02"), Some(86_400_000_000));
/// assert_eq!(parse("2023-11-14T22:13:20Z"), Some(1_700_000_000_000_000));
/// assert_eq!(parse("2023-11-14 22:13:20.5+00:00"), Some(1_700_000_000_500_000));
/// assert_eq!(parse("2023-11-14T22:13:60Z"), None);
/// ```
pub fn parse(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |from: usize, len: usize| -> Option<i64> {
        let digits = bytes.get(from..from.checked_add(len)?)?;
        digits.iter().try_fold(0_i64, |sum, digit| {
            digit
                .is_ascii_digit()
                .then(|| sum * 10 + i64::from(digit - b'0'))
        })
    };
    let is = |at: usize, wanted: &[u8]| bytes.get(at).is_some_and(|b| wanted.contains(b));
    if !(is(4, b"-") && is(7, b"-")) {
        return None;
    }
    let micros = days(number(0, 4)?, number(5, 2)?, number(8, 2)?)? * DAY;
    if bytes.len() == 10 {
        return Some(micros);
    }
    if !(is(10, b"T ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut micros = micros + (hour * 3600 + minute * 60 + second) * 1_000_000;
    let mut at = 19;
    if is(at, b".") {
        let digits = bytes[at + 1..].iter().take_while(|b| b.is_ascii_digit());
        let count = digits.count();
        if count == 0 {
            return None;
        }
        let kept = count.min(6);
        let scale = 10_i64.pow(u32::try_from(6 - kept).ok()?);
        micros += number(at + 1, kept)? * scale;
        at += 1 + count;
    }
    match bytes.get(at..)? {
        [] | [b'Z'] => Some(micros),
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let (hours, minutes) = match rest.len() {
                5 if is(at + 3, b":") => (number(at + 1, 2)?, number(at + 4, 2)?),
                4 => (number(at + 1, 2)?, number(at + 3, 2)?),
                2 => (number(at + 1, 2)?, 0),
                _ => return None,
            };
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = (hours * 3600 + minutes * 60) * 1_000_000;
            Some(if *sign == b'+' {
                micros - offset
            } else {
                micros + offset
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn days_and_dates_are_inverse(number in -600_000_i64..2_000_000) {
            let (year, month, day) = date(number);
            if (0..=9999).contains(&year) {
                prop_assert_eq!(days(year, month, day), Some(number));
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = parse(&text);
        }
    }

    #[test]
    fn offsets_are_taken_away() {
        let utc = parse("2025-01-01T00:30:00").unwrap();
        for same in [
            "2025-01-01T02:30:00+02:00",
            "2024-12-31 22:30:00-0200",
            "2025-01-01T01:30:00.000000+01",
        ] {
            assert_eq!(parse(same), Some(utc), "{same}");
        }
        for wrong in [
            "",
            "2025-01-01T",
            "2025-13-01",
            "2025-01-01T00:00:00.",
            "2025-01-01T00:00:00+1",
            "2025-01-01T24:00:00",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
