//! A ledger of 300 records, of which every third is of subnet 2.

use std::sync::Mutex;

use chain_metadata::{AccountId, NetUid, Uid};
use graphql::ReadError;
use graphql::ports::*;
use scoring::fixed::I32F32;
use scoring::local::Profile;
use serde_json::{Map, Value, json};

use super::{Fake, WIDE};

/// Takes in what a header tells it to, and remembers what came.
#[derive(Default)]
pub(crate) struct FakeIntake {
    pub(crate) came: Mutex<Vec<(u16, Vec<u8>)>>,
}

impl FakeIntake {
    fn keep(&self, came: (u16, Vec<u8>)) {
        self.came.lock().unwrap().push(came);
    }
}

impl Intake for FakeIntake {
    fn body_bytes(&self) -> usize {
        100_000
    }

    fn take(&self, delivery: &Delivery<'_>) -> Result<Taken, NotTaken> {
        let found = delivery
            .headers
            .iter()
            .find(|(name, _)| name == "signature");
        let refused = |status, code: &str| NotTaken {
            status,
            code: code.into(),
            detail: "SECRET path /srv/store".into(),
        };
        match found.map(|(_, value)| value.as_str()) {
            Some("good" | "again") => {}
            Some("broken") => return Err(refused(500, "INTERNAL")),
            _ => return Err(refused(401, "BAD_SIGNATURE")),
        }
        let came = (delivery.netuid.0, delivery.body.to_vec());
        self.keep(came);
        Ok(Taken {
            first: WIDE,
            count: 3,
            payload: "ab".repeat(32),
            repeated: found.is_some_and(|(_, value)| value == "again"),
        })
    }
}

pub(crate) fn record(number: u64) -> ResultRecord {
    let details = json!({ "n": number });
    let body = match number % 5 {
        0 => ResultBody::Run {
            id: format!("run-{number}"),
            started_ms: WIDE,
            ended_ms: None,
            success: Some(true),
            error: None,
            details,
        },
        1 => ResultBody::Submission {
            id: format!("sub-{number}"),
            at_ms: Some(WIDE),
            details: Value::Null,
        },
        2 => ResultBody::Score {
            of: "sub-1".into(),
            profile: if number.is_multiple_of(2) { "p" } else { "q" }.into(),
            inputs: "00".repeat(32),
            score: Some(0.1 + 0.2),
            reason: None,
            details,
        },
        3 => ResultBody::Comparison {
            of: "sub-1".into(),
            with: "sub-6".into(),
            similarity: None,
            reason: Some("it failed".into()),
            details,
        },
        _ => ResultBody::Finalization {
            period: "2025-10-15".into(),
            profile: "p".into(),
            inputs: "00".repeat(32),
            details,
        },
    };
    ResultRecord {
        number,
        netuid: NetUid(if number.is_multiple_of(3) { 2 } else { 1 }),
        challenge: if number < 100 { "early" } else { "late" }.into(),
        subject: format!("m{}", number % 7),
        reporter: match number % 4 {
            0 => ResultReporter::Hotkey(AccountId([7; 32]), Uid(9)),
            1 => ResultReporter::File("results.json".into()),
            2 => ResultReporter::Service("https://example.org".into()),
            _ => ResultReporter::Computed,
        },
        received_ms: WIDE,
        checked_at: number.is_multiple_of(4).then_some(12),
        signature: None,
        payload: "cd".repeat(32),
        body,
    }
}

fn kind(record: &ResultRecord) -> ResultKind {
    match record.body {
        ResultBody::Run { .. } => ResultKind::Run,
        ResultBody::Submission { .. } => ResultKind::Submission,
        ResultBody::Score { .. } => ResultKind::Score,
        ResultBody::Comparison { .. } => ResultKind::Comparison,
        ResultBody::Finalization { .. } => ResultKind::Finalization,
    }
}

fn fixed(bits: i64) -> I32F32 {
    I32F32::from_bits(bits)
}

impl Results for Fake {
    fn profiles(&self) -> Vec<Profile> {
        self.count("profiles");
        vec![Profile {
            name: "fake-1",
            netuid: 1,
            from: Some("2025-10"),
            until: None,
            summary: "Gives everybody one.",
            source: "nowhere",
        }]
    }

    fn score_input(&self, profile: &str, input: &[u8]) -> Asked<LocalScores> {
        self.count("score_input");
        if profile != "fake-1" {
            return Ok(Err(Refused::NotFound(format!("no profile {profile}"))));
        }
        if input != b"[1]" {
            return Ok(Err(Refused::BadInput("miners: is missing".into())));
        }
        Ok(Ok(LocalScores {
            profile: profile.into(),
            inputs_hash: "ef".repeat(32),
            rows: vec![LocalScore {
                subject: "m1".into(),
                score: Some(0.1 + 0.2),
                parts: vec![("z".into(), 1.0), ("a".into(), 2.0)],
                reason: None,
            }],
            notes: Map::new(),
        }))
    }

    fn results(
        &self,
        wanted: &ResultFilter,
        after: Option<u64>,
        first: usize,
    ) -> Result<ResultPage, ReadError> {
        self.count("results");
        let from = after.map_or(0, |after| after.saturating_add(1));
        let all = (from..300).map(record);
        let mut found: Vec<_> = all
            .filter(|r| r.netuid == wanted.netuid)
            .filter(|r| wanted.challenge.as_ref().is_none_or(|c| *c == r.challenge))
            .filter(|r| wanted.kind.is_none_or(|k| k == kind(r)))
            .filter(|r| wanted.subject.as_ref().is_none_or(|s| *s == r.subject))
            .collect();
        let more = found.len() > first;
        found.truncate(first);
        Ok(ResultPage {
            next: found.last().map(|r| r.number).or(after).filter(|_| more),
            records: found,
        })
    }

    fn scores(&self, wanted: &ScoreFilter) -> Result<Vec<ResultRecord>, ReadError> {
        self.count("scores");
        let scores = (0..300)
            .map(record)
            .filter(|r| kind(r) == ResultKind::Score);
        let of = |r: &ResultRecord| match (&r.body, &wanted.profile) {
            (ResultBody::Score { profile, .. }, Some(wanted)) => profile == wanted,
            _ => true,
        };
        let whose = |r: &ResultRecord| match (wanted.reporter, &r.reporter) {
            (None, reporter) => !matches!(reporter, ResultReporter::Hotkey(..)),
            (Some(wanted), ResultReporter::Hotkey(hotkey, _)) => wanted == *hotkey,
            (Some(_), _) => false,
        };
        let found = scores.filter(|r| r.netuid == wanted.netuid && of(r) && whose(r));
        Ok(found.collect())
    }

    fn score_join(&self, epoch: EpochKey, wanted: &ScoreFilter) -> Asked<ScoreJoin> {
        self.count("score_join");
        if epoch.netuid.0 != 1 {
            return Ok(Err(Refused::NotFound("no epoch ran".into())));
        }
        let weight = |validator: u16, raw| ScoreWeight {
            validator: Uid(validator),
            raw,
            normalised: fixed(3 << 30),
            clipped: fixed(1 << 31),
        };
        let scored = wanted.profile.as_deref() != Some("unknown");
        let row = ScoreRow {
            uid: Uid(3),
            hotkey: Some(AccountId([3; 32])),
            score_number: scored.then_some(WIDE),
            challenge: scored.then(|| "late".to_owned()),
            profile: scored.then(|| "p".to_owned()),
            score: scored.then_some(0.1 + 0.2),
            rank: scored.then_some(1),
            weights: vec![weight(0, Some(65_535)), weight(1, None)],
            consensus: fixed(1 << 31),
            before_clipping: fixed(3 << 30),
            after_clipping: fixed(1 << 31),
            clipped_share: Some(1.0 / 3.0),
            incentive: Some(65_535),
            stored_incentive: None,
        };
        let empty = ScoreRow {
            uid: Uid(4),
            hotkey: None,
            clipped_share: None,
            ..row.clone()
        };
        let validator = ScoreValidator {
            uid: Uid(0),
            hotkey: Some(AccountId([0; 32])),
            active_stake: fixed(1 << 32),
            compared: 2,
            pearson: Some(-0.5),
            spearman: None,
            wasted: fixed(1 << 30),
            trust: Some(49_151),
            stored_trust: Some(49_151),
        };
        let forecast = ScoreForecast {
            block: 21,
            validators: vec![ForeseenValidator {
                uid: Uid(0),
                hotkey: None,
                trust: 7,
                wasted: fixed(0),
            }],
            doubts: vec!["tomorrow".into()],
        };
        Ok(Ok(ScoreJoin {
            spec_version: 425,
            rows: vec![row, empty],
            validators: vec![validator],
            doubts: vec!["the weather".into()],
            forecast: match epoch.block {
                12 => Ok(forecast),
                _ => Err("the next epoch cannot be computed".into()),
            },
        }))
    }

    fn scoring_result(
        &self,
        challenge: &str,
        tokens: &[String],
    ) -> Result<Result<ScoringResult, NotTold>, ReadError> {
        self.count("scoring_result");
        if challenge != "known" {
            return Ok(Err(match challenge {
                "long" => NotTold::TooMuch("ask for fewer commits at a time".into()),
                _ => NotTold::UnknownChallenge,
            }));
        }
        let commit = |token: &String| {
            let known = token == "t1";
            (token.clone(), known.then(|| json!({ "score": 0.5 })))
        };
        Ok(Ok(ScoringResult {
            commits: tokens.iter().map(commit).collect(),
            is_done: Some(true),
        }))
    }
}
