//! Requests as large as they may be, made to hurt: each is refused in words, or answered.

use serde_json::{Value, json};

use crate::fake::Fake;
use crate::http::{Server, start};

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
