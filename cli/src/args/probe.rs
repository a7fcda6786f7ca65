//! Arguments of `probe`.

use clap::Args as ClapArgs;

/// What is asked when nothing is said.
pub(crate) const PROBED: &str = "http://127.0.0.1:8787/ready";

#[derive(Debug, ClapArgs)]
pub(crate) struct ProbeArgs {
    /// What is asked: an http address with a path. Of a program that serves HTTPS, that of its --metrics-listen.
    #[arg(
        long,
        env = "YUMASCOPE_PROBE_URL",
        value_name = "URL",
        default_value = PROBED
    )]
    pub(crate) url: String,
    /// Longest wait for the answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) timeout: u64,
}
