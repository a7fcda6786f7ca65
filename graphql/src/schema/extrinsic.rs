//! An extrinsic, its calls and its outcome.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, SimpleObject};

use super::block::BlockNode;
use super::cost;
use super::error::Res;
use super::event::EventNode;
use super::scalars::{Account, Bytes, Hash, Json, U64, U128};
use crate::loaders::loaders;
use crate::ports::{self, Extrinsic, Phase};

/// An extrinsic as shown.
#[derive(Clone)]
pub(crate) struct ExtrinsicNode(pub(crate) Arc<Extrinsic>);

/// An extrinsic, decoded with the runtime that executed it.
#[Object(name = "Extrinsic")]
impl ExtrinsicNode {
    /// Height of its block.
    async fn block_number(&self) -> u32 {
        self.0.block
    }

    /// Its block.
    async fn block(&self, ctx: &Context<'_>) -> Res<BlockNode> {
        Ok(BlockNode(loaders(ctx)?.block(self.0.block).await?))
    }

    /// Position in its block, from 0.
    async fn index(&self) -> u32 {
        self.0.index
    }

    /// BLAKE2-256 of the raw bytes. Not unique: the same bytes may occur again.
    async fn hash(&self) -> Hash {
        Hash(self.0.hash)
    }

    /// The bytes as they stand in the block, length prefix included.
    #[graphql(complexity = 10)]
    async fn raw(&self) -> Bytes {
        Bytes(self.0.raw.clone())
    }

    /// Version of its format: 4 or 5.
    async fn version(&self) -> u8 {
        self.0.version
    }

    /// Account that signed it; null for inherents and other unsigned extrinsics.
    async fn signer(&self) -> Option<Account> {
        self.0.signer.map(Account)
    }

    /// The signer's nonce; null when the extrinsic carries none.
    async fn nonce(&self) -> Option<U64> {
        self.0.nonce.map(U64)
    }

    /// Tip, in rao; null when the extrinsic carries none.
    async fn tip(&self) -> Option<U128> {
        self.0.tip.map(U128)
    }

    /// Fee paid, in rao, of the event TransactionPayment.TransactionFeePaid; null when the runtime
    /// emitted no such event.
    async fn fee(&self) -> Option<U128> {
        self.0.fee.map(U128)
    }

    /// Whether the outer call succeeded; null when the events do not say.
    async fn success(&self) -> Option<bool> {
        self.0.success
    }

    /// Why it failed; null when it did not fail or the events do not say.
    async fn error(&self) -> Option<DispatchError> {
        self.0.error.as_ref().map(DispatchError::from)
    }

    /// The outer call.
    async fn call(&self) -> Call {
        Call::from(&self.0.call)
    }

    /// Calls inside the outer call (batches, proxies, sudo, multisig and the like), depth first;
    /// empty when it holds none.
    #[graphql(complexity = "5 + 5 * child_complexity")]
    async fn nested_calls(&self) -> Vec<NestedCall> {
        self.0.nested.iter().map(NestedCall::from).collect()
    }

    /// Events emitted while it ran, in order. Null only together with an error.
    #[graphql(complexity = "20 + 10 * child_complexity")]
    async fn events(&self, ctx: &Context<'_>) -> Res<Option<Vec<EventNode>>> {
        let mine = Phase::ApplyExtrinsic(self.0.index);
        let all = loaders(ctx)?.events.load(self.0.block).await?;
        let events = all.iter().filter(|event| event.phase == mine);
        Ok(Some(events.cloned().map(EventNode).collect()))
    }

    /// Spec version of the runtime it was decoded with.
    async fn spec_version(&self) -> u32 {
        self.0.spec_version
    }
}

impl ExtrinsicNode {
    /// The extrinsic at a place; `None` when the block has no such index.
    pub(crate) async fn at(ctx: &Context<'_>, block: u32, index: u32) -> Res<Option<Self>> {
        let all = loaders(ctx)?.extrinsics.load(block).await?;
        let found = all.iter().find(|extrinsic| extrinsic.index == index);
        Ok(found.cloned().map(Self))
    }

    /// What finding it by way of its block costs.
    pub(crate) fn cost(child: usize) -> usize {
        cost::decode(child)
    }
}

/// A decoded call.
#[derive(SimpleObject)]
pub(crate) struct Call {
    /// Name of the pallet, such as SubtensorModule.
    pallet: String,
    /// Name of the call, such as set_weights.
    name: String,
    /// Arguments by name.
    #[graphql(complexity = 5)]
    args: Json,
}

impl From<&ports::Call> for Call {
    fn from(call: &ports::Call) -> Self {
        Self {
            pallet: call.pallet.clone(),
            name: call.name.clone(),
            args: Json(call.args.clone()),
        }
    }
}

/// A call inside another call.
#[derive(SimpleObject)]
pub(crate) struct NestedCall {
    /// Position below the outer call: [1, 0] is the first call inside its second.
    path: Vec<u32>,
    /// On whose behalf it runs: an ss58 address, or Root, None or another origin's name.
    origin: String,
    /// What became of it.
    outcome: CallOutcome,
    /// Why it failed; null when it did not fail or the events do not say.
    error: Option<DispatchError>,
    /// The call.
    call: Call,
}

impl From<&ports::NestedCall> for NestedCall {
    fn from(nested: &ports::NestedCall) -> Self {
        Self {
            path: nested.path.clone(),
            origin: nested.origin.clone(),
            outcome: nested.outcome.into(),
            error: nested.error.as_ref().map(DispatchError::from),
            call: Call::from(&nested.call),
        }
    }
}

/// What became of a nested call, as far as the block's events say.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "ports::CallOutcome")]
pub(crate) enum CallOutcome {
    /// It ran and its effects hold.
    Succeeded,
    /// It ran and failed, or was rolled back with what holds it.
    Failed,
    /// It was never reached.
    NotRun,
    /// The events do not say.
    Unknown,
}

/// A dispatch error in words.
#[derive(SimpleObject)]
pub(crate) struct DispatchError {
    /// Pallet of a module error; null for an error that belongs to no pallet.
    pallet: Option<String>,
    /// Name of the error, such as NotEnoughStake or Token.FundsUnavailable.
    name: String,
    /// The metadata's text for it; empty when it has none.
    docs: String,
}

impl From<&ports::DispatchError> for DispatchError {
    fn from(error: &ports::DispatchError) -> Self {
        Self {
            pallet: error.pallet.clone(),
            name: error.name.clone(),
            docs: error.docs.clone(),
        }
    }
}
