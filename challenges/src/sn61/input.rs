//! Inputs of the profiles, as JSON.

use scoring::local::Profile;
use serde_json::Value;

use crate::profiles::{InputError, Scored};

/// Scores an input by one of the system's profiles.
///
/// # Errors
///
/// When the input is not what the profile wants.
pub fn score(profile: &'static Profile, input: &Value) -> Result<Scored, InputError> {
    let _ = input;
    Err(InputError::Profile(profile.name))
}
