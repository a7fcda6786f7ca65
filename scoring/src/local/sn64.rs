//! Chutes, audits.

use super::Profile;

/// The profiles.
pub const PROFILES: &[Profile] = &[];
