//! Extrinsics of version 4, made from the chain's own metadata: which extensions there are, in
//! which order and of which shape is the runtime's to say.

use std::sync::Arc;

use chain_metadata::{
    AccountId, Call, DecodeError, Extension, H256, Metadata, Value, blake2_256, decode_all,
    decode_extrinsic, encode_call,
};
use parity_scale_codec::{Compact, Encode};
use scoring::local::sn42::chain::Route;

use crate::key::Signer;
use crate::order::Order;

/// The pallet of weights.
pub const PALLET: &str = "SubtensorModule";
/// Blocks for which an extrinsic is valid.
pub const PERIOD: u64 = 64;
/// A longer payload is signed by its hash.
const LONGEST_PAYLOAD: usize = 256;

/// Why an extrinsic cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The runtime does not have what is needed.
    #[error("the runtime has no {0}: this program is too old or too new for it")]
    Missing(String),
    /// An argument that is not known.
    #[error("the runtime's {call} wants an argument {name}, which this program does not know")]
    Argument {
        /// The call.
        call: String,
        /// The argument.
        name: String,
    },
    /// An extension that is not known and not empty.
    #[error(
        "the runtime's extension {0} wants something that this program does not know: nothing is signed blindly"
    )]
    Extension(String),
    /// Extrinsics of this kind are not taken any more.
    #[error(
        "the runtime takes extrinsics of versions {0:?}; this program makes those of version 4"
    )]
    Version(Vec<u8>),
    /// What was made does not decode to what was meant.
    #[error("what was made does not decode to what was meant ({0}): nothing is sent")]
    Different(&'static str),
    /// A value does not fit its type.
    #[error(transparent)]
    Encode(#[from] DecodeError),
}

/// What an extrinsic says of its chain and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// Version of the runtime.
    pub spec_version: u32,
    /// Version of its transaction format.
    pub transaction_version: u32,
    /// Hash of block 0.
    pub genesis: H256,
    /// Number of the finalized block in which it begins to be valid.
    pub birth: u64,
    /// Hash of that block.
    pub birth_hash: H256,
    /// How many extrinsics the signer sent before.
    pub nonce: u64,
    /// Offered to the author of the block, in rao.
    pub tip: u64,
}

impl Context {
    /// The last block in which the extrinsic can be.
    pub fn last_block(&self) -> u64 {
        self.birth.saturating_add(PERIOD - 1)
    }
}

/// Everything of an extrinsic but the signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Unsigned {
    /// What it does.
    pub call: Call,
    /// The same in bytes.
    pub call_bytes: Vec<u8>,
    /// What stands between signature and call.
    pub extra: Vec<u8>,
    /// What is signed in addition.
    pub implicit: Vec<u8>,
    /// What it says of chain and time.
    pub context: Context,
}

impl std::fmt::Debug for Unsigned {
    /// Without the arguments and the bytes: those of a reveal hold the salt.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unsigned")
            .field("call", &self.call.full_name())
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

impl Unsigned {
    /// The bytes that are signed: call, extensions and what they add, or the blake2-256 of that
    /// when it is longer than 256 bytes.
    pub fn payload(&self) -> Vec<u8> {
        let all = [&*self.call_bytes, &*self.extra, &*self.implicit].concat();
        if all.len() > LONGEST_PAYLOAD {
            blake2_256(&all).0.to_vec()
        } else {
            all
        }
    }
}

/// The call of an order. `commit` is the hash for the route [`Route::Commit`], `salt` the salt
/// for [`Route::Reveal`].
///
/// # Errors
///
/// [`BuildError::Missing`] and [`BuildError::Argument`].
pub fn call(
    meta: &Metadata,
    order: &Order,
    commit: Option<H256>,
    salt: &[u16],
) -> Result<Call, BuildError> {
    let missing = |what: &str| BuildError::Missing(what.to_owned());
    let pallet = meta.pallet(PALLET).ok_or_else(|| missing(PALLET))?;
    let calls = pallet.calls.and_then(|ty| meta.types().variants(ty));
    let calls = calls.ok_or_else(|| missing("calls of SubtensorModule"))?;
    let names: &[&str] = match (order.route, order.state.mechanism) {
        (Route::Direct, 0) => &["set_weights"],
        (Route::Direct, _) => &["set_mechanism_weights", "set_sub_weights"],
        (Route::Commit, 0) => &["commit_weights"],
        (Route::Commit, _) => &["commit_mechanism_weights", "commit_sub_weights"],
        (Route::Reveal, 0) => &["reveal_weights"],
        (Route::Reveal, _) => &["reveal_mechanism_weights", "reveal_sub_weights"],
    };
    let found = names.iter().find_map(|name| calls.by_name(name));
    let found = found.ok_or_else(|| missing(&format!("call {}", names.join(" or "))))?;
    let list = |numbers: &[u16]| {
        let one = |number: &u16| uint(16, u128::from(*number));
        Value::Seq(numbers.iter().map(one).collect())
    };
    let mut args = Vec::with_capacity(found.fields.len());
    for field in &found.fields {
        let name = field.name.clone().unwrap_or_else(|| "".into());
        let value = match &*name {
            "netuid" => uint(16, u128::from(order.state.netuid)),
            "mecid" | "subid" | "sub_id" => uint(8, u128::from(order.state.mechanism)),
            "dests" | "uids" => list(&order.row.uids),
            "weights" | "values" => list(&order.row.values),
            "version_key" => uint(64, u128::from(order.version_key)),
            "salt" if order.route == Route::Reveal => list(salt),
            "commit_hash" => {
                let hash = commit.ok_or(BuildError::Different("a commit without a hash"))?;
                Value::Bytes(hash.0.to_vec())
            }
            _ => {
                return Err(BuildError::Argument {
                    call: found.name.to_string(),
                    name: name.to_string(),
                });
            }
        };
        args.push((name, value));
    }
    Ok(Call {
        pallet: Arc::from(pallet.name.as_str()),
        name: found.name.clone(),
        pallet_index: pallet.index,
        call_index: found.index,
        args,
    })
}

fn uint(width: u8, value: u128) -> Value {
    Value::Uint { width, value }
}

/// Adds the extensions that the runtime wants.
///
/// # Errors
///
/// See [`BuildError`].
pub fn prepare(meta: &Metadata, call: Call, context: Context) -> Result<Unsigned, BuildError> {
    let info = meta.extrinsic();
    if !info.versions.is_empty() && !info.versions.contains(&4) {
        return Err(BuildError::Version(info.versions.clone()));
    }
    let (mut extra, mut implicit) = (Vec::new(), Vec::new());
    let places = info
        .extension_versions
        .get(&0)
        .ok_or_else(|| BuildError::Missing("set of extensions of version 0".into()))?;
    for extension in places.iter().filter_map(|at| info.extensions.get(*at)) {
        let (own, signed) = contents(meta, extension, &context)?;
        extra.extend(own);
        implicit.extend(signed);
    }
    Ok(Unsigned {
        call_bytes: encode_call(meta, &call)?,
        call,
        extra,
        implicit,
        context,
    })
}

/// What an extension puts into the extrinsic, and what it adds to what is signed.
fn contents(
    meta: &Metadata,
    extension: &Extension,
    context: &Context,
) -> Result<(Vec<u8>, Vec<u8>), BuildError> {
    let nothing = Vec::new;
    let (own, signed) = match &*extension.name {
        "CheckSpecVersion" => (nothing(), context.spec_version.encode()),
        "CheckTxVersion" => (nothing(), context.transaction_version.encode()),
        "CheckGenesis" => (nothing(), context.genesis.0.to_vec()),
        "CheckMortality" | "CheckEra" => {
            (era(context.birth).to_vec(), context.birth_hash.0.to_vec())
        }
        "CheckNonce" => (Compact(context.nonce).encode(), nothing()),
        // Offered to the author; some runtimes wrap the extension under a longer name.
        name if name.starts_with("ChargeTransactionPayment") => {
            (Compact(context.tip).encode(), nothing())
        }
        // Mode off, and so no hash to sign.
        "CheckMetadataHash" => (vec![0], vec![0]),
        _ => (nothing(), nothing()),
    };
    // Whatever the name says: the bytes must be one whole value of the runtime's type.
    let fits = |ty, bytes: &[u8]| decode_all(meta.types(), ty, bytes).is_ok();
    if fits(extension.ty, &own) && fits(extension.implicit, &signed) {
        Ok((own, signed))
    } else {
        Err(BuildError::Extension(extension.name.to_string()))
    }
}

/// The two bytes of an era of [`PERIOD`] blocks that begins at a block.
fn era(birth: u64) -> [u8; 2] {
    let phase = u16::try_from(birth % PERIOD).unwrap_or(0);
    // The low four bits are the period's power of two less one, the others the phase.
    let power = u16::try_from(PERIOD.trailing_zeros()).unwrap_or(0) - 1;
    (power | (phase << 4)).to_le_bytes()
}

/// Signs, and checks that the bytes decode to what was meant. The length stands in front.
///
/// # Errors
///
/// [`BuildError::Different`] when they do not.
pub fn sign(meta: &Metadata, unsigned: &Unsigned, signer: &Signer) -> Result<Vec<u8>, BuildError> {
    let account = signer.account();
    let signature = signer.sign(&unsigned.payload());
    // Version 4 with a signature; address of the kind `Id`; signature of the kind `Sr25519`.
    let body = [
        &[0x84, 0x00],
        &account.0[..],
        &[0x01],
        &signature,
        &unsigned.extra,
        &unsigned.call_bytes,
    ]
    .concat();
    let length = u32::try_from(body.len()).map_err(|_| BuildError::Different("its length"))?;
    let bytes = [Compact(length).encode(), body].concat();
    check(meta, &bytes, unsigned, &account)?;
    Ok(bytes)
}

fn check(
    meta: &Metadata,
    bytes: &[u8],
    unsigned: &Unsigned,
    account: &AccountId,
) -> Result<(), BuildError> {
    let found = decode_extrinsic(meta, bytes)?;
    let (nonce, context) = (found.nonce(), &unsigned.context);
    let born = chain_metadata::Era::Mortal {
        period: PERIOD,
        phase: context.birth % PERIOD,
    };
    for (same, what) in [
        (found.signer() == Some(*account), "its signer"),
        (nonce == Some(context.nonce), "its nonce"),
        (found.era() == Some(born), "its era"),
        (found.tip() == Some(u128::from(context.tip)), "its tip"),
        (found.call == unsigned.call, "its call"),
    ] {
        if !same {
            return Err(BuildError::Different(what));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
