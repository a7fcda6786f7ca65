//! The server as a process: started, measured, ended.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// A server that this program started.
pub(super) struct Server {
    child: Child,
    /// Where it serves, as HOST:PORT.
    pub(super) address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // What cannot be ended has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts `serve` over a store, of this program or another one.
    pub(super) fn start(program: Option<&Path>, data_dir: &Path, cache_mib: u64) -> Result<Server> {
        let program = match program {
            Some(program) => program.to_owned(),
            None => std::env::current_exe()?,
        };
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--cache-mib"])
            .arg(cache_mib.to_string())
            .arg("--data-dir")
            .arg(data_dir)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("the server could not be started")?;
        let stderr = child.stderr.take().context("the server has no output")?;
        let mut lines = BufReader::new(stderr).lines();
        let mut said = String::new();
        let address = loop {
            let Some(line) = lines.next().transpose()? else {
                let _ = child.wait();
                bail!("the server ended at once: {}", said.trim());
            };
            if let Some((_, rest)) = line.split_once("serves on http://") {
                break rest.split('/').next().unwrap_or_default().to_owned();
            }
            said = line;
        };
        // Read on, or the server would stop at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Server { child, address })
    }

    /// What it took so far.
    pub(super) fn usage(&self) -> Option<Usage> {
        usage(&self.child.id().to_string())
    }
}

/// Indexes a chain that a node plays into a new store, with this program.
pub(super) fn index(url: &str, until: u32, data_dir: &Path) -> Result<()> {
    let done = Command::new(std::env::current_exe()?)
        .args(["index", "--url", url, "--until", &until.to_string()])
        .args(["--log", "warn", "--data-dir"])
        .arg(data_dir)
        .stdout(Stdio::null())
        .output()?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        bail!("the recording could not be indexed: {}", said.trim());
    }
    Ok(())
}

/// What a process took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Usage {
    /// Resident memory now, KiB.
    pub(super) rss_kib: u64,
    /// The most it ever was, KiB.
    pub(super) peak_kib: u64,
    /// Processor time of all threads.
    pub(super) cpu: Duration,
}

/// What this process took.
pub(super) fn own() -> Option<Usage> {
    usage("self")
}

/// `None` where the system does not tell.
fn usage(process: &str) -> Option<Usage> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}")).ok();
    parsed(&read("status")?, &read("stat")?)
}

fn parsed(status: &str, stat: &str) -> Option<Usage> {
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    // The name in brackets may hold anything; what follows it are fields from the third on.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    // Linux tells these in hundredths of a second whatever its own clock is.
    let hundredths = ticks(11)?.checked_add(ticks(12)?)?;
    Some(Usage {
        rss_kib: kib("VmRSS:")?,
        peak_kib: kib("VmHWM:")?,
        cpu: Duration::from_millis(hundredths.checked_mul(10)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells_is_read() {
        let status = "Name:\tx\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n";
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0\n";
        let usage = parsed(status, stat).unwrap();
        assert_eq!((usage.rss_kib, usage.peak_kib), (1024, 2048));
        assert_eq!(usage.cpu, Duration::from_secs(2));
        assert_eq!(parsed("", stat), None);
        assert_eq!(parsed(status, "7 x"), None);
    }
}
