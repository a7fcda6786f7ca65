//! What a runtime says about itself, in one form for the metadata versions 14, 15 and 16.

use std::collections::HashMap;
use std::sync::Arc;

use crate::scale::decode_all;
use crate::types::{Types, VariantInfo};
use crate::{DecodeCause, DecodeError, MetadataError, SpecVersion, StorageEntry};

mod calls;
mod normal;
mod read;

pub(crate) use calls::EventShape;

/// The metadata of one runtime, prepared for decoding.
#[derive(Debug, Clone)]
pub struct Metadata {
    version: u8,
    types: Types,
    pallets: Vec<Pallet>,
    by_name: HashMap<String, usize>,
    by_index: HashMap<u8, usize>,
    by_prefix: HashMap<[u8; 32], (usize, usize)>,
    apis: Vec<RuntimeApi>,
    extrinsic: ExtrinsicInfo,
    event_shape: Option<EventShape>,
    holds_call: Vec<bool>,
}

/// One pallet.
#[derive(Debug, Clone)]
pub struct Pallet {
    /// Its name in the runtime.
    pub name: String,
    /// The byte that selects it in calls, events and errors.
    pub index: u8,
    /// Type of its calls.
    pub calls: Option<u32>,
    /// Type of its events.
    pub events: Option<u32>,
    /// Type of its errors.
    pub errors: Option<u32>,
    /// Its storage entries.
    pub storage: Vec<StorageEntry>,
    /// Its constants.
    pub constants: Vec<Constant>,
    entries: HashMap<String, usize>,
}

/// A constant of a pallet.
#[derive(Debug, Clone)]
pub struct Constant {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: u32,
    /// Its encoded value.
    pub value: Vec<u8>,
    /// Documentation lines.
    pub docs: Vec<String>,
}

/// A runtime API, as called by `state_call`. Metadata has them from version 15 on.
#[derive(Debug, Clone)]
pub struct RuntimeApi {
    /// Name of the trait.
    pub name: String,
    /// Its methods.
    pub methods: Vec<RuntimeApiMethod>,
}

/// A method of a runtime API.
#[derive(Debug, Clone)]
pub struct RuntimeApiMethod {
    /// Its name.
    pub name: String,
    /// Name and type of each parameter.
    pub inputs: Vec<(String, u32)>,
    /// Type of the answer.
    pub output: u32,
}

/// How extrinsics look.
#[derive(Debug, Clone)]
pub struct ExtrinsicInfo {
    /// Versions of the format, 4 or 5.
    pub versions: Vec<u8>,
    /// Type of the signer's address.
    pub address: u32,
    /// Type of the call: an enum over the pallets.
    pub call: u32,
    /// Type of the signature.
    pub signature: u32,
    /// What stands between signature and call, in order.
    pub extensions: Vec<Extension>,
    /// For each version of the set of extensions, the positions of those that belong to it.
    pub extension_versions: HashMap<u8, Vec<usize>>,
}

/// A transaction extension (signed extension).
#[derive(Debug, Clone)]
pub struct Extension {
    /// Its identifier.
    pub name: Arc<str>,
    /// Type of what stands in the extrinsic.
    pub ty: u32,
    /// Type of what is signed in addition.
    pub implicit: u32,
}

impl Metadata {
    /// Reads metadata of version 14, 15 or 16.
    ///
    /// Accepts the bytes as they are (`meta…`), and the answers of the runtime API: the same
    /// behind a length (`Vec<u8>`), and that inside an option.
    ///
    /// # Errors
    /// When the bytes are something else, of another version, damaged or too long.
    pub fn from_bytes(bytes: &[u8]) -> Result<Metadata, MetadataError> {
        normal::build(read::read(bytes)?)
    }

    /// Version of the metadata: 14, 15 or 16.
    pub fn version(&self) -> u8 {
        self.version
    }

    /// The types of the runtime.
    pub fn types(&self) -> &Types {
        &self.types
    }

    /// All pallets.
    pub fn pallets(&self) -> &[Pallet] {
        &self.pallets
    }

    /// The pallet of a name.
    pub fn pallet(&self, name: &str) -> Option<&Pallet> {
        self.pallets.get(*self.by_name.get(name)?)
    }

    /// The pallet of an index byte.
    pub fn pallet_by_index(&self, index: u8) -> Option<&Pallet> {
        self.pallets.get(*self.by_index.get(&index)?)
    }

    /// A storage entry.
    pub fn storage(&self, pallet: &str, entry: &str) -> Option<&StorageEntry> {
        self.pallet(pallet)?.entry(entry)
    }

    /// The storage entry that a key belongs to, by the first 32 bytes of the key.
    pub fn storage_by_key(&self, key: &[u8]) -> Option<&StorageEntry> {
        let prefix = key.first_chunk::<32>()?;
        let (pallet, entry) = self.by_prefix.get(prefix)?;
        self.pallets.get(*pallet)?.storage.get(*entry)
    }

    /// Type and encoded value of a constant.
    pub fn constant(&self, pallet: &str, name: &str) -> Option<(&u32, &[u8])> {
        let constants = &self.pallet(pallet)?.constants;
        let constant = constants.iter().find(|constant| constant.name == name)?;
        Some((&constant.ty, &constant.value))
    }

    /// The `spec_version` in the constant `System.Version`.
    ///
    /// # Errors
    /// When the constant is missing or has no such field.
    pub fn spec_version(&self) -> Result<SpecVersion, DecodeError> {
        let error = |cause: DecodeCause| DecodeError::new("System", "Version", cause);
        let (ty, bytes) = self
            .constant("System", "Version")
            .ok_or_else(|| error(DecodeCause::NotInMetadata))?;
        let version = decode_all(&self.types, *ty, bytes).map_err(|cause| error(cause.into()))?;
        version
            .field("spec_version")
            .and_then(|spec| spec.as_u32())
            .ok_or_else(|| error(DecodeCause::UnexpectedShape("no spec_version".into())))
    }

    /// The ss58 prefix in the constant `System.SS58Prefix`; 42 when there is none.
    pub fn ss58_prefix(&self) -> u16 {
        self.constant("System", "SS58Prefix")
            .and_then(|(ty, bytes)| decode_all(&self.types, *ty, bytes).ok()?.as_u16())
            .unwrap_or(42)
    }

    /// The runtime APIs; empty for metadata of version 14, which does not have them.
    pub fn apis(&self) -> &[RuntimeApi] {
        &self.apis
    }

    /// A method of a runtime API.
    pub fn runtime_api(&self, api: &str, method: &str) -> Option<&RuntimeApiMethod> {
        let api = self.apis.iter().find(|known| known.name == api)?;
        api.methods.iter().find(|known| known.name == method)
    }

    /// A method of a runtime API by the name that `state_call` takes, `Api_method`.
    pub fn runtime_api_by_call(&self, call: &str) -> Option<&RuntimeApiMethod> {
        self.apis.iter().find_map(|api| {
            let method = call.strip_prefix(&*api.name)?.strip_prefix('_')?;
            api.methods.iter().find(|known| known.name == method)
        })
    }

    /// How extrinsics look.
    pub fn extrinsic(&self) -> &ExtrinsicInfo {
        &self.extrinsic
    }

    /// Whether `System.Events` is a list of records that [`decode_events`](crate::decode_events)
    /// reads: phase, event and topics.
    pub fn has_event_records(&self) -> bool {
        self.event_shape.is_some()
    }

    pub(crate) fn event_shape(&self) -> Option<&EventShape> {
        self.event_shape.as_ref()
    }

    /// Whether a value of the type can hold a call of the runtime.
    pub(crate) fn holds_call(&self, ty: u32) -> bool {
        let at = usize::try_from(self.types.resolve(ty)).ok();
        at.and_then(|at| self.holds_call.get(at)).copied() == Some(true)
    }

    /// The variant that names an error of a pallet.
    pub fn error(&self, pallet: u8, error: u8) -> Option<(&Pallet, &VariantInfo)> {
        let pallet = self.pallet_by_index(pallet)?;
        let variant = self.types.variants(pallet.errors?)?.by_index(error)?;
        Some((pallet, variant))
    }
}

impl Pallet {
    /// A storage entry of the pallet.
    pub fn entry(&self, name: &str) -> Option<&StorageEntry> {
        self.storage.get(*self.entries.get(name)?)
    }
}

/// The type of a runtime API's answer. `None` when there is no such method, or the metadata is of
/// version 14.
pub fn runtime_api_output(meta: &Metadata, api: &str, method: &str) -> Option<u32> {
    meta.runtime_api(api, method).map(|method| method.output)
}
