//! From the common form of the formats to [`Metadata`], with everything looked up once.

use std::collections::HashMap;

use super::calls::{EventShape, find_call_type};
use super::read::{Raw, RawExtrinsic, RawPallet, key_types};
use super::{Extension, ExtrinsicInfo, Metadata, Pallet};
use crate::hasher::storage_prefix;
use crate::types::Types;
use crate::{MetadataError, StorageEntry};

pub(super) fn build(raw: Raw) -> Result<Metadata, MetadataError> {
    let types = Types::new(&raw.types)?;
    let pallets = raw
        .pallets
        .into_iter()
        .map(|raw_pallet| pallet(&raw.types, &types, raw_pallet))
        .collect::<Result<Vec<_>, _>>()?;
    let extrinsic = extrinsic(&types, &pallets, raw.extrinsic)?;
    for api in &raw.apis {
        for method in &api.methods {
            let inputs = method.inputs.iter().map(|(_, ty)| *ty);
            for ty in inputs.chain([method.output]) {
                check(&types, ty, || format!("{}_{}", api.name, method.name))?;
            }
        }
    }
    let mut meta = Metadata {
        version: raw.version,
        by_name: index(&pallets, |pallet| pallet.name.clone()),
        by_index: index(&pallets, |pallet| pallet.index),
        by_prefix: prefixes(&pallets),
        holds_call: types.reaching(types.resolve(extrinsic.call)),
        event_shape: None,
        apis: raw.apis,
        types,
        pallets,
        extrinsic,
    };
    meta.event_shape = EventShape::find(&meta);
    Ok(meta)
}

fn check(types: &Types, ty: u32, place: impl Fn() -> String) -> Result<(), MetadataError> {
    match types.get(ty) {
        Some(_) => Ok(()),
        None => Err(MetadataError::MissingType { place: place(), ty }),
    }
}

fn index<K: std::hash::Hash + Eq>(
    pallets: &[Pallet],
    key: impl Fn(&Pallet) -> K,
) -> HashMap<K, usize> {
    let keys = pallets.iter().enumerate();
    keys.map(|(at, pallet)| (key(pallet), at)).collect()
}

fn prefixes(pallets: &[Pallet]) -> HashMap<[u8; 32], (usize, usize)> {
    let mut found = HashMap::new();
    for (at, pallet) in pallets.iter().enumerate() {
        for (entry_at, entry) in pallet.storage.iter().enumerate() {
            found.insert(entry.prefix, (at, entry_at));
        }
    }
    found
}

fn pallet(
    raw_types: &scale_info::PortableRegistry,
    types: &Types,
    raw: RawPallet,
) -> Result<Pallet, MetadataError> {
    let (prefix, entries) = raw.storage.unwrap_or_default();
    let mut storage = Vec::with_capacity(entries.len());
    for entry in entries {
        let place = format!("storage entry {}.{}", raw.name, entry.name);
        let keys = key_types(raw_types, &place, entry.key, entry.hashers.len())?;
        for ty in keys.iter().chain([&entry.value]) {
            check(types, *ty, || place.clone())?;
        }
        storage.push(StorageEntry {
            pallet: raw.name.clone(),
            prefix: storage_prefix(&prefix, &entry.name),
            name: entry.name,
            hashers: entry.hashers,
            keys,
            value: entry.value,
            optional: entry.optional,
            default: entry.default,
            docs: entry.docs,
        });
    }
    for constant in &raw.constants {
        check(types, constant.ty, || {
            format!("constant {}.{}", raw.name, constant.name)
        })?;
    }
    for ty in [raw.calls, raw.events, raw.errors].into_iter().flatten() {
        check(types, ty, || format!("pallet {}", raw.name))?;
    }
    let entries = storage.iter().enumerate();
    Ok(Pallet {
        entries: entries
            .map(|(at, entry)| (entry.name.clone(), at))
            .collect(),
        name: raw.name,
        index: raw.index,
        calls: raw.calls,
        events: raw.events,
        errors: raw.errors,
        storage,
        constants: raw.constants,
    })
}

fn extrinsic(
    types: &Types,
    pallets: &[Pallet],
    raw: RawExtrinsic,
) -> Result<ExtrinsicInfo, MetadataError> {
    let missing = |what: &str| MetadataError::UnexpectedShape {
        place: "the extrinsic".into(),
        reason: format!("its type has no parameter for the {what}"),
    };
    let place = || "the extrinsic".to_owned();
    let call = raw.call.or_else(|| find_call_type(types, pallets));
    let info = ExtrinsicInfo {
        versions: raw.versions,
        address: raw.address.ok_or_else(|| missing("address"))?,
        call: call.ok_or_else(|| missing("call"))?,
        signature: raw.signature.ok_or_else(|| missing("signature"))?,
        extensions: raw
            .extensions
            .into_iter()
            .map(|(name, ty, implicit)| Extension {
                name: name.into(),
                ty,
                implicit,
            })
            .collect(),
        extension_versions: raw.extension_versions,
    };
    let parts = [info.address, info.call, info.signature];
    let extensions = info.extensions.iter().flat_map(|e| [e.ty, e.implicit]);
    for ty in parts.into_iter().chain(extensions) {
        check(types, ty, place)?;
    }
    let count = info.extensions.len();
    if info
        .extension_versions
        .values()
        .flatten()
        .any(|at| *at >= count)
    {
        return Err(MetadataError::UnexpectedShape {
            place: "the list of transaction extensions".into(),
            reason: format!("a version refers beyond the {count} there are"),
        });
    }
    Ok(info)
}
