//! Epochs computed again: records, both sides of their vectors, what a range says together.

mod queries;

use async_graphql::{Context, Enum, Object, SimpleObject};
use chain_metadata::{MechId, NetUid};

use super::connection::VerificationConnection;
use super::cost;
use super::error::{ApiError, Res};
use super::paging::{Kind, PageArgs};
use super::scalars::{Hash, U64};
use super::window::{Order, Place};
use crate::loaders::loaders;
use crate::ports::{self, Verification, VerificationFilter, VerificationId};

pub(crate) use queries::Verifications;

/// Most records on one page.
const MAX_RECORDS: u32 = 200;
/// Records on a page when no size is given.
const DEFAULT_RECORDS: u32 = 20;

/// The outcome for an epoch that was computed again.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "ports::VerdictKind")]
pub(crate) enum Verdict {
    /// Every integer that was compared is the chain's.
    Exact,
    /// Some integer is another one, and nothing excuses it.
    Differs,
    /// Something that the epoch read is not known.
    InputIncomplete,
    /// The runtime's rules are not known, or newer than any that were read and the results differ.
    RulesUnknown,
    /// A slot was due and no epoch ran: deferred, skipped, or registrations off.
    NotRun,
}

/// How one field of an epoch compares with what the chain stored.
#[derive(SimpleObject, Clone)]
pub(crate) struct FieldVerdict {
    /// Name of the field, such as validator_trust.
    field: String,
    /// The stage of the epoch that makes it.
    stage: String,
    /// Entries compared.
    compared: u32,
    /// Entries that differ.
    differing: u32,
    /// The greatest difference, in raw units; never scaled.
    max_abs_diff: U64,
    /// Number of the lowest neuron with a difference, of bonds the validator's; null when none differs.
    first_uid: Option<u16>,
}

impl From<ports::FieldVerdict> for FieldVerdict {
    fn from(field: ports::FieldVerdict) -> Self {
        Self {
            field: field.field,
            stage: field.stage,
            compared: field.compared,
            differing: field.differing,
            max_abs_diff: U64(field.max_abs_diff),
            first_uid: field.first_uid.map(|uid| uid.0),
        }
    }
}

/// A field that the chain stores and that is not compared.
#[derive(SimpleObject)]
pub(crate) struct NotCompared {
    /// Name of the field.
    field: String,
    /// Why it is not compared.
    why: String,
}

/// A record as shown.
#[derive(Clone)]
pub(crate) struct VerificationNode(Verification);

impl VerificationNode {
    /// A record, to be shown.
    pub(crate) fn new(record: Verification) -> Self {
        Self(record)
    }
}

/// What is known of an epoch after it was computed again by the rules of its runtime and compared
/// with what the chain stored. With several mechanisms incentive and bonds are each mechanism's
/// own, the other fields are in the record of mechanism 0.
#[Object(name = "Verification")]
impl VerificationNode {
    /// Height of the block in which the epoch ran, or was due.
    async fn block_number(&self) -> u32 {
        self.0.block
    }

    /// Number of the subnet.
    async fn netuid(&self) -> u16 {
        self.0.netuid.0
    }

    /// Number of the mechanism.
    async fn mechanism(&self) -> u8 {
        self.0.mechanism.0
    }

    /// Runtime that executed the block.
    async fn spec_version(&self) -> u32 {
        self.0.spec_version
    }

    /// How well the rules of that runtime are known, in words; null where there are none.
    async fn rules(&self) -> Option<&str> {
        self.0.rules.as_deref()
    }

    /// The outcome.
    async fn verdict(&self) -> Verdict {
        self.0.verdict.into()
    }

    /// What is missing or unknown, or why no epoch ran; null for other outcomes.
    async fn what(&self) -> Option<&str> {
        self.0.what.as_deref()
    }

    /// Every field that both sides have, in the order of the stages that make them. A field that
    /// the runtime does not store is absent.
    async fn fields(&self) -> Vec<FieldVerdict> {
        self.0.fields.iter().cloned().map(Into::into).collect()
    }

    /// The first field that differs; null when none does.
    async fn first_difference(&self) -> Option<FieldVerdict> {
        self.0.first.clone().map(Into::into)
    }

    /// Fields that the chain stores and that are not compared, with the reason.
    async fn not_compared(&self) -> Vec<NotCompared> {
        let fields = self.0.not_compared.iter().cloned();
        fields
            .map(|(field, why)| NotCompared { field, why })
            .collect()
    }

    /// Uids that are not compared, because an extrinsic of the block gave them to somebody else.
    async fn replaced_uids(&self) -> Vec<u16> {
        self.0.replaced.iter().map(|uid| uid.0).collect()
    }

    /// The amount, in rao, that the emission was compared with; null when it is not known.
    async fn drained(&self) -> Option<U64> {
        self.0.drained.map(U64)
    }

    /// BLAKE2-256 of the canonical inputs; null when they were not complete.
    async fn inputs_hash(&self) -> Option<Hash> {
        self.0.inputs_hash.map(Hash)
    }

    /// BLAKE2-256 of the canonical results; null when the inputs were not complete.
    async fn results_hash(&self) -> Option<Hash> {
        self.0.results_hash.map(Hash)
    }

    /// Computed and stored values side by side, by uid; computed now. Null when no epoch ran.
    #[graphql(complexity = "cost::epoch(child_complexity)")]
    async fn neurons(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only uids with a value that differs.", default)] differing: bool,
    ) -> Res<Option<Vec<ComparedNeuron>>> {
        let (block, netuid, mechanism) = (self.0.block, self.0.netuid, self.0.mechanism);
        let read = loaders(ctx)?
            .reads
            .run("verification_values", move |reader| {
                reader.verification_values(block, netuid, mechanism)
            });
        Ok(read.await?.map(|neurons| {
            let neurons = neurons.into_iter().map(ComparedNeuron::from);
            neurons.filter(|n| !differing || n.differs()).collect()
        }))
    }
}

/// Computed and stored values of a neuron.
#[derive(SimpleObject)]
pub(crate) struct ComparedNeuron {
    /// Number of the neuron in its subnet.
    uid: u16,
    /// Its values, by field.
    values: Vec<ComparedValue>,
}

impl ComparedNeuron {
    fn differs(&self) -> bool {
        self.values.iter().any(|value| !value.equal)
    }
}

/// A value, computed and stored, in raw units; flags are 0 and 1.
#[derive(SimpleObject)]
pub(crate) struct ComparedValue {
    /// Name of the field.
    field: String,
    /// What was computed; null when it is not known.
    computed: Option<U64>,
    /// What the chain stored; null when nothing is stored for the uid.
    stored: Option<U64>,
    /// Whether both are the same.
    equal: bool,
}

impl From<ports::ComparedNeuron> for ComparedNeuron {
    fn from(neuron: ports::ComparedNeuron) -> Self {
        let values = neuron.values.into_iter().map(|value| ComparedValue {
            equal: value.computed == value.stored,
            field: value.field,
            computed: value.computed.map(U64),
            stored: value.stored.map(U64),
        });
        Self {
            uid: neuron.uid.0,
            values: values.collect(),
        }
    }
}

/// What the records of a range of blocks say together.
#[derive(SimpleObject)]
pub(crate) struct VerificationSummary {
    /// Epochs, of every outcome.
    epochs: U64,
    /// Epochs in which no integer differs.
    exact: U64,
    /// Epochs that differ.
    differs: U64,
    /// Epochs of which something is missing.
    input_incomplete: U64,
    /// Epochs whose rules are not known.
    rules_unknown: U64,
    /// Slots that were due and in which no epoch ran; they are no epochs.
    not_run: U64,
    /// Exact epochs of all epochs, 0 to 1; null without any.
    share_exact: Option<f64>,
    /// Up to ten records with numbers that are not the chain's, those with most of them first.
    worst: Vec<Offender>,
    /// One hash for the records of each mechanism in the range, to be compared with another
    /// operator's; halves of the range tell where two differ.
    chains: Vec<VerificationChain>,
}

/// A record that differs, and how far its vectors are from each other.
#[derive(SimpleObject)]
pub(crate) struct Offender {
    /// The record.
    record: VerificationNode,
    /// Of each vector that differs.
    deviations: Vec<Deviation>,
}

/// How far two vectors are from each other.
#[derive(SimpleObject)]
pub(crate) struct Deviation {
    /// Name of the field.
    field: String,
    /// Pearson's correlation of computed and stored values; null where one side is constant.
    correlation: Option<f64>,
    /// Spearman's rank correlation; null where one side is constant.
    rank_correlation: Option<f64>,
}

/// One hash for the records of a mechanism in a range.
#[derive(SimpleObject)]
pub(crate) struct VerificationChain {
    /// Number of the subnet.
    netuid: u16,
    /// Number of the mechanism.
    mechanism: u8,
    /// How many records it is made of.
    records: U64,
    /// The hash.
    hash: Hash,
}

impl From<ports::VerificationSummary> for VerificationSummary {
    fn from(all: ports::VerificationSummary) -> Self {
        let offender = |offender: ports::Offender| Offender {
            record: VerificationNode(offender.record),
            deviations: offender
                .deviations
                .into_iter()
                .map(|d| Deviation {
                    field: d.field,
                    correlation: d.correlation,
                    rank_correlation: d.rank_correlation,
                })
                .collect(),
        };
        let chain = |chain: ports::VerificationChain| VerificationChain {
            netuid: chain.netuid.0,
            mechanism: chain.mechanism.0,
            records: U64(chain.records),
            hash: Hash(chain.hash),
        };
        Self {
            epochs: U64(all.epochs),
            exact: U64(all.exact),
            differs: U64(all.differs),
            input_incomplete: U64(all.input_incomplete),
            rules_unknown: U64(all.rules_unknown),
            not_run: U64(all.not_run),
            share_exact: share(all.exact, all.epochs),
            worst: all.worst.into_iter().map(offender).collect(),
            chains: all.chains.into_iter().map(chain).collect(),
        }
    }
}

/// For people only; the counts stand beside it.
#[expect(clippy::cast_precision_loss, reason = "a share is no chain value")]
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// A subnet's verification in a line.
#[derive(SimpleObject)]
pub(crate) struct Badge {
    /// Number of the subnet.
    netuid: u16,
    /// The line, such as "73 of 73 epochs exact".
    text: String,
    /// Whether every epoch that has a record is exact.
    all_exact: bool,
    /// Epochs with a record.
    epochs: U64,
    /// How many of them are exact.
    exact: U64,
    /// The newest record; null when there is none.
    newest: Option<VerificationNode>,
}

/// The record of one epoch.
pub(crate) async fn one(
    ctx: &Context<'_>,
    netuid: u16,
    mechanism: u8,
    block: u32,
) -> Res<Option<VerificationNode>> {
    let loaders = loaders(ctx)?;
    let block = super::as_of::stored(loaders, block).await?;
    let read = loaders.reads.run("verification", move |reader| {
        reader.verification(block, NetUid(netuid), MechId(mechanism))
    });
    Ok(read.await?.map(VerificationNode))
}

/// Ends of a range of blocks: what is not given is what is stored.
async fn range(ctx: &Context<'_>, from: Option<u32>, to: Option<u32>) -> Res<(u32, u32)> {
    let status = loaders(ctx)?.status.load(()).await?;
    let from = from.or(status.first).unwrap_or(0);
    let to = to.or(status.last).unwrap_or(0);
    if from > to {
        return Err(ApiError::bad_input(format!(
            "`from` is {from}, but must not be above `to`, which is {to}"
        )));
    }
    Ok((from, to))
}

/// Which records are listed.
pub(crate) struct Wanted {
    pub(crate) netuid: Option<u16>,
    pub(crate) from: Option<u32>,
    pub(crate) to: Option<u32>,
    pub(crate) verdict: Option<Verdict>,
}

/// A page of records.
pub(crate) async fn page(
    ctx: &Context<'_>,
    wanted: Wanted,
    args: PageArgs,
) -> Res<VerificationConnection> {
    let (from, to) = range(ctx, wanted.from, wanted.to).await?;
    let window = args.window(Kind::Verification, DEFAULT_RECORDS, MAX_RECORDS)?;
    let filter = VerificationFilter {
        netuid: wanted.netuid.map(NetUid),
        from,
        to,
        verdict: wanted.verdict.map(Into::into),
    };
    let (start, back, size) = (window.start().map(id_at), window.back, window.size);
    let read = loaders(ctx)?
        .reads
        .run("verifications", move |reader| match back {
            true => reader.verifications_up(&filter, start, size),
            false => reader.verifications(&filter, start, size),
        });
    let found = read.await?;
    let items = found.records.into_iter().map(|record| {
        let id = VerificationId {
            block: record.block,
            netuid: record.netuid,
            mechanism: record.mechanism,
        };
        (place_of(id), VerificationNode(record))
    });
    let page = window.page(
        Order::NewestFirst,
        items.collect(),
        found.next.map(place_of),
    );
    Ok(VerificationConnection(page))
}

fn place_of(id: VerificationId) -> Place {
    let [high, low] = id.netuid.0.to_be_bytes();
    (id.block, u32::from_be_bytes([0, high, low, id.mechanism.0]))
}

fn id_at((block, index): Place) -> VerificationId {
    let [_, high, low, mechanism] = index.to_be_bytes();
    VerificationId {
        block,
        netuid: NetUid(u16::from_be_bytes([high, low])),
        mechanism: MechId(mechanism),
    }
}

async fn summed(
    ctx: &Context<'_>,
    netuid: Option<u16>,
    range: (u32, u32),
) -> Res<ports::VerificationSummary> {
    let read = loaders(ctx)?
        .reads
        .run("verification_summary", move |reader| {
            reader.verification_summary(netuid.map(NetUid), range)
        });
    Ok(read.await?)
}

/// What a range says together.
pub(crate) async fn summary(
    ctx: &Context<'_>,
    netuid: Option<u16>,
    from: Option<u32>,
    to: Option<u32>,
) -> Res<VerificationSummary> {
    let range = range(ctx, from, to).await?;
    Ok(summed(ctx, netuid, range).await?.into())
}

/// The badge of a subnet; none when it has no record.
pub(crate) async fn badge(ctx: &Context<'_>, netuid: u16) -> Res<Option<Badge>> {
    let range = range(ctx, None, None).await?;
    let all = summed(ctx, Some(netuid), range).await?;
    if all.epochs == 0 && all.not_run == 0 {
        return Ok(None);
    }
    Ok(Some(Badge {
        netuid,
        text: format!("{} of {} epochs exact", all.exact, all.epochs),
        all_exact: all.exact == all.epochs,
        epochs: U64(all.epochs),
        exact: U64(all.exact),
        newest: all.newest.map(VerificationNode),
    }))
}
