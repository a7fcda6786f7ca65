//! REST over a recorded chain, through the program: the same values by every way.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal256Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_schema::DataType;
use serde_json::{Value, json};

use crate::served::{Served, query, start};

/// The recorded chain's last block in the demo.
const END: u32 = 329;

/// Status, head and bytes of an answer.
fn fetch(address: &str, path: &str, accept: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(90)))
        .unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAccept: {accept}\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), answer[end + 4..].to_vec())
}

fn json_of(address: &str, path: &str) -> Value {
    let (status, _, body) = fetch(address, path, "application/json");
    let text = String::from_utf8_lossy(&body);
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_slice(&body).unwrap()
}

/// The demo with all its blocks.
fn demo() -> Served {
    let served = start(&["demo", "--listen", "127.0.0.1:0"]);
    let started = Instant::now();
    while fetch(
        &served.address,
        &format!("/v1/status?minBlock={END}"),
        "*/*",
    )
    .0 != 200
    {
        assert!(started.elapsed() < Duration::from_secs(120), "not stored");
        std::thread::sleep(Duration::from_millis(100));
    }
    // Epochs are computed again behind the commits.
    while json_of(&served.address, "/v1/status")["item"]["verifiedLast"] != END {
        assert!(started.elapsed() < Duration::from_secs(180), "not verified");
        std::thread::sleep(Duration::from_millis(100));
    }
    served
}

/// A value of a column as text; `None` is null.
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
        DataType::Decimal256(_, 0) => array
            .as_primitive::<Decimal256Type>()
            .value(row)
            .to_string(),
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        other => panic!("{other}"),
    })
}

/// A record's value under a column's name: a field, or a field below one (axonIp is axon.ip).
fn under<'a>(record: &'a Value, column: &str) -> &'a Value {
    if let Some(value) = record.get(column) {
        return value;
    }
    let fields = record.as_object().unwrap();
    for (name, value) in fields {
        let Some(rest) = column.strip_prefix(name.as_str()) else {
            continue;
        };
        let mut chars = rest.chars();
        let Some(first) = chars.next().filter(char::is_ascii_uppercase) else {
            continue;
        };
        let inner: String = first.to_lowercase().chain(chars).collect();
        match value {
            Value::Null => return value,
            Value::Object(_) => return under(value, &inner),
            _ => {}
        }
    }
    panic!("no {column} in {record}")
}

/// That a cell says what JSON says; lists and objects are JSON in text.
fn check(cell: Option<&str>, value: &Value, at: &str) {
    match value {
        Value::Null => assert_eq!(cell, None, "{at}"),
        Value::String(text) => assert_eq!(cell, Some(text.as_str()), "{at}"),
        Value::Bool(_) | Value::Number(_) => {
            assert_eq!(cell, Some(value.to_string().as_str()), "{at}");
        }
        Value::Array(_) | Value::Object(_) => {
            let told: Value = serde_json::from_str(cell.unwrap()).unwrap();
            assert_eq!(told, *value, "{at}");
        }
    }
}

/// The rows of JSON are those of CSV and of Arrow.
fn same_in_every_form(address: &str, path: &str, records: &[Value]) {
    let joined = if path.contains('?') { '&' } else { '?' };
    let (status, head, table) = fetch(address, path, "text/csv");
    assert_eq!(status, 200, "{path}");
    assert!(head.contains("content-type: text/csv"), "{head}");
    let mut table = csv::Reader::from_reader(table.as_slice());
    let names: Vec<String> = table.headers().unwrap().iter().map(Into::into).collect();
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    let (status, _, arrow) = fetch(address, &format!("{path}{joined}format=arrow"), "*/*");
    assert_eq!(status, 200, "{path}");
    let mut reader = StreamReader::try_new(arrow.as_slice(), None).unwrap();
    let batch = reader.next().unwrap().unwrap();
    assert_eq!(rows.len(), records.len(), "{path}");
    assert_eq!(batch.num_rows(), records.len(), "{path}");
    for (row, record) in records.iter().enumerate() {
        for (column, name) in names.iter().enumerate() {
            assert_eq!(batch.schema().field(column).name(), name);
            let told = under(record, name);
            let at = format!("{path} {name} {row}");
            check(cell(&batch, column, row).as_deref(), told, &at);
            // To this reader null and empty text are the same.
            let shown = Some(rows[row].get(column).unwrap());
            let empty = told.is_null() || told == "";
            check(shown.filter(|_| !told.is_null()), told, &at);
            assert_eq!(shown == Some(""), empty, "{at}");
        }
    }
}

const NEURON: &str = "uid hotkey coldkey blockAtRegistration active validatorPermit rank trust \
    consensus incentive dividends emission validatorTrust stakeWeight pruningScore lastUpdate \
    axon { block version ip ipText port ipType protocol placeholder1 placeholder2 } \
    prometheus { block version ip ipText port ipType }";

#[test]
fn the_store_is_the_same_by_rest_by_graphql_and_in_every_form() {
    let served = demo();
    let address = &served.address;
    let (mut neurons, mut weights, mut bonds) = (0, 0, 0);
    for netuid in 1..=3 {
        for block in [0, 1, 57, 139, 222, END] {
            let asked = query(
                address,
                &format!(
                    "{{ metagraph(netuid: {netuid}, asOf: {{ block: {block} }}) {{
                        stamp {{ block hash specVersion finalized }}
                        subnet {{ lastEpochBlock }}
                        neurons {{ {NEURON} }} }} }}"
                ),
            );
            assert_eq!(asked.get("errors"), None, "{asked:#}");
            let asked = &asked["data"]["metagraph"];
            let path = format!("/v1/metagraph/{netuid}?block={block}");
            if asked.is_null() {
                let (status, _, body) = fetch(address, &path, "*/*");
                assert_eq!(status, 404, "{}", String::from_utf8_lossy(&body));
                continue;
            }
            let told = json_of(address, &path);
            assert_eq!(told["stamp"], asked["stamp"], "{path}");
            assert_eq!(told["neurons"], asked["neurons"], "{path}");
            let epoch = told["epoch"].get("block").unwrap_or(&Value::Null);
            assert_eq!(*epoch, asked["subnet"]["lastEpochBlock"], "{path}");
            let records = told["neurons"].as_array().unwrap();
            neurons += records.len();
            same_in_every_form(address, &path, records);
            for (name, count) in [("weights", &mut weights), ("bonds", &mut bonds)] {
                let path = format!("/v1/{name}/{netuid}?block={block}");
                let told = json_of(address, &path);
                let asked = query(
                    address,
                    &format!(
                        "{{ {name}(netuid: {netuid}, asOf: {{ block: {block} }}) {{
                            rows {{ uid changedAt uids values }} }} }}"
                    ),
                );
                assert_eq!(told["rows"], asked["data"][name]["rows"], "{path}");
                let rows = told["rows"].as_array().unwrap().iter();
                let long: Vec<Value> = rows
                    .flat_map(|row| {
                        let uids = row["uids"].as_array().unwrap();
                        let values = row["values"].as_array().unwrap();
                        assert_eq!(uids.len(), values.len());
                        let pairs = uids.iter().zip(values);
                        let empty = uids.is_empty().then_some((&Value::Null, &Value::Null));
                        pairs.chain(empty).map(move |(dest, value)| {
                            json!({ "uid": row["uid"], "dest": dest, "value": value,
                                    "changedAt": row["changedAt"] })
                        })
                    })
                    .collect();
                *count += long.len();
                same_in_every_form(address, &path, &long);
            }
        }
    }
    assert!(
        neurons > 30 && weights > 10 && bonds > 10,
        "{neurons} {weights} {bonds}"
    );
    lists(address);
    epochs(address);
    explorer(address);
}

/// Every list, whole, in every form.
fn lists(address: &str) {
    let hotkey = &json_of(address, "/v1/metagraph/1")["neurons"][0]["hotkey"];
    let hotkey = hotkey.as_str().unwrap();
    for path in [
        "/v1/blocks?first=100".to_owned(),
        "/v1/runtimes".to_owned(),
        "/v1/subnets".to_owned(),
        "/v1/epochs/1".to_owned(),
        "/v1/commits?first=100".to_owned(),
        "/v1/stake/movements?first=100".to_owned(),
        format!("/v1/stake?hotkey={hotkey}"),
        "/v1/blocks/112/extrinsics".to_owned(),
        "/v1/blocks/112/events".to_owned(),
    ] {
        let told = json_of(address, &path);
        let items = told["items"].as_array().unwrap();
        assert!(!items.is_empty(), "{path}");
        same_in_every_form(address, &path, items);
    }
}

/// An epoch by its number is the block in which it ran, and verdicts are those of GraphQL.
fn epochs(address: &str) {
    let listed = json_of(address, "/v1/epochs/1");
    let mut verdicts = 0;
    for epoch in listed["items"].as_array().unwrap() {
        let block = &epoch["blockNumber"];
        if let Some(index) = epoch["index"].as_str() {
            let told = json_of(address, &format!("/v1/metagraph/1?epoch={index}"));
            assert_eq!(told["stamp"]["block"], *block);
            assert_eq!(told["epoch"]["index"], epoch["index"]);
        }
        if let Some(verdict) = epoch["verdict"].as_str() {
            let one = json_of(address, &format!("/v1/epochs/1/{block}"));
            assert_eq!(one["verdict"], verdict);
            verdicts += 1;
        }
    }
    assert!(verdicts > 3, "{listed:#}");
    let (status, _, _) = fetch(address, "/v1/metagraph/1?epoch=4000000000", "*/*");
    assert_eq!(status, 404);
}

/// What the explorer's shapes say is what the plain ones say.
fn explorer(address: &str) {
    let plain = json_of(address, "/v1/metagraph/1");
    let shaped = json_of(address, "/api/metagraph/latest/v1?netuid=1&limit=1024");
    let (plain, shaped) = (
        plain["neurons"].as_array().unwrap(),
        shaped["data"].as_array().unwrap(),
    );
    assert_eq!(plain.len(), shaped.len());
    for (plain, shaped) in plain.iter().zip(shaped) {
        assert_eq!(plain["uid"], shaped["uid"]);
        assert_eq!(plain["hotkey"], shaped["hotkey"]["ss58"]);
        assert_eq!(plain["emission"], shaped["emission"]);
        assert_eq!(plain["validatorPermit"], shaped["validator_permit"]);
    }
    let subnets = json_of(address, "/api/subnet/latest/v1");
    assert_eq!(
        subnets["pagination"]["total_items"],
        subnets["data"].as_array().unwrap().len()
    );
    let events = json_of(address, "/api/event/v1?block_number=112&limit=1000");
    let plain = json_of(address, "/v1/blocks/112/events?first=1000");
    assert_eq!(
        events["pagination"]["total_items"],
        plain["items"].as_array().unwrap().len()
    );
    for path in [
        "/api/block/v1",
        "/api/extrinsic/v1",
        "/api/event/v1",
        "/api/runtime_version/history/v1",
    ] {
        assert!(
            !json_of(address, path)["data"]
                .as_array()
                .unwrap()
                .is_empty(),
            "{path}"
        );
    }
}
