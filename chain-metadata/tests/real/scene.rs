//! Extrinsics and events made by hand for a real runtime.

use std::sync::Arc;

use chain_metadata::{
    AccountId, Call, Event, Extrinsic, ExtrinsicKind, H256, Metadata, Outcome, Phase, Shape, Types,
    Value, decode_events, decode_extrinsic, encode_events, encode_extrinsic, nested_calls,
};

/// The value of a type with nothing in it: zeros, empty lists, first variants.
pub(crate) fn zero(types: &Types, ty: u32) -> Value {
    let fields = |fields: &[chain_metadata::Field]| {
        let values = fields
            .iter()
            .map(|field| (field.name.clone(), zero(types, field.ty)));
        values.collect::<Vec<_>>()
    };
    match &types.get(ty).unwrap().shape {
        Shape::Bool => Value::Bool(false),
        Shape::Str => Value::Str(String::new()),
        Shape::Uint(width) | Shape::Compact(width) => Value::Uint {
            width: *width,
            value: 0,
        },
        Shape::Int(width) => Value::Int {
            width: *width,
            value: 0,
        },
        Shape::Account => Value::Account([0; 32]),
        Shape::Bytes => Value::Bytes(vec![]),
        Shape::ByteArray(len) => Value::Bytes(vec![0; usize::try_from(*len).unwrap()]),
        Shape::Sequence(_) => Value::Seq(vec![]),
        Shape::Array { len, item } => Value::Seq((0..*len).map(|_| zero(types, *item)).collect()),
        Shape::Tuple(items) => Value::Tuple(items.iter().map(|ty| zero(types, *ty)).collect()),
        Shape::Unit => Value::Unit,
        Shape::Composite(list) => Value::Composite(fields(list)),
        Shape::Variant(variants) => {
            let first = &variants.all()[0];
            Value::Variant {
                name: first.name.clone(),
                index: first.index,
                fields: fields(&first.fields),
            }
        }
        other => panic!("no zero for {other:?}"),
    }
}

/// A runtime and what is needed to play scenes on it.
pub(crate) struct Scene {
    pub(crate) meta: Arc<Metadata>,
}

pub(crate) const ALICE: AccountId = AccountId([0xa1; 32]);
pub(crate) const BOB: AccountId = AccountId([0xb0; 32]);
pub(crate) const CAROL: AccountId = AccountId([0xca; 32]);

impl Scene {
    pub(crate) fn new(metadata: &str) -> Self {
        let meta = crate::support::metadata(metadata);
        Scene { meta }
    }

    /// A call with some arguments given and the others empty.
    pub(crate) fn call(&self, full_name: &str, given: Vec<(&str, Value)>) -> Call {
        let (pallet, name) = full_name.split_once('.').unwrap();
        let pallet = self.meta.pallet(pallet).unwrap();
        let functions = self.meta.types().variants(pallet.calls.unwrap()).unwrap();
        let function = functions
            .by_name(name)
            .unwrap_or_else(|| panic!("{full_name}"));
        let args = function.fields.iter().map(|field| {
            let name = field.name.clone().unwrap();
            let found = given.iter().find(|(known, _)| **known == *name);
            let value = match found {
                Some((_, value)) => value.clone(),
                None => zero(self.meta.types(), field.ty),
            };
            (name, value)
        });
        let args = args.collect::<Vec<_>>();
        assert!(
            given
                .iter()
                .all(|(known, _)| args.iter().any(|(name, _)| **name == **known))
        );
        Call {
            pallet: pallet.name.as_str().into(),
            name: function.name.clone(),
            pallet_index: pallet.index,
            call_index: function.index,
            args,
        }
    }

    /// A call that wraps nothing.
    pub(crate) fn leaf(&self, number: u8) -> Call {
        self.call(
            "System.remark",
            vec![("remark", Value::Bytes(vec![number]))],
        )
    }

    pub(crate) fn batch(&self, name: &str, calls: &[Call]) -> Call {
        let calls = calls.iter().map(Call::to_value).collect();
        self.call(
            &format!("Utility.{name}"),
            vec![("calls", Value::Seq(calls))],
        )
    }

    pub(crate) fn proxy(&self, real: AccountId, call: &Call) -> Call {
        self.call(
            "Proxy.proxy",
            vec![("real", id(real)), ("call", call.to_value())],
        )
    }

    pub(crate) fn sudo(&self, call: &Call) -> Call {
        self.call("Sudo.sudo", vec![("call", call.to_value())])
    }

    /// An event with some fields given and the others empty.
    pub(crate) fn event(&self, full_name: &str, given: Vec<(&str, Value)>) -> Event {
        let (pallet, name) = full_name.split_once('.').unwrap();
        let pallet = self.meta.pallet(pallet).unwrap();
        let known = self.meta.types().variants(pallet.events.unwrap()).unwrap();
        let variant = known.by_name(name).unwrap_or_else(|| panic!("{full_name}"));
        let fields = variant.fields.iter().enumerate().map(|(at, field)| {
            let label = field
                .name
                .as_deref()
                .map_or_else(|| at.to_string(), str::to_owned);
            let found = given.iter().find(|(known, _)| *known == label);
            let value = match found {
                Some((_, value)) => value.clone(),
                None => zero(self.meta.types(), field.ty),
            };
            (field.name.clone(), value)
        });
        Event {
            index: 0,
            phase: Phase::ApplyExtrinsic(0),
            pallet: pallet.name.as_str().into(),
            name: variant.name.clone(),
            pallet_index: pallet.index,
            variant_index: variant.index,
            fields: fields.collect(),
            topics: vec![],
        }
    }

    /// Events by name; `!` in front makes the result or the error in it [`Scene::error`].
    pub(crate) fn events(&self, names: &[&str]) -> Vec<Event> {
        let events = names.iter().map(|name| match name.strip_prefix('!') {
            None => self.event(name, vec![]),
            Some(name) => {
                let mut event = self.event(name, vec![]);
                for (_, value) in &mut event.fields {
                    match value.variant_name() {
                        Some("Ok") => *value = variant("Err", 1, vec![self.error()]),
                        Some("Other") => *value = self.error(),
                        _ => {}
                    }
                }
                event
            }
        });
        events.collect()
    }

    /// `Balances.InsufficientBalance` as a dispatch error.
    pub(crate) fn error(&self) -> Value {
        self.pallet_error("Balances", "InsufficientBalance")
    }

    pub(crate) fn pallet_error(&self, pallet: &str, name: &str) -> Value {
        let pallet = self.meta.pallet(pallet).unwrap();
        let errors = self.meta.types().variants(pallet.errors.unwrap()).unwrap();
        let error = errors.by_name(name).unwrap().index;
        let index = Value::Uint {
            width: 8,
            value: pallet.index.into(),
        };
        let module = Value::Composite(vec![
            (Some("index".into()), index),
            (Some("error".into()), Value::Bytes(vec![error, 0, 0, 0])),
        ]);
        variant("Module", 3, vec![module])
    }

    /// An extrinsic signed by Alice, having been through its bytes.
    pub(crate) fn signed(&self, call: &Call) -> Extrinsic {
        let extensions = self.meta.extrinsic().extensions.iter();
        let extensions = extensions.map(|extension| {
            (
                extension.name.clone(),
                zero(self.meta.types(), extension.ty),
            )
        });
        let xt = Extrinsic {
            index: 0,
            hash: H256::ZERO,
            raw_len: 0,
            version: 4,
            kind: ExtrinsicKind::Signed {
                address: id(ALICE),
                signature: variant("Sr25519", 1, vec![Value::Bytes(vec![7; 64])]),
            },
            extensions: extensions.collect(),
            call: call.clone(),
        };
        let raw = encode_extrinsic(&self.meta, &xt).unwrap();
        let back = decode_extrinsic(&self.meta, &raw).unwrap();
        assert_eq!(back.call, *call);
        back
    }

    /// What nested calls are found for a call and its events, which go through their bytes.
    pub(crate) fn nested(&self, call: &Call, events: &[Event]) -> Vec<chain_metadata::NestedCall> {
        let xt = self.signed(call);
        let raw = encode_events(&self.meta, events).unwrap();
        let decoded = decode_events(&self.meta, &raw).unwrap();
        let own: Vec<&Event> = decoded.iter().collect();
        nested_calls(&self.meta, &xt, &own)
    }

    /// Path and outcome of every call in short, such as `/ ok`, `/1 failed`, `/1/0 not run`.
    pub(crate) fn outcomes(&self, call: &Call, events: &[&str]) -> Vec<String> {
        let all = ["Balances.Withdraw"].iter().chain(events).copied();
        let mut all: Vec<&str> = all.collect();
        let failed = all
            .last()
            .is_some_and(|last| last.ends_with("ExtrinsicFailed"));
        if !failed {
            all.extend([
                "TransactionPayment.TransactionFeePaid",
                "System.ExtrinsicSuccess",
            ]);
        }
        short(&self.nested(call, &self.events(&all)))
    }
}

/// Path and outcome of every call in short.
pub(crate) fn short(list: &[chain_metadata::NestedCall]) -> Vec<String> {
    let lines = list.iter().map(|nested| {
        let path: Vec<String> = nested.path.iter().map(u32::to_string).collect();
        let outcome = match &nested.outcome {
            Outcome::Succeeded => "ok",
            Outcome::Failed(error) => {
                assert!(
                    error
                        .to_string()
                        .starts_with("Balances.InsufficientBalance: "),
                    "{error}"
                );
                "failed"
            }
            Outcome::NotRun => "not run",
            Outcome::Unknown => "unknown",
        };
        format!("/{} {outcome}", path.join("/"))
    });
    lines.collect()
}

/// An account as an address.
pub(crate) fn id(account: AccountId) -> Value {
    variant("Id", 0, vec![Value::Account(account.0)])
}

pub(crate) fn variant(name: &str, index: u8, fields: Vec<Value>) -> Value {
    Value::Variant {
        name: name.into(),
        index,
        fields: fields.into_iter().map(|field| (None, field)).collect(),
    }
}
