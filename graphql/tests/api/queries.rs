//! Status, blocks, extrinsics and events.

use serde_json::{Value, json};

use crate::fake::{Fake, WIDE, account, extrinsic_hash, hash_of};
use crate::http::{only_error, start};

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_the_store_is_told() {
    let server = start(Fake::with(|held| {
        held.following = true;
        held.node_finalized = Some(25);
    }))
    .await;
    let data = server
        .data(
            "{ status { genesisHash chain first last lastHash lastTimestampMs lastSpec nodeFinalized
               nodeFinalizedAgeMs lag committedAgeMs following stopped formatVersion }
               availableRange { first last blockCount }
               runtimes { specVersion firstBlock lastBlock metadataHash metadataVersion metadataBytes }
               limits { depth complexity bodyBytes blocksPerPage itemsPerPage } }",
        )
        .await;
    assert_eq!(
        data["status"],
        json!({
            "genesisHash": format!("0x{}", "aa".repeat(32)), "chain": "<Fake> chain",
            "first": 10, "last": 20, "lastHash": hash_of(20).to_string(),
            "lastTimestampMs": WIDE.to_string(), "lastSpec": 301, "nodeFinalized": 25,
            "nodeFinalizedAgeMs": "5", "lag": 5, "committedAgeMs": null, "following": true,
            "stopped": null, "formatVersion": 1,
        })
    );
    assert_eq!(
        data["availableRange"],
        json!({ "first": 10, "last": 20, "blockCount": "11" })
    );
    assert_eq!(data["runtimes"][0]["lastBlock"], 14);
    assert_eq!(data["runtimes"][1]["lastBlock"], Value::Null);
    assert_eq!(data["runtimes"][1]["metadataBytes"], WIDE.to_string());
    assert_eq!(data["limits"]["complexity"], "200000");
    assert_eq!(data["limits"]["blocksPerPage"], 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_found_by_height_by_hash_and_at_the_head() {
    let server = start(Fake::new()).await;
    let all = "number hash parentHash stateRoot extrinsicsRoot timestampMs specVersion
               extrinsicCount eventCount digestLogs parent { number }";
    let (by_hash, unknown) = (hash_of(15), hash_of(99));
    let data = server
        .data(&format!(
            r#"{{ head: block {{ number }} low: block(number: 10) {{ {all} }}
                 hash: block(hash: "{by_hash}") {{ {all} }} none: block(hash: "{unknown}") {{ number }} }}"#
        ))
        .await;
    assert_eq!(data["head"]["number"], 20);
    assert_eq!(data["none"], Value::Null);
    assert_eq!(
        data["hash"],
        json!({
            "number": 15, "hash": by_hash.to_string(), "parentHash": hash_of(14).to_string(),
            "stateRoot": format!("0x{}", "01".repeat(32)),
            "extrinsicsRoot": format!("0x{}", "02".repeat(32)),
            "timestampMs": WIDE.to_string(), "specVersion": 301, "extrinsicCount": 3,
            "eventCount": 5, "digestLogs": ["0x06ab", "0x"], "parent": { "number": 14 },
        })
    );
    assert_eq!(data["low"]["timestampMs"], Value::Null);
    assert_eq!(data["low"]["parent"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_outside_the_range_is_an_error_that_names_the_range() {
    let server = start(Fake::new()).await;
    for query in [
        "{ block(number: 9) { number } }",
        "{ subnets(asOf: { block: 9 }) { netuid } }",
        "{ subnet(netuid: 1, asOf: { block: 9 }) { netuid } }",
        "{ metagraph(netuid: 1, asOf: { block: 9 }) { netuid } }",
        "{ neuron(netuid: 1, uid: 0, asOf: { block: 9 }) { uid } }",
        "{ weights(netuid: 1, asOf: { block: 9 }) { netuid } }",
        "{ bonds(netuid: 1, asOf: { block: 9 }) { netuid } }",
        "{ extrinsic(block: 9, index: 0) { index } }",
    ] {
        let (message, extensions) = server.error(query).await;
        assert_eq!(
            extensions,
            json!({ "code": "OUT_OF_RANGE", "asked": "9", "first": 10, "last": 20 }),
            "{query}"
        );
        assert!(message.contains("10..=20"), "{message}");
    }
    let (_, extensions) = server.error("{ block(number: 21) { number } }").await;
    assert_eq!(extensions["asked"], "21");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_store_answers_with_null_and_clear_errors() {
    let server = start(Fake::with(|held| (held.first, held.last) = (None, None))).await;
    let data = server
        .data("{ availableRange { first } status { last lag } blocks { nodes { number } pageInfo { hasNextPage } } }")
        .await;
    assert_eq!(
        data,
        json!({
            "availableRange": null, "status": { "last": null, "lag": null },
            "blocks": { "nodes": [], "pageInfo": { "hasNextPage": false } },
        })
    );
    let (message, extensions) = server.error("{ subnets { netuid } }").await;
    assert_eq!(extensions["code"], "OUT_OF_RANGE");
    assert!(message.contains("nothing is stored yet"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn extrinsics_carry_calls_outcome_and_exact_numbers() {
    let server = start(Fake::new()).await;
    let data = server
        .data(
            "{ block(number: 16) { extrinsics { totalCount nodes {
                 blockNumber index hash raw version signer nonce tip fee success
                 error { pallet name docs } call { pallet name args }
                 nestedCalls { path origin outcome error { name } call { pallet name args } }
                 events { index name } specVersion block { number } } } } }",
        )
        .await;
    let list = &data["block"]["extrinsics"];
    assert_eq!(list["totalCount"], 3);
    assert_eq!(
        list["nodes"][0],
        json!({
            "blockNumber": 16, "index": 0, "hash": extrinsic_hash(16, 0).to_string(),
            "raw": "0x280400", "version": 4, "signer": null, "nonce": null, "tip": null,
            "fee": null, "success": true, "error": null,
            "call": { "pallet": "Timestamp", "name": "set", "args": { "now": "1700000000000" } },
            "nestedCalls": [], "events": [{ "index": 1, "name": "ExtrinsicSuccess" }],
            "specVersion": 301, "block": { "number": 16 },
        })
    );
    let failed = &list["nodes"][2];
    assert_eq!(failed["signer"], account(2).to_string());
    assert_eq!(failed["nonce"], WIDE.to_string());
    assert_eq!(failed["tip"], "0");
    assert_eq!(failed["fee"], u128::MAX.to_string());
    assert_eq!(failed["success"], false);
    assert_eq!(failed["error"]["docs"], "Too little stake.");
    assert_eq!(failed["events"], json!([]));
    assert_eq!(
        failed["nestedCalls"][0],
        json!({
            "path": [0], "origin": account(2).to_string(), "outcome": "FAILED",
            "error": { "name": "NotEnoughStake" },
            "call": { "pallet": "SubtensorModule", "name": "add_stake", "args": { "amount": "1" } },
        })
    );
    assert_eq!(failed["nestedCalls"][1]["outcome"], "NOT_RUN");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extrinsic_is_found_by_hash_or_place() {
    let server = start(Fake::new()).await;
    let (hash, twice, unknown) = (
        extrinsic_hash(14, 1),
        extrinsic_hash(11, 0),
        extrinsic_hash(50, 0),
    );
    let data = server
        .data(&format!(
            r#"{{ a: extrinsic(hash: "{hash}") {{ blockNumber index }}
                 b: extrinsic(block: 14, index: 1) {{ hash }}
                 none: extrinsic(hash: "{unknown}") {{ index }}
                 beyond: extrinsic(block: 14, index: 3) {{ index }}
                 all: extrinsics(hash: "{twice}") {{ blockNumber }} }}"#
        ))
        .await;
    assert_eq!(
        data,
        json!({
            "a": { "blockNumber": 14, "index": 1 }, "b": { "hash": hash.to_string() },
            "none": null, "beyond": null, "all": [{ "blockNumber": 11 }, { "blockNumber": 12 }],
        })
    );
    let (message, extensions) = server
        .error(&format!(r#"{{ extrinsic(hash: "{twice}") {{ index }} }}"#))
        .await;
    assert_eq!(extensions["code"], "BAD_INPUT");
    assert!(message.contains("11-0, 12-0"), "{message}");
    for arguments in [
        "block: 14",
        "index: 1",
        &format!(r#"hash: "{hash}", block: 14"#),
    ] {
        let (message, extensions) = server
            .error(&format!("{{ extrinsic({arguments}) {{ index }} }}"))
            .await;
        assert_eq!(extensions["code"], "BAD_INPUT");
        assert!(message.contains("either `hash`"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_extrinsics_are_filtered() {
    let server = start(Fake::new()).await;
    let signer = account(1);
    let data = server
        .data(&format!(
            r#"{{ block(number: 12) {{
              all: events {{ totalCount nodes {{ index phase extrinsicIndex pallet name fields blockNumber specVersion }} }}
              pallet: events(pallet: "System") {{ totalCount nodes {{ index }} }}
              both: events(pallet: "System", name: "WeightsSet") {{ totalCount }}
              name: events(name: "WeightsSet") {{ nodes {{ fields extrinsic {{ index call {{ name }} }} block {{ number }} }} }}
              signer: extrinsics(signer: "{signer}") {{ nodes {{ index }} }}
              failed: extrinsics(success: false) {{ nodes {{ index }} }}
              call: extrinsics(pallet: "Timestamp", name: "set") {{ nodes {{ index }} }} }} }}"#
        ))
        .await;
    let block = &data["block"];
    assert_eq!(block["all"]["totalCount"], 5);
    assert_eq!(
        block["all"]["nodes"][4],
        json!({
            "index": 4, "phase": "FINALIZATION", "extrinsicIndex": null, "pallet": "Balances",
            "name": "Issued", "fields": { "amount": "18446744073709551615" },
            "blockNumber": 12, "specVersion": 300,
        })
    );
    assert_eq!(block["all"]["nodes"][0]["phase"], "INITIALIZATION");
    assert_eq!(block["all"]["nodes"][2]["extrinsicIndex"], 1);
    assert_eq!(
        block["pallet"],
        json!({ "totalCount": 2, "nodes": [{ "index": 1 }, { "index": 3 }] })
    );
    assert_eq!(block["both"]["totalCount"], 0);
    assert_eq!(
        block["name"]["nodes"][0],
        json!({
            "fields": [1, 0], "block": { "number": 12 },
            "extrinsic": { "index": 1, "call": { "name": "set_weights" } },
        })
    );
    assert_eq!(block["signer"]["nodes"], json!([{ "index": 1 }]));
    assert_eq!(block["failed"]["nodes"], json!([{ "index": 2 }]));
    assert_eq!(block["call"]["nodes"], json!([{ "index": 0 }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_told_apart_by_code() {
    let server = start(Fake::new()).await;
    for (query, part) in [
        ("{ nothing }", "nothing"),
        ("{ block(number: -1) { number } }", "Int"),
        ("{ block(number: 4294967296) { number } }", "Int"),
        (r#"{ block(hash: "0x12") { number } }"#, "64 hex digits"),
        (
            "{ block(number: 11, hash: \"0x1111111111111111111111111111111111111111111111111111111111111111\") { number } }",
            "exclude",
        ),
        ("{ subnet(netuid: 65536) { netuid } }", "Int"),
        ("{ block { number }", "expected"),
    ] {
        let (message, extensions) = server.error(query).await;
        assert_eq!(extensions["code"], "BAD_INPUT", "{query}: {message}");
        assert!(message.contains(part), "{query}: {message}");
    }
    let answer = server
        .ask_with(
            "query($n: Int!) { block(number: $n) { number } }",
            json!({ "n": "x" }),
        )
        .await;
    assert_eq!(only_error(&answer).1["code"], "BAD_INPUT");
}

#[tokio::test(flavor = "multi_thread")]
async fn causes_stay_inside_and_others_are_not_harmed() {
    let server = start(Fake::with(|held| held.broken = Some(13))).await;
    // Read together, answered apart.
    let answer = server
        .ask(
            "{ good: metagraph(netuid: 1, asOf: { block: 12 }) { neuronCount }
               bad: metagraph(netuid: 1, asOf: { block: 13 }) { neuronCount } status { last } }",
        )
        .await;
    let (message, mut extensions) = only_error(&answer);
    // The only other thing told is where to look for the cause.
    let id = extensions.as_object_mut().unwrap().remove("requestId");
    assert_eq!(id.unwrap().as_str().unwrap().len(), 32);
    assert_eq!(extensions, json!({ "code": "INTERNAL" }));
    assert!(!answer.to_string().contains("SECRET"), "{message}");
    assert_eq!(
        answer["data"],
        json!({ "good": { "neuronCount": 4 }, "bad": null, "status": { "last": 20 } })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_fails_is_null_where_it_may_be_and_else_its_parent_is() {
    let server = start(Fake::new()).await;
    // Nullable itself.
    let answer = server
        .ask("{ status { last } block(number: 9) { number } blocks(first: 200) { nodes { number } } }")
        .await;
    let data = json!({ "status": { "last": 20 }, "block": null, "blocks": null });
    assert_eq!(answer["data"], data);
    assert_eq!(answer["errors"].as_array().unwrap().len(), 2);
    // Not nullable, with and without a neighbour that has an answer; its parent is.
    for neighbour in ["", "neuronCount"] {
        let query = format!(
            "{{ metagraph(netuid: 1) {{ {neighbour} neurons(first: -1) {{ uid }} }} status {{ last }} }}"
        );
        let answer = server.ask(&query).await;
        let data = json!({ "metagraph": null, "status": { "last": 20 } });
        assert_eq!(answer["data"], data);
        assert_eq!(answer["errors"][0]["path"], json!(["metagraph", "neurons"]));
    }
    // In a list whose items may not be null, up to what may.
    let answer = server
        .ask("{ subnets { netuid metagraph { neurons(first: -1) { uid } } } blocks(first: 1) { nodes { events(first: 2000) { totalCount } } } }")
        .await;
    let inner = json!({ "netuid": 2, "metagraph": null });
    assert_eq!(answer["data"]["subnets"][2], inner);
    assert_eq!(
        answer["data"]["blocks"]["nodes"],
        json!([{ "events": null }])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_keep_the_order_of_the_query() {
    let server = start(Fake::new()).await;
    let body = json!({ "query":
        "{ z: subnet(netuid: 1) { metagraph { neuronCount } ...s netuid } a: limits { depth } status { last first }
           blocks(first: 1) { pageInfo { hasNextPage } nodes { parent { number } ... on Block { number } } } }
         fragment s on Subnet { weights { rowCount } tempo }" });
    let answer = server.post(&body.to_string()).await;
    assert_eq!(
        answer.body,
        r#"{"data":{"z":{"metagraph":{"neuronCount":4},"weights":{"rowCount":3},"tempo":0,"netuid":1},"a":{"depth":"16"},"status":{"last":20,"first":10},"blocks":{"pageInfo":{"hasNextPage":true},"nodes":[{"parent":{"number":19},"number":20}]}}}"#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn runtimes_are_checked_and_compared() {
    let server = start(Fake::new()).await;
    let data = server
        .data(
            "{ runtimes { specVersion manifest { pallet entry essential fit why } }
               gone: runtimes { manifest(fit: GONE) { entry } }
               runtimeDiff(from: 300, to: 301) { part pallet name change what }
               none: runtimeDiff(from: 300, to: 999) { name } }",
        )
        .await;
    let manifest = json!([
        { "pallet": "SubtensorModule", "entry": "Keys", "essential": true, "fit": "SAME", "why": null },
        { "pallet": "SubtensorModule", "entry": "Rank", "essential": false, "fit": "GONE",
          "why": "the runtime before had it" },
    ]);
    assert_eq!(data["runtimes"][0]["manifest"], manifest);
    assert_eq!(data["gone"][1]["manifest"], json!([{ "entry": "Rank" }]));
    assert_eq!(
        data["runtimeDiff"],
        json!([{ "part": "STORAGE", "pallet": "SubtensorModule", "name": "Tempo",
                 "change": "CHANGED", "what": "value: u16 → u32" }])
    );
    assert_eq!(data["none"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_are_given_with_their_links_and_page_by_page() {
    let server = start(Fake::new()).await;
    let data = server
        .data(
            "{ commits(netuid: 2, asOf: { block: 19 }, first: 2) { hasNextPage endCursor nodes {
                 id asOfBlock blockNumber kind netuid mechanism hotkey uid hash revealRound epoch bytes
                 fields state stateSince reason inStorage states { block state }
                 madeBy { blockNumber extrinsicIndex path extrinsic { index } }
                 reveals { blockNumber verified ambiguous revealed rowNetuid rowMechanism rowUid firstEpoch
                           madeBy { path } row { rowCount } }
                 attempts { error hashMatches madeBy { blockNumber } } } } }",
        )
        .await;
    let page = &data["commits"];
    assert_eq!(page["hasNextPage"], true);
    let commits = page["nodes"].as_array().unwrap();
    assert_eq!(commits.len(), 2);
    assert_eq!(commits[0]["state"], "COMMITTED");
    assert_eq!(commits[0]["reveals"], json!([]));
    let revealed = &commits[1];
    assert_eq!(revealed["id"], "18-0");
    assert_eq!(revealed["revealRound"], "9007199254740993");
    assert_eq!(revealed["state"], "REVEALED");
    assert_eq!(
        revealed["states"],
        json!([{ "block": 18, "state": "COMMITTED" }, { "block": 19, "state": "REVEALED" }])
    );
    assert_eq!(revealed["madeBy"]["extrinsic"]["index"], 0);
    assert_eq!(
        revealed["reveals"],
        json!([{ "blockNumber": 19, "verified": true, "ambiguous": false, "revealed": ["0x0102"], "rowNetuid": 2,
                 "rowMechanism": 0, "rowUid": 2, "firstEpoch": null, "madeBy": { "path": [1] },
                 "row": { "rowCount": 1 } }])
    );
    assert_eq!(
        revealed["attempts"],
        json!([{ "error": "SubtensorModule.RevealTooEarly", "hashMatches": true,
                 "madeBy": { "blockNumber": 18 } }])
    );
    let after = page["endCursor"].as_str().unwrap();
    let next = format!(
        "{{ commits(asOf: {{ block: 19 }}, first: 100, after: \"{after}\") {{ hasNextPage endCursor nodes {{ id }} }} }}"
    );
    let data = server.data(&next).await;
    assert_eq!(data["commits"]["nodes"][0], json!({ "id": "17-0" }));
    assert_eq!(data["commits"]["nodes"].as_array().unwrap().len(), 8);
    assert_eq!(data["commits"]["endCursor"], Value::Null);
    for wrong in [
        "{ commits(first: 101) { hasNextPage } }",
        "{ commits(first: -1) { hasNextPage } }",
        "{ commits(after: \"62\") { hasNextPage } }",
    ] {
        let body = json!({ "query": wrong }).to_string();
        let answer = server.post(&body).await.body;
        assert!(answer.contains("BAD_INPUT"), "{wrong}: {answer}");
    }
}
