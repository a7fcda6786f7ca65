//! Answers of runtime APIs on mainnet and testnet.
//!
//! At spec 165 these methods answered `Vec<u8>`, so its own metadata does not describe the bytes;
//! that of spec 233 does, and the structs had not changed.

use chain_metadata::{Value, decode_all, encode_type, runtime_api_output, skip_type};

use crate::support::{hex_file, metadata};

fn decoded(file: &str, api: &str, method: &str) -> Value {
    let meta = metadata("subtensor_spec233_v15");
    let raw = hex_file(&format!("runtime-api/{file}.hex"));
    let output = runtime_api_output(&meta, api, method).unwrap();
    let value = decode_all(meta.types(), output, &raw).unwrap();
    let mut again = Vec::new();
    encode_type(meta.types(), output, &value, &mut again).unwrap();
    assert!(again == raw, "{file} does not encode back");
    let mut rest = raw.as_slice();
    skip_type(meta.types(), output, &mut rest).unwrap();
    assert!(rest.is_empty());
    value
}

fn number(value: &Value, field: &str) -> u64 {
    value
        .field(field)
        .and_then(Value::as_u64)
        .unwrap_or_else(|| panic!("{field} in {value:?}"))
}

/// Pairs of uid and weight.
fn pairs(value: &Value, field: &str) -> Vec<(usize, u64)> {
    let list = value.field(field).unwrap().items().iter();
    list.map(|pair| match pair.items() {
        [uid, weight] => (usize::from(uid.as_u16().unwrap()), weight.as_u64().unwrap()),
        other => panic!("{other:?}"),
    })
    .collect()
}

#[test]
fn neurons_of_a_mainnet_subnet() {
    let neurons = decoded(
        "neurons_spec165_netuid2",
        "NeuronInfoRuntimeApi",
        "get_neurons",
    );
    let neurons = neurons.items();
    assert_eq!(neurons.len(), 256);
    for (uid, neuron) in neurons.iter().enumerate() {
        assert_eq!(number(neuron, "uid"), u64::try_from(uid).unwrap());
        assert_eq!(number(neuron, "netuid"), 2);
        assert!(neuron.field("hotkey").unwrap().as_account().is_some());
    }
    // Dividends follow from bonds and incentive: that they do shows that every field is what its
    // name says.
    let incentive: Vec<u64> = neurons.iter().map(|n| number(n, "incentive")).collect();
    let mut columns = vec![0; neurons.len()];
    for neuron in neurons {
        for (uid, bond) in pairs(neuron, "bonds") {
            columns[uid] += bond;
        }
    }
    let share = |neuron: &Value| -> f64 {
        let bonds = pairs(neuron, "bonds").into_iter();
        bonds
            .map(|(uid, bond)| bond as f64 / columns[uid] as f64 * incentive[uid] as f64)
            .sum()
    };
    let shares: Vec<f64> = neurons.iter().map(share).collect();
    let total: f64 = shares.iter().sum();
    for (neuron, share) in neurons.iter().zip(shares) {
        let expected = share / total;
        let found = number(neuron, "dividends") as f64 / 65535.0;
        assert!(
            (expected - found).abs() < 2.0 / 65535.0,
            "{expected} {found}"
        );
    }
}

#[test]
fn delegates_of_mainnet() {
    let delegates = decoded(
        "delegates_spec165",
        "DelegateInfoRuntimeApi",
        "get_delegates",
    );
    assert_eq!(delegates.items().len(), 360);
    let nominators = delegates.items().iter().map(|delegate| {
        let list = delegate.field("nominators").unwrap().items();
        assert!(
            list.iter()
                .all(|pair| pair.items()[0].as_account().is_some())
        );
        list.len()
    });
    assert_eq!(nominators.sum::<usize>(), 24_460);
}

#[test]
fn subnets_of_testnet() {
    let subnets = decoded(
        "subnets_info_testnet",
        "SubnetInfoRuntimeApi",
        "get_subnets_info",
    );
    assert_eq!(subnets.items().len(), 207);
    let present = subnets
        .items()
        .iter()
        .filter_map(|subnet| subnet.as_option().unwrap());
    let netuids: Vec<u64> = present.map(|subnet| number(subnet, "netuid")).collect();
    assert!(netuids.len() > 100 && netuids.is_sorted());
}
