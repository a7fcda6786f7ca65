//! The command line.

use std::path::PathBuf;

use synthetic::Config;

use crate::Failed;

pub(crate) const HELP: &str = "\
Indexes a synthetic chain and measures speed, bytes, memory and reads.

  --blocks N        last block (1500)
  --subnets N       subnets (128)
  --neurons N       uids of a subnet (256)
  --validators N    validators of a subnet (64)
  --tempo N         blocks from epoch to epoch (360)
  --drift N         how far weights move in a tempo, parts of 10,000 (50)
  --seed N          another chain of the same pace (424)
  --cache-mb N      sled's page cache (128)
  --window N        blocks fetched in one go (32)
  --reads N         metagraphs read (300)
  --data-dir DIR    keep the store; one that is there is gone on with
  --compact         compact the store at the end, and read from it again
  --codec           measure indexer::store::rowcodec and other layouts on what was stored
";

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) config: Config,
    pub(crate) cache_mb: u64,
    pub(crate) window: u32,
    pub(crate) reads: usize,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) codec: bool,
    pub(crate) compact: bool,
}

impl Args {
    pub(crate) fn cache_bytes(&self) -> u64 {
        self.cache_mb << 20
    }

    /// `None` when help was asked for.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Option<Args>, Failed> {
        let mut args = Args {
            config: Config {
                head: 1500,
                ..Config::default()
            },
            cache_mb: 128,
            window: 32,
            reads: 300,
            data_dir: None,
            codec: false,
            compact: false,
        };
        let mut words = words;
        while let Some(word) = words.next() {
            if word == "--help" {
                return Ok(None);
            }
            if word == "--compact" {
                args.compact = true;
                continue;
            }
            if word == "--codec" {
                args.codec = true;
                continue;
            }
            let value = words
                .next()
                .ok_or_else(|| format!("{word} needs a value"))?;
            let bad = |e| format!("{word} {value}: {e}");
            let config = &mut args.config;
            match word.as_str() {
                "--blocks" => config.head = value.parse().map_err(bad)?,
                "--subnets" => config.subnets = value.parse().map_err(bad)?,
                "--neurons" => config.neurons = value.parse().map_err(bad)?,
                "--validators" => config.validators = value.parse().map_err(bad)?,
                "--tempo" => config.tempo = value.parse().map_err(bad)?,
                "--drift" => config.drift = value.parse().map_err(bad)?,
                "--seed" => config.seed = value.parse().map_err(bad)?,
                "--cache-mb" => args.cache_mb = value.parse().map_err(bad)?,
                "--window" => args.window = value.parse().map_err(bad)?,
                "--reads" => args.reads = value.parse().map_err(bad)?,
                "--data-dir" => args.data_dir = Some(value.into()),
                _ => return Err(format!("{word} is not known; try --help").into()),
            }
        }
        Ok(Some(args))
    }
}
