//! Streams of the program: a thousand clients over real sockets while blocks come, fork and become
//! final. What each has put together is what is stored, table by table.

mod client;
mod steps;
mod truth;

use std::sync::Arc;
use std::time::{Duration, Instant};

use indexer::store::Store;
use replay_node::ReplayNode;
use serde_json::json;
use tokio::sync::watch;

use crate::context::text;
use crate::heads::stepped;
use crate::served::{query, start};

use client::{Client, Joined, Wire};
use truth::{Topic, truth};

/// Clients, if there are file descriptors for them.
const CLIENTS: usize = 1_000;
/// One in so many speaks GraphQL over a WebSocket; the others take Server-Sent Events.
const SOCKETS: usize = 5;

/// How many clients can be had: each needs a descriptor here, and one in the program.
fn clients() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3)?.parse::<usize>().ok());
    let room = soft.map_or(CLIENTS, |soft| soft.saturating_sub(200));
    assert!(
        room >= 50,
        "ulimit -n is {soft:?}; raise it to 250 at least"
    );
    CLIENTS.min(room)
}

/// Waits until the program's best block is this one.
async fn settled(address: &str, node: &ReplayNode, hash: String) {
    let asked = "{ status { headsTrouble stopped best { hash } } }";
    let started = Instant::now();
    loop {
        let at = address.to_owned();
        let answer = tokio::task::spawn_blocking(move || query(&at, asked))
            .await
            .unwrap();
        if answer["data"]["status"]["best"]["hash"] == json!(hash) {
            return;
        }
        let asked = node.counts().requests;
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "the best block is not {hash}: {answer}; {asked} requests"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A different client for each number.
fn sort(number: usize) -> Client {
    let topic = Topic::ALL[number % Topic::ALL.len()];
    let group = number / Topic::ALL.len();
    Client {
        topic,
        // Topics and wires go round with different periods.
        wire: match (number / 3) % SOCKETS {
            0 => Wire::Socket,
            _ => Wire::Events,
        },
        unfinalized: group.is_multiple_of(2),
        from_first: group.is_multiple_of(3),
        slow: number.is_multiple_of(2),
        // Some come back, again and again, behind the last message that they took.
        leaves_after: (number % 4 == 1).then_some(3 + number % 7),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_thousand_clients_put_together_is_what_is_stored() {
    const LAG: u32 = 4;
    let node = stepped(44, LAG).await;
    let dir = tempfile::tempdir().unwrap();
    let url = node.ws_url();
    let served = start(&[
        "run",
        "--verify",
        "false",
        "--url",
        &url,
        "--data-dir",
        text(dir.path()),
        "--listen",
        "127.0.0.1:0",
    ]);
    let address: Arc<str> = served.address.as_str().into();
    let hash = |number: u32| node.hash(number).unwrap().to_string();
    settled(&address, &node, hash(44)).await;

    let (end, ended) = watch::channel(None::<u32>);
    let (begun, mut began) = watch::channel(0_usize);
    let begun = Arc::new(begun);
    let count = clients();
    let mut tasks = tokio::task::JoinSet::new();
    // Most are there before anything happens, the others come while it does.
    let early = count * 3 / 4;
    let spawn = |tasks: &mut tokio::task::JoinSet<Joined>, number: usize| {
        let client = sort(number);
        let (address, ended, begun) = (address.clone(), ended.clone(), begun.clone());
        tasks.spawn(async move { client.follow(number, &address, ended, &begun).await });
    };
    for number in 0..early {
        spawn(&mut tasks, number);
    }
    let all_begun = began.wait_for(|begun| *begun >= early);
    let all_begun = tokio::time::timeout(Duration::from_secs(120), all_begun).await;
    all_begun.expect("they do not begin").unwrap();

    let mut late = early..count;
    let mut head = 44;
    for depth in [1, 3, 2, 4] {
        let fork = node.faults().fork(depth);
        settled(&address, &node, fork.last().unwrap().to_string()).await;
        for number in late.by_ref().take((count - early) / 3) {
            spawn(&mut tasks, number);
        }
        node.advance(depth + 1);
        head += depth + 1;
        settled(&address, &node, hash(head)).await;
    }
    for number in late {
        spawn(&mut tasks, number);
    }
    node.advance(6);
    head += 6;
    settled(&address, &node, hash(head)).await;
    let target = head - LAG;
    end.send_replace(Some(target));

    let mut joined = Vec::new();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(240);
    while let Some(one) = tokio::time::timeout_at(deadline, tasks.join_next())
        .await
        .unwrap_or_else(|_| panic!("{} of {count} are done", joined.len()))
    {
        joined.push(one.unwrap());
    }
    assert_eq!(joined.len(), count);
    drop(served);
    node.stop().await;

    let store = Store::open_sled(dir.path(), false, 16 << 20).unwrap();
    let mut retracted = 0;
    for topic in Topic::ALL {
        let truth = truth(&store, topic, target);
        assert!(!truth.is_empty(), "{topic:?}: nothing happened");
        for one in joined.iter().filter(|one| one.client.topic == topic) {
            let first = one.begun_behind.map_or(0, |block| block + 1);
            let expected: Vec<_> = truth.iter().filter(|item| item.block >= first).collect();
            let found: Vec<_> = one
                .items
                .iter()
                .filter(|item| item.block <= target)
                .collect();
            assert_eq!(found, expected, "{:?}", one.client);
            retracted += one.retracted;
        }
    }
    let leavers = joined.iter().filter(|one| one.came_back > 0).count();
    assert!(leavers > count / 10, "{leavers} came back");
    assert!(retracted > count / 10, "{retracted} retractions");
}
