//! From the registry of the metadata to shapes.

use std::collections::HashMap;
use std::sync::Arc;

use scale_info::form::PortableForm;
use scale_info::{
    PortableRegistry as RawRegistry, Type, TypeDef, TypeDefBitSequence, TypeDefPrimitive,
};

use super::{Field, Shape, TypeInfo, Unsupported, VariantInfo, Variants};
use crate::MetadataError;

/// Structs of one field taken off at most; more means that a struct contains itself.
const NEWTYPES: usize = 64;

/// One [`TypeInfo`] per type of the registry; sizes are not filled in yet.
pub(super) fn infos(raw: &RawRegistry) -> Result<Vec<TypeInfo>, MetadataError> {
    for (at, ty) in raw.types.iter().enumerate() {
        if usize::try_from(ty.id).ok() != Some(at) {
            return Err(MetadataError::UnexpectedShape {
                place: format!("the type registry at position {at}"),
                reason: format!("the type there is numbered {}", ty.id),
            });
        }
    }
    let mut builder = Builder {
        raw,
        names: HashMap::new(),
    };
    raw.types
        .iter()
        .map(|ty| {
            Ok(TypeInfo {
                path: ty.ty.path.segments.join("::"),
                shape: builder.shape(ty.id, &ty.ty)?,
                min_size: 0,
                plain_size: None,
            })
        })
        .collect()
}

struct Builder<'a> {
    raw: &'a RawRegistry,
    names: HashMap<&'a str, Arc<str>>,
}

type RawType = Type<PortableForm>;

impl<'a> Builder<'a> {
    fn shape(&mut self, id: u32, ty: &'a RawType) -> Result<Shape, MetadataError> {
        let target = self.target(id, id)?;
        if target != id {
            return Ok(Shape::Newtype(target));
        }
        if let Some(hint) = self.hinted(id, ty)? {
            return Ok(hint);
        }
        Ok(match &ty.type_def {
            TypeDef::Composite(composite) if composite.fields.is_empty() => Shape::Unit,
            TypeDef::Composite(composite) => Shape::Composite(self.fields(id, &composite.fields)?),
            TypeDef::Variant(variant) => {
                let mut variants = Vec::with_capacity(variant.variants.len());
                for variant in &variant.variants {
                    variants.push(VariantInfo {
                        name: self.name(&variant.name),
                        index: variant.index,
                        fields: self.fields(id, &variant.fields)?,
                        docs: join_docs(&variant.docs),
                    });
                }
                Shape::Variant(Variants::new(variants))
            }
            TypeDef::Sequence(sequence) => {
                let item = self.target(id, sequence.type_param.id)?;
                if self.is_u8(id, item)? {
                    Shape::Bytes
                } else {
                    Shape::Sequence(item)
                }
            }
            TypeDef::Array(array) => {
                let item = self.target(id, array.type_param.id)?;
                if self.is_u8(id, item)? {
                    Shape::ByteArray(array.len)
                } else {
                    Shape::Array {
                        len: array.len,
                        item,
                    }
                }
            }
            TypeDef::Tuple(tuple) if tuple.fields.is_empty() => Shape::Unit,
            TypeDef::Tuple(tuple) => Shape::Tuple(
                tuple
                    .fields
                    .iter()
                    .map(|field| self.target(id, field.id))
                    .collect::<Result<_, _>>()?,
            ),
            TypeDef::Primitive(primitive) => primitive_shape(primitive),
            TypeDef::Compact(compact) => self.compact(id, compact.type_param.id)?,
            TypeDef::BitSequence(bits) => self.bits(id, bits)?,
        })
    }

    fn fields(
        &mut self,
        id: u32,
        fields: &'a [scale_info::Field<PortableForm>],
    ) -> Result<Box<[Field]>, MetadataError> {
        fields
            .iter()
            .map(|field| {
                Ok(Field {
                    name: field.name.as_deref().map(|name| self.name(name)),
                    ty: self.target(id, field.ty.id)?,
                })
            })
            .collect()
    }

    /// One shared copy of every name.
    fn name(&mut self, name: &'a str) -> Arc<str> {
        self.names
            .entry(name)
            .or_insert_with(|| name.into())
            .clone()
    }

    fn raw(&self, user: u32, id: u32) -> Result<&'a RawType, MetadataError> {
        self.raw
            .resolve(id)
            .ok_or_else(|| MetadataError::MissingType {
                place: format!("type {user}"),
                ty: id,
            })
    }

    /// Takes newtypes off, but stops at a type with a meaning of its own.
    fn target(&self, user: u32, id: u32) -> Result<u32, MetadataError> {
        self.follow(user, id, true)
    }

    fn follow(&self, user: u32, id: u32, stop_at_hints: bool) -> Result<u32, MetadataError> {
        let mut at = id;
        for _ in 0..NEWTYPES {
            let ty = self.raw(user, at)?;
            if stop_at_hints && self.hinted(at, ty)?.is_some() {
                return Ok(at);
            }
            match &ty.type_def {
                TypeDef::Composite(composite) => match composite.fields.as_slice() {
                    [only] if only.name.is_none() => at = only.ty.id,
                    _ => return Ok(at),
                },
                _ => return Ok(at),
            }
        }
        Err(MetadataError::UnexpectedShape {
            place: format!("type {id}"),
            reason: format!("it is a struct in a struct more than {NEWTYPES} times over"),
        })
    }

    /// Account ids and 256 bit numbers are newtypes over arrays, but are shown as what they mean.
    /// The bytes are the same either way.
    fn hinted(&self, id: u32, ty: &RawType) -> Result<Option<Shape>, MetadataError> {
        let Some(name) = ty.path.segments.last() else {
            return Ok(None);
        };
        let (len, item, shape) = match name.as_str() {
            "AccountId32" => (32, TypeDefPrimitive::U8, Shape::Account),
            "U256" => (4, TypeDefPrimitive::U64, Shape::U256),
            _ => return Ok(None),
        };
        let inner = self.raw(id, self.follow(id, id, false)?)?;
        let TypeDef::Array(array) = &inner.type_def else {
            return Ok(None);
        };
        let found = self.raw(id, self.follow(id, array.type_param.id, false)?)?;
        let fits = array.len == len && found.type_def == TypeDef::Primitive(item);
        Ok(fits.then_some(shape))
    }

    fn is_u8(&self, user: u32, id: u32) -> Result<bool, MetadataError> {
        Ok(self.raw(user, id)?.type_def == TypeDef::Primitive(TypeDefPrimitive::U8))
    }

    /// A compact may be of a number or of structs with a single field around one.
    fn compact(&self, user: u32, inner: u32) -> Result<Shape, MetadataError> {
        let mut at = inner;
        for _ in 0..NEWTYPES {
            match &self.raw(user, at)?.type_def {
                TypeDef::Composite(composite) => match composite.fields.as_slice() {
                    [only] => at = only.ty.id,
                    _ => return Ok(Shape::Unsupported(Unsupported::Compact)),
                },
                TypeDef::Tuple(tuple) => match tuple.fields.as_slice() {
                    [] => return Ok(Shape::Unit),
                    [only] => at = only.id,
                    _ => return Ok(Shape::Unsupported(Unsupported::Compact)),
                },
                TypeDef::Primitive(primitive) => {
                    return Ok(match primitive_shape(primitive) {
                        Shape::Uint(bits) => Shape::Compact(bits),
                        _ => Shape::Unsupported(Unsupported::Compact),
                    });
                }
                _ => return Ok(Shape::Unsupported(Unsupported::Compact)),
            }
        }
        Ok(Shape::Unsupported(Unsupported::Compact))
    }

    /// The order of bits is told apart by the name of an empty struct: nothing else says it.
    fn bits(
        &self,
        user: u32,
        bits: &TypeDefBitSequence<PortableForm>,
    ) -> Result<Shape, MetadataError> {
        let store = self.raw(user, bits.bit_store_type.id)?;
        let order = self.raw(user, bits.bit_order_type.id)?;
        let width = match &store.type_def {
            TypeDef::Primitive(TypeDefPrimitive::U8) => 8,
            TypeDef::Primitive(TypeDefPrimitive::U16) => 16,
            TypeDef::Primitive(TypeDefPrimitive::U32) => 32,
            TypeDef::Primitive(TypeDefPrimitive::U64) => 64,
            _ => return Ok(Shape::Unsupported(Unsupported::BitSequence)),
        };
        Ok(match order.path.segments.last().map(String::as_str) {
            Some("Lsb0") => Shape::BitSequence { width, msb0: false },
            Some("Msb0") => Shape::BitSequence { width, msb0: true },
            _ => Shape::Unsupported(Unsupported::BitSequence),
        })
    }
}

fn primitive_shape(primitive: &TypeDefPrimitive) -> Shape {
    match primitive {
        TypeDefPrimitive::Bool => Shape::Bool,
        TypeDefPrimitive::Char => Shape::Char,
        TypeDefPrimitive::Str => Shape::Str,
        TypeDefPrimitive::U8 => Shape::Uint(8),
        TypeDefPrimitive::U16 => Shape::Uint(16),
        TypeDefPrimitive::U32 => Shape::Uint(32),
        TypeDefPrimitive::U64 => Shape::Uint(64),
        TypeDefPrimitive::U128 => Shape::Uint(128),
        TypeDefPrimitive::U256 => Shape::U256,
        TypeDefPrimitive::I8 => Shape::Int(8),
        TypeDefPrimitive::I16 => Shape::Int(16),
        TypeDefPrimitive::I32 => Shape::Int(32),
        TypeDefPrimitive::I64 => Shape::Int(64),
        TypeDefPrimitive::I128 => Shape::Int(128),
        TypeDefPrimitive::I256 => Shape::I256,
    }
}

/// Documentation lines as one line of text.
pub(crate) fn join_docs(lines: &[String]) -> String {
    let words: Vec<&str> = lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty())
        .collect();
    words.join(" ")
}
