//! Routes in the explorer's shape against its real answers.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::{get, good, problem};
use crate::fake::{Fake, WIDE, account};
use crate::http::start;

/// A real answer of the explorer.
fn real(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/explorer")
        .join(format!("{name}.json.gz"));
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// Kinds of every field, and of the fields of objects that have a shape of their own.
fn kinds(value: &Value, at: &str, into: &mut BTreeMap<String, BTreeSet<&'static str>>) {
    into.entry(at.to_owned()).or_default().insert(kind(value));
    // What is below these is the chain's, in the words of either side.
    if [".args", ".call_args", ".signature"]
        .iter()
        .any(|free| at.ends_with(free))
    {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                kinds(value, &format!("{at}.{name}"), into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| kinds(item, at, into)),
        _ => {}
    }
}

fn all_kinds(answer: &Value) -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut all = BTreeMap::new();
    kinds(&answer["pagination"], "pagination", &mut all);
    for row in answer["data"].as_array().unwrap() {
        kinds(row, "row", &mut all);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_types_are_the_explorers() {
    let server = start(Fake::new()).await;
    for (path, name) in [
        (
            "/api/metagraph/latest/v1?netuid=1",
            "api_metagraph_latest_v1",
        ),
        ("/api/subnet/latest/v1", "api_subnet_latest_v1"),
        (
            "/api/runtime_version/history/v1",
            "api_runtime_version_history_v1",
        ),
        ("/api/event/v1?block_number=12", "api_event_v1"),
        ("/api/extrinsic/v1?block_number=12", "api_extrinsic_v1"),
    ] {
        let ours = good(&server, path).await.json();
        assert!(!ours["data"].as_array().unwrap().is_empty(), "{path}");
        let (ours, theirs) = (all_kinds(&ours), all_kinds(&real(name)));
        let names = |kinds: &BTreeMap<String, BTreeSet<&str>>| -> BTreeSet<String> {
            kinds.keys().cloned().collect()
        };
        assert_eq!(names(&ours), names(&theirs), "{path}");
        for (field, kinds) in &ours {
            let mut allowed = theirs[field].clone();
            // What cannot be known is null.
            allowed.insert("null");
            assert!(
                kinds.is_subset(&allowed),
                "{path} {field}: {kinds:?} {allowed:?}"
            );
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neuron_is_told_as_the_explorer_tells_it() {
    let server = start(Fake::new()).await;
    let answer = good(&server, "/api/metagraph/latest/v1?netuid=1&uid=1")
        .await
        .json();
    assert_eq!(
        answer["pagination"],
        json!({
            "current_page": 1, "per_page": 50, "total_items": 1, "total_pages": 1,
            "next_page": null, "prev_page": null,
        })
    );
    let row = &answer["data"][0];
    assert_eq!(row["hotkey"]["ss58"], account(1).to_string());
    assert_eq!(row["hotkey"]["hex"], format!("0x{}", "01".repeat(32)));
    assert_eq!(row["validator_trust"], "0.2");
    assert_eq!(row["incentive"], "1");
    assert_eq!(row["trust"], Value::Null);
    assert_eq!(row["emission"], u64::MAX.to_string());
    assert_eq!(row["block_number"], 20);
    assert_eq!(row["axon"]["ipType"], 6);
    assert_eq!(row["axon"]["block"], WIDE);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_by_number() {
    let server = start(Fake::new()).await;
    for path in [
        "/api/block/v1?",
        "/api/event/v1?",
        "/api/extrinsic/v1?",
        "/api/metagraph/latest/v1?netuid=1&",
        "/api/validator/weights/latest/v2?netuid=1&",
    ] {
        let whole = good(&server, &format!("{path}limit=1000")).await.json();
        let whole = whole["data"].as_array().unwrap().clone();
        assert!(whole.len() > 2, "{path}");
        let (mut all, mut page) = (Vec::new(), json!(1));
        while !page.is_null() {
            let answer = good(&server, &format!("{path}limit=2&page={page}"))
                .await
                .json();
            let stands = &answer["pagination"];
            assert_eq!(stands["current_page"], page, "{path}");
            assert_eq!(stands["per_page"], 2);
            all.extend(answer["data"].as_array().unwrap().clone());
            page = stands["next_page"].clone();
            assert!(all.len() <= whole.len() + 2, "{path}");
        }
        assert_eq!(all, whole, "{path}");
    }
    let deep = get(&server, "/api/event/v1?page=100000&limit=1000", &[]).await;
    problem(&deep, 422, "LIMIT_EXCEEDED");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_are_shares_of_65535() {
    let server = start(Fake::new()).await;
    let answer = good(&server, "/api/validator/weights/latest/v2?netuid=1&uid=0")
        .await
        .json();
    let row = &answer["data"][0];
    assert_eq!(row["hotkey"]["ss58"], account(0).to_string());
    assert_eq!(
        row["weights"],
        json!([{ "uid": 3, "weight": "1" }, { "uid": 0, "weight": "0" }, { "uid": 2, "weight": "0" }])
    );
    problem(
        &get(&server, "/api/validator/weights/latest/v2?netuid=9", &[]).await,
        404,
        "NOT_FOUND",
    );
    server.stop().await;
}

/// Blocks of the rows of an answer, each once.
fn blocks_of(answer: &Value) -> Vec<u64> {
    let rows = answer["data"].as_array().unwrap().iter();
    let mut blocks: Vec<u64> = rows
        .map(|row| row["block_number"].as_u64().unwrap())
        .collect();
    blocks.dedup();
    blocks
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_newest_comes_first_over_holes() {
    let server = start(Fake::with(|held| held.holes = vec![(13, 17)])).await;
    for path in ["/api/event/v1?", "/api/extrinsic/v1?"] {
        let all = good(&server, &format!("{path}limit=1000")).await.json();
        assert_eq!(blocks_of(&all), [20, 19, 18, 12, 11, 10], "{path}");
        assert_eq!(all["pagination"]["next_page"], Value::Null);
        let some = good(&server, &format!("{path}block_start=11&block_end=18")).await;
        assert_eq!(blocks_of(&some.json()), [18, 12, 11], "{path}");
        let none = good(&server, &format!("{path}block_start=14&block_end=16")).await;
        assert!(blocks_of(&none.json()).is_empty());
        for wrong in [
            "block_start=12&block_end=11",
            "block_number=12&block_end=13",
        ] {
            let reply = get(&server, &format!("{path}{wrong}"), &[]).await;
            problem(&reply, 400, "BAD_INPUT");
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_ends_early_says_so_and_how_to_go_on() {
    let server = start(Fake::with(|held| held.search_to = Some(18))).await;
    for path in ["/api/event/v1?", "/api/extrinsic/v1?"] {
        server.fake.take_counts();
        let first = good(&server, &format!("{path}limit=1000")).await.json();
        // What was found, and that it is not all.
        assert_eq!(blocks_of(&first), [20, 19, 18], "{path}");
        assert_eq!(first["pagination"]["next_page"], 2, "{path}");
        // A search has a bound; an answer makes one, and no more.
        let counts = server.fake.take_counts();
        let searches = counts.get("find_events").or(counts.get("find_extrinsics"));
        assert_eq!(searches, Some(&1), "{counts:?}");
        let second = get(&server, &format!("{path}limit=1000&page=2"), &[]).await;
        let told = problem(&second, 422, "LIMIT_EXCEEDED");
        let told = told["detail"].as_str().unwrap();
        assert!(told.contains("block_end=17"), "{told}");
        server.fake.held().search_to = Some(14);
        let rest = good(&server, &format!("{path}limit=1000&block_end=17")).await;
        assert_eq!(blocks_of(&rest.json()), [17, 16, 15, 14], "{path}");
        server.fake.held().search_to = Some(18);
    }
    // No row, but not because there is none: an empty page would say that.
    let nothing = get(&server, "/api/event/v1?pallet=Nowhere", &[]).await;
    problem(&nothing, 422, "LIMIT_EXCEEDED");
    server.fake.held().search_to = None;
    let nothing = good(&server, "/api/event/v1?pallet=Nowhere").await.json();
    assert_eq!(nothing["data"], json!([]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stake_is_null_for_all_where_subnets_have_tokens() {
    let server = start(Fake::new()).await;
    server.fake.take_counts();
    let answer = good(&server, "/api/metagraph/latest/v1?netuid=1")
        .await
        .json();
    for row in answer["data"].as_array().unwrap() {
        assert_eq!(row["stake"], Value::Null);
    }
    // The runtime tells; nobody's stake is read for it.
    assert_eq!(server.fake.take_counts().get("stake"), None);
    server.stop().await;
    let server = start(Fake::with(|held| held.keeps_rao = true)).await;
    let answer = good(&server, "/api/metagraph/latest/v1?netuid=1")
        .await
        .json();
    let stakes = answer["data"].as_array().unwrap().iter();
    let stakes: Vec<_> = stakes.map(|row| row["stake"].clone()).collect();
    assert_eq!(stakes, ["10", "10", "10", "0"]);
    server.stop().await;
}
