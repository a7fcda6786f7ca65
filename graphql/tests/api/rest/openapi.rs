//! The document of routes is what is committed, and what is served.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::{get, good, send};
use crate::fake::Fake;
use crate::http::start;

fn document() -> Value {
    serde_json::from_str(&graphql::openapi().unwrap()).unwrap()
}

#[test]
fn the_committed_document_of_routes_is_that_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let text = graphql::openapi().unwrap();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "graphql/openapi.json is old; run UPDATE_OPENAPI=1 cargo test -p graphql the_committed_document"
    );
}

/// Every path in a call of `route` under `src/server`.
fn routed(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            routed(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            // Routes of tests are none.
            let text = text.split("#[cfg(test)]").next().unwrap();
            for call in text.split(".route(").skip(1) {
                let Some(rest) = call.trim_start().strip_prefix('"') else {
                    continue;
                };
                found.insert(rest.split('"').next().unwrap().to_owned());
            }
        }
    }
}

#[test]
fn every_route_is_in_the_document_and_every_entry_is_a_route() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut routes = BTreeSet::new();
    routed(&source, &mut routes);
    // What is asked when no other route fits.
    routes.retain(|route| !route.contains("{*"));
    assert!(routes.len() > 40, "{routes:?}");
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let described: BTreeSet<String> = paths.keys().cloned().collect();
    assert_eq!(routes, described);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_served_and_its_entries_answer() {
    let server = start(Fake::new()).await;
    let served = good(&server, "/v1/openapi.json").await.json();
    assert_eq!(served, document());
    assert!(served["openapi"].as_str().unwrap().starts_with("3.1"));
    for (path, item) in served["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let asked = path
                .replace("{netuid}", "1")
                .replace("{block}", "12")
                .replace("{name}", "nobody")
                .replace("{file}", "index.html");
            let reply = send(&server, &method.to_uppercase(), &asked, &[], "{}").await;
            let text = String::from_utf8_lossy(&reply.body);
            // Switched off here: there is no intake and no metrics.
            let off =
                ["/metrics", "/v1/scoring/1/reports", "/v1/results/1"].contains(&asked.as_str());
            assert!(off || reply.status != 405, "{method} {path}: {text}");
            assert!(
                !text.contains("there is nothing at"),
                "{method} {path}: {text}"
            );
            let told = item[method]["responses"].as_object().unwrap();
            let status = reply.status.to_string();
            let family = format!("{}XX", &status[..1]);
            assert!(
                off || told.contains_key(&status) || told.contains_key(&family),
                "{method} {path} answers {status}: {text}"
            );
        }
    }
    server.stop().await;
}

/// Every object of the document that describes something.
fn schemas(document: &Value) -> impl Iterator<Item = (&String, &Value)> {
    document["components"]["schemas"]
        .as_object()
        .unwrap()
        .iter()
}

/// Every reference of the document.
fn references(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str().filter(|_| name == "$ref") {
                    Some(to) => {
                        into.insert(to.to_owned());
                    }
                    None => references(value, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, into)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_words_are_those_of_json() {
    let document = document();
    let mut all = BTreeSet::new();
    references(&document, &mut all);
    assert!(all.len() > 50);
    for reference in all {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let schemas = &document["components"]["schemas"];
    assert_eq!(
        schemas["Phase"]["enum"],
        serde_json::json!(["INITIALIZATION", "APPLY_EXTRINSIC", "FINALIZATION"])
    );
    assert_eq!(schemas["Verdict"]["enum"][2], "INPUT_INCOMPLETE");
}

#[test]
fn every_parameter_and_field_is_described() {
    let document = document();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let told = operation["summary"]
                .as_str()
                .or(operation["description"].as_str());
            assert!(told.is_some_and(|text| text.len() > 5), "{method} {path}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let text = parameter["description"].as_str().unwrap_or_default();
                assert!(text.len() > 5, "{method} {path}: {parameter}");
            }
        }
    }
    // Settings of subnets in the explorer's shape are the chain's own.
    for (name, schema) in
        schemas(&document).filter(|(name, _)| *name != "SubnetRow" && !name.starts_with("Listed"))
    {
        for (field, of) in schema["properties"].as_object().into_iter().flatten() {
            let either = of["oneOf"].as_array().into_iter().flatten();
            let texts = std::iter::once(of).chain(either);
            let mut texts = texts.filter_map(|of| of["description"].as_str());
            let text = texts.next().unwrap_or_default();
            assert!(text.len() > 3, "{name}.{field}: {of}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_routes_loads_only_from_here() {
    let server = start(Fake::new()).await;
    let moved = get(&server, "/docs", &[]).await;
    assert_eq!((moved.status, moved.header("location")), (308, "/docs/"));
    let page = good(&server, "/docs/").await;
    assert!(page.text().contains("swagger-ui"));
    assert!(!page.text().contains("src=\"http") && !page.text().contains("src=\"//"));
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    for file in [
        "swagger-ui.css",
        "swagger-ui-bundle.js",
        "swagger-ui-standalone-preset.js",
        "swagger-initializer.js",
        "index.css",
    ] {
        assert!(page.text().contains(file), "{file}");
        let reply = good(&server, &format!("/docs/{file}")).await;
        assert!(!reply.body.is_empty());
        if file == "swagger-initializer.js" {
            assert!(reply.text().contains("/v1/openapi.json"));
            assert!(!reply.text().contains("petstore"));
        }
    }
    assert_eq!(get(&server, "/docs/nothing.js", &[]).await.status, 404);
    assert_eq!(get(&server, "/docs/..%2fCargo.toml", &[]).await.status, 404);
    server.stop().await;
}
