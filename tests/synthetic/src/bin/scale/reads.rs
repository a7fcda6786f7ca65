//! How long a metagraph at a random block takes.

use std::io::Write;
use std::time::{Duration, Instant};

use chain_metadata::{MechId, NetUid};
use indexer::store::Store;
use indexer::view;
use synthetic::Chain;

use crate::Failed;

/// Parts of one read.
const PARTS: [&str; 4] = ["metagraph", "rows of W", "rows of B", "all of it"];

/// Seconds of each part.
type Times = [Duration; PARTS.len()];

pub(crate) fn print(
    out: &mut impl Write,
    store: &Store,
    chain: &Chain,
    count: usize,
) -> Result<(), Failed> {
    let config = chain.config();
    // The metadata is parsed once in the life of a program.
    view::at(store, config.head)?.ok_or("the last block is not stored")?;
    let mut seed = config.seed;
    let mut random = |below: u32| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((seed >> 33) % u64::from(below.max(1))).unwrap_or(0)
    };
    let wanted: Vec<(u32, u16)> = (0..count)
        .map(|_| {
            let netuid = random(config.subnets.into()) + 1;
            (random(config.head + 1), u16::try_from(netuid).unwrap_or(1))
        })
        .collect();
    writeln!(
        out,
        "\n{count} metagraphs with all rows of W and B at random blocks, milliseconds:"
    )?;
    writeln!(out, "{:<28} {:>9} {:>9} {:>9}", "", "p50", "p99", "most")?;
    for state in ["cold", "warm"] {
        let times: Vec<Times> = wanted
            .iter()
            .map(|(block, netuid)| one(store, *block, *netuid))
            .collect::<Result<_, _>>()?;
        for (at, part) in PARTS.iter().enumerate() {
            let mut list: Vec<f64> = times
                .iter()
                .filter_map(|t| t.get(at))
                .map(|t| t.as_secs_f64() * 1e3)
                .collect();
            list.sort_by(f64::total_cmp);
            let rank = |percent: usize| {
                let place = (list.len() * percent / 100).min(list.len().saturating_sub(1));
                list.get(place).copied().unwrap_or(0.0)
            };
            let (p50, p99, most) = (rank(50), rank(99), rank(100));
            writeln!(
                out,
                "{:<28} {p50:>9.2} {p99:>9.2} {most:>9.2}",
                format!("{state} {part}")
            )?;
        }
    }
    writeln!(
        out,
        "(cold: nothing in sled's cache; the system's cache is warm)"
    )?;
    Ok(())
}

fn one(store: &Store, block: u32, netuid: u16) -> Result<Times, Failed> {
    let (netuid, mechanism) = (NetUid(netuid), MechId(0));
    let started = Instant::now();
    let at = view::at(store, block)?.ok_or("a block is not stored")?;
    let neurons = view::metagraph(store, &at, netuid, mechanism)?.ok_or("no such subnet")?;
    let neurons_at = started.elapsed();
    let weights = view::rows(store, &at, "Weights", netuid, mechanism)?.ok_or("no W")?;
    let weights_at = started.elapsed();
    let bonds = view::rows(store, &at, "Bonds", netuid, mechanism)?.ok_or("no B")?;
    let all = started.elapsed();
    if neurons.is_empty() || weights.len() != bonds.len() {
        return Err(format!("subnet {netuid} at {block} is not whole").into());
    }
    Ok([neurons_at, weights_at - neurons_at, all - weights_at, all])
}
