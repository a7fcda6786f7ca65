//! POST `/v1/results/{netuid}` and `/v1/scoring/{netuid}/reports`: signed reports, the only thing
//! that is written.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use chain_metadata::NetUid;
use serde_json::{Value, json};

use super::App;
use super::rest::{failed, number, response};
use super::results::received;
use crate::ports::{Delivery, Intake, NotTaken};
use crate::rest::Problem;
use crate::schema::error::{INTERNAL_TEXT, code};

/// The route.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/results/{netuid}", post(take))
        .route("/v1/scoring/{netuid}/reports", post(report))
}

/// Results of challenges.
async fn take(
    State(app): State<App>,
    Path(netuid): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let taken = delivered(app, &netuid, &headers, body, |intake, delivery| {
        let taken = intake.take(delivery)?;
        let status = match taken.repeated {
            true => StatusCode::OK,
            false => StatusCode::CREATED,
        };
        let answer = json!({
            "first": taken.first.to_string(),
            "count": taken.count,
            "payload": taken.payload,
            "repeated": taken.repeated,
        });
        Ok((status, answer))
    });
    told(taken.await)
}

/// What a validator tells a central scorer of miners' commits.
async fn report(
    State(app): State<App>,
    Path(netuid): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let taken = delivered(app, &netuid, &headers, body, |intake, delivery| {
        Ok((StatusCode::OK, intake.report(delivery)?))
    });
    told(taken.await)
}

fn told(taken: Result<(StatusCode, String), Problem>) -> Response {
    let label = match &taken {
        Ok(_) => "taken",
        Err(problem) if problem.status >= 500 => "failed",
        Err(_) => "refused",
    };
    metrics::counter!("results_requests_total", "outcome" => label).increment(1);
    match taken {
        Ok((status, text)) => response(status, "application/json", text),
        Err(problem) => failed(&problem),
    }
}

async fn delivered(
    app: App,
    netuid: &str,
    headers: &HeaderMap,
    body: Body,
    take: impl FnOnce(&dyn Intake, &Delivery<'_>) -> Result<(StatusCode, Value), NotTaken>
    + Send
    + 'static,
) -> Result<(StatusCode, String), Problem> {
    let Some(intake) = app.options.intake.clone() else {
        let text = "reports are not taken in here; the operator can turn that on with --ingest";
        return Err(Problem::new("NOT_TAKEN_IN", text).with_status(403));
    };
    let netuid = NetUid(number("netuid", netuid)?);
    let headers = texts(headers)?;
    let (body, turn) = received(&app, body, intake.body_bytes()).await?;
    let done = tokio::task::spawn_blocking(move || {
        // Held until the work is done, also when the client has gone.
        let _turn = turn;
        let delivery = Delivery {
            netuid,
            headers: &headers,
            body: &body,
        };
        take(&*intake, &delivery)
    });
    let internal = |cause: String| {
        tracing::error!(cause, "a report could not be taken in");
        Problem::new(code::INTERNAL, INTERNAL_TEXT)
    };
    match done.await {
        Ok(Ok((status, answer))) => Ok((status, answer.to_string())),
        Ok(Err(NotTaken {
            status: 500,
            detail,
            ..
        })) => Err(internal(detail)),
        Ok(Err(refused)) => {
            let problem = Problem::new(&refused.code, refused.detail);
            Err(problem.with_status(refused.status))
        }
        Err(broken) => Err(internal(broken.to_string())),
    }
}

/// Headers as texts, names in lower case.
fn texts(headers: &HeaderMap) -> Result<Vec<(String, String)>, Problem> {
    let pair = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        let text = value.to_str().map_err(|_| {
            let text = format!("the header `{name}` is not visible ASCII");
            Problem::new("BAD_HEADER", text)
        })?;
        Ok((name.as_str().to_owned(), text.to_owned()))
    };
    headers.iter().map(pair).collect()
}
