//! Webhooks and alert rules beside the window: the ports of crate `alerts` over the reader.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use alerts::chain::{AskError, Chain};
use alerts::file::{FileError, Settings};
use alerts::hook::{Machine, Secrets, Wanted};
use alerts::outbox::Files;
use alerts::service::{Service, check_streams};
use alerts::worker::{Lane, Message, Stop};
use anyhow::{Context, Result, bail};
use chain_metadata::{AccountId, BlockNumber, H256, NetUid};
use futures::StreamExt;
use graphql::rest::Problem;
use graphql::streams::{Filter, Messages, StreamOptions};
use graphql::{Executor, Limits, ReadError, Reader, StreamCursor, StreamMessage, Streams, Topic};
use indexer::store::Store;
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::adapters::reader::StoreReader;
use crate::config::Config;
use crate::signals::stopped;

/// Largest file of rules and hooks.
const FILE_BYTES: u64 = 4 << 20;
/// Messages of a stream that are read ahead.
const AHEAD: usize = 32;
/// Epochs of a subnet that are listed at once; more than a stretch of blocks has.
const EPOCHS: usize = 1_024;
/// How often a stream says where it is.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// Reads a file of rules and hooks.
pub(crate) fn settings(path: &Path, secrets: &dyn Secrets) -> Result<Settings> {
    use std::io::Read;
    let name = path.display();
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES).read_to_string(&mut text))
        .with_context(|| format!("cannot read {name}"))?;
    Settings::read(&text, secrets).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(FileError::to_string).collect();
        anyhow::anyhow!("{name} cannot be used: {}", lines.join("; "))
    })
}

/// Where webhooks keep what must survive: files beside the store's own, which can be read and
/// changed while the store is in use.
pub(crate) fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("alerts")
}

/// The rules and hooks that are wanted, if any, looked at from all sides; inside a tokio runtime.
pub(crate) fn wanted(config: &Config) -> Result<Option<Settings>> {
    let Some(file) = &config.hooks else {
        return Ok(None);
    };
    let settings = settings(file, &Machine)?;
    let wrong = wrong(&settings)?;
    if !wrong.is_empty() {
        bail!("{} cannot be used: {}", file.display(), wrong.join("; "));
    }
    Ok(Some(settings))
}

/// What the schema and the streams say against a file, a sentence each; inside a tokio runtime.
pub(crate) fn wrong(settings: &Settings) -> Result<Vec<String>> {
    // Of a chain without a block: what is refused there is refused everywhere.
    let store = Store::in_memory()?;
    store.bind_genesis(H256::default())?;
    let reader: Arc<dyn Reader> = Arc::new(StoreReader::at_rest(store, None));
    let chain = StoreChain::new(reader.clone());
    let refused = settings.rules.iter().filter_map(|rule| {
        let why = chain.refuses(rule)?;
        Some(format!("rule {}: the query is refused: {why}", rule.name))
    });
    let mut wrong: Vec<String> = refused.collect();
    let streams = StoreStreams::new(reader);
    if let Err(error) = check_streams(&settings.hooks, &streams) {
        wrong.push(error.to_string());
    }
    Ok(wrong)
}

/// Starts rules and hooks, if there are any; inside a tokio runtime.
pub(crate) fn start(
    wanted: Option<Settings>,
    config: &Config,
    reader: Arc<dyn Reader>,
    stop_heard: &watch::Receiver<bool>,
) -> Result<Option<Service>> {
    let Some(settings) = wanted else {
        return Ok(None);
    };
    let (rules, hooks) = (settings.rules.len(), settings.hooks.len());
    let chain = StoreChain::new(reader.clone()).until(stop_heard.clone());
    let outbox = Arc::new(Files::open(&folder(&config.data_dir))?);
    let streams = Arc::new(StoreStreams::new(reader));
    let stop = Stop::default();
    let service = Service::start(settings, outbox, Arc::new(chain), streams, stop.clone())?;
    let heard = stop_heard.clone();
    tokio::spawn(async move {
        stopped(heard).await;
        stop.now();
    });
    tracing::info!(rules, hooks, "webhooks and alert rules are at work");
    Ok(Some(service))
}

/// How long rules and hooks may take to end. What was not delivered by then is later.
const END: Duration = Duration::from_secs(5);

/// Waits for rules and hooks to end.
pub(crate) async fn end(service: Option<Service>) {
    if let Some(service) = service {
        let _ = tokio::task::spawn_blocking(|| service.end(END)).await;
    }
}

/// A chain as the reader has it.
pub(crate) struct StoreChain {
    reader: Arc<dyn Reader>,
    executor: Executor,
    handle: Handle,
    stop: Option<watch::Receiver<bool>>,
}

fn unread(error: &ReadError) -> AskError {
    AskError {
        what: error.to_string(),
        passing: true,
    }
}

impl StoreChain {
    /// Over a reader; inside a tokio runtime.
    pub(crate) fn new(reader: Arc<dyn Reader>) -> StoreChain {
        StoreChain {
            executor: Executor::new(reader.clone(), Limits::default()),
            reader,
            handle: Handle::current(),
            stop: None,
        }
    }

    /// Lets questions go unanswered once `stop` is told.
    fn until(mut self, stop: watch::Receiver<bool>) -> StoreChain {
        self.stop = Some(stop);
        self
    }

    /// Why the schema does not take a rule's document, whatever is stored.
    fn refuses(&self, rule: &alerts::rule::Rule) -> Option<String> {
        let mut variables = rule.variables.clone();
        variables.insert("block".into(), json!(0));
        variables.insert("netuid".into(), json!(0));
        let (executor, query) = (self.executor.clone(), rule.query.clone());
        let asked = move |handle: Handle| {
            handle.block_on(executor.execute(&query, Value::Object(variables)))
        };
        // A thread of its own: a runtime's thread must not wait for the runtime.
        let handle = self.handle.clone();
        let answer = std::thread::spawn(move || asked(handle)).join().ok()?;
        let problem = answer.err()?;
        let ours = ["BAD_INPUT", "LIMIT_EXCEEDED"].contains(&problem.code.as_str());
        ours.then_some(problem.detail)
    }
}

impl Chain for StoreChain {
    fn spans(&self) -> Result<Vec<(u32, u32)>, AskError> {
        let status = self.reader.status().map_err(|error| unread(&error))?;
        Ok(status.spans)
    }

    fn epochs(
        &self,
        netuids: Option<&[u16]>,
        from: u32,
        to: u32,
    ) -> Result<Vec<(u32, u16)>, AskError> {
        let wanted: BTreeSet<u16> = match netuids {
            Some(netuids) => netuids.iter().copied().collect(),
            // Every subnet that was there at some block of the range.
            None => {
                let blocks: Vec<BlockNumber> = (from..=to).collect();
                let subnets = self.reader.subnets(&blocks);
                let subnets = subnets.map_err(|error| unread(&error))?;
                subnets.into_iter().flatten().map(|n| n.0).collect()
            }
        };
        let mut found = Vec::new();
        for netuid in wanted {
            let epochs = self.reader.epochs(NetUid(netuid), from, to, EPOCHS);
            let epochs = epochs.map_err(|error| unread(&error))?;
            found.extend(epochs.into_iter().map(|epoch| (epoch.block, netuid)));
        }
        found.sort_unstable();
        Ok(found)
    }

    fn ask(&self, document: &str, variables: Map<String, Value>) -> Result<Value, AskError> {
        let asked = self.executor.execute(document, Value::Object(variables));
        let answered = self.handle.block_on(async {
            match self.stop.clone() {
                None => Some(asked.await),
                Some(stop) => tokio::select! {
                    biased;
                    () = stopped(stop) => None,
                    answer = asked => Some(answer),
                },
            }
        });
        let Some(answer) = answered else {
            return Err(AskError {
                what: "the program is being stopped".into(),
                passing: true,
            });
        };
        answer.map_err(|problem: Problem| {
            let passing = ["TIMEOUT", "BUSY", "RESTAGING", "INTERNAL"];
            AskError {
                passing: passing.contains(&problem.code.as_str()),
                what: problem.detail,
            }
        })
    }
}

/// Streams as the window has them.
pub(crate) struct StoreStreams {
    reader: Arc<dyn Reader>,
    streams: Streams,
    handle: Handle,
}

impl StoreStreams {
    /// Over a reader; inside a tokio runtime.
    pub(crate) fn new(reader: Arc<dyn Reader>) -> StoreStreams {
        let options = StreamOptions {
            heartbeat: HEARTBEAT,
        };
        StoreStreams {
            streams: Streams::new(reader.clone(), &Limits::default(), options),
            reader,
            handle: Handle::current(),
        }
    }

    fn open(&self, wanted: &Wanted, after: Option<&str>) -> Result<Messages, String> {
        let topic: Topic = wanted
            .topic
            .parse()
            .map_err(|error: graphql::streams::UnknownTopic| error.to_string())?;
        let hotkey = |text: &String| {
            text.parse::<AccountId>()
                .map_err(|_| format!("{text} is no hotkey; give an ss58 address"))
        };
        let hotkeys = wanted.hotkeys.as_ref();
        let hotkeys = hotkeys.map(|list| list.iter().map(hotkey).collect::<Result<_, _>>());
        let filter = Filter {
            netuids: wanted.netuids.clone(),
            hotkeys: hotkeys.transpose()?,
            kinds: wanted.kinds.clone(),
        };
        let after = after.map(|text| StreamCursor::decode_for(topic, text));
        let after = after.transpose().map_err(|error| error.to_string())?;
        // Followed by tasks of the runtime.
        let _inside = self.handle.enter();
        self.streams
            .follow(topic, filter, after)
            .map_err(|error| error.to_string())
    }
}

impl alerts::worker::Streams for StoreStreams {
    fn check(&self, wanted: &Wanted) -> Result<(), String> {
        self.open(wanted, None).map(drop)
    }

    fn tip(&self) -> Option<u32> {
        self.reader.status().ok()?.last
    }

    fn follow(&self, wanted: &Wanted, after: Option<&str>) -> Result<Box<dyn Lane>, String> {
        let messages = self.open(wanted, after)?;
        let (sender, receiver) = mpsc::channel(AHEAD);
        let task = self.handle.spawn(forward(messages, sender));
        Ok(Box::new(Followed { receiver, task }))
    }
}

async fn forward(mut messages: Messages, sender: mpsc::Sender<Result<Message, String>>) {
    while let Some(told) = messages.next().await {
        let told = match told {
            Ok(told) => Ok(message(told)),
            Err(error) => Err(error.to_string()),
        };
        if sender.send(told).await.is_err() {
            break;
        }
    }
}

/// A message of a stream as a hook takes it.
fn message(told: StreamMessage) -> Message {
    let cursor = told.cursor().encode();
    match told {
        StreamMessage::Item { block, value, .. } => Message::Item {
            cursor,
            block,
            kind: "item",
            data: Value::clone(&value),
        },
        StreamMessage::Lagged { from, to, why, .. } => Message::Item {
            cursor,
            block: Some(to),
            kind: "lagged",
            data: json!({ "from": from, "to": to, "why": why }),
        },
        // Only of blocks that are not final, which hooks are not told of.
        StreamMessage::Retracted { above, .. } => Message::Place {
            cursor,
            block: Some(above),
        },
        StreamMessage::Heartbeat { indexed, .. } => Message::Place {
            cursor,
            block: indexed,
        },
    }
}

/// A stream that a task reads ahead.
struct Followed {
    receiver: mpsc::Receiver<Result<Message, String>>,
    task: JoinHandle<()>,
}

impl Lane for Followed {
    fn take(&mut self) -> Result<Option<Message>, String> {
        match self.receiver.try_recv() {
            Ok(told) => told.map(Some),
            Err(mpsc::error::TryRecvError::Empty) => Ok(None),
            // Nothing can come from a store that nobody writes.
            Err(mpsc::error::TryRecvError::Disconnected) => Err(String::new()),
        }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}
