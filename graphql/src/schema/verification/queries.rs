//! Entry points about epochs that were computed again.

use async_graphql::{Context, Object};

use super::{Badge, Verdict, VerificationNode, VerificationSummary, Wanted};
use crate::schema::connection::VerificationConnection;
use crate::schema::cost;
use crate::schema::error::Res;
use crate::schema::paging::PageArgs;

/// Entry points about epochs that were computed again.
#[derive(Default)]
pub(crate) struct Verifications;

/// What the index finds when it computes the chain's epochs again.
#[Object]
impl Verifications {
    /// The record of one epoch: what is stored, or else computed now. Null when no epoch of the
    /// subnet ran in the block and no slot was due.
    #[graphql(complexity = "cost::epoch(0) + child_complexity")]
    async fn verification(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
        #[graphql(desc = "Number of the mechanism; most subnets have only 0.", default)]
        mechanism: u8,
        #[graphql(desc = "Height of the block in which the epoch ran.")] block: u32,
    ) -> Res<Option<VerificationNode>> {
        super::one(ctx, netuid, mechanism, block).await
    }

    /// Records of epochs that were computed again, newest first. Null only together with an error.
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the arguments of a field"
    )]
    #[graphql(
        complexity = "cost::verifications(first.or(last), netuid.is_some(), verdict.is_some(), child_complexity)"
    )]
    async fn verifications(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those of this subnet, all mechanisms.")] netuid: Option<u16>,
        #[graphql(desc = "Lowest height; without it the lowest stored block.")] from: Option<u32>,
        #[graphql(desc = "Highest height; without it the highest stored block.")] to: Option<u32>,
        #[graphql(desc = "Only those with this outcome.")] verdict: Option<Verdict>,
        #[graphql(desc = "Size of the page from the front, 0 to 200; 20 without `last`.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Size of the page from the back, 0 to 200. Not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Res<Option<VerificationConnection>> {
        let wanted = Wanted {
            netuid,
            from,
            to,
            verdict,
        };
        let args = PageArgs {
            first,
            after,
            last,
            before,
        };
        super::page(ctx, wanted, args).await.map(Some)
    }

    /// What the records of a range of blocks say together. Null only together with an error.
    #[graphql(complexity = "cost::summary(netuid.is_some(), child_complexity)")]
    async fn verification_summary(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those of this subnet; without it all.")] netuid: Option<u16>,
        #[graphql(desc = "Lowest height; without it the lowest stored block.")] from: Option<u32>,
        #[graphql(desc = "Highest height; without it the highest stored block.")] to: Option<u32>,
    ) -> Res<Option<VerificationSummary>> {
        super::summary(ctx, netuid, from, to).await.map(Some)
    }

    /// A subnet's verification in a line; null when it has no record.
    #[graphql(complexity = "cost::badge(child_complexity)")]
    async fn badge(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the subnet.")] netuid: u16,
    ) -> Res<Option<Badge>> {
        super::badge(ctx, netuid).await
    }
}
