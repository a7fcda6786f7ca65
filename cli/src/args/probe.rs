//! Arguments of `probe`.

use clap::Args as ClapArgs;

#[derive(Debug, ClapArgs)]
pub(crate) struct ProbeArgs {
    /// What is asked: an http address with a path.
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8787/ready"
    )]
    pub(crate) url: String,
    /// Longest wait for the answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) timeout: u64,
}
