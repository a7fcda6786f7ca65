//! The head is followed while ranges below it are filled, and what is served says
//! which blocks are there.

use std::time::Duration;

use indexer::check::check;
use indexer::notify::Notify;
use indexer::pipeline::{self, Plan, Progress};
use indexer::store::spans::put_restage;
use indexer::store::{Batch, Restage, Store};
use replay_node::{Mode, Options};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::context::{connect, indexed, node, recording, text};
use crate::served::{http, start};

#[tokio::test(flavor = "multi_thread")]
async fn the_head_does_not_wait_for_what_is_below() {
    let options = Options {
        mode: Mode::Stepped { start: 300 },
        ..Options::default()
    };
    let node = replay_node::start(recording("mini-300"), options)
        .await
        .unwrap();
    let store = Store::in_memory().unwrap();
    let (progress, mut heard) = watch::channel(Progress::default());
    let (stop, stopped) = watch::channel(false);
    let notify = Notify::default();
    let mut commits = notify.subscribe();
    let source = connect(&node).await;
    // So slow that what is below takes longer than what is told here.
    node.faults().delay(Duration::from_millis(15));
    let plan = Plan {
        from: Some(0),
        split: 2,
        window: 4,
        ..Plan::default()
    };
    let road = tokio::spawn(pipeline::run(
        source,
        store.clone(),
        plan,
        notify,
        progress,
        stopped,
    ));
    let soon = Duration::from_secs(30);
    let wait = tokio::time::timeout(soon, heard.wait_for(|p| p.committed == Some(300)));
    wait.await.unwrap().unwrap();
    for number in 301..=310 {
        node.advance(1);
        // Listeners hear of the head alone, in order.
        loop {
            let block = tokio::time::timeout(soon, commits.recv()).await;
            let block = block.unwrap().unwrap().number;
            if block == number {
                break;
            }
            assert!(block < number, "{block} before {number}");
        }
        let now = *heard.borrow();
        assert!(now.left > 0, "block {number} waited for what is below");
        assert_eq!(now.wanted, Some(300));
    }
    assert!(store.spans().len() > 1);
    node.faults().clear();
    node.advance(19);
    let wait = heard.wait_for(|p| {
        let one = store.spans().len() == 1 && store.joints().is_empty();
        p.committed == Some(329) && one && store.restages().is_empty()
    });
    tokio::time::timeout(Duration::from_secs(60), wait)
        .await
        .unwrap()
        .unwrap();
    stop.send_replace(true);
    assert_eq!(road.await.unwrap().unwrap(), Some(329));
    assert_eq!(
        check(&store).unwrap(),
        check(&indexed("mini-300").await).unwrap()
    );
    node.stop().await;
}

fn ask(address: &str, query: &str) -> Value {
    let body = json!({ "query": query }).to_string();
    let (status, body) = http(address, "POST", "/graphql", &body);
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_says_which_blocks_are_there() {
    let node = node("mini-300").await;
    let dir = tempfile::tempdir().unwrap();
    let url = node.ws_url();
    let served = start(&[
        "run",
        "--url",
        &url,
        "--data-dir",
        text(dir.path()),
        "--listen",
        "127.0.0.1:0",
        "--ranges",
        "10..30,50..60",
        "--ranges",
        "25..40",
        "--split",
        "3",
    ]);
    let coverage = "{ coverage { spans { first last blocks } missing { first last reason }
        restaging { first last done } blocksLeft etaMs } }";
    let mut told = Value::Null;
    for _ in 0..300 {
        told = ask(&served.address, coverage)["data"]["coverage"].clone();
        let spans = told["spans"].as_array().unwrap().len();
        if told["blocksLeft"] == "0" && spans == 3 && told["restaging"] == json!([]) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(
        told["spans"],
        json!([
            { "first": 10, "last": 40, "blocks": "31" },
            { "first": 50, "last": 60, "blocks": "11" },
            { "first": 329, "last": 329, "blocks": "1" },
        ])
    );
    assert_eq!(
        told["missing"],
        json!([
            { "first": 41, "last": 49, "reason": null },
            { "first": 61, "last": 328, "reason": null },
        ])
    );
    let answer = ask(
        &served.address,
        "{ availableRange { first last blockCount } status { first last lag }
           blocks(order: OLDEST_FIRST, first: 33) { totalCount nodes { number } }
           subnet(netuid: 1, asOf: { block: 55 }) { netuid } }",
    );
    let data = &answer["data"];
    assert_eq!(
        data["availableRange"],
        json!({ "first": 329, "last": 329, "blockCount": "1" })
    );
    assert_eq!(
        data["status"],
        json!({ "first": 10, "last": 329, "lag": 0 })
    );
    let numbers: Vec<u64> = data["blocks"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["number"].as_u64().unwrap())
        .collect();
    let wanted: Vec<u64> = (10..=40).chain([50, 51]).collect();
    assert_eq!(numbers, wanted);
    assert_eq!(data["subnet"]["netuid"], 1);
    let refused = ask(
        &served.address,
        "{ subnet(netuid: 1, asOf: { block: 45 }) { netuid } }",
    );
    let error = &refused["errors"][0];
    assert_eq!(error["extensions"]["code"], "OUT_OF_RANGE");
    let text = error["message"].as_str().unwrap();
    assert!(text.contains("10..=40, 50..=60, 329..=329"), "{text}");
    let (_, metrics) = http(&served.address, "GET", "/metrics", "");
    assert!(metrics.contains("indexer_blocks_left 0"), "{metrics}");
    assert!(
        metrics.contains("indexer_range_blocks{range=\"50..60\"} 11"),
        "{metrics}"
    );
    drop(served);
    node.stop().await;
}

/// While the ledger is made again, nobody is told what may be wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_made_again_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_sled(dir.path(), true, 16 << 20).unwrap();
    super::play(&store, "mini-300", super::ranges(&[(0, 60)])).await;
    let mut batch = Batch::default();
    let restage = Restage {
        span: 0,
        from: 40,
        done: 45,
    };
    put_restage(&mut batch, &restage);
    store.commit(vec![batch]).unwrap();
    drop(store);
    let folder = text(dir.path());
    let served = start(&["serve", "--data-dir", folder, "--listen", "127.0.0.1:0"]);
    let query = "{ coverage { restaging { first last done } blocksLeft } }";
    let told = ask(&served.address, query);
    assert_eq!(
        told["data"]["coverage"],
        json!({ "restaging": [{ "first": 40, "last": 60, "done": 45 }], "blocksLeft": null })
    );
    let commits = |at: u32| {
        let query = format!("{{ commits(asOf: {{ block: {at} }}) {{ nodes {{ state }} }} }}");
        ask(&served.address, &query)
    };
    assert!(commits(45)["errors"].is_null());
    let refused = &commits(46)["errors"][0];
    assert_eq!(refused["extensions"]["code"], "RESTAGING");
    assert_eq!(refused["extensions"]["done"], 45);
}
