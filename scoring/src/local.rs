//! Scores of challenges, by the published rules of real subnets.
//!
//! Every set of rules is a [`Profile`]: named, versioned, dated. The formulas are pure
//! functions over `f64` (or `f32` where the original computes so); nothing here is part of
//! the chain's consensus. What is read and checked before is in the crate `challenges`.

pub mod sn128;
pub mod sn27;
pub mod sn42;
pub mod sn61;
pub mod sn64;

/// A named, dated set of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// Its name, unique: `sn27-r1`.
    pub name: &'static str,
    /// The subnet whose rules these are.
    pub netuid: u16,
    /// First day on which they were in force, as `YYYY-MM-DD` or `YYYY-MM`; `None` when unknown.
    pub from: Option<&'static str>,
    /// Last day; `None` when they still are or when that is unknown.
    pub until: Option<&'static str>,
    /// What they do, in one sentence.
    pub summary: &'static str,
    /// Where they were published: repository and revision.
    pub source: &'static str,
}

/// All profiles, in the order of netuids.
pub fn profiles() -> impl Iterator<Item = &'static Profile> {
    [
        sn27::PROFILES,
        sn42::PROFILES,
        sn61::PROFILES,
        sn64::PROFILES,
        sn128::PROFILES,
    ]
    .into_iter()
    .flatten()
}

/// A profile by its name.
///
/// ```
/// assert!(scoring::local::find("no-such-profile").is_none());
/// ```
pub fn find(name: &str) -> Option<&'static Profile> {
    profiles().find(|profile| profile.name == name)
}
