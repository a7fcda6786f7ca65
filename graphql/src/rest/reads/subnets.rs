//! Subnets, their neurons, and the matrices W and B.

use serde::Serialize;
use utoipa::ToSchema;

use super::table::Table;
use super::value::{Account, Any, Cell, Column, Huge, Kind, Wide, record};
use super::{Body, EpochStamp, Stamp};
use crate::ports;

record! {
    /// A subnet at the end of a block.
    Subnet {
        /// Number of the subnet; 0 is the root network.
        netuid: u16,
        /// Neurons registered; null when the runtime has no such item.
        neuron_count: Option<u16>,
        /// Blocks between two epochs as configured; null when the runtime has no such item.
        tempo: Option<u16>,
        /// Height of the last epoch that ran; null when none ran or the runtime does not tell.
        last_epoch_block: Option<Wide>,
        /// Blocks since the last epoch as the chain counts them; null when the runtime does not.
        blocks_since_last_step: Option<Wide>,
        /// Incentive mechanisms, 1 or more; null when the runtime knows none.
        mechanism_count: Option<u8>,
        /// The owner's coldkey; null when none is stored (the root network).
        owner: Option<Account>,
        /// The owner's hotkey; null when none is stored.
        owner_hotkey: Option<Account>,
        /// Height of its registration; null when none is stored.
        registered_at: Option<Wide>,
        /// Symbol of its token; null when the runtime has none or it is not UTF-8.
        token_symbol: Option<String>,
    }
}

impl From<&ports::Subnet> for Subnet {
    fn from(subnet: &ports::Subnet) -> Self {
        Self {
            netuid: subnet.netuid.0,
            neuron_count: subnet.neuron_count,
            tempo: subnet.tempo,
            last_epoch_block: subnet.last_epoch_block.map(Wide),
            blocks_since_last_step: subnet.blocks_since_last_step.map(Wide),
            mechanism_count: subnet.mechanism_count,
            owner: subnet.owner.map(Account),
            owner_hotkey: subnet.owner_hotkey.map(Account),
            registered_at: subnet.registered_at.map(Wide),
            token_symbol: subnet.token_symbol.clone(),
        }
    }
}

record! {
    /// A storage item of a subnet: a setting or a counter.
    SubnetItem {
        /// Name of the item in the pallet SubtensorModule or Swap.
        name: String,
        /// Its value; null when nothing is stored and the item has no default.
        value: Option<Any>,
        /// Whether the value is stored; if not, it is the metadata's default.
        stored: bool,
        /// Height at which it last changed; null when it has not in the stored range.
        changed_at: Option<u32>,
    }
}

/// A subnet with all its storage items. The tables of the other forms are the items.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SubnetWithItems {
    /// Which state this is.
    pub(crate) stamp: Stamp,
    /// The subnet.
    pub(crate) subnet: Subnet,
    /// Its other storage items, by name.
    pub(crate) items: Vec<SubnetItem>,
}

impl SubnetWithItems {
    pub(crate) fn new(stamp: Stamp, subnet: ports::Subnet) -> Self {
        let shown = Subnet::from(&subnet);
        let items = subnet.items.into_iter().map(|item| SubnetItem {
            name: item.name,
            value: item.value.map(Any),
            stored: item.stored,
            changed_at: item.changed_at,
        });
        Self {
            stamp,
            subnet: shown,
            items: items.collect(),
        }
    }
}

impl Body for SubnetWithItems {
    fn table(&self) -> Table<'_> {
        Table::of(&self.items)
    }
}

record! {
    /// Where a neuron serves requests, as it announced itself; nobody checked that it does.
    Axon {
        /// Height at which it was announced.
        block: Wide,
        /// Version of the serving software, in its own counting.
        version: u32,
        /// The address as the chain stores it: an integer of 128 bits.
        ip: Huge,
        /// The address in dotted (IPv4) or colon (IPv6) form.
        ip_text: String,
        /// TCP port.
        port: u16,
        /// Kind of the address: 4 or 6.
        ip_type: u8,
        /// Protocol number, in the serving software's own counting.
        protocol: u8,
        /// First spare byte.
        placeholder1: u8,
        /// Second spare byte.
        placeholder2: u8,
    }
}

record! {
    /// Where a neuron serves metrics, as it announced itself; nobody checked that it does.
    Prometheus {
        /// Height at which it was announced.
        block: Wide,
        /// Version of the serving software, in its own counting.
        version: u32,
        /// The address as the chain stores it: an integer of 128 bits.
        ip: Huge,
        /// The address in dotted (IPv4) or colon (IPv6) form.
        ip_text: String,
        /// TCP port.
        port: u16,
        /// Kind of the address: 4 or 6.
        ip_type: u8,
    }
}

record! {
    /// A neuron at the end of a block. Vector values are those of the last epoch that ran; integers
    /// from 0 to 65535 stand for 0 to 1. Null means that the runtime does not compute the value or
    /// holds none for this uid, and never 0.
    Neuron {
        /// Number of the neuron in the subnet. It is handed on when the neuron is replaced.
        uid: u16,
        /// The hotkey that holds the uid.
        hotkey: Account,
        /// The coldkey that owns the hotkey; null when none is stored.
        coldkey: Option<Account>,
        /// Height at which it registered; null when none is stored.
        block_at_registration: Option<Wide>,
        /// Whether its weights count as recent; null when not computed.
        active: Option<bool>,
        /// Whether it may set weights as a validator; null when not computed.
        validator_permit: Option<bool>,
        /// Rank, 0 to 65535; null in runtimes that no longer compute it.
        rank: Option<u16>,
        /// Trust, 0 to 65535; null in runtimes that no longer compute it.
        trust: Option<u16>,
        /// Consensus weight, 0 to 65535; null when not computed.
        consensus: Option<u16>,
        /// Incentive of this mechanism, 0 to 65535; null when not computed.
        incentive: Option<u16>,
        /// Dividends, 0 to 65535; null when not computed.
        dividends: Option<u16>,
        /// Emission of the last epoch, in rao (10^-9) of the subnet's token; null when not computed.
        emission: Option<Wide>,
        /// Validator trust, 0 to 65535; null when not computed.
        validator_trust: Option<u16>,
        /// Its share of the stake, 0 to 65535; null when not computed.
        stake_weight: Option<u16>,
        /// Pruning score, 0 to 65535; null in runtimes that no longer compute it.
        pruning_score: Option<u16>,
        /// Height at which it last set or committed weights in this mechanism; null when none is
        /// stored.
        last_update: Option<Wide>,
        /// Where it serves requests; null when it serves nowhere.
        axon: Option<Axon>,
        /// Where it serves metrics; null when it serves nowhere.
        prometheus: Option<Prometheus>,
    }
}

impl From<ports::Neuron> for Neuron {
    fn from(neuron: ports::Neuron) -> Self {
        Self {
            uid: neuron.uid.0,
            hotkey: Account(neuron.hotkey),
            coldkey: neuron.coldkey.map(Account),
            block_at_registration: neuron.block_at_registration.map(Wide),
            active: neuron.active,
            validator_permit: neuron.validator_permit,
            rank: neuron.rank,
            trust: neuron.trust,
            consensus: neuron.consensus,
            incentive: neuron.incentive,
            dividends: neuron.dividends,
            emission: neuron.emission.map(Wide),
            validator_trust: neuron.validator_trust,
            stake_weight: neuron.stake_weight,
            pruning_score: neuron.pruning_score,
            last_update: neuron.last_update.map(Wide),
            axon: neuron.axon.map(|axon| Axon {
                block: Wide(axon.block),
                version: axon.version,
                ip: Huge(axon.ip),
                ip_text: axon.ip_text,
                port: axon.port,
                ip_type: axon.ip_type,
                protocol: axon.protocol,
                placeholder1: axon.placeholder1,
                placeholder2: axon.placeholder2,
            }),
            prometheus: neuron.prometheus.map(|served| Prometheus {
                block: Wide(served.block),
                version: served.version,
                ip: Huge(served.ip),
                ip_text: served.ip_text,
                port: served.port,
                ip_type: served.ip_type,
            }),
        }
    }
}

/// The neurons of one mechanism of a subnet at the end of a block.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metagraph {
    /// Which state this is.
    pub(crate) stamp: Stamp,
    /// The epoch that the vectors are from; null when none ran or the runtime does not tell.
    pub(crate) epoch: Option<EpochStamp>,
    /// Number of the subnet.
    pub(crate) netuid: u16,
    /// Number of the mechanism; 0 where the runtime knows no mechanisms.
    pub(crate) mechanism: u8,
    /// Neurons in ascending uid.
    pub(crate) neurons: Vec<Neuron>,
}

impl Body for Metagraph {
    fn table(&self) -> Table<'_> {
        Table::of(&self.neurons)
    }

    fn epoch(&self) -> Option<EpochStamp> {
        self.epoch
    }
}

/// A row of a matrix: what one neuron says of, or is bonded to, others. The two lists are equally
/// long and in the order in which the chain keeps them, which is not always sorted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MatrixRow {
    /// The neuron whose row this is.
    pub(crate) uid: u16,
    /// Height at which the row last changed; null when it has not in the stored range.
    pub(crate) changed_at: Option<u32>,
    /// The neurons that the values are about.
    pub(crate) uids: Vec<u16>,
    /// The values as stored, 0 to 65535. They are not normalised: a row's sum is its whole.
    pub(crate) values: Vec<u16>,
}

/// A matrix over the neurons of one mechanism at the end of a block. The tables of the other forms
/// have a row for each value: uid, dest, value, changedAt; an empty row is one row whose dest and
/// value are null.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Matrix {
    /// Which state this is.
    pub(crate) stamp: Stamp,
    /// The last epoch of the subnet: bonds are those that it left. Null when none ran or the
    /// runtime does not tell.
    pub(crate) epoch: Option<EpochStamp>,
    /// Number of the subnet.
    pub(crate) netuid: u16,
    /// Number of the mechanism; 0 where the runtime knows no mechanisms.
    pub(crate) mechanism: u8,
    /// Rows in ascending uid; a neuron that has none stored is left out.
    pub(crate) rows: Vec<MatrixRow>,
}

impl Body for Matrix {
    fn table(&self) -> Table<'_> {
        let column = |(name, kind): (&str, Kind)| Column {
            name: name.to_owned(),
            kind,
        };
        let columns = [
            ("uid", Kind::U16),
            ("dest", Kind::U16),
            ("value", Kind::U16),
            ("changedAt", Kind::U32),
        ];
        let whole = |value: u16| Cell::Whole(u64::from(value));
        let rows = self.rows.iter().flat_map(|row| {
            let changed = || {
                row.changed_at
                    .map_or(Cell::Null, |at| Cell::Whole(at.into()))
            };
            let entries = row.uids.iter().zip(&row.values);
            let entries = entries
                .map(|(uid, value)| vec![whole(row.uid), whole(*uid), whole(*value), changed()]);
            // A row that was set to nothing is not one that was never set.
            let empty = row.uids.is_empty();
            let none = empty.then(|| vec![whole(row.uid), Cell::Null, Cell::Null, changed()]);
            entries.chain(none).collect::<Vec<_>>()
        });
        Table {
            columns: columns.map(column).to_vec(),
            rows: rows.collect(),
        }
    }

    fn epoch(&self) -> Option<EpochStamp> {
        self.epoch
    }
}

impl From<ports::MatrixRow> for MatrixRow {
    fn from(row: ports::MatrixRow) -> Self {
        let (uids, values) = row.entries.into_iter().unzip();
        Self {
            uid: row.uid.0,
            changed_at: row.changed_at,
            uids,
            values,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::reads::value::Shown;

    #[test]
    fn a_row_that_was_set_to_nothing_is_a_row_of_the_table() {
        let row = |uid, changed_at, uids: &[u16]| MatrixRow {
            uid,
            changed_at,
            uids: uids.to_vec(),
            values: uids.iter().map(|uid| uid + 1).collect(),
        };
        let matrix = Matrix {
            stamp: Stamp {
                block: 9,
                hash: crate::rest::reads::value::Hash(chain_metadata::H256::ZERO),
                spec_version: 1,
                finalized: true,
            },
            epoch: None,
            netuid: 1,
            mechanism: 0,
            rows: vec![row(3, Some(7), &[]), row(4, None, &[0, 5])],
        };
        assert_eq!(
            String::from_utf8(matrix.table().csv()).unwrap(),
            "uid,dest,value,changedAt\r\n3,,,7\r\n4,0,1,\r\n4,5,6,\r\n"
        );
        matrix.table().arrow(&[]).unwrap();
    }

    #[test]
    fn a_record_has_as_many_cells_as_columns() {
        let (mut columns, mut cells) = (Vec::new(), Vec::new());
        Neuron::columns("", &mut columns);
        Neuron::cells(None, &mut cells);
        assert_eq!((columns.len(), cells.len()), (16 + 9 + 6, 16 + 9 + 6));
    }
}
