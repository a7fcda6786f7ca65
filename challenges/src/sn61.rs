//! RedTeam: centralised scoring.

pub mod input;
