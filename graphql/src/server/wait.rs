//! Reading what was written: a request may name a block that must be stored before it is answered.
//!
//! The parameter `minBlock` and the header `X-Min-Block` mean the same, for reads under `/v1` and
//! `/api` and for GraphQL. Whoever waits holds no place among the queries.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use chain_metadata::BlockNumber;
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::rest::{failed, number};
use super::{App, access, post, reads, stopped};
use crate::ports::{ReadError, Status};
use crate::rest::Problem;
use crate::schema::error::code;

/// The parameter.
pub(super) const PARAMETER: &str = "minBlock";
/// The header.
const HEADER: &str = "x-min-block";
/// Code of the refusal when the block did not come.
const NOT_REACHED: &str = "BLOCK_NOT_REACHED";
/// How long a request waits at most.
const WAIT: Duration = Duration::from_secs(30);
/// How often the store is asked while nobody says that it changed.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// Blocks beyond the node's finalized height that no chain makes while a request waits.
const OUT_OF_REACH: u32 = 200;
/// How much longer the store may take to be asked.
const LAST_LOOK: Duration = Duration::from_secs(5);
/// Most requests of one caller that wait at once.
pub(super) const PLACES_OF_ONE: usize = 16;
/// Most requests that wait at once.
const PLACES: usize = 1024;

/// Lets the routes below wait.
pub(super) fn layered(routes: Router<App>, app: &App) -> Router<App> {
    let places = Arc::new(Semaphore::new(PLACES));
    routes.layer(middleware::from_fn_with_state((app.clone(), places), wait))
}

async fn wait(
    State((app, places)): State<(App, Arc<Semaphore>)>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let graphql = path == "/graphql";
    if !graphql && !path.starts_with("/v1/") && !path.starts_with("/api/") {
        return next.run(request).await;
    }
    let outcome = match wanted(&request) {
        Ok(None) => Ok(()),
        Ok(Some(block)) => match (
            app.shares.waiting.try_take(access::party()),
            places.try_acquire(),
        ) {
            (Ok(_own), Ok(_place)) => reached(&app, block).await,
            (Err(()), _) => Err(Problem::new(
                code::BUSY,
                format!(
                    "{PLACES_OF_ONE} requests of this caller are waiting for blocks already; wait for one of them"
                ),
            )),
            (_, Err(_)) => Err(Problem::new(
                code::BUSY,
                format!("{PLACES} requests are waiting for blocks already; try again later"),
            )),
        },
        Err(problem) => Err(problem),
    };
    match outcome {
        Ok(()) => next.run(request).await,
        Err(problem) if graphql => post::refused(problem),
        Err(problem) => failed(&problem),
    }
}

/// The block that must be stored first.
fn wanted(request: &Request) -> Result<Option<BlockNumber>, Problem> {
    let header = request.headers().get(HEADER);
    let header = header.map(|value| value.to_str().unwrap_or("(no text)"));
    let query = request.uri().query().unwrap_or_default();
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let parameter = pairs.find(|(name, _)| *name == PARAMETER);
    let parameter = parameter.map(|(_, value)| number(PARAMETER, value));
    let header = header.map(|value| number("X-Min-Block", value));
    // Whoever gives both means both.
    Ok(match (parameter.transpose()?, header.transpose()?) {
        (Some(one), Some(other)) => Some(BlockNumber::max(one, other)),
        (one, other) => one.or(other),
    })
}

/// Waits until a block is stored.
async fn reached(app: &App, block: BlockNumber) -> Result<(), Problem> {
    // Before the first look, so that nothing is missed between.
    let mut stored = app.reads.reader().subscribe();
    let end = Instant::now() + WAIT;
    loop {
        let status = app.reads.run("status", |reader| reader.status());
        let status = told(end + LAST_LOOK, status).await?;
        if status.last.is_some_and(|last| last >= block) {
            return Ok(());
        }
        if let Some(why) = hopeless(&status, block) {
            return Err(late(block, &status, &why).with_status(422));
        }
        if Instant::now() >= end {
            let why = format!("it did not come in {} seconds", WAIT.as_secs());
            return Err(late(block, &status, &why));
        }
        let look = (Instant::now() + ASK_EVERY).min(end);
        let news = async {
            loop {
                match stored.recv().await {
                    Ok(committed) if committed.number < block => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        tokio::select! {
            () = news => {}
            () = tokio::time::sleep_until(look) => {}
            () = stopped(app.stopping.clone()) => {
                return Err(late(block, &status, "the server is stopping"));
            }
        }
    }
}

/// What the store says of itself, unless it is too busy to say it.
async fn told(
    end: Instant,
    status: impl Future<Output = Result<Status, ReadError>>,
) -> Result<Status, Problem> {
    match tokio::time::timeout_at(end, status).await {
        Ok(status) => status.map_err(reads::problem),
        Err(_) => Err(Problem::new(
            code::BUSY,
            "the store was too busy to say which blocks it has; try again later",
        )),
    }
}

/// Why waiting would be in vain.
fn hopeless(status: &Status, block: BlockNumber) -> Option<String> {
    if !status.following {
        return Some("no node is followed, so no block comes".to_owned());
    }
    if status.stopped.is_some() {
        return Some("following the chain stopped".to_owned());
    }
    let finalized = status.node_finalized?;
    (block > finalized.saturating_add(OUT_OF_REACH)).then(|| {
        format!("the node has finalized block {finalized}, and the one asked for is far above it")
    })
}

fn late(block: BlockNumber, status: &Status, why: &str) -> Problem {
    let indexed = match status.last {
        Some(last) => format!("the highest stored block is {last}"),
        None => "nothing is stored yet".to_owned(),
    };
    let text = format!(
        "block {block} is not stored: {why}; {indexed}, ask for that one or below, or later"
    );
    let mut problem = Problem::new(NOT_REACHED, text).with_status(504);
    problem.more.insert(PARAMETER.to_owned(), block.into());
    problem
        .more
        .insert("indexed".to_owned(), status.last.into());
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_store_that_says_nothing_is_not_awaited_for_ever() {
        let end = Instant::now() + Duration::from_millis(10);
        let Err(problem) = told(end, std::future::pending()).await else {
            panic!("an answer came out of nothing");
        };
        assert_eq!((problem.code.as_ref(), problem.status), (code::BUSY, 503));
    }
}
