//! State as of an epoch, and stamps.

use serde_json::{Value, json};

use crate::fake::{Fake, account};
use crate::http::{only_error, start};

#[tokio::test(flavor = "multi_thread")]
async fn every_subtree_has_its_own_block() {
    let server = start(Fake::new()).await;
    let stamp = "stamp { block }";
    let data = server
        .data(&format!(
            "{{ now: subnet(netuid: 1) {{ {stamp} }}
               byBlock: subnet(netuid: 1, asOf: {{ block: 13 }}) {{ {stamp} metagraph {{ {stamp}
                 subnet {{ {stamp} weights {{ {stamp} }} }} neurons(first: 1) {{ {stamp} weights {{ uid }}
                   account {{ {stamp} asOfBlock memberships {{ netuid subnet {{ {stamp} }} }} }} }} }} }}
               byIndex: metagraph(netuid: 2, asOf: {{ epoch: {{ index: \"16\" }} }}) {{ {stamp} weights {{ {stamp} }} }}
               back: weights(netuid: 2, asOf: {{ epoch: {{ behindLast: 2 }} }}) {{ {stamp} }}
               last: subnet(netuid: 1, asOf: {{ epoch: {{ behindLast: 0 }} }}) {{ {stamp} }}
               commits(netuid: 1, asOf: {{ epoch: {{ index: 16 }} }}, first: 1) {{ nodes {{ asOfBlock {stamp} subnet {{ {stamp} }} }} }}
               stake(hotkey: \"{}\", netuid: 2, asOf: {{ epoch: {{ index: 16 }} }}, first: 1) {{ nodes {{ asOfBlock {stamp} }} }}
               behind: subnet(netuid: 1, asOf: {{ blocksBehindHead: 3 }}) {{ {stamp} }}
               again: subnet(netuid: 1) {{ {stamp} }} }}",
            account(1)
        ))
        .await;
    let block = |path: &str| data.pointer(&format!("/{path}/stamp/block")).cloned();
    for (path, wanted) in [
        ("now", 20),
        ("byBlock", 13),
        ("byBlock/metagraph", 13),
        ("byBlock/metagraph/subnet", 13),
        ("byBlock/metagraph/subnet/weights", 13),
        ("byBlock/metagraph/neurons/0", 13),
        ("byBlock/metagraph/neurons/0/account", 13),
        (
            "byBlock/metagraph/neurons/0/account/memberships/1/subnet",
            13,
        ),
        ("byIndex", 16),
        ("byIndex/weights", 16),
        ("back", 12),
        ("last", 20),
        ("commits/nodes/0", 16),
        ("commits/nodes/0/subnet", 16),
        ("stake/nodes/0", 16),
        ("behind", 17),
        ("again", 20),
    ] {
        assert_eq!(block(path), Some(json!(wanted)), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_needs_a_subnet_and_must_be_stored() {
    let server = start(Fake::new()).await;
    let refused = async |query: &str| only_error(&server.ask(query).await);
    for query in [
        "{ subnets(asOf: { epoch: { behindLast: 0 } }) { netuid } }",
        "{ commits(asOf: { epoch: { behindLast: 0 } }) { nodes { id } } }",
        "{ stakeMovements(asOf: { epoch: { index: 1 } }) { nodes { id } } }",
        "{ subnet(netuid: 1, asOf: { epoch: { behindLast: 10001 } }) { netuid } }",
        "{ subnet(netuid: 1, asOf: { epoch: { index: -1 } }) { netuid } }",
        "{ subnet(netuid: 1, asOf: { epoch: { index: 1, behindLast: 1 } }) { netuid } }",
        "{ subnet(netuid: 1, asOf: { epoch: {} }) { netuid } }",
        "{ subnet(netuid: 1, asOf: { epoch: { index: 1 }, block: 12 }) { netuid } }",
    ] {
        let (message, extensions) = refused(query).await;
        assert_eq!(extensions["code"], "BAD_INPUT", "{query}: {message}");
    }
    for (query, asked) in [
        ("index: 15", "epoch 15 of subnet 1"),
        (
            "index: \"18446744073709551615\"",
            "epoch 18446744073709551615 of subnet 1",
        ),
        // The one of block 12 ran before the runtime counted.
        ("index: 12", "epoch 12 of subnet 1"),
        ("behindLast: 3", "epoch last-3 of subnet 1"),
    ] {
        let query =
            format!("{{ subnet(netuid: 1, asOf: {{ epoch: {{ {query} }} }}) {{ netuid }} }}");
        let (message, extensions) = refused(&query).await;
        assert_eq!(
            extensions,
            json!({ "code": "OUT_OF_RANGE", "asked": asked, "first": 10, "last": 20 })
        );
        assert!(
            message.starts_with(asked) && message.contains("10..=20"),
            "{message}"
        );
    }
}

/// Every field that takes a block says in the same way that it is not stored.
#[tokio::test(flavor = "multi_thread")]
async fn every_entry_point_names_the_stored_range() {
    let server = start(Fake::new()).await;
    let who = account(1);
    let address = format!("address: \"{who}\"");
    let hotkey = format!("hotkey: \"{who}\"");
    let page = "pageInfo { endCursor }";
    for (field, arguments, below) in [
        ("subnets", "", "netuid"),
        ("subnet", "netuid: 1", "netuid"),
        ("metagraph", "netuid: 1", "netuid"),
        ("neuron", "netuid: 1, uid: 0", "uid"),
        ("weights", "netuid: 1", "netuid"),
        ("bonds", "netuid: 1", "netuid"),
        ("commits", "", page),
        ("stakeMovements", "", page),
        ("stake", &hotkey, page),
        ("account", &address, "address"),
    ] {
        for place in ["block: 9", "block: 21", "blocksBehindHead: 11"] {
            let query = format!("{{ {field}({arguments} asOf: {{ {place} }}) {{ {below} }} }}");
            let (message, extensions) = server.error(&query).await;
            assert_eq!(extensions["code"], "OUT_OF_RANGE", "{query}: {message}");
            assert_eq!(
                (&extensions["first"], &extensions["last"]),
                (&json!(10), &json!(20))
            );
            assert!(message.contains("10..=20"), "{message}");
        }
    }
    for query in [
        "{ block(number: 9) { hash } }".to_owned(),
        "{ extrinsic(block: 21, index: 0) { hash } }".to_owned(),
        "{ verification(netuid: 1, block: 9) { blockNumber } }".to_owned(),
        "{ scoreJoin(netuid: 1, block: 9) { blockNumber } }".to_owned(),
        "{ explanation(netuid: 1, block: 9, uid: 1) { blockNumber } }".to_owned(),
        format!("{{ weightChanges(netuid: 1, uid: 1, from: 9) {{ {page} }} }}"),
        format!("{{ bondChanges(netuid: 1, uid: 1, to: 21) {{ {page} }} }}"),
        format!("{{ series(netuid: 1, uid: 1, fields: [RANK], to: 21) {{ {page} }} }}"),
        format!("{{ epochs(netuid: 1, from: 9) {{ {page} }} }}"),
        format!("{{ findExtrinsics(fromBlock: 9) {{ {page} }} }}"),
        format!("{{ findEvents(toBlock: 21) {{ {page} }} }}"),
        format!("{{ subnetChanges(netuid: 1, from: 9) {{ {page} }} }}"),
        format!("{{ stateChanges(entry: \"TaoWeight\", to: 21) {{ {page} }} }}"),
        format!("{{ subnetHistory(from: 9) {{ {page} }} }}"),
    ] {
        let answer = server.ask(&query).await;
        let errors = answer["errors"].as_array().expect(&query);
        let (message, extensions) = (&errors[0]["message"], &errors[0]["extensions"]);
        if message.as_str().unwrap().contains("Unknown field") {
            continue;
        }
        assert_eq!(extensions["code"], "OUT_OF_RANGE", "{query}: {message}");
        assert_eq!(
            (&extensions["first"], &extensions["last"]),
            (&json!(10), &json!(20))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stamps_say_which_epoch_made_the_vectors() {
    let server = start(Fake::with(|held| held.unfinalized = Some(4))).await;
    let epoch = "epoch { appliedBlock inputBlock index specVersion inputSpecVersion finalized }";
    let stamp = format!("stamp {{ block specVersion finalized {epoch} }}");
    let data = server
        .data(&format!(
            "{{ a: metagraph(netuid: 1, asOf: {{ block: 15 }}) {{ {stamp} neurons(first: 1) {{ {stamp} }} }}
               b: subnet(netuid: 1, asOf: {{ block: 17 }}) {{ {stamp} weights {{ {stamp} }} }}
               first: subnet(netuid: 1, asOf: {{ block: 11 }}) {{ {stamp} }}
               best: subnet(netuid: 1, asOf: {{ best: true }}) {{ {stamp} }}
               epochs(netuid: 1, from: 16) {{ nodes {{ outputBlock {stamp} }} }}
               series(netuid: 1, uid: 1, fields: [RANK], from: 18) {{ segments {{ points {{ blockNumber {stamp} }} }} }}
               account(address: \"{}\") {{ {stamp} }} }}",
            account(1)
        ))
        .await;
    assert_eq!(
        data["a"]["stamp"],
        json!({ "block": 15, "specVersion": 301, "finalized": true,
                "epoch": { "appliedBlock": 12, "inputBlock": 11, "index": null, "specVersion": 300,
                           "inputSpecVersion": 300, "finalized": true } })
    );
    assert_eq!(data["a"]["neurons"][0]["stamp"], data["a"]["stamp"]);
    assert_eq!(
        data["b"]["stamp"]["epoch"],
        json!({ "appliedBlock": 16, "inputBlock": 15, "index": "16", "specVersion": 301,
                "inputSpecVersion": 301, "finalized": true })
    );
    assert_eq!(data["b"]["weights"]["stamp"], data["b"]["stamp"]);
    // The epoch ran before the first stored block: when is known, and nothing else.
    assert_eq!(
        data["first"]["stamp"]["epoch"],
        json!({ "appliedBlock": 8, "inputBlock": 7, "index": null, "specVersion": null,
                "inputSpecVersion": null, "finalized": true })
    );
    assert_eq!(data["best"]["stamp"]["epoch"]["appliedBlock"], 24);
    assert_eq!(data["best"]["stamp"]["epoch"]["finalized"], false);
    let epochs = data["epochs"]["nodes"].as_array().unwrap();
    for epoch in epochs {
        assert_eq!(
            epoch["stamp"]["epoch"]["appliedBlock"],
            epoch["outputBlock"]
        );
    }
    let points = &data["series"]["segments"][0]["points"];
    assert_eq!(points[0]["stamp"]["block"], points[0]["blockNumber"]);
    // An account is of no subnet.
    assert_eq!(data["account"]["stamp"]["block"], 20);
    assert_eq!(data["account"]["stamp"]["epoch"], Value::Null);
}
