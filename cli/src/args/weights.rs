//! Arguments of `weights`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

#[derive(Debug, ClapArgs)]
pub(crate) struct WeightsArgs {
    #[command(subcommand)]
    pub(crate) command: WeightsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WeightsCommand {
    /// Show the row that scores become: what the SDK would send, what the chain would store, what it would refuse.
    Plan(PlanArgs),
    /// Say what became of a validator's weights: set, committed, stale, never, changed-on-chain or expired, with the evidence.
    ReadBack(ReadBackArgs),
    /// Plan a row, sign it and send it, by a commit where the subnet has them; a dry run without --yes.
    #[cfg(feature = "submit")]
    Submit(SubmitArgs),
    /// Send the reveal of a commit out of its salt file; a dry run without --yes.
    #[cfg(feature = "submit")]
    Reveal(RevealArgs),
}

/// Where the state is read.
#[derive(Debug, ClapArgs)]
#[command(group = clap::ArgGroup::new("state").required(true).args(["recording", "data_dir"]))]
pub(crate) struct StateArgs {
    /// Folder of a recorded chain: it is indexed into memory first.
    #[arg(long, value_name = "DIR")]
    pub(crate) recording: Option<PathBuf>,
    /// Folder of a store, which is only read.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Block whose state is read [default: the last stored one].
    #[arg(long, value_name = "BLOCK")]
    pub(crate) block: Option<u32>,
}

/// Which scores.
#[derive(Debug, ClapArgs)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["scores", "profile"]))]
pub(crate) struct ScoresArgs {
    /// Number of the subnet.
    #[arg(long, value_name = "N")]
    pub(crate) netuid: u16,
    /// Number of the mechanism; most subnets have only 0.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) mechanism: u8,
    /// Scores in JSON: a list by uid, or an object by uid or hotkey.
    #[arg(long, value_name = "FILE")]
    pub(crate) scores: Option<PathBuf>,
    /// Profile that makes scores of --input.
    #[arg(long, value_name = "NAME", requires = "input")]
    pub(crate) profile: Option<String>,
    /// What the profile scores, in JSON.
    #[arg(long, value_name = "FILE", requires = "profile")]
    pub(crate) input: Option<PathBuf>,
    /// Version key that goes with the row [default: the subnet's].
    #[arg(long, value_name = "N")]
    pub(crate) version_key: Option<u64>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) scores: ScoresArgs,
    /// Who would sign: an address, or 0x and hex digits.
    #[arg(long, value_name = "HOTKEY")]
    pub(crate) hotkey: String,
    /// Print one object of JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReadBackArgs {
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// Number of the subnet.
    #[arg(long, value_name = "N")]
    pub(crate) netuid: u16,
    /// Number of the mechanism; most subnets have only 0.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) mechanism: u8,
    /// Only this hotkey; without it and --uid all validators.
    #[arg(long, value_name = "HOTKEY", conflicts_with = "uid")]
    pub(crate) hotkey: Option<String>,
    /// Only this uid.
    #[arg(long, value_name = "N")]
    pub(crate) uid: Option<u16>,
    /// The row as it was sent, in JSON: {"uids": […], "values": […]}.
    #[arg(long, value_name = "FILE")]
    pub(crate) expected: Option<PathBuf>,
    /// The block after which it was sent.
    #[arg(long, value_name = "BLOCK")]
    pub(crate) since: Option<u32>,
    /// Weights older than so many tempos are stale.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) stale_tempos: u32,
    /// Print JSON: a list.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How it is sent.
#[cfg(feature = "submit")]
#[derive(Debug, ClapArgs)]
pub(crate) struct SendArgs {
    /// File with the hotkey's key, which nobody else may read (mode 0600): hex of the seed, or a wallet's JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: PathBuf,
    /// Address of the node that it is sent to (ws:// or wss://).
    #[arg(long, value_name = "URL")]
    pub(crate) url: String,
    /// Really send; without it nothing is.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Longest wait for one answer of the node, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) timeout: u64,
}

#[cfg(feature = "submit")]
#[derive(Debug, ClapArgs)]
pub(crate) struct SubmitArgs {
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) scores: ScoresArgs,
    #[command(flatten)]
    pub(crate) send: SendArgs,
    /// Folder in which the salts of commits are kept.
    #[arg(long, value_name = "DIR", default_value = "yumascope-salts")]
    pub(crate) salt_dir: PathBuf,
}

#[cfg(feature = "submit")]
#[derive(Debug, ClapArgs)]
pub(crate) struct RevealArgs {
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) send: SendArgs,
    /// The salt file that the commit left.
    #[arg(long, value_name = "FILE")]
    pub(crate) salt_file: PathBuf,
}
