//! Fingerprints of types: equal exactly where values look alike, whatever the types are called.

use crate::types::{Field, Shape, TypeInfo};
use crate::{H256, Metadata, blake2_256};

/// How deep types that contain themselves are followed. Types that do not are followed to their
/// end.
const UNFOLDED: u32 = 64;

/// A fingerprint for every type of a runtime.
///
/// Two types have the same one when their values have the same bytes with the same meaning: the
/// same integers in the same order, fields and variants of the same names. Type numbers, paths,
/// documentation, and structs that only wrap one value play no part; neither does whether thirty-two
/// bytes are called an account. What holds *any* call or *any* event of the runtime is not followed
/// into those: a new call does not make a multisig another one.
#[derive(Debug, Clone)]
pub struct Fingerprints(Vec<H256>);

impl Fingerprints {
    /// Computes them all at once.
    pub fn of(meta: &Metadata) -> Fingerprints {
        let types = meta.types();
        let infos: Vec<Option<&TypeInfo>> = (0..)
            .take(types.len())
            .map(|ty: u32| types.declared(ty))
            .collect();
        let mut marks: Vec<Option<H256>> = vec![None; infos.len()];
        for (ty, word) in open_ended(meta) {
            let place = usize::try_from(ty).ok();
            if let Some(slot) = place.and_then(|place| marks.get_mut(place)) {
                *slot = Some(blake2_256(word.as_bytes()));
            }
        }
        // From the leaves up: what contains only marked types is marked for good.
        loop {
            let mut more = false;
            for (place, info) in infos.iter().enumerate() {
                let (Some(info), Some(None)) = (info, marks.get(place)) else {
                    continue;
                };
                let mut ready = true;
                info.shape
                    .for_each_child(|child| ready &= at(&marks, child).is_some());
                if ready {
                    let mark = mark(&info.shape, |child| at(&marks, child).unwrap_or(H256::ZERO));
                    if let Some(slot) = marks.get_mut(place) {
                        *slot = Some(mark);
                        more = true;
                    }
                }
            }
            if !more {
                break;
            }
        }
        // What is left contains itself somewhere: level by level, always as many.
        let circular: Vec<usize> = (0..marks.len())
            .filter(|place| marks.get(*place) == Some(&None))
            .collect();
        for _ in 0..UNFOLDED {
            let next: Vec<Option<H256>> = circular
                .iter()
                .map(|place| {
                    let info = infos.get(*place).copied().flatten()?;
                    Some(mark(&info.shape, |child| {
                        at(&marks, child).unwrap_or(H256::ZERO)
                    }))
                })
                .collect();
            for (place, new) in circular.iter().zip(next) {
                if let Some(slot) = marks.get_mut(*place) {
                    *slot = new;
                }
            }
        }
        Fingerprints(marks.into_iter().map(|m| m.unwrap_or(H256::ZERO)).collect())
    }

    /// The fingerprint of a type; all zeros for a number that is no type.
    pub fn get(&self, ty: u32) -> H256 {
        let place = usize::try_from(ty).ok();
        place
            .and_then(|place| self.0.get(place))
            .copied()
            .unwrap_or(H256::ZERO)
    }
}

/// The enums over all pallets, which every runtime upgrade changes.
fn open_ended(meta: &Metadata) -> impl Iterator<Item = (u32, &'static str)> {
    let call = meta.types().resolve(meta.extrinsic().call);
    let event = meta
        .event_shape()
        .map(|shape| meta.types().resolve(shape.event));
    [Some((call, "any call")), event.map(|ty| (ty, "any event"))]
        .into_iter()
        .flatten()
}

fn at(marks: &[Option<H256>], ty: u32) -> Option<H256> {
    *marks.get(usize::try_from(ty).ok()?)?
}

/// The fingerprint of a shape from those of the types in it.
fn mark(shape: &Shape, child: impl Fn(u32) -> H256) -> H256 {
    let mut out = Vec::with_capacity(64);
    let sized = |out: &mut Vec<u8>, bytes: &[u8]| {
        out.extend_from_slice(&(bytes.len() as u128).to_le_bytes());
        out.extend_from_slice(bytes);
    };
    let fields = |out: &mut Vec<u8>, fields: &[Field]| {
        out.extend_from_slice(&(fields.len() as u128).to_le_bytes());
        for field in fields {
            match &field.name {
                Some(name) => {
                    out.push(1);
                    sized(out, name.as_bytes());
                }
                None => out.push(0),
            }
            out.extend_from_slice(&child(field.ty).0);
        }
    };
    match shape {
        Shape::Newtype(inner) => return child(*inner),
        Shape::Bool => out.push(1),
        Shape::Char => out.push(2),
        Shape::Str => out.push(3),
        Shape::Uint(bits) => out.extend([4, *bits]),
        Shape::Int(bits) => out.extend([5, *bits]),
        Shape::U256 => out.push(6),
        Shape::I256 => out.push(7),
        Shape::Bytes => out.push(8),
        Shape::Account => {
            out.push(9);
            out.extend_from_slice(&32_u32.to_le_bytes());
        }
        Shape::ByteArray(len) => {
            out.push(9);
            out.extend_from_slice(&len.to_le_bytes());
        }
        Shape::Sequence(item) => {
            out.push(10);
            out.extend_from_slice(&child(*item).0);
        }
        Shape::Array { len, item } => {
            out.push(11);
            out.extend_from_slice(&len.to_le_bytes());
            out.extend_from_slice(&child(*item).0);
        }
        // A tuple, and a struct whose fields have no names, are the same to a reader.
        Shape::Tuple(items) => {
            let plain: Vec<Field> = items
                .iter()
                .map(|ty| Field {
                    name: None,
                    ty: *ty,
                })
                .collect();
            out.push(12);
            fields(&mut out, &plain);
        }
        Shape::Composite(list) => {
            out.push(12);
            fields(&mut out, list);
        }
        Shape::Unit => out.push(13),
        Shape::Variant(variants) => {
            out.push(14);
            for variant in variants.all() {
                out.push(variant.index);
                sized(&mut out, variant.name.as_bytes());
                fields(&mut out, &variant.fields);
            }
        }
        Shape::Compact(bits) => out.extend([15, *bits]),
        Shape::BitSequence { width, msb0 } => out.extend([16, *width, u8::from(*msb0)]),
        Shape::Unsupported(_) => out.push(17),
    }
    blake2_256(&out)
}

/// A type in words, for people: `[(u16, u16)]`, `{block: u64, ip: u128}`, `Ok | Err(…)`. What lies
/// deep inside, or is long, is left out.
pub fn describe(meta: &Metadata, ty: u32) -> String {
    let mut out = String::new();
    write(meta, ty, 3, &mut out);
    out
}

fn write(meta: &Metadata, ty: u32, depth: u8, out: &mut String) {
    let resolved = meta.types().resolve(ty);
    if let Some((_, word)) = open_ended(meta).find(|(open, _)| *open == resolved) {
        out.push_str(word);
        return;
    }
    let Some(info) = meta.types().get(ty) else {
        out.push('?');
        return;
    };
    if out.len() > 120 {
        out.push('…');
        return;
    }
    match &info.shape {
        Shape::Bool => out.push_str("bool"),
        Shape::Char => out.push_str("char"),
        Shape::Str => out.push_str("text"),
        Shape::Uint(bits) => out.push_str(&format!("u{bits}")),
        Shape::Int(bits) => out.push_str(&format!("i{bits}")),
        Shape::U256 => out.push_str("u256"),
        Shape::I256 => out.push_str("i256"),
        Shape::Account => out.push_str("account"),
        Shape::Bytes => out.push_str("bytes"),
        Shape::ByteArray(len) => out.push_str(&format!("[u8; {len}]")),
        Shape::Unit => out.push_str("()"),
        Shape::Compact(bits) => out.push_str(&format!("compact u{bits}")),
        Shape::BitSequence { .. } => out.push_str("bits"),
        Shape::Newtype(_) | Shape::Unsupported(_) => out.push('?'),
        _ if depth == 0 => out.push('…'),
        Shape::Sequence(item) => {
            out.push('[');
            write(meta, *item, depth - 1, out);
            out.push(']');
        }
        Shape::Array { len, item } => {
            out.push('[');
            write(meta, *item, depth - 1, out);
            out.push_str(&format!("; {len}]"));
        }
        Shape::Tuple(items) => {
            let plain: Vec<Field> = items
                .iter()
                .map(|ty| Field {
                    name: None,
                    ty: *ty,
                })
                .collect();
            list(meta, &plain, depth, out);
        }
        Shape::Composite(fields) => list(meta, fields, depth, out),
        Shape::Variant(variants) => {
            let all = variants.all();
            for (place, variant) in all.iter().enumerate() {
                if place > 0 {
                    out.push_str(" | ");
                }
                if place >= 6 || out.len() > 120 {
                    out.push_str(&format!("… ({} in all)", all.len()));
                    return;
                }
                out.push_str(&variant.name);
                if !variant.fields.is_empty() {
                    list(meta, &variant.fields, depth, out);
                }
            }
        }
    }
}

fn list(meta: &Metadata, fields: &[Field], depth: u8, out: &mut String) {
    let named = fields.iter().any(|field| field.name.is_some());
    out.push(if named { '{' } else { '(' });
    for (place, field) in fields.iter().enumerate() {
        if place > 0 {
            out.push_str(", ");
        }
        if out.len() > 120 {
            out.push('…');
            break;
        }
        if let Some(name) = &field.name {
            out.push_str(name);
            out.push_str(": ");
        }
        write(meta, field.ty, depth.saturating_sub(1), out);
    }
    out.push(if named { '}' } else { ')' });
}
