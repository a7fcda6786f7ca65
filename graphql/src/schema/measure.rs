//! Measures taken of a request before the GraphQL engine walks it.
//!
//! The engine's parser calls itself for every bracket, and its validation walks fragments once per
//! use, whether or not there are fields in them. Both are cheap for honest requests and unbounded
//! for hostile ones, so they are measured here in a single pass each.

mod text;

use std::collections::HashMap;

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{ServerError, Value, Variables};

use super::error::code;
use super::limits::{Limits, over_limit, refusal};

/// Deepest nesting of brackets of any kind. The parser refuses 65 levels of selections itself, but
/// only after it has descended into them.
pub(crate) const MAX_NESTING: usize = 64;
/// Most levels of selections below each other, fragments and inline fragments among them. The engine
/// refuses more than 32 itself, without saying how many there were.
pub(crate) const MAX_LEVELS: usize = 30;
/// Most questions about the schema (`__schema`, `__type`) in one request: the engine answers each in
/// one go, whatever the time.
pub(crate) const MAX_SCHEMAS: usize = 4;
/// Most fragments that one request may define.
pub(crate) const MAX_FRAGMENTS: usize = 100;

/// Refuses a document with too many tokens or with brackets that nest too deep, without recursion.
pub(crate) fn document_text(query: &str, limits: &Limits) -> Result<(), ServerError> {
    let found = text::measure(query.as_bytes());
    if found.nesting > MAX_NESTING {
        return Err(over_limit(
            "nesting of brackets",
            found.nesting,
            MAX_NESTING,
            "nest fewer fields and input values",
        ));
    }
    if found.tokens > limits.tokens {
        return Err(over_limit(
            "number of tokens",
            found.tokens,
            limits.tokens,
            "send a shorter document; long lists of values belong into variables",
        ));
    }
    Ok(())
}

/// Refuses variables with too many values, or with lists and objects that nest too deep.
pub(crate) fn variables(variables: &Variables, limits: &Limits) -> Result<(), ServerError> {
    let (mut values, mut deepest) = (0_usize, 0_usize);
    let mut left: Vec<(&Value, usize)> = variables.values().map(|value| (value, 1)).collect();
    while let Some((value, level)) = left.pop() {
        values += 1;
        deepest = deepest.max(level);
        match value {
            Value::List(items) => left.extend(items.iter().map(|item| (item, level + 1))),
            Value::Object(fields) => left.extend(fields.values().map(|item| (item, level + 1))),
            _ => {}
        }
    }
    let checks = [
        (
            "number of values in variables",
            values,
            limits.variable_values,
            "send shorter lists, in several requests",
        ),
        (
            "depth of variables",
            deepest,
            limits.variable_depth,
            "nest fewer lists and objects; no argument takes more",
        ),
    ];
    within(&checks)
}

/// Refuses the first that is over its limit: name, measured, allowed, advice.
fn within(checks: &[(&'static str, usize, usize, &str)]) -> Result<(), ServerError> {
    for (limit, measured, allowed, advice) in checks {
        if measured > allowed {
            return Err(over_limit(limit, *measured, *allowed, advice));
        }
    }
    Ok(())
}

/// What a document selects once its fragments are put in their places.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// Fields, and fragments in their places: every step of the engine's walk.
    fields: usize,
    /// Fields that stand in no other.
    roots: usize,
    /// Questions about the schema, each of which the engine answers in one go.
    schemas: usize,
    aliases: usize,
    directives: usize,
    /// Selections below each other.
    levels: usize,
}

impl Counts {
    fn add(&mut self, other: Counts) {
        self.fields = self.fields.saturating_add(other.fields);
        self.roots = self.roots.saturating_add(other.roots);
        self.schemas = self.schemas.saturating_add(other.schemas);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.levels = self.levels.max(other.levels);
    }
}

/// Refuses a document that selects too much once its fragments are put in their places, or whose
/// fragments contain themselves, are not defined, or are not used. Every fragment is counted once.
pub(crate) fn selections(
    document: &ExecutableDocument,
    limits: &Limits,
) -> Result<(), ServerError> {
    let mut counter = Counter {
        document,
        counted: HashMap::new(),
    };
    let mut all = Counts::default();
    for (_, operation) in document.operations.iter() {
        let operation = &operation.node;
        let defined = operation.variable_definitions.iter();
        let on_variables: usize = defined.map(|v| v.node.directives.len()).sum();
        all.directives = all
            .directives
            .saturating_add(operation.directives.len())
            .saturating_add(on_variables);
        all.add(counter.count(&operation.selection_set.node, 1)?);
    }
    within(&[
        (
            "number of fragments",
            document.fragments.len(),
            MAX_FRAGMENTS,
            "define fewer",
        ),
        (
            "number of fields",
            all.fields,
            limits.fields,
            "select fewer fields, or ask in several requests",
        ),
        (
            "number of root fields",
            all.roots,
            limits.root_fields,
            "ask in several requests",
        ),
        (
            "number of questions about the schema",
            all.schemas,
            MAX_SCHEMAS,
            "ask for the schema once",
        ),
        (
            "number of aliases",
            all.aliases,
            limits.aliases,
            "ask in several requests, or with a list argument instead of one field each",
        ),
        (
            "number of directives",
            all.directives,
            limits.directives,
            "leave out what is skipped instead of naming it",
        ),
    ])?;
    counter.all_used()
}

struct Counter<'a> {
    document: &'a ExecutableDocument,
    /// What each fragment seen holds; `None` while it is being counted.
    counted: HashMap<&'a str, Option<Counts>>,
}

/// Refuses selections that stand too deep, before they are descended into.
fn shallow(level: usize) -> Result<(), ServerError> {
    if level > MAX_LEVELS {
        return Err(over_limit(
            "nesting of selections",
            level,
            MAX_LEVELS,
            "nest fewer fields and fragments",
        ));
    }
    Ok(())
}

impl<'a> Counter<'a> {
    /// Counts a selection set that stands at a level, from 1.
    fn count(&mut self, set: &'a SelectionSet, level: usize) -> Result<Counts, ServerError> {
        shallow(level)?;
        let mut all = Counts::default();
        for selection in &set.items {
            let mut one = match &selection.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    let inner = &field.selection_set.node;
                    let mut one = match inner.items.is_empty() {
                        true => Counts::default(),
                        false => self.count(inner, level + 1)?,
                    };
                    one.roots = 1;
                    let is_schema = matches!(field.name.node.as_str(), "__schema" | "__type");
                    one.schemas = one.schemas.saturating_add(usize::from(is_schema));
                    let aliased = usize::from(field.alias.is_some());
                    one.aliases = one.aliases.saturating_add(aliased);
                    one
                }
                Selection::InlineFragment(inline) => {
                    self.count(&inline.node.selection_set.node, level + 1)?
                }
                Selection::FragmentSpread(spread) => {
                    self.fragment(spread.node.fragment_name.node.as_str(), level + 1)?
                }
            };
            // A fragment is a step of the walk too: one that holds nothing but fragments would
            // otherwise be walked for free.
            one.fields = one.fields.saturating_add(1);
            let directives = match &selection.node {
                Selection::Field(field) => field.node.directives.len(),
                Selection::InlineFragment(inline) => inline.node.directives.len(),
                Selection::FragmentSpread(spread) => spread.node.directives.len(),
            };
            one.directives = one.directives.saturating_add(directives);
            all.add(one);
        }
        all.levels += 1;
        Ok(all)
    }

    fn fragment(&mut self, name: &str, level: usize) -> Result<Counts, ServerError> {
        // The engine would name it only after it has walked the document several times.
        let Some((name, fragment)) = self.document.fragments.get_key_value(name) else {
            return Err(refusal(
                code::BAD_INPUT,
                format!("unknown fragment `{name}`; define it in the same document"),
            ));
        };
        let name = name.as_str();
        match self.counted.get(name) {
            Some(Some(counts)) => {
                shallow(level.saturating_add(counts.levels.saturating_sub(1)))?;
                return Ok(*counts);
            }
            Some(None) => {
                return Err(refusal(
                    code::BAD_INPUT,
                    format!("the fragment `{name}` contains itself"),
                ));
            }
            None => {}
        }
        self.counted.insert(name, None);
        let mut counts = self.count(&fragment.node.selection_set.node, level)?;
        let directives = fragment.node.directives.len();
        counts.directives = counts.directives.saturating_add(directives);
        self.counted.insert(name, Some(counts));
        Ok(counts)
    }

    /// Refuses fragments that no operation uses: nothing of them was counted.
    fn all_used(&self) -> Result<(), ServerError> {
        let names = self.document.fragments.keys().map(|name| name.as_str());
        let mut unused: Vec<&str> = names
            .filter(|name| !self.counted.contains_key(name))
            .collect();
        unused.sort_unstable();
        match unused.first() {
            None => Ok(()),
            Some(name) => Err(refusal(
                code::BAD_INPUT,
                format!("the fragment `{name}` is never used; leave it out"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;

    fn refused(query: &str) -> String {
        let document = parse_query(query).unwrap();
        selections(&document, &Limits::default())
            .unwrap_err()
            .message
    }

    #[test]
    fn fragments_that_double_are_counted_without_being_walked() {
        let mut query = String::from("{ ...f0 }");
        for i in 0..25 {
            query += &format!(" fragment f{i} on Query {{ ...f{} ...f{} }}", i + 1, i + 1);
        }
        query += " fragment f25 on Query { a }";
        let told = refused(&query);
        // 2^26 - 1 spreads and 2^25 fields.
        assert!(told.contains("fields is 100663295"), "{told}");
    }

    #[test]
    fn fragments_without_fields_are_steps_all_the_same() {
        let threefold = |end: &str| {
            let mut query = String::from("{ ...f0 }");
            for i in 0..27 {
                let next = format!("...f{} ", i + 1);
                query += &format!(" fragment f{i} on Query {{ {} }}", next.repeat(3));
            }
            query + &format!(" fragment f27 on Query {{ {end} }}")
        };
        let told = refused(&threefold("...nope"));
        assert_eq!(
            told,
            "unknown fragment `nope`; define it in the same document"
        );
        for end in ["... { a }", "a"] {
            let told = refused(&threefold(end));
            assert!(told.contains("number of fields"), "{told}");
        }
        // Enough of them to be more than a word can count.
        let mut query = String::from("{ ...f0 }");
        for i in 0..28 {
            let next = format!("...f{} ", i + 1);
            query += &format!(" fragment f{i} on Query {{ {} }}", next.repeat(30));
        }
        query += " fragment f28 on Query { a }";
        let told = refused(&query);
        assert!(told.contains(&usize::MAX.to_string()), "{told}");
        let inline = format!("{{ {} }}", "... { a } ".repeat(1_001));
        assert!(refused(&inline).contains("fields is 2002"));
        // Each step of what is below counts, however it is written.
        let inline = format!("{{ x {{ {} }} }}", "... { ... { a } } ".repeat(667));
        assert!(refused(&inline).contains("fields is 2002"));
    }

    #[test]
    fn fragments_that_nothing_uses_are_refused() {
        let told = refused("{ a } fragment c on Query { ...b } fragment b on Query { a }");
        assert_eq!(told, "the fragment `b` is never used; leave it out");
        // Those of another operation are used.
        let query =
            "query a { ...f } query b { ...g } fragment f on Query { a } fragment g on Query { a }";
        assert!(selections(&parse_query(query).unwrap(), &Limits::default()).is_ok());
    }

    #[test]
    fn a_fragment_that_contains_itself_is_refused() {
        let told = refused("{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }");
        assert!(told.contains("contains itself"), "{told}");
    }

    #[test]
    fn fragments_below_each_other_are_as_deep_as_fields() {
        let mut query = String::from("{ ...f0 }");
        for i in 0..90 {
            let open = "x { ".repeat(20);
            let close = " }".repeat(20);
            query += &format!(" fragment f{i} on Query {{ {open} ...f{} {close} }}", i + 1);
        }
        query += " fragment f90 on Query { a }";
        assert!(refused(&query).contains("nesting of selections"));
        // A fragment that was counted at the top is as deep where it stands deeper.
        let deep = format!("x {}{}", "{ x ".repeat(20), "}".repeat(20));
        let below = format!("{}...f{}", "x { ".repeat(15), " }".repeat(15));
        let query = format!("{{ ...f {below} }} fragment f on Query {{ {deep} }}");
        assert!(refused(&query).contains("nesting of selections"));
    }

    #[test]
    fn aliases_directives_and_root_fields_have_limits_of_their_own() {
        let many = |count: usize, one: &str| {
            let all: String = (0..count)
                .map(|i| one.replace('#', &i.to_string()))
                .collect();
            refused(&format!("{{ {all} }}"))
        };
        assert!(many(129, "a ").contains("root fields is 129"));
        let told = many(5, "a#: __schema { types { name } } ");
        assert!(told.contains("questions about the schema is 5"), "{told}");
        assert!(
            refused(&format!("{{ x {{ {} }} }}", "a: b ".repeat(257))).contains("aliases is 257")
        );
        let repeated = format!("{{ a {} }}", "@skip(if: false) ".repeat(65));
        assert!(refused(&repeated).contains("directives is 65"));
    }

    #[test]
    fn variables_are_counted_and_their_depth_is_bounded() {
        let limits = Limits::default();
        let of = |json: serde_json::Value| variables(&Variables::from_json(json), &limits);
        let nested = (0..30).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
        let told = of(serde_json::json!({ "a": nested })).unwrap_err().message;
        assert!(told.contains("depth of variables is 31"), "{told}");
        let long: Vec<u32> = (0..20_000).collect();
        let told = of(serde_json::json!({ "a": long })).unwrap_err().message;
        assert!(told.contains("values in variables is 20001"), "{told}");
        assert!(of(serde_json::json!({ "a": [1, 2], "b": { "c": null } })).is_ok());
    }
}
