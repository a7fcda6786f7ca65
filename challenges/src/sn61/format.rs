//! What is told of commits: texts, logs, and their views.

mod commit;
mod logs;

pub use commit::{Commit, View};
pub use logs::{ComparisonLog, ScoringLog, input_hash};

use sha2::{Digest, Sha256};

/// Longest ciphertext, in bytes.
pub const MAX_TOKEN: usize = 4096;
/// Longest image, key or name, in bytes.
pub const MAX_ID: usize = 512;
/// Longest error or reason, in bytes.
pub const MAX_TEXT: usize = 65_536;
/// Most logs of a kind that a commit may have.
pub const MAX_LOGS: usize = 1024;

/// A commit in plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain {
    /// The challenge it is for.
    pub challenge: String,
    /// The image, as a docker registry names it.
    pub docker: String,
}

/// Why a text is no commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlainError {
    /// No separator.
    #[error("`---` between challenge and image is missing")]
    Separator,
    /// A part is empty.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// A part is too long.
    #[error("the {what} has {len} bytes, and may have 512")]
    Long {
        /// Which part.
        what: &'static str,
        /// Its length.
        len: usize,
    },
    /// A character that no name has.
    #[error("the {0} holds a control character or a blank")]
    Character(&'static str),
}

/// Reads `<challenge>---<image>`; what follows a second `---` does not count.
///
/// # Errors
///
/// See [`PlainError`].
///
/// ```
/// let plain = challenges::sn61::format::plain("ab_sniffer_v6---user/img@sha256:00").unwrap();
/// assert_eq!((plain.challenge.as_str(), plain.docker.as_str()), ("ab_sniffer_v6", "user/img@sha256:00"));
/// ```
pub fn plain(text: &str) -> Result<Plain, PlainError> {
    let mut parts = text.split("---");
    let (Some(challenge), Some(docker)) = (parts.next(), parts.next()) else {
        return Err(PlainError::Separator);
    };
    for (what, part) in [("challenge", challenge), ("image", docker)] {
        if part.is_empty() {
            return Err(PlainError::Empty(what));
        }
        if part.len() > MAX_ID {
            let len = part.len();
            return Err(PlainError::Long { what, len });
        }
        if part.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(PlainError::Character(what));
        }
    }
    Ok(Plain {
        challenge: challenge.to_owned(),
        docker: docker.to_owned(),
    })
}

/// Whether an image is named by its digest: `user/image@sha256:` and 64 hex digits.
///
/// ```
/// use challenges::sn61::format::is_pinned;
/// assert!(is_pinned(&format!("user/img@sha256:{}", "ab".repeat(32))));
/// assert!(!is_pinned("user/img:latest"));
/// ```
pub fn is_pinned(docker: &str) -> bool {
    let Some((image, digest)) = docker.split_once("@sha256:") else {
        return false;
    };
    let named = image.split_once('/');
    named.is_some_and(|(user, image)| !user.is_empty() && !image.is_empty())
        && digest.len() == 64
        && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The account in a docker registry that an image belongs to, when it names one.
pub fn docker_user(docker: &str) -> Option<&str> {
    docker
        .split_once('/')
        .map(|(user, _)| user)
        .filter(|user| !user.is_empty())
}

/// The digest of an image; of an image without one, the sha256 of its name.
fn digest(docker: &str) -> String {
    match docker.split_once("sha256:") {
        Some((_, digest)) => digest.to_owned(),
        None => hex::encode(Sha256::digest(docker.as_bytes())),
    }
}

/// The name under which the original keeps a result on disk: sha256 of the ciphertext, in hex.
///
/// ```
/// assert_eq!(
///     challenges::sn61::format::disk_key("enc1"),
///     "926d58e1cc31c70de9cc1cad94e00a11a460d9be58014dd4c7e5f4544efc0bcd"
/// );
/// ```
pub fn disk_key(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}
