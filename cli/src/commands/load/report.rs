//! Results as a table.

use clap::ValueEnum;

use super::drive::Measured;
use crate::args::Scenario;

/// The heads of the columns.
pub(super) fn head() -> String {
    format!(
        "{:<16} {:>5} {:>9} {:>8} {:>8} {:>8} {:>7} {:>10} {:>8} {:>7} {:>7} {:>6} {:>8} {:>8}\n",
        "scenario",
        "conns",
        "req/s",
        "p50 ms",
        "p99 ms",
        "max ms",
        "errors",
        "B/answer",
        "MB/s",
        "server",
        "CPU ms",
        "load",
        "RSS MiB",
        "peak"
    )
}

/// The name of a scenario as it is given on the command line.
pub(super) fn name(scenario: Scenario) -> String {
    let value = scenario.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

/// A line of the table.
pub(super) fn line(measured: &Measured) -> String {
    let known = |value: Option<f64>, digits: usize| match value {
        Some(value) => format!("{value:.digits$}"),
        None => "-".to_owned(),
    };
    let mut line = format!(
        "{:<16} {:>5} {:>9.1} {:>8.2} {:>8.2} {:>8.2} {:>7} {:>10.0} {:>8.1} {:>7} {:>7} {:>6} {:>8} {:>8}\n",
        name(measured.scenario),
        measured.connections,
        measured.per_second,
        measured.p50_ms,
        measured.p99_ms,
        measured.max_ms,
        measured.errors,
        measured.bytes_per_answer,
        measured.bytes_per_second / 1e6,
        known(measured.server_cpu, 2),
        known(measured.server_cpu_ms, 3),
        known(measured.load_cpu, 2),
        known(measured.server_rss_mib, 0),
        known(measured.server_peak_mib, 0),
    );
    if let Some(error) = &measured.first_error {
        line.push_str(&format!("  first error: {error}\n"));
    }
    line
}

/// What the table does not say itself.
pub(super) const FOOT: &str = "\
server, load: processors kept busy by the server and by this program (which also plays the node).
CPU ms: processor time of the server for one answer.
Each connection asks as soon as it was answered; places are random, by the seed.
";

/// How the same metagraphs compare, read here and from the node.
pub(super) fn comparison(all: &[Measured]) -> String {
    let mut out = String::new();
    for node in all.iter().filter(|m| m.scenario == Scenario::Node) {
        let same = all
            .iter()
            .find(|m| m.scenario == Scenario::SameMetagraph && m.connections == node.connections);
        let Some(same) = same else { continue };
        if node.per_second > 0.0 && same.per_second > 0.0 {
            out.push_str(&format!(
                "{} connections: {:.2} times as many metagraphs a second as from the node, p99 {:.2} times as long\n",
                node.connections,
                same.per_second / node.per_second,
                same.p99_ms / node.p99_ms.max(1e-6),
            ));
        }
    }
    if !out.is_empty() {
        out.push_str(
            "The replay node looks the runtime's answer up in its recording; a real node executes the runtime for it.\n",
        );
    }
    out
}
