//! `yumascope`: follows a subtensor chain, stores it, serves it.

mod adapters;
mod app;
mod args;
mod commands;
mod config;
mod networks;
mod signals;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    match commands::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
