//! ByteLeap, leases and matrix challenges.

use super::Profile;

/// The profiles.
pub const PROFILES: &[Profile] = &[];
