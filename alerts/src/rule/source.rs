//! Where values come from: variables, the answer, or an item of a list in it.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// A path into JSON (RFC 6901), in parts.
pub(super) type Pointer = Vec<String>;

/// Where a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// `$name`: a variable.
    Variable(String),
    /// `^/path`: in the whole answer.
    Answer(Pointer),
    /// `/path`: in the item, or in the answer where there are no items.
    Item(Pointer),
}

/// What is there.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found<'a> {
    /// A value that is not null.
    Value(Cow<'a, Value>),
    /// Null, or something inside of null.
    Null,
    /// Nothing: the answer has no such place. Why, in a sentence.
    Missing(String),
}

/// What a condition looks at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) variables: &'a Map<String, Value>,
    pub(super) answer: &'a Value,
    pub(super) item: &'a Value,
    /// The list that the item is of; empty where there is none.
    pub(super) items: &'a [Value],
}

/// Reads a path.
pub(super) fn pointer(text: &str) -> Result<Pointer, String> {
    if text.is_empty() {
        return Ok(Pointer::new());
    }
    let Some(rest) = text.strip_prefix('/') else {
        return Err(format!(
            "{text:?} is no path; paths begin with a slash, as in /metagraph/neurons"
        ));
    };
    let part = |part: &str| part.replace("~1", "/").replace("~0", "~");
    Ok(rest.split('/').map(part).collect())
}

impl Source {
    /// Reads where a value is.
    pub(super) fn parse(text: &str, known: &dyn Fn(&str) -> bool) -> Result<Source, String> {
        if let Some(name) = text.strip_prefix('$') {
            return match known(name) {
                true => Ok(Source::Variable(name.to_owned())),
                false => Err(format!(
                    "${name} is no variable of this rule; add it to `variables`, or use $block or, in a rule with subnets, $netuid"
                )),
            };
        }
        match text.strip_prefix('^') {
            Some(path) => pointer(path).map(Source::Answer),
            None => pointer(text).map(Source::Item),
        }
    }

    pub(super) fn find<'a>(&self, facts: &Facts<'a>) -> Found<'a> {
        match self {
            Source::Variable(name) => match facts.variables.get(name) {
                None => Found::Missing(format!("${name} is not set here")),
                Some(Value::Null) => Found::Null,
                Some(value) => Found::Value(Cow::Borrowed(value)),
            },
            Source::Answer(path) => walk(facts.answer, path),
            Source::Item(path) => walk(facts.item, path),
        }
    }
}

/// Follows a path.
pub(super) fn walk<'a>(mut value: &'a Value, path: &[String]) -> Found<'a> {
    for part in path {
        value = match value {
            Value::Null => return Found::Null,
            Value::Object(map) => match map.get(part) {
                Some(inner) => inner,
                None => return missing(path, "the query does not ask for it"),
            },
            Value::Array(list) => match part.parse::<usize>().ok().and_then(|at| list.get(at)) {
                Some(inner) => inner,
                None => return missing(path, &format!("the list has {} items", list.len())),
            },
            _ => return missing(path, "a plain value has nothing inside"),
        };
    }
    match value {
        Value::Null => Found::Null,
        value => Found::Value(Cow::Borrowed(value)),
    }
}

fn missing(path: &[String], why: &str) -> Found<'static> {
    Found::Missing(format!("the answer has no /{}: {why}", path.join("/")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_is_not_missing() {
        let answer = json!({"a": null, "b": [1], "c/d": {"~": 2}, "e": 3});
        let find = |path: &str| walk(&answer, &pointer(path).unwrap());
        assert_eq!(find("/a"), Found::Null);
        assert_eq!(find("/a/b/c"), Found::Null);
        assert!(matches!(find("/b/0"), Found::Value(v) if *v == json!(1)));
        assert!(matches!(find("/c~1d/~0"), Found::Value(v) if *v == json!(2)));
        for path in ["/x", "/b/1", "/b/x", "/e/f"] {
            assert!(matches!(find(path), Found::Missing(_)), "{path}");
        }
        assert!(pointer("a").is_err());
    }

    #[test]
    fn variables_must_be_known() {
        let known = |name: &str| name == "block";
        assert!(Source::parse("$block", &known).is_ok());
        let error = Source::parse("$blok", &known).unwrap_err();
        assert!(error.contains("$blok"), "{error}");
    }
}
