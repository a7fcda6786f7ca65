//! What set the rows of the weight matrix, and their versions.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object};
use chain_metadata::{BlockNumber, NetUid};

use super::account::AccountNode;
use super::commit::{CallLink, CommitNode};
use super::connection::{BondsVersionConnection, WeightsVersionConnection};
use super::cost;
use super::error::Res;
use super::matrix::Entry;
use super::numbers::Numbers;
use super::paging::{Cursor, Page};
use super::scalars::{Account, U64};
use super::stamp::Stamp;
use super::window::{Window, by_block};
use crate::ports::{self, Reader, VersionsOf, WeightsSet, WeightsVersion};

/// What set a row of the weight matrix.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "ports::WeightsSetKind")]
pub(crate) enum WeightsSetKind {
    /// A call that sets the weights of one subnet, such as set_weights.
    Direct,
    /// A call that sets the weights of several subnets (batch_set_weights).
    Batch,
    /// A call that reveals weights which were committed to by a hash.
    HashReveal,
    /// The chain itself at the beginning of the block, opening what was under a time lock.
    TimelockReveal,
    /// A contract, in an extrinsic that holds no such call.
    Contract,
    /// A call that the chain ran outside extrinsics, as scheduled before.
    Scheduled,
}

/// What set a row, as shown.
pub(crate) struct WeightsSetNode(pub(crate) Arc<WeightsSet>);

/// What set a row of the weight matrix, and when. Where several did in one block, it is the last.
#[Object(name = "WeightsSet")]
impl WeightsSetNode {
    /// Height of the block.
    async fn block_number(&self) -> u32 {
        self.0.block
    }

    /// What it was.
    async fn kind(&self) -> WeightsSetKind {
        self.0.kind.into()
    }

    /// The hotkey whose weights they are, as the call or the event says; null when a contract or a
    /// scheduled call set them.
    async fn hotkey(&self) -> Option<Account> {
        self.0.hotkey.map(Account)
    }

    /// That hotkey as an account, at the end of the block; null when the hotkey is.
    async fn account(&self) -> Option<AccountNode> {
        let hotkey = self.0.hotkey?;
        Some(AccountNode::at(self.0.block, hotkey))
    }

    /// The call, its path inside batches, proxies and the like included; null when the chain did
    /// it without an extrinsic.
    async fn made_by(&self) -> Option<CallLink> {
        self.0.made_by.clone().map(CallLink)
    }

    /// Place in the lists of a call that sets or reveals several rows, from 0; null for a call that
    /// sets one, and without a call.
    async fn item(&self) -> Option<u32> {
        self.0.item
    }

    /// The version key among the call's arguments; null without a call, since what was under a
    /// time lock holds it inside.
    async fn version_key(&self) -> Option<U64> {
        self.0.version_key.map(U64)
    }

    /// The commit that it revealed, as it stood at the end of the block; null when it was no
    /// reveal, or the ledger does not have the commit.
    #[graphql(complexity = "cost::decode(child_complexity)")]
    async fn commit(&self, ctx: &Context<'_>) -> Res<Option<CommitNode>> {
        match self.0.commit {
            Some(id) => CommitNode::named(ctx, id, self.0.block).await,
            None => Ok(None),
        }
    }
}

/// A version of a row, as shown.
pub(crate) struct VersionNode {
    netuid: NetUid,
    version: WeightsVersion,
}

/// A version of a row of the weight matrix: from its block on, until the next one.
#[Object(name = "WeightsVersion")]
impl VersionNode {
    /// Height of the first block at whose end the row was so.
    async fn block_number(&self) -> u32 {
        self.version.block
    }

    /// Which state it is from. Null only together with an error.
    async fn stamp(&self, ctx: &Context<'_>) -> Res<Option<Stamp>> {
        Stamp::at(ctx, self.version.block, Some(self.netuid)).await
    }

    /// How many entries it holds; null when the row was taken away.
    async fn entry_count(&self) -> Option<u32> {
        let entries = self.version.entries.as_ref();
        entries.map(|e| u32::try_from(e.len()).unwrap_or(u32::MAX))
    }

    /// Its entries, in the stored order; null when the row was taken away.
    #[graphql(complexity = "cost::entries(child_complexity)")]
    async fn entries(&self) -> Option<Vec<Entry>> {
        let entries = self.version.entries.as_ref()?.iter();
        Some(
            entries
                .map(|(uid, value)| Entry::new(*uid, *value))
                .collect(),
        )
    }

    /// The uids of the entries as one list, in the stored order; null when the row was taken away.
    #[graphql(complexity = "cost::numbers()")]
    async fn uids(&self) -> Option<Numbers> {
        let entries = self.version.entries.as_ref()?.iter();
        Some(entries.map(|(uid, _)| *uid).collect())
    }

    /// The values of the entries as one list, 0 to 65535 each, in the order of `uids`; null when
    /// the row was taken away.
    #[graphql(complexity = "cost::numbers()")]
    async fn values(&self) -> Option<Numbers> {
        let entries = self.version.entries.as_ref()?.iter();
        Some(entries.map(|(_, value)| *value).collect())
    }

    /// What set it; null when the row was taken away with its neuron, when it is as found in the
    /// first stored block, and when it was written past the pallet.
    async fn set_by(&self) -> Option<WeightsSetNode> {
        let set = self.version.set_by.clone();
        set.map(|set| WeightsSetNode(Arc::new(set)))
    }
}

/// A version of a row of the bond matrix, as shown.
pub(crate) struct BondsVersionNode(VersionNode);

/// A version of a row of the bond matrix: from its block on, until the next one.
#[Object(name = "BondsVersion")]
impl BondsVersionNode {
    /// Height of the first block at whose end the row was so.
    async fn block_number(&self) -> u32 {
        self.0.version.block
    }

    /// Which state it is from. Null only together with an error.
    async fn stamp(&self, ctx: &Context<'_>) -> Res<Option<Stamp>> {
        Stamp::at(ctx, self.0.version.block, Some(self.0.netuid)).await
    }

    /// How many entries it holds; null when the row was taken away.
    async fn entry_count(&self) -> Option<u32> {
        let entries = self.0.version.entries.as_ref();
        entries.map(|e| u32::try_from(e.len()).unwrap_or(u32::MAX))
    }

    /// Its entries, in the stored order; null when the row was taken away.
    #[graphql(complexity = "cost::entries(child_complexity)")]
    async fn entries(&self) -> Option<Vec<Entry>> {
        let entries = self.0.version.entries.as_ref()?.iter();
        Some(
            entries
                .map(|(uid, value)| Entry::new(*uid, *value))
                .collect(),
        )
    }

    /// The uids of the entries as one list, in the stored order; null when the row was taken away.
    #[graphql(complexity = "cost::numbers()")]
    async fn uids(&self) -> Option<Numbers> {
        let entries = self.0.version.entries.as_ref()?.iter();
        Some(entries.map(|(uid, _)| *uid).collect())
    }

    /// The values of the entries as one list, 0 to 65535 each, in the order of `uids`; null when
    /// the row was taken away.
    #[graphql(complexity = "cost::numbers()")]
    async fn values(&self) -> Option<Numbers> {
        let entries = self.0.version.entries.as_ref()?.iter();
        Some(entries.map(|(_, value)| *value).collect())
    }
}

async fn read(
    ctx: &Context<'_>,
    row: VersionsOf,
    range: (BlockNumber, BlockNumber),
    window: Window,
) -> Res<Page<(Cursor, VersionNode)>> {
    let name = if row.bonds {
        "bond_changes"
    } else {
        "weight_changes"
    };
    let read = move |reader: &dyn Reader, (from, to), newest_first, size| {
        reader.row_versions(row, from, to, newest_first, size)
    };
    let block_of = |version: &WeightsVersion| version.block;
    let page = by_block(ctx, name, range, window, read, block_of).await?;
    let netuid = row.netuid;
    Ok(page.map(|version| VersionNode { netuid, version }))
}

pub(crate) async fn versions(
    ctx: &Context<'_>,
    row: VersionsOf,
    range: (BlockNumber, BlockNumber),
    window: Window,
) -> Res<WeightsVersionConnection> {
    let page = read(ctx, row, range, window).await?;
    Ok(WeightsVersionConnection(page))
}

pub(crate) async fn bonds(
    ctx: &Context<'_>,
    row: VersionsOf,
    range: (BlockNumber, BlockNumber),
    window: Window,
) -> Res<BondsVersionConnection> {
    let page = read(ctx, row, range, window).await?;
    Ok(BondsVersionConnection(page.map(BondsVersionNode)))
}
