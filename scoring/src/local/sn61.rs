//! RedTeam, centralised scoring.

use super::Profile;

/// The profiles.
pub const PROFILES: &[Profile] = &[];
