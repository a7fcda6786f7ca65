//! GraphQL that nobody means well with.

use serde_json::{Value, json};

use super::wire::Said;
use super::{besieged, refused_in_words};

/// Small ones, as they are sent: a name and the text of the body.
const CORPUS: &str = include_str!("queries.json");

fn query(text: impl Into<String>) -> Vec<u8> {
    json!({ "query": text.into() }).to_string().into_bytes()
}

/// Those that are made: too large, or too many, to be written down.
fn made() -> Vec<(&'static str, Vec<u8>)> {
    let nested = |open: &str, close: &str, times: usize, inner: &str| {
        format!("{}{inner}{}", open.repeat(times), close.repeat(times))
    };
    let aliases = |times: usize, field: &str| {
        let fields: String = (0..times).map(|n| format!("a{n}: {field} ")).collect();
        format!("{{ {fields} }}")
    };
    let deep = nested("metagraph(netuid: 1) { subnet { ", "} }", 40, "netuid");
    let bomb: String = (0..30)
        .map(|n| {
            let next = n + 1;
            format!("fragment f{n} on Query {{ ...f{next} ...f{next} }} ")
        })
        .collect();
    let wide_bomb: String = (0..12)
        .map(|n| {
            let next = n + 1;
            let ten = format!("...f{next} ").repeat(10);
            format!("fragment f{n} on Query {{ {ten} }} ")
        })
        .collect();
    let introspection = nested("ofType { ", "}", 60, "name");
    // 3^27 ways through fragments in which there is no field.
    let threefold = |on: &str, end: &str| {
        let lines = (0..27).map(|n| {
            let next = format!("...f{} ", n + 1).repeat(3);
            format!("fragment f{n} on {on} {{ {next}}} ")
        });
        lines.collect::<String>() + &format!("fragment f27 on {on} {{ {end} }}")
    };
    let schema = "__schema { types { fields { type { name } } } }";
    vec![
        ("nested objects", query(format!("{{ {deep} }}"))),
        ("ten thousand brackets", query("{ a ".repeat(10_000))),
        (
            "a hundred thousand open lists",
            query(format!("{{ block(number: {}", "[".repeat(50_000))),
        ),
        (
            "nested input",
            query(format!(
                "{{ weights(netuid: 1, uids: {}) {{ rowCount }} }}",
                nested("[", "]", 5_000, "1")
            )),
        ),
        (
            "nested input objects",
            query(format!(
                "{{ subnets(asOf: {}) {{ netuid }} }}",
                nested("{block: ", "}", 3_000, "1")
            )),
        ),
        (
            "aliases",
            query(aliases(2_500, "metagraph(netuid: 1) { neurons { uid } }")),
        ),
        (
            "aliases that cost",
            query(aliases(
                300,
                "metagraph(netuid: 1) { neurons { uid hotkey weights { entries { uid value } } } }",
            )),
        ),
        ("cheap aliases", query(aliases(4_000, "__typename"))),
        (
            "the same field",
            query(format!("{{ {} }}", "status { last } ".repeat(3_000))),
        ),
        (
            "fragments that double",
            query(format!(
                "{{ ...f0 }} {bomb} fragment f30 on Query {{ __typename }}"
            )),
        ),
        (
            "fragments that grow tenfold",
            query(format!(
                "{{ ...f0 }} {wide_bomb} fragment f12 on Query {{ __typename }}"
            )),
        ),
        (
            "fragments that multiply and end in an unknown one",
            query(format!("{{ ...f0 }} {}", threefold("Query", "...nope"))),
        ),
        (
            "fragments that multiply and end in nothing that is answered",
            query(format!(
                "{{ ...f0 }} {}",
                threefold("Query", "__typename @skip(if: true)")
            )),
        ),
        (
            "fragments that multiply and end in inline ones",
            query(format!(
                "{{ ...f0 }} {}",
                threefold("Query", "... { __typename }")
            )),
        ),
        (
            "fragments that multiply below the schema",
            query(format!(
                "{{ __schema {{ ...f0 }} }} {}",
                threefold("__Schema", "...nope")
            )),
        ),
        (
            "fragments that multiply and nobody uses",
            query(format!("{{ nothing }} {}", threefold("Query", "...nope"))),
        ),
        (
            "fragments that multiply in a subscription",
            query(format!(
                "subscription {{ ...f0 }} {}",
                threefold("Subscription", "...nope")
            )),
        ),
        (
            "inline fragments",
            query(format!(
                "{{ {} }}",
                "... { ... { __typename } } ".repeat(1_500)
            )),
        ),
        ("wide introspection", query(aliases(5, schema))),
        (
            "the same introspection below one field",
            query(format!(
                "{{ __schema {{ {} }} }}",
                (0..300)
                    .map(|n| format!("t{n}: types {{ fields {{ name }} }} "))
                    .collect::<String>()
            )),
        ),
        (
            "more aliases than a request may have",
            query(aliases(129, "status { last }")),
        ),
        (
            "walks that find nothing",
            query(aliases(
                128,
                "stakeMovements(netuid: 0, kind: LEASE_DIVIDENDS, first: 1) { nodes { id } }",
            )),
        ),
        (
            "all records again and again",
            query(aliases(128, "badge(netuid: 1) { text }")),
        ),
        (
            "many matrices of numbers",
            query(aliases(23, "weights(netuid: 1) { rows { uids values } }")),
        ),
        (
            "many fragments",
            query(format!(
                "{{ ...f0 }} {}",
                (0..1_000)
                    .map(|n| format!("fragment f{n} on Query {{ __typename }} "))
                    .collect::<String>()
            )),
        ),
        (
            "a huge integer",
            query(format!(
                "{{ block(number: {}) {{ number }} }}",
                "9".repeat(20_000)
            )),
        ),
        (
            "a huge negative integer",
            query(format!(
                "{{ block(number: -{}) {{ number }} }}",
                "9".repeat(400)
            )),
        ),
        (
            "a huge exponent",
            query("{ block(number: 1e999999999) { number } }"),
        ),
        (
            "many directives",
            query(format!(
                "{{ status @nothing{} {{ last }} }}",
                " @include(if: true)".repeat(500)
            )),
        ),
        ("whitespace", query(" ".repeat(3 << 20))),
        (
            "commas",
            query(format!("{{ status {} }}", ",".repeat(1 << 20))),
        ),
        ("comments", query(format!("#{}\n", "x".repeat(2 << 20)))),
        (
            "short comments",
            query(format!("{} {{ nothing }}", "#\n".repeat(25_000))),
        ),
        (
            "a long name",
            query(format!("{{ {} }}", "n".repeat(50_000))),
        ),
        (
            "a long string",
            query(format!(
                "{{ extrinsic(hash: \"{}\") {{ index }} }}",
                "0".repeat(50_000)
            )),
        ),
        (
            "block strings",
            query("{ extrinsic(hash: \"\"\"".to_owned() + &"\\\"\"\"".repeat(5_000)),
        ),
        (
            "deep introspection",
            query(format!("{{ __schema {{ types {{ {introspection} }} }} }}")),
        ),
        (
            "many operations",
            query(
                (0..2_000)
                    .map(|n| format!("query q{n} {{ nothing }} "))
                    .collect::<String>(),
            ),
        ),
        (
            "many variables",
            query(format!(
                "query({}) {{ nothing }}",
                (0..2_000)
                    .map(|n| format!("$v{n}: Int "))
                    .collect::<String>()
            )),
        ),
        (
            "a batch of thousands",
            format!(
                "[{}]",
                vec![r#"{"query":"{status{last}}"}"#; 2_000].join(",")
            )
            .into_bytes(),
        ),
        (
            "a deep body",
            format!("{{\"query\": {}", "[".repeat(60_000)).into_bytes(),
        ),
        (
            "deep variables",
            format!(
                "{{\"query\": \"{{ nothing }}\", \"variables\": {}",
                "{\"a\":".repeat(10_000)
            )
            .into_bytes(),
        ),
        (
            "deep extensions",
            format!(
                "{{\"query\": \"{{ nothing }}\", \"extensions\": {{\"a\":{}}}}}",
                nested("[", "]", 20_000, "")
            )
            .into_bytes(),
        ),
        (
            "bad UTF-8",
            b"{\"query\": \"{ status { last } } # \xff\xfe\"}".to_vec(),
        ),
        ("nothing but zeros", vec![0; 10_000]),
        (
            "a long operation name",
            json!({ "query": "{ status { last } }", "operationName": "n".repeat(60_000) })
                .to_string()
                .into_bytes(),
        ),
    ]
}

#[test]
fn hostile_queries_are_refused_with_a_sentence() {
    let besieged = besieged();
    let corpus: Vec<Value> = serde_json::from_str(CORPUS).unwrap();
    assert!(corpus.len() > 20);
    let small = corpus.iter().map(|entry| {
        let name = entry["name"].as_str().unwrap();
        (name, entry["body"].as_str().unwrap().as_bytes().to_vec())
    });
    let mut answers = 0;
    for (name, body) in small.chain(made()) {
        let said = besieged.evil().post("/graphql", &body);
        refused_in_words(name, &said);
        answers += u32::from(matches!(said, Said::Answer { .. }));
    }
    // A closed socket is for the worst of them only.
    assert!(answers > 40, "{answers}");
    besieged.still_answers(1);
    besieged.stands();
}

#[test]
fn the_costliest_queries_allowed_leave_others_a_place() {
    let besieged = besieged();
    let all = query(
        "{ subnets { netuid metagraph { neurons { uid hotkey coldkey axon { ip } weights { entryCount } bonds { entryCount } } } } }",
    );
    let schema = "schema { types { fields { type { name ofType { name } } args { name } } } }";
    let schemas: String = (0..4).map(|n| format!("s{n}: __{schema} ")).collect();
    let schemas = query(format!("{{ {schemas} }}"));
    let threads: Vec<_> = (0..24)
        .map(|number| {
            let all = [&all, &schemas][usize::from(number % 8 == 0)].clone();
            let address = besieged.address.clone();
            std::thread::spawn(move || {
                for _ in 0..4 {
                    let Ok(mut wire) = super::Wire::open(&address, super::EVIL) else {
                        continue;
                    };
                    match wire.post("/graphql", &all) {
                        Said::Answer { status: 200, .. } => {}
                        said => super::refused("the costliest", &said),
                    }
                }
            })
        })
        .collect();
    besieged.still_answers(3);
    for thread in threads {
        thread.join().unwrap();
    }
    besieged.stands();
}
