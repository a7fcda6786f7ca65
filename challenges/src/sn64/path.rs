//! Paths of reports and exports, which others wrote: they must stay under one folder.

use std::path::{Path, PathBuf};

use super::AuditError;

/// A path of an index or a report under the folder of the audit. Only plain parts of
/// letters, digits, `.`, `-` and `_` are taken, at most 16 of them; nothing that begins
/// with a dot.
///
/// ```
/// use challenges::sn64::path::under;
/// use std::path::Path;
/// assert!(under(Path::new("dir"), "audit/miner/5F/7.json").is_ok());
/// for bad in ["../x", "/etc/passwd", "a/../../x", "a//b", "", "a\\b", "C:/x", "a/.hidden"] {
///     assert!(under(Path::new("dir"), bad).is_err(), "{bad}");
/// }
/// ```
///
/// # Errors
///
/// [`AuditError::Path`] for every other path.
pub fn under(dir: &Path, path: &str) -> Result<PathBuf, AuditError> {
    let refuse = |why| {
        Err(AuditError::Path {
            path: path.chars().take(80).flat_map(char::escape_debug).collect(),
            why,
        })
    };
    if path.is_empty() {
        return refuse("is empty");
    }
    if path.starts_with('/') {
        return refuse("begins with a slash");
    }
    let mut whole = dir.to_path_buf();
    for (count, part) in path.split('/').enumerate() {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if part.is_empty() || part.starts_with('.') {
            return refuse("has a part that is empty or begins with a dot");
        }
        if part.len() > 128 || count >= 16 {
            return refuse("is too long");
        }
        if !part.chars().all(plain) {
            return refuse("has characters other than letters, digits, `.`, `-`, `_` and `/`");
        }
        whole.push(part);
    }
    Ok(whole)
}

/// The same for a file that must be there: links that lead out of the folder are refused
/// too. `None` when there is no such file.
///
/// # Errors
///
/// [`AuditError::Path`], or that the folder cannot be read.
pub fn existing(dir: &Path, path: &str) -> Result<Option<PathBuf>, AuditError> {
    let whole = under(dir, path)?;
    let real = match whole.canonicalize() {
        Ok(real) => real,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(AuditError::io(&whole, &error)),
    };
    let root = dir.canonicalize().map_err(|e| AuditError::io(dir, &e))?;
    if !real.starts_with(&root) {
        return Err(AuditError::Path {
            path: path.to_owned(),
            why: "is a link to somewhere else",
        });
    }
    Ok(Some(real))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_leads_out(path in "[a-z./\\\\:~%\u{0}]{0,24}") {
            if let Ok(whole) = under(Path::new("/dir"), &path) {
                prop_assert!(whole.starts_with("/dir"));
                prop_assert!(whole.components().all(|c| c != std::path::Component::ParentDir));
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_out_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::NamedTempFile::new().unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("link.csv")).unwrap();
        assert!(matches!(
            existing(dir.path(), "link.csv"),
            Err(AuditError::Path { .. })
        ));
        assert!(existing(dir.path(), "none.csv").unwrap().is_none());
        std::fs::write(dir.path().join("x.csv"), "").unwrap();
        assert!(existing(dir.path(), "x.csv").unwrap().is_some());
    }
}
