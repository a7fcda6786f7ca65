//! Compute-Subnet, proof of work.

use super::Profile;

/// The profiles.
pub const PROFILES: &[Profile] = &[];
