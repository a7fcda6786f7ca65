//! Why a call failed, in words.

use std::fmt;
use std::sync::Arc;

use crate::{Metadata, Value};

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DispatchError {
    /// An error of a pallet.
    Module {
        /// Name of the pallet.
        pallet: Arc<str>,
        /// Name of the error.
        name: Arc<str>,
        /// What the runtime's documentation says about it, on one line.
        docs: String,
        /// Index byte of the pallet.
        index: u8,
        /// Index byte of the error in its pallet.
        error: u8,
    },
    /// Any other: the names of the variants joined by points, such as `BadOrigin`,
    /// `Token.FundsUnavailable` or `Arithmetic.Overflow`. A pallet's error that the metadata does
    /// not have is `Module(pallet index, error index)`.
    Other(String),
}

impl fmt::Display for DispatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DispatchError::Module {
                pallet, name, docs, ..
            } => {
                write!(f, "{pallet}.{name}")?;
                if !docs.is_empty() {
                    write!(f, ": {docs}")?;
                }
                Ok(())
            }
            DispatchError::Other(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for DispatchError {}

/// Reads a dispatch error as it stands in events.
///
/// A pallet's error has had two forms: an index byte, and four bytes of which the first is it.
pub fn dispatch_error(meta: &Metadata, value: &Value) -> DispatchError {
    if value.variant_name() != Some("Module") {
        return DispatchError::Other(names(value));
    }
    let Some((index, error)) = module_error(value) else {
        return DispatchError::Other(names(value));
    };
    match meta.error(index, error) {
        Some((pallet, variant)) => DispatchError::Module {
            pallet: pallet.name.as_str().into(),
            name: variant.name.clone(),
            docs: variant.docs.clone(),
            index,
            error,
        },
        None => DispatchError::Other(format!("Module({index}, {error})")),
    }
}

/// What a `Result<(), DispatchError>` in an event says. `None` when it is something else.
pub(crate) fn dispatch_result(meta: &Metadata, value: &Value) -> Option<Result<(), DispatchError>> {
    match (value.variant_name()?, value.fields()) {
        ("Ok", _) => Some(Ok(())),
        ("Err", [(_, error)]) => Some(Err(dispatch_error(meta, error))),
        _ => None,
    }
}

fn module_error(value: &Value) -> Option<(u8, u8)> {
    let holder = match value.fields() {
        [(_, inner @ Value::Composite(_))] => inner,
        _ => value,
    };
    let [(_, index), (_, error)] = holder.fields() else {
        return None;
    };
    let error = match error {
        Value::Bytes(bytes) => *bytes.first()?,
        number => number.as_u8()?,
    };
    Some((index.as_u8()?, error))
}

/// The names of nested variants, joined by points.
fn names(value: &Value) -> String {
    let mut text = String::new();
    let mut at = Some(value);
    while let Some(Value::Variant { name, fields, .. }) = at {
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(name);
        at = match fields.as_slice() {
            [(_, only)] => Some(only),
            _ => None,
        };
    }
    if text.is_empty() {
        return format!("{} instead of an error", value.kind());
    }
    text
}
