//! Epochs computed again, as a client meets them.

use serde_json::{Value, json};

use crate::fake::{Fake, WIDE};
use crate::http::start;

#[tokio::test(flavor = "multi_thread")]
async fn a_record_says_everything_and_gives_both_sides() {
    let server = start(Fake::new()).await;
    let data = server
        .data(
            "{ verification(netuid: 1, block: 11) {
                 blockNumber netuid mechanism specVersion rules verdict what
                 fields { field stage compared differing maxAbsDiff firstUid }
                 firstDifference { field firstUid } notCompared { field why } replacedUids drained
                 inputsHash resultsHash
                 neurons { uid values { field computed stored equal } }
                 some: neurons(differing: true) { uid } }
               exact: verification(netuid: 1, block: 12) { verdict firstDifference { field } }
               none: verification(netuid: 1, mechanism: 3, block: 12) { verdict } }",
        )
        .await;
    let wide = WIDE.to_string();
    assert_eq!(
        data["verification"],
        json!({
            "blockNumber": 11, "netuid": 1, "mechanism": 0, "specVersion": 301,
            "rules": "checked in full", "verdict": "DIFFERS", "what": null,
            "fields": [{ "field": "incentive", "stage": "ranks", "compared": 4, "differing": 1,
                         "maxAbsDiff": wide, "firstUid": 2 }],
            "firstDifference": { "field": "incentive", "firstUid": 2 },
            "notCompared": [{ "field": "emission", "why": "not known" }],
            "replacedUids": [3], "drained": wide,
            "inputsHash": format!("0x{}", "07".repeat(32)), "resultsHash": null,
            "neurons": [
                { "uid": 0, "values": [{ "field": "incentive", "computed": wide, "stored": wide, "equal": true }] },
                { "uid": 1, "values": [{ "field": "incentive", "computed": wide, "stored": null, "equal": false }] },
            ],
            "some": [{ "uid": 1 }],
        })
    );
    assert_eq!(data["exact"]["verdict"], "EXACT");
    assert_eq!(data["exact"]["firstDifference"], Value::Null);
    assert_eq!(data["none"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_come_page_by_page() {
    let server = start(Fake::new()).await;
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let data = server
            .data(&format!(
                "{{ verifications(from: 11, to: 19, verdict: DIFFERS, first: 2{after}) {{
                     nodes {{ blockNumber verdict }} hasNextPage endCursor }} }}"
            ))
            .await;
        let page = &data["verifications"];
        for node in page["nodes"].as_array().unwrap() {
            assert_eq!(node["verdict"], "DIFFERS");
            seen.push(node["blockNumber"].as_u64().unwrap());
        }
        match page["endCursor"].as_str() {
            Some(cursor) => after = format!(", after: \"{cursor}\""),
            None => break,
        }
    }
    assert_eq!(seen, [19, 17, 15, 13, 11]);
    for (arguments, word) in [
        ("first: 201", "from 0 to 200"),
        ("first: -1", "from 0 to 200"),
        ("after: \"00\"", "endCursor"),
        ("after: \"630000000b00000000\"", "endCursor"),
        ("from: 9, to: 3", "above `to`"),
    ] {
        let query = format!("{{ verifications({arguments}) {{ hasNextPage }} }}");
        let (message, extensions) = server.error(&query).await;
        assert_eq!(extensions["code"], "BAD_INPUT");
        assert!(message.contains(word), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_and_a_subnet_are_summed_up() {
    let server = start(Fake::new()).await;
    let data = server
        .data(
            "{ verificationSummary(from: 11, to: 20) { epochs exact differs inputIncomplete
                 rulesUnknown notRun shareExact
                 worst { record { blockNumber } deviations { field correlation rankCorrelation } }
                 chains { netuid mechanism records hash } }
               empty: verificationSummary(netuid: 9) { epochs shareExact }
               badge(netuid: 1) { netuid text allExact epochs exact newest { blockNumber } }
               none: badge(netuid: 9) { text }
               status { verifiedFirst verifiedLast } }",
        )
        .await;
    let wide = WIDE.to_string();
    assert_eq!(
        data["verificationSummary"],
        json!({
            "epochs": "10", "exact": "5", "differs": "5", "inputIncomplete": "0",
            "rulesUnknown": "0", "notRun": "0", "shareExact": 0.5,
            "worst": [{ "record": { "blockNumber": 11 }, "deviations": [
                { "field": "incentive", "correlation": 0.5, "rankCorrelation": null }] }],
            "chains": [{ "netuid": 1, "mechanism": 0, "records": wide,
                         "hash": format!("0x{}", "08".repeat(32)) }],
        })
    );
    assert_eq!(data["empty"], json!({ "epochs": "0", "shareExact": null }));
    assert_eq!(
        data["badge"],
        json!({ "netuid": 1, "text": "5 of 11 epochs exact", "allExact": false,
                "epochs": "11", "exact": "5", "newest": { "blockNumber": 20 } })
    );
    assert_eq!(data["none"], Value::Null);
    assert_eq!(
        data["status"],
        json!({ "verifiedFirst": 10, "verifiedLast": 20 })
    );
}
