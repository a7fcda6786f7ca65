//! What an operation is called in metrics and logs: by the field that it asks for, which is a word
//! of the schema. The name that a client gives it may be anything, and there may be any number.

use std::time::Instant;

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, Selection};

use crate::server::access;

/// The only root field of an operation; `several` where it has more, `other` where that is not told
/// at its root. The document must be valid, so that there are no more labels than root fields.
pub(super) fn label<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> &'a str {
    let operation = match (&document.operations, name) {
        (DocumentOperations::Single(operation), _) => Some(operation),
        (DocumentOperations::Multiple(all), Some(name)) => all.get(name),
        (DocumentOperations::Multiple(all), None) if all.len() == 1 => all.values().next(),
        (DocumentOperations::Multiple(_), None) => None,
    };
    let Some(operation) = operation else {
        return "other";
    };
    match operation.node.selection_set.node.items.as_slice() {
        [only] => match &only.node {
            Selection::Field(field) => field.node.name.node.as_str(),
            _ => "other",
        },
        [] => "other",
        _ => "several",
    }
}

/// Measures an operation until it is dropped.
pub(super) struct Timed {
    label: String,
    started: Instant,
}

impl Timed {
    /// Begins, and tells the log what is asked for.
    pub(super) fn start(label: &str) -> Self {
        access::operation(label);
        Self {
            label: label.to_owned(),
            started: Instant::now(),
        }
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        let label = std::mem::take(&mut self.label);
        metrics::histogram!("graphql_operation_seconds", "operation" => label)
            .record(self.started.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    #[test]
    fn labels_are_fields_of_the_schema() {
        for (query, name, wanted) in [
            ("{ status { last } }", None, "status"),
            ("query Evil { mine: status { last } }", None, "status"),
            ("{ status { last } block { number } }", None, "several"),
            (
                "query A { status { last } } query B { block { number } }",
                Some("B"),
                "block",
            ),
            (
                "query A { status { last } } query B { block { number } }",
                Some("C"),
                "other",
            ),
            ("{ ... on Query { status { last } } }", None, "other"),
            ("{ __schema { queryType { name } } }", None, "__schema"),
        ] {
            assert_eq!(label(&parse_query(query).unwrap(), name), wanted, "{query}");
        }
    }
}
