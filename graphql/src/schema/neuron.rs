//! One neuron of a metagraph.

mod plain;

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use chain_metadata::Uid;

use super::account::AccountNode;
use super::cost;
use super::error::{ApiError, Res};
use super::matrix::RowNode;
use super::scalars::{Account, U32, U64, U128, normalized};
use super::stamp::Stamp;
use super::tenancy::TenancyNode;
use crate::loaders::{Rows, loaders};
use crate::ports::{self, Metagraph, Neuron};

pub(crate) use plain::Neurons;

/// A neuron as shown: its place in its metagraph.
pub(crate) struct NeuronNode {
    metagraph: Arc<Metagraph>,
    index: usize,
}

impl NeuronNode {
    pub(crate) fn new(metagraph: Arc<Metagraph>, index: usize) -> Self {
        Self { metagraph, index }
    }

    pub(crate) fn uid(&self) -> Option<Uid> {
        self.metagraph.neurons.get(self.index).map(|n| n.uid)
    }

    fn get(&self) -> Res<&Neuron> {
        self.metagraph
            .neurons
            .get(self.index)
            .ok_or_else(|| ApiError::internal("a neuron's index is out of its metagraph"))
    }

    fn share(&self, value: impl Fn(&Neuron) -> Option<u16>) -> Res<Option<f64>> {
        Ok(value(self.get()?).map(normalized))
    }

    fn row(&self, rows: &Rows, weights: bool) -> Res<Option<RowNode>> {
        let uid = self.get()?.uid;
        let Some(rows) = rows else { return Ok(None) };
        let index = rows.binary_search_by_key(&uid, |row| row.uid).ok();
        let of = (self.metagraph.netuid, self.metagraph.mechanism);
        let of = weights.then_some(of);
        Ok(index.map(|index| RowNode::new(rows.clone(), index, of)))
    }
}

/// A neuron at the end of a block. Vector values are those of the last epoch that ran; null means
/// that the runtime does not compute the value or holds none for this uid, and never 0. Integers
/// from 0 to 65535 stand for 0 to 1; the field with Normalized in its name is that share as a
/// float, for display.
#[Object(name = "Neuron")]
impl NeuronNode {
    /// Which state this is.
    async fn stamp(&self) -> Stamp {
        Stamp::of(self.metagraph.stamp, self.metagraph.netuid)
    }

    /// Number of the subnet.
    async fn netuid(&self) -> u16 {
        self.metagraph.netuid.0
    }

    /// Number of the mechanism; 0 where the runtime knows no mechanisms.
    async fn mechanism(&self) -> u8 {
        self.metagraph.mechanism.0
    }

    /// Number of the neuron in the subnet. It is handed on when the neuron is replaced.
    #[graphql(name = "uid")]
    async fn uid_field(&self) -> Res<u16> {
        Ok(self.get()?.uid.0)
    }

    /// The hotkey that holds the uid (Keys).
    async fn hotkey(&self) -> Res<Account> {
        Ok(Account(self.get()?.hotkey))
    }

    /// The hotkey as an account at the same block.
    async fn account(&self) -> Res<AccountNode> {
        let hotkey = self.get()?.hotkey;
        Ok(AccountNode::at(self.metagraph.stamp.block, hotkey))
    }

    /// The coldkey that owns the hotkey (Owner); null when none is stored.
    async fn coldkey(&self) -> Res<Option<Account>> {
        Ok(self.get()?.coldkey.map(Account))
    }

    /// The coldkey as an account at the same block; null when coldkey is.
    async fn coldkey_account(&self) -> Res<Option<AccountNode>> {
        let coldkey = self.get()?.coldkey;
        Ok(coldkey.map(|coldkey| AccountNode::at(self.metagraph.stamp.block, coldkey)))
    }

    /// Height at which it registered (BlockAtRegistration); null when none is stored.
    async fn block_at_registration(&self) -> Res<Option<U64>> {
        Ok(self.get()?.block_at_registration.map(U64))
    }

    /// Where it serves requests, as it says itself (Axons); null when it serves nowhere.
    async fn axon(&self) -> Res<Option<Axon>> {
        self.get()?.axon.as_ref().map(Axon::new).transpose()
    }

    /// Where it serves metrics, as it says itself (Prometheus); null when it serves nowhere.
    async fn prometheus(&self) -> Res<Option<Prometheus>> {
        let announced = self.get()?.prometheus.as_ref();
        announced.map(Prometheus::new).transpose()
    }

    /// Whether its weights count as recent (Active); null when not computed.
    async fn active(&self) -> Res<Option<bool>> {
        Ok(self.get()?.active)
    }

    /// Rank, 0 to 65535; null in runtimes that no longer compute it.
    async fn rank(&self) -> Res<Option<u16>> {
        Ok(self.get()?.rank)
    }

    /// Rank as a share from 0 to 1; null when rank is.
    async fn rank_normalized(&self) -> Res<Option<f64>> {
        self.share(|neuron| neuron.rank)
    }

    /// Trust, 0 to 65535; null in runtimes that no longer compute it.
    async fn trust(&self) -> Res<Option<u16>> {
        Ok(self.get()?.trust)
    }

    /// Trust as a share from 0 to 1; null when trust is.
    async fn trust_normalized(&self) -> Res<Option<f64>> {
        self.share(|neuron| neuron.trust)
    }

    /// Consensus weight, 0 to 65535 (Consensus); null when not computed.
    async fn consensus(&self) -> Res<Option<u16>> {
        Ok(self.get()?.consensus)
    }

    /// Consensus as a share from 0 to 1; null when consensus is.
    async fn consensus_normalized(&self) -> Res<Option<f64>> {
        self.share(|neuron| neuron.consensus)
    }

    /// Incentive of this mechanism, 0 to 65535 (Incentive); null when not computed.
    async fn incentive(&self) -> Res<Option<u16>> {
        Ok(self.get()?.incentive)
    }

    /// Incentive as a share from 0 to 1; null when incentive is.
    async fn incentive_normalized(&self) -> Res<Option<f64>> {
        self.share(|neuron| neuron.incentive)
    }

    /// Dividends, 0 to 65535 (Dividends); null when not computed.
    async fn dividends(&self) -> Res<Option<u16>> {
        Ok(self.get()?.dividends)
    }

    /// Dividends as a share from 0 to 1; null when dividends is.
    async fn dividends_normalized(&self) -> Res<Option<f64>> {
        self.share(|neuron| neuron.dividends)
    }

    /// Emission of the last epoch, in rao (10^-9) of the subnet's token (Emission); null when not
    /// computed.
    async fn emission(&self) -> Res<Option<U64>> {
        Ok(self.get()?.emission.map(U64))
    }

    /// Validator trust, 0 to 65535 (ValidatorTrust); null when not computed.
    async fn validator_trust(&self) -> Res<Option<u16>> {
        Ok(self.get()?.validator_trust)
    }

    /// Validator trust as a share from 0 to 1; null when validatorTrust is.
    async fn validator_trust_normalized(&self) -> Res<Option<f64>> {
        self.share(|neuron| neuron.validator_trust)
    }

    /// Whether it may set weights as a validator (ValidatorPermit); null when not computed.
    async fn validator_permit(&self) -> Res<Option<bool>> {
        Ok(self.get()?.validator_permit)
    }

    /// Its share of the stake, 0 to 65535 (StakeWeight); null when not computed.
    async fn stake_weight(&self) -> Res<Option<u16>> {
        Ok(self.get()?.stake_weight)
    }

    /// Stake weight as a share from 0 to 1; null when stakeWeight is.
    async fn stake_weight_normalized(&self) -> Res<Option<f64>> {
        self.share(|neuron| neuron.stake_weight)
    }

    /// Pruning score, 0 to 65535 (PruningScores); null in runtimes that no longer compute it.
    async fn pruning_score(&self) -> Res<Option<u16>> {
        Ok(self.get()?.pruning_score)
    }

    /// Pruning score as a share from 0 to 1; null when pruningScore is.
    async fn pruning_score_normalized(&self) -> Res<Option<f64>> {
        self.share(|neuron| neuron.pruning_score)
    }

    /// Height at which it last set or committed weights in this mechanism (LastUpdate); null when
    /// none is stored.
    async fn last_update(&self) -> Res<Option<U64>> {
        Ok(self.get()?.last_update.map(U64))
    }

    /// Its row of the weight matrix W at the same block: what it says of the others; null when it
    /// has set none.
    #[graphql(complexity = "cost::row(child_complexity)")]
    async fn weights(&self, ctx: &Context<'_>) -> Res<Option<RowNode>> {
        let metagraph = &self.metagraph;
        let key = (metagraph.stamp.block, metagraph.netuid, metagraph.mechanism);
        let rows = loaders(ctx)?.weights.load(key).await?;
        self.row(&rows, true)
    }

    /// Its row of the bond matrix B at the same block; null when it has none.
    #[graphql(complexity = "cost::row(child_complexity)")]
    async fn bonds(&self, ctx: &Context<'_>) -> Res<Option<RowNode>> {
        let metagraph = &self.metagraph;
        let key = (metagraph.stamp.block, metagraph.netuid, metagraph.mechanism);
        let rows = loaders(ctx)?.bonds.load(key).await?;
        self.row(&rows, false)
    }

    /// The time of its hotkey at this uid, of which the block is a part; null only when the store
    /// does not hold it.
    #[graphql(complexity = "cost::row(child_complexity)")]
    async fn tenancy(&self, ctx: &Context<'_>) -> Res<Option<TenancyNode>> {
        let uid = self.get()?.uid;
        TenancyNode::at(
            ctx,
            (self.metagraph.stamp.block, self.metagraph.netuid, uid),
        )
        .await
    }
}

/// Where a neuron serves requests, as it announced itself; nobody checked that it does.
#[derive(SimpleObject)]
pub(crate) struct Axon {
    /// Height at which it was announced.
    block: U64,
    /// Version of the serving software, in its own counting.
    version: U32,
    /// The address as the chain stores it: an integer of 128 bits.
    ip: U128,
    /// The address in dotted (IPv4) or colon (IPv6) form.
    ip_text: String,
    /// TCP port, 0 to 65535.
    port: u16,
    /// Kind of the address: 4 or 6.
    ip_type: u8,
    /// Protocol number, in the serving software's own counting.
    protocol: u8,
    /// First spare byte, 0 to 255.
    placeholder1: u8,
    /// Second spare byte, 0 to 255.
    placeholder2: u8,
}

impl Axon {
    fn new(axon: &ports::Axon) -> Res<Self> {
        Ok(Self {
            block: U64(axon.block),
            version: U32(axon.version),
            ip: ip(&axon.ip)?,
            ip_text: axon.ip_text.clone(),
            port: axon.port,
            ip_type: axon.ip_type,
            protocol: axon.protocol,
            placeholder1: axon.placeholder1,
            placeholder2: axon.placeholder2,
        })
    }
}

/// Where a neuron serves metrics, as it announced itself; nobody checked that it does.
#[derive(SimpleObject)]
pub(crate) struct Prometheus {
    /// Height at which it was announced.
    block: U64,
    /// Version of the serving software, in its own counting.
    version: U32,
    /// The address as the chain stores it: an integer of 128 bits.
    ip: U128,
    /// The address in dotted (IPv4) or colon (IPv6) form.
    ip_text: String,
    /// TCP port, 0 to 65535.
    port: u16,
    /// Kind of the address: 4 or 6.
    ip_type: u8,
}

impl Prometheus {
    fn new(prometheus: &ports::Prometheus) -> Res<Self> {
        Ok(Self {
            block: U64(prometheus.block),
            version: U32(prometheus.version),
            ip: ip(&prometheus.ip)?,
            ip_text: prometheus.ip_text.clone(),
            port: prometheus.port,
            ip_type: prometheus.ip_type,
        })
    }
}

fn ip(decimal: &str) -> Res<U128> {
    decimal
        .parse()
        .map(U128)
        .map_err(|error| ApiError::internal(format!("the address {decimal:?}: {error}")))
}
