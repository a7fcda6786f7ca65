//! Inputs of the profiles, as JSON.
//!
//! ```json
//! {
//!   "now": 1700000000.0,
//!   "uids": 256,
//!   "owner_uid": 0,
//!   "settings": {"min_score": 0.4, "max_similarity": 0.6},
//!   "commits": [{
//!     "miner_uid": 7, "miner_hotkey": "5F…", "encrypted_commit": "gAAAA…",
//!     "scored_timestamp": 1699900000.0, "ip": "1.2.3.4", "coldkey": "5C…", "docker_hub_id": "user/img",
//!     "scoring_logs": [{"score": 0.9}],
//!     "comparison_logs": {"<image>": [{"similarity_score": 0.1}]}
//!   }]
//! }
//! ```
//!
//! Times are seconds since 1970. `uids` is how many uids the subnet has (one more than the
//! greatest uid named, when it is missing), `settings` stand in for the profile's, and a commit
//! without `scored_timestamp` was scored now. Commits of a miner are judged in the order given. `ip`
//! and `coldkey` are needed where the profile knows entities, for all commits or for none.
//!
//! The score of a row is the commit's share by the softmax; a commit that is not its miner's best
//! has 0 and the reason. The note `row` is what goes to the chain, by uid where it is not 0.

use std::collections::{BTreeMap, BTreeSet};

use scoring::local::Profile;
use scoring::local::sn61::best::{Change, best};
use scoring::local::sn61::judge::{Reason, Verdict, judge};
use scoring::local::sn61::softmax::softmax;
use scoring::local::sn61::{Rules, across, entities, rules};
use serde_json::{Value, json};

use super::config::Challenge;
use super::format::{Commit, ComparisonLog, ScoringLog, docker_user};
use crate::profiles::{InputError, Row, Scored, inputs_hash};
use crate::python::{At, Json, Wrong};

/// Most commits of an input.
const MAX_COMMITS: usize = 1 << 16;
/// Seconds in a day.
const DAY: f64 = 86_400.0;

/// Members of a commit.
const MEMBERS: [&str; 16] = [
    "miner_uid",
    "miner_hotkey",
    "challenge_name",
    "docker_hub_id",
    "commit_timestamp",
    "encrypted_commit",
    "key",
    "commit",
    "scoring_logs",
    "comparison_logs",
    "scored_timestamp",
    "score",
    "penalty",
    "accepted",
    "ip",
    "coldkey",
];

impl From<Wrong> for InputError {
    fn from(wrong: Wrong) -> InputError {
        InputError::Field {
            at: wrong.at,
            what: wrong.what,
        }
    }
}

struct One {
    commit: Commit,
    uid: u16,
    place: Option<(String, String)>,
    verdict: Verdict,
    days: f64,
    aged: f64,
}

/// Scores an input by one of the system's profiles.
///
/// # Errors
///
/// When the input is not what the profile wants.
pub fn score(profile: &'static Profile, input: &Value) -> Result<Scored, InputError> {
    let rules = rules(profile.name).ok_or(InputError::Profile(profile.name))?;
    let json = Json::from(input);
    let root = At::root(&json, "input");
    root.only(&["now", "uids", "owner_uid", "settings", "commits"])?;
    let now = root.need("now")?.between(0.0, 1e12)?;
    let challenge = settings(&root)?;
    let mut ones = Vec::new();
    for at in root.need("commits")?.items(MAX_COMMITS)? {
        ones.push(read(&at, &rules, &challenge, now)?);
    }
    unique(&ones)?;
    let greatest = ones.iter().map(|one| usize::from(one.uid) + 1).max();
    let uids = match root.get("uids")? {
        None => greatest.unwrap_or(0),
        Some(at) => {
            let uids = usize::from(at.uid()?);
            if Some(uids) < greatest {
                let greatest = greatest.unwrap_or(0) - 1;
                return Err(at
                    .wrong(format!("there is a commit of uid {greatest}"))
                    .into());
            }
            uids
        }
    };
    let owner = root.get("owner_uid")?.map(|at| at.uid()).transpose()?;
    let chosen = choose(&ones);
    let mut scores = vec![0.0; uids];
    for (uid, at) in &chosen {
        if let (Some(place), Some(one)) = (scores.get_mut(usize::from(*uid)), ones.get(*at)) {
            *place = one.aged;
        }
    }
    let shares = softmax(&scores, rules.temperature, rules.over);
    let share = |uid: u16| shares.get(usize::from(uid)).copied().unwrap_or(0.0);
    let rows = ones.iter().enumerate().map(|(at, one)| {
        let is_best = chosen.get(&one.uid) == Some(&at);
        row(one, is_best.then(|| share(one.uid)))
    });
    let rows = rows.collect();
    let (kept, filtered) = one_an_entity(&rules, &ones, &chosen, &shares);
    let chain = across::with_burn(&kept, rules.burn, owner.map(usize::from));
    let mut notes = serde_json::Map::new();
    notes.insert("uids".into(), uids.into());
    notes.insert("entities".into(), filtered.into());
    notes.insert("burn".into(), rules.burn.into());
    let chain = chain.iter().enumerate().filter(|(_, part)| **part != 0.0);
    let chain: BTreeMap<usize, f64> = chain.map(|(uid, part)| (uid, *part)).collect();
    notes.insert("row".into(), json!(chain));
    Ok(Scored {
        profile: profile.name,
        inputs_hash: inputs_hash(input),
        rows,
        notes,
    })
}

fn settings(root: &At<'_>) -> Result<Challenge, InputError> {
    let mut challenge = Challenge::new("input", 1.0);
    if let Some(at) = root.get("settings")? {
        at.only(&["min_score", "max_similarity"])?;
        let number = |name: &str, low: f64| -> Result<Option<f64>, Wrong> {
            at.get(name)?
                .map(|number| number.between(low, 1.0))
                .transpose()
        };
        challenge.min_score = number("min_score", -1e9)?;
        challenge.max_similarity = number("max_similarity", 0.0)?;
    }
    Ok(challenge)
}

fn read(at: &At<'_>, rules: &Rules, challenge: &Challenge, now: f64) -> Result<One, InputError> {
    at.only(&MEMBERS)?;
    if let Some(logs) = at.get("scoring_logs")? {
        for log in logs.items(usize::MAX)? {
            log.only(&ScoringLog::MEMBERS)?;
        }
    }
    if let Some(references) = at.get("comparison_logs")? {
        for (_, logs) in references.members()? {
            for log in logs.items(usize::MAX)? {
                log.only(&ComparisonLog::MEMBERS)?;
            }
        }
    }
    let uid = at.need("miner_uid")?.uid()?;
    let hotkey = at.need("miner_hotkey")?;
    let name = hotkey.text(255)?;
    if name.is_empty() {
        return Err(hotkey.wrong("the hotkey is empty").into());
    }
    let commit = Commit::read(
        at,
        Some((name, "input")).filter(|_| at.json.get("challenge_name").is_none()),
    )?;
    let place = match (at.get("ip")?, at.get("coldkey")?) {
        (None, None) => None,
        (Some(ip), Some(coldkey)) => Some((ip.text(64)?.to_owned(), coldkey.text(64)?.to_owned())),
        _ => {
            return Err(at
                .wrong("ip and coldkey are given together or not at all")
                .into());
        }
    };
    let scores: Vec<Option<f64>> = commit.scoring_logs.iter().map(|log| log.score).collect();
    let of = |(_, logs): &(String, Vec<ComparisonLog>)| {
        logs.iter().map(|log| log.similarity_score).collect()
    };
    let similarities: Vec<Vec<Option<f64>>> = commit.comparison_logs.iter().map(of).collect();
    let verdict = judge(challenge.judging(rules), &scores, &similarities);
    let days = (now - commit.scored_timestamp.unwrap_or(now)) / DAY;
    let score = verdict.score.unwrap_or(0.0);
    let aged = rules.decay.map_or(score, |decay| decay.apply(score, days));
    Ok(One {
        commit,
        uid,
        place,
        verdict,
        days,
        aged,
    })
}

/// Refuses a ciphertext told twice of a miner, a uid of two hotkeys and a hotkey of two uids.
fn unique(ones: &[One]) -> Result<(), InputError> {
    let wrong = |at: usize, member: &str, what: String| InputError::Field {
        at: format!("input.commits[{at}].{member}"),
        what,
    };
    let mut tokens = BTreeSet::new();
    let (mut hotkeys, mut uids) = (BTreeMap::new(), BTreeMap::new());
    for (at, one) in ones.iter().enumerate() {
        let (hotkey, uid) = (one.commit.miner_hotkey.as_str(), one.uid);
        if !tokens.insert((uid, one.commit.encrypted_commit.as_str())) {
            let what = format!("uid {uid} has this ciphertext twice");
            return Err(wrong(at, "encrypted_commit", what));
        }
        if *hotkeys.entry(uid).or_insert(hotkey) != hotkey {
            let what = format!("uid {uid} has another hotkey before");
            return Err(wrong(at, "miner_hotkey", what));
        }
        let before = *uids.entry(hotkey).or_insert(uid);
        if before != uid {
            let what = format!("the hotkey has uid {before} before");
            return Err(wrong(at, "miner_uid", what));
        }
    }
    Ok(())
}

/// The place of every miner's best commit, by uid.
fn choose(ones: &[One]) -> BTreeMap<u16, usize> {
    let mut chosen: BTreeMap<u16, usize> = BTreeMap::new();
    for (at, one) in ones.iter().enumerate() {
        let Some(score) = one.verdict.score else {
            continue;
        };
        let current = chosen.get(&one.uid).and_then(|at| ones.get(*at));
        let current = current.map(|one| {
            let token = one.commit.encrypted_commit.as_str();
            (token, one.verdict.score.unwrap_or(0.0))
        });
        match best(
            current,
            &one.commit.encrypted_commit,
            one.verdict.accepted,
            score,
        ) {
            Change::Stays => {}
            Change::Replaces => {
                chosen.insert(one.uid, at);
            }
            Change::Clears => {
                chosen.remove(&one.uid);
            }
        }
    }
    chosen
}

fn row(one: &One, share: Option<f64>) -> Row {
    let verdict = &one.verdict;
    let mut reasons: Vec<&str> = verdict.reasons.iter().map(|reason| reason.text()).collect();
    if verdict.accepted && share.is_none() {
        reasons.push("another commit of this miner is its best");
    }
    if verdict.accepted && share.is_some() && one.aged == 0.0 && verdict.score != Some(0.0) {
        reasons.push("the score is too old");
    }
    let mut parts = Vec::new();
    if let Some(raw) = verdict.raw {
        parts.push(("raw".to_owned(), raw));
    }
    parts.push(("penalty".to_owned(), verdict.penalty));
    parts.push(("accepted".to_owned(), f64::from(u8::from(verdict.accepted))));
    if let Some(score) = verdict.score {
        parts.push(("adjusted".to_owned(), score));
        parts.push(("days".to_owned(), one.days));
        parts.push(("decayed".to_owned(), one.aged));
    }
    let left_out = verdict.reasons.contains(&Reason::ScoreMissing);
    Row {
        subject: one.commit.miner_hotkey.clone(),
        score: (!left_out).then(|| share.unwrap_or(0.0)),
        parts,
        reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
    }
}

/// Shares with one miner an entity, where the profile wants that and the input says what it
/// needs; tells whether it did.
fn one_an_entity(
    rules: &Rules,
    ones: &[One],
    chosen: &BTreeMap<u16, usize>,
    shares: &[f64],
) -> (Vec<f64>, bool) {
    let known = ones.iter().all(|one| one.place.is_some());
    if !rules.entities || !known || ones.is_empty() {
        return (shares.to_vec(), false);
    }
    let of = |(uid, score): (u16, &f64)| {
        let one = chosen.get(&uid).and_then(|at| ones.get(*at));
        let place = one.and_then(|one| one.place.as_ref());
        let (ip, coldkey) = place.map_or((entities::NO_ADDRESS, ""), |(ip, cold)| (ip, cold));
        let docker = one.and_then(|one| one.commit.docker_hub_id.as_deref());
        entities::Miner {
            score: *score,
            ip,
            coldkey,
            docker: docker.and_then(docker_user),
        }
    };
    let miners: Vec<_> = (0..=u16::MAX).zip(shares).map(of).collect();
    (entities::same_entity(&miners), true)
}
