//! Stored runtimes: checked against the manifest, compared with each other.

use chain_metadata::{DiffKind, Part, SpecVersion, metadata_diff};
use graphql::ports::{self, ReadError};
use indexer::items::{Fit, fits};
use indexer::store::Store;

use super::read_error;

/// The manifest against a runtime and the one that executed blocks before it.
pub(super) fn manifest(
    store: &Store,
    spec: SpecVersion,
) -> Result<Option<Vec<ports::ManifestLine>>, ReadError> {
    let mut rows = store.runtimes().map_err(read_error)?;
    rows.sort_by_key(|(_, row)| row.first_block);
    let Some(place) = rows.iter().position(|(known, _)| *known == spec) else {
        return Ok(None);
    };
    let before = match place.checked_sub(1).and_then(|place| rows.get(place)) {
        Some((before, _)) => Some(store.layout(*before).map_err(read_error)?),
        None => None,
    };
    let now = store.layout(spec).map_err(read_error)?;
    let lines = fits(&now.metadata, before.as_ref().map(|b| &*b.metadata));
    let lines = lines.into_iter().map(|line| ports::ManifestLine {
        pallet: line.pallet.into(),
        entry: line.entry.into(),
        essential: line.essential,
        fit: match line.fit {
            Fit::Same => ports::ManifestFit::Same,
            Fit::ShapeChanged => ports::ManifestFit::ShapeChanged,
            Fit::Gone => ports::ManifestFit::Gone,
        },
        why: (!line.why.is_empty()).then_some(line.why),
    });
    Ok(Some(lines.collect()))
}

/// What differs between two stored runtimes.
pub(super) fn difference(
    store: &Store,
    from: SpecVersion,
    to: SpecVersion,
) -> Result<Option<Vec<ports::RuntimeDiffLine>>, ReadError> {
    for spec in [from, to] {
        if store.runtime(spec).map_err(read_error)?.is_none() {
            return Ok(None);
        }
    }
    let from = store.layout(from).map_err(read_error)?;
    let to = store.layout(to).map_err(read_error)?;
    let lines = metadata_diff(&from.metadata, &to.metadata).lines;
    let lines = lines.into_iter().map(|line| ports::RuntimeDiffLine {
        part: match line.part {
            Part::Call => ports::RuntimePart::Call,
            Part::Event => ports::RuntimePart::Event,
            Part::Storage => ports::RuntimePart::Storage,
            Part::Constant => ports::RuntimePart::Constant,
        },
        pallet: line.pallet,
        name: line.name,
        change: match line.kind {
            DiffKind::Added => ports::RuntimeChange::Added,
            DiffKind::Removed => ports::RuntimeChange::Removed,
            DiffKind::Changed => ports::RuntimeChange::Changed,
        },
        what: line.what,
    });
    Ok(Some(lines.collect()))
}
