//! What the program serves of its verdicts.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::served::{http, start};

fn ask(address: &str, query: &str) -> Value {
    let body = json!({ "query": query }).to_string();
    let (status, answer) = http(address, "POST", "/graphql", &body);
    assert_eq!(status, 200, "{answer}");
    let mut answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer.get("errors"), None, "{query}\n{answer:#}");
    answer["data"].take()
}

#[test]
fn the_demo_serves_verdicts_of_every_epoch() {
    let served = start(&["demo", "--listen", "127.0.0.1:0", "--log", "warn"]);
    let ask = |query: &str| ask(&served.address, query);
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let status = ask("{ status { last verifiedFirst verifiedLast } }");
        if status["status"] == json!({ "last": 329, "verifiedFirst": 0, "verifiedLast": 329 }) {
            break;
        }
        assert!(Instant::now() < patience, "{status}");
        std::thread::sleep(Duration::from_millis(100));
    }
    let data = ask(
        "{ verificationSummary { epochs exact differs inputIncomplete rulesUnknown notRun shareExact
             worst { record { blockNumber } } chains { netuid mechanism records } }
           badge(netuid: 1) { text allExact newest { blockNumber verdict } }
           all: verifications(first: 100) { nodes { blockNumber netuid verdict } hasNextPage }
           wrong: verifications(verdict: DIFFERS) { nodes { blockNumber } hasNextPage } }",
    );
    let summary = json!({
        "epochs": "73", "exact": "73", "differs": "0", "inputIncomplete": "0", "rulesUnknown": "0",
        "notRun": "0", "shareExact": 1.0, "worst": [], "chains": [
            { "netuid": 1, "mechanism": 0, "records": "15" },
            { "netuid": 2, "mechanism": 0, "records": "26" },
            { "netuid": 3, "mechanism": 0, "records": "32" },
        ],
    });
    assert_eq!(data["verificationSummary"], summary);
    assert_eq!(
        data["badge"],
        json!({ "text": "15 of 15 epochs exact", "allExact": true,
                "newest": { "blockNumber": 312, "verdict": "EXACT" } })
    );
    let all = data["all"]["nodes"].as_array().unwrap();
    assert_eq!(all.len(), 73);
    assert_eq!(data["all"]["hasNextPage"], false);
    let order: Vec<_> = all
        .iter()
        .map(|n| (n["blockNumber"].as_u64(), n["netuid"].as_u64()))
        .collect();
    assert!(order.is_sorted_by(|a, b| a > b), "{order:?}");
    assert_eq!(data["wrong"], json!({ "nodes": [], "hasNextPage": false }));

    // Page by page it is the same list.
    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let data = ask(&format!(
            "{{ verifications(first: 10{after}) {{ nodes {{ blockNumber netuid }} endCursor }} }}"
        ));
        let page = &data["verifications"];
        for node in page["nodes"].as_array().unwrap() {
            paged.push((node["blockNumber"].as_u64(), node["netuid"].as_u64()));
        }
        match page["endCursor"].as_str() {
            Some(cursor) => after = format!(", after: \"{cursor}\""),
            None => break,
        }
    }
    assert_eq!(paged, order);

    // Side by side, and explained: the contributions add up to the rank, and it to what was stored.
    let data = ask(
        "{ verification(netuid: 1, block: 207) { verdict fields { field differing }
             neurons { uid values { field computed stored equal } }
             differing: neurons(differing: true) { uid } }
           metagraph(netuid: 1, asOf: { block: 207 }) { neurons { uid incentive } } }",
    );
    let record = &data["verification"];
    assert_eq!(record["fields"].as_array().unwrap().len(), 12);
    assert_eq!(record["differing"], json!([]));
    let (mut explained, mut masked) = (0, 0);
    for neuron in data["metagraph"]["neurons"].as_array().unwrap() {
        let (uid, incentive) = (neuron["uid"].as_u64().unwrap(), &neuron["incentive"]);
        let mine = &record["neurons"][usize::try_from(uid).unwrap()];
        let values = mine["values"].as_array().unwrap();
        let value = values.iter().find(|v| v["field"] == "incentive").unwrap();
        assert_eq!(
            value["computed"],
            json!(incentive.as_u64().unwrap().to_string())
        );
        assert_eq!(value["equal"], true);
        let data = ask(&format!(
            "{{ explainEpoch(netuid: 1, block: 207, uid: {uid}) {{ storedIncentive
                 rank {{ bits }} incentive {{ bits }}
                 median {{ decidedBy consensus {{ bits }} votes {{ validator score {{ bits }} }} }}
                 weights {{ raw removedBy normalised {{ bits }} clipped {{ bits }}
                   contribution {{ bits }} }} }} }}"
        ));
        let told = &data["explainEpoch"];
        let bits = |v: &Value| -> u64 { v["bits"].as_str().unwrap().parse().unwrap() };
        let weights = told["weights"].as_array().unwrap();
        let sum: u64 = weights.iter().map(|w| bits(&w["contribution"])).sum();
        assert_eq!(sum, bits(&told["rank"]), "{told:#}");
        let share = (u128::from(bits(&told["incentive"])) * 65_535) >> 32;
        assert_eq!(share, u128::from(incentive.as_u64().unwrap()));
        assert_eq!(told["storedIncentive"], *incentive);
        let median = &told["median"];
        let consensus = bits(&median["consensus"]);
        for weight in weights {
            let normalised = bits(&weight["normalised"]);
            if !weight["removedBy"].is_null() {
                assert_eq!(normalised, 0, "{weight}");
                masked += 1;
            }
            assert_eq!(bits(&weight["clipped"]), normalised.min(consensus));
        }
        if consensus > 0 {
            // A median is somebody's weight.
            let votes = median["votes"].as_array().unwrap();
            let vote = votes.iter().find(|v| v["validator"] == median["decidedBy"]);
            assert_eq!(bits(&vote.unwrap()["score"]), consensus, "{told:#}");
            explained += 1;
        }
    }
    assert!(explained > 3, "{explained} {masked}");
}
