//! Arguments of `alerts`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

#[derive(Debug, ClapArgs)]
pub(crate) struct AlertsArgs {
    #[command(subcommand)]
    pub(crate) command: AlertsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlertsCommand {
    /// Check a file of rules and hooks; tells everything that is wrong with it.
    Check {
        /// The file, as for `run --hooks`.
        file: PathBuf,
    },
    /// Tell when rules would have fired and cleared, over stored blocks.
    Backtest(BacktestArgs),
    /// List messages that were given up, with the reason.
    Dead {
        /// Folder of the store; it may be in use.
        #[arg(long, value_name = "DIR", default_value = "yumascope-data")]
        data_dir: PathBuf,
        /// Print JSON: an object a line.
        #[arg(long)]
        json: bool,
    },
    /// Have messages that were given up tried once more, by the program that runs or by the next one.
    Redeliver {
        /// Folder of the store; it may be in use.
        #[arg(long, value_name = "DIR", default_value = "yumascope-data")]
        data_dir: PathBuf,
        /// Only those of this hook.
        #[arg(long, value_name = "NAME")]
        hook: Option<String>,
        /// Only the one with this idempotency key.
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
    },
    /// Send a message of type `test` to a hook, once.
    Test {
        /// The file, as for `run --hooks`.
        file: PathBuf,
        /// Name of the hook.
        hook: String,
    },
    /// Print a rule that comes with the program, as TOML; without a name, list them.
    Preset {
        /// Its name.
        name: Option<String>,
    },
}

#[derive(Debug, ClapArgs)]
#[command(group = clap::ArgGroup::new("chain").required(true).args(["recording", "data_dir"]))]
pub(crate) struct BacktestArgs {
    /// The file, as for `run --hooks`; secrets of hooks are not needed.
    pub(crate) file: PathBuf,
    /// Only this rule.
    #[arg(long, value_name = "NAME")]
    pub(crate) rule: Option<String>,
    /// Folder of a recorded chain: it is indexed into memory first.
    #[arg(long, value_name = "DIR")]
    pub(crate) recording: Option<PathBuf>,
    /// Folder of a store, which is only read.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// First block [default: the lowest stored one].
    #[arg(long, value_name = "BLOCK")]
    pub(crate) from: Option<u32>,
    /// Last block [default: the highest stored one].
    #[arg(long, value_name = "BLOCK")]
    pub(crate) to: Option<u32>,
    /// Print JSON: an object a line for every alert, and one for every rule.
    #[arg(long)]
    pub(crate) json: bool,
}
