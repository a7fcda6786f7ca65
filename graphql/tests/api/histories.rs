//! What changed over time: tenancies, causes of weights, searches.

use serde_json::{Value, json};

use crate::fake::{Fake, WIDE, account};
use crate::http::{only_error, start};

#[tokio::test(flavor = "multi_thread")]
async fn tenancies_are_linked_where_the_neuron_is_the_same() {
    let server = start(Fake::new()).await;
    let all = "netuid uid hotkey fromBlock untilBlock began ended registeredAt";
    let data = server
        .data(&format!(
            "{{ swapped: neuron(netuid: 1, uid: 0, asOf: {{ block: 12 }}) {{ tenancy {{ {all}
                 previous {{ uid }} next {{ fromBlock hotkey previous {{ fromBlock }} }} }} }}
               replaced: tenancies(netuid: 1, uid: 3) {{ hasNextPage endCursor nodes {{ {all}
                 previous {{ uid }} next {{ uid }} }} }} }}"
        ))
        .await;
    assert_eq!(
        data["swapped"]["tenancy"],
        json!({
            "netuid": 1, "uid": 0, "hotkey": account(0).to_string(), "fromBlock": 10,
            "untilBlock": 13, "began": "FOUND_AT_START", "ended": "SWAPPED",
            "registeredAt": WIDE.to_string(), "previous": null,
            "next": { "fromBlock": 13, "hotkey": account(100).to_string(),
                      "previous": { "fromBlock": 10 } },
        })
    );
    let nodes = data["replaced"]["nodes"].as_array().unwrap();
    let shown: Vec<_> = nodes
        .iter()
        .map(|n| (&n["fromBlock"], &n["next"]))
        .collect();
    assert_eq!(
        shown,
        [(&json!(15), &Value::Null), (&json!(10), &Value::Null)]
    );
    assert_eq!(nodes[1]["ended"], "REGISTERED");
    assert_eq!(data["replaced"]["hasNextPage"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on_at_its_cursor_and_refuses_others() {
    let server = start(Fake::new()).await;
    let page = |after: &str| {
        format!(
            "{{ tenancies(netuid: 1, uid: 3, first: 1{after}) {{ endCursor hasNextPage nodes {{ fromBlock }} }} }}"
        )
    };
    let first = server.data(&page("")).await;
    let cursor = first["tenancies"]["endCursor"].as_str().unwrap().to_owned();
    assert_eq!(first["tenancies"]["hasNextPage"], true);
    let next = server.data(&page(&format!(r#", after: "{cursor}""#))).await;
    assert_eq!(next["tenancies"]["nodes"], json!([{ "fromBlock": 10 }]));
    for wrong in [
        format!(r#"{{ findEvents(after: "{cursor}") {{ hasNextPage }} }}"#),
        "{ tenancies(netuid: 1) { hasNextPage } }".into(),
        "{ tenancies(netuid: 1, uid: 1, first: 101) { hasNextPage } }".into(),
        "{ findEvents(fromBlock: 15, toBlock: 14) { hasNextPage } }".into(),
    ] {
        let answer = server.ask(&wrong).await;
        assert_eq!(only_error(&answer).1["code"], "BAD_INPUT", "{wrong}");
    }
    let outside = server
        .ask("{ findExtrinsics(fromBlock: 9) { hasNextPage } }")
        .await;
    assert_eq!(only_error(&outside).1["code"], "OUT_OF_RANGE");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_w_say_what_set_them_and_bonds_do_not() {
    let server = start(Fake::new()).await;
    let cause = "setBy { blockNumber kind hotkey item versionKey commit { id kind }
                 madeBy { blockNumber extrinsicIndex path } }";
    let data = server
        .data(&format!(
            "{{ weights(netuid: 1, asOf: {{ block: 14 }}) {{ rows {{ uid changedAt {cause} }} }}
               bonds(netuid: 1, asOf: {{ block: 14 }}) {{ rows {{ changedAt setBy {{ kind }} }} }}
               weightChanges(netuid: 1, uid: 2, from: 11, to: 15) {{ hasNextPage nodes {{
                 blockNumber entryCount uids values entries {{ uid value }} {cause} }} }} }}"
        ))
        .await;
    let rows = &data["weights"]["rows"];
    assert_eq!(
        rows[0]["setBy"],
        json!({
            "blockNumber": 14, "kind": "BATCH", "hotkey": account(9).to_string(), "item": 4,
            "versionKey": WIDE.to_string(), "commit": null,
            "madeBy": { "blockNumber": 14, "extrinsicIndex": 2, "path": [1, 0] },
        })
    );
    // The row as found in the first block has no cause.
    assert_eq!(
        (&rows[1]["changedAt"], &rows[1]["setBy"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        data["bonds"]["rows"][0],
        json!({ "changedAt": 14, "setBy": null })
    );
    let versions = &data["weightChanges"]["nodes"];
    assert_eq!(versions[0]["setBy"]["kind"], "TIMELOCK_REVEAL");
    assert_eq!(versions[0]["setBy"]["commit"]["id"], "12-0");
    assert_eq!(versions[0]["setBy"]["madeBy"], Value::Null);
    assert_eq!(
        (&versions[0]["uids"], &versions[0]["values"]),
        (&json!([3, 0]), &json!([65535, 2]))
    );
    assert_eq!(
        versions[1],
        json!({ "blockNumber": 15, "entryCount": null, "uids": null, "values": null,
                "entries": null, "setBy": null })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_pass_their_conditions_on() {
    let server = start(Fake::new()).await;
    let signer = account(2);
    let data = server
        .data(&format!(
            r#"{{ findExtrinsics(account: "{signer}", call: "batch", success: false, fromBlock: 18, first: 2) {{
                 hasNextPage endCursor nodes {{ paths extrinsic {{ blockNumber index success }} }} }}
               findEvents(pallet: "SubtensorModule", name: "EpochTriggered", toBlock: 11) {{
                 hasNextPage nodes {{ blockNumber index name }} }} }}"#
        ))
        .await;
    let found = &data["findExtrinsics"];
    assert_eq!(found["nodes"][0]["paths"], json!([[0, 1], []]));
    assert_eq!(
        found["nodes"][1]["extrinsic"],
        json!({ "blockNumber": 19, "index": 2, "success": false })
    );
    assert_eq!(found["hasNextPage"], true);
    let blocks = data["findEvents"]["nodes"].as_array().unwrap();
    assert_eq!(blocks.len(), 2);
    assert_eq!(data["findEvents"]["hasNextPage"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_comes_in_segments_with_raw_values_beside_shares() {
    let server = start(Fake::new()).await;
    let data = server
        .data(
            "{ series(netuid: 1, uid: 3, fields: [INCENTIVE, TRUST, EMISSION, VALIDATOR_PERMIT], from: 12,
                 first: 3) { hasNextPage endCursor segments { tenancy { hotkey fromBlock }
                 points { blockNumber epochIndex values { field value normalized } } } }
               changes: series(netuid: 1, uid: 1, fields: [RANK], every: CHANGE, to: 11) { hasNextPage
                 segments { points { blockNumber } } }
               epochs(netuid: 1, from: 11, first: 2) { hasNextPage nodes {
                 netuid outputBlock inputBlock index mechanismCount } } }",
        )
        .await;
    let segments = &data["series"]["segments"];
    assert_eq!(
        segments[0]["tenancy"],
        json!({ "hotkey": account(3).to_string(), "fromBlock": 10 })
    );
    assert_eq!(
        segments[0]["points"][0],
        json!({ "blockNumber": 12, "epochIndex": null, "values": [
            { "field": "INCENTIVE", "value": "65535", "normalized": 1.0 },
            { "field": "TRUST", "value": null, "normalized": null },
            { "field": "EMISSION", "value": WIDE.to_string(), "normalized": null },
            { "field": "VALIDATOR_PERMIT", "value": "1", "normalized": null },
        ] })
    );
    assert_eq!(segments[0]["points"].as_array().map(Vec::len), Some(2));
    assert_eq!(segments[1]["tenancy"]["fromBlock"], 15);
    assert_eq!(data["series"]["hasNextPage"], true);
    let points = &data["changes"]["segments"][0]["points"];
    assert_eq!(
        *points,
        json!([{ "blockNumber": 10 }, { "blockNumber": 11 }])
    );
    assert_eq!(
        data["epochs"],
        json!({ "hasNextPage": true, "nodes": [
            { "netuid": 1, "outputBlock": 12, "inputBlock": 11, "index": null, "mechanismCount": 2 },
            { "netuid": 1, "outputBlock": 16, "inputBlock": 15, "index": WIDE.to_string(), "mechanismCount": 2 },
        ] })
    );
    for wrong in [
        "{ series(netuid: 1, uid: 3, fields: []) { hasNextPage } }",
        "{ series(netuid: 1, uid: 3, fields: [RANK, RANK]) { hasNextPage } }",
        "{ series(netuid: 1, fields: [RANK]) { hasNextPage } }",
        "{ series(netuid: 1, uid: 3, fields: [RANK], first: 501) { hasNextPage } }",
    ] {
        assert_eq!(server.error(wrong).await.1["code"], "BAD_INPUT", "{wrong}");
    }
}
