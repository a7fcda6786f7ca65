//! Requests as large as they may be, made to hurt: each is refused in words, or answered.

use serde_json::{Value, json};

use crate::fake::Fake;
use crate::http::{Server, start};
use crate::socket::Socket;

/// Room for the JSON around a document in a body of 64 KiB.
const ROOM: usize = 60_000;

async fn told(server: &Server, body: String) -> Value {
    let answer = server.post(&body).await;
    assert!(
        [200, 400, 413].contains(&answer.status),
        "{}",
        answer.status
    );
    answer.json()
}

/// The one refusal that a document meets.
async fn refusal(server: &Server, query: String) -> (String, Value) {
    let answer = told(server, json!({ "query": query }).to_string()).await;
    let errors = answer["errors"].as_array().expect("it was answered");
    let code = errors[0]["extensions"]["code"].clone();
    assert_ne!(code, "INTERNAL", "{answer}");
    for error in errors {
        assert!(error["extensions"]["code"].is_string(), "{error}");
    }
    let message = errors[0]["message"].as_str().unwrap().to_owned();
    (message, errors[0]["extensions"].clone())
}

fn filled(one: &str) -> String {
    one.repeat(ROOM / one.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worst_documents_of_64_kib_are_refused_in_words() {
    let server = start(Fake::new()).await;
    let chain: String = (0..90)
        .map(|i| format!("fragment f{i} on Query {{ ...f{} }} ", i + 1))
        .collect();
    let wide: String = (0..99)
        .map(|i| format!("fragment g{i} on Block {{ number }} "))
        .collect();
    let spreads: String = (0..99).map(|i| format!("...g{i} ")).collect();
    for (document, limit) in [
        (filled("{"), Some("nesting of brackets")),
        (filled("{a"), Some("nesting of brackets")),
        (filled("["), Some("nesting of brackets")),
        (filled("("), Some("nesting of brackets")),
        (
            format!("query({}", filled("$a:[")),
            Some("nesting of brackets"),
        ),
        (filled("a "), Some("number of tokens")),
        (filled("!"), Some("number of tokens")),
        (
            format!("{{ {} }}", "a: status { last } ".repeat(129)),
            Some("number of root fields"),
        ),
        (
            format!("{{ block {{ {} }} }}", "a: number ".repeat(257)),
            Some("number of aliases"),
        ),
        (
            format!("{{ block {{ {} }} }}", "number ".repeat(2_000)),
            Some("number of fields"),
        ),
        (
            format!(
                "{{ status {{ last {} }} }}",
                "@include(if: true) ".repeat(65)
            ),
            Some("number of directives"),
        ),
        (
            format!("query {} {{ status {{ last }} }}", "@a ".repeat(65)),
            Some("number of directives"),
        ),
        (
            format!("{{ ...f0 }} {chain} fragment f90 on Query {{ status {{ last }} }}"),
            Some("nesting of selections"),
        ),
        (
            format!(
                "{{ status {{ last }} }} {wide} fragment a on Block {{ number }} fragment b on Block {{ number }}"
            ),
            Some("number of fragments"),
        ),
        (
            format!(
                "{{ {} last {} }}",
                "... on Query { ".repeat(40),
                "}".repeat(40)
            ),
            Some("nesting of selections"),
        ),
        (
            format!(
                "{{ block {{ {} }} }} {wide}",
                format!("parent {{ {spreads} }} {spreads} ").repeat(20)
            ),
            Some("number of fields"),
        ),
        (
            "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }".into(),
            None,
        ),
        (
            "{ status { ...a } } fragment a on Status { last ...a }".into(),
            None,
        ),
        (filled("#"), None),
        (format!("\u{feff}{}", filled("é")), Some("number of tokens")),
        (
            format!("{{ block(number: {}) {{ number }} }}", filled("9")),
            None,
        ),
        (
            format!("{{ block(number: 1e{}) {{ number }} }}", "9".repeat(400)),
            None,
        ),
        (
            format!("{{ block(number: -{}) {{ number }} }}", "9".repeat(400)),
            None,
        ),
        (
            format!(
                "{{ block(hash: \"{}\") {{ number }} }}",
                "\\u0000".repeat(5_000)
            ),
            None,
        ),
        (format!("{{ block(hash: \"\"\"{}", filled("x")), None),
        (format!("{{ {} {{ last }} }}", filled("s")), None),
        (
            format!(
                "query {} {{ status {{ last }} }} query b {{ status {{ last }} }}",
                "a"
            ),
            None,
        ),
        (
            format!(
                "query({}) {{ status {{ last }} }}",
                "$a: Int, ".repeat(2_000)
            ),
            None,
        ),
        (
            "{ status { last @skip(if: true) @skip(if: true) } }".into(),
            None,
        ),
        ("mutation { a }".into(), None),
    ] {
        let shown: String = document.chars().take(60).collect();
        let (message, extensions) = refusal(&server, document).await;
        match limit {
            Some(limit) => {
                assert_eq!(extensions["limit"], limit, "{shown}: {message}");
                let (measured, allowed) = (&extensions["measured"], &extensions["allowed"]);
                assert!(
                    measured.as_u64() > allowed.as_u64(),
                    "{shown}: {extensions}"
                );
                assert!(message.contains(&measured.to_string()), "{message}");
                assert!(message.contains(&allowed.to_string()), "{message}");
                assert!(message.contains("; "), "no advice: {message}");
            }
            None => assert_eq!(extensions["limit"], Value::Null, "{shown}: {message}"),
        }
        // No refusal throws the document back.
        assert!(message.len() < 2_000, "{shown}: {} bytes", message.len());
    }
    assert_eq!(
        server.data("{ status { last } }").await["status"]["last"],
        20
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_are_measured_too() {
    let server = start(Fake::new()).await;
    let query = "query($uids: [Int!], $as: AsOf) { metagraph(netuid: 1, asOf: $as) { neurons(uids: $uids) { uid } } }";
    let ask = async |variables: String| {
        let body = format!("{{\"query\":{},\"variables\":{variables}}}", json!(query));
        told(&server, body).await
    };
    let nested =
        |levels: usize| format!("{{\"uids\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
    for (variables, part) in [
        (nested(100), "depth of variables"),
        (nested(20_000), "recursion limit"),
        (
            format!("{{\"uids\":[{}1]}}", "1,".repeat(20_000)),
            "values in variables",
        ),
        (
            format!("{{\"as\":{}1{}}}", "{\"block\":".repeat(60), "}".repeat(60)),
            "depth of variables",
        ),
        (format!("{{\"uids\":[{}]}}", "9".repeat(30_000)), ""),
        ("{\"uids\":[18446744073709551616]}".into(), ""),
        ("{\"uids\":[1.5]}".into(), ""),
        ("{\"uids\":{\"a\":1}}".into(), ""),
        ("[]".into(), ""),
    ] {
        let answer = ask(variables.clone()).await;
        let errors = answer["errors"].as_array().expect("it was answered");
        let message = errors[0]["message"].as_str().unwrap();
        assert!(message.contains(part), "{message}");
        assert!(message.len() < 2_000, "{} bytes", message.len());
        let code = errors[0]["extensions"]["code"].as_str().unwrap();
        assert!(
            ["BAD_INPUT", "LIMIT_EXCEEDED"].contains(&code),
            "{code}: {message}"
        );
    }
    let fine = ask("{\"uids\":[1,2],\"as\":{\"block\":12}}".into()).await;
    assert_eq!(
        fine["data"]["metagraph"]["neurons"],
        json!([{ "uid": 1 }, { "uid": 2 }])
    );
}

/// Fragments `f0` to `f27` on a type, each of which spreads the next one three times, so that there
/// are 3^27 ways through them; and what the last one holds.
fn threefold(on: &str, end: &str) -> String {
    let lines = (0..27).map(|n| {
        let next = format!("...f{} ", n + 1).repeat(3);
        format!("fragment f{n} on {on} {{ {next}}} ")
    });
    lines.collect::<String>() + &format!("fragment f27 on {on} {{ {end} }}")
}

/// Whatever stands at the end of fragments that multiply, the engine never walks them.
#[tokio::test(flavor = "multi_thread")]
async fn fragments_that_multiply_are_refused_whatever_they_hold() {
    let server = start(Fake::new()).await;
    let unknown = Some("unknown fragment `nope`");
    let many = Some("number of fields");
    let inline = format!("{{ {} }}", "... { ... { __typename } } ".repeat(1_500));
    let sixfold: String = (0..11)
        .map(|n| {
            let next = format!("... {{ ...g{} }} ", n + 1).repeat(6);
            format!("fragment g{n} on Query {{ {next}}} ")
        })
        .collect();
    let documents = [
        (
            format!("{{ ...f0 }} {}", threefold("Query", "...nope")),
            unknown,
        ),
        (
            format!("{{ ...f0 }} {}", threefold("Query", "... { ...nope }")),
            None,
        ),
        (
            format!("{{ ...f0 }} {}", threefold("Query", "__typename")),
            many,
        ),
        (
            format!(
                "{{ ...f0 }} {}",
                threefold("Query", "__typename @skip(if: true)")
            ),
            many,
        ),
        (
            format!("{{ ...f0 }} {}", threefold("Nothing", "... { a }")),
            many,
        ),
        (
            format!(
                "{{ __schema {{ ...f0 }} }} {}",
                threefold("__Schema", "...nope")
            ),
            None,
        ),
        (
            format!("{{ ...g0 }} {sixfold} fragment g11 on Query {{ __typename }}"),
            many,
        ),
        (inline, many),
        // Never spread by an operation.
        (
            format!("{{ __typename }} {}", threefold("Query", "__typename")),
            Some("never used"),
        ),
        (
            format!("{{ __typename }} {}", threefold("Query", "...nope")),
            Some("never used"),
        ),
        // In another operation than the one that is asked for, and where nothing is executed.
        (
            format!(
                "query b {{ ...f0 }} query a {{ __typename }} {}",
                threefold("Query", "...nope")
            ),
            unknown,
        ),
        (
            format!("mutation {{ ...f0 }} {}", threefold("Query", "...nope")),
            unknown,
        ),
        (
            format!(
                "subscription {{ ...f0 }} {}",
                threefold("Subscription", "...nope")
            ),
            unknown,
        ),
        (
            format!(
                "subscription {{ blocks {{ ...f0 }} }} {}",
                threefold("Block", "__typename")
            ),
            None,
        ),
    ];
    let mut socket = Socket::open(&server).await;
    for (number, (document, told)) in documents.into_iter().enumerate() {
        let shown: String = document.chars().take(60).collect();
        let body = json!({ "query": document, "operationName": null });
        let patience = std::time::Duration::from_secs(30);
        let asked = refusal(&server, document.clone());
        let (message, _) = tokio::time::timeout(patience, asked)
            .await
            .unwrap_or_else(|_| panic!("{shown}: it is being walked"));
        if let Some(told) = told {
            assert!(message.contains(told), "{shown}: {message}");
        }
        // A WebSocket has the same rules.
        let id = number.to_string();
        let asked = socket.ask(&id, body);
        let answer = tokio::time::timeout(patience, asked)
            .await
            .unwrap_or_else(|_| panic!("{shown}: it is being walked"));
        let errors = match answer["type"].as_str() {
            Some("error") => &answer["payload"],
            _ => &answer["payload"]["errors"],
        };
        assert_eq!(errors[0]["message"], message, "{answer}");
    }
    assert_eq!(
        server.data("{ status { last } }").await["status"]["last"],
        20
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn honest_fragments_are_answered() {
    let server = start(Fake::new()).await;
    let query = "{ ...all status { ...some } } fragment all on Query { ... { status { ...some } } }
        fragment some on Status { ... on Status { last } first }";
    assert_eq!(
        server.data(query).await,
        json!({ "status": { "last": 20, "first": 10 } })
    );
}
