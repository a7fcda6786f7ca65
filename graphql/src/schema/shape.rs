//! Gives an answer the shape that the GraphQL specification asks for.
//!
//! The engine puts the fields of an object in the order in which they were answered, and leaves
//! out a field that failed. Here fields get the order of the query, so that the same query has the
//! same text every time, and a field that failed becomes null, or makes null of the nearest parent
//! that may be.

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationType, Selection, SelectionSet,
};
use async_graphql::registry::{MetaType, MetaTypeName, Registry};
use async_graphql::{Name, PathSegment, Response, Value};

/// The selected fields of one object, in the order of the query.
struct Plan<'a>(Vec<Step<'a>>);

/// One selected field: its key in the answer, its name, and what is selected below it.
struct Step<'a> {
    key: &'a str,
    name: &'a str,
    below: Plan<'a>,
}

/// Shapes the answer to one operation of a document.
pub(crate) fn shape(
    response: &mut Response,
    document: &ExecutableDocument,
    operation: Option<&str>,
    registry: &Registry,
) {
    let chosen = match (&document.operations, operation) {
        (DocumentOperations::Single(only), _) => Some(only),
        (DocumentOperations::Multiple(many), Some(name)) => many.get(name),
        (DocumentOperations::Multiple(many), None) => many.values().next(),
    };
    let Some(chosen) = chosen else { return };
    let plan = plan(document, &[&chosen.node.selection_set.node]);
    let root = match chosen.node.ty {
        OperationType::Subscription => registry.subscription_type.as_deref(),
        OperationType::Query | OperationType::Mutation => Some(registry.query_type.as_str()),
    };
    if response.data != Value::Null {
        let root = root.unwrap_or_default();
        let paths = response.errors.iter().map(|error| error.path.as_slice());
        let mut nulls: Vec<&[PathSegment]> = paths
            .filter_map(|path| {
                let depth = nullable_depth(&response.data, path, &plan, root, registry)?;
                path.get(..depth)
            })
            .collect();
        // The deepest first, so that a parent that must be null stays null.
        nulls.sort_by_key(|path| std::cmp::Reverse(path.len()));
        for path in nulls {
            put_null(&mut response.data, path);
        }
    }
    order(&mut response.data, &plan);
}

fn plan<'a>(document: &'a ExecutableDocument, sets: &[&'a SelectionSet]) -> Plan<'a> {
    let mut found: Vec<(&str, &str, Vec<&SelectionSet>)> = Vec::new();
    for set in sets {
        collect(document, set, &mut found);
    }
    let steps = found.into_iter().map(|(key, name, sets)| Step {
        key,
        name,
        below: plan(document, &sets),
    });
    Plan(steps.collect())
}

/// Fragments are in their places here; their number and depth were measured before.
fn collect<'a>(
    document: &'a ExecutableDocument,
    set: &'a SelectionSet,
    found: &mut Vec<(&'a str, &'a str, Vec<&'a SelectionSet>)>,
) {
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => {
                let field = &field.node;
                let key = field.response_key().node.as_str();
                let name = field.name.node.as_str();
                let below = &field.selection_set.node;
                match found.iter_mut().find(|(k, n, _)| (*k, *n) == (key, name)) {
                    Some((_, _, sets)) => sets.push(below),
                    None => found.push((key, name, vec![below])),
                }
            }
            Selection::InlineFragment(inline) => {
                collect(document, &inline.node.selection_set.node, found);
            }
            Selection::FragmentSpread(spread) => {
                let name = spread.node.fragment_name.node.as_str();
                if let Some(fragment) = document.fragments.get(name) {
                    collect(document, &fragment.node.selection_set.node, found);
                }
            }
        }
    }
}

fn order(value: &mut Value, plan: &Plan<'_>) {
    match value {
        Value::List(items) => {
            for item in items {
                order(item, plan);
            }
        }
        Value::Object(map) => {
            let wanted = plan.0.iter().map(|step| step.key);
            let wanted = wanted.filter(|key| map.contains_key(*key));
            if !wanted.eq(map.keys().map(|key| key.as_str())) {
                let mut old = std::mem::take(map);
                for step in &plan.0 {
                    if let Some((key, value)) = old.swap_remove_entry(step.key) {
                        map.insert(key, value);
                    }
                }
                map.extend(old);
            }
            for step in plan.0.iter().filter(|step| !step.below.0.is_empty()) {
                if let Some(value) = map.get_mut(step.key) {
                    order(value, &step.below);
                }
            }
        }
        _ => {}
    }
}

/// Puts null where a path leads. An object on the way that lost all its fields, which the engine
/// gives as null, becomes an object again.
fn put_null(data: &mut Value, path: &[PathSegment]) {
    let mut place = data;
    for segment in path {
        if let (PathSegment::Field(_), Value::Null) = (segment, &*place) {
            *place = Value::Object(Default::default());
        }
        let next = match (segment, place) {
            (PathSegment::Field(key), Value::Object(map)) => {
                Some(map.entry(Name::new(key)).or_insert(Value::Null))
            }
            (PathSegment::Index(index), Value::List(items)) => items.get_mut(*index),
            _ => None,
        };
        match next {
            Some(next) => place = next,
            None => return,
        }
    }
    *place = Value::Null;
}

/// How many segments of an error's path lead to the place that must be null: 0 is the whole
/// answer. `None` when the answer has something at the path's end, so that nothing is amiss.
fn nullable_depth(
    data: &Value,
    path: &[PathSegment],
    plan: &Plan<'_>,
    root: &str,
    registry: &Registry,
) -> Option<usize> {
    let mut deepest = 0;
    let (mut place, mut plan) = (Some(data), plan);
    let mut ty = format!("{root}!");
    for (at, segment) in path.iter().enumerate() {
        match segment {
            PathSegment::Field(key) => {
                let parent = MetaTypeName::concrete_typename(&ty).to_owned();
                let mut steps = plan.0.iter().filter(|step| step.key == key.as_str());
                let (step, field) = steps
                    .find_map(|step| Some((step, field_type(registry, &parent, step.name)?)))?;
                (plan, ty) = (&step.below, field);
                place = match place {
                    Some(Value::Object(map)) => map.get(key.as_str()),
                    _ => None,
                };
            }
            PathSegment::Index(index) => {
                let list = ty.trim_end_matches('!');
                let item = list.strip_prefix('[').and_then(|l| l.strip_suffix(']'));
                ty = item?.to_owned();
                place = match place {
                    Some(Value::List(items)) => items.get(*index),
                    _ => None,
                };
            }
        }
        if !MetaTypeName::create(&ty).is_non_null() {
            deepest = at + 1;
        }
    }
    place.is_none().then_some(deepest)
}

/// The type of a field, of an object or of any member of a union.
fn field_type(registry: &Registry, parent: &str, field: &str) -> Option<String> {
    match registry.types.get(parent)? {
        MetaType::Union { possible_types, .. } => possible_types
            .iter()
            .find_map(|member| field_type(registry, member, field)),
        other => Some(other.field_by_name(field)?.ty.clone()),
    }
}
