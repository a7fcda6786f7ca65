//! `docs/graphql.md`: its examples are answered by the demo, and its tables are true.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::served::{query, start, wait_until_ready};

fn document() -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/graphql.md");
    std::fs::read_to_string(path).unwrap()
}

fn examples(text: &str) -> Vec<&str> {
    let blocks = text.split("```graphql\n").skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

/// Whether something is said, and not only null and empty lists.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => items.iter().any(says_something),
        Value::Object(fields) => fields.values().any(says_something),
        _ => true,
    }
}

#[test]
fn its_examples_are_answered_by_the_demo() {
    let served = start(&["demo", "--listen", "127.0.0.1:0"]);
    wait_until_ready(&served.address);
    let text = document();
    let examples = examples(&text);
    assert!(examples.len() >= 8, "{}", examples.len());
    for example in examples {
        let answer = query(&served.address, example);
        assert_eq!(answer.get("errors"), None, "{example}\n{answer:#}");
        for (name, value) in answer["data"].as_object().unwrap() {
            assert!(
                says_something(value),
                "{name} is empty: {example}\n{answer:#}"
            );
        }
    }

    // The table of limits is what the program says without settings.
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let name = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?;
        let number: u64 = cells.get(2)?.parse().ok()?;
        Some((name.to_owned(), number))
    });
    let told: BTreeMap<String, u64> = rows.collect();
    let fields = query(
        &served.address,
        "{ __type(name: \"Limits\") { fields { name type { ofType { name } } } } }",
    );
    let fields = fields["data"]["__type"]["fields"].as_array().unwrap();
    let numbers = fields
        .iter()
        .filter(|field| field["type"]["ofType"]["name"] != "Boolean");
    let names: Vec<_> = numbers
        .map(|field| field["name"].as_str().unwrap())
        .collect();
    let limits = query(
        &served.address,
        &format!("{{ limits {{ {} }} }}", names.join(" ")),
    );
    let limits = limits["data"]["limits"].as_object().unwrap().iter();
    let limits: BTreeMap<String, u64> = limits
        .map(|(name, value)| {
            let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
            (name.clone(), number.unwrap())
        })
        .collect();
    assert_eq!(told, limits);
}
