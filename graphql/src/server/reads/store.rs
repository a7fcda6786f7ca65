//! `/v1/status`, `/v1/coverage`, `/v1/runtimes`.

use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;

use super::params::Formed;
use super::{Answer, head, told};
use crate::rest::reads::blocks::Runtime;
use crate::rest::reads::store::{Coverage, Status};
use crate::rest::reads::{One, Page};
use crate::server::App;
use crate::server::openapi::{ArrowStream, Refusals};

/// The state of the store and of the road that fills it.
#[utoipa::path(
    get,
    path = "/v1/status",
    tag = "store",
    params(Formed),
    responses((status = 200, description = "The state now.", content(
        (One<Status> = "application/json"),
        (String = "text/csv"),
        (ArrowStream = "application/vnd.apache.arrow.stream"),
    )), Refusals),
)]
pub(in crate::server) async fn status(State(app): State<App>, parts: Parts) -> Response {
    told(&app, &parts, "status", &[], |_| {
        Ok(|reader: &dyn crate::Reader| {
            let stamp = head(reader)?;
            let item = Status::from(&reader.status()?);
            Ok(Answer {
                body: One { stamp, item },
                stamp,
                for_good: false,
            })
        })
    })
    .await
}

/// Which blocks are stored, and what is the matter with the others.
#[utoipa::path(
    get,
    path = "/v1/coverage",
    tag = "store",
    params(Formed),
    responses((status = 200, description = "The stored blocks. As a table: the spans.", content(
        (Coverage = "application/json"),
        (String = "text/csv"),
        (ArrowStream = "application/vnd.apache.arrow.stream"),
    )), Refusals),
)]
pub(in crate::server) async fn coverage(State(app): State<App>, parts: Parts) -> Response {
    told(&app, &parts, "coverage", &[], |_| {
        Ok(|reader: &dyn crate::Reader| {
            let stamp = head(reader)?;
            Ok(Answer {
                body: Coverage::new(stamp, reader.coverage()?),
                stamp,
                for_good: false,
            })
        })
    })
    .await
}

/// Every runtime that executed a stored block, oldest first.
#[utoipa::path(
    get,
    path = "/v1/runtimes",
    tag = "store",
    params(Formed),
    responses((status = 200, description = "The runtimes.", content(
        (Page<Runtime> = "application/json"),
        (String = "text/csv"),
        (ArrowStream = "application/vnd.apache.arrow.stream"),
    )), Refusals),
)]
pub(in crate::server) async fn runtimes(State(app): State<App>, parts: Parts) -> Response {
    told(&app, &parts, "runtimes", &[], |_| {
        Ok(|reader: &dyn crate::Reader| {
            let stamp = head(reader)?;
            let items = reader.runtimes()?.into_iter().map(Runtime::from).collect();
            Ok(Answer {
                body: Page {
                    stamp,
                    items,
                    next: None,
                },
                stamp,
                for_good: false,
            })
        })
    })
    .await
}
