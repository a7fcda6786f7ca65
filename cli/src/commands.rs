//! One file a command.

mod alerts;
mod audit;
mod bench;
mod challenge;
mod check;
mod compact;
mod decode;
mod demo;
mod index;
mod keys;
mod load;
mod preflight;
mod probe;
mod score;
mod serve;
mod verify;
mod weights;
mod whatif;

use std::time::Duration;

use anyhow::Result;

use crate::args::{Args, Command, Flags};
use crate::config::Config;
use crate::telemetry;

/// Carries out the command line.
pub(crate) fn run(args: Args) -> Result<()> {
    match args.command {
        Command::Run(flags) => with_config(&flags, index::run),
        Command::Index(flags) => with_config(&flags, index::index),
        Command::Serve(flags) => with_config(&flags, serve::serve),
        Command::Demo(demo) => {
            let flags = demo.flags.clone();
            with_config(&flags, |config| demo::demo(config, &demo))
        }
        Command::Decode(args) => decode::decode(&args),
        Command::Check(args) => check::check(&args),
        Command::Preflight(args) => preflight::preflight(&args),
        Command::Compact(args) => compact::compact(&args),
        Command::Verify(args) => verify::verify(&args),
        Command::Explain(args) => whatif::explain(&args),
        Command::Diff(args) => whatif::diff(&args),
        Command::Simulate(args) => whatif::simulate(&args),
        Command::Copying(args) => whatif::copying(&args),
        Command::Profiles(args) => score::profiles(&args),
        Command::Score(args) => score::score(&args),
        Command::Challenge(args) => challenge::challenge(&args),
        Command::Results(args) => score::results(&args),
        Command::Alerts(args) => alerts::alerts(&args),
        Command::Audit(args) => audit::audit(&args),
        Command::Weights(args) => weights::weights(&args),
        Command::Probe(args) => probe::probe(&args),
        Command::Bench(args) => bench::bench(&args),
        Command::Keys(args) => keys::keys(&args),
        Command::Load(args) => load::load(&args),
    }
}

/// Loads the settings, starts the log, or prints the settings and stops.
fn with_config(flags: &Flags, command: impl FnOnce(Config) -> Result<()>) -> Result<()> {
    let config = Config::load(flags)?;
    if flags.print_config {
        print(&config.to_toml()?);
        return Ok(());
    }
    telemetry::logs(&config.log, config.log_json)?;
    command(config)
}

/// A tokio runtime for a command.
fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}

/// How long threads that still read are waited for when everything else has ended.
const GRACE: Duration = Duration::from_secs(2);

/// Carries out a command that serves or follows until it is told to stop.
fn carry_out<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    carried_out(work, GRACE)
}

/// A runtime that is only dropped waits for its blocking threads for ever: a read that hangs would
/// keep the program from ending.
fn carried_out<T>(work: impl Future<Output = Result<T>>, grace: Duration) -> Result<T> {
    let runtime = runtime()?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(grace);
    done
}

/// Data goes to standard output, everything else to standard error. A reader
/// that hung up is no error.
fn print(text: &str) {
    use std::io::Write;
    let _ = write!(std::io::stdout().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_that_hangs_does_not_keep_a_command_from_ending() {
        let (free, wait) = std::sync::mpsc::channel::<()>();
        let work = async {
            tokio::task::spawn_blocking(move || {
                let _ = wait.recv();
            });
            Ok(7)
        };
        // Without the bound this line is never passed.
        let done = carried_out(work, Duration::from_millis(100));
        assert_eq!(done.unwrap(), 7);
        drop(free);
    }
}
