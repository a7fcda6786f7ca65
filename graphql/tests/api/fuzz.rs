//! Documents made at random out of the schema: all fields, any arguments, and damage on top. The
//! answer is always JSON, every error has a code, and none of them is our own fault.

use std::collections::BTreeMap;

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Value, json};

use crate::fake::{Fake, account, hash_of};
use crate::http::{Server, start};

const INTROSPECTION: &str = "{ __schema { types { kind name
    fields(includeDeprecated: true) { name args { name type { ...T } } type { ...T } }
    inputFields { name type { ...T } } enumValues { name } possibleTypes { name } } } }
  fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } }";

struct Maker {
    types: BTreeMap<String, Value>,
    random: TestRng,
}

impl Maker {
    async fn new(server: &Server, seed: u8) -> Self {
        let mut data = server.data(INTROSPECTION).await;
        let types = data["__schema"]["types"].take();
        let types = types.as_array().unwrap().iter();
        Self {
            types: types
                .map(|kind| (kind["name"].as_str().unwrap().to_owned(), kind.clone()))
                .collect(),
            random: TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]),
        }
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.random.next_u32()).unwrap() % most.max(1)
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    fn one_in(&mut self, chance: usize) -> bool {
        self.below(chance) == 0
    }

    /// A value of a type, mostly a right one.
    fn value(&mut self, kind: &Value, depth: usize) -> String {
        if self.one_in(25) {
            let wrong = [
                "null",
                "-1",
                "1e999",
                "\"\"",
                "[]",
                "{}",
                "true",
                "WRONG",
                "99999999999999999999",
                "\"\\u0000\"",
                "[[[1]]]",
                "$nothing",
                "1.5",
                "\"é\"",
                "{ a: 1 }",
                "-9223372036854775809",
            ];
            return self.pick(&wrong).to_owned();
        }
        match kind["kind"].as_str().unwrap() {
            "NON_NULL" => self.value(&kind["ofType"].clone(), depth),
            "LIST" => {
                let count = self.below(4);
                let inner = kind["ofType"].clone();
                let items: Vec<_> = (0..count).map(|_| self.value(&inner, depth)).collect();
                format!("[{}]", items.join(", "))
            }
            _ => self.named(kind["name"].as_str().unwrap(), depth),
        }
    }

    fn named(&mut self, name: &str, depth: usize) -> String {
        let kind = self.types[name].clone();
        match kind["kind"].as_str().unwrap() {
            "ENUM" => {
                let values = kind["enumValues"].as_array().unwrap();
                let at = self.below(values.len());
                values[at]["name"].as_str().unwrap().to_owned()
            }
            "INPUT_OBJECT" => {
                if depth > 4 {
                    return "{}".into();
                }
                let fields = kind["inputFields"].as_array().unwrap().clone();
                // One field, as most of ours take.
                let count = if self.one_in(8) {
                    self.below(fields.len() + 1)
                } else {
                    1
                };
                let given: Vec<_> = (0..count)
                    .map(|_| {
                        let at = self.below(fields.len());
                        let value = self.value(&fields[at]["type"], depth + 1);
                        format!("{}: {value}", fields[at]["name"].as_str().unwrap())
                    })
                    .collect();
                format!("{{ {} }}", given.join(", "))
            }
            _ => self.scalar(name),
        }
    }

    fn scalar(&mut self, name: &str) -> String {
        let numbers = [
            "0",
            "1",
            "2",
            "3",
            "10",
            "12",
            "15",
            "16",
            "20",
            "21",
            "128",
            "65535",
            "2147483647",
        ];
        match name {
            "Boolean" => self.pick(&["true", "false"]).to_owned(),
            "Float" => self.pick(&["0.5", "1", "-1.25e3"]).to_owned(),
            "Account" => {
                let byte = u8::try_from(self.below(256)).unwrap();
                format!("\"{}\"", account(byte))
            }
            "Hash" => {
                let block = u32::try_from(self.below(24)).unwrap();
                format!("\"{}\"", hash_of(block))
            }
            "String" | "ID" => {
                let words = [
                    "Tempo",
                    "SubtensorModule",
                    "System",
                    "WeightsSet",
                    "set_weights",
                    "",
                    "sn27",
                    "é\\n",
                ];
                format!("\"{}\"", self.pick(&words))
            }
            "U64" | "U128" | "I64" | "I128" => format!("\"{}\"", self.pick(&numbers)),
            _ => self.pick(&numbers).to_owned(),
        }
    }

    fn leaf_of(&self, kind: &Value) -> String {
        let mut kind = kind;
        while !kind["ofType"].is_null() {
            kind = &kind["ofType"];
        }
        kind["name"].as_str().unwrap().to_owned()
    }

    /// A selection set of a type, with so many levels below it at most.
    fn selection(&mut self, name: &str, levels: usize) -> String {
        let kind = self.types[name].clone();
        let mut parts = vec!["__typename".to_owned()];
        for other in kind["possibleTypes"].as_array().into_iter().flatten() {
            let other = other["name"].as_str().unwrap();
            let inner = self.selection(other, levels.saturating_sub(1));
            parts.push(format!("... on {other} {inner}"));
        }
        let fields = kind["fields"].as_array().cloned().unwrap_or_default();
        let count = 1 + self.below(5);
        for i in 0..count.min(fields.len()) {
            let at = self.below(fields.len());
            let field = &fields[at];
            let leaf = self.leaf_of(&field["type"]);
            let composite = matches!(
                self.types[&leaf]["kind"].as_str().unwrap(),
                "OBJECT" | "INTERFACE" | "UNION"
            );
            if composite && levels == 0 {
                continue;
            }
            let mut given = Vec::new();
            for argument in field["args"].as_array().unwrap() {
                let required = argument["type"]["kind"] == "NON_NULL";
                if required || self.one_in(3) {
                    let value = self.value(&argument["type"], 0);
                    given.push(format!("{}: {value}", argument["name"].as_str().unwrap()));
                }
            }
            let arguments = match given.is_empty() {
                true => String::new(),
                false => format!("({})", given.join(", ")),
            };
            let directive = match self.below(40) {
                0 => " @skip(if: true)",
                1 => " @include(if: false)",
                2 => " @nothing",
                _ => "",
            };
            let below = match composite {
                true => self.selection(&leaf, levels - 1),
                false => String::new(),
            };
            let name = field["name"].as_str().unwrap();
            parts.push(format!("f{i}: {name}{arguments}{directive} {below}"));
        }
        format!("{{ {} }}", parts.join(" "))
    }

    /// Text with bytes gone, doubled or swapped, cut at characters.
    fn damaged(&mut self, text: &str) -> String {
        let mut letters: Vec<char> = text.chars().collect();
        for _ in 0..1 + self.below(4) {
            let at = self.below(letters.len());
            match self.below(4) {
                0 => {
                    letters.remove(at);
                }
                1 => letters.insert(at, letters[at]),
                2 => letters.truncate(at.max(1)),
                _ => {
                    let any = [
                        '{', '}', '"', '$', '@', '\u{0}', 'é', '9', '#', '.', '!', '[',
                    ];
                    letters[at] = any[self.below(any.len())];
                }
            }
        }
        letters.into_iter().collect()
    }
}

/// Whether an answer is one: its data and errors are what they must be.
fn check(
    query: &str,
    status: u16,
    body: &str,
    data: &mut usize,
    codes: &mut BTreeMap<String, usize>,
) {
    assert!([200, 400].contains(&status), "{status}: {query}\n{body}");
    let answer: Value =
        serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {query}\n{body}"));
    *data += usize::from(!answer["data"].is_null());
    for error in answer["errors"].as_array().into_iter().flatten() {
        let code = error["extensions"]["code"].as_str();
        let code = code.unwrap_or_else(|| panic!("no code: {query}\n{error}"));
        assert_ne!(code, "INTERNAL", "{query}\n{error}");
        *codes.entry(code.to_owned()).or_default() += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_documents_are_answered_or_refused() {
    let server = start(Fake::with(|held| held.unfinalized = Some(2))).await;
    let mut maker = Maker::new(&server, 7).await;
    let (mut data, mut codes) = (0, BTreeMap::new());
    for round in 0..400 {
        let levels = 1 + maker.below(6);
        let selection = maker.selection("Query", levels);
        let query = match round % 8 {
            7 => maker.damaged(&selection),
            _ => selection,
        };
        let answer = server.post(&json!({ "query": query }).to_string()).await;
        check(&query, answer.status, &answer.body, &mut data, &mut codes);
    }
    // The documents are not all nonsense, and not all harmless.
    assert!(data > 100, "{data}: {codes:?}");
    for code in ["BAD_INPUT", "OUT_OF_RANGE", "LIMIT_EXCEEDED"] {
        assert!(codes.contains_key(code), "{code}: {codes:?}");
    }
    assert_eq!(
        server.data("{ status { last } }").await["status"]["last"],
        20
    );
}

/// Every field of the schema is asked for by itself, with the arguments that it must have.
#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_the_query_type_is_answered() {
    let server = start(Fake::new()).await;
    let mut maker = Maker::new(&server, 8).await;
    let (mut data, mut codes) = (0, BTreeMap::new());
    let fields = maker.types["Query"]["fields"].as_array().unwrap().clone();
    for field in &fields {
        for _ in 0..6 {
            let name = field["name"].as_str().unwrap();
            let mut given = Vec::new();
            for argument in field["args"].as_array().unwrap() {
                if argument["type"]["kind"] == "NON_NULL" || maker.one_in(2) {
                    let value = maker.value(&argument["type"], 0);
                    given.push(format!("{}: {value}", argument["name"].as_str().unwrap()));
                }
            }
            let arguments = match given.is_empty() {
                true => String::new(),
                false => format!("({})", given.join(", ")),
            };
            let leaf = maker.leaf_of(&field["type"]);
            let below = maker.selection(&leaf, 3);
            let query = format!("{{ {name}{arguments} {below} }}");
            let answer = server.post(&json!({ "query": query }).to_string()).await;
            check(&query, answer.status, &answer.body, &mut data, &mut codes);
        }
    }
    assert!(data > fields.len(), "{data}: {codes:?}");
}
