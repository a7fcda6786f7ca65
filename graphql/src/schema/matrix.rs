//! The weight matrix W and the bond matrix B, by row.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use chain_metadata::{MechId, NetUid, Uid};

use super::cost;
use super::error::{ApiError, Res};
use super::metagraph::page_size;
use super::numbers::Numbers;
use super::scalars::normalized;
use super::stamp::Stamp;
use super::weights_set::WeightsSetNode;
use crate::loaders::{MechKey, loaders};
use crate::ports::{self, MatrixRow};

/// Which of the two matrices.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    Weights,
    Bonds,
}

/// A matrix as shown: rows shared with other fields, and which of them are wanted.
pub(crate) struct MatrixNode {
    which: Which,
    stamp: ports::Stamp,
    key: MechKey,
    rows: Arc<Vec<MatrixRow>>,
    /// Positions of the rows that were asked for, ascending.
    wanted: Vec<usize>,
}

impl MatrixNode {
    fn weights_of(&self) -> Option<(NetUid, MechId)> {
        matches!(self.which, Which::Weights).then_some((self.key.1, self.key.2))
    }
}

/// A matrix at a block, whose stamp is that of its subnet.
pub(crate) async fn at(
    ctx: &Context<'_>,
    which: Which,
    key: MechKey,
    uids: Option<Vec<u16>>,
) -> Res<Option<MatrixNode>> {
    let (block, netuid, _) = key;
    match loaders(ctx)?.subnet.load((block, netuid)).await? {
        Some(subnet) => of(ctx, which, subnet.stamp, key, uids).await,
        None => Ok(None),
    }
}

/// A matrix whose stamp its parent knows.
pub(crate) async fn of(
    ctx: &Context<'_>,
    which: Which,
    stamp: ports::Stamp,
    key: MechKey,
    uids: Option<Vec<u16>>,
) -> Res<Option<MatrixNode>> {
    let loaders = loaders(ctx)?;
    let rows = match which {
        Which::Weights => loaders.weights.load(key).await?,
        Which::Bonds => loaders.bonds.load(key).await?,
    };
    let Some(rows) = rows else { return Ok(None) };
    let wanted = match uids {
        None => (0..rows.len()).collect(),
        Some(mut uids) => {
            uids.sort_unstable();
            uids.dedup();
            uids.into_iter()
                .filter_map(|uid| rows.binary_search_by_key(&Uid(uid), |row| row.uid).ok())
                .collect()
        }
    };
    Ok(Some(MatrixNode {
        which,
        stamp,
        key,
        rows,
        wanted,
    }))
}

/// A matrix over the neurons of one mechanism at the end of a block, as stored: rows by the neuron
/// that set them, sparse.
#[Object(name = "Matrix")]
impl MatrixNode {
    /// Which state this is.
    async fn stamp(&self) -> Stamp {
        Stamp::of(self.stamp, self.key.1)
    }

    /// Number of the subnet.
    async fn netuid(&self) -> u16 {
        self.key.1.0
    }

    /// Number of the mechanism; 0 where the runtime knows no mechanisms.
    async fn mechanism(&self) -> u8 {
        self.key.2.0
    }

    /// How many rows there are (of the uids asked for), whatever page of them is asked for.
    async fn row_count(&self) -> u32 {
        u32::try_from(self.wanted.len()).unwrap_or(u32::MAX)
    }

    /// Rows in ascending uid. A neuron that has set nothing has no row.
    #[graphql(complexity = "cost::rows(first, child_complexity)")]
    async fn rows(
        &self,
        #[graphql(desc = "At most so many, 0 or more; without it all.")] first: Option<i32>,
        #[graphql(desc = "Only rows of a higher uid than this.")] after_uid: Option<u16>,
    ) -> Res<Vec<RowNode>> {
        let size = page_size(first)?;
        Ok(self
            .wanted
            .iter()
            .filter(|index| {
                let uid = self.rows.get(**index).map(|row| row.uid);
                after_uid.is_none_or(|after| uid > Some(Uid(after)))
            })
            .take(size)
            .map(|index| RowNode::new(self.rows.clone(), *index, self.weights_of()))
            .collect())
    }

    /// Columns in ascending uid: what the rows (of the uids asked for) say of one neuron each. A
    /// uid that is asked for and that no row names has an empty column.
    #[graphql(complexity = "cost::columns(&uids, child_complexity)")]
    async fn columns(
        &self,
        #[graphql(desc = "Only the columns of these neurons; without it all that some row names.")]
        uids: Option<Vec<u16>>,
    ) -> Vec<ColumnNode> {
        let mut columns: BTreeMap<u16, Vec<(u16, u16)>> = BTreeMap::new();
        let all = uids.is_none();
        for uid in uids.into_iter().flatten() {
            columns.entry(uid).or_default();
        }
        for row in self.wanted.iter().filter_map(|index| self.rows.get(*index)) {
            for (target, value) in &row.entries {
                let said = (row.uid.0, *value);
                match columns.get_mut(target) {
                    Some(column) => column.push(said),
                    None if all => columns.entry(*target).or_default().push(said),
                    None => {}
                }
            }
        }
        let node = |(uid, entries)| ColumnNode { uid, entries };
        columns.into_iter().map(node).collect()
    }
}

/// A column as shown.
pub(crate) struct ColumnNode {
    uid: u16,
    entries: Vec<(u16, u16)>,
}

/// One column of a matrix: what all say of one neuron.
#[Object(name = "MatrixColumn")]
impl ColumnNode {
    /// The neuron that the values are about.
    async fn uid(&self) -> u16 {
        self.uid
    }

    /// How many rows name it.
    async fn entry_count(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    /// What each row says, in ascending uid of the rows. A row that does not name it has no entry,
    /// which the chain reads as 0.
    #[graphql(complexity = "cost::entries(child_complexity)")]
    async fn entries(&self) -> Vec<ColumnEntry> {
        let entries = self.entries.iter();
        entries
            .map(|(uid, value)| ColumnEntry {
                uid: *uid,
                value: *value,
                value_normalized: normalized(*value),
            })
            .collect()
    }

    /// The uids of the rows as one list, ascending: the small form for programs, to be read together
    /// with `values`.
    #[graphql(complexity = "cost::numbers()")]
    async fn uids(&self) -> Numbers {
        self.entries.iter().map(|(uid, _)| *uid).collect()
    }

    /// The values as one list, 0 to 65535 each, in the order of `uids`.
    #[graphql(complexity = "cost::numbers()")]
    async fn values(&self) -> Numbers {
        self.entries.iter().map(|(_, value)| *value).collect()
    }
}

/// One entry of a column.
#[derive(SimpleObject)]
#[graphql(name = "MatrixColumnEntry")]
pub(crate) struct ColumnEntry {
    /// The neuron whose row says it.
    uid: u16,
    /// The value as stored, 0 to 65535.
    value: u16,
    /// The value as a share from 0 to 1, for display.
    value_normalized: f64,
}

/// A row as shown: its place in its matrix.
pub(crate) struct RowNode {
    rows: Arc<Vec<MatrixRow>>,
    index: usize,
    /// Of which subnet and mechanism it is, for a row of W.
    weights_of: Option<(NetUid, MechId)>,
}

impl RowNode {
    pub(crate) fn new(
        rows: Arc<Vec<MatrixRow>>,
        index: usize,
        weights_of: Option<(NetUid, MechId)>,
    ) -> Self {
        Self {
            rows,
            index,
            weights_of,
        }
    }

    fn get(&self) -> Res<&MatrixRow> {
        self.rows
            .get(self.index)
            .ok_or_else(|| ApiError::internal("a row's index is out of its matrix"))
    }
}

impl RowNode {
    /// The entries about some neurons, or all.
    fn about(&self, of: Option<Vec<u16>>) -> Res<impl Iterator<Item = (u16, u16)>> {
        let entries = self.get()?.entries.iter().copied();
        let of: Option<HashSet<u16>> = of.map(|of| of.into_iter().collect());
        Ok(entries.filter(move |(uid, _)| of.as_ref().is_none_or(|of| of.contains(uid))))
    }
}

/// One row of a matrix: what one neuron says of others.
#[Object(name = "MatrixRow")]
impl RowNode {
    /// The neuron whose row this is.
    async fn uid(&self) -> Res<u16> {
        Ok(self.get()?.uid.0)
    }

    /// Height at which the row last changed; null when it has not changed in the stored range.
    async fn changed_at(&self) -> Res<Option<u32>> {
        Ok(self.get()?.changed_at)
    }

    /// What set this row of the weight matrix in the block of `changedAt`; null when that is before
    /// the first stored block, when nothing but a write past the pallet did it, and for bonds, which
    /// epochs compute.
    #[graphql(complexity = "cost::row(child_complexity)")]
    async fn set_by(&self, ctx: &Context<'_>) -> Res<Option<WeightsSetNode>> {
        let row = self.get()?;
        let (Some((netuid, mechanism)), Some(block)) = (self.weights_of, row.changed_at) else {
            return Ok(None);
        };
        let key = (block, netuid, mechanism, row.uid);
        let set = loaders(ctx)?.weights_set_by.load(key).await?;
        Ok(set.map(WeightsSetNode))
    }

    /// How many entries the row holds.
    async fn entry_count(&self) -> Res<u32> {
        Ok(u32::try_from(self.get()?.entries.len()).unwrap_or(u32::MAX))
    }

    /// The entries, in the stored order, which is not always sorted. A neuron that is not named has
    /// no entry, which the chain reads as 0.
    #[graphql(complexity = "cost::listed_or(&of, 256, child_complexity)")]
    async fn entries(
        &self,
        #[graphql(desc = "Only entries about these neurons; without it all.")] of: Option<Vec<u16>>,
    ) -> Res<Vec<Entry>> {
        let entries = self.about(of)?;
        Ok(entries.map(|(uid, value)| Entry::new(uid, value)).collect())
    }

    /// The uids of the entries as one list, in the stored order: the small form for programs, to be
    /// read together with `values`.
    #[graphql(complexity = "cost::numbers_of(&of)")]
    async fn uids(
        &self,
        #[graphql(desc = "Only entries about these neurons; without it all.")] of: Option<Vec<u16>>,
    ) -> Res<Numbers> {
        Ok(self.about(of)?.map(|(uid, _)| uid).collect())
    }

    /// The values of the entries as one list, 0 to 65535 each, in the order of `uids`.
    #[graphql(complexity = "cost::numbers_of(&of)")]
    async fn values(
        &self,
        #[graphql(desc = "Only entries about these neurons; without it all.")] of: Option<Vec<u16>>,
    ) -> Res<Numbers> {
        Ok(self.about(of)?.map(|(_, value)| value).collect())
    }
}

/// One entry of a row.
#[derive(SimpleObject)]
#[graphql(name = "MatrixEntry")]
pub(crate) struct Entry {
    /// The neuron that the value is about.
    uid: u16,
    /// The value as stored, 0 to 65535.
    value: u16,
    /// The value as a share from 0 to 1, for display.
    value_normalized: f64,
}

impl Entry {
    pub(crate) fn new(uid: u16, value: u16) -> Self {
        Self {
            uid,
            value,
            value_normalized: normalized(value),
        }
    }
}
