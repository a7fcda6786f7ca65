//! How the road and the store bear a chain of the size of the real one.
//!
//! `cargo run --release -p synthetic --bin scale -- --blocks 1500`

mod args;
mod codec;
mod growth;
mod layout;
mod memory;
mod reads;
mod sizes;

use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexer::compact;
use indexer::notify::Notify;
use indexer::pipeline::{self, Plan, Progress};
use indexer::store::Store;
use synthetic::{Chain, SyntheticSource};
use tokio::sync::watch;

use args::Args;
use memory::Watch;

pub(crate) type Failed = Box<dyn Error + Send + Sync>;

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Failed> {
    let mut out = std::io::stdout().lock();
    let Some(args) = Args::parse(std::env::args().skip(1))? else {
        write!(out, "{}", args::HELP)?;
        return Ok(());
    };
    let scratch = tempfile::tempdir()?;
    let dir = args
        .data_dir
        .clone()
        .unwrap_or_else(|| scratch.path().join("store"));
    let chain = Arc::new(Chain::new(args.config)?);
    let config = chain.config();
    writeln!(
        out,
        "chain: {} blocks, {} subnets, {} neurons, {} validators, tempo {}, drift {}, seed {}",
        config.head,
        config.subnets,
        config.neurons,
        config.validators,
        config.tempo,
        config.drift,
        config.seed
    )?;

    let store = Store::open_sled(&dir, true, args.cache_bytes())?;
    if store.last()?.is_none_or(|last| last < config.head) {
        index(&mut out, &args, &chain, &store)?;
    }
    let disk = store.engine().size_on_disk()?;
    let sizes = sizes::measure(&store, &chain)?;
    sizes::print(&mut out, &sizes, disk)?;
    if args.codec {
        codec::print(&mut out, &store, &chain)?;
        layout::print(&mut out, &store, &chain, args.cache_bytes())?;
    }
    drop(store);

    let opened = Instant::now();
    let store = Store::open_sled(&dir, false, args.cache_bytes())?;
    writeln!(
        out,
        "\nopened again in {:.2} s, {:.1} MB on disk",
        opened.elapsed().as_secs_f64(),
        mega(store.engine().size_on_disk()?)
    )?;
    reads::print(&mut out, &store, &chain, args.reads)?;
    drop(store);
    if args.compact {
        let started = Instant::now();
        let done = compact::compact(&dir, args.cache_bytes(), false)?;
        writeln!(
            out,
            "\ncompacted in {:.1} s: {:.1} MB on disk before, {:.1} MB after",
            started.elapsed().as_secs_f64(),
            mega(done.before),
            mega(done.after)
        )?;
        let store = Store::open_sled(&dir, false, args.cache_bytes())?;
        reads::print(&mut out, &store, &chain, args.reads)?;
    }
    writeln!(
        out,
        "\nmemory at its highest: {:.0} MB",
        mega(memory::peak())
    )?;
    Ok(())
}

/// Indexes the whole chain and says how fast that went.
fn index(
    out: &mut impl Write,
    args: &Args,
    chain: &Arc<Chain>,
    store: &Store,
) -> Result<(), Failed> {
    let source = Arc::new(SyntheticSource::new(chain.clone()));
    let (progress, mut seen) = watch::channel(Progress::default());
    let more = seen.clone();
    let (_stop, stop) = watch::channel(false);
    let plan = Plan {
        until: Some(chain.config().head),
        window: args.window,
        ..Plan::default()
    };
    let watch = Watch::start();
    let cpu = memory::cpu_seconds();
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let run = pipeline::run(
        source.clone(),
        store.clone(),
        plan,
        Notify::default(),
        progress,
        stop,
    );
    let first = runtime.spawn(async move {
        let first = seen.wait_for(|p| p.committed.is_some()).await;
        first
            .ok()
            .and_then(|p| Some((p.committed?, started.elapsed())))
    });
    let grown = runtime.spawn(growth::watch(store.clone(), source.clone(), more));
    let last = runtime.block_on(run)?.unwrap_or_default();
    let whole = started.elapsed();
    let (after, first) = runtime.block_on(first)?.unwrap_or((0, Duration::ZERO));
    let (peak, steady) = watch.stop();
    let blocks = f64::from(last.saturating_sub(after));
    let rate = blocks / (whole - first).as_secs_f64();
    let cpu = memory::cpu_seconds() - cpu;
    writeln!(
        out,
        "indexed up to block {last} in {:.1} s: the first window in {:.1} s (of an empty store: with the \
         whole state of block 0), then {rate:.1} blocks/s",
        whole.as_secs_f64(),
        first.as_secs_f64(),
    )?;
    writeln!(
        out,
        "of {cpu:.1} s of processor time the generator took {:.1} s; {:.1} MB of blocks and values were given",
        source.spent().as_secs_f64(),
        mega(source.given()),
    )?;
    let mut asked = source.asked();
    asked.sort_by_key(|(_, keys, _)| std::cmp::Reverse(*keys));
    writeln!(out, "most asked for:")?;
    for (name, keys, bytes) in asked.iter().take(12) {
        writeln!(out, "  {name:<44} {keys:>9} keys {:>9.2} MB", mega(*bytes))?;
    }
    writeln!(
        out,
        "memory while indexing: {:.0} MB at most, {:.0} MB in the middle of the second half",
        mega(peak),
        mega(steady)
    )?;
    growth::print(out, &runtime.block_on(grown)??)
}

/// Bytes as millions.
pub(crate) fn mega(bytes: u64) -> f64 {
    float(bytes) / 1e6
}

/// A count as a float, for rates.
pub(crate) fn float(number: u64) -> f64 {
    // Counts here are far below 2^53.
    number as f64
}
