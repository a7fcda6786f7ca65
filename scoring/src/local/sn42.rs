//! Weights written and read back.

use super::Profile;

/// The profiles.
pub const PROFILES: &[Profile] = &[];
