//! `decode`: bytes and metadata in, JSON out.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use chain_metadata::{
    Metadata, decode_events, decode_extrinsic, event_json, extrinsic_json, nested_calls,
    storage_json,
};
use serde_json::Value;

use crate::args::{DecodeArgs, DecodeKind};

/// Decodes and prints.
pub(crate) fn decode(args: &DecodeArgs) -> Result<()> {
    let metadata = metadata(&args.metadata)?;
    let text = match args.hex.as_deref() {
        Some("-") | None => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .context("standard input cannot be read as text")?;
            text
        }
        Some(hex) => hex.to_owned(),
    };
    let value = match args.kind {
        DecodeKind::Extrinsic => extrinsics(&metadata, text.trim())?,
        DecodeKind::Event => {
            let events = decode_events(&metadata, &from_hex(text.trim())?)?;
            let ss58 = metadata.ss58_prefix();
            Value::Array(events.iter().map(|e| event_json(e, ss58)).collect())
        }
        DecodeKind::Storage => {
            let (key, value) = match text.trim().split_once('=') {
                Some((key, value)) => (from_hex(key.trim())?, Some(from_hex(value.trim())?)),
                None => (from_hex(text.trim())?, None),
            };
            storage_json(&metadata, &key, value.as_deref())?
        }
    };
    super::print(&format!("{value:#}\n"));
    Ok(())
}

/// One extrinsic as an object; a JSON list of them, or one a line, as a list.
fn extrinsics(metadata: &Metadata, text: &str) -> Result<Value> {
    let one = |hex: &str| -> Result<Value> {
        let extrinsic = decode_extrinsic(metadata, &from_hex(hex)?)?;
        let nested = nested_calls(metadata, &extrinsic, &[]);
        Ok(extrinsic_json(metadata, &extrinsic, &nested, None))
    };
    let many: Vec<String> = if text.starts_with('[') {
        serde_json::from_str(text).context("the list is not a JSON list of hex strings")?
    } else if text.lines().count() > 1 {
        text.lines().map(|line| line.trim().to_owned()).collect()
    } else {
        return one(text);
    };
    many.iter()
        .enumerate()
        .map(|(i, hex)| one(hex).with_context(|| format!("extrinsic {i}")))
        .collect()
}

fn metadata(path: &Path) -> Result<Metadata> {
    let bytes =
        std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let bytes = match std::str::from_utf8(&bytes) {
        Ok(text) if text.trim_start().starts_with("0x") => from_hex(text.trim())?,
        _ => bytes,
    };
    Metadata::from_bytes(&bytes).with_context(|| format!("{} cannot be used", path.display()))
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.is_empty() {
        bail!("no bytes are given; give them in hex, as an argument or on standard input");
    }
    hex::decode(digits).map_err(|e| {
        let shown: String = text.chars().take(24).collect();
        anyhow::anyhow!(
            "{shown:?}… is not hex ({e}); give pairs of 0-9 and a-f, with or without 0x"
        )
    })
}
