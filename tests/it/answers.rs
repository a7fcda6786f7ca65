//! Every field of every answer that the runtimes gave while the recordings were
//! made, against what the store has at the same block. A field is compared, or it
//! is in [`NOT_COVERED`] with the reason; there is no third way.

mod neurons;
mod subnets;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chain_metadata::{Metadata, NetUid, Recording, Value, decode_type, runtime_api_output};
use indexer::store::Store;
use indexer::view::{self, At};

use crate::context::{RECORDINGS, indexed, recording};

/// Method, field and why the store does not cover it; the same table is in
/// `docs/coverage.md`.
const NOT_COVERED: &[(&str, &str, &str)] = &[
    (
        "get_delegates",
        "return_per_1000",
        "an estimate that the runtime computes for display",
    ),
    (
        "get_delegates",
        "total_daily_return",
        "an estimate that the runtime computes for display",
    ),
    ("get_dynamic_info", "emission", "always 0 in this runtime"),
    (
        "get_dynamic_info",
        "subnet_name",
        "a list of names in the runtime's code",
    ),
    (
        "get_metagraph",
        "name",
        "a list of names in the runtime's code",
    ),
    (
        "get_metagraph",
        "alpha_stake",
        "computed from TotalHotkeyAlpha, ParentKeys and ChildKeys, all of which are kept; compared where a hotkey has no kin",
    ),
    (
        "get_metagraph",
        "tao_stake",
        "computed from TotalHotkeyAlpha on root, TaoWeight, ParentKeys and ChildKeys, all of which are kept",
    ),
    (
        "get_metagraph",
        "total_stake",
        "the sum of alpha_stake and tao_stake",
    ),
    (
        "get_metagraph",
        "subnet_emission",
        "always 0 in this runtime",
    ),
    (
        "get_subnet_info",
        "network_connect",
        "always empty in these runtimes",
    ),
    (
        "get_subnet_state",
        "alpha_stake",
        "computed from TotalHotkeyAlpha, ParentKeys and ChildKeys, all of which are kept; compared where a hotkey has no kin",
    ),
    (
        "get_subnet_state",
        "emission_history",
        "LastHotkeyEmissionOnNetuid is not kept; Emission of every epoch is",
    ),
    (
        "get_subnet_state",
        "tao_stake",
        "computed from TotalHotkeyAlpha on root, TaoWeight, ParentKeys and ChildKeys, all of which are kept",
    ),
    (
        "get_subnet_state",
        "total_stake",
        "the sum of alpha_stake and tao_stake",
    ),
];

/// An answer and the place in the store that it is about.
pub(crate) struct Asked<'a> {
    pub(crate) recording: &'a Recording,
    pub(crate) store: &'a Store,
    pub(crate) at: At,
    pub(crate) netuid: NetUid,
    pub(crate) method: String,
    pub(crate) result: Vec<u8>,
}

impl Asked<'_> {
    pub(crate) fn place(&self, field: &str) -> String {
        format!(
            "{} block {} {} of {}: {field}",
            self.recording.name, self.at.number, self.method, self.netuid
        )
    }

    /// A value of the store at the block, with the runtime's default.
    pub(crate) fn held(&self, entry: &str, keys: &[&[u8]]) -> Option<Value> {
        view::held(self.store, &self.at, entry, keys)
            .unwrap()
            .value()
    }

    /// A value of the subnet.
    pub(crate) fn item(&self, entry: &str) -> Value {
        self.held(entry, &[&self.netuid.0.to_le_bytes()])
            .unwrap_or_else(|| panic!("{}", self.place(entry)))
    }

    pub(crate) fn number(&self, entry: &str) -> u128 {
        self.item(entry).as_u128().unwrap()
    }

    /// The answer, decoded with the output type in the metadata.
    pub(crate) fn value(&self) -> Value {
        let spec = self.recording.spec_of_state(self.at.number).unwrap();
        let metadata = Metadata::from_bytes(self.recording.metadata(spec, 15).unwrap()).unwrap();
        let output = runtime_api_output(&metadata, "SubnetInfoRuntimeApi", &self.method).unwrap();
        let mut input = self.result.as_slice();
        let value = decode_type(metadata.types(), output, &mut input).unwrap();
        assert!(input.is_empty(), "{}", self.place("whole answer"));
        match value.as_option() {
            Some(inner) => inner.unwrap().clone(),
            None => value,
        }
    }
}

/// Which fields were compared, and how often.
#[derive(Default)]
pub(crate) struct Seen(BTreeMap<(String, String), usize>);

impl Seen {
    pub(crate) fn compared(&mut self, method: &str, field: &str) {
        *self.0.entry((method.into(), field.into())).or_default() += 1;
    }
}

pub(crate) fn not_covered(method: &str, field: &str) -> bool {
    NOT_COVERED
        .iter()
        .any(|(m, f, _)| *m == method && *f == field)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_every_answer_is_compared_or_listed() {
    let mut seen = Seen::default();
    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    for name in RECORDINGS {
        let recording = recording(name);
        let store = indexed(name).await;
        for call in recording.calls() {
            let (_, method) = call.method.split_once("RuntimeApi_").unwrap();
            let netuid = call.params.as_slice().try_into().map(u16::from_le_bytes);
            let asked = Asked {
                recording: &recording,
                store: &store,
                at: view::at(&store, call.block).unwrap().unwrap(),
                netuid: NetUid(netuid.unwrap_or(0)),
                method: method.to_owned(),
                result: call.result.clone(),
            };
            match method {
                "get_neurons" | "get_neurons_lite" => neurons::stake(&asked, &mut seen),
                "get_delegates" => neurons::delegates(&asked, &mut seen),
                "get_subnet_info" if name == "upgrades" => subnets::old_info(&asked, &mut seen),
                _ => subnets::fields(&asked, &mut seen),
            }
            *answers.entry(method.to_owned()).or_default() += 1;
        }
    }
    let expected = [
        ("get_delegates", 1),
        ("get_dynamic_info", 19),
        ("get_metagraph", 19),
        ("get_neurons", 21),
        ("get_neurons_lite", 21),
        ("get_subnet_hyperparams", 19),
        ("get_subnet_info", 21),
        ("get_subnet_state", 19),
    ];
    let expected = expected.map(|(method, count)| (method.to_owned(), count));
    assert_eq!(answers, BTreeMap::from(expected));
    assert!(seen.0.len() > 150, "{} fields", seen.0.len());
    // What is compared is not listed as if it were not.
    for (method, field) in seen.0.keys() {
        assert!(!not_covered(method, field), "{method} {field}");
    }
}

#[test]
fn the_document_lists_the_same() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/coverage.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows: BTreeSet<&str> = text.lines().filter(|l| l.starts_with("| `get_")).collect();
    let lines = NOT_COVERED
        .iter()
        .map(|(method, field, why)| format!("| `{method}` | `{field}` | {why} |"));
    let lines: Vec<String> = lines.collect();
    let wanted: BTreeSet<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(rows, wanted);
}
