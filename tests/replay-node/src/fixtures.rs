//! Recordings: those inside this crate and those in a folder.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chain_metadata::{Recording, RecordingError};

macro_rules! recording_files {
    ($name:literal: $($file:literal),+ $(,)?) => {
        ($name, &[$(($file, include_bytes!(concat!("../fixtures/", $name, "/", $file)) as &[u8])),+])
    };
}

type Embedded = (&'static str, &'static [(&'static str, &'static [u8])]);

const EMBEDDED: [Embedded; 2] = [
    recording_files!(
        "mini-300": "chain.json", "genesis.json.zst", "blocks.jsonl.zst", "calls.jsonl.zst",
        "metadata/300.v14.scale", "metadata/300.v15.scale",
    ),
    recording_files!(
        "upgrades": "chain.json", "genesis.json.zst", "blocks.jsonl.zst", "calls.jsonl.zst",
        "metadata/103.v14.scale", "metadata/119.v14.scale", "metadata/143.v14.scale",
    ),
];

/// Names of the recordings inside this crate, as [`fixture`] takes them.
///
/// `mini-300` has three subnets on one runtime, `upgrades` two subnets that live through two upgrades.
pub const FIXTURES: [&str; 2] = ["mini-300", "upgrades"];

/// Why a recording could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No recording of that name is part of the program.
    #[error("there is no built-in recording {name:?}; choose one of {FIXTURES:?}")]
    Unknown {
        /// The wanted name.
        name: String,
    },
    /// A folder does not hold a whole recording.
    #[error("recording in {}: {cause}", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        cause: Box<RecordingError>,
    },
    /// A recording inside the program is damaged.
    #[error("built-in recording {name}: {cause}")]
    BuiltIn {
        /// Its name.
        name: &'static str,
        /// What is wrong.
        cause: Box<RecordingError>,
    },
}

/// A recording that is part of this crate. It is parsed once; later calls share it.
///
/// # Errors
///
/// When there is none of that name; [`FIXTURES`] lists them.
pub fn fixture(name: &str) -> Result<Arc<Recording>, LoadError> {
    static PARSED: Mutex<Vec<(&str, Arc<Recording>)>> = Mutex::new(Vec::new());
    let (name, files) = EMBEDDED
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| LoadError::Unknown { name: name.into() })?;
    // The lock is held while parsing, so that two threads do not do the same work.
    let mut parsed = PARSED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, recording)) = parsed.iter().find(|(known, _)| known == name) {
        return Ok(Arc::clone(recording));
    }
    let recording = Recording::load(|wanted| {
        files
            .iter()
            .find(|(file, _)| *file == wanted)
            .map(|(_, bytes)| bytes.to_vec())
            .ok_or("it is not part of the program")
    })
    .map_err(|cause| LoadError::BuiltIn {
        name,
        cause: Box::new(cause),
    })?;
    let recording = Arc::new(recording);
    parsed.push((name, Arc::clone(&recording)));
    Ok(recording)
}

/// Reads the recording in a folder.
///
/// # Errors
///
/// When a file is missing or damaged; the message names folder, file and line.
pub fn load_dir(path: &Path) -> Result<Recording, LoadError> {
    Recording::load(|file| std::fs::read(path.join(file))).map_err(|cause| LoadError::Folder {
        folder: path.to_path_buf(),
        cause: Box::new(cause),
    })
}
