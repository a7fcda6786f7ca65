//! What is known of an epoch after it was computed again.

use chain_metadata::{BlockNumber, MechId, NetUid, SpecVersion};
use parity_scale_codec::{Decode, Encode};
use scoring::yuma::Knowledge;

use super::compare::{Difference, Field};

/// The outcome for one mechanism of a subnet in one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every integer that was compared is the chain's.
    Exact,
    /// Some integer is another one.
    Differs,
    /// Something that the epoch read is not known; what.
    InputIncomplete(String),
    /// The runtime's rules are not known; what of them.
    RulesUnknown(String),
    /// The slot was due, and no epoch ran; why.
    NotRun(String),
}

impl Verdict {
    /// The words of all verdicts.
    pub const WORDS: [&'static str; 5] = [
        "EXACT",
        "DIFFERS",
        "INPUT_INCOMPLETE",
        "RULES_UNKNOWN",
        "NOT_RUN",
    ];

    /// Its word in reports.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Exact => "EXACT",
            Verdict::Differs => "DIFFERS",
            Verdict::InputIncomplete(_) => "INPUT_INCOMPLETE",
            Verdict::RulesUnknown(_) => "RULES_UNKNOWN",
            Verdict::NotRun(_) => "NOT_RUN",
        }
    }

    /// Why there is no comparison to rely on.
    pub fn what(&self) -> Option<&str> {
        match self {
            Verdict::Exact | Verdict::Differs => None,
            Verdict::InputIncomplete(what)
            | Verdict::RulesUnknown(what)
            | Verdict::NotRun(what) => Some(what),
        }
    }

    fn parts(&self) -> (u8, String) {
        let byte = match self {
            Verdict::Exact => 0,
            Verdict::Differs => 1,
            Verdict::InputIncomplete(_) => 2,
            Verdict::RulesUnknown(_) => 3,
            Verdict::NotRun(_) => 4,
        };
        (byte, self.what().unwrap_or_default().to_owned())
    }

    fn of_parts(byte: u8, what: String) -> Option<Verdict> {
        Some(match byte {
            0 => Verdict::Exact,
            1 => Verdict::Differs,
            2 => Verdict::InputIncomplete(what),
            3 => Verdict::RulesUnknown(what),
            4 => Verdict::NotRun(what),
            _ => return None,
        })
    }
}

/// The record of one mechanism of a subnet in one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The subnet.
    pub netuid: NetUid,
    /// The mechanism; fields of the subnet as a whole are in the record of mechanism 0.
    pub mechanism: MechId,
    /// The block in which the epoch ran, or was due.
    pub block: BlockNumber,
    /// Runtime that executed the block.
    pub spec: SpecVersion,
    /// How well its rules are known; none where there are no rules.
    pub knowledge: Option<Knowledge>,
    /// The outcome.
    pub verdict: Verdict,
    /// Every field that both sides have.
    pub fields: Vec<Difference>,
    /// The first field, in the order of the stages, that differs, and the uid.
    pub first: Option<(Field, u16)>,
    /// Fields that the chain stores and this record does not compare, with the reason.
    pub unknown: Vec<(Field, String)>,
    /// Uids that are not compared: an extrinsic of the block gave them to somebody else.
    pub replaced: Vec<u16>,
    /// The amount that the stored emission was compared with, in rao.
    pub drained: Option<u64>,
    /// blake2-256 of the canonical inputs; none when they were not complete.
    pub inputs: Option<[u8; 32]>,
    /// blake2-256 of the canonical results; none together with `inputs`.
    pub results: Option<[u8; 32]>,
}

/// The record as it lies on disk, without what its key says.
#[derive(Encode, Decode)]
struct Row {
    spec: u32,
    knowledge: u8,
    verdict: u8,
    what: String,
    fields: Vec<Difference>,
    first: Option<(u8, u16)>,
    unknown: Vec<(u8, String)>,
    replaced: Vec<u16>,
    drained: Option<u64>,
    digests: Option<([u8; 32], [u8; 32])>,
}

impl Record {
    /// A record without a comparison.
    pub(super) fn without(
        netuid: NetUid,
        mechanism: MechId,
        block: BlockNumber,
        spec: SpecVersion,
        verdict: Verdict,
    ) -> Record {
        Record {
            netuid,
            mechanism,
            block,
            spec,
            knowledge: scoring::yuma::YumaRules::is_known(spec),
            verdict,
            fields: Vec::new(),
            first: None,
            unknown: Vec::new(),
            replaced: Vec::new(),
            drained: None,
            inputs: None,
            results: None,
        }
    }

    /// One hash for what went in and came out; of a record without both, of its verdict's word.
    pub fn digest(&self) -> [u8; 32] {
        let mut bytes = Vec::with_capacity(64);
        match self.inputs.zip(self.results) {
            Some((inputs, results)) => {
                bytes.extend_from_slice(&inputs);
                bytes.extend_from_slice(&results);
            }
            None => bytes.extend_from_slice(self.verdict.word().as_bytes()),
        }
        chain_metadata::blake2_256(&bytes).0
    }

    /// How a field compares; `None` when it is not compared.
    pub fn field(&self, field: Field) -> Option<&Difference> {
        self.fields.iter().find(|d| d.field == field.byte())
    }

    /// SCALE of everything but subnet, mechanism and block.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (verdict, what) = self.verdict.parts();
        let knowledge = match self.knowledge {
            None => 0,
            Some(Knowledge::Unchecked) => 1,
            Some(Knowledge::Partly) => 2,
            Some(Knowledge::Fully) => 3,
        };
        Row {
            spec: self.spec,
            knowledge,
            verdict,
            what,
            fields: self.fields.clone(),
            first: self.first.map(|(field, uid)| (field.byte(), uid)),
            unknown: self
                .unknown
                .iter()
                .map(|(field, why)| (field.byte(), why.clone()))
                .collect(),
            replaced: self.replaced.clone(),
            drained: self.drained,
            digests: self.inputs.zip(self.results),
        }
        .encode()
    }

    /// Undoes [`Record::to_bytes`]; `None` for damaged bytes.
    pub fn of_bytes(
        netuid: NetUid,
        mechanism: MechId,
        block: BlockNumber,
        bytes: &[u8],
    ) -> Option<Record> {
        use parity_scale_codec::DecodeAll;
        let row = Row::decode_all(&mut &bytes[..]).ok()?;
        let first = match row.first {
            None => None,
            Some((byte, uid)) => Some((Field::of_byte(byte)?, uid)),
        };
        let unknown = row.unknown.into_iter();
        let unknown: Option<Vec<_>> = unknown
            .map(|(byte, why)| Some((Field::of_byte(byte)?, why)))
            .collect();
        if row.fields.iter().any(|d| Field::of_byte(d.field).is_none()) {
            return None;
        }
        Some(Record {
            netuid,
            mechanism,
            block,
            spec: row.spec,
            knowledge: match row.knowledge {
                0 => None,
                1 => Some(Knowledge::Unchecked),
                2 => Some(Knowledge::Partly),
                3 => Some(Knowledge::Fully),
                _ => return None,
            },
            verdict: Verdict::of_parts(row.verdict, row.what)?,
            fields: row.fields,
            first,
            unknown: unknown?,
            replaced: row.replaced,
            drained: row.drained,
            inputs: row.digests.map(|(inputs, _)| inputs),
            results: row.digests.map(|(_, results)| results),
        })
    }
}

/// One hash for a range of epochs of a subnet's mechanism: the records in the order of their
/// blocks, each digest hashed together with the chain before it. Two operators who get another
/// hash for the same range compare halves of it.
pub fn chained<'a>(records: impl IntoIterator<Item = &'a Record>) -> [u8; 32] {
    records.into_iter().fold([0; 32], chained_to)
}

/// The hash of a range that goes on with one more record; of nothing it is all zeros.
pub fn chained_to(chain: [u8; 32], record: &Record) -> [u8; 32] {
    let mut bytes = chain.to_vec();
    bytes.extend_from_slice(&record.block.to_be_bytes());
    bytes.extend_from_slice(&record.digest());
    chain_metadata::blake2_256(&bytes).0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(block: BlockNumber) -> Record {
        Record {
            fields: vec![Difference {
                field: Field::Incentive.byte(),
                compared: 7,
                differing: 2,
                max_abs_diff: 300,
                first_uid: Some(4),
            }],
            first: Some((Field::Incentive, 4)),
            unknown: vec![(Field::Emission, "nobody knows".into())],
            replaced: vec![9],
            drained: Some(12),
            inputs: Some([1; 32]),
            results: Some([2; 32]),
            ..Record::without(NetUid(3), MechId(1), block, 300, Verdict::Differs)
        }
    }

    #[test]
    fn records_come_back_from_disk() {
        let verdicts = [
            Verdict::Exact,
            Verdict::Differs,
            Verdict::InputIncomplete("a".into()),
            Verdict::RulesUnknown("b".into()),
            Verdict::NotRun("c".into()),
        ];
        for verdict in verdicts {
            let record = Record {
                verdict,
                ..record(8)
            };
            let back = Record::of_bytes(NetUid(3), MechId(1), 8, &record.to_bytes());
            assert_eq!(back, Some(record));
        }
    }

    #[test]
    fn the_chain_depends_on_every_record_and_on_their_order() {
        let (a, b, c) = (record(1), record(2), record(3));
        let whole = chained([&a, &b, &c]);
        assert_ne!(whole, chained([&a, &c, &b]));
        assert_ne!(whole, chained([&a, &b]));
        let mut other = b.clone();
        other.inputs = Some([3; 32]);
        assert_ne!(whole, chained([&a, &other, &c]));
        assert_eq!(whole, chained([&a, &b, &c]));
    }

    proptest! {
        #[test]
        fn damaged_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Record::of_bytes(NetUid(1), MechId(0), 1, &bytes);
        }
    }
}
