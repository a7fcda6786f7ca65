//! The types of one runtime, prepared for reading values quickly.
//!
//! Metadata describes every type that occurs in storage, calls and events. Here that description
//! is boiled down to *shapes*: what a type is called plays no part, so a runtime that wraps a
//! number in a new struct is read exactly as before. Names are kept once and shared by all values.

use std::sync::Arc;

use scale_info::PortableRegistry as RawRegistry;

use crate::{MetadataError, ScaleError};

mod build;
mod sizes;

/// The types of one runtime by number.
#[derive(Debug, Clone)]
pub struct Types {
    infos: Vec<TypeInfo>,
}

/// One type.
#[derive(Debug, Clone)]
pub struct TypeInfo {
    /// Path as in the metadata, segments joined by `::`; empty for primitives, tuples and the like.
    pub path: String,
    /// What its bytes look like.
    pub shape: Shape,
    /// Fewest bytes a value can have.
    pub(crate) min_size: usize,
    /// Bytes a value always has, if in addition any bytes are a valid value.
    pub(crate) plain_size: Option<usize>,
}

/// What the bytes of a type look like. All type numbers inside stand for types that are not
/// [`Shape::Newtype`].
#[derive(Debug, Clone)]
pub enum Shape {
    /// One byte, 0 or 1.
    Bool,
    /// Four bytes, a Unicode scalar value.
    Char,
    /// UTF-8 text behind its length.
    Str,
    /// Little-endian unsigned integer of so many bits (8..=128).
    Uint(u8),
    /// Little-endian two's complement integer of so many bits (8..=128).
    Int(u8),
    /// Unsigned integer of 256 bits: the primitive, or a `U256` over four words.
    U256,
    /// Signed integer of 256 bits.
    I256,
    /// Thirty-two bytes of a type called `AccountId32`.
    Account,
    /// Bytes behind their length.
    Bytes,
    /// So many bytes.
    ByteArray(u32),
    /// Items behind their number.
    Sequence(u32),
    /// A fixed number of items.
    Array {
        /// Number of items.
        len: u32,
        /// Type of an item.
        item: u32,
    },
    /// Two or more types one after another (or one, for the rare `(T,)`).
    Tuple(Box<[u32]>),
    /// No bytes.
    Unit,
    /// Fields one after another.
    Composite(Box<[Field]>),
    /// An index byte and the fields of the variant it selects.
    Variant(Variants),
    /// Compact form of an unsigned integer of so many bits.
    Compact(u8),
    /// Bits behind their number.
    BitSequence {
        /// Bits of a storage word: 8, 16, 32 or 64.
        width: u8,
        /// Whether the first bit is the most significant of its word.
        msb0: bool,
    },
    /// A struct with one unnamed field: read as the type whose number is here.
    Newtype(u32),
    /// A kind of bit sequence or compact that no runtime has; an error when met.
    Unsupported(Unsupported),
}

/// Why a type cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsupported {
    /// Compact of something that is not an unsigned integer.
    Compact,
    /// Bit sequence of unknown storage word or order.
    BitSequence,
}

/// A field of a struct, a variant, a call or an event.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name, if it has one.
    pub name: Option<Arc<str>>,
    /// Its type's number.
    pub ty: u32,
}

/// A variant of an enum: also a call, an event, an error.
#[derive(Debug, Clone)]
pub struct VariantInfo {
    /// Its name.
    pub name: Arc<str>,
    /// The byte that selects it.
    pub index: u8,
    /// Its fields in order.
    pub fields: Box<[Field]>,
    /// Its documentation, lines joined by spaces.
    pub docs: String,
}

/// The variants of an enum, in the order of their index bytes.
#[derive(Debug, Clone)]
pub struct Variants(Box<[VariantInfo]>);

impl Variants {
    pub(crate) fn new(mut variants: Vec<VariantInfo>) -> Self {
        variants.sort_by_key(|variant| variant.index);
        Variants(variants.into())
    }

    /// All variants, by rising index.
    pub fn all(&self) -> &[VariantInfo] {
        &self.0
    }

    /// The variant that an index byte selects.
    #[inline]
    pub fn by_index(&self, index: u8) -> Option<&VariantInfo> {
        // Most enums have no holes, so the index is the position.
        if let Some(variant) = self.0.get(usize::from(index))
            && variant.index == index
        {
            return Some(variant);
        }
        let at = self.0.binary_search_by_key(&index, |v| v.index).ok()?;
        self.0.get(at)
    }

    /// The variant of a name.
    pub fn by_name(&self, name: &str) -> Option<&VariantInfo> {
        self.0.iter().find(|variant| &*variant.name == name)
    }
}

impl Types {
    /// Prepares the types of a registry.
    ///
    /// # Errors
    /// When a type refers to a number outside the registry, the numbers are not 0, 1, 2…, or a
    /// struct is its own only content.
    pub fn new(raw: &RawRegistry) -> Result<Types, MetadataError> {
        let mut infos = build::infos(raw)?;
        sizes::fill(&mut infos);
        Ok(Types { infos })
    }

    /// Number of types.
    pub fn len(&self) -> usize {
        self.infos.len()
    }

    /// Whether there is no type at all.
    pub fn is_empty(&self) -> bool {
        self.infos.is_empty()
    }

    /// The number of the type that a type is read as: itself, or what a newtype wraps.
    #[inline]
    pub fn resolve(&self, ty: u32) -> u32 {
        match self.at(ty) {
            Ok(TypeInfo {
                shape: Shape::Newtype(inner),
                ..
            }) => *inner,
            _ => ty,
        }
    }

    /// The type of a number, newtypes taken off.
    #[inline]
    pub fn get(&self, ty: u32) -> Option<&TypeInfo> {
        self.at(self.resolve(ty)).ok()
    }

    /// The type of a number as the metadata has it, newtypes left on.
    #[inline]
    pub fn declared(&self, ty: u32) -> Option<&TypeInfo> {
        self.at(ty).ok()
    }

    /// The variants of an enum type.
    pub fn variants(&self, ty: u32) -> Option<&Variants> {
        match &self.get(ty)?.shape {
            Shape::Variant(variants) => Some(variants),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn at(&self, ty: u32) -> Result<&TypeInfo, ScaleError> {
        usize::try_from(ty)
            .ok()
            .and_then(|index| self.infos.get(index))
            .ok_or(ScaleError::UnknownType(ty))
    }

    /// For every type, whether a value of it can hold a value of `target`.
    pub(crate) fn reaching(&self, target: u32) -> Vec<bool> {
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); self.infos.len()];
        for (user, info) in self.infos.iter().enumerate() {
            info.shape.for_each_child(|child| {
                if let Some(list) = usize::try_from(child).ok().and_then(|c| users.get_mut(c)) {
                    list.push(user);
                }
            });
        }
        let mut reaches = vec![false; self.infos.len()];
        let mut todo: Vec<usize> = usize::try_from(target).into_iter().collect();
        while let Some(ty) = todo.pop() {
            let Some(seen) = reaches.get_mut(ty) else {
                continue;
            };
            if !std::mem::replace(seen, true) {
                todo.extend(users.get(ty).into_iter().flatten());
            }
        }
        reaches
    }
}

impl Shape {
    /// Calls `f` with the number of every type directly inside.
    pub(crate) fn for_each_child(&self, mut f: impl FnMut(u32)) {
        match self {
            Shape::Sequence(item) | Shape::Array { item, .. } | Shape::Newtype(item) => f(*item),
            Shape::Tuple(items) => items.iter().copied().for_each(f),
            Shape::Composite(fields) => fields.iter().for_each(|field| f(field.ty)),
            Shape::Variant(variants) => variants
                .all()
                .iter()
                .flat_map(|variant| variant.fields.iter())
                .for_each(|field| f(field.ty)),
            _ => {}
        }
    }

    /// A word for it in error messages.
    fn word(&self) -> String {
        match self {
            Shape::Bool => "bool".into(),
            Shape::Char => "char".into(),
            Shape::Str => "string".into(),
            Shape::Uint(bits) => format!("u{bits}"),
            Shape::Int(bits) => format!("i{bits}"),
            Shape::U256 => "u256".into(),
            Shape::I256 => "i256".into(),
            Shape::Account => "account".into(),
            Shape::Bytes => "bytes".into(),
            Shape::ByteArray(len) => format!("{len} bytes"),
            Shape::Sequence(_) => "sequence".into(),
            Shape::Array { len, .. } => format!("array of {len} items"),
            Shape::Tuple(items) => format!("tuple of {} items", items.len()),
            Shape::Unit => "unit".into(),
            Shape::Composite(fields) => format!("struct of {} fields", fields.len()),
            Shape::Variant(_) => "enum".into(),
            Shape::Compact(bits) => format!("compact u{bits}"),
            Shape::BitSequence { .. } => "bit sequence".into(),
            Shape::Newtype(_) | Shape::Unsupported(_) => "type".into(),
        }
    }
}

impl TypeInfo {
    /// Path and shape, for error messages.
    pub(crate) fn label(&self) -> String {
        if self.path.is_empty() {
            self.shape.word()
        } else {
            format!("{} ({})", self.path, self.shape.word())
        }
    }
}
