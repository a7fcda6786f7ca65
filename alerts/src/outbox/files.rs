//! Files in a folder, one a name.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::{Outbox, OutboxError};
use crate::owner::make_folder;

/// Files under a folder.
#[derive(Debug, Clone)]
pub struct Files {
    dir: PathBuf,
}

fn failed(doing: &'static str, name: &str) -> impl FnOnce(std::io::Error) -> OutboxError {
    let name = name.to_owned();
    move |error| OutboxError::Io {
        doing,
        name,
        why: error.to_string(),
    }
}

pub(super) fn good(name: &str) -> Result<(), OutboxError> {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(letter);
    match name.split('/').all(part) {
        true => Ok(()),
        false => Err(OutboxError::Io {
            doing: "naming",
            name: name.chars().take(80).collect(),
            why: "parts are of small letters, digits, hyphens and points".into(),
        }),
    }
}

/// Makes what was done in a folder durable; systems that cannot do so do it by themselves.
fn settle(dir: &Path) {
    if let Ok(dir) = File::open(dir) {
        let _ = dir.sync_all();
    }
}

impl Files {
    /// Opens a folder, which is made when it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(dir: &Path) -> Result<Files, OutboxError> {
        make_folder(dir).map_err(failed("making", &dir.display().to_string()))?;
        Ok(Files {
            dir: dir.to_path_buf(),
        })
    }

    fn path(&self, name: &str) -> Result<PathBuf, OutboxError> {
        good(name)?;
        Ok(self.dir.join(name))
    }

    /// Makes a folder below this one when it is not there.
    fn folder(&self, dir: &Path) -> std::io::Result<()> {
        if !dir.is_dir() {
            make_folder(dir)?;
            settle(&self.dir);
        }
        Ok(())
    }
}

impl Outbox for Files {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, OutboxError> {
        match fs::read(self.path(name)?) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("reading", name)(error)),
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), OutboxError> {
        let path = self.path(name)?;
        let (Some(dir), Some(file)) = (path.parent(), path.file_name()) else {
            return good("");
        };
        let mut part = std::ffi::OsString::from(".");
        part.push(file);
        part.push(".part");
        let part = dir.join(part);
        let written = || {
            self.folder(dir)?;
            let mut file = File::create(&part)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&part, &path)
        };
        written().map_err(failed("writing", name))?;
        settle(dir);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> Result<bool, OutboxError> {
        let (source, place) = (self.path(from)?, self.path(to)?);
        let (Some(before), Some(dir)) = (source.parent(), place.parent()) else {
            return good("").map(|()| false);
        };
        self.folder(dir).map_err(failed("moving", from))?;
        match fs::rename(&source, &place) {
            Ok(()) => {
                settle(dir);
                settle(before);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed("moving", from)(error)),
        }
    }

    fn remove(&self, name: &str) -> Result<(), OutboxError> {
        let path = self.path(name)?;
        match fs::remove_file(&path) {
            Ok(()) => {
                path.parent().map(settle);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed("removing", name)(error)),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, OutboxError> {
        let entries = match fs::read_dir(self.path(prefix)?) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("listing", prefix)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed("listing", prefix))?;
            let name = format!("{prefix}/{}", entry.file_name().to_string_lossy());
            if good(&name).is_ok() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }
}
