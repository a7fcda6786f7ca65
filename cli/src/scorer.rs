//! The centralised scorer: takes in what validators report, has commits scored by the
//! challenges' services, closes days, answers validators. It runs beside the road when a
//! file of settings is given (`--scoring FILE`).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use chain_metadata::{MechId, NetUid};
use challenges::ledger::Ledger;
use challenges::record::Provenance;
use challenges::sn61::config::{Challenge, Config, Metagraph, Neuron};
use challenges::sn61::controller::http::{Http, Services, Settings};
use challenges::sn61::cycle::{self, Context};
use challenges::sn61::finalize::{self, Outcome};
use challenges::sn61::report::{self, Report};
use challenges::sn61::state::{Answer, AskError, State, asked};
use figment::Figment;
use figment::providers::{Format, Toml};
use indexer::store::Store;
use indexer::store::engine::Batch;
use indexer::{view, whatif};
use serde::Deserialize;
use tokio::sync::watch;

use crate::adapters::intake::now_ms;
use crate::adapters::reader::records::axon_ip;

/// Rao in the unit of a metagraph's stake.
const RAO: f64 = 1e9;

/// The file of settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    profile: String,
    #[serde(default = "netuid")]
    netuid: u16,
    /// Seconds from one pass to the next.
    #[serde(default = "interval")]
    interval_seconds: u64,
    scoring_hour: Option<u8>,
    min_stake: Option<f64>,
    /// Reports of all validators count, whatever their stake.
    #[serde(default)]
    any_stake: bool,
    /// Reports are put together as the original does.
    #[serde(default)]
    compat: bool,
    /// How many validators must tell of a commit before it is scored.
    #[serde(default = "support")]
    support: usize,
    challenges: Vec<Challenge>,
    /// By the names of the challenges.
    services: BTreeMap<String, Addresses>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Addresses {
    challenge: String,
    compare: String,
    runner: String,
}

fn netuid() -> u16 {
    61
}

fn support() -> usize {
    1
}

fn interval() -> u64 {
    60
}

/// A scorer of one subnet.
pub(crate) struct Scorer {
    ledger: Arc<Ledger>,
    config: Config,
    http: Http,
    interval: Duration,
    /// For answers and reports; passes have a state of their own, since they take long.
    state: Mutex<State>,
}

/// Settings of a scorer from a file of TOML.
fn settings(path: &Path) -> Result<(Config, Http, Duration)> {
    let name = path.display();
    // A file that is not there would be taken for an empty one.
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    let file: File = Figment::from(Toml::string(&text))
        .extract()
        .with_context(|| format!("{name} is no file of scoring settings"))?;
    let mut config = Config::new(&file.profile, file.challenges).context(format!("{name}"))?;
    config.netuid = file.netuid;
    config.merging.compat = file.compat;
    config.merging.support = file.support;
    if let Some(hour) = file.scoring_hour {
        config.set_scoring_hour(hour);
    }
    if let Some(least) = file.min_stake {
        config.min_stake = Some(least);
    }
    if file.any_stake {
        config.min_stake = None;
    }
    config.check().context(format!("{name}"))?;
    if !(1..=86_400).contains(&file.interval_seconds) {
        let seconds = file.interval_seconds;
        bail!("{name}: interval_seconds is {seconds}, it must be 1 to 86400");
    }
    for challenge in &config.challenges {
        if !file.services.contains_key(&challenge.name) {
            let of = &challenge.name;
            bail!("{name}: the challenge {of} has no services; add a table [services.\"{of}\"]");
        }
    }
    if let Some(of) = file
        .services
        .keys()
        .find(|of| config.challenge(of).is_none())
    {
        bail!("{name}: [services.\"{of}\"] is of no challenge in this file");
    }
    let services = file.services.into_iter().map(|(name, addresses)| {
        let services = Services {
            challenge: addresses.challenge,
            compare: addresses.compare,
            runner: addresses.runner,
        };
        (name, services)
    });
    let http = Http::new(services.collect(), Settings::default());
    Ok((config, http, Duration::from_secs(file.interval_seconds)))
}

/// A chain's number as a float: it is only compared with a bound.
#[expect(
    clippy::cast_precision_loss,
    reason = "a bound in whole units needs no more"
)]
fn from_bits(bits: i128) -> f64 {
    bits as f64 / (1_u128 << 64) as f64
}

/// The neurons of a subnet at the newest stored block; `None` while it is not there.
fn metagraph(store: &Store, netuid: u16) -> Result<Option<Metagraph>> {
    let netuid = NetUid(netuid);
    let Some(last) = store.last()? else {
        return Ok(None);
    };
    let Some(at) = view::at(store, last)? else {
        return Ok(None);
    };
    let Some(found) = view::metagraph(store, &at, netuid, MechId(0))? else {
        return Ok(None);
    };
    // The stake of a metagraph is what an epoch would take: own and inherited.
    let stakes = whatif::forecast(store, netuid, MechId(0))?
        .inputs
        .total_stake;
    let neuron = |(uid, neuron): (usize, view::Neuron)| {
        let stake: f64 = stakes
            .get(uid)
            .map_or(0.0, |stake| from_bits(stake.to_bits()));
        Neuron {
            hotkey: neuron.hotkey,
            coldkey: neuron.coldkey.unwrap_or_default(),
            ip: neuron
                .axon
                .as_ref()
                .and_then(axon_ip)
                .unwrap_or_else(|| "0.0.0.0".into()),
            stake: stake / RAO,
        }
    };
    let neurons: Vec<Neuron> = found.into_iter().enumerate().map(neuron).collect();
    let owner = view::held(store, &at, "SubnetOwnerHotkey", &[&netuid.0.to_le_bytes()])?;
    let owner = owner.stored().and_then(|value| value.as_account());
    let owner = owner.and_then(|owner| (0_u16..).zip(&neurons).find(|(_, n)| n.hotkey == owner));
    let owner = owner.map(|(uid, _)| uid);
    Ok(Some(Metagraph::new(neurons, owner)))
}

impl Scorer {
    /// With settings from a file, over a ledger that everybody in this process shares.
    pub(crate) fn load(path: &Path, ledger: Arc<Ledger>) -> Result<Scorer> {
        let (config, http, interval) = settings(path)?;
        let state = State::load(&ledger, &config)?;
        Ok(Scorer {
            ledger,
            config,
            http,
            interval,
            state: Mutex::new(state),
        })
    }

    /// The subnet.
    pub(crate) fn netuid(&self) -> u16 {
        self.config.netuid
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of some commits.
    pub(crate) fn answer(&self, challenge: &str, tokens: &[String]) -> Result<Answer, AskError> {
        let asked = {
            let mut state = self.state();
            state.catch_up(&self.ledger)?;
            asked(&state, challenge, tokens)?
        };
        // Logs are long: they are read while others have the state.
        asked.answer(&self.ledger)
    }

    /// Takes in a report.
    pub(crate) fn take(
        &self,
        report: &Report,
        body: &[u8],
        provenance: &Provenance,
        more: Batch,
    ) -> Result<report::Taken> {
        let Some(miners) = metagraph(self.ledger.store(), self.config.netuid)? else {
            bail!("subnet {} is not in the store yet", self.config.netuid);
        };
        let mut state = self.state();
        state.catch_up(&self.ledger)?;
        let around = (&self.config, &miners);
        Ok(report::take(
            &self.ledger,
            &mut state,
            around,
            report,
            body,
            provenance,
            more,
        )?)
    }

    /// One pass, and what it closes.
    fn pass(&self, state: &mut State) -> Result<()> {
        let Some(miners) = metagraph(self.ledger.store(), self.config.netuid)? else {
            tracing::info!(
                netuid = self.config.netuid,
                "the scorer waits for its subnet"
            );
            return Ok(());
        };
        let context = Context {
            config: &self.config,
            miners: &miners,
            controller: &self.http,
            now_ms: now_ms(),
        };
        let passed = cycle::pass(&self.ledger, state, context)?;
        if passed != cycle::Passed::default() {
            tracing::info!(?passed, "scored");
        }
        for (challenge, outcome) in finalize::run(&self.ledger, state, context)? {
            match outcome {
                Outcome::Already | Outcome::Nothing => {}
                Outcome::Closed { commits } => {
                    tracing::info!(challenge, commits, "the day is closed");
                }
                other => tracing::warn!(challenge, outcome = ?other, "the day stays open"),
            }
        }
        Ok(())
    }

    /// Passes at their intervals, until the program is stopped. What fails is told and
    /// tried again; what was done stays done.
    pub(crate) fn run(&self, stop: &watch::Receiver<bool>) -> Result<()> {
        let mut state = State::load(&self.ledger, &self.config)?;
        while !*stop.borrow() {
            if let Err(error) = self.pass(&mut state) {
                tracing::warn!("the scorer waits: {error:#}");
            }
            let mut left = self.interval;
            while !left.is_zero() && !*stop.borrow() {
                let nap = left.min(Duration::from_millis(200));
                std::thread::sleep(nap);
                left -= nap;
            }
        }
        Ok(())
    }
}
