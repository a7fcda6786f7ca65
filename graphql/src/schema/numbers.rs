//! Lists of numbers, written in one go.
//!
//! The engine makes a future for every item of a list. For a list of numbers, of which a matrix has
//! hundreds, that is most of the work of the answer, though nothing in them waits for anything.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, Value};

/// Numbers in the order in which they are given out: `[Int!]` in the schema.
pub(crate) struct Numbers(Vec<u16>);

impl FromIterator<u16> for Numbers {
    fn from_iter<I: IntoIterator<Item = u16>>(numbers: I) -> Self {
        Self(numbers.into_iter().collect())
    }
}

impl OutputType for Numbers {
    fn type_name() -> Cow<'static, str> {
        <Vec<u16> as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <Vec<u16> as OutputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Vec<u16> as OutputType>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        _ctx: &ContextSelectionSet<'_>,
        _field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let numbers = self.0.iter().map(|number| Value::from(*number));
        Ok(Value::List(numbers.collect()))
    }
}
