//! Subnets, metagraphs, matrices, and the block they hold at.

use serde_json::{Value, json};

use crate::fake::{Fake, WIDE, account, hash_of};
use crate::http::start;

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_name_a_block_holds_for_its_own_subtree() {
    let server = start(Fake::new()).await;
    let hash = hash_of(13);
    let data = server
        .data(&format!(
            r#"{{
              head: metagraph(netuid: 1) {{ ...m }}
              block: metagraph(netuid: 1, asOf: {{ block: 12 }}) {{ ...m }}
              hash: metagraph(netuid: 1, asOf: {{ hash: "{hash}" }}) {{ ...m }}
              behind: metagraph(netuid: 1, asOf: {{ blocksBehindHead: 6 }}) {{ ...m }}
              from: block(number: 11) {{ subnet(netuid: 2) {{ stamp {{ block }} metagraph {{ ...m }} }} metagraph(netuid: 0) {{ ...m }} }}
            }}
            fragment m on Metagraph {{
              stamp {{ block hash specVersion finalized }} neuron(uid: 0) {{ stamp {{ block }} dividends }}
              subnet {{ stamp {{ block }} metagraph {{ stamp {{ block }} }} }}
              weights {{ stamp {{ block }} rows(first: 1) {{ changedAt }} }} bonds {{ stamp {{ block }} }}
            }}"#
        ))
        .await;
    let expected = |block: u32| {
        json!({
            "stamp": {
                "block": block, "hash": hash_of(block).to_string(),
                "specVersion": if block < 14 { 300 } else { 301 }, "finalized": true,
            },
            "neuron": { "stamp": { "block": block }, "dividends": block },
            "subnet": { "stamp": { "block": block }, "metagraph": { "stamp": { "block": block } } },
            "weights": { "stamp": { "block": block }, "rows": [{ "changedAt": block }] },
            "bonds": { "stamp": { "block": block } },
        })
    };
    assert_eq!(data["head"], expected(20));
    assert_eq!(data["block"], expected(12));
    assert_eq!(data["hash"], expected(13));
    assert_eq!(data["behind"], expected(14));
    assert_eq!(data["from"]["subnet"]["metagraph"], expected(11));
    assert_eq!(data["from"]["metagraph"], expected(11));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_cannot_be_named_is_refused() {
    let server = start(Fake::new()).await;
    let unknown = hash_of(99);
    for (as_of, code, part) in [
        ("blocksBehindHead: 11".to_owned(), "OUT_OF_RANGE", "head-11"),
        (
            "blocksBehindHead: 4294967295".to_owned(),
            "OUT_OF_RANGE",
            "10..=20",
        ),
        (
            format!("hash: \"{unknown}\""),
            "NOT_FOUND",
            "no stored block",
        ),
        ("block: 11, blocksBehindHead: 0".to_owned(), "BAD_INPUT", ""),
        (String::new(), "BAD_INPUT", ""),
    ] {
        let query = format!("{{ subnets(asOf: {{ {as_of} }}) {{ netuid }} }}");
        let (message, extensions) = server.error(&query).await;
        assert_eq!(extensions["code"], code, "{as_of}: {message}");
        assert!(message.contains(part), "{as_of}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn null_is_not_zero_and_wide_numbers_are_exact() {
    let server = start(Fake::new()).await;
    let data = server
        .data(
            "{ old: metagraph(netuid: 1, asOf: { block: 14 }) { neurons(uids: [0]) { rank rankNormalized trust trustNormalized } }
               new: metagraph(netuid: 1) { neurons {
                 uid netuid mechanism hotkey coldkey blockAtRegistration active rank rankNormalized consensus incentive
                 incentiveNormalized emission validatorTrust validatorTrustNormalized validatorPermit
                 stakeWeight stakeWeightNormalized pruningScore pruningScoreNormalized lastUpdate
                 dividendsNormalized consensusNormalized
                 axon { block version ip ipText port ipType protocol placeholder1 placeholder2 }
                 prometheus { block version ip ipText port ipType } } } }",
        )
        .await;
    assert_eq!(
        data["old"]["neurons"][0],
        json!({ "rank": 0, "rankNormalized": 0.0, "trust": null, "trustNormalized": null })
    );
    let neurons = &data["new"]["neurons"];
    let (zero, served) = (&neurons[0], &neurons[1]);
    assert_eq!(zero["rank"], Value::Null);
    assert_eq!(zero["rankNormalized"], Value::Null);
    assert_eq!(zero["incentive"], 0);
    assert_eq!(zero["incentiveNormalized"], 0.0);
    assert_eq!(zero["emission"], "0");
    assert_eq!(zero["axon"], Value::Null);
    assert_eq!(zero["pruningScore"], Value::Null);
    assert_eq!(zero["validatorTrustNormalized"], 0.2);
    assert_eq!(zero["lastUpdate"], WIDE.to_string());
    assert_eq!(served["hotkey"], account(1).to_string());
    assert_eq!(served["incentive"], 65535);
    assert_eq!(served["incentiveNormalized"], 1.0);
    assert_eq!(served["emission"], u64::MAX.to_string());
    assert_eq!(
        served["axon"],
        json!({
            "block": WIDE.to_string(), "version": 4_294_967_295_u32, "ip": u128::MAX.to_string(),
            "ipText": "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "port": 65535, "ipType": 6,
            "protocol": 4, "placeholder1": 0, "placeholder2": 255,
        })
    );
    assert_eq!(served["prometheus"]["ip"], "2130706433");
    assert_eq!(neurons[2]["coldkey"], Value::Null);
    assert_eq!(neurons[3]["stakeWeight"], Value::Null);
    assert_eq!(neurons[3]["stakeWeightNormalized"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn subnets_tell_what_is_stored_and_what_is_default() {
    let server = start(Fake::new()).await;
    let data = server
        .data(
            r#"{ subnets { netuid neuronCount tempo lastEpochBlock blocksSinceLastStep mechanismCount owner ownerHotkey registeredAt tokenSymbol
                 items { name value stored changedAt } }
               some: subnet(netuid: 1) { items(names: ["Burn", "Nothing"]) { name } }
               old: subnet(netuid: 1, asOf: { block: 12 }) { mechanismCount }
               none: subnet(netuid: 3) { netuid } }"#,
        )
        .await;
    assert_eq!(data["subnets"].as_array().unwrap().len(), 3);
    assert_eq!(
        data["subnets"][0],
        json!({
            "netuid": 0, "neuronCount": 4, "tempo": 0, "lastEpochBlock": null,
            "blocksSinceLastStep": "0", "mechanismCount": 2, "owner": null, "ownerHotkey": null,
            "registeredAt": null, "tokenSymbol": "τ",
            "items": [
                { "name": "Kappa", "value": 32767, "stored": false, "changedAt": null },
                { "name": "Burn", "value": WIDE.to_string(), "stored": true, "changedAt": 20 },
                { "name": "SubnetIdentitiesV3", "value": null, "stored": false, "changedAt": null },
            ],
        })
    );
    assert_eq!(data["subnets"][1]["lastEpochBlock"], WIDE.to_string());
    assert_eq!(data["subnets"][1]["registeredAt"], "0");
    assert_eq!(data["some"]["items"], json!([{ "name": "Burn" }]));
    assert_eq!(data["old"]["mechanismCount"], Value::Null);
    assert_eq!(data["none"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn neurons_are_chosen_and_paged() {
    let server = start(Fake::with(|held| held.neurons = 10)).await;
    let data = server
        .data(
            "{ metagraph(netuid: 1) { neuronCount
                 chosen: neurons(uids: [7, 2, 99, 2]) { uid }
                 page: neurons(first: 3, afterUid: 4) { uid }
                 end: neurons(afterUid: 8) { uid } none: neurons(first: 0) { uid }
                 one: neuron(uid: 9) { uid } no: neuron(uid: 10) { uid } }
               neuron(netuid: 1, uid: 3) { uid mechanism } other: neuron(netuid: 1, uid: 3, mechanism: 1) { mechanism }
               gone: neuron(netuid: 1, uid: 10) { uid } nowhere: neuron(netuid: 9, uid: 0) { uid }
               mechanism: metagraph(netuid: 1, mechanism: 2) { netuid } }",
        )
        .await;
    let uids = |value: &Value| -> Vec<u64> {
        let list = value.as_array().unwrap().iter();
        list.map(|neuron| neuron["uid"].as_u64().unwrap()).collect()
    };
    let metagraph = &data["metagraph"];
    assert_eq!(metagraph["neuronCount"], 10);
    assert_eq!(uids(&metagraph["chosen"]), [2, 7]);
    assert_eq!(uids(&metagraph["page"]), [5, 6, 7]);
    assert_eq!(uids(&metagraph["end"]), [9]);
    assert_eq!(uids(&metagraph["none"]), [0_u64; 0]);
    assert_eq!(metagraph["one"]["uid"], 9);
    assert_eq!(metagraph["no"], Value::Null);
    assert_eq!(data["neuron"], json!({ "uid": 3, "mechanism": 0 }));
    assert_eq!(data["other"]["mechanism"], 1);
    for name in ["gone", "nowhere", "mechanism"] {
        assert_eq!(data[name], Value::Null);
    }
    let (message, extensions) = server
        .error("{ metagraph(netuid: 1) { neurons(first: -1) { uid } } }")
        .await;
    assert_eq!(extensions["code"], "BAD_INPUT");
    assert!(message.contains("0 or more"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn matrices_keep_rows_order_and_raw_values() {
    let server = start(Fake::new()).await;
    let data = server
        .data(
            "{ weights(netuid: 1) { netuid mechanism rowCount rows(first: 100) { uid changedAt entryCount uids values entries { uid value valueNormalized } } }
               chosen: weights(netuid: 1, uids: [3, 1]) { rowCount rows { uid } }
               page: weights(netuid: 1) { rows(first: 1, afterUid: 0) { uid } }
               bonds(netuid: 1, mechanism: 1) { mechanism rowCount }
               none: weights(netuid: 7) { netuid } nothing: bonds(netuid: 1, mechanism: 5) { netuid }
               set: neuron(netuid: 1, uid: 2) { weights { uid values } bonds { uid } }
               unset: neuron(netuid: 1, uid: 1) { weights { uid } } }",
        )
        .await;
    let weights = &data["weights"];
    assert_eq!(weights["rowCount"], 3);
    assert_eq!(
        weights["rows"][1],
        json!({
            "uid": 2, "changedAt": null, "entryCount": 3, "uids": [3, 0, 2], "values": [65535, 2, 0],
            "entries": [
                { "uid": 3, "value": 65535, "valueNormalized": 1.0 },
                { "uid": 0, "value": 2, "valueNormalized": 2.0 / 65535.0 },
                { "uid": 2, "value": 0, "valueNormalized": 0.0 },
            ],
        })
    );
    assert_eq!(weights["rows"][0]["changedAt"], 20);
    assert_eq!(
        data["chosen"],
        json!({ "rowCount": 1, "rows": [{ "uid": 3 }] })
    );
    assert_eq!(data["page"]["rows"], json!([{ "uid": 2 }]));
    assert_eq!(data["bonds"], json!({ "mechanism": 1, "rowCount": 1 }));
    assert_eq!(data["none"], Value::Null);
    assert_eq!(data["nothing"], Value::Null);
    assert_eq!(
        data["set"],
        json!({ "weights": { "uid": 2, "values": [65535, 2, 0] }, "bonds": null })
    );
    assert_eq!(data["unset"]["weights"], Value::Null);
}
