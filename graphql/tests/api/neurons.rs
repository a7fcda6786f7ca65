//! Lists of neurons are answered the same whether they are written in one go or field by
//! field.

use serde_json::Value;

use crate::fake::Fake;
use crate::http::start;

/// Every plain field.
const PLAIN: &str = "__typename netuid mechanism uid hotkey coldkey blockAtRegistration active
    rank rankNormalized trust trustNormalized consensus consensusNormalized incentive incentiveNormalized
    dividends dividendsNormalized emission validatorTrust validatorTrustNormalized validatorPermit
    stakeWeight stakeWeightNormalized pruningScore pruningScoreNormalized lastUpdate
    axon { __typename block version ip ipText port ipType protocol placeholder1 placeholder2 }
    prometheus { __typename block version ip ipText port ipType }";

/// The answer, and the same asked with a field that is not plain, without that field.
async fn both(selection: &str, more: &str) -> (Value, Value) {
    let server = start(Fake::with(|held| held.neurons = 24)).await;
    let ask = |extra: &str| {
        format!("{{ metagraph(netuid: 1) {{ neurons {{ {selection} {extra} }} }} }} {more}")
    };
    let quick = server.data(&ask("")).await;
    let mut slow = server.data(&ask("stamp { block }")).await;
    for neuron in slow["metagraph"]["neurons"].as_array_mut().unwrap() {
        assert!(neuron.as_object_mut().unwrap().remove("stamp").is_some());
    }
    (quick, slow)
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_fields_are_the_same_in_one_go() {
    let (quick, slow) = both(PLAIN, "").await;
    assert_eq!(quick, slow);
    let neurons = quick["metagraph"]["neurons"].as_array().unwrap();
    assert_eq!(neurons.len(), 24);
    assert_eq!(neurons[3]["uid"], 3);
    assert_eq!(neurons[3]["__typename"], "Neuron");
    // The order is that of the query.
    let keys: Vec<_> = neurons[0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys.len(), 29);
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_fragments_and_repeated_fields_too() {
    for (selection, more) in [
        ("a: uid b: uid uid uid", ""),
        (
            "...one ... on Neuron { hotkey ... { netuid } }",
            "fragment one on Neuron { uid axon { port } }",
        ),
        // Selected in two parts.
        ("axon { port } axon { ip } uid", ""),
        ("x: axon { p: port } y: axon { ip p: port }", ""),
        ("uid @include(if: true) hotkey @skip(if: true)", ""),
        (
            "...one",
            "fragment one on Neuron { uid @skip(if: false) hotkey @include(if: false) }",
        ),
        ("uid axon { port @skip(if: true) ip }", ""),
        (
            "uid axon { ...served }",
            "fragment served on Axon { ip port }",
        ),
    ] {
        let (quick, slow) = both(selection, more).await;
        assert_eq!(quick, slow, "{selection}");
        assert_eq!(quick["metagraph"]["neurons"].as_array().unwrap().len(), 24);
    }
}
