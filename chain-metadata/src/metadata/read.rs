//! The three metadata formats, brought into one.

use std::collections::{BTreeMap, HashMap};

use frame_metadata::{v14, v15, v16};
use parity_scale_codec::Decode;
use scale_info::form::PortableForm;
use scale_info::{PortableRegistry as RawRegistry, TypeDef};

use crate::scale::read_length;
use crate::{Hasher, MetadataError};

use super::{Constant, RuntimeApi, RuntimeApiMethod};

/// What all three formats have.
pub(super) struct Raw {
    pub(super) version: u8,
    pub(super) types: RawRegistry,
    pub(super) pallets: Vec<RawPallet>,
    pub(super) apis: Vec<RuntimeApi>,
    pub(super) extrinsic: RawExtrinsic,
}

pub(super) struct RawPallet {
    pub(super) name: String,
    pub(super) index: u8,
    pub(super) calls: Option<u32>,
    pub(super) events: Option<u32>,
    pub(super) errors: Option<u32>,
    pub(super) constants: Vec<Constant>,
    /// Storage prefix and entries.
    pub(super) storage: Option<(String, Vec<RawEntry>)>,
}

pub(super) struct RawEntry {
    pub(super) name: String,
    pub(super) hashers: Vec<Hasher>,
    pub(super) key: Option<u32>,
    pub(super) value: u32,
    pub(super) optional: bool,
    pub(super) default: Vec<u8>,
    pub(super) docs: Vec<String>,
}

/// Types are unknown (`None`) where version 14 does not say them.
pub(super) struct RawExtrinsic {
    pub(super) versions: Vec<u8>,
    pub(super) address: Option<u32>,
    pub(super) call: Option<u32>,
    pub(super) signature: Option<u32>,
    /// Name, type in the extrinsic, type of the implicit part.
    pub(super) extensions: Vec<(String, u32, u32)>,
    pub(super) extension_versions: HashMap<u8, Vec<usize>>,
}

pub(super) fn read(bytes: &[u8]) -> Result<Raw, MetadataError> {
    let bytes = unwrap(bytes)?;
    let not_metadata = MetadataError::NotMetadata {
        length: bytes.len(),
    };
    let Some([version, body @ ..]) = bytes.strip_prefix(b"meta") else {
        return Err(not_metadata);
    };
    match version {
        14 => parse(14, body).map(from_v14)?,
        15 => parse(15, body).map(from_v15)?,
        16 => parse(16, body).map(from_v16)?,
        other => Err(MetadataError::UnsupportedVersion(*other)),
    }
}

fn parse<T: Decode>(version: u8, mut body: &[u8]) -> Result<T, MetadataError> {
    let length = body.len();
    let parsed = T::decode(&mut body).map_err(|error| MetadataError::Damaged {
        version,
        length,
        reason: error.to_string(),
    })?;
    match body.len() {
        0 => Ok(parsed),
        left => Err(MetadataError::TrailingBytes(left)),
    }
}

/// Takes the option and the length off that the runtime API puts around metadata.
fn unwrap(bytes: &[u8]) -> Result<&[u8], MetadataError> {
    if bytes.starts_with(b"meta") {
        return Ok(bytes);
    }
    let not_metadata = MetadataError::NotMetadata {
        length: bytes.len(),
    };
    if bytes == [0] {
        return Err(MetadataError::Absent);
    }
    let behind_length = |mut rest: &[u8]| {
        let length = read_length(&mut rest).ok()?;
        (rest.starts_with(b"meta")).then_some((length, rest.len()))
    };
    let in_option = match bytes {
        [1, rest @ ..] => behind_length(rest),
        _ => None,
    };
    let Some((length, left)) = in_option.or_else(|| behind_length(bytes)) else {
        return Err(not_metadata);
    };
    let start = bytes.len() - left;
    let inner = bytes.get(start..).unwrap_or_default();
    match usize::try_from(length) {
        Ok(length) if length == left => Ok(inner),
        Ok(length) if length < left => Err(MetadataError::TrailingBytes(left - length)),
        _ => Err(MetadataError::Damaged {
            version: inner.get(4).copied().unwrap_or(0),
            length: left,
            reason: format!("a length of {length} bytes is announced but only {left} are there"),
        }),
    }
}

// The items of version 15 and 16 have the fields of version 14 under the same names, but are
// other Rust types.
macro_rules! pallets {
    ($pallets:expr) => {
        $pallets
            .into_iter()
            .map(|pallet| {
                Ok(RawPallet {
                    name: pallet.name,
                    index: pallet.index,
                    calls: pallet.calls.map(|calls| calls.ty.id),
                    events: pallet.event.map(|events| events.ty.id),
                    errors: pallet.error.map(|errors| errors.ty.id),
                    constants: pallet
                        .constants
                        .into_iter()
                        .map(|constant| Constant {
                            name: constant.name,
                            ty: constant.ty.id,
                            value: constant.value,
                            docs: constant.docs,
                        })
                        .collect(),
                    storage: pallet.storage.map(|storage| {
                        let entries = storage.entries.into_iter().map(|entry| {
                            let (hashers, key, value) = entry_type(entry.ty);
                            RawEntry {
                                name: entry.name,
                                hashers,
                                key,
                                value,
                                optional: entry.modifier == v14::StorageEntryModifier::Optional,
                                default: entry.default,
                                docs: entry.docs,
                            }
                        });
                        (storage.prefix, entries.collect())
                    }),
                })
            })
            .collect::<Result<Vec<_>, MetadataError>>()?
    };
}

macro_rules! apis {
    ($apis:expr) => {
        $apis
            .into_iter()
            .map(|api| RuntimeApi {
                name: api.name,
                methods: api
                    .methods
                    .into_iter()
                    .map(|method| RuntimeApiMethod {
                        name: method.name,
                        inputs: method
                            .inputs
                            .into_iter()
                            .map(|input| (input.name, input.ty.id))
                            .collect(),
                        output: method.output.id,
                    })
                    .collect(),
            })
            .collect()
    };
}

fn from_v14(meta: v14::RuntimeMetadataV14) -> Result<Raw, MetadataError> {
    // Version 14 names only the type of the whole extrinsic; the parts are its parameters.
    let whole = meta.types.resolve(meta.extrinsic.ty.id);
    let parameter = |name: &str| {
        let parameters = &whole?.type_params;
        let found = parameters.iter().find(|parameter| parameter.name == name)?;
        Some(found.ty?.id)
    };
    let extensions: Vec<_> = meta
        .extrinsic
        .signed_extensions
        .iter()
        .map(|extension| {
            let (ty, implicit) = (extension.ty.id, extension.additional_signed.id);
            (extension.identifier.clone(), ty, implicit)
        })
        .collect();
    let extrinsic = RawExtrinsic {
        versions: vec![meta.extrinsic.version],
        address: parameter("Address"),
        call: parameter("Call"),
        signature: parameter("Signature"),
        extension_versions: all_in_version_zero(extensions.len()),
        extensions,
    };
    Ok(Raw {
        version: 14,
        extrinsic,
        pallets: pallets!(meta.pallets),
        apis: Vec::new(),
        types: meta.types,
    })
}

fn from_v15(meta: v15::RuntimeMetadataV15) -> Result<Raw, MetadataError> {
    let extensions: Vec<_> = meta
        .extrinsic
        .signed_extensions
        .into_iter()
        .map(|extension| {
            let (ty, implicit) = (extension.ty.id, extension.additional_signed.id);
            (extension.identifier, ty, implicit)
        })
        .collect();
    Ok(Raw {
        version: 15,
        pallets: pallets!(meta.pallets),
        apis: apis!(meta.apis),
        extrinsic: RawExtrinsic {
            versions: vec![meta.extrinsic.version],
            address: Some(meta.extrinsic.address_ty.id),
            call: Some(meta.extrinsic.call_ty.id),
            signature: Some(meta.extrinsic.signature_ty.id),
            extension_versions: all_in_version_zero(extensions.len()),
            extensions,
        },
        types: meta.types,
    })
}

fn from_v16(meta: v16::RuntimeMetadataV16) -> Result<Raw, MetadataError> {
    let extrinsic = meta.extrinsic;
    let extensions = extrinsic
        .transaction_extensions
        .into_iter()
        .map(|extension| {
            let (ty, implicit) = (extension.ty.id, extension.implicit.id);
            (extension.identifier, ty, implicit)
        });
    Ok(Raw {
        version: 16,
        pallets: pallets!(meta.pallets),
        apis: apis!(meta.apis),
        extrinsic: RawExtrinsic {
            versions: extrinsic.versions,
            address: Some(extrinsic.address_ty.id),
            call: Some(extrinsic.call_ty.id),
            signature: Some(extrinsic.signature_ty.id),
            extensions: extensions.collect(),
            extension_versions: positions(extrinsic.transaction_extensions_by_version)?,
        },
        types: meta.types,
    })
}

fn all_in_version_zero(count: usize) -> HashMap<u8, Vec<usize>> {
    HashMap::from([(0, (0..count).collect())])
}

fn positions(
    versions: BTreeMap<u8, Vec<parity_scale_codec::Compact<u32>>>,
) -> Result<HashMap<u8, Vec<usize>>, MetadataError> {
    let position = |at: parity_scale_codec::Compact<u32>| {
        usize::try_from(at.0).map_err(|_| MetadataError::UnexpectedShape {
            place: "the list of transaction extensions".into(),
            reason: format!("position {} is too large", at.0),
        })
    };
    versions
        .into_iter()
        .map(|(version, list)| {
            let list = list.into_iter().map(position).collect::<Result<_, _>>()?;
            Ok((version, list))
        })
        .collect()
}

fn entry_type(ty: v14::StorageEntryType<PortableForm>) -> (Vec<Hasher>, Option<u32>, u32) {
    match ty {
        v14::StorageEntryType::Plain(value) => (Vec::new(), None, value.id),
        v14::StorageEntryType::Map {
            hashers,
            key,
            value,
        } => (hashers.iter().map(hasher).collect(), Some(key.id), value.id),
    }
}

fn hasher(hasher: &v14::StorageHasher) -> Hasher {
    match hasher {
        v14::StorageHasher::Blake2_128 => Hasher::Blake2_128,
        v14::StorageHasher::Blake2_256 => Hasher::Blake2_256,
        v14::StorageHasher::Blake2_128Concat => Hasher::Blake2_128Concat,
        v14::StorageHasher::Twox128 => Hasher::Twox128,
        v14::StorageHasher::Twox256 => Hasher::Twox256,
        v14::StorageHasher::Twox64Concat => Hasher::Twox64Concat,
        v14::StorageHasher::Identity => Hasher::Identity,
    }
}

/// The types of the key parts: several hashers hash the items of a tuple one by one, a single one
/// hashes the whole key even if that is a tuple.
pub(super) fn key_types(
    types: &RawRegistry,
    place: &str,
    key: Option<u32>,
    hashers: usize,
) -> Result<Vec<u32>, MetadataError> {
    let unexpected = |reason: String| MetadataError::UnexpectedShape {
        place: place.to_owned(),
        reason,
    };
    match (key, hashers) {
        (None, 0) => Ok(Vec::new()),
        (Some(key), 1) => Ok(vec![key]),
        (Some(key), _) => {
            let ty = types
                .resolve(key)
                .ok_or_else(|| MetadataError::MissingType {
                    place: place.to_owned(),
                    ty: key,
                })?;
            match &ty.type_def {
                TypeDef::Tuple(tuple) if tuple.fields.len() == hashers => {
                    Ok(tuple.fields.iter().map(|field| field.id).collect())
                }
                _ => Err(unexpected(format!(
                    "its key is not a tuple of {hashers} items, one for each hasher"
                ))),
            }
        }
        (None, _) => Err(unexpected("it has hashers but no key".into())),
    }
}
