//! Facts to bytes: every fact takes the shape that the metadata gives its type.

use std::collections::HashMap;
use std::sync::Arc;

use chain_metadata::{
    AccountId, Call, DecodeError, Event, Extrinsic, ExtrinsicKind, Field, H256, Hasher, Metadata,
    Phase, Shape, StorageEntry, Types, Value, VariantInfo, encode_events, encode_extrinsic,
    encode_type, skip_type,
};

use crate::SyntheticError;

const METADATA: &[u8] = include_bytes!("../fixtures/subtensor_spec424_v16.scale.zst");

/// Something that is so on the chain, without a type.
#[derive(Debug, Clone)]
pub(crate) enum Datum {
    /// Zero, false, empty, the first variant.
    Zero,
    /// A number; 0 and 1 for booleans; the index byte of a variant without fields.
    Number(u128),
    /// A list of numbers.
    Numbers(Vec<u64>),
    /// A row of W or B.
    Row(Vec<(u16, u16)>),
    /// Thirty-two bytes.
    Account(AccountId),
    /// Bytes or text.
    Bytes(Vec<u8>),
    /// Fields by name; those not given are zero.
    Fields(Vec<(&'static str, Datum)>),
    /// Items one by one.
    List(Vec<Datum>),
    /// A variant around one thing.
    Variant(&'static str, Box<Datum>),
}

impl From<u64> for Datum {
    fn from(number: u64) -> Datum {
        Datum::Number(number.into())
    }
}

/// Part of a storage key: how it is hashed, and bytes of the plain key.
#[derive(Debug, Clone, Copy)]
struct Part {
    hasher: Hasher,
    len: usize,
}

/// A storage entry whose keys have a fixed length.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) entry: StorageEntry,
    parts: Vec<Part>,
}

/// The runtime's words.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) metadata: Metadata,
    pub(crate) bytes: Vec<u8>,
    pub(crate) spec: u32,
    known: HashMap<[u8; 32], Known>,
}

impl Words {
    pub(crate) fn load() -> Result<Words, SyntheticError> {
        let bytes = zstd::decode_all(METADATA)?;
        let metadata = Metadata::from_bytes(&bytes)?;
        let spec = metadata.spec_version()?;
        let mut known = HashMap::new();
        for entry in metadata.pallets().iter().flat_map(|p| &p.storage) {
            let parts: Option<Vec<Part>> = entry
                .keys
                .iter()
                .zip(&entry.hashers)
                .map(|(ty, hasher)| {
                    let len = fixed_length(metadata.types(), *ty)?;
                    hasher.is_reversible().then_some(Part {
                        hasher: *hasher,
                        len,
                    })
                })
                .collect();
            if let Some(parts) = parts {
                let entry = entry.clone();
                known.insert(entry.prefix, Known { entry, parts });
            }
        }
        Ok(Words {
            metadata,
            bytes,
            spec,
            known,
        })
    }

    /// The entry of a whole key and its plain key parts; `None` for a key that
    /// no entry has.
    pub(crate) fn parse<'a>(&self, key: &'a [u8]) -> Option<(&Known, Vec<&'a [u8]>)> {
        let (prefix, mut rest) = key.split_first_chunk::<32>()?;
        let known = self.known.get(prefix)?;
        let mut plain = Vec::with_capacity(known.parts.len());
        for part in &known.parts {
            let whole = part.hasher.hash_len() + part.len;
            let (hashed, after) = rest.split_at_checked(whole)?;
            let bytes = hashed.get(part.hasher.hash_len()..)?;
            if part.hasher.hash_len() > 0 {
                let mut again = Vec::with_capacity(whole);
                part.hasher.hash_into(bytes, &mut again);
                if again != hashed {
                    return None;
                }
            }
            plain.push(bytes);
            rest = after;
        }
        rest.is_empty().then_some((known, plain))
    }

    /// Entries whose keys begin with `prefix`, or that `prefix` is a key part of.
    pub(crate) fn under(&self, prefix: &[u8]) -> impl Iterator<Item = &Known> {
        let known = self.known.values();
        known.filter(move |k| {
            k.entry.prefix.starts_with(prefix) || prefix.starts_with(&k.entry.prefix)
        })
    }

    /// The bytes of a fact as a value of an entry.
    pub(crate) fn value(&self, known: &Known, fact: &Datum) -> Result<Vec<u8>, SyntheticError> {
        let types = self.metadata.types();
        let mut out = Vec::new();
        let value = shaped(types, known.entry.value, fact);
        encode_type(types, known.entry.value, &value, &mut out).map_err(|cause| {
            DecodeError::new(known.entry.pallet.clone(), known.entry.name.clone(), cause)
                .in_spec(self.spec)
        })?;
        Ok(out)
    }

    /// An event.
    pub(crate) fn event(
        &self,
        phase: Phase,
        pallet: &'static str,
        name: &'static str,
        facts: &[Datum],
    ) -> Result<Event, SyntheticError> {
        let (found, info) = self.find("event", pallet, name)?;
        let types = self.metadata.types();
        let fields = fields(types, &info.fields, facts);
        Ok(Event {
            index: 0,
            phase,
            pallet: pallet.into(),
            name: info.name.clone(),
            pallet_index: found,
            variant_index: info.index,
            fields,
            topics: Vec::new(),
        })
    }

    /// The bytes of `System.Events`.
    pub(crate) fn events(&self, list: &[Event]) -> Result<Vec<u8>, SyntheticError> {
        Ok(encode_events(&self.metadata, list)?)
    }

    /// The bytes of an extrinsic: signed by somebody as his `nonce`th, or an inherent.
    pub(crate) fn extrinsic(
        &self,
        block: u32,
        signed: Option<(AccountId, u64, [u8; 64])>,
        pallet: &'static str,
        name: &'static str,
        facts: &[Datum],
    ) -> Result<Vec<u8>, SyntheticError> {
        let (pallet_index, info) = self.find("call", pallet, name)?;
        let types = self.metadata.types();
        let args = fields(types, &info.fields, facts);
        let call = Call {
            pallet: pallet.into(),
            name: info.name.clone(),
            pallet_index,
            call_index: info.index,
            args: args
                .into_iter()
                .map(|(name, value)| (name.unwrap_or_else(|| Arc::from("")), value))
                .collect(),
        };
        let shape = self.metadata.extrinsic();
        let (version, kind, extensions) = match signed {
            None => (5, ExtrinsicKind::Bare, Vec::new()),
            Some((account, nonce, signature)) => {
                let address = Datum::Variant("Id", Box::new(Datum::Account(account)));
                let signature =
                    Datum::Variant("Sr25519", Box::new(Datum::Bytes(signature.to_vec())));
                let kind = ExtrinsicKind::Signed {
                    address: shaped(types, shape.address, &address),
                    signature: shaped(types, shape.signature, &signature),
                };
                let places = shape.extension_versions.get(&0).into_iter().flatten();
                let extensions = places
                    .filter_map(|place| shape.extensions.get(*place))
                    .map(|extension| {
                        let fact = match &*extension.name {
                            "CheckNonce" => nonce.into(),
                            "CheckMortality" => era(block),
                            _ => Datum::Zero,
                        };
                        (extension.name.clone(), shaped(types, extension.ty, &fact))
                    })
                    .collect();
                (4, kind, extensions)
            }
        };
        let extrinsic = Extrinsic {
            index: 0,
            hash: H256::ZERO,
            raw_len: 0,
            version,
            kind,
            extensions,
            call,
        };
        Ok(encode_extrinsic(&self.metadata, &extrinsic)?)
    }

    /// Index of a pallet and the variant of one of its calls or events.
    fn find(
        &self,
        kind: &'static str,
        pallet: &'static str,
        name: &'static str,
    ) -> Result<(u8, &VariantInfo), SyntheticError> {
        let found = self.metadata.pallet(pallet).and_then(|p| {
            let ty = if kind == "call" { p.calls } else { p.events };
            let variants = self.metadata.types().variants(ty?)?;
            Some((p.index, variants.by_name(name)?))
        });
        found.ok_or(SyntheticError::Unknown { kind, pallet, name })
    }
}

/// An era of 64 blocks that begins with a block: two bytes, as an enum.
fn era(block: u32) -> Datum {
    let [low, high] = u16::try_from(5 | (block % 64) << 4)
        .unwrap_or(5)
        .to_le_bytes();
    Datum::List(vec![Datum::Number(low.into()), Datum::Number(high.into())])
}

/// Bytes of every value of a type, where all have the same number.
pub(crate) fn fixed_length(types: &Types, ty: u32) -> Option<usize> {
    let shape = &types.get(ty)?.shape;
    if !matches!(shape, Shape::Uint(_) | Shape::Account | Shape::ByteArray(_)) {
        return None;
    }
    let zeros = [0; 64];
    let mut input = &zeros[..];
    skip_type(types, ty, &mut input).ok()?;
    Some(zeros.len() - input.len())
}

fn fields(types: &Types, fields: &[Field], facts: &[Datum]) -> Vec<(Option<Arc<str>>, Value)> {
    fields
        .iter()
        .enumerate()
        .map(|(at, field)| {
            let fact = facts.get(at).unwrap_or(&Datum::Zero);
            (field.name.clone(), shaped(types, field.ty, fact))
        })
        .collect()
}

/// A fact in the shape of a type. What does not fit becomes [`Value::Unit`],
/// which the encoder refuses with the name of the type.
fn shaped(types: &Types, ty: u32, fact: &Datum) -> Value {
    let Some(info) = types.get(ty) else {
        return Value::Unit;
    };
    match (&info.shape, fact) {
        (Shape::Uint(width) | Shape::Compact(width), Datum::Number(value)) => Value::Uint {
            width: *width,
            value: *value,
        },
        (Shape::Uint(width) | Shape::Compact(width), Datum::Zero) => Value::Uint {
            width: *width,
            value: 0,
        },
        (Shape::Int(width), Datum::Number(_) | Datum::Zero) => {
            let value = match fact {
                Datum::Number(value) => i128::try_from(*value).unwrap_or(i128::MAX),
                _ => 0,
            };
            Value::Int {
                width: *width,
                value,
            }
        }
        (Shape::Bool, Datum::Number(value)) => Value::Bool(*value != 0),
        (Shape::Bool, Datum::Zero) => Value::Bool(false),
        (Shape::Account | Shape::ByteArray(32), Datum::Account(account)) => {
            Value::Account(account.0)
        }
        (Shape::Account, Datum::Zero) => Value::Account([0; 32]),
        (Shape::ByteArray(len), Datum::Zero) => {
            Value::Bytes(vec![0; usize::try_from(*len).unwrap_or(0)])
        }
        (Shape::Bytes | Shape::ByteArray(_), Datum::Bytes(bytes)) => Value::Bytes(bytes.clone()),
        (Shape::Bytes, Datum::Zero) => Value::Bytes(Vec::new()),
        (Shape::Str, Datum::Bytes(bytes)) => {
            Value::Str(String::from_utf8_lossy(bytes).into_owned())
        }
        (Shape::Str, Datum::Zero) => Value::Str(String::new()),
        (Shape::Sequence(_) | Shape::Array { .. }, Datum::Zero) => Value::Seq(Vec::new()),
        (Shape::Sequence(item), Datum::Numbers(numbers)) => {
            let item = |n: &u64| shaped(types, *item, &Datum::from(*n));
            Value::Seq(numbers.iter().map(item).collect())
        }
        (Shape::Sequence(item), Datum::Row(row)) => {
            let pair = |(uid, value): &(u16, u16)| {
                let pair = [*uid, *value].map(u128::from);
                match types.get(*item).map(|i| &i.shape) {
                    Some(Shape::Tuple(parts)) if parts.len() == 2 => Value::Tuple(
                        parts
                            .iter()
                            .zip(pair)
                            .map(|(ty, n)| shaped(types, *ty, &Datum::Number(n)))
                            .collect(),
                    ),
                    _ => Value::Unit,
                }
            };
            Value::Seq(row.iter().map(pair).collect())
        }
        (Shape::Sequence(item), Datum::List(list)) => {
            let item = |fact| shaped(types, *item, fact);
            Value::Seq(list.iter().map(item).collect())
        }
        (Shape::Tuple(items), Datum::List(list)) if items.len() == list.len() => {
            let both = items.iter().zip(list);
            Value::Tuple(both.map(|(ty, fact)| shaped(types, *ty, fact)).collect())
        }
        (Shape::Tuple(items), Datum::Zero) => {
            let item = |ty: &u32| shaped(types, *ty, &Datum::Zero);
            Value::Tuple(items.iter().map(item).collect())
        }
        // A fixed-point number is a struct around its bits.
        (Shape::Composite(list), Datum::Number(_)) if list.len() == 1 => {
            Value::Composite(fields(types, list, std::slice::from_ref(fact)))
        }
        (Shape::Composite(list), Datum::Zero) => Value::Composite(fields(types, list, &[])),
        (Shape::Composite(list), Datum::Fields(given)) => Value::Composite(
            list.iter()
                .map(|field| {
                    let fact = given
                        .iter()
                        .find(|(name, _)| field.name.as_deref() == Some(name));
                    let fact = fact.map_or(&Datum::Zero, |(_, fact)| fact);
                    (field.name.clone(), shaped(types, field.ty, fact))
                })
                .collect(),
        ),
        (Shape::Variant(variants), fact) => {
            let (chosen, inner): (_, &[Datum]) = match fact {
                Datum::Number(index) => (
                    u8::try_from(*index).ok().and_then(|i| variants.by_index(i)),
                    &[],
                ),
                Datum::Variant(name, inner) => {
                    (variants.by_name(name), std::slice::from_ref(&**inner))
                }
                Datum::List(list) => match list.split_first() {
                    Some((Datum::Number(index), rest)) => (
                        u8::try_from(*index).ok().and_then(|i| variants.by_index(i)),
                        rest,
                    ),
                    _ => (None, &[]),
                },
                _ => (variants.all().first(), &[]),
            };
            match chosen {
                Some(variant) => Value::Variant {
                    name: variant.name.clone(),
                    index: variant.index,
                    fields: fields(types, &variant.fields, inner),
                },
                None => Value::Unit,
            }
        }
        _ => Value::Unit,
    }
}
