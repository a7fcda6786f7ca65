//! Every list from both ends, and what is said of lists that have only one.

use serde_json::Value;

use crate::fake::{Fake, account};
use crate::http::{Server, start};

/// A connection: the path to it, its arguments, and what tells its items apart.
struct List {
    outer: &'static str,
    field: &'static str,
    arguments: String,
    key: &'static str,
    /// The largest page.
    most: u32,
}

fn lists() -> Vec<List> {
    let list = |field, arguments: &str, key| List {
        outer: "",
        field,
        arguments: arguments.to_owned(),
        key,
        most: match field {
            "challengeResults" | "scores" => 500,
            _ => 100,
        },
    };
    let at = "asOf: { block: 20 }";
    let hotkey = account(200);
    let held = "account(address: \"ADDRESS\", asOf: { block: 18 })";
    let of_account = |field, arguments: &str, key| List {
        outer: held,
        ..list(field, arguments, key)
    };
    vec![
        list("blocks", "order: OLDEST_FIRST", "number"),
        list("blocks", "order: NEWEST_FIRST", "number"),
        list("commits", &format!("netuid: 1, {at}"), "id"),
        list("stakeMovements", at, "id"),
        list("stake", &format!("hotkey: \"{hotkey}\", {at}"), "coldkey"),
        list("tenancies", "netuid: 1, uid: 3", "fromBlock"),
        list("weightChanges", "netuid: 1, uid: 2", "blockNumber"),
        list("bondChanges", "netuid: 1, uid: 2", "blockNumber"),
        list("epochs", "netuid: 1", "outputBlock"),
        list("verifications", "netuid: 1", "blockNumber"),
        list("challengeResults", "netuid: 1", "number"),
        list("scores", "netuid: 1", "number"),
        of_account("ownedHotkeys", "", "address"),
        of_account("stakeHeld", "", "hotkey"),
        of_account("stakeOnIt", "", "coldkey"),
        of_account("stakeMovements", "role: HOTKEY", "id"),
        of_account("commits", "", "id"),
    ]
}

impl List {
    /// One page: keys, cursors, and where it stands.
    async fn page(&self, server: &Server, part: &str) -> (Vec<Value>, Vec<String>, Value) {
        let (field, arguments, key) = (self.field, &self.arguments, self.key);
        let inner = format!(
            "{field}({arguments} {part}) {{ nodes {{ {key} }} edges {{ cursor node {{ {key} }} }}
               pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }}"
        );
        let query = match self.outer {
            "" => format!("{{ {inner} }}"),
            outer => format!("{{ {outer} {{ {inner} }} }}"),
        };
        // This account owns hotkeys.
        let query = query.replace("ADDRESS", &account(60).to_string());
        let mut data = server.data(&query).await;
        let found = match self.outer {
            "" => data[field].take(),
            _ => data["account"][field].take(),
        };
        let edges = found["edges"].as_array().unwrap();
        let keys: Vec<Value> = edges.iter().map(|e| e["node"][key].clone()).collect();
        let nodes = found["nodes"].as_array().unwrap();
        assert!(nodes.iter().map(|n| &n[key]).eq(&keys), "{query}");
        let cursors = edges.iter().map(|e| e["cursor"].as_str().unwrap().into());
        (keys, cursors.collect(), found["pageInfo"].clone())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_reads_the_same_from_both_ends() {
    let server = start(Fake::new()).await;
    for list in lists() {
        let (whole, cursors, info) = list.page(&server, &format!("first: {}", list.most)).await;
        let name = list.field;
        assert!(whole.len() >= 2, "{name}: {whole:?}");
        assert_eq!(info["hasPreviousPage"], false, "{name}");
        // Forwards, two at a time.
        let (mut seen, mut part) = (Vec::new(), "first: 2".to_owned());
        while seen.len() < whole.len() {
            let (keys, _, info) = list.page(&server, &part).await;
            assert!(!keys.is_empty(), "{name} {part}");
            assert_eq!(info["hasPreviousPage"], !seen.is_empty(), "{name}");
            seen.extend(keys);
            let more = info["hasNextPage"] == true;
            assert_eq!(more, seen.len() < whole.len(), "{name} {part}");
            part = format!("first: 2, after: {}", info["endCursor"]);
        }
        assert_eq!(seen, whole, "{name}");
        // Backwards, two at a time.
        let (mut seen, mut part) = (Vec::new(), "last: 2".to_owned());
        while seen.len() < whole.len() {
            let (keys, _, info) = list.page(&server, &part).await;
            assert!(!keys.is_empty(), "{name} {part}");
            assert_eq!(info["hasNextPage"], !seen.is_empty(), "{name} {part}");
            seen.splice(0..0, keys);
            let more = info["hasPreviousPage"] == true;
            assert_eq!(more, seen.len() < whole.len(), "{name} {part}");
            part = format!("last: 2, before: {}", info["startCursor"]);
        }
        assert_eq!(seen, whole, "{name}");
        // Between two cursors, cut from either end.
        let (first, last) = (cursors.first().unwrap(), cursors.last().unwrap());
        let inner = &whole[1..whole.len() - 1];
        for (side, size) in [("first", 1), ("last", 1), ("first", 100)] {
            let part = format!("{side}: {size}, after: \"{first}\", before: \"{last}\"");
            let (keys, _, _) = list.page(&server, &part).await;
            let kept = inner.len().min(size);
            let wanted = match side {
                "first" => &inner[..kept],
                _ => &inner[inner.len() - kept..],
            };
            assert_eq!(keys, wanted, "{name} {part}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_and_cursors_that_are_none_are_refused_everywhere() {
    let server = start(Fake::new()).await;
    for list in lists().iter().filter(|list| list.outer.is_empty()) {
        for wrong in [
            "first: -1",
            "last: -1",
            "first: 1, last: 1",
            "last: 1001",
            "before: \"00\"",
            "after: \"zz\"",
            "before: \"6200000000000000000\"",
        ] {
            let (field, arguments) = (list.field, &list.arguments);
            let query =
                format!("{{ {field}({arguments} {wrong}) {{ pageInfo {{ endCursor }} }} }}");
            let (message, extensions) = server.error(&query).await;
            assert_eq!(extensions["code"], "BAD_INPUT", "{query}: {message}");
        }
        // This is refused for its cost already.
        let (field, arguments) = (list.field, &list.arguments);
        for side in ["first", "last"] {
            let query = format!(
                "{{ {field}({arguments} {side}: 2147483647) {{ nodes {{ {} }} }} }}",
                list.key
            );
            let (message, extensions) = server.error(&query).await;
            assert_eq!(extensions["limit"], "complexity", "{query}: {message}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_only_go_forwards_say_why() {
    let server = start(Fake::new()).await;
    let fields = "{ __type(name: \"Query\") { fields { name description args { name } } } }";
    let data = server.data(fields).await;
    let fields = data["__type"]["fields"].as_array().unwrap();
    let mut one_way = Vec::new();
    for field in fields {
        let names = field["args"].as_array().unwrap().iter();
        let names: Vec<_> = names.map(|arg| arg["name"].as_str().unwrap()).collect();
        if names.contains(&"first") && !names.contains(&"last") {
            let text = field["description"].as_str().unwrap().replace('\n', " ");
            assert!(text.contains("no `last`"), "{field}");
            one_way.push(field["name"].as_str().unwrap());
        }
    }
    one_way.sort_unstable();
    assert_eq!(
        one_way,
        [
            "findEvents",
            "findExtrinsics",
            "series",
            "stateChanges",
            "subnetChanges",
            "subnetHistory"
        ]
    );
    let (message, extensions) = server
        .error("{ findEvents(last: 1) { pageInfo { endCursor } } }")
        .await;
    assert_eq!(extensions["code"], "BAD_INPUT");
    assert!(message.contains("last"), "{message}");
}
