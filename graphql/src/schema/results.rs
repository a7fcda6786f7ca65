//! Results of challenges: profiles, records, scores, and scores beside an epoch: entry points.

mod join;
mod record;

use async_graphql::{Context, Enum, Object, SimpleObject};
use chain_metadata::{MechId, NetUid};

use super::as_of;
use super::connection::PageInfo;
use super::cost;
use super::error::{ApiError, Res};
use super::paging::{Cursor, Kind, PageArgs};
use super::scalars::{Account, U64};
use super::window::{Order, Place, Window};
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
    #[graphql(deprecation = "Use pageInfo { endCursor }.")]
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

/// Where a record's number stands in cursors.
fn place_of(number: u64) -> Place {
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    let (high, low) = ([a, b, c, d], [e, f, g, h]);
    (u32::from_be_bytes(high), u32::from_be_bytes(low))
}

fn number_at((high, low): Place) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// The cursor of a record's number.
pub(crate) fn cursor(number: u64) -> Cursor {
    let (block, index) = place_of(number);
    Cursor {
        kind: Kind::Result,
        block,
        index,
    }
}

impl ChallengeResultConnection {
    /// What was read in the direction of reading, and the number behind which reading goes on.
    fn new(window: &Window, records: Vec<ports::ResultRecord>, next: Option<u64>) -> Self {
        let items = records.into_iter();
        let items = items.map(|record| (place_of(record.number), ChallengeResult::from(record)));
        let page = window.page(Order::OldestFirst, items.collect(), next.map(place_of));
        let edge = |(cursor, node): &(Cursor, ChallengeResult)| ChallengeResultEdge {
            node: node.clone(),
            cursor: cursor.encode_cursor(),
        };
        let last = page.end.or(page.items.last().map(|(cursor, _)| *cursor));
        let end = last.filter(|_| page.has_next);
        Self {
            edges: page.items.iter().map(edge).collect(),
            page_info: PageInfo::of(&page),
            nodes: page.items.into_iter().map(|(_, node)| node).collect(),
            end_cursor: end.map(|cursor| cursor.encode_cursor()),
            next: end.map(|cursor| U64(number_at((cursor.block, cursor.index)))),
        }
    }
}

fn window(args: &PageArgs) -> Res<Window> {
    let (default, max) = (DEFAULT_RESULTS.unsigned_abs(), MAX_RESULTS.unsigned_abs());
    args.window(Kind::Result, default, max)
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
    #[graphql(complexity = "cost::results(first.or(last), child_complexity)")]
    async fn challenge_results(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Only those of this challenge.")] challenge: Option<String>,
        #[graphql(desc = "Only those of this kind.")] kind: Option<ResultKind>,
        #[graphql(desc = "Only those about this subject: a hotkey's address, or another name.")]
        subject: Option<String>,
        #[graphql(desc = "Size of the page from the front, 0 to 500; 100 without `last`.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Size of the page from the back, 0 to 500. Not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Res<Option<ChallengeResultConnection>> {
        let args = PageArgs {
            first,
            after,
            last,
            before,
        };
        let window = window(&args)?;
        let wanted = ResultFilter {
            netuid: NetUid(netuid),
            challenge: named("challenge", challenge)?,
            kind: kind.map(Into::into),
            subject: named("subject", subject)?,
        };
        let (start, back, size) = (window.start().map(number_at), window.back, window.size);
        let read = loaders(ctx)?
            .reads
            .run("results", move |reader| match back {
                true => reader.results_down(&wanted, start, size),
                false => reader.results(&wanted, start, size),
            });
        let found = read.await?;
        let page = ChallengeResultConnection::new(&window, found.records, found.next);
        Ok(Some(page))
    }

    /// The newest score of every challenge and subject, in the order of their records' numbers. Without
    /// `reporter` only scores that were computed here, read from files or fetched from services.
    /// Null only together with an error.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    #[graphql(complexity = "cost::results(first.or(last), child_complexity)")]
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
        #[graphql(desc = "Size of the page from the front, 0 to 500; 100 without `last`.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Size of the page from the back, 0 to 500. Not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Res<Option<ChallengeResultConnection>> {
        let args = PageArgs {
            first,
            after,
            last,
            before,
        };
        let window = window(&args)?;
        let wanted = filter(netuid, profile, challenge, reporter)?;
        let read = loaders(ctx)?
            .reads
            .run("scores", move |reader| reader.scores(&wanted));
        let mut records = read.await?;
        let start = window.start().map(number_at);
        if window.back {
            records.reverse();
            records.retain(|record| start.is_none_or(|start| record.number < start));
        } else {
            records.retain(|record| start.is_none_or(|start| record.number > start));
        }
        Ok(Some(ChallengeResultConnection::new(&window, records, None)))
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
