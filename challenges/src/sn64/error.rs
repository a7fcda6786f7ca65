//! Why an audit cannot go on.

use indexer::store::StoreError;

/// Why an audit cannot go on. Texts of the files that are quoted are cut short.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A file cannot be read or written.
    #[error("{path}: {why}")]
    Io {
        /// The file.
        path: String,
        /// The system's words.
        why: String,
    },
    /// A line of a CSV file is not what it should be.
    #[error("{file}, line {line}: {what}")]
    Line {
        /// The file.
        file: String,
        /// Line of its text, from 1.
        line: u64,
        /// What is wrong and what is wanted.
        what: String,
    },
    /// A part of a JSON file is not what it should be.
    #[error("{file}: {at}: {what}")]
    Field {
        /// The file.
        file: String,
        /// Where in it: `instance_audit[3].created_at`.
        at: String,
        /// What is wrong and what is wanted.
        what: String,
    },
    /// A path leads out of the folder.
    #[error("the path `{path}` {why}; paths must stay under the folder of the audit")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Something is larger than an audit can hold.
    #[error("{0}")]
    Limit(String),
    /// A service did not answer as it should.
    #[error("{url}: {why}")]
    Http {
        /// What was asked, without secrets.
        url: String,
        /// What came.
        why: String,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The profile is of another system.
    #[error("{0} is no profile of audits; `yumascope profiles` lists those that begin with sn64-")]
    Profile(String),
}

impl AuditError {
    pub(crate) fn io(path: &std::path::Path, why: &std::io::Error) -> AuditError {
        AuditError::Io {
            path: path.display().to_string(),
            why: why.to_string(),
        }
    }

    pub(crate) fn field(file: &str, at: impl Into<String>, what: impl Into<String>) -> AuditError {
        AuditError::Field {
            file: file.to_owned(),
            at: at.into(),
            what: what.into(),
        }
    }
}

/// Foreign text for an error: short and printable.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..80).unwrap_or(bytes));
    let plain = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    let shown: String = text.chars().take(40).map(plain).collect();
    if bytes.len() > 40 {
        format!("`{shown}…`")
    } else {
        format!("`{shown}`")
    }
}
