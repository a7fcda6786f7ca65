//! Measures taken of a request before the GraphQL engine walks it.
//!
//! The engine's parser calls itself for every bracket, and its validation walks fragments once per
//! use. Both are cheap for honest requests and unbounded for hostile ones, so they are measured
//! here in a single pass each.

use std::collections::HashMap;

use async_graphql::ServerError;
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};

use super::error::code;
use super::limits::{over_limit, refusal};

/// Deepest nesting of brackets of any kind. The parser refuses 65 levels of selections itself, but
/// only after it has descended into them.
const MAX_NESTING: usize = 64;
/// Most fragments that one request may define.
const MAX_FRAGMENTS: usize = 100;

/// Refuses a query whose brackets nest too deep, without recursion.
pub(crate) fn nesting(query: &str) -> Result<(), ServerError> {
    let deepest = deepest_bracket(query.as_bytes());
    if deepest > MAX_NESTING {
        return Err(over_limit(
            "nesting of brackets",
            deepest,
            MAX_NESTING,
            "nest fewer fields and input values",
        ));
    }
    Ok(())
}

fn deepest_bracket(mut rest: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            b'{' | b'[' | b'(' => {
                depth += 1;
                deepest = deepest.max(depth);
                after
            }
            b'}' | b']' | b')' => {
                depth = depth.saturating_sub(1);
                after
            }
            b'#' => skip_until(after, |byte| byte == b'\n' || byte == b'\r'),
            b'"' => match after.strip_prefix(b"\"\"") {
                Some(block) => skip_block_string(block),
                None => skip_string(after),
            },
            _ => after,
        };
    }
    deepest
}

fn skip_until(bytes: &[u8], end: impl Fn(u8) -> bool) -> &[u8] {
    let at = bytes.iter().position(|byte| end(*byte));
    at.and_then(|at| bytes.get(at..)).unwrap_or(&[])
}

/// Past the closing quote, or at the line's end where a plain string must have ended.
fn skip_string(mut rest: &[u8]) -> &[u8] {
    while let Some((byte, after)) = rest.split_first() {
        match byte {
            b'"' => return after,
            b'\n' | b'\r' => return rest,
            b'\\' => rest = after.get(1..).unwrap_or(&[]),
            _ => rest = after,
        }
    }
    rest
}

fn skip_block_string(mut rest: &[u8]) -> &[u8] {
    while let Some((_, after)) = rest.split_first() {
        if let Some(past) = rest.strip_prefix(b"\"\"\"") {
            return past;
        }
        rest = rest.strip_prefix(b"\\\"\"\"").unwrap_or(after);
    }
    rest
}

/// Refuses a document that selects too many fields once its fragments are put in their places,
/// or whose fragments contain themselves. Every fragment is counted once.
pub(crate) fn fields(document: &ExecutableDocument, allowed: usize) -> Result<(), ServerError> {
    if document.fragments.len() > MAX_FRAGMENTS {
        return Err(over_limit(
            "number of fragments",
            document.fragments.len(),
            MAX_FRAGMENTS,
            "define fewer",
        ));
    }
    let mut counter = Counter {
        document,
        counted: HashMap::new(),
    };
    let mut fields = 0_usize;
    for (_, operation) in document.operations.iter() {
        fields = fields.saturating_add(counter.count(&operation.node.selection_set.node)?);
    }
    if fields > allowed {
        return Err(over_limit(
            "number of fields",
            fields,
            allowed,
            "select fewer fields, or ask in several requests",
        ));
    }
    Ok(())
}

struct Counter<'a> {
    document: &'a ExecutableDocument,
    /// Fields of each fragment seen; `None` while it is being counted.
    counted: HashMap<&'a str, Option<usize>>,
}

impl<'a> Counter<'a> {
    fn count(&mut self, set: &'a SelectionSet) -> Result<usize, ServerError> {
        let mut fields = 0_usize;
        for selection in &set.items {
            fields = fields.saturating_add(match &selection.node {
                Selection::Field(field) => 1 + self.count(&field.node.selection_set.node)?,
                Selection::InlineFragment(inline) => self.count(&inline.node.selection_set.node)?,
                Selection::FragmentSpread(spread) => {
                    self.fragment(spread.node.fragment_name.node.as_str())?
                }
            });
        }
        Ok(fields)
    }

    fn fragment(&mut self, name: &str) -> Result<usize, ServerError> {
        // An unknown fragment is left for the engine, which names it.
        let Some((name, fragment)) = self.document.fragments.get_key_value(name) else {
            return Ok(0);
        };
        let name = name.as_str();
        match self.counted.get(name) {
            Some(Some(fields)) => return Ok(*fields),
            Some(None) => {
                return Err(refusal(
                    code::BAD_INPUT,
                    format!("the fragment `{name}` contains itself"),
                ));
            }
            None => {}
        }
        self.counted.insert(name, None);
        let fields = self.count(&fragment.node.selection_set.node)?;
        self.counted.insert(name, Some(fields));
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;

    #[test]
    fn brackets_are_counted_outside_strings_and_comments_only() {
        let depth = |text: &str| deepest_bracket(text.as_bytes());
        assert_eq!(depth("{a(b:[1]){c}}"), 3);
        assert_eq!(depth(r#"{a(b:"}}}{{{{{{")}"#), 2);
        assert_eq!(depth(r#"{a(b:"\"{{{{")}"#), 2);
        assert_eq!(depth("{a(b:\"\"\"{{{\"{{ \\\"\"\" {{\"\"\")}"), 2);
        assert_eq!(depth("{a # }}}}{{{{\n{b}}"), 2);
        assert_eq!(depth("{a(b:\"{{\n{{"), 4);
        assert_eq!(depth("\"\"{{"), 2);
        assert_eq!(depth(&"[".repeat(100_000)), 100_000);
        assert!(nesting(&"{a".repeat(65)).is_err());
        assert!(nesting(&"{a".repeat(64)).is_ok());
    }

    #[test]
    fn fragments_that_double_are_counted_without_being_walked() {
        let mut query = String::from("{ ...f0 }");
        for i in 0..60 {
            query += &format!(" fragment f{i} on Query {{ ...f{} ...f{} }}", i + 1, i + 1);
        }
        query += " fragment f60 on Query { a }";
        let document = parse_query(query).unwrap();
        let error = fields(&document, 2_000).unwrap_err();
        assert!(
            error.message.contains("1152921504606846976"),
            "{}",
            error.message
        );
    }

    #[test]
    fn a_fragment_that_contains_itself_is_refused() {
        let document =
            parse_query("{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }")
                .unwrap();
        let error = fields(&document, 2_000).unwrap_err();
        assert!(error.message.contains("contains itself"));
    }
}
