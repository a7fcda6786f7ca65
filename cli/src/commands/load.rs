//! `load`: how many questions a second a server answers, and how long each takes.

mod drive;
mod http;
mod process;
mod report;
mod scenario;
mod world;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use replay_node::ReplayNode;
use tempfile::TempDir;

use crate::args::{LoadArgs, Scenario};
use drive::{Measured, Target, drive};
use process::Server;
use world::World;

/// What is asked, and what is to end when all is measured.
struct Setting {
    target: Arc<Target>,
    server: Option<Server>,
    node: Option<ReplayNode>,
    /// Holds the store of a recording.
    _scratch: Option<TempDir>,
}

/// Puts load on a server and prints what came of it.
pub(crate) fn load(args: &LoadArgs) -> Result<()> {
    crate::telemetry::logs("warn", false)?;
    if args.connections.contains(&0) {
        bail!("--connections 0 asks nothing; give numbers from 1 on, such as 1,16,256");
    }
    super::runtime()?.block_on(run(args))
}

async fn run(args: &LoadArgs) -> Result<()> {
    let mut setting = set(args).await?;
    let (range, subnets) = (setting.target.world.range, &setting.target.world.subnets);
    let neurons: u64 = subnets.iter().map(|(_, neurons)| u64::from(*neurons)).sum();
    if !args.json {
        super::print(&format!(
            "blocks {} to {}, {} subnets, {neurons} neurons\n\n{}",
            range.0,
            range.1,
            subnets.len(),
            report::head()
        ));
    }
    let all = match args.only.is_empty() {
        true => Scenario::value_variants(),
        false => &args.only,
    };
    let mut measured: Vec<Measured> = Vec::new();
    for scenario in all {
        if let Some(lacks) = setting.target.maker(*scenario).lacks() {
            eprintln!("{} is left out: {lacks}", report::name(*scenario));
            continue;
        }
        for connections in &args.connections {
            let time = Duration::from_secs(args.seconds);
            let usage = || setting.server.as_ref().and_then(Server::usage);
            let target = &setting.target;
            let one = drive(target, *scenario, *connections, time, args.seed, usage).await?;
            match args.json {
                true => super::print(&format!("{}\n", serde_json::to_string(&one)?)),
                false => super::print(&report::line(&one)),
            }
            measured.push(one);
        }
    }
    if !args.json {
        let compared = report::comparison(&measured);
        super::print(&format!("\n{}{compared}", report::FOOT));
    }
    if let Some(node) = setting.node.take() {
        node.stop().await;
    }
    match measured.iter().all(|m| m.answered == 0) {
        true => bail!("nothing was answered; see the first errors above"),
        false => Ok(()),
    }
}

/// Starts what is to be asked.
async fn set(args: &LoadArgs) -> Result<Setting> {
    let target = |world, address: String| Target {
        world,
        recorded: Vec::new(),
        address,
        node: None,
        gzip: args.gzip,
    };
    if let Some(address) = &args.address {
        let world = World::of(address).await?;
        return Ok(Setting {
            target: Arc::new(target(world, address.clone())),
            server: None,
            node: None,
            _scratch: None,
        });
    }
    if let Some(dir) = &args.data_dir {
        let server = Server::start(args.program.as_deref(), dir, args.cache_mib)?;
        let world = World::of(&server.address).await?;
        return Ok(Setting {
            target: Arc::new(target(world, server.address.clone())),
            server: Some(server),
            node: None,
            _scratch: None,
        });
    }
    let recording = match &args.recording {
        Some(dir) => Arc::new(replay_node::load_dir(dir)?),
        None => replay_node::fixture("mini-300")?,
    };
    let node = replay_node::start(recording.clone(), replay_node::Options::default()).await?;
    let scratch = tempfile::tempdir().context("no temporary folder can be made")?;
    let dir = scratch.path().join("store");
    let (url, head, into) = (node.ws_url(), recording.head, dir.clone());
    tokio::task::spawn_blocking(move || process::index(&url, head, &into)).await??;
    let server = Server::start(args.program.as_deref(), &dir, args.cache_mib)?;
    let world = World::of(&server.address).await?;
    let at = node.ws_url();
    let at = at.trim_start_matches("ws://").trim_end_matches('/');
    Ok(Setting {
        target: Arc::new(Target {
            recorded: scenario::recorded(&recording),
            node: Some(at.to_owned()),
            ..target(world, server.address.clone())
        }),
        server: Some(server),
        node: Some(node),
        _scratch: Some(scratch),
    })
}
