//! Unfinalized blocks: read only when asked for, flagged, one branch an operation.

use std::sync::Arc;

use serde_json::json;

use crate::fake::{Fake, hash_of};
use crate::http::start;

fn with_heads() -> Fake {
    Fake::with(|held| held.unfinalized = Some(3))
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_read_only_when_asked_for_and_say_so() {
    let server = start(with_heads()).await;
    let hash = hash_of(22);
    let data = server
        .data(&format!(
            "{{ status {{ last best {{ number hash finalized }} unfinalized headsTrouble }}
                availableRange {{ first last blockCount best {{ number finalized }} }}
                head: block {{ number finalized }}
                above: block(number: 23) {{ number finalized parent {{ finalized }} }}
                named: block(hash: \"{hash}\") {{ number finalized }}
                list: blocks(first: 1) {{ nodes {{ number finalized }} }}
                last: subnet(netuid: 1) {{ stamp {{ block }} }}
                best: subnet(netuid: 1, asOf: {{ best: true }}) {{ stamp {{ block }} }}
                one: subnet(netuid: 1, asOf: {{ hash: \"{hash}\" }}) {{ stamp {{ block }} }}
                two: subnet(netuid: 1, asOf: {{ block: 21 }}) {{ stamp {{ block }} }}
                behind: subnet(netuid: 1, asOf: {{ blocksBehindHead: 1 }}) {{ stamp {{ block }} }} }}"
        ))
        .await;
    assert_eq!(
        data["status"],
        json!({
            "last": 20, "unfinalized": 3, "headsTrouble": "the node is tired",
            "best": { "number": 23, "hash": hash_of(23).to_string(), "finalized": false },
        })
    );
    assert_eq!(
        data["availableRange"],
        json!({ "first": 10, "last": 20, "blockCount": "11",
                "best": { "number": 23, "finalized": false } })
    );
    assert_eq!(data["head"], json!({ "number": 20, "finalized": true }));
    assert_eq!(
        data["above"],
        json!({ "number": 23, "finalized": false, "parent": { "finalized": false } })
    );
    assert_eq!(data["named"], json!({ "number": 22, "finalized": false }));
    assert_eq!(
        data["list"]["nodes"],
        json!([{ "number": 20, "finalized": true }])
    );
    for (field, block) in [
        ("last", 20),
        ("best", 23),
        ("one", 22),
        ("two", 21),
        ("behind", 19),
    ] {
        assert_eq!(data[field]["stamp"]["block"], block, "{field}");
    }
    let (_, extensions) = server.error("{ block(number: 24) { number } }").await;
    assert_eq!(extensions["code"], "OUT_OF_RANGE");
    let query = "{ subnets(asOf: { best: false }) { netuid } }";
    let (text, extensions) = server.error(query).await;
    assert_eq!(extensions["code"], "BAD_INPUT", "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_them_the_best_block_is_the_last_stored_one() {
    let server = start(Fake::new()).await;
    let data = server
        .data(
            "{ status { best { number finalized } unfinalized headsTrouble }
               subnet(netuid: 1, asOf: { best: true }) { stamp { block } } }",
        )
        .await;
    assert_eq!(
        data["status"],
        json!({ "best": { "number": 20, "finalized": true },
                "unfinalized": null, "headsTrouble": null })
    );
    assert_eq!(data["subnet"]["stamp"]["block"], 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_operation_reads_one_snapshot() {
    let server = start(Fake::new()).await;
    let snapshot = Arc::new(Fake::with(|held| held.last = Some(30)));
    *server.fake.snapshot.lock().unwrap() = Some(snapshot.clone());
    for _ in 0..2 {
        let data = server
            .data(
                "{ status { last } block { number parent { subnets { metagraph { stamp { block } } } } }
                   runtimes { specVersion } commits { nodes { id } } }",
            )
            .await;
        assert_eq!(data["status"]["last"], 30);
        assert_eq!(data["block"]["number"], 30);
        let counts = server.fake.take_counts();
        assert_eq!(counts.into_iter().collect::<Vec<_>>(), [("snapshot", 1)]);
        assert!(snapshot.take_counts().len() >= 6);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_lost_while_it_was_read_is_not_answered() {
    let server = start(Fake::new()).await;
    let snapshot = Fake::with(|held| held.dropped = Some(23));
    *server.fake.snapshot.lock().unwrap() = Some(Arc::new(snapshot));
    let (text, extensions) = server.error("{ block { number } }").await;
    assert_eq!(extensions["code"], "NOT_FOUND");
    assert!(
        text.contains("block 23") && text.contains("ask again"),
        "{text}"
    );
}
