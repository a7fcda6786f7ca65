//! The committed schema, and that it explains itself.

use serde_json::Value;

use crate::fake::Fake;
use crate::http::start;

#[test]
fn the_committed_schema_is_the_schema() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");
    let now = graphql::sdl();
    if std::env::var_os("UPDATE_SDL").is_some_and(|value| value == "1") {
        std::fs::write(path, &now).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(
        committed == now,
        "graphql/schema.graphql is not the schema of the code; look at what changed after \
         `UPDATE_SDL=1 cargo test -p graphql the_committed_schema`"
    );
}

const INTROSPECTION: &str = "{ __schema { types { kind name description
    fields { name description args { name description } type { name kind ofType { name kind } } }
    inputFields { name description } enumValues { name description } } } }";

#[tokio::test(flavor = "multi_thread")]
async fn every_type_field_argument_and_value_is_described() {
    let server = start(Fake::new()).await;
    let data = server.data(INTROSPECTION).await;
    let mut missing = Vec::new();
    let (mut types, mut members) = (0, 0);
    let described = |item: &Value| {
        let text = item["description"].as_str().unwrap_or_default();
        text.len() >= 5
    };
    for kind in data["__schema"]["types"].as_array().unwrap() {
        let name = kind["name"].as_str().unwrap();
        // The language's own types are not ours to describe.
        if name.starts_with("__") || ["Int", "Float", "String", "Boolean", "ID"].contains(&name) {
            continue;
        }
        types += 1;
        if !described(kind) {
            missing.push(name.to_owned());
        }
        for list in ["fields", "inputFields", "enumValues"] {
            for item in kind[list].as_array().into_iter().flatten() {
                members += 1;
                let path = format!("{name}.{}", item["name"].as_str().unwrap());
                if !described(item) {
                    missing.push(path.clone());
                }
                for argument in item["args"].as_array().into_iter().flatten() {
                    members += 1;
                    if !described(argument) {
                        missing.push(format!("{path}({})", argument["name"].as_str().unwrap()));
                    }
                }
            }
        }
    }
    assert!(missing.is_empty(), "not described: {missing:#?}");
    assert!(
        types > 30 && members > 200,
        "{types} types, {members} members"
    );
}

/// A nullable field must say what null means; a list or a lookup says it in its own words.
#[tokio::test(flavor = "multi_thread")]
async fn every_nullable_value_says_what_null_means() {
    let server = start(Fake::new()).await;
    let data = server.data(INTROSPECTION).await;
    let mut silent = Vec::new();
    let mut nullable = 0;
    for kind in data["__schema"]["types"].as_array().unwrap() {
        let name = kind["name"].as_str().unwrap();
        if name.starts_with("__") || name == "PageInfo" {
            continue;
        }
        for field in kind["fields"].as_array().into_iter().flatten() {
            if field["type"]["kind"] == "NON_NULL" {
                continue;
            }
            nullable += 1;
            let text = field["description"]
                .as_str()
                .unwrap_or_default()
                .to_lowercase();
            if !text.contains("null") {
                silent.push(format!("{name}.{}", field["name"].as_str().unwrap()));
            }
        }
    }
    assert!(silent.is_empty(), "null is not explained: {silent:#?}");
    assert!(nullable > 60, "{nullable}");
}

/// What common tools send first.
#[tokio::test(flavor = "multi_thread")]
async fn the_introspection_of_common_tools_passes_the_limits() {
    let nested = (0..9).fold("kind name".to_owned(), |inner, _| {
        format!("kind name ofType {{ {inner} }}")
    });
    let query = format!(
        "query IntrospectionQuery {{ __schema {{ queryType {{ name }} mutationType {{ name }} subscriptionType {{ name }}
           types {{ ...FullType }} directives {{ name description locations args {{ ...InputValue }} }} }} }}
         fragment FullType on __Type {{ kind name description
           fields(includeDeprecated: true) {{ name description args {{ ...InputValue }} type {{ ...TypeRef }} isDeprecated deprecationReason }}
           inputFields {{ ...InputValue }} interfaces {{ ...TypeRef }}
           enumValues(includeDeprecated: true) {{ name description isDeprecated deprecationReason }} possibleTypes {{ ...TypeRef }} }}
         fragment InputValue on __InputValue {{ name description type {{ ...TypeRef }} defaultValue }}
         fragment TypeRef on __Type {{ {nested} }}"
    );
    let server = start(Fake::new()).await;
    let data = server.data(&query).await;
    assert_eq!(data["__schema"]["subscriptionType"]["name"], "Subscription");
    assert_eq!(data["__schema"]["mutationType"], Value::Null);
}

/// An integer says what it counts, from where, or in which unit: in its own words or in those of its
/// type.
#[tokio::test(flavor = "multi_thread")]
async fn every_integer_says_its_unit_or_range() {
    const SAID: [&str; 36] = [
        "height",
        "number",
        "index",
        "0 to",
        "from 0",
        "from 1",
        "position",
        "millisecond",
        "bytes",
        "rao",
        "65535",
        "version",
        "how many",
        "most ",
        "count",
        "place",
        "levels",
        "epochs",
        "blocks",
        "entries",
        "units",
        "10^-9",
        "nonce",
        "round",
        "port",
        "4 or 6",
        "records",
        "integer",
        "runtime",
        "of 10",
        "neuron",
        "or more",
        "values",
        "validators",
        "fields of",
        "scaled",
    ];
    let query = "{ __schema { types { name kind description
        fields { name description type { ...T } } inputFields { name description type { ...T } } } } }
      fragment T on __Type { name ofType { name ofType { name ofType { name } } } }";
    let server = start(Fake::new()).await;
    let data = server.data(query).await;
    let (mut silent, mut integers) = (Vec::new(), 0);
    for kind in data["__schema"]["types"].as_array().unwrap() {
        let name = kind["name"].as_str().unwrap();
        if name.starts_with("__") {
            continue;
        }
        let fields = ["fields", "inputFields"].map(|list| kind[list].as_array());
        for field in fields.into_iter().flatten().flatten() {
            let mut inner = &field["type"];
            while !inner["ofType"].is_null() {
                inner = &inner["ofType"];
            }
            let leaf = inner["name"].as_str().unwrap_or_default();
            if !["Int", "U32", "U64", "U128", "I64", "I128"].contains(&leaf) {
                continue;
            }
            integers += 1;
            let own = field["description"].as_str().unwrap_or_default();
            let all = format!("{own} {}", kind["description"].as_str().unwrap_or_default());
            let all = all.to_lowercase().replace('\n', " ");
            if !SAID.iter().any(|word| all.contains(word)) {
                silent.push(format!("{name}.{}: {own}", field["name"].as_str().unwrap()));
            }
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
    assert!(integers > 150, "{integers}");
}
