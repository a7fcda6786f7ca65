//! Pages of connections.

use serde_json::Value;

use crate::fake::Fake;
use crate::http::{Server, start};

async fn page(server: &Server, arguments: &str) -> (Vec<u64>, Value) {
    let data = server
        .data(&format!(
            "{{ blocks({arguments}) {{ edges {{ cursor node {{ number }} }} nodes {{ number }}
               pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
        ))
        .await;
    let numbers = data["blocks"]["edges"].as_array().unwrap().iter();
    let numbers = numbers.map(|edge| edge["node"]["number"].as_u64().unwrap());
    (numbers.collect(), data["blocks"]["pageInfo"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_stay_valid_while_blocks_arrive() {
    let server = start(Fake::new()).await;
    let (mut seen, info) = page(&server, "first: 4").await;
    assert_eq!(seen, [20, 19, 18, 17]);
    assert_eq!(info["hasPreviousPage"], false);
    let mut cursor = info["endCursor"].as_str().unwrap().to_owned();
    let newest = info["startCursor"].as_str().unwrap().to_owned();
    loop {
        server.fake.commit(&[]);
        let (more, info) = page(&server, &format!("first: 4, after: \"{cursor}\"")).await;
        assert_eq!(info["hasPreviousPage"], true);
        seen.extend(more);
        if info["hasNextPage"] == false {
            break;
        }
        cursor = info["endCursor"].as_str().unwrap().to_owned();
    }
    assert_eq!(seen, (10..=20).rev().collect::<Vec<_>>());
    // What arrived meanwhile lies before the first cursor.
    let (fresh, info) = page(&server, &format!("last: 100, before: \"{newest}\"")).await;
    assert_eq!(fresh, [22, 21]);
    assert_eq!(info["hasNextPage"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_come_first_when_asked_so() {
    let server = start(Fake::new()).await;
    let (seen, info) = page(&server, "order: OLDEST_FIRST, first: 3").await;
    assert_eq!(seen, [10, 11, 12]);
    let cursor = info["endCursor"].as_str().unwrap();
    let (seen, _) = page(
        &server,
        &format!("order: OLDEST_FIRST, after: \"{cursor}\""),
    )
    .await;
    assert_eq!(seen, (13..=20).collect::<Vec<_>>());
    let (seen, info) = page(&server, "order: OLDEST_FIRST, last: 2").await;
    assert_eq!(seen, [19, 20]);
    assert_eq!(info["hasPreviousPage"], true);
    assert_eq!(info["hasNextPage"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_in_a_block_are_paged_within_their_filter() {
    let server = start(Fake::new()).await;
    let data = server
        .data("{ block(number: 12) { events(pallet: \"System\", first: 1) { totalCount edges { cursor node { index } } pageInfo { hasNextPage } } } }")
        .await;
    let events = &data["block"]["events"];
    assert_eq!(events["totalCount"], 2);
    assert_eq!(events["edges"][0]["node"]["index"], 1);
    assert_eq!(events["pageInfo"]["hasNextPage"], true);
    let cursor = events["edges"][0]["cursor"].as_str().unwrap();
    let data = server
        .data(&format!(
            "{{ block(number: 12) {{ events(after: \"{cursor}\") {{ nodes {{ index }} }} }} }}"
        ))
        .await;
    assert_eq!(data["block"]["events"]["nodes"][0]["index"], 2);
    // A cursor of one block or one kind of list is no cursor of another.
    for query in [
        format!("{{ block(number: 13) {{ events(after: \"{cursor}\") {{ totalCount }} }} }}"),
        format!("{{ block(number: 12) {{ extrinsics(after: \"{cursor}\") {{ totalCount }} }} }}"),
        format!("{{ blocks(after: \"{cursor}\") {{ nodes {{ number }} }} }}"),
        "{ blocks(before: \"rubbish\") { nodes { number } } }".to_owned(),
    ] {
        let (message, extensions) = server.error(&query).await;
        assert_eq!(extensions["code"], "BAD_INPUT", "{message}");
        assert!(message.contains("cursor"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn page_sizes_out_of_bounds_are_refused() {
    let server = start(Fake::new()).await;
    for (query, part) in [
        (
            "{ blocks(first: 101) { nodes { number } } }",
            "from 0 to 100",
        ),
        ("{ blocks(last: -1) { nodes { number } } }", "from 0 to 100"),
        (
            "{ blocks(first: 1, last: 1) { nodes { number } } }",
            "exclude",
        ),
        (
            "{ block { events(first: 1001) { totalCount } } }",
            "from 0 to 1000",
        ),
    ] {
        let (message, extensions) = server.error(query).await;
        assert_eq!(extensions["code"], "BAD_INPUT", "{message}");
        assert!(message.contains(part), "{message}");
    }
}
