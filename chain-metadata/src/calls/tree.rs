//! The tree of calls.

use std::sync::Arc;

use super::wrapper::{self, Wrapper};
use super::{Origin, Outcome};
use crate::extrinsics::call_parts;
use crate::types::{Field, Shape};
use crate::{Call, Metadata, Value, pair};

/// A call with the calls inside it.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) path: Vec<u32>,
    pub(super) call: Call,
    pub(super) origin: Origin,
    pub(super) outcome: Outcome,
    pub(super) wrapper: Wrapper,
    pub(super) children: Vec<Node>,
}

/// A call as it stands in a value, nothing copied.
struct CallRef<'a> {
    pallet: &'a Arc<str>,
    pallet_index: u8,
    name: &'a Arc<str>,
    call_index: u8,
    args: Vec<(Arc<str>, &'a Value)>,
}

pub(super) fn build(meta: &Metadata, call: &Call, origin: Origin) -> Node {
    let args = call.args.iter();
    let call = CallRef {
        pallet: &call.pallet,
        pallet_index: call.pallet_index,
        name: &call.name,
        call_index: call.call_index,
        args: args.map(|(name, value)| (name.clone(), value)).collect(),
    };
    node(meta, &call, origin, Vec::new())
}

fn node(meta: &Metadata, call: &CallRef<'_>, origin: Origin, path: Vec<u32>) -> Node {
    let mut inner = Vec::new();
    let indices = [call.pallet_index, call.call_index];
    let pair = pair::find(meta.types(), meta.extrinsic().call, indices);
    let fields: &[Field] = pair.as_ref().map_or(&[], |pair| &pair.item.fields);
    let args = call.args.iter().enumerate().map(|(at, (name, value))| {
        let own = match fields.get(at) {
            Some(field) => without_calls(meta, field.ty, value, &mut inner),
            None => (*value).clone(),
        };
        (name.clone(), own)
    });
    let args = args.collect();
    let wrapper = wrapper::of(call.pallet, call.name, inner.len());
    let mut children = Vec::with_capacity(inner.len());
    for (value, at) in inner.into_iter().zip(0u32..) {
        let Some(child) = call_ref(value) else {
            continue;
        };
        let origin = wrapper::inner_origin(wrapper, call.pallet, call.name, &call.args, &origin);
        let mut path = path.clone();
        path.push(at);
        children.push(node(meta, &child, origin, path));
    }
    Node {
        call: Call {
            pallet: call.pallet.clone(),
            name: call.name.clone(),
            pallet_index: call.pallet_index,
            call_index: call.call_index,
            args,
        },
        path,
        origin,
        outcome: Outcome::Unknown,
        wrapper,
        children,
    }
}

fn call_ref(value: &Value) -> Option<CallRef<'_>> {
    let (pallet, pallet_index, name, call_index, fields) = call_parts(value)?;
    let args = fields.iter().enumerate().map(|(at, (name, value))| {
        let name = name.clone().unwrap_or_else(|| at.to_string().into());
        (name, value)
    });
    Some(CallRef {
        pallet,
        pallet_index,
        name,
        call_index,
        args: args.collect(),
    })
}

/// A copy of a value of a type, with the calls in it taken out and listed in order.
fn without_calls<'a>(
    meta: &Metadata,
    ty: u32,
    value: &'a Value,
    calls: &mut Vec<&'a Value>,
) -> Value {
    if !meta.holds_call(ty) {
        return value.clone();
    }
    let types = meta.types();
    if types.resolve(ty) == types.resolve(meta.extrinsic().call) {
        if call_parts(value).is_some() {
            calls.push(value);
            return Value::Unit;
        }
        return value.clone();
    }
    let fields_without =
        |fields: &[Field], values: &'a [(Option<Arc<str>>, Value)], calls: &mut Vec<&'a Value>| {
            let pairs = fields.iter().zip(values);
            let copies = pairs.map(|(field, (name, value))| {
                (name.clone(), without_calls(meta, field.ty, value, calls))
            });
            copies.collect::<Vec<_>>()
        };
    match (types.get(ty).map(|info| &info.shape), value) {
        (Some(Shape::Sequence(item) | Shape::Array { item, .. }), Value::Seq(items)) => {
            let items = items.iter();
            Value::Seq(
                items
                    .map(|value| without_calls(meta, *item, value, calls))
                    .collect(),
            )
        }
        (Some(Shape::Tuple(types)), Value::Tuple(items)) => {
            let pairs = types.iter().zip(items);
            Value::Tuple(
                pairs
                    .map(|(ty, value)| without_calls(meta, *ty, value, calls))
                    .collect(),
            )
        }
        (Some(Shape::Composite(fields)), Value::Composite(values)) => {
            Value::Composite(fields_without(fields, values, calls))
        }
        (
            Some(Shape::Variant(variants)),
            Value::Variant {
                name,
                index,
                fields: values,
            },
        ) => {
            let fields = variants
                .by_index(*index)
                .map_or(&[][..], |chosen| &chosen.fields);
            Value::Variant {
                name: name.clone(),
                index: *index,
                fields: fields_without(fields, values, calls),
            }
        }
        _ => value.clone(),
    }
}
