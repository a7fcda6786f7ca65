//! Lists of changes.

use serde_json::{Value, json};

use crate::fake::{Fake, WIDE, account};
use crate::http::{only_error, start};

const CHANGE: &str =
    "blockNumber specVersion item mechanism foundAtStart old oldStored new newStored
    signer madeBy { blockNumber extrinsicIndex path }";

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_shown_with_both_sides_and_the_call() {
    let server = start(Fake::new()).await;
    let hotkey = account(3);
    let data = server
        .data(&format!(
            r#"{{ subnetChanges(netuid: 1, items: ["Tempo"], from: 11, to: 14) {{
                 hasNextPage nodes {{ {CHANGE} }} }}
               stateChanges(entry: "Delegates", hotkey: "{hotkey}", to: 11) {{ nodes {{ {CHANGE} }} }}
               subnetHistory(netuid: 2, to: 16) {{ nodes {{ netuid kind registeredAt
                 change {{ blockNumber item }} }} }} }}"#
        ))
        .await;
    let nodes = &data["subnetChanges"]["nodes"];
    assert_eq!(
        nodes[1],
        json!({ "blockNumber": 12, "specVersion": 300, "item": "Tempo", "mechanism": null,
                "foundAtStart": false, "old": null, "oldStored": false,
                "new": WIDE.to_string(), "newStored": true, "signer": account(7).to_string(),
                "madeBy": { "blockNumber": 12, "extrinsicIndex": 2, "path": [0] } })
    );
    assert_eq!(
        (&nodes[0]["blockNumber"], &nodes[0]["madeBy"]),
        (&json!(14), &Value::Null)
    );
    assert_eq!(data["subnetChanges"]["hasNextPage"], false);
    let start = &data["stateChanges"]["nodes"][0];
    assert_eq!(
        (&start["foundAtStart"], &start["oldStored"], &start["item"]),
        (&json!(true), &Value::Null, &json!("Delegates"))
    );
    let events = data["subnetHistory"]["nodes"].as_array().unwrap();
    let kinds: Vec<_> = events.iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        ["OWNER_HOTKEY", "DISSOLVED", "CREATED", "OWNER_HOTKEY"]
    );
    assert_eq!(
        (&events[0]["registeredAt"], &events[1]["registeredAt"]),
        (&Value::Null, &json!(WIDE.to_string()))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_changes_go_on_and_wrong_questions_are_refused() {
    let server = start(Fake::new()).await;
    let first = server
        .data("{ subnetChanges(netuid: 1, first: 2) { endCursor nodes { blockNumber } } }")
        .await;
    let cursor = first["subnetChanges"]["endCursor"].as_str().unwrap();
    let page = |field: &str| {
        format!(r#"{{ {field}, first: 2, after: "{cursor}") {{ nodes {{ blockNumber }} }} }}"#)
    };
    let next = server.data(&page("subnetChanges(netuid: 1")).await;
    assert_eq!(
        next["subnetChanges"]["nodes"],
        json!([{ "blockNumber": 16 }, { "blockNumber": 14 }])
    );
    let names = vec!["\"Tempo\""; 201].join(", ");
    for wrong in [
        page(r#"stateChanges(entry: "Delegates""#),
        format!(r#"{{ subnetHistory(after: "{cursor}") {{ hasNextPage }} }}"#),
        r#"{ subnetChanges(netuid: 1, items: ["Nothing"]) { hasNextPage } }"#.into(),
        r#"{ stateChanges(entry: "Delegates", netuid: 1) { hasNextPage } }"#.into(),
        format!("{{ subnetChanges(netuid: 1, items: [{names}]) {{ hasNextPage }} }}"),
        "{ subnetHistory(first: 101) { hasNextPage } }".into(),
        "{ subnetHistory(from: 15, to: 14) { hasNextPage } }".into(),
    ] {
        let answer = server.ask(&wrong).await;
        assert_eq!(only_error(&answer).1["code"], "BAD_INPUT", "{wrong}");
    }
    let outside = server
        .ask("{ subnetHistory(from: 9) { hasNextPage } }")
        .await;
    assert_eq!(only_error(&outside).1["code"], "OUT_OF_RANGE");
}
