//! What changed from one runtime to another, by shape.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::fingerprint::{Fingerprints, describe};
use crate::scale::decode_all;
use crate::types::{Field, Types, VariantInfo};
use crate::{Constant, Metadata, Pallet, StorageEntry};

/// Which part of a runtime a change is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Calls.
    Call,
    /// Events.
    Event,
    /// Storage entries.
    Storage,
    /// Constants.
    Constant,
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiffKind {
    /// Only the later runtime has it.
    Added,
    /// Only the earlier runtime has it.
    Removed,
    /// Both have it, but not alike.
    Changed,
}

/// One item that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffLine {
    /// Where it is.
    pub part: Part,
    /// Its pallet.
    pub pallet: String,
    /// Its name in the pallet.
    pub name: String,
    /// What became of it.
    pub kind: DiffKind,
    /// In words: its shape where it was added or removed, and what changed otherwise.
    pub what: String,
}

/// Everything that differs between two runtimes, by part, pallet and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetadataDiff {
    /// One line for each item.
    pub lines: Vec<DiffLine>,
}

impl MetadataDiff {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines of one part and kind.
    pub fn of(&self, part: Part, kind: DiffKind) -> impl Iterator<Item = &DiffLine> {
        self.lines
            .iter()
            .filter(move |line| line.part == part && line.kind == kind)
    }
}

/// A runtime with the fingerprints of its types.
struct Side<'a> {
    meta: &'a Metadata,
    marks: Fingerprints,
}

impl Side<'_> {
    fn types(&self) -> &Types {
        self.meta.types()
    }

    fn describe(&self, ty: u32) -> String {
        describe(self.meta, ty)
    }
}

type Items<T> = BTreeMap<(String, String), T>;

/// Compares two runtimes in their calls, events, storage and constants.
///
/// Types are compared by [`Fingerprints`], never by number or path: metadata of versions 14, 15
/// and 16 of one runtime do not differ.
pub fn metadata_diff(from: &Metadata, to: &Metadata) -> MetadataDiff {
    let from = Side {
        meta: from,
        marks: Fingerprints::of(from),
    };
    let to = Side {
        meta: to,
        marks: Fingerprints::of(to),
    };
    let mut lines = Vec::new();
    for (part, of) in [
        (Part::Call, (|p| p.calls) as fn(&Pallet) -> Option<u32>),
        (Part::Event, |p| p.events),
    ] {
        let (old, new) = (variants(from.meta, of), variants(to.meta, of));
        compare(&mut lines, part, &old, &new, &from, &to, shown, changed);
    }
    let old = storage(from.meta);
    let new = storage(to.meta);
    compare(
        &mut lines,
        Part::Storage,
        &old,
        &new,
        &from,
        &to,
        |side, entry| entry_shape(side, entry),
        |from, to, a, b| storage_changes(from, to, a, b),
    );
    let old = constants(from.meta);
    let new = constants(to.meta);
    compare(
        &mut lines,
        Part::Constant,
        &old,
        &new,
        &from,
        &to,
        |side, constant| {
            format!(
                "{} = {}",
                side.describe(constant.ty),
                value(side, constant.ty, &constant.value)
            )
        },
        |from, to, a, b| constant_changes(from, to, a, b),
    );
    MetadataDiff { lines }
}

#[expect(clippy::too_many_arguments, reason = "two sides of everything")]
fn compare<T>(
    lines: &mut Vec<DiffLine>,
    part: Part,
    old: &Items<T>,
    new: &Items<T>,
    from: &Side<'_>,
    to: &Side<'_>,
    shown: impl Fn(&Side<'_>, &T) -> String,
    changed: impl Fn(&Side<'_>, &Side<'_>, &T, &T) -> Vec<String>,
) {
    let mut names: Vec<_> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for key in names {
        let (kind, what) = match (old.get(key), new.get(key)) {
            (Some(a), Some(b)) => {
                let changes = changed(from, to, a, b);
                if changes.is_empty() {
                    continue;
                }
                (DiffKind::Changed, changes.join("; "))
            }
            (Some(a), None) => (DiffKind::Removed, shown(from, a)),
            (None, Some(b)) => (DiffKind::Added, shown(to, b)),
            (None, None) => continue,
        };
        lines.push(DiffLine {
            part,
            pallet: key.0.clone(),
            name: key.1.clone(),
            kind,
            what,
        });
    }
}

/// A call or an event with the byte that selects its pallet.
type Selected<'a> = (u8, &'a VariantInfo);

fn variants(meta: &Metadata, of: fn(&Pallet) -> Option<u32>) -> Items<Selected<'_>> {
    let mut items = Items::new();
    for pallet in meta.pallets() {
        let Some(variants) = of(pallet).and_then(|ty| meta.types().variants(ty)) else {
            continue;
        };
        for variant in variants.all() {
            let key = (pallet.name.clone(), variant.name.to_string());
            items.insert(key, (pallet.index, variant));
        }
    }
    items
}

fn storage(meta: &Metadata) -> Items<&StorageEntry> {
    let entries = meta.pallets().iter().flat_map(|pallet| &pallet.storage);
    entries
        .map(|entry| ((entry.pallet.clone(), entry.name.clone()), entry))
        .collect()
}

fn constants(meta: &Metadata) -> Items<&Constant> {
    let mut items = Items::new();
    for pallet in meta.pallets() {
        for constant in &pallet.constants {
            items.insert((pallet.name.clone(), constant.name.clone()), constant);
        }
    }
    items
}

fn shown(side: &Side<'_>, (_, variant): &Selected<'_>) -> String {
    let fields: Vec<String> = variant
        .fields
        .iter()
        .enumerate()
        .map(|(place, field)| format!("{}: {}", name_of(field, place), side.describe(field.ty)))
        .collect();
    format!("({})", fields.join(", "))
}

fn name_of(field: &Field, place: usize) -> String {
    match &field.name {
        Some(name) => name.to_string(),
        None => format!("field {place}"),
    }
}

fn changed(
    from: &Side<'_>,
    to: &Side<'_>,
    (old_pallet, old): &Selected<'_>,
    (new_pallet, new): &Selected<'_>,
) -> Vec<String> {
    let mut changes = Vec::new();
    if old_pallet != new_pallet {
        changes.push(format!("pallet index {old_pallet} → {new_pallet}"));
    }
    if old.index != new.index {
        changes.push(format!("index {} → {}", old.index, new.index));
    }
    let named = |fields: &[Field]| -> Vec<(String, u32)> {
        let places = fields.iter().enumerate();
        places.map(|(place, f)| (name_of(f, place), f.ty)).collect()
    };
    let (old, new) = (named(&old.fields), named(&new.fields));
    for (name, ty) in &old {
        match new.iter().find(|(known, _)| known == name) {
            None => changes.push(format!("without {name}: {}", from.describe(*ty))),
            Some((_, now)) => changes.extend(shape(from, to, name, *ty, *now)),
        }
    }
    for (name, ty) in &new {
        if !old.iter().any(|(known, _)| known == name) {
            changes.push(format!("with {name}: {}", to.describe(*ty)));
        }
    }
    let order = |a: &[(String, u32)], b: &[(String, u32)]| -> Vec<String> {
        let both = a
            .iter()
            .filter(|(name, _)| b.iter().any(|(n, _)| n == name));
        both.map(|(name, _)| name.clone()).collect()
    };
    if order(&old, &new) != order(&new, &old) {
        changes.push(format!("order is now {}", order(&new, &old).join(", ")));
    }
    changes
}

/// A change of shape under a name, if there is one.
fn shape(from: &Side<'_>, to: &Side<'_>, name: &str, old: u32, new: u32) -> Option<String> {
    if from.marks.get(old) == to.marks.get(new) {
        return None;
    }
    let (before, after) = (from.describe(old), to.describe(new));
    Some(if before == after {
        format!("{name}: {after} changed inside")
    } else {
        format!("{name}: {before} → {after}")
    })
}

fn keys_shape(side: &Side<'_>, entry: &StorageEntry) -> String {
    let parts: Vec<String> = entry
        .keys
        .iter()
        .zip(&entry.hashers)
        .map(|(ty, hasher)| format!("{hasher:?}({})", side.describe(*ty)))
        .collect();
    format!("({})", parts.join(", "))
}

fn entry_shape(side: &Side<'_>, entry: &StorageEntry) -> String {
    let value = side.describe(entry.value);
    let optional = if entry.optional { ", optional" } else { "" };
    if entry.keys.is_empty() {
        return format!("{value}{optional}");
    }
    format!("{} → {value}{optional}", keys_shape(side, entry))
}

fn storage_changes(
    from: &Side<'_>,
    to: &Side<'_>,
    old: &StorageEntry,
    new: &StorageEntry,
) -> Vec<String> {
    let mut changes = Vec::new();
    if !same_keys(&from.marks, old, &to.marks, new) {
        changes.push(format!(
            "keys {} → {}",
            keys_shape(from, old),
            keys_shape(to, new)
        ));
    }
    let value_changed = shape(from, to, "value", old.value, new.value);
    let kept = value_changed.is_none();
    changes.extend(value_changed);
    match (old.optional, new.optional) {
        (true, false) => changes.push("was optional, now has a default".into()),
        (false, true) => changes.push("had a default, now is optional".into()),
        (false, false) if kept && old.default != new.default => changes.push(format!(
            "default {} → {}",
            value(from, old.value, &old.default),
            value(to, new.value, &new.default)
        )),
        _ => {}
    }
    changes
}

/// Whether two entries are found under the same storage keys.
fn same_keys(a: &Fingerprints, old: &StorageEntry, b: &Fingerprints, new: &StorageEntry) -> bool {
    old.prefix == new.prefix
        && old.hashers == new.hashers
        && old.keys.len() == new.keys.len()
        && old
            .keys
            .iter()
            .zip(&new.keys)
            .all(|(x, y)| a.get(*x) == b.get(*y))
}

/// How a storage entry of one runtime stands to the entry of the same name in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryFit {
    /// Found under the same storage keys: prefix, hashers and shapes of the key parts.
    pub keys: bool,
    /// The values have the same shape.
    pub value: bool,
}

/// Compares single storage entries of two runtimes; computes all fingerprints once.
#[derive(Debug)]
pub struct EntryComparer<'a> {
    old: &'a Metadata,
    old_marks: Fingerprints,
    new_marks: Fingerprints,
    new: &'a Metadata,
}

impl<'a> EntryComparer<'a> {
    /// Prepares to compare entries of `new` with those of `old`.
    pub fn new(old: &'a Metadata, new: &'a Metadata) -> Self {
        EntryComparer {
            old_marks: Fingerprints::of(old),
            new_marks: Fingerprints::of(new),
            old,
            new,
        }
    }

    /// How an entry stands; `None` unless both runtimes have it.
    pub fn fit(&self, pallet: &str, entry: &str) -> Option<EntryFit> {
        let old = self.old.storage(pallet, entry)?;
        let new = self.new.storage(pallet, entry)?;
        Some(EntryFit {
            keys: same_keys(&self.old_marks, old, &self.new_marks, new),
            value: self.old_marks.get(old.value) == self.new_marks.get(new.value),
        })
    }
}

fn constant_changes(from: &Side<'_>, to: &Side<'_>, old: &Constant, new: &Constant) -> Vec<String> {
    if let Some(change) = shape(from, to, "type", old.ty, new.ty) {
        return vec![change];
    }
    if old.value == new.value {
        return Vec::new();
    }
    // Of a struct, such as System.Version, only the fields that differ.
    let json = |side: &Side<'_>, constant: &Constant| {
        let decoded = decode_all(side.types(), constant.ty, &constant.value).ok()?;
        Some(decoded.to_json(side.meta.ss58_prefix()))
    };
    if let (Some(Json::Object(before)), Some(Json::Object(after))) =
        (json(from, old), json(to, new))
    {
        let fields = before.iter().filter_map(|(name, a)| {
            let b = after.get(name)?;
            (a != b).then(|| {
                format!(
                    "{name} {} → {}",
                    cut(a.to_string(), 40),
                    cut(b.to_string(), 40)
                )
            })
        });
        return fields.collect();
    }
    vec![format!(
        "value {} → {}",
        value(from, old.ty, &old.value),
        value(to, new.ty, &new.value)
    )]
}

/// A value as JSON, cut where it is long.
fn value(side: &Side<'_>, ty: u32, bytes: &[u8]) -> String {
    let text = match decode_all(side.types(), ty, bytes) {
        Ok(value) => value.to_json(side.meta.ss58_prefix()).to_string(),
        Err(_) => format!("{} bytes", bytes.len()),
    };
    cut(text, 160)
}

fn cut(text: String, most: usize) -> String {
    if text.chars().count() <= most {
        return text;
    }
    let mut short: String = text.chars().take(most).collect();
    short.push('…');
    short
}
