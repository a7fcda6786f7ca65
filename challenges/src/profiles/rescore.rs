//! Submissions of the ledger scored again, by whichever profile.
//!
//! The details of a submission are the input of the profile. Scores are added to the ledger
//! beside older ones; nothing is taken in again and nothing replaced. What a profile has
//! said of a submission already is not said twice.

use indexer::store::engine::Batch;
use scoring::local::Profile;
use serde_json::{Map, Value, json};

use super::{InputError, Row, Scored, of_value};
use crate::ledger::{Filter, Ledger, LedgerError, MAX_NAME, Seq};
use crate::record::{Entry, Kind, Provenance, Record, Reporter, Score};

/// Submissions read at once.
const AT_ONCE: usize = 200;

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rescored {
    /// Submissions that were scored.
    pub submissions: u64,
    /// Scores that were added.
    pub added: u64,
    /// Scores that were there already.
    pub known: u64,
    /// Submissions that the profile cannot score, and why.
    pub refused: Vec<(Seq, String)>,
}

/// Scores the submissions that `wanted` names (its kind is not looked at) by a profile. The
/// new records came in at `now_ms`.
///
/// # Errors
///
/// When the ledger cannot be read or written. A submission that cannot be scored is told in
/// the answer and stops nothing.
pub fn rescore(
    ledger: &Ledger,
    wanted: &Filter,
    profile: &'static Profile,
    now_ms: u64,
) -> Result<Rescored, LedgerError> {
    rescore_with(ledger, wanted, &|input| of_value(profile, input), now_ms)
}

/// As [`rescore`], with any way to score.
///
/// # Errors
///
/// As [`rescore`].
pub fn rescore_with(
    ledger: &Ledger,
    wanted: &Filter,
    score: &dyn Fn(&Value) -> Result<Scored, InputError>,
    now_ms: u64,
) -> Result<Rescored, LedgerError> {
    let mut wanted = Filter {
        kind: Some(Kind::Submission),
        ..wanted.clone()
    };
    let mut done = Rescored::default();
    loop {
        let page = ledger.page(&wanted, AT_ONCE)?;
        for (seq, entry) in page.records {
            let Record::Submission(submission) = &entry.record else {
                continue;
            };
            let scored = match score(&submission.details) {
                Ok(scored) => scored,
                Err(error) => {
                    done.refused.push((seq, error.to_string()));
                    continue;
                }
            };
            if let Some(row) = scored.rows.iter().find(|r| r.subject.len() > MAX_NAME) {
                let len = row.subject.len();
                done.refused.push((
                    seq,
                    format!("a subject is {len} bytes long, and may be {MAX_NAME}"),
                ));
                continue;
            }
            done.submissions += 1;
            let mut fresh = Vec::new();
            for row in &scored.rows {
                let new = scored_entry(&entry, (seq, &submission.id), &scored, row, now_ms);
                match is_known(ledger, &new)? {
                    true => done.known += 1,
                    false => fresh.push(new),
                }
            }
            if !fresh.is_empty() {
                done.added += u64::try_from(fresh.len()).unwrap_or(u64::MAX);
                ledger.append(&fresh, Batch::default())?;
            }
        }
        wanted.after = match page.next {
            Some(next) => Some(next),
            None => return Ok(done),
        };
    }
}

fn scored_entry(
    of: &Entry,
    (seq, id): (Seq, &str),
    scored: &Scored,
    row: &Row,
    now_ms: u64,
) -> Entry {
    let parts = row.parts.iter();
    let parts: Map<String, Value> = parts.map(|(name, n)| (name.clone(), json!(n))).collect();
    Entry {
        netuid: of.netuid,
        challenge: of.challenge.clone(),
        subject: row.subject.clone(),
        provenance: Provenance {
            reporter: Reporter::Computed,
            received_ms: now_ms,
            checked_at: None,
            signature: None,
            payload: of.provenance.payload.clone(),
        },
        record: Record::Score(Score {
            of: id.to_owned(),
            profile: scored.profile.to_owned(),
            inputs: scored.inputs_hash.clone(),
            score: row.score.filter(|score| score.is_finite()),
            reason: match row.score {
                Some(score) if !score.is_finite() => Some(format!("the score is {score}")),
                _ => row.reason.clone(),
            },
            details: json!({ "from": seq, "parts": parts, "notes": scored.notes }),
        }),
    }
}

/// Whether the same profile has said the same of the same submission.
fn is_known(ledger: &Ledger, new: &Entry) -> Result<bool, LedgerError> {
    let Record::Score(new_score) = &new.record else {
        return Ok(false);
    };
    let list = Filter {
        netuid: new.netuid,
        challenge: Some(new.challenge.clone()),
        kind: Some(Kind::Score),
        subject: Some(new.subject.clone()),
        after: None,
    };
    let same = |(_, old): &(Seq, Entry)| {
        old.provenance.reporter == Reporter::Computed
            && matches!(&old.record, Record::Score(old) if old == new_score)
    };
    Ok(ledger.find(&list, usize::MAX)?.iter().any(same))
}
