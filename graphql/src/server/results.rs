//! REST about results of challenges: records, scores, profiles, and scoring of an input.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::{any, get, post};
use futures::StreamExt;
use serde_json::{Map, Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::reads::weighed;
use super::rest::{Parameters, answered, bad, failed, number, response};
use super::{App, access};
use crate::ports::{Asked, NotTold, ReadError, Refused};
use crate::rest::{Paged, Problem, Question, scores as shown};
use crate::schema::error::{INTERNAL_TEXT, code};

/// How many bodies larger than a query are worked on at once.
pub(super) const AT_ONCE: usize = 4;
/// How many such bodies arrive or wait at once.
pub(super) const ARRIVING: usize = 64;
/// How many of them may be one caller's; more of them wait, unread.
pub(super) const ARRIVING_OF_ONE: usize = 4;
/// Time that a body has before its pace counts.
const PATIENCE: Duration = Duration::from_secs(4);
/// Least pace of a body after that, in bytes a second.
const PACE: u32 = 16 << 10;
/// Longest time for a body to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);
/// Largest input that is scored, in bytes.
const INPUT_BYTES: usize = 4 << 20;
/// Largest question about commits, in bytes.
const TOKENS_BYTES: usize = 4 << 20;
/// Most commits of one question.
const MAX_TOKENS: usize = 1024;

/// Routes whose bodies are small.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/profiles", get(profiles))
        .route("/v1/results/{netuid}", get(records))
        .route("/v1/results/{netuid}/scores", get(scores))
}

/// Routes that bound their bodies themselves.
pub(super) fn large_routes() -> Router<App> {
    Router::new()
        .route("/v1/profiles/{name}/score", post(score))
        .route(
            "/get_scoring_result",
            post(scoring_result).fallback(any(only_post)),
        )
}

async fn profiles(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let question = Parameters::new(query.as_deref(), &[]).map(|_| Question::Profiles);
    answered(&app, question).await
}

fn page(parameters: &Parameters<'_>) -> Result<Paged, Problem> {
    let first = parameters.get("first");
    // Numbers of records stay below 2^63, as the document of routes has it.
    let after: Option<u64> = parameters.number("after")?;
    if let Some(after) = after.filter(|after| i64::try_from(*after).is_err()) {
        return Err(bad(format!(
            "`after` is {after}, but must be at most {}; give the number of the last record you have",
            i64::MAX
        )));
    }
    Ok(Paged {
        first: first.map(|text| number("first", text)).transpose()?,
        after,
    })
}

async fn records(
    State(app): State<App>,
    Path(netuid): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let question = || {
        let known = ["challenge", "kind", "subject", "first", "after"];
        let parameters = Parameters::new(query.as_deref(), &known)?;
        let kinds = ["run", "submission", "score", "comparison", "finalization"];
        let kind = match parameters.get("kind") {
            None => None,
            Some(kind) if kinds.contains(&kind) => Some(kind.to_uppercase()),
            Some(kind) => {
                let kinds = kinds.join(", ");
                return Err(bad(format!("`kind` is {kind}; give one of {kinds}")));
            }
        };
        Ok(Question::Results {
            netuid: number("netuid", &netuid)?,
            challenge: parameters.text("challenge")?,
            kind,
            subject: parameters.text("subject")?,
            page: page(&parameters)?,
        })
    };
    answered(&app, question()).await
}

async fn scores(
    State(app): State<App>,
    Path(netuid): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let question = || {
        let known = ["profile", "challenge", "reporter", "first", "after"];
        let parameters = Parameters::new(query.as_deref(), &known)?;
        Ok(Question::Scores {
            netuid: number("netuid", &netuid)?,
            of: parameters.scores()?,
            page: page(&parameters)?,
        })
    };
    answered(&app, question()).await
}

/// A body within a bound, and a place to work on it.
pub(super) async fn received(
    app: &App,
    body: Body,
    max: usize,
) -> Result<(Bytes, OwnedSemaphorePermit), Problem> {
    let busy = || {
        let text = "too many requests are being answered; try again in a moment";
        Problem::new(code::BUSY, text)
    };
    let own = app.shares.arriving.take(access::party());
    let own = tokio::time::timeout(ARRIVAL, own).await;
    let own = own.map_err(|_| busy())?;
    // A slow sender waits in a place where others can wait too, and not for long.
    let Ok(arriving) = app.arriving.clone().try_acquire_owned() else {
        return Err(busy());
    };
    let bytes = whole(body, max).await?;
    let turn = app.large.clone().acquire_owned();
    let turn = tokio::time::timeout(app.limits.query_timeout(), turn).await;
    drop((arriving, own));
    match turn {
        Ok(Ok(turn)) => Ok((bytes, turn)),
        _ => Err(busy()),
    }
}

/// A body that is small enough and comes fast enough.
async fn whole(body: Body, max: usize) -> Result<Bytes, Problem> {
    let begun = Instant::now();
    let mut parts = body.into_data_stream();
    let mut bytes = Vec::new();
    loop {
        let earned = u32::try_from(bytes.len()).unwrap_or(u32::MAX) / PACE;
        let time = PATIENCE + Duration::from_secs(earned.into());
        let part = tokio::time::timeout_at(begun + time.min(ARRIVAL), parts.next());
        match part.await {
            Ok(None) => return Ok(bytes.into()),
            Ok(Some(Ok(part))) if part.len() <= max.saturating_sub(bytes.len()) => {
                bytes.extend_from_slice(&part);
            }
            Ok(Some(Ok(_))) => {
                let text = format!("the body has more than {max} bytes; send less at once");
                return Err(Problem::new("BODY_TOO_LARGE", text).with_status(413));
            }
            // Its sender has gone, or does not keep to HTTP.
            Ok(Some(Err(error))) => {
                let text = format!("the body did not arrive whole ({error}); send it again");
                return Err(Problem::new("BODY_TOO_LARGE", text).with_status(413));
            }
            Err(_) => {
                let text = format!(
                    "the body did not arrive within {} seconds, or came with less than {PACE} bytes a second; send it faster or in parts",
                    ARRIVAL.as_secs()
                );
                return Err(Problem::new("BODY_TOO_SLOW", text).with_status(408));
            }
        }
    }
}

async fn score(State(app): State<App>, Path(name): Path<String>, body: Body) -> Response {
    let (input, _turn) = match received(&app, body, INPUT_BYTES).await {
        Ok(received) => received,
        Err(problem) => return failed(&problem),
    };
    weighed(input.len());
    let scored: Asked<_> = app
        .reads
        .run("score_input", move |reader| {
            reader.score_input(&name, &input)
        })
        .await;
    match scored {
        Ok(Ok(scored)) => json_answer(&shown(&scored)),
        Ok(Err(refused)) => failed(&match refused {
            Refused::NotFound(text) => Problem::new(code::NOT_FOUND, text),
            Refused::BadInput(text) => Problem::new(code::BAD_INPUT, text).with_status(422),
            Refused::Limit { text, .. } => Problem::new(code::LIMIT, text),
        }),
        Err(error) => failed(&internal(&error)),
    }
}

fn internal(error: &ReadError) -> Problem {
    tracing::error!(%error, "a question about results met an error");
    Problem::new(code::INTERNAL, INTERNAL_TEXT)
}

fn json_answer(value: &Value) -> Response {
    response(StatusCode::OK, "application/json", value.to_string())
}

async fn only_post(method: Method) -> Response {
    let text = format!("this route does not take {method}; use POST");
    failed(&bad(text).with_status(405))
}

/// What a central scoring service of subnet 61 is asked by its validators.
async fn scoring_result(State(app): State<App>, body: Body) -> Response {
    let (body, _turn) = match received(&app, body, TOKENS_BYTES).await {
        Ok(received) => received,
        Err(problem) => return failed(&problem),
    };
    weighed(body.len());
    let (challenge, tokens) = match commits_asked(&body) {
        Ok(asked) => asked,
        Err(text) => return failed(&bad(text).with_status(422)),
    };
    let name = challenge.clone();
    let found = app.reads.run("scoring_result", move |reader| {
        reader.scoring_result(&challenge, &tokens)
    });
    match found.await {
        Ok(Ok(found)) => {
            let commits = found.commits.into_iter();
            let commits: Map<String, Value> = commits
                .map(|(token, commit)| (token, commit.unwrap_or(Value::Null)))
                .collect();
            json_answer(&json!({
                "status": "success",
                "message": "Scoring results retrieved successfully",
                "data": { "commits": commits, "is_done": found.is_done },
            }))
        }
        Ok(Err(NotTold::TooMuch(text))) => failed(&bad(text).with_status(422)),
        Ok(Err(NotTold::UnknownChallenge)) => {
            let name: String = name.chars().take(100).collect();
            let text = format!("the challenge {name} is not scored here");
            failed(&Problem::new(code::NOT_FOUND, text))
        }
        Err(error) => failed(&internal(&error)),
    }
}

/// Reads `{"challenge_name": "…", "encrypted_commits": ["…"]}`; other members mean nothing.
fn commits_asked(body: &[u8]) -> Result<(String, Vec<String>), String> {
    let form = "send {\"challenge_name\": \"…\", \"encrypted_commits\": [\"…\"]}";
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| format!("the body is not JSON ({error}); {form}"))?;
    let challenge = body.get("challenge_name").and_then(Value::as_str);
    let challenge =
        challenge.ok_or_else(|| format!("`challenge_name` is missing or no text; {form}"))?;
    let tokens = body.get("encrypted_commits").and_then(Value::as_array);
    let tokens =
        tokens.ok_or_else(|| format!("`encrypted_commits` is missing or no list; {form}"))?;
    if tokens.len() > MAX_TOKENS {
        return Err(format!(
            "`encrypted_commits` has {} entries; ask for {MAX_TOKENS} at most at once",
            tokens.len()
        ));
    }
    let text = |(place, token): (usize, &Value)| {
        let text = token.as_str().map(str::to_owned);
        text.ok_or_else(|| format!("`encrypted_commits[{place}]` is no text; {form}"))
    };
    let tokens: Result<Vec<_>, _> = tokens.iter().enumerate().map(text).collect();
    Ok((challenge.to_owned(), tokens?))
}
