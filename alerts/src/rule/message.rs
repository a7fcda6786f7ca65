//! What an alert says: a text with values in braces.

use serde_json::{Map, Value};

use super::source::{Facts, Found, Source};

/// Longest message, in bytes.
const MAX_MESSAGE: usize = 4_096;

/// A text with places for values: `{/path}`, `{^/path}`, `{$name}`; `{{` and `}}` are braces.
#[derive(Debug, Clone)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Value(Source),
}

impl Template {
    pub(super) fn parse(text: &str, known: &dyn Fn(&str) -> bool) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            plain.push_str(before);
            if let Some(after) = brace.strip_prefix("{{") {
                plain.push('{');
                rest = after;
            } else if let Some(after) = brace.strip_prefix("}}") {
                plain.push('}');
                rest = after;
            } else if let Some((inside, after)) = brace
                .strip_prefix('{')
                .and_then(|inside| inside.split_once('}'))
            {
                parts.push(Part::Text(std::mem::take(&mut plain)));
                parts.push(Part::Value(Source::parse(inside, known)?));
                rest = after;
            } else {
                return Err(
                    "`message` has a brace without the other; write {{ or }} for one that is meant"
                        .into(),
                );
            }
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        Ok(Template(parts))
    }

    /// The text, and the values by where they are.
    pub(super) fn fill(&self, facts: &Facts<'_>) -> (String, Map<String, Value>) {
        let (mut text, mut values) = (String::new(), Map::new());
        for part in &self.0 {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Value(source) => {
                    let value = match source.find(facts) {
                        Found::Value(value) => value.into_owned(),
                        Found::Null => Value::Null,
                        Found::Missing(_) => {
                            text.push_str("(not known)");
                            continue;
                        }
                    };
                    match &value {
                        Value::String(plain) => text.push_str(plain),
                        other => text.push_str(&other.to_string()),
                    }
                    values.insert(source.shown(), value);
                }
            }
        }
        if let Some((end, _)) = text.char_indices().find(|(at, _)| *at >= MAX_MESSAGE) {
            text.truncate(end);
            text.push('…');
        }
        (text, values)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_put_in() {
        let known = |name: &str| name == "block";
        let template =
            Template::parse("{/uid} of {^/s/n} at {$block}: {/none} {{{/null}}}", &known);
        let answer = json!({"s": {"n": "x"}});
        let item = json!({"uid": 7, "null": null});
        let variables = json!({"block": 5});
        let facts = Facts {
            variables: variables.as_object().unwrap(),
            answer: &answer,
            item: &item,
            items: &[],
        };
        let (text, values) = template.unwrap().fill(&facts);
        assert_eq!(text, "7 of x at 5: (not known) {null}");
        let values = Value::Object(values);
        assert_eq!(
            values,
            json!({"/uid": 7, "^/s/n": "x", "$block": 5, "/null": null})
        );
    }

    #[test]
    fn braces_must_match() {
        for text in ["{", "}", "a {/x", "{$nobody}", "{x}"] {
            assert!(Template::parse(text, &|_| false).is_err(), "{text}");
        }
    }
}
