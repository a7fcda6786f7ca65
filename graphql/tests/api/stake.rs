//! Stake and its movements.

use serde_json::{Value, json};

use crate::fake::{Fake, account};
use crate::http::start;

#[tokio::test(flavor = "multi_thread")]
async fn movements_are_given_page_by_page() {
    let server = start(Fake::new()).await;
    let data = server
        .data(
            "{ stakeMovements(netuid: 9, asOf: { block: 19 }, first: 2) { hasNextPage endCursor nodes {
                 id blockNumber eventIndex kind tao alpha fee
                 from { hotkey coldkey netuid } to { netuid }
                 madeBy { extrinsicIndex path extrinsic { index } } } } }",
        )
        .await;
    let page = &data["stakeMovements"];
    assert_eq!(page["hasNextPage"], true);
    assert_eq!(
        page["nodes"],
        json!([
            { "id": "19-1", "blockNumber": 19, "eventIndex": 4, "kind": "MOVED_AND_TRANSFERRED",
              "tao": "9007199254740993", "alpha": null, "fee": null,
              "from": { "hotkey": account(3).to_string(), "coldkey": null, "netuid": 9 },
              "to": { "netuid": 9 }, "madeBy": null },
            { "id": "18-1", "blockNumber": 18, "eventIndex": 4, "kind": "ADDED",
              "tao": "9007199254740993", "alpha": "0", "fee": null,
              "from": null, "to": { "netuid": 9 },
              "madeBy": { "extrinsicIndex": 0, "path": [2], "extrinsic": { "index": 0 } } },
        ])
    );
    let after = page["endCursor"].as_str().unwrap();
    let next = format!(
        "{{ stakeMovements(asOf: {{ block: 19 }}, first: 100, after: \"{after}\") {{ hasNextPage endCursor nodes {{ id }} }} }}"
    );
    let data = server.data(&next).await;
    let page = &data["stakeMovements"];
    assert_eq!(page["nodes"][0], json!({ "id": "17-1" }));
    assert_eq!(page["nodes"].as_array().unwrap().len(), 8);
    assert_eq!(page["endCursor"], Value::Null);
    for wrong in [
        "{ stakeMovements(first: 101) { hasNextPage } }",
        "{ stakeMovements(first: -1) { hasNextPage } }",
        "{ stakeMovements(after: \"62\") { hasNextPage } }",
    ] {
        let body = json!({ "query": wrong }).to_string();
        let answer = server.post(&body).await.body;
        assert!(answer.contains("BAD_INPUT"), "{wrong}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stake_is_given_by_hotkey_and_by_coldkey() {
    let server = start(Fake::new()).await;
    let who = account(200);
    let ask = |args: &str| {
        format!(
            "{{ stake({args}, asOf: {{ block: 15 }}) {{ totalCount hasNextPage endCursor nodes {{
                 asOfBlock entry hotkey coldkey netuid value bytes changedAt poolAlpha poolShares }} }} }}"
        )
    };
    let data = server
        .data(&ask(&format!("hotkey: \"{who}\", first: 3")))
        .await;
    let page = &data["stake"];
    assert_eq!(page["totalCount"], 5);
    assert_eq!(
        page["nodes"][0],
        json!({ "asOfBlock": 15, "entry": "Alpha", "hotkey": who.to_string(),
                "coldkey": account(1).to_string(), "netuid": 7,
                "value": { "bits": "340282366920938463463374607431768211455" },
                "bytes": "0x0101010101010101", "changedAt": 11,
                "poolAlpha": "9007199254740993", "poolShares": { "bits": "5" } })
    );
    // Bytes that nobody can read are shown, and no value is made of them.
    assert_eq!(page["nodes"][2]["value"], Value::Null);
    assert_eq!(page["nodes"][2]["bytes"], "0x0303030303030303");
    let after = page["endCursor"].as_str().unwrap();
    let rest = format!("hotkey: \"{who}\", first: 3, after: \"{after}\"");
    let data = server.data(&ask(&rest)).await;
    assert_eq!(data["stake"]["nodes"].as_array().unwrap().len(), 2);
    assert_eq!(data["stake"]["nodes"][0]["coldkey"], account(4).to_string());
    assert_eq!(data["stake"]["hasNextPage"], false);
    assert_eq!(data["stake"]["endCursor"], Value::Null);
    let both = format!("coldkey: \"{who}\", hotkey: \"{}\", netuid: 2", account(2));
    let data = server.data(&ask(&both)).await;
    assert_eq!(data["stake"]["totalCount"], 1);
    assert_eq!(data["stake"]["nodes"][0]["netuid"], 2);
    for wrong in [
        "{ stake { totalCount } }".to_owned(),
        "{ stake(netuid: 1) { totalCount } }".to_owned(),
        ask(&format!("hotkey: \"{who}\", first: 1001")),
        format!(
            "{{ stake(hotkey: \"{who}\", asOf: {{ block: 16 }}, after: \"{after}\") {{ totalCount }} }}"
        ),
    ] {
        let body = json!({ "query": wrong }).to_string();
        let answer = server.post(&body).await.body;
        assert!(answer.contains("BAD_INPUT"), "{wrong}: {answer}");
    }
}
