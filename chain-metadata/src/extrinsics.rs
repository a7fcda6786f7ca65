//! Extrinsics: what is sent to the chain.

use std::sync::Arc;

use crate::metadata::ExtrinsicInfo;
use crate::scale::{decode_type, encode_type, end, read_length, take_array, write_length};
use crate::{AccountId, DecodeCause, DecodeError, H256, Metadata, ScaleError, Value, blake2_256};

mod call;
mod era;

pub use call::{Call, decode_call, encode_call};
pub use era::Era;

pub(crate) use call::parts as call_parts;
use call::{read_call, write_call};

const BARE_V4: u8 = 0x04;
const SIGNED_V4: u8 = 0x84;
const BARE_V5: u8 = 0x05;
const GENERAL_V5: u8 = 0x45;

/// An extrinsic of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extrinsic {
    /// Position in its block. [`decode_extrinsic`] does not know it and sets 0.
    pub index: u32,
    /// BLAKE2b-256 of all its bytes, the length in front included.
    pub hash: H256,
    /// Number of its bytes, the length in front included.
    pub raw_len: usize,
    /// Version of the format, 4 or 5.
    pub version: u8,
    /// How it is authorised.
    pub kind: ExtrinsicKind,
    /// Identifier and content of each transaction extension, in order. Extensions without content
    /// are there too, as [`Value::Unit`].
    pub extensions: Vec<(Arc<str>, Value)>,
    /// What it does.
    pub call: Call,
}

/// How an extrinsic is authorised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtrinsicKind {
    /// By a signature (version 4).
    Signed {
        /// Address of the signer as it stands in the bytes.
        address: Value,
        /// The signature, with its kind.
        signature: Value,
    },
    /// By its extensions (version 5).
    General {
        /// Which set of extensions it has.
        extension_version: u8,
    },
    /// Not at all: an inherent, or a call that its pallet checks by itself.
    Bare,
}

impl Extrinsic {
    /// The signing account. `None` for extrinsics without one, and when the address is not an
    /// account (an index or a 20 byte address).
    ///
    /// A general extrinsic is signed by the extension that carries a signature and an account.
    pub fn signer(&self) -> Option<AccountId> {
        match &self.kind {
            ExtrinsicKind::Signed { address, .. } => address.as_address(),
            ExtrinsicKind::General { .. } => self.extensions.iter().find_map(|(_, value)| {
                value.field("signature")?;
                value.field("account")?.as_address()
            }),
            ExtrinsicKind::Bare => None,
        }
    }

    /// The content of an extension.
    pub fn extension(&self, name: &str) -> Option<&Value> {
        let found = self.extensions.iter().find(|(known, _)| &**known == name);
        found.map(|(_, value)| value)
    }

    /// How many extrinsics the signer had sent before.
    pub fn nonce(&self) -> Option<u64> {
        self.extension("CheckNonce")?.as_u64()
    }

    /// The tip offered to the block author, in rao.
    pub fn tip(&self) -> Option<u128> {
        let charge = self.extension("ChargeTransactionPayment").or_else(|| {
            let mut all = self.extensions.iter();
            all.find(|(name, _)| name.starts_with("Charge"))
                .map(|(_, value)| value)
        })?;
        charge.as_u128().or_else(|| charge.field("tip")?.as_u128())
    }

    /// How long it may wait to be included.
    pub fn era(&self) -> Option<Era> {
        let value = self
            .extension("CheckMortality")
            .or_else(|| self.extension("CheckEra"))?;
        Era::from_value(value)
    }
}

/// Decodes an extrinsic with the metadata of the runtime that executed it, which is that of the
/// parent block's state. The bytes begin with their length.
///
/// # Errors
/// When the bytes do not fit, or some are left over.
pub fn decode_extrinsic(meta: &Metadata, raw: &[u8]) -> Result<Extrinsic, DecodeError> {
    let mut input = raw;
    let length = read_length(&mut input).map_err(|cause| at("length", cause))?;
    let left = input.len();
    match usize::try_from(length) {
        Ok(length) if length == left => {}
        Ok(length) if length < left => {
            let left = left - length;
            return Err(at("length", ScaleError::TrailingBytes { left }));
        }
        needed => {
            let needed = needed.unwrap_or(usize::MAX);
            return Err(at("length", ScaleError::UnexpectedEnd { needed, left }));
        }
    }
    let [version] = take_array(&mut input).map_err(|cause| at("version", cause))?;
    let info = meta.extrinsic();
    let (kind, extensions) = match version {
        BARE_V4 | BARE_V5 => (ExtrinsicKind::Bare, Vec::new()),
        SIGNED_V4 => {
            let mut part = |name, ty| {
                decode_type(meta.types(), ty, &mut input).map_err(|cause| at(name, cause))
            };
            let address = part("address", info.address)?;
            let signature = part("signature", info.signature)?;
            let extensions = read_extensions(meta, 0, &mut input)?;
            (ExtrinsicKind::Signed { address, signature }, extensions)
        }
        GENERAL_V5 => {
            let [extension_version] =
                take_array(&mut input).map_err(|cause| at("extension version", cause))?;
            let extensions = read_extensions(meta, extension_version, &mut input)?;
            (ExtrinsicKind::General { extension_version }, extensions)
        }
        other => return Err(at("version", DecodeCause::UnsupportedExtrinsic(other))),
    };
    let call = read_call(meta, &mut input)?;
    end(input).map_err(|cause| DecodeError::new(&*call.pallet, &*call.name, cause))?;
    Ok(Extrinsic {
        index: 0,
        hash: blake2_256(raw),
        raw_len: raw.len(),
        version: version & 0x0f,
        kind,
        extensions,
        call,
    })
}

/// The bytes of an extrinsic, its length in front; exact inverse of [`decode_extrinsic`]. Index,
/// hash and length of the argument play no part.
///
/// # Errors
/// When a part does not fit its type, or kind and version do not go together.
pub fn encode_extrinsic(meta: &Metadata, xt: &Extrinsic) -> Result<Vec<u8>, DecodeError> {
    let info = meta.extrinsic();
    let types = meta.types();
    let mut body = Vec::new();
    match (&xt.kind, xt.version) {
        (ExtrinsicKind::Bare, 4) => body.push(BARE_V4),
        (ExtrinsicKind::Bare, 5) => body.push(BARE_V5),
        (ExtrinsicKind::Signed { address, signature }, 4) => {
            body.push(SIGNED_V4);
            encode_type(types, info.address, address, &mut body)
                .map_err(|cause| at("address", cause))?;
            encode_type(types, info.signature, signature, &mut body)
                .map_err(|cause| at("signature", cause))?;
            write_extensions(meta, 0, &xt.extensions, &mut body)?;
        }
        (ExtrinsicKind::General { extension_version }, 5) => {
            body.extend([GENERAL_V5, *extension_version]);
            write_extensions(meta, *extension_version, &xt.extensions, &mut body)?;
        }
        (_, other) => return Err(at("version", DecodeCause::UnsupportedExtrinsic(other))),
    }
    write_call(meta, &xt.call, &mut body)?;
    let mut out = Vec::with_capacity(body.len() + 4);
    write_length(body.len(), &mut out);
    out.extend(body);
    Ok(out)
}

/// Positions of the extensions of a version of their set.
fn extensions_of(info: &ExtrinsicInfo, version: u8) -> Result<&[usize], DecodeError> {
    let list = info.extension_versions.get(&version);
    list.map(Vec::as_slice).ok_or_else(|| {
        at(
            format!("extensions of version {version}"),
            DecodeCause::NotInMetadata,
        )
    })
}

fn read_extensions(
    meta: &Metadata,
    version: u8,
    input: &mut &[u8],
) -> Result<Vec<(Arc<str>, Value)>, DecodeError> {
    let info = meta.extrinsic();
    let positions = extensions_of(info, version)?;
    let mut values = Vec::with_capacity(positions.len());
    for extension in positions.iter().filter_map(|at| info.extensions.get(*at)) {
        let value = decode_type(meta.types(), extension.ty, input)
            .map_err(|cause| at(&*extension.name, cause))?;
        values.push((extension.name.clone(), value));
    }
    Ok(values)
}

fn write_extensions(
    meta: &Metadata,
    version: u8,
    values: &[(Arc<str>, Value)],
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let info = meta.extrinsic();
    let positions = extensions_of(info, version)?;
    if positions.len() != values.len() {
        return Err(at(
            "extensions",
            DecodeCause::UnexpectedShape(format!(
                "{} are given but the runtime has {}",
                values.len(),
                positions.len()
            )),
        ));
    }
    let wanted = positions.iter().filter_map(|at| info.extensions.get(*at));
    for (extension, (_, value)) in wanted.zip(values) {
        encode_type(meta.types(), extension.ty, value, out)
            .map_err(|cause| at(&*extension.name, cause))?;
    }
    Ok(())
}

fn at(part: impl Into<String>, cause: impl Into<DecodeCause>) -> DecodeError {
    DecodeError::new("extrinsic", part, cause)
}
