//! Results of challenges: profiles, records, scores, and scores beside an epoch: entry points.

mod join;
mod record;

use async_graphql::{Context, Enum, Object, SimpleObject};
use chain_metadata::{MechId, NetUid};

use super::as_of;
use super::connection::PageInfo;
use super::cost;
use super::error::{ApiError, Res};
use super::history::Window;
use super::paging::{Cursor, Kind, Page};
use super::scalars::{Account, U64};
use crate::loaders::loaders;
use crate::ports::{self, EpochKey, ResultFilter, ScoreFilter};
use join::ScoreJoin;
pub(crate) use record::ChallengeResult;

/// Entry points about results of challenges.
#[derive(Default)]
pub(crate) struct Results;

/// Most records on one page.
pub(crate) const MAX_RESULTS: i32 = 500;
/// Records on a page when no size is given.
pub(crate) const DEFAULT_RESULTS: i32 = 100;

/// Kinds of records.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "ports::ResultKind")]
pub(crate) enum ResultKind {
    /// A challenge was put to somebody, and what came of it.
    Run,
    /// Something was handed in: a commit, an answer, a report.
    Submission,
    /// A score by a profile.
    Score,
    /// Two submissions were compared.
    Comparison,
    /// A day, a window or an epoch was closed.
    Finalization,
}

/// A named, dated set of rules by which challenges are scored.
#[derive(SimpleObject)]
#[graphql(name = "ScoringProfile")]
struct ProfileNode {
    /// Its name, unique.
    name: &'static str,
    /// Number of the subnet whose rules these are.
    netuid: u16,
    /// First day on which they were in force, YYYY-MM-DD or YYYY-MM; null when it is not known.
    from: Option<&'static str>,
    /// Last day; null when they still are, or when it is not known.
    until: Option<&'static str>,
    /// What they do, in one sentence.
    summary: &'static str,
    /// Where they were published.
    source: &'static str,
}

/// A page of records, in the order of their numbers. There is no total: counting would read the
/// whole ledger.
#[derive(SimpleObject)]
pub(crate) struct ChallengeResultConnection {
    /// The records with their cursors.
    edges: Vec<ChallengeResultEdge>,
    /// The records alone.
    nodes: Vec<ChallengeResult>,
    /// Where this page stands in the list. With filters that hardly anything passes a page may hold
    /// fewer than asked for, even none, and still be followed by others.
    page_info: PageInfo,
    /// To give as `after` for the next page; null when nothing follows.
    end_cursor: Option<String>,
    /// The number after which the next page begins; null when nothing follows.
    next: Option<U64>,
}

/// A record and its cursor.
#[derive(SimpleObject)]
struct ChallengeResultEdge {
    /// The record.
    node: ChallengeResult,
    /// An opaque cursor, which stays valid when records are added.
    cursor: String,
}

/// The cursor of a record's number.
pub(crate) fn cursor(number: u64) -> Cursor {
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    Cursor {
        kind: Kind::Result,
        block: u32::from_be_bytes([a, b, c, d]),
        index: u32::from_be_bytes([e, f, g, h]),
    }
}

/// Size of a page, and the number after which it begins.
fn window(first: i32, after: Option<String>) -> Res<(usize, Option<u64>)> {
    let Window { first, after } = Window::new(first, MAX_RESULTS, after, Kind::Result)?;
    let number = after.map(|(high, low)| u64::from(high) << 32 | u64::from(low));
    Ok((first, number))
}

impl ChallengeResultConnection {
    fn new(page: ports::ResultPage, after: Option<u64>) -> Self {
        let items: Vec<_> = page
            .records
            .into_iter()
            .map(|record| (cursor(record.number), ChallengeResult::from(record)))
            .collect();
        let edge = |(cursor, node): &(Cursor, ChallengeResult)| ChallengeResultEdge {
            node: node.clone(),
            cursor: cursor.encode_cursor(),
        };
        let edges = items.iter().map(edge).collect();
        let page_info = PageInfo::of(&Page {
            has_previous: after.is_some(),
            has_next: page.next.is_some(),
            total: 0,
            items: items.clone(),
        });
        Self {
            edges,
            page_info,
            nodes: items.into_iter().map(|(_, node)| node).collect(),
            end_cursor: page.next.map(|number| cursor(number).encode_cursor()),
            next: page.next.map(U64),
        }
    }
}

/// What belongs to no chain: results of challenges, as reporters signed them, as services and files
/// told them, and as profiles score them.
#[Object(name = "ResultsQuery")]
impl Results {
    /// The profiles by which can be scored, by subnet. Null only together with an error.
    #[graphql(complexity = "5 + 40 * child_complexity")]
    async fn profiles(&self, ctx: &Context<'_>) -> Res<Option<Vec<ProfileNode>>> {
        let read = loaders(ctx)?
            .reads
            .run("profiles", |reader| Ok(reader.profiles()));
        let node = |profile: scoring::local::Profile| ProfileNode {
            name: profile.name,
            netuid: profile.netuid,
            from: profile.from,
            until: profile.until,
            summary: profile.summary,
            source: profile.source,
        };
        Ok(Some(read.await?.into_iter().map(node).collect()))
    }

    /// Records of a subnet in the order of their numbers. Any registered hotkey may report; each
    /// record says who did. Null only together with an error.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    #[graphql(complexity = "cost::results(first, child_complexity)")]
    async fn challenge_results(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Only those of this challenge.")] challenge: Option<String>,
        #[graphql(desc = "Only those of this kind.")] kind: Option<ResultKind>,
        #[graphql(desc = "Only those about this subject: a hotkey's address, or another name.")]
        subject: Option<String>,
        #[graphql(desc = "Size of the page, 0 to 500.", default_with = "DEFAULT_RESULTS")]
        first: i32,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Res<Option<ChallengeResultConnection>> {
        let (first, after) = window(first, after)?;
        let wanted = ResultFilter {
            netuid: NetUid(netuid),
            challenge: named("challenge", challenge)?,
            kind: kind.map(Into::into),
            subject: named("subject", subject)?,
        };
        let read = loaders(ctx)?.reads.run("results", move |reader| {
            reader.results(&wanted, after, first)
        });
        let page = read.await?;
        Ok(Some(ChallengeResultConnection::new(page, after)))
    }

    /// The newest score of every challenge and subject, in the order of their records' numbers. Without
    /// `reporter` only scores that were computed here, read from files or fetched from services.
    /// Null only together with an error.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    #[graphql(complexity = "cost::results(first, child_complexity)")]
    async fn scores(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Only by this profile; without it by whichever was last.")]
        profile: Option<String>,
        #[graphql(desc = "Only those of this challenge.")] challenge: Option<String>,
        #[graphql(desc = "Those that this hotkey reported, instead of our own.")] reporter: Option<
            Account,
        >,
        #[graphql(desc = "Size of the page, 0 to 500.", default_with = "DEFAULT_RESULTS")]
        first: i32,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Res<Option<ChallengeResultConnection>> {
        let (first, after) = window(first, after)?;
        let wanted = filter(netuid, profile, challenge, reporter)?;
        let read = loaders(ctx)?
            .reads
            .run("scores", move |reader| reader.scores(&wanted));
        let mut records = read.await?;
        records.retain(|record| after.is_none_or(|after| record.number > after));
        let more = records.len() > first;
        records.truncate(first);
        let last = records.last().map(|record| record.number);
        let page = ports::ResultPage {
            records,
            next: last.or(after).filter(|_| more),
        };
        Ok(Some(ChallengeResultConnection::new(page, after)))
    }

    /// Scores beside an epoch, hotkey by hotkey: what was scored, what validators gave, what the chain
    /// made of it. The epoch is computed again; a score is the newest one that had come in when its
    /// block was made. Null only together with an error: NOT_FOUND says that no epoch ran in the block
    /// or which input is not known.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    #[graphql(complexity = "cost::epoch(0) + child_complexity")]
    async fn score_join(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Number of the mechanism; most subnets have only 0.", default)]
        mechanism: u8,
        #[graphql(desc = "Height of the block in which the epoch ran.")] block: u32,
        #[graphql(desc = "Scores by this profile; without it by whichever was last.")]
        profile: Option<String>,
        #[graphql(desc = "Scores of this challenge; without it of whichever was scored last.")]
        challenge: Option<String>,
        #[graphql(desc = "Scores that this hotkey reported, instead of our own.")] reporter: Option<
            Account,
        >,
    ) -> Res<Option<ScoreJoin>> {
        let key = EpochKey {
            netuid: NetUid(netuid),
            mechanism: MechId(mechanism),
            block: as_of::stored(loaders(ctx)?, block).await?,
        };
        let wanted = filter(netuid, profile, challenge, reporter)?;
        let read = loaders(ctx)?
            .reads
            .run("score_join", move |reader| reader.score_join(key, &wanted));
        let join = read.await?.map_err(ApiError::from)?;
        Ok(Some(ScoreJoin { key, join }))
    }
}

fn filter(
    netuid: u16,
    profile: Option<String>,
    challenge: Option<String>,
    reporter: Option<Account>,
) -> Res<ScoreFilter> {
    Ok(ScoreFilter {
        netuid: NetUid(netuid),
        profile: named("profile", profile)?,
        challenge: named("challenge", challenge)?,
        reporter: reporter.map(|account| account.0),
    })
}

/// Refuses a name that no record can have.
fn named(what: &str, name: Option<String>) -> Res<Option<String>> {
    match name {
        Some(name) if name.len() > 255 => Err(ApiError::bad_input(format!(
            "`{what}` is {} bytes long; names have 255 at most",
            name.len()
        ))),
        name => Ok(name),
    }
}
