//! Only logs that can be read back are kept: what a miner's program or a service answers must
//! never make a record that stops those who read it.

use crate::python::{At, Json, Wrong, dumps, parse};
use crate::sn61::format::{ComparisonLog, ScoringLog};

/// Most bytes of the logs of one run or one comparison, as text.
pub const MAX_LOGS: usize = 24 << 20;
/// Of these so many for the inputs of a run; the rest is for answers and errors.
pub(super) const MAX_INPUTS: usize = 8 << 20;

/// The length of a log as it is stored, in a list; or why it cannot be read back.
fn length<T>(json: Json, read: impl Fn(&At<'_>) -> Result<T, Wrong>) -> Result<usize, String> {
    let text = dumps(&Json::List(vec![json]));
    let back = parse(&text).map_err(|e| e.to_string())?;
    let items = At::root(&back, "logs").items(1);
    let items = items.map_err(|e| e.to_string())?;
    items
        .iter()
        .try_for_each(|at| read(at).map(drop))
        .map_err(|e| e.to_string())?;
    Ok(text.len())
}

/// The bytes that an input takes in a log; or why it cannot be kept.
pub(super) fn input(input: &Json) -> Result<usize, String> {
    let log = ScoringLog {
        miner_input: Some(input.clone()),
        ..ScoringLog::default()
    };
    length(log.json(), ScoringLog::read)
}

/// A run's logs as they can be kept. One that cannot be read back, or goes beyond `max` bytes
/// together with those before it, becomes a failed one: score 0 and the error, without its answer.
pub(super) fn scoring(logs: Vec<ScoringLog>, max: usize) -> Vec<ScoringLog> {
    let mut used = 0_usize;
    let kept = |log: ScoringLog| {
        let long = format!("the logs of a run may have {max} bytes, and this one goes beyond");
        let why = match length(log.json(), ScoringLog::read) {
            Ok(len) if used.saturating_add(len) <= max => {
                used = used.saturating_add(len);
                return log;
            }
            Ok(_) => long,
            Err(why) => format!("the log cannot be kept: {why}"),
        };
        let mut failed = ScoringLog {
            score: Some(0.0),
            miner_input: log.miner_input,
            error: Some(why),
            ..ScoringLog::default()
        };
        match length(failed.json(), ScoringLog::read) {
            Ok(len) if used.saturating_add(len) <= max => used = used.saturating_add(len),
            _ => failed.miner_input = None,
        }
        failed
    };
    logs.into_iter().map(kept).collect()
}

/// The logs of a comparison as they can be kept. One that cannot be read back becomes a failed
/// one, with similarity 0 and the error; one that goes beyond `max` bytes loses input and reason.
pub(super) fn comparison(logs: Vec<ComparisonLog>, max: usize) -> Vec<ComparisonLog> {
    let mut used = 0_usize;
    let kept = |log: ComparisonLog| match length(log.json(), ComparisonLog::read) {
        Ok(len) if used.saturating_add(len) <= max => {
            used = used.saturating_add(len);
            log
        }
        Ok(_) => ComparisonLog {
            miner_input: None,
            miner_output: None,
            reference_output: None,
            reason: None,
            ..log
        },
        Err(why) => ComparisonLog {
            similarity_score: Some(0.0),
            error: Some(format!("the log cannot be kept: {why}")),
            ..ComparisonLog::default()
        },
    };
    logs.into_iter().map(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deep(levels: usize) -> Json {
        (0..levels).fold(Json::Null, |inner, _| Json::dict([("a", inner)]))
    }

    fn log(output: Json) -> ScoringLog {
        ScoringLog {
            score: Some(0.5),
            miner_input: Some(deep(1)),
            miner_output: Some(output),
            ..ScoringLog::default()
        }
    }

    fn readable(logs: &[ScoringLog]) -> usize {
        let text = dumps(&Json::List(logs.iter().map(ScoringLog::json).collect()));
        let back = parse(&text).unwrap();
        let items = At::root(&back, "logs").items(usize::MAX).unwrap();
        let read: Vec<_> = items
            .iter()
            .map(|at| ScoringLog::read(at).unwrap())
            .collect();
        assert_eq!(read, logs);
        text.len()
    }

    #[test]
    fn sn61_runs_are_kept_within_bounds() {
        for levels in 1..70 {
            let kept = scoring(vec![log(deep(levels)), log(deep(1))], MAX_LOGS);
            readable(&kept);
            assert_eq!(kept[1], log(deep(1)));
            assert_eq!(
                kept[0].error.is_none(),
                (1..=62).contains(&levels),
                "{levels}"
            );
            if kept[0].error.is_some() {
                assert_eq!((kept[0].score, &kept[0].miner_output), (Some(0.0), &None));
            }
        }
        let endless = ScoringLog {
            score: Some(f64::INFINITY),
            ..log(deep(1))
        };
        let kept = scoring(vec![endless], MAX_LOGS);
        readable(&kept);
        assert_eq!(kept[0].score, Some(0.0));
        let long = || log(Json::dict([("a", Json::Str("x".repeat(600)))]));
        let kept = scoring(vec![long(), long(), log(deep(1))], 1500);
        assert!(readable(&kept) <= 1600);
        let errors: Vec<bool> = kept.iter().map(|log| log.error.is_some()).collect();
        assert_eq!(errors, [false, true, false]);
    }

    #[test]
    fn sn61_comparisons_are_kept_within_bounds() {
        let of = |reason: &str| ComparisonLog {
            similarity_score: Some(0.5),
            miner_input: Some(deep(1)),
            reason: Some(reason.into()),
            ..ComparisonLog::default()
        };
        let endless = ComparisonLog {
            reference_similarity_score: Some(f64::NAN),
            ..of("r")
        };
        let kept = comparison(vec![of("r"), endless, of(&"r".repeat(5000))], 2000);
        assert_eq!(kept[0], of("r"));
        assert_eq!(kept[1].similarity_score, Some(0.0));
        assert!(kept[1].error.is_some());
        assert_eq!(
            (kept[2].similarity_score, &kept[2].reason),
            (Some(0.5), &None)
        );
        let text = dumps(&Json::List(kept.iter().map(ComparisonLog::json).collect()));
        assert!(parse(&text).is_ok());
    }
}
