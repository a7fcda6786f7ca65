//! Logs to standard error, metrics for `/metrics`.

mod gauges;

use std::io::IsTerminal;

use anyhow::{Context, Result};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

pub(crate) use gauges::Gauges;

/// Starts logging; call once.
pub(crate) fn logs(filter: &str, json: bool) -> Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| {
        format!("{filter:?} is not a log filter; use error, warn, info or debug")
    })?;
    let ansi = std::io::stderr().is_terminal();
    let out = move || OneLine {
        out: std::io::stderr(),
        ansi,
    };
    let text = (!json).then(|| fmt::layer().with_writer(out).with_ansi(ansi));
    let lines = json.then(|| fmt::layer().json().with_writer(out));
    tracing_subscriber::registry()
        .with(filter)
        .with(text)
        .with(lines)
        .try_init()
        .ok();
    Ok(())
}

/// Keeps an event on its line: what came from outside, or is many lines long, can neither begin a
/// line that looks like another event nor give the terminal orders.
struct OneLine<W> {
    out: W,
    /// Whether colours are wanted; they are orders too.
    ansi: bool,
}

impl<W: std::io::Write> std::io::Write for OneLine<W> {
    /// Takes a whole event, as the subscriber writes it.
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let (line, end) = match text.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (&*text, ""),
        };
        let is_order = |c: char| c.is_control() && c != '\t' && !(self.ansi && c == '\u{1b}');
        if line.contains(is_order) {
            let mut safe = String::with_capacity(line.len());
            for char in line.chars() {
                match is_order(char) {
                    true => safe.extend(char.escape_default()),
                    false => safe.push(char),
                }
            }
            safe.push_str(end);
            self.out.write_all(safe.as_bytes())?;
        } else {
            self.out.write_all(text.as_bytes())?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// Installs the metrics recorder; the handle renders them.
pub(crate) fn metrics() -> Result<PrometheusHandle> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Suffix("_seconds".into()),
            &[0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0],
        )
        .and_then(PrometheusBuilder::install_recorder)
        .context("metrics cannot be started")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::OneLine;

    #[test]
    fn an_event_is_one_line() {
        let written = |event: &str, ansi| {
            let mut out = Vec::new();
            let mut line = OneLine {
                out: &mut out,
                ansi,
            };
            line.write_all(event.as_bytes()).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written("plain é\n", false), "plain é\n");
        let forged = "a\n2030 ERROR fake\r\u{1b}[2J\u{9b}1A\0\n";
        let safe = "a\\n2030 ERROR fake\\r\\u{1b}[2J\\u{9b}1A\\u{0}\n";
        assert_eq!(written(forged, false), safe);
        // Colours of a terminal go through.
        assert_eq!(
            written("\u{1b}[31mred\nline\n", true),
            "\u{1b}[31mred\\nline\n"
        );
    }
}
