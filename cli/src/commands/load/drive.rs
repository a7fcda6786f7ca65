//! So many connections at once, each asking as soon as it was answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Serialize;

use super::http::Connection;
use super::process::{Usage, own};
use super::scenario::{Maker, Recorded};
use super::world::World;
use crate::args::Scenario;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything that the connections share.
pub(super) struct Target {
    pub(super) world: World,
    pub(super) recorded: Vec<Recorded>,
    /// The server.
    pub(super) address: String,
    /// The node, where one is played.
    pub(super) node: Option<String>,
    pub(super) gzip: bool,
}

impl Target {
    /// Makes the questions of a scenario.
    pub(super) fn maker(&self, scenario: Scenario) -> Maker<'_> {
        let node = self.node.as_deref().unwrap_or_default();
        Maker {
            scenario,
            world: &self.world,
            address: match scenario {
                Scenario::Node => node,
                _ => &self.address,
            },
            recorded: match self.node {
                Some(_) => &self.recorded,
                None => &[],
            },
            gzip: self.gzip,
        }
    }
}

/// What one scenario with so many connections came to.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Measured {
    pub(super) scenario: Scenario,
    pub(super) connections: u16,
    /// Seconds that it took.
    pub(super) seconds: f64,
    /// Questions that were answered well.
    pub(super) answered: u64,
    /// Questions that were not.
    pub(super) errors: u64,
    /// What the first error was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first_error: Option<String>,
    /// Questions answered a second.
    pub(super) per_second: f64,
    /// Half of the answers took no longer, milliseconds.
    pub(super) p50_ms: f64,
    /// 99 of 100 answers took no longer, milliseconds.
    pub(super) p99_ms: f64,
    /// The longest, milliseconds.
    pub(super) max_ms: f64,
    /// Bytes of an answer with its head, on average.
    pub(super) bytes_per_answer: f64,
    /// Bytes a second.
    pub(super) bytes_per_second: f64,
    /// Processors that the server kept busy.
    pub(super) server_cpu: Option<f64>,
    /// Processor time of the server for one answer, milliseconds: unlike the others it
    /// hardly depends on what else the machine does.
    pub(super) server_cpu_ms: Option<f64>,
    /// Processors that the load itself kept busy (and the node, which it plays).
    pub(super) load_cpu: Option<f64>,
    /// Resident memory of the server behind it, MiB.
    pub(super) server_rss_mib: Option<f64>,
    /// The most it ever was, MiB.
    pub(super) server_peak_mib: Option<f64>,
}

#[derive(Default)]
struct Seen {
    micros: Vec<u32>,
    bytes: u64,
    errors: u64,
    first_error: Option<String>,
}

/// Runs a scenario; `usage` tells what the server took.
pub(super) async fn drive(
    target: &Arc<Target>,
    scenario: Scenario,
    connections: u16,
    time: Duration,
    seed: u64,
    usage: impl Fn() -> Option<Usage>,
) -> Result<Measured> {
    let (server, load) = (usage(), own());
    let started = Instant::now();
    let end = started + time;
    let tasks: Vec<_> = (0..connections)
        .map(|number| {
            let target = target.clone();
            let random = StdRng::seed_from_u64(seed.wrapping_add(u64::from(number) << 32));
            tokio::spawn(async move { one(&target, scenario, random, end).await })
        })
        .collect();
    let mut all = Seen::default();
    for task in tasks {
        let seen = task.await?;
        all.micros.extend(seen.micros);
        all.bytes += seen.bytes;
        all.errors += seen.errors;
        all.first_error = all.first_error.or(seen.first_error);
    }
    let took = started.elapsed();
    let busy = |before: Option<Usage>, after: Option<Usage>| {
        let cpu = after?.cpu.checked_sub(before?.cpu)?;
        Some(cpu.as_secs_f64() / took.as_secs_f64())
    };
    let now = usage();
    all.micros.sort_unstable();
    let answered = all.micros.len();
    let rank = |percent: usize| {
        let place = (answered * percent).div_ceil(100).saturating_sub(1);
        all.micros.get(place).map_or(0.0, |t| f64::from(*t) / 1e3)
    };
    let (count, bytes) = (float(answered), all.bytes as f64);
    Ok(Measured {
        scenario,
        connections,
        seconds: took.as_secs_f64(),
        answered: u64::try_from(answered)?,
        errors: all.errors,
        first_error: all.first_error,
        per_second: count / took.as_secs_f64(),
        p50_ms: rank(50),
        p99_ms: rank(99),
        max_ms: rank(100),
        bytes_per_answer: bytes / count.max(1.0),
        bytes_per_second: bytes / took.as_secs_f64(),
        server_cpu: busy(server, now),
        server_cpu_ms: busy(server, now).map(|cpu| cpu * took.as_secs_f64() * 1e3 / count.max(1.0)),
        load_cpu: busy(load, own()),
        server_rss_mib: now.map(|now| now.rss_kib as f64 / 1024.0),
        server_peak_mib: now.map(|now| now.peak_kib as f64 / 1024.0),
    })
}

/// A count as a float, for rates: far below 2^53.
fn float(count: usize) -> f64 {
    count as f64
}

/// One connection, opened again when it breaks.
async fn one(target: &Target, scenario: Scenario, mut random: StdRng, end: Instant) -> Seen {
    let maker = target.maker(scenario);
    let mut seen = Seen::default();
    let mut connection = None;
    while Instant::now() < end {
        let requests = maker.next(&mut random);
        let asked = Instant::now();
        let done = tokio::time::timeout(PATIENCE, ask(&maker, &mut connection, &requests)).await;
        match done {
            Ok(Ok(bytes)) => {
                let micros = asked.elapsed().as_micros();
                seen.micros.push(u32::try_from(micros).unwrap_or(u32::MAX));
                seen.bytes += bytes;
            }
            failed => {
                let why = match failed {
                    Ok(Err(error)) => format!("{error:#}"),
                    _ => format!("no answer within {} s", PATIENCE.as_secs()),
                };
                connection = None;
                seen.errors += 1;
                seen.first_error.get_or_insert(why);
                // Whoever refuses connections is not asked in a tight loop.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
    seen
}

async fn ask(
    maker: &Maker<'_>,
    connection: &mut Option<Connection>,
    requests: &[Vec<u8>],
) -> Result<u64> {
    let open = match connection {
        Some(open) => open,
        None => connection.insert(Connection::open(maker.address).await?),
    };
    let mut bytes = 0;
    for request in requests {
        let answer = open.ask(request).await?;
        if !maker.good(answer.status, answer.body) {
            let said = String::from_utf8_lossy(answer.body);
            let said: String = said.chars().take(200).collect();
            anyhow::bail!("status {}: {said}", answer.status);
        }
        bytes += u64::try_from(answer.bytes)?;
    }
    Ok(bytes)
}
