//! SIGKILL at random moments while several ranges are filled, joined and cleared
//! up: in the end the store is the same as without.

use std::time::{Duration, Instant};

use indexer::check::check;
use indexer::store::Store;
use indexer::verify::follow;

use super::{ranges, same};
use crate::context::{background, connect, index_with, node, outcome, text};

#[tokio::test(flavor = "multi_thread")]
async fn kills_while_ranges_are_filled_change_nothing() {
    let node = node("mini-300").await;
    let whole = Store::in_memory().unwrap();
    index_with(connect(&node).await, &whole, ranges(&[(0, 329)]))
        .await
        .unwrap();
    follow::catch_up(&whole, &follow::Stop::default()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let url = node.ws_url();
    let args = [
        "index",
        "--url",
        &url,
        "--data-dir",
        text(dir.path()),
        "--until",
    ];
    // What the recorder wrote past the runtime lies below block 23.
    let begun = outcome(&[args.as_slice(), &["22"]].concat());
    assert!(begun.status.success());
    let more = [
        "329",
        "--from",
        "23",
        "--split",
        "3",
        "--ranges-at-once",
        "3",
        "--window",
        "2",
    ];
    let args = [args.as_slice(), &more].concat();
    let mut random: u64 = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .subsec_nanos()
        .into();
    let (mut stops, mut joins) = (Vec::new(), 0);
    // Slow enough that the kills find it at work.
    node.faults().delay(Duration::from_millis(1));
    for _ in 0..14 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        node.reset_counts();
        let mut child = background(&args);
        // After a random number of blocks, however fast the machine is: some in
        // the first blocks of three ranges, most in the middle of them.
        let target = 6 + (random >> 33) % 40;
        let patience = Instant::now() + Duration::from_secs(60);
        while node.counts().of("chain_getBlock") < target
            && child.try_wait().unwrap().is_none()
            && Instant::now() < patience
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let store = Store::open_sled(dir.path(), false, 16 << 20).unwrap();
        let report = check(&store).unwrap();
        joins += usize::from(report.unfinished > 0);
        let stored: u32 = report.spans.iter().map(|(a, b)| b - a + 1).sum();
        stops.push((stored, report.spans.len()));
    }
    node.faults().clear();
    let done = outcome(&args);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(
        stops.len() >= 3,
        "the kills found too little at work: {stops:?}"
    );
    assert!(
        stops.iter().any(|(_, spans)| *spans > 1),
        "no kill while several ranges were there: {stops:?}"
    );
    let store = Store::open_sled(dir.path(), false, 16 << 20).unwrap();
    assert_eq!(store.spans().len(), 1);
    let what = format!("stopped with {stops:?}, {joins} times at a join");
    same(&whole, &store, &what);
    node.stop().await;
}
