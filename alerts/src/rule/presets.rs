//! Rules that come with the program.

/// A rule as a file of TOML, to be named in `preset` and changed by what stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

/// All presets, by name.
pub const PRESETS: [Preset; 5] = [
    Preset {
        name: "deregistration-risk",
        text: include_str!("../../presets/deregistration-risk.toml"),
    },
    Preset {
        name: "incentive-fell",
        text: include_str!("../../presets/incentive-fell.toml"),
    },
    Preset {
        name: "index-behind",
        text: include_str!("../../presets/index-behind.toml"),
    },
    Preset {
        name: "validator-silent",
        text: include_str!("../../presets/validator-silent.toml"),
    },
    Preset {
        name: "verdict-differs",
        text: include_str!("../../presets/verdict-differs.toml"),
    },
];
