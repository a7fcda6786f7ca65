//! Streams over a WebSocket.
//!
//! All but `heads` pull: a stream is a place on the chain, from which it reads on at the pace of its
//! client (see [`crate::streams`]). Nothing is lost when the client is slow.

use async_graphql::{Context, Subscription};
use chain_metadata::AccountId;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use super::commit::CommitKind;
use super::error::{ApiError, Res};
use super::heads::{self, HeadMessage};
use super::results::ResultKind;
use super::scalars::Account;
use super::stake::StakeMovementKind;
use super::weights_set::WeightsSetKind;
use crate::streams::{Filter, RecordStep, StreamCursor, StreamError, Streams, Topic, Walk, Wanted};

mod messages;

use messages::{
    BlockMessage, CommitMessage, CommitStep, EpochMessage, Message, ScoreMessage,
    StakeMovementMessage, WeightsSetMessage,
};

/// The root of all subscriptions.
pub(crate) struct Subscription;

/// Streams over a WebSocket (sub-protocol graphql-transport-ws). Every stream but `heads` can be
/// taken up again: each message has a cursor, and `after: cursor` goes on behind it, out of the
/// store as far as that is behind, then with what is new, without gap and without repetition.
/// `after: "first"` begins with all that is stored; without `after` a stream begins now. The first
/// message, unless something was retracted, is a heartbeat with the place of the beginning.
#[Subscription]
impl Subscription {
    /// Every block, in order.
    async fn blocks(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The cursor of the last message that was taken, or first; without it from now on."
        )]
        after: Option<String>,
        #[graphql(
            desc = "Whether blocks that are not final yet are told of, and retracted when they lose.",
            default
        )]
        unfinalized: bool,
    ) -> Result<BoxStream<'static, Res<BlockMessage>>, ApiError> {
        walk(ctx, Topic::Blocks, Filter::default(), after, unfinalized).await
    }

    /// Every epoch of a mechanism of a subnet. Within a block in ascending netuid and mechanism.
    async fn epochs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only epochs of these subnets; without it of all.")] netuids: Option<
            Vec<u16>,
        >,
        #[graphql(
            desc = "The cursor of the last message that was taken, or first; without it from now on."
        )]
        after: Option<String>,
        #[graphql(
            desc = "Whether blocks that are not final yet are told of, and retracted when they lose.",
            default
        )]
        unfinalized: bool,
    ) -> Result<BoxStream<'static, Res<EpochMessage>>, ApiError> {
        let filter = Filter {
            netuids,
            ..Filter::default()
        };
        walk(ctx, Topic::Epochs, filter, after, unfinalized).await
    }

    /// Every row of the weight matrix that was set, with what set it. Of several that set one row in
    /// one block it is the last.
    async fn weights_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Only rows of these subnets, of all their mechanisms; without it of all."
        )]
        netuids: Option<Vec<u16>>,
        #[graphql(desc = "Only rows of these hotkeys; without it of all.")] hotkeys: Option<
            Vec<Account>,
        >,
        #[graphql(desc = "Only rows that were set in one of these ways; without it in any.")]
        kinds: Option<Vec<WeightsSetKind>>,
        #[graphql(
            desc = "The cursor of the last message that was taken, or first; without it from now on."
        )]
        after: Option<String>,
        #[graphql(
            desc = "Whether blocks that are not final yet are told of, and retracted when they lose.",
            default
        )]
        unfinalized: bool,
    ) -> Result<BoxStream<'static, Res<WeightsSetMessage>>, ApiError> {
        let filter = filter(netuids, hotkeys, kinds.map(names));
        walk(ctx, Topic::Weights, filter, after, unfinalized).await
    }

    /// Every step of the commit ledger: commits made, revealed, overdue and so on.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn commits(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Only commits in these subnets, of all their mechanisms; without it in all."
        )]
        netuids: Option<Vec<u16>>,
        #[graphql(desc = "Only commits of these hotkeys; without it of all.")] hotkeys: Option<
            Vec<Account>,
        >,
        #[graphql(desc = "Only commits of these kinds; without it of all.")] kinds: Option<
            Vec<CommitKind>,
        >,
        #[graphql(desc = "Only these steps; without it all.")] steps: Option<Vec<CommitStep>>,
        #[graphql(
            desc = "The cursor of the last message that was taken, or first; without it from now on."
        )]
        after: Option<String>,
        #[graphql(
            desc = "Whether blocks that are not final yet are told of, and retracted when they lose.",
            default
        )]
        unfinalized: bool,
    ) -> Result<BoxStream<'static, Res<CommitMessage>>, ApiError> {
        // Names of kinds and of steps have nothing in common; an empty list passes nothing,
        // whatever the other one has.
        let words = match (kinds.map(names), steps.map(names)) {
            (Some(kinds), Some(steps)) if kinds.is_empty() || steps.is_empty() => Some(Vec::new()),
            (Some(kinds), Some(steps)) => Some([kinds, steps].concat()),
            (kinds, steps) => kinds.or(steps),
        };
        let filter = filter(netuids, hotkeys, words);
        walk(ctx, Topic::Commits, filter, after, unfinalized).await
    }

    /// Every movement of stake.
    async fn stake_movements(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only movements from or to these subnets; without it all.")]
        netuids: Option<Vec<u16>>,
        #[graphql(desc = "Only movements from or to these hotkeys; without it all.")]
        hotkeys: Option<Vec<Account>>,
        #[graphql(desc = "Only movements of these kinds; without it all.")] kinds: Option<
            Vec<StakeMovementKind>,
        >,
        #[graphql(
            desc = "The cursor of the last message that was taken, or first; without it from now on."
        )]
        after: Option<String>,
        #[graphql(
            desc = "Whether blocks that are not final yet are told of, and retracted when they lose.",
            default
        )]
        unfinalized: bool,
    ) -> Result<BoxStream<'static, Res<StakeMovementMessage>>, ApiError> {
        let filter = filter(netuids, hotkeys, kinds.map(names));
        walk(ctx, Topic::Stake, filter, after, unfinalized).await
    }

    /// Every record in the ledger of challenge results: runs, submissions, scores, comparisons and
    /// closed periods, in the order of their numbers. New ones are looked for once a second.
    async fn scores(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records of these subnets; without it of all.")] netuids: Option<
            Vec<u16>,
        >,
        #[graphql(desc = "Only records about or reported by these hotkeys; without it all.")]
        hotkeys: Option<Vec<Account>>,
        #[graphql(desc = "Only records of these kinds; without it of all.")] kinds: Option<
            Vec<ResultKind>,
        >,
        #[graphql(
            desc = "The cursor of the last message that was taken, or first; without it from now on."
        )]
        after: Option<String>,
    ) -> Result<BoxStream<'static, Res<ScoreMessage>>, ApiError> {
        let filter = filter(netuids, hotkeys, kinds.map(names));
        let wanted = wanted(Topic::Scores, filter, after, false)?;
        let records = streams(ctx)?.records(wanted).await.map_err(refused)?;
        Ok(stream::unfold(records, |mut records| async move {
            let message = records
                .next()
                .await?
                .map_err(refused)
                .map(|step| match step {
                    RecordStep::Record(cursor, record) => ScoreMessage::record(cursor, *record),
                    RecordStep::Heartbeat(beat) => ScoreMessage::Heartbeat(beat.into()),
                });
            Some((message, records))
        })
        .boxed())
    }

    /// The best chain from now on: unfinalized blocks as they are added, retracted from the top
    /// down when their branch loses, and finalized. It ends at once when they are not followed. A
    /// block is never added on one that was not added, finalized, or there when the stream began.
    /// It has no cursors: `blocks(unfinalized: true)` has.
    async fn heads(&self, ctx: &Context<'_>) -> Result<BoxStream<'static, HeadMessage>, ApiError> {
        heads::follow(ctx)
    }
}

fn streams<'a>(ctx: &Context<'a>) -> Res<&'a Streams> {
    ctx.data_opt::<Streams>()
        .ok_or_else(|| ApiError::internal("the schema has no streams"))
}

fn wanted(topic: Topic, filter: Filter, after: Option<String>, unfinalized: bool) -> Res<Wanted> {
    let after = after.map(|text| StreamCursor::decode_for(topic, &text));
    Ok(Wanted {
        topic,
        filter,
        after: after
            .transpose()
            .map_err(|error| ApiError::bad_input(format!("`after`: {error}")))?,
        unfinalized,
    })
}

/// The names of enumeration values, as the streams know them.
fn names<T: async_graphql::resolver_utils::EnumType>(values: Vec<T>) -> Vec<String> {
    let name = |value: &T| {
        let items = T::items().iter();
        let found = items.into_iter().find(|item| item.value == *value);
        found.map_or_else(String::new, |item| item.name.to_owned())
    };
    values.iter().map(name).collect()
}

fn filter(
    netuids: Option<Vec<u16>>,
    hotkeys: Option<Vec<Account>>,
    kinds: Option<Vec<String>>,
) -> Filter {
    let account = |account: Account| -> AccountId { account.0 };
    Filter {
        netuids,
        hotkeys: hotkeys.map(|hotkeys| hotkeys.into_iter().map(account).collect()),
        kinds,
    }
}

/// What a client is told of it.
fn refused(error: StreamError) -> ApiError {
    match error {
        StreamError::Read(error) => error.into(),
        other => ApiError::bad_input(other.to_string()),
    }
}

/// A stream along the blocks. It ends after an error.
async fn walk<M: Message>(
    ctx: &Context<'_>,
    topic: Topic,
    filter: Filter,
    after: Option<String>,
    unfinalized: bool,
) -> Res<BoxStream<'static, Res<M>>> {
    let wanted = wanted(topic, filter, after, unfinalized)?;
    let walk: Walk = streams(ctx)?.walk(wanted).await.map_err(refused)?;
    Ok(stream::unfold(walk, |mut walk| async move {
        let message = walk.next().await?.map_err(refused).and_then(M::of);
        Some((message, walk))
    })
    .boxed())
}
