//! SIGKILL at random points while indexing: the store is the same in the end as
//! without, and at no time torn.

use std::time::Duration;

use indexer::check::check;
use indexer::store::Store;
use indexer::verify::follow;
use replay_node::Options;

use crate::context::{background, connect, index, outcome, recording, text};

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_change_nothing() {
    let options = Options {
        repeat: 2,
        ..Options::default()
    };
    let node = replay_node::start(recording("mini-300"), options)
        .await
        .unwrap();
    let end = node.end();
    let whole = Store::in_memory().unwrap();
    index(connect(&node).await, &whole, end).await.unwrap();
    follow::catch_up(&whole, &follow::Stop::default()).unwrap();
    let whole = check(&whole).unwrap();

    let dir = tempfile::tempdir().unwrap();
    let (url, until) = (node.ws_url(), end.to_string());
    let args = [
        "index",
        "--url",
        &url,
        "--data-dir",
        text(dir.path()),
        "--until",
        &until,
        "--window",
        "2",
    ];
    // Slow enough that twenty kills find it at work.
    node.faults().delay(Duration::from_millis(2));
    let mut heights = Vec::new();
    let mut random: u64 = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .subsec_nanos()
        .into();
    for _ in 0..20 {
        node.reset_counts();
        let mut child = background(&args);
        // At a random request, however fast the machine is: while connecting,
        // in the first block, which is read whole, in the middle of a window.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let target = 3 + (random >> 33) % 80;
        while node.counts().requests < target {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let Ok(store) = Store::open_sled(dir.path(), true, 16 << 20) else {
            panic!("the store does not open after a kill");
        };
        if store.checkpoint().unwrap().is_some() {
            // No torn block: whatever is there passes.
            heights.push(check(&store).unwrap().last);
        }
    }
    node.faults().clear();
    let done = outcome(&args);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(
        heights.is_sorted(),
        "a kill took committed blocks back: {heights:?}"
    );
    let stops: std::collections::BTreeSet<_> = heights.iter().filter(|h| **h < end).collect();
    assert!(
        stops.len() >= 5,
        "the kills found too little at work: {heights:?}"
    );

    let store = Store::open_sled(dir.path(), false, 16 << 20).unwrap();
    assert_eq!(check(&store).unwrap(), whole, "stopped at {heights:?}");
    drop(store);
    // The same by the program itself.
    let report = outcome(&["check", "--json", "--data-dir", text(dir.path())]);
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["digest"], serde_json::json!(whole.digest));
    assert_eq!(report["last"], end);
    node.stop().await;
}
