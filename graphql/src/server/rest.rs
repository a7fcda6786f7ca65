//! REST under `/v1`: questions about epochs, answered as JSON; errors are problem documents.

use std::str::FromStr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::Value;

use super::App;
use crate::rest::{EpochAt, Problem, Question, ScoresOf, answer};
use crate::schema::error::{INTERNAL_TEXT, code};

/// What all paths begin with.
const ROOTS: [&str; 2] = ["/v1/", "/api/"];

/// The routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/epochs/{netuid}/diff", get(diff))
        .route("/v1/epochs/{netuid}/{block}", get(record))
        .route("/v1/epochs/{netuid}/{block}/explain", get(explain))
        .route("/v1/epochs/{netuid}/{block}/simulate", post(simulate))
        .route("/v1/weights/{netuid}/copying", get(copying))
        .route("/v1/epochs/{netuid}/{block}/scores", get(scores))
        .route("/v1/{*rest}", axum::routing::any(unknown))
}

pub(super) async fn unknown(uri: Uri) -> Response {
    failed(&no_route(uri.path()))
}

fn no_route(path: &str) -> Problem {
    let text = format!(
        "there is nothing at {path}; see /v1/openapi.json, or /docs in a browser, for what there is"
    );
    Problem::new(code::NOT_FOUND, text)
}

async fn record(
    State(app): State<App>,
    Path((netuid, block)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let question = || {
        let parameters = Parameters::new(query.as_deref(), &["mechanism"])?;
        Ok(Question::Verification(
            parameters.epoch(&netuid, "block", &block)?,
        ))
    };
    answered(&app, question()).await
}

async fn explain(
    State(app): State<App>,
    Path((netuid, block)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let question = || {
        let parameters = Parameters::new(query.as_deref(), &["mechanism", "uid"])?;
        Ok(Question::Explain {
            epoch: parameters.epoch(&netuid, "block", &block)?,
            uid: number("uid", parameters.need("uid")?)?,
        })
    };
    answered(&app, question()).await
}

async fn scores(
    State(app): State<App>,
    Path((netuid, block)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let question = || {
        let known = ["mechanism", "profile", "challenge", "reporter"];
        let parameters = Parameters::new(query.as_deref(), &known)?;
        Ok(Question::ScoreJoin {
            epoch: parameters.epoch(&netuid, "block", &block)?,
            of: parameters.scores()?,
        })
    };
    answered(&app, question()).await
}

async fn diff(
    State(app): State<App>,
    Path(netuid): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let question = || {
        let known = ["mechanism", "hotkey", "from", "to", "field", "detail"];
        let parameters = Parameters::new(query.as_deref(), &known)?;
        let field = parameters.get("field").unwrap_or("incentive");
        let dividends = match field {
            "incentive" => false,
            "dividends" => true,
            _ => {
                return Err(bad(format!(
                    "`field` is {field}; give incentive or dividends"
                )));
            }
        };
        Ok(Question::Diff {
            from: parameters.epoch(&netuid, "from", parameters.need("from")?)?,
            to: number("to", parameters.need("to")?)?,
            hotkey: parameters.need("hotkey")?.to_owned(),
            dividends,
            detail: parameters.number("detail")?,
        })
    };
    answered(&app, question()).await
}

async fn copying(
    State(app): State<App>,
    Path(netuid): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let question = || {
        let known = ["mechanism", "from", "to", "lag", "relations"];
        let parameters = Parameters::new(query.as_deref(), &known)?;
        Ok(Question::Copying {
            from: parameters.epoch(&netuid, "from", parameters.need("from")?)?,
            to: number("to", parameters.need("to")?)?,
            lag: parameters.number("lag")?,
            relations: parameters.number("relations")?,
        })
    };
    answered(&app, question()).await
}

async fn simulate(
    State(app): State<App>,
    Path((netuid, block)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return failed(&too_large(&app));
        }
        Err(rejection) => return failed(&bad(rejection.body_text())),
    };
    let question = || {
        let parameters = Parameters::new(query.as_deref(), &[])?;
        let epoch = parameters.epoch(&netuid, "block", &block)?;
        simulation(epoch, &body)
    };
    answered(&app, question()).await
}

/// Reads `{"mechanism": 0, "horizon": 1, "patch": {…}, "uids": […]}`, of which only the patch is needed.
fn simulation(epoch: EpochAt, body: &[u8]) -> Result<Question, Problem> {
    let form = "send {\"horizon\": 1, \"patch\": {…}}";
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| bad(format!("the body is not JSON ({error}); {form}")))?;
    let Value::Object(mut body) = body else {
        return Err(bad(format!("the body is not a JSON object; {form}")));
    };
    let mut whole = |name: &str, otherwise: u32| match body.remove(name) {
        None => Ok(otherwise),
        Some(value) => value
            .as_u64()
            .and_then(|value| u32::try_from(value).ok())
            .ok_or_else(|| {
                bad(format!(
                    "`{name}` is {value}, but must be a small whole number"
                ))
            }),
    };
    let mechanism = whole("mechanism", 0)?;
    let horizon = whole("horizon", 1)?;
    let mechanism = u8::try_from(mechanism)
        .map_err(|_| bad(format!("`mechanism` is {mechanism}, but 255 at most")))?;
    let uids = match body.remove("uids") {
        None | Some(Value::Null) => None,
        Some(value) => Some(serde_json::from_value(value).map_err(|error| {
            bad(format!(
                "`uids` is not a list of uids ({error}); give numbers from 0 to 65535"
            ))
        })?),
    };
    let patch = body.remove("patch").ok_or_else(|| {
        bad(format!(
            "the body has no `patch`; {form}, with an empty object for none"
        ))
    })?;
    if let Some(name) = body.keys().next() {
        return Err(bad(format!(
            "the body has an unknown member `{name}`; {form}"
        )));
    }
    Ok(Question::Simulate {
        epoch: EpochAt { mechanism, ..epoch },
        horizon,
        patch,
        uids,
    })
}

/// The parameters behind the question mark.
pub(super) struct Parameters<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Parameters<'a> {
    pub(super) fn new(query: Option<&'a str>, known: &[&str]) -> Result<Self, Problem> {
        let mut all: Vec<(&str, &str)> = Vec::new();
        let pairs = query.unwrap_or_default().split('&');
        for pair in pairs.filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // The layer that waits has read it.
            if name == super::wait::PARAMETER {
                continue;
            }
            if !known.contains(&name) {
                let known = if known.is_empty() {
                    "none is known here".to_owned()
                } else {
                    format!("known are {}", known.join(", "))
                };
                return Err(bad(format!("the parameter `{name}` is not known; {known}")));
            }
            if all.iter().any(|(other, _)| *other == name) {
                return Err(bad(format!("`{name}` is given twice; give it once")));
            }
            all.push((name, value));
        }
        Ok(Self(all))
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| *value)
    }

    fn need(&self, name: &str) -> Result<&'a str, Problem> {
        let missing = || bad(format!("the parameter `{name}` is missing; give it"));
        self.get(name).ok_or_else(missing)
    }

    /// A number that need not be given.
    pub(super) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        let text = self.get(name);
        text.map(|text| number(name, text)).transpose()
    }

    /// A parameter's text with its `%` undone.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Problem> {
        let plain = |text: &str| {
            decoded(text).ok_or_else(|| bad(format!("`{name}` is not UTF-8 behind its `%`")))
        };
        self.get(name).map(plain).transpose()
    }

    /// Which scores.
    pub(super) fn scores(&self) -> Result<ScoresOf, Problem> {
        Ok(ScoresOf {
            profile: self.text("profile")?,
            challenge: self.text("challenge")?,
            reporter: self.text("reporter")?,
        })
    }

    fn epoch(&self, netuid: &str, name: &str, block: &str) -> Result<EpochAt, Problem> {
        Ok(EpochAt {
            netuid: number("netuid", netuid)?,
            mechanism: number("mechanism", self.get("mechanism").unwrap_or("0"))?,
            block: number(name, block)?,
        })
    }
}

pub(super) fn number<T: FromStr>(name: &str, text: &str) -> Result<T, Problem> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain).ok_or_else(|| {
        let bits = std::mem::size_of::<T>() * 8;
        bad(format!(
            "`{name}` is `{text}`, but must be a whole number of {bits} bits"
        ))
    })
}

pub(super) fn bad(text: String) -> Problem {
    Problem::new(code::BAD_INPUT, text)
}

/// A text of a query with `%` and `+` undone; `None` when it is not UTF-8 then.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        let escaped = match (first, behind.split_first_chunk::<2>()) {
            (b'%', Some((digits, behind))) => {
                let mut byte = [0];
                hex::decode_to_slice(digits, &mut byte).ok()?;
                rest = behind;
                byte[0]
            }
            (b'%', None) => return None,
            (b'+', _) => b' ',
            (other, _) => *other,
        };
        bytes.push(escaped);
    }
    String::from_utf8(bytes).ok()
}

/// Answers in a place among the queries, as GraphQL does.
pub(super) async fn answered(app: &App, question: Result<Question, Problem>) -> Response {
    let question = match question {
        Ok(question) => question,
        Err(problem) => return failed(&problem),
    };
    let _turn = match app.turn().await {
        Ok(turn) => turn,
        Err(busy) => return failed(&Problem::new(code::BUSY, busy.text())),
    };
    let text = match answer(&app.api, &question).await {
        Ok(answer) => answer.to_string(),
        Err(problem) => return failed(&problem),
    };
    if text.len() > app.limits.response_bytes {
        let allowed = app.limits.response_bytes;
        return failed(&Problem::new(
            code::LIMIT,
            format!(
                "the answer has {} bytes, but at most {allowed} are allowed; ask for less",
                text.len()
            ),
        ));
    }
    response(StatusCode::OK, "application/json", text)
}

fn too_large(app: &App) -> Problem {
    let allowed = app.limits.body_bytes;
    Problem::new(
        code::LIMIT,
        format!("the request's body is larger than {allowed} bytes; send a smaller patch"),
    )
    .with_status(413)
}

/// The problem document for a refusal of the layers or the router, which are bare text; none for
/// other paths and other answers.
pub(super) fn refusal(
    app: &App,
    method: &Method,
    path: &str,
    answer: &Response,
) -> Option<Response> {
    let kind = answer.headers().get(header::CONTENT_TYPE);
    let is_ours = kind.is_some_and(|kind| kind.as_bytes() == b"application/problem+json");
    if !ROOTS.iter().any(|root| path.starts_with(root)) || is_ours {
        return None;
    }
    let problem = match answer.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(app),
        StatusCode::REQUEST_TIMEOUT => Problem::new(
            code::TIMEOUT,
            "the request took too long; ask for less at once",
        ),
        StatusCode::METHOD_NOT_ALLOWED => bad(format!(
            "{path} does not take {method}; use GET, and POST for simulate, score and reports of results"
        ))
        .with_status(405),
        StatusCode::NOT_FOUND => no_route(path),
        status if status.is_client_error() => bad("the request is not valid".to_owned()),
        _ => return None,
    };
    Some(failed(&problem))
}

pub(super) fn failed(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status);
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status == StatusCode::INTERNAL_SERVER_ERROR && problem.detail != INTERNAL_TEXT {
        tracing::error!(%problem, "a question met an error");
    }
    // What a client sent may stand in it; a page that shows it by mistake shall not run it.
    let text = problem.document().to_string().replace('<', "\\u003c");
    response(status, "application/problem+json", text)
}

pub(super) fn response(status: StatusCode, kind: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
