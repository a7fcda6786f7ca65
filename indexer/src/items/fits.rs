//! How a new runtime stands to the one before it, line by line of the manifest.

use std::fmt;

use chain_metadata::{EntryComparer, Metadata, SpecVersion};

use super::{ESSENTIAL, Fit, MANIFEST, SYSTEM, fit};

/// An item that this program reads, and how a runtime has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemFit {
    /// Its pallet.
    pub pallet: &'static str,
    /// Its storage entry.
    pub entry: &'static str,
    /// Whether nothing can be read without it.
    pub essential: bool,
    /// How it stands.
    pub fit: Fit,
    /// Why it is not the same, in a few words; empty when it is.
    pub why: String,
    /// The runtime before had it otherwise, or had it at all.
    pub news: bool,
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Fit::Same => "SAME",
            Fit::ShapeChanged => "SHAPE_CHANGED",
            Fit::Gone => "GONE",
        })
    }
}

/// Every item that this program reads against a runtime: whether it is there,
/// keyed as the manifest says and, where the runtime `before` is given, keys and
/// values of the same shape as in that one. Names of types play no part.
///
/// An item that `before` did not have is the same when it fits the manifest.
pub fn fits(metadata: &Metadata, before: Option<&Metadata>) -> Vec<ItemFit> {
    let comparer = before.map(|before| EntryComparer::new(before, metadata));
    let manifest = MANIFEST.iter().map(|item| {
        let essential = ESSENTIAL.contains(&item.entry);
        (item.pallet, item.entry, essential, fit(metadata, item))
    });
    let system = SYSTEM.iter().map(|(pallet, entry)| {
        let found = match metadata.storage(pallet, entry) {
            None => Fit::Gone,
            Some(found) if !found.keys.is_empty() => Fit::ShapeChanged,
            Some(_) if *entry == "Events" && !metadata.has_event_records() => Fit::ShapeChanged,
            Some(_) => Fit::Same,
        };
        (*pallet, *entry, true, found)
    });
    let lines = manifest.chain(system);
    lines
        .map(|(pallet, entry, essential, now)| {
            let mut line = ItemFit {
                pallet,
                entry,
                essential,
                fit: now,
                why: String::new(),
                news: false,
            };
            let compared = comparer.as_ref().and_then(|c| c.fit(pallet, entry));
            match (now, compared) {
                (Fit::Gone, _) => {
                    line.news = before.is_some_and(|m| m.storage(pallet, entry).is_some());
                    line.why = match (before, line.news) {
                        (_, true) => "the runtime before had it",
                        (Some(_), false) => "nor had the runtime before",
                        (None, _) => "the runtime does not have it",
                    }
                    .into();
                }
                (Fit::ShapeChanged, compared) => {
                    line.news = compared.is_some_and(|c| !c.keys);
                    line.why = "keyed otherwise than the manifest says; it is not read".into();
                }
                (Fit::Same, Some(c)) if !c.keys || !c.value => {
                    line.fit = Fit::ShapeChanged;
                    line.news = true;
                    line.why = match (c.keys, c.value) {
                        (false, false) => "its keys and its value have another shape",
                        (false, true) => "its keys have another shape",
                        (true, _) => "its value has another shape",
                    }
                    .into();
                }
                (Fit::Same, _) => {}
            }
            line
        })
        .collect()
}

/// Tells of a runtime seen for the first time: a line for each item that changed
/// or went away since the runtime before, one with the sums, and gauges of them.
pub fn report(spec: SpecVersion, metadata: &Metadata, before: Option<&Metadata>) {
    let lines = fits(metadata, before);
    for line in lines.iter().filter(|line| line.news) {
        tracing::warn!(
            spec,
            item = format!("{}.{}", line.pallet, line.entry),
            fit = %line.fit,
            essential = line.essential,
            "{}",
            line.why
        );
    }
    let [same, changed, gone] = [Fit::Same, Fit::ShapeChanged, Fit::Gone].map(|fit| {
        let count = lines.iter().filter(|line| line.fit == fit).count();
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        metrics::gauge!("indexer_manifest_items", "fit" => fit.to_string()).set(f64::from(count));
        count
    });
    tracing::info!(
        spec,
        same,
        changed,
        gone,
        "runtime checked against the manifest"
    );
}
