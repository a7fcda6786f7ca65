//! `yumascope`: follows a subtensor chain, stores it, serves it.

// Answers to requests are made here: nothing that a request brings may end a thread.
#[cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing
    )
)]
mod adapters;
mod alerts;
mod app;
mod args;
mod commands;
mod config;
mod door;
mod keys;
mod networks;
mod progress;
mod scorer;
mod signals;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

/// Decoding and storing are many small values; this allocator takes a good deal
/// less time for them than the system's (see `yumascope bench`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = args::Args::parse();
    match commands::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes as one line; a cause that its effect already tells is
/// not told again.
fn sentence(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if said.contains(&cause) {
            continue;
        }
        if !said.is_empty() {
            said.push_str(": ");
        }
        said.push_str(&cause);
    }
    said
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_is_said_twice() {
        let error = anyhow::anyhow!("1 byte is left")
            .context("cannot decode Events: 1 byte is left")
            .context("block 7");
        let said = super::sentence(&error);
        assert_eq!(said, "block 7: cannot decode Events: 1 byte is left");
    }
}
