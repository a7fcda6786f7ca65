//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use serde::{Serialize, Serializer};

use crate::networks::Network;

mod alerts;
mod door;
mod load;
mod probe;
mod weights;

pub(crate) use alerts::*;
pub(crate) use door::*;
pub(crate) use load::*;
pub(crate) use probe::*;
pub(crate) use weights::*;

/// Follows a Bittensor chain, stores it, serves it by GraphQL.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Follow a chain into a store and serve it.
    Run(Flags),
    /// Follow a chain into a store, without a server.
    Index(Flags),
    /// Serve a store that is already there, without a node.
    Serve(Flags),
    /// Everything on one machine: a replay node plays a recorded chain, yumascope follows and serves it.
    Demo(DemoArgs),
    /// Decode bytes of a chain with its metadata; prints JSON.
    Decode(DecodeArgs),
    /// Check a whole store: gaps, hashes, and a digest of every row; with --against-node also samples of it against a node.
    Check(CheckArgs),
    /// Check a runtime that is not live yet: is everything this program reads there, in the same shape?
    Preflight(PreflightArgs),
    /// Write a store anew without what its engine left behind, and put it in the place of the old one.
    Compact(CompactArgs),
    /// Compute every epoch again and compare it with what the chain stored, to the last bit.
    Verify(VerifyArgs),
    /// Show how one uid's incentive and dividends of an epoch came about.
    Explain(ExplainArgs),
    /// Split what changed a hotkey's incentive or dividends between two epochs into causes that add up.
    Diff(DiffArgs),
    /// Compute epochs with and without a patch (other weights, stakes, hyperparameters…).
    Simulate(SimulateArgs),
    /// Show who sets weights that others had before, as a statistic over a range of blocks.
    Copying(CopyingArgs),
    /// List the profiles by which challenges can be scored: named, dated rules of real subnets.
    Profiles(ProfilesArgs),
    /// Score the results of a challenge by a profile; nothing is kept.
    Score(ScoreArgs),
    /// Make a challenge of subnet 27 or 128, or verify an answer to one.
    Challenge(ChallengeArgs),
    /// Back up, restore or score again the results of challenges that a store keeps.
    Results(ResultsArgs),
    /// Webhooks and alert rules: check a file of them, try a rule on stored history, list what was given up.
    Alerts(AlertsArgs),
    /// Audit a subnet's own reports and exports against the chain.
    Audit(AuditArgs),
    /// Rows of weights: plan one, read back what became of it; sending needs a build with the feature submit.
    Weights(WeightsArgs),
    /// Ask a running program whether it lives or is ready; for health checks.
    Probe(ProbeArgs),
    /// Measure blocks per second from a replay node to the durable store.
    Bench(BenchArgs),
    /// Make, list and revoke API keys; a running program sees changes by itself.
    Keys(KeysArgs),
    /// Put load on a server: questions answered a second, and how long each takes.
    Load(LoadArgs),
}

/// Settings; a flag wins over `YUMASCOPE_…` in the environment, that over the
/// file given by --config, that over the default.
#[derive(Debug, Default, Clone, ClapArgs, Serialize)]
pub(crate) struct Flags {
    /// A known network: its node addresses, unless --url is given, and its genesis hash.
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<Network>,
    /// Address of a node (ws:// or wss://); give it again, or with commas, for more nodes.
    #[arg(long, value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) url: Vec<String>,
    /// Folder of the store [default: ./yumascope-data].
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Address to serve on [default: 127.0.0.1:8787].
    #[arg(long, value_name = "ADDR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) listen: Option<SocketAddr>,
    /// First block; what is missing between it and the highest stored block is filled [default of a new store: 0; the finalized head for finney and test].
    #[arg(long, value_name = "BLOCK")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<u32>,
    /// Last block; without it the chain is followed.
    #[arg(long, value_name = "BLOCK")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<u32>,
    /// Blocks to fill besides, as FIRST..LAST; give it again, or with commas, for more ranges. Without --from a new store holds these, and what the head adds unless --until is given.
    #[arg(long, value_delimiter = ',', value_name = "FIRST..LAST")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ranges: Vec<String>,
    /// Cut what is missing into so many ranges, to be filled side by side [default: 1].
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) split: Option<u32>,
    /// Most ranges filled at once, besides the head [default: 2].
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ranges_at_once: Option<u32>,
    /// Leave out blocks whose state no node keeps, and go on from the first that it has.
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) allow_partial: bool,
    /// Most blocks fetched in one batch [default: 32].
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) window: Option<u32>,
    /// Store's page cache in MiB [default: 256].
    #[arg(long, value_name = "MIB")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_mib: Option<u64>,
    /// Longest wait for one answer of a node, in seconds [default: 30].
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeout: Option<u64>,
    /// How long a failing node is asked again, in seconds; 0 is forever [default: 120; 0 for run].
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) patience: Option<u64>,
    /// Compute every epoch again behind the commits and keep the verdicts [default: true].
    #[arg(long, value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verify: Option<bool>,
    /// Do not follow blocks that are not final yet (setting heads = false).
    #[arg(long)]
    #[serde(rename = "heads", serialize_with = "negated")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) no_heads: bool,
    /// Take in reports of challenge results that registered hotkeys sign (POST /v1/results/{netuid}).
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) ingest: bool,
    /// How far from now a report may be signed, in seconds [default: 60].
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ingest_freshness: Option<u64>,
    /// Largest report, as it is sent, in KiB [default: 1024].
    #[arg(long, value_name = "KIB")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ingest_body_kib: Option<u64>,
    /// Score challenges centrally by the settings in this file (docs/challenges.md); with --ingest validators' reports are taken in.
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scoring: Option<PathBuf>,
    /// Deliver webhooks and evaluate alert rules as this file says (docs/alerts.md).
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hooks: Option<PathBuf>,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) door: DoorFlags,
    /// What to log: error, warn, info, debug, or a tracing filter [default: info].
    #[arg(long, value_name = "FILTER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log: Option<String>,
    /// Log as JSON lines.
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) log_json: bool,
    /// Settings in TOML; unknown keys are refused.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) config: Option<PathBuf>,
    /// Print the settings in force as TOML and stop.
    #[arg(long)]
    #[serde(skip)]
    pub(crate) print_config: bool,
}

/// `--no-heads` is the setting `heads = false`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn negated<S: Serializer>(flag: &bool, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bool(!flag)
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DemoArgs {
    /// Folder of a recorded chain instead of the built-in one.
    #[arg(long, value_name = "DIR")]
    pub(crate) recording: Option<PathBuf>,
    /// Play the chain live, a block every so many milliseconds, instead of all at once.
    #[arg(long, value_name = "MS")]
    pub(crate) live: Option<u64>,
    #[command(flatten)]
    pub(crate) flags: Flags,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DecodeKind {
    /// A raw extrinsic with its length prefix; several as a JSON list or one a line.
    Extrinsic,
    /// The value of System.Events: all events of a block.
    Event,
    /// A storage key, or KEY=VALUE.
    Storage,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DecodeArgs {
    /// What the bytes are.
    #[arg(value_enum)]
    pub(crate) kind: DecodeKind,
    /// Metadata of the runtime: raw bytes, hex, or the JSON answer of state_getMetadata.
    #[arg(long, value_name = "FILE")]
    pub(crate) metadata: PathBuf,
    /// The bytes in hex or a node's JSON answer; @FILE reads a file, - or nothing standard input.
    #[arg(value_name = "HEX|@FILE|-")]
    pub(crate) hex: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CheckArgs {
    /// Folder of the store.
    #[arg(long, value_name = "DIR", default_value = "yumascope-data")]
    pub(crate) data_dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Compare random blocks and values of the store with this node, which must keep the state of them; give it again, or with commas, for more nodes.
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub(crate) against_node: Vec<String>,
    /// How many values are compared with the node.
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "against_node",
          value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) samples: u32,
    /// Which random values: the same seed over the same store takes the same ones; printed when it is not given.
    #[arg(long, value_name = "S", requires = "against_node")]
    pub(crate) seed: Option<u64>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PreflightArgs {
    /// Metadata of the runtime: raw bytes, hex, or the JSON answer of state_getMetadata.
    #[arg(long, value_name = "FILE")]
    pub(crate) metadata: PathBuf,
    /// Metadata of the runtime that is live, to compare shapes with.
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    pub(crate) against: Option<PathBuf>,
    /// Folder of a store, to compare shapes with its newest runtime.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ProfilesArgs {
    /// Print JSON, as REST answers it.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ScoreArgs {
    /// Name of the profile; `yumascope profiles` lists them.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: String,
    /// JSON in the form that the profile wants (docs/challenges.md); - is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Print JSON, as REST answers it.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ChallengeArgs {
    #[command(subcommand)]
    pub(crate) command: ChallengeCommand,
}

/// Whose challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ChallengeOf {
    /// A hash to be found: subnet 27.
    Sn27,
    /// Whole matrices on a CPU: subnet 128.
    Sn128Cpu,
    /// Matrices of fractions on GPUs: subnet 128.
    Sn128Gpu,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ChallengeCommand {
    /// Print a new challenge as JSON, with what only the asker knows.
    Create {
        /// Whose.
        of: ChallengeOf,
        /// Characters of the password, for sn27.
        #[arg(long, value_name = "N", default_value_t = 7)]
        difficulty: u32,
    },
    /// Verify an answer; exit code 0 only if it holds.
    Verify {
        /// Whose.
        of: ChallengeOf,
        /// Challenge and answer as JSON; `-` reads standard input.
        #[arg(long, value_name = "FILE")]
        input: PathBuf,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ResultsArgs {
    #[command(subcommand)]
    pub(crate) command: ResultsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ResultsCommand {
    /// Write all records and payloads as lines of JSON.
    Export {
        /// Folder of the store; nothing else may have it open.
        #[arg(long, value_name = "DIR", default_value = "yumascope-data")]
        data_dir: PathBuf,
        /// Where to write; standard output without it.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Take in what an export wrote; what is there already is left out.
    Import {
        /// Folder of the store; nothing else may have it open.
        #[arg(long, value_name = "DIR", default_value = "yumascope-data")]
        data_dir: PathBuf,
        /// What to read; standard input without it.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Take in what validators report of miners' commits, from files.
    Reports {
        /// Folder of the store; nothing else may have it open.
        #[arg(long, value_name = "DIR", default_value = "yumascope-data")]
        data_dir: PathBuf,
        /// Settings of the scorer, as for `run --scoring`.
        #[arg(long, value_name = "FILE")]
        scoring: PathBuf,
        /// Reports, one a file, as JSON.
        #[arg(required = true, value_name = "REPORT")]
        files: Vec<PathBuf>,
    },
    /// Score stored submissions by a profile and keep the scores beside older ones.
    Score {
        /// Folder of the store; nothing else may have it open.
        #[arg(long, value_name = "DIR", default_value = "yumascope-data")]
        data_dir: PathBuf,
        /// Number of the subnet.
        #[arg(long, value_name = "N")]
        netuid: u16,
        /// Only submissions of this challenge.
        #[arg(long, value_name = "NAME")]
        challenge: Option<String>,
        /// Name of the profile; `yumascope profiles` lists them.
        #[arg(long, value_name = "NAME")]
        profile: String,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CompactArgs {
    /// Folder of the store; nothing else may have it open.
    #[arg(long, value_name = "DIR", default_value = "yumascope-data")]
    pub(crate) data_dir: PathBuf,
    /// Keep the old store beside the new one, in DIR.before-compact.
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct BenchArgs {
    /// Folder of a recorded chain instead of the built-in one.
    #[arg(long, value_name = "DIR")]
    pub(crate) recording: Option<PathBuf>,
    /// How often the recording is played, one after the other.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) repeat: u32,
    /// Most blocks fetched in one batch.
    #[arg(long, value_name = "N", default_value_t = 32,
          value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) window: u32,
    /// Make the store in this folder, which must hold none yet, and keep it.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Read the recording in the process, once, instead of over a WebSocket.
    #[arg(long, conflicts_with = "repeat")]
    pub(crate) no_socket: bool,
    /// Keep the store in memory instead of on disk.
    #[arg(long, conflicts_with = "data_dir")]
    pub(crate) in_memory: bool,
}

#[derive(Debug, ClapArgs)]
#[command(group = clap::ArgGroup::new("chain").required(true).args(["recording", "data_dir"]))]
pub(crate) struct VerifyArgs {
    /// Folder of a recorded chain: it is indexed into memory first.
    #[arg(long, value_name = "DIR")]
    pub(crate) recording: Option<PathBuf>,
    /// Folder of a store, which is only read.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Only this subnet.
    #[arg(long, value_name = "N")]
    pub(crate) netuid: Option<u16>,
    /// Only epochs from this block on.
    #[arg(long, value_name = "BLOCK")]
    pub(crate) from: Option<u32>,
    /// Only epochs up to this block.
    #[arg(long, value_name = "BLOCK")]
    pub(crate) to: Option<u32>,
    /// Print JSON: an object a line for every epoch, and a summary in the last line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where the blocks are.
#[derive(Debug, ClapArgs)]
#[command(group = clap::ArgGroup::new("blocks").required(true).args(["recording", "data_dir"]))]
pub(crate) struct BlocksArgs {
    /// Folder of a recorded chain: it is indexed into memory first.
    #[arg(long, value_name = "DIR")]
    pub(crate) recording: Option<PathBuf>,
    /// Folder of a store, which is only read.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Number of the subnet.
    #[arg(long, value_name = "N")]
    pub(crate) netuid: u16,
    /// Number of the mechanism; most subnets have only 0.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) mechanism: u8,
    /// Print one object of JSON, as REST answers it.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) blocks: BlocksArgs,
    /// Block in which the epoch ran.
    #[arg(long, value_name = "BLOCK")]
    pub(crate) block: u32,
    /// Number of the neuron in the subnet.
    #[arg(long, value_name = "N")]
    pub(crate) uid: u16,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) blocks: BlocksArgs,
    /// The hotkey: an address, or 0x and hex digits.
    #[arg(long, value_name = "HOTKEY")]
    pub(crate) hotkey: String,
    /// Block of the first epoch.
    #[arg(long, value_name = "BLOCK")]
    pub(crate) from: u32,
    /// Block of the second epoch.
    #[arg(long, value_name = "BLOCK")]
    pub(crate) to: u32,
    /// Of dividends, not of the incentive.
    #[arg(long)]
    pub(crate) dividends: bool,
    /// How many hotkeys of a kind get a term of their own, 0 to 256 [default: 16].
    #[arg(long, value_name = "N")]
    pub(crate) detail: Option<u16>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SimulateArgs {
    #[command(flatten)]
    pub(crate) blocks: BlocksArgs,
    /// Block in which the first epoch ran.
    #[arg(long, value_name = "BLOCK")]
    pub(crate) block: u32,
    /// How many epochs.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) horizon: u32,
    /// What is different, as JSON: an object like GraphQL's SimulationPatch; without it nothing is.
    #[arg(long, value_name = "FILE")]
    pub(crate) patch: Option<PathBuf>,
    /// Only these neurons, with commas between them [default: all that the patch changes].
    #[arg(long, value_name = "UIDS", value_delimiter = ',')]
    pub(crate) uids: Option<Vec<u16>>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CopyingArgs {
    #[command(flatten)]
    pub(crate) blocks: BlocksArgs,
    /// Lowest block.
    #[arg(long, value_name = "BLOCK")]
    pub(crate) from: u32,
    /// Highest block.
    #[arg(long, value_name = "BLOCK")]
    pub(crate) to: u32,
    /// The greatest lag, in epochs, 0 to 1000 [default: 8].
    #[arg(long, value_name = "N")]
    pub(crate) lag: Option<u32>,
    /// How many others each validator is shown with [default: 3].
    #[arg(long, value_name = "N")]
    pub(crate) relations: Option<u16>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    pub(crate) system: AuditSystem,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditSystem {
    /// Chutes: reports, exports of invocations, incentives.
    Sn64(AuditSn64Args),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct AuditSn64Args {
    /// Folder with index.json and the files that it and the reports name.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Rules to score by: sn64-p1, sn64-p1b, sn64-p2, sn64-p2b or sn64-p3.
    #[arg(long, value_name = "NAME", default_value = "sn64-p3")]
    pub(crate) profile: String,
    /// Folder of a store, which is only read: commitments and incentives are taken from it.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Number of the subnet in the store.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) netuid: u16,
    /// Hotkey whose reports count as a validator's; may be repeated [default: with a store those that have a validator permit at the block of their entry, without one all].
    #[arg(long, value_name = "HOTKEY")]
    pub(crate) validator: Vec<String>,
    /// Block whose incentives are compared [default: the newest block of a report that is stored].
    #[arg(long, value_name = "BLOCK", requires = "data_dir")]
    pub(crate) block: Option<u32>,
    /// Time of the audit, as 2025-10-15T12:00:00Z [default: the end of the newest report of a validator].
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
    /// Own requests that must be in the exports: an object of JSON a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) synthetics: Option<PathBuf>,
    /// Fetch what is missing into the folder first, from a service such as `https://api.chutes.ai`.
    #[arg(long, value_name = "URL")]
    pub(crate) fetch: Option<String>,
    /// Print one object of JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
