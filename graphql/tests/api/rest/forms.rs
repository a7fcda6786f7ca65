//! The same values as JSON, CSV and Arrow.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal256Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_schema::DataType;
use serde_json::{Value, json};

use super::{READS, get, good};
use crate::fake::{Fake, WIDE, account, hash_of};
use crate::http::start;

/// A value of a column, as its JSON would be in text.
fn cell(batch: &RecordBatch, column: usize, row: usize) -> Option<String> {
    let array = batch.column(column);
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().value(row).to_string(),
        DataType::UInt16 => array.as_primitive::<UInt16Type>().value(row).to_string(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(row).to_string(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).to_string(),
        DataType::Float64 => array
            .as_primitive::<arrow_array::types::Float64Type>()
            .value(row)
            .to_string(),
        DataType::Decimal256(39, 0) => array
            .as_primitive::<Decimal256Type>()
            .value(row)
            .to_string(),
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        other => panic!("{other}"),
    })
}

fn batch(bytes: &[u8]) -> RecordBatch {
    let mut reader = StreamReader::try_new(bytes, None).unwrap();
    let batch = reader.next().unwrap().unwrap();
    assert!(reader.next().is_none());
    batch
}

/// Cells of a CSV: `None` is null, which no quoted text is.
fn csv(text: &str) -> Vec<Vec<Option<String>>> {
    let (mut rows, mut row, mut cell, mut quoted) = (vec![], vec![], String::new(), None);
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match (char, quoted) {
            ('"', Some(true)) if chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            ('"', Some(true)) => quoted = Some(false),
            ('"', None) => quoted = Some(true),
            (',' | '\r', None | Some(false)) => {
                let text = std::mem::take(&mut cell);
                row.push((quoted.is_some() || !text.is_empty()).then_some(text));
                quoted = None;
            }
            ('\n', None) => rows.push(std::mem::take(&mut row)),
            (char, _) => cell.push(char),
        }
    }
    assert!(row.is_empty() && cell.is_empty());
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn every_read_has_the_same_rows_as_csv_and_as_arrow() {
    let server = start(Fake::new()).await;
    for path in READS {
        let joined = if path.contains('?') { '&' } else { '?' };
        let table = good(&server, &format!("{path}{joined}format=csv")).await;
        assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
        let rows = csv(table.text());
        let arrow = good(&server, &format!("{path}{joined}format=arrow")).await;
        let batch = batch(&arrow.body);
        let names: Vec<Option<String>> = batch
            .schema()
            .fields()
            .iter()
            .map(|field| Some(field.name().clone()))
            .collect();
        assert_eq!(rows[0], names, "{path}");
        assert_eq!(rows.len() - 1, batch.num_rows(), "{path}");
        for (row, cells) in rows.iter().skip(1).enumerate() {
            for (column, text) in cells.iter().enumerate() {
                assert_eq!(*text, cell(&batch, column, row), "{path} {column} {row}");
            }
        }
        assert!(batch.num_rows() > 0 || path == "/v1/scores/1", "{path}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_follows_accept_and_format_goes_before_it() {
    let server = start(Fake::new()).await;
    let kind = async |path: &str, accept: &str| {
        let reply = get(&server, path, &[("accept", accept)]).await;
        assert_eq!(reply.status, 200);
        assert!(
            reply
                .header("vary")
                .split(", ")
                .any(|name| name == "accept")
        );
        reply.header("content-type").to_owned()
    };
    let arrow = "application/vnd.apache.arrow.stream";
    assert_eq!(kind("/v1/metagraph/1", "*/*").await, "application/json");
    assert_eq!(kind("/v1/metagraph/1", arrow).await, arrow);
    assert_eq!(
        kind("/v1/metagraph/1", "text/csv").await,
        "text/csv; charset=utf-8"
    );
    assert_eq!(
        kind("/v1/metagraph/1?format=arrow", "text/csv").await,
        arrow
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metagraph_has_its_stamp_in_every_form() {
    let server = start(Fake::new()).await;
    let path = "/v1/metagraph/1?block=12";
    let reply = good(&server, path).await;
    let answer = reply.json();
    assert_eq!(
        answer["stamp"],
        json!({ "block": 12, "hash": hash_of(12).to_string(), "specVersion": 300, "finalized": true })
    );
    assert_eq!(
        answer["epoch"],
        json!({ "block": WIDE.to_string(), "index": null })
    );
    assert_eq!(reply.header("x-block"), "12");
    assert_eq!(reply.header("x-block-hash"), hash_of(12).to_string());
    assert_eq!(reply.header("x-spec-version"), "300");
    assert_eq!(reply.header("x-finalized"), "true");
    assert_eq!(reply.header("x-epoch-block"), WIDE.to_string());
    let arrow = batch(&good(&server, &format!("{path}&format=arrow")).await.body);
    let schema = arrow.schema();
    let told = |name: &str| schema.metadata().get(name).map(|text| text.to_string());
    assert_eq!(told("block").as_deref(), Some("12"));
    assert_eq!(told("hash"), Some(hash_of(12).to_string()));
    assert_eq!(told("epochBlock"), Some(WIDE.to_string()));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn neurons_are_exact_and_null_is_never_zero() {
    let server = start(Fake::new()).await;
    let answer = good(&server, "/v1/metagraph/1?block=16&uids=1,3,99")
        .await
        .json();
    let neurons = answer["neurons"].as_array().unwrap();
    assert_eq!(neurons.len(), 2);
    let one = &neurons[0];
    assert_eq!(one["uid"], 1);
    assert_eq!(one["hotkey"], account(1).to_string());
    assert_eq!(one["emission"], u64::MAX.to_string());
    assert_eq!(one["lastUpdate"], (WIDE + 1).to_string());
    assert_eq!(one["axon"]["ip"], u128::MAX.to_string());
    assert_eq!(one["rank"], Value::Null);
    assert_eq!(neurons[1]["stakeWeight"], Value::Null);
    assert_eq!(neurons[1]["axon"], Value::Null);
    assert_eq!(neurons[1]["incentive"], 0);
    let arrow = good(&server, "/v1/metagraph/1?block=16&uids=1&format=arrow").await;
    let arrow = batch(&arrow.body);
    let column = arrow.schema().index_of("axonIp").unwrap();
    assert_eq!(cell(&arrow, column, 0), Some(u128::MAX.to_string()));
    let column = arrow.schema().index_of("emission").unwrap();
    assert_eq!(arrow.column(column).data_type(), &DataType::UInt64);
    assert_eq!(cell(&arrow, column, 0), Some(u64::MAX.to_string()));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_matrix_is_rows_of_pairs_and_a_long_table() {
    let server = start(Fake::new()).await;
    let answer = good(&server, "/v1/weights/1?uids=2").await.json();
    assert_eq!(
        answer["rows"],
        json!([{ "uid": 2, "changedAt": null, "uids": [3, 0, 2], "values": [65535, 2, 0] }])
    );
    let table = good(&server, "/v1/weights/1?uids=2&format=csv").await;
    assert_eq!(
        table.text(),
        "uid,dest,value,changedAt\r\n2,3,65535,\r\n2,0,2,\r\n2,2,0,\r\n"
    );
    let table = good(&server, "/v1/weights/1?uids=0&block=12&format=csv").await;
    assert_eq!(
        table.text(),
        "uid,dest,value,changedAt\r\n0,3,65535,12\r\n0,0,0,12\r\n0,2,0,12\r\n"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_join_to_the_whole_list_and_link_to_each_other() {
    let server = start(Fake::new()).await;
    for (path, key) in [
        ("/v1/blocks?order=OLDEST", "number"),
        ("/v1/blocks?from=12&to=18", "number"),
        ("/v1/blocks/12/events?pallet=System", "index"),
        ("/v1/blocks/12/extrinsics?block", "index"),
        ("/v1/commits?netuid=1", "id"),
        ("/v1/stake/movements?netuid=1", "id"),
        ("/v1/epochs/1?from=10", "blockNumber"),
        (
            "/v1/stake?coldkey=5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM&block=15",
            "hotkey",
        ),
    ] {
        let path = path.trim_end_matches("?block");
        let joined = if path.contains('?') { '&' } else { '?' };
        let keys = |answer: &Value| -> Vec<Value> {
            let items = answer["items"].as_array().unwrap().iter();
            items.map(|item| item[key].clone()).collect()
        };
        let whole = keys(
            &good(&server, &format!("{path}{joined}first=100"))
                .await
                .json(),
        );
        assert!(whole.len() > 1, "{path}");
        let (mut all, mut next) = (Vec::new(), format!("{path}{joined}first=2"));
        loop {
            let reply = good(&server, &next).await;
            let answer = reply.json();
            all.extend(keys(&answer));
            let Some(cursor) = answer["next"].as_str() else {
                assert!(!reply.headers.contains_key("link"));
                break;
            };
            let link = reply.header("link");
            next = link[1..link.find('>').unwrap()].to_owned();
            assert!(next.contains(&format!("after={cursor}")), "{next}");
            assert!(all.len() <= whole.len(), "{path}");
        }
        assert_eq!(all, whole, "{path}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_names_the_block_in_which_it_ran() {
    let server = start(Fake::new()).await;
    server.fake.take_counts();
    let told = good(&server, "/v1/metagraph/1?epoch=16").await;
    assert_eq!(told.json()["stamp"]["block"], 16);
    // It is the port that knows when the subnet was registered, as GraphQL asks it.
    let counts = server.fake.take_counts();
    assert_eq!(counts.get("epoch_blocks"), Some(&1), "{counts:?}");
    assert_eq!(counts.get("epochs"), None, "{counts:?}");
    for other in [1, WIDE] {
        let path = format!("/v1/weights/1?epoch={other}");
        super::problem(&get(&server, &path, &[]).await, 404, "NOT_FOUND");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_metagraph_is_few_reads() {
    let server = start(Fake::new()).await;
    server.fake.take_counts();
    good(&server, "/v1/metagraph/1?block=12").await;
    let counts = server.fake.take_counts();
    // The block, the neurons, their epoch; the status and a later epoch for how long it holds.
    assert_eq!(counts.values().sum::<usize>(), 5, "{counts:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_stake_stay_at_their_block() {
    let server = start(Fake::new()).await;
    let path = "/v1/stake?coldkey=5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM";
    for path in [
        format!("{path}&first=2"),
        format!("{path}&first=2&blocksBehindHead=0"),
    ] {
        let (mut next, mut rows) = (path, 0);
        let block = server.fake.held().last;
        loop {
            let reply = good(&server, &next).await;
            let answer = reply.json();
            assert_eq!(answer["stamp"]["block"], json!(block));
            rows += answer["items"].as_array().unwrap().len();
            if answer["next"].is_null() {
                break;
            }
            let link = reply.header("link");
            next = link[1..link.find('>').unwrap()].to_owned();
            // A block comes between two pages.
            server.fake.commit(&[]);
        }
        assert_eq!(rows, 5);
    }
    let other = good(&server, &format!("{path}&first=2&block=15"))
        .await
        .json();
    let other = format!("{path}&block=14&after={}", other["next"].as_str().unwrap());
    super::problem(&get(&server, &other, &[]).await, 400, "BAD_INPUT");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn epochs_of_a_range_with_a_hole_are_refused() {
    let server = start(Fake::with(|held| held.holes = vec![(14, 15)])).await;
    let blocks = async |path: &str| -> Vec<Value> {
        let answer = good(&server, path).await.json();
        let items = answer["items"].as_array().unwrap().iter();
        let mut blocks: Vec<Value> = items.map(|item| item["blockNumber"].clone()).collect();
        blocks.dedup();
        blocks
    };
    // Without a range the newest one is meant, with one end the range that has it.
    assert_eq!(blocks("/v1/epochs/1").await, [16, 20]);
    assert_eq!(blocks("/v1/epochs/1?from=11").await, [12]);
    assert_eq!(blocks("/v1/epochs/1?to=12").await, [12]);
    assert_eq!(blocks("/v1/epochs/1?from=17&to=20").await, [20]);
    for (range, missing) in [("from=12&to=18", "14"), ("from=14", "14"), ("to=21", "21")] {
        let reply = get(&server, &format!("/v1/epochs/1?{range}"), &[]).await;
        let told = super::problem(&reply, 404, "OUT_OF_RANGE");
        assert!(told["detail"].as_str().unwrap().contains(missing), "{told}");
    }
    server.stop().await;
}
