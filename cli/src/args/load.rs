//! Arguments of `load`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use serde::Serialize;

/// What is asked for, over and over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    /// All neurons of a subnet at a past block, all their plain fields, by GraphQL.
    Metagraph,
    /// The same by REST.
    MetagraphRest,
    /// Eight rows of W at a past block.
    Weights,
    /// The verdict on an epoch, of those that are stored.
    Verdict,
    /// A page of 25 blocks.
    Blocks,
    /// All subnets at a past block, with some settings.
    Subnets,
    /// A metagraph where the recording holds the runtime's own answer, by GraphQL.
    SameMetagraph,
    /// That answer from the node, as Bittensor's Python SDK asks for it: hash of the block, then the runtime call.
    Node,
}

#[derive(Debug, ClapArgs)]
#[command(group = clap::ArgGroup::new("chain").args(["recording", "data_dir", "address"]))]
pub(crate) struct LoadArgs {
    /// Folder of a store; a server is started over it.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Folder of a recorded chain instead of the built-in one: it is played, indexed and served.
    #[arg(long, value_name = "DIR")]
    pub(crate) recording: Option<PathBuf>,
    /// A server that runs already, as HOST:PORT; its memory is not known.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) address: Option<String>,
    /// The program to start as the server instead of this one, to compare two builds of it.
    #[arg(long, value_name = "FILE", conflicts_with = "address")]
    pub(crate) program: Option<PathBuf>,
    /// Connections at once; the scenarios are run with each number.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 16, 256])]
    pub(crate) connections: Vec<u16>,
    /// How long each scenario is run with each number of connections.
    #[arg(long, value_name = "SECONDS", default_value_t = 5,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) seconds: u64,
    /// Only these scenarios.
    #[arg(long, value_enum, value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<Scenario>,
    /// Where the random choices begin: the same seed asks the same.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Ask for answers packed with gzip.
    #[arg(long)]
    pub(crate) gzip: bool,
    /// The store's page cache in MiB, of a server that is started.
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    pub(crate) cache_mib: u64,
    /// Print JSON: an object a line for every scenario and number of connections.
    #[arg(long)]
    pub(crate) json: bool,
}
