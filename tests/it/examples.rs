//! Every example of the documents, executed against the demo.
//!
//! A block of `graphql` is asked, and must be answered without an error; when a block of `json`
//! follows it, by just that. Of a block of `sh`, commands of `curl` are sent, commands of this
//! program are run; those that need what a document cannot bring (a network, a key, a file of the
//! reader's) have at least flags that exist. A block under `<!-- not run: reason -->` is left out.

mod shell;
mod stream;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::context::{outcome, program};
use crate::served::{Served, query, start, wait_until_ready};
use shell::{Curl, commands, curl, pipeline, words};

/// What stands in the documents for the address of a demo.
const ADDRESS: &str = "127.0.0.1:8787";
/// Words that stand for something of the reader's.
const PLACEHOLDERS: [&str; 13] = [
    "DIR", "FILE", "NAME", "N", "SS58", "HOTKEY", "STORE", "BLOCK", "KEY", "URL", "HEX", "A",
    "HOOK",
];
/// Commands that go on until they are stopped, or that reach beyond this machine.
const GO_ON: [&str; 5] = ["run", "index", "serve", "demo", "load"];

/// A fenced block.
struct Block {
    document: String,
    line: usize,
    kind: String,
    text: String,
    /// The block of JSON right behind it.
    answer: Option<String>,
    is_run: bool,
    /// The file that it is, for what follows in its document.
    file: Option<String>,
    /// Its requests are refused.
    is_refused: bool,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

fn documents() -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md", "SECURITY.md"]
        .iter()
        .map(|name| root().join(name))
        .filter(|path| path.exists())
        .collect();
    let docs = std::fs::read_dir(root().join("docs")).unwrap();
    all.extend(docs.map(|entry| entry.unwrap().path()));
    all.sort();
    all
}

fn blocks(path: &Path) -> Vec<Block> {
    let text = std::fs::read_to_string(path).unwrap();
    let document = path.file_name().unwrap().to_string_lossy().into_owned();
    let mut found: Vec<Block> = Vec::new();
    let mut open: Option<Block> = None;
    // Lines since the last block's end that say something.
    let mut said = 0;
    let (mut is_run, mut is_refused) = (true, false);
    let mut file: Option<String> = None;
    for (at, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(kind), None) => {
                open = Some(Block {
                    document: document.clone(),
                    line: at + 1,
                    kind: kind.trim().to_owned(),
                    text: String::new(),
                    answer: None,
                    is_run,
                    file: file.take(),
                    is_refused,
                });
            }
            (Some(_), Some(_)) => {
                let block = open.take().unwrap();
                match found.last_mut() {
                    Some(asked) if block.kind == "json" && asked.kind == "graphql" && said == 0 => {
                        asked.answer = Some(block.text);
                    }
                    _ => found.push(block),
                }
                (said, is_run, is_refused) = (0, true, false);
            }
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) if line.starts_with("<!-- not run: ") => is_run = false,
            (None, None) if line.starts_with("<!-- refused") => is_refused = true,
            (None, None) if line.starts_with("<!-- file: ") => {
                file = line.split(' ').nth(2).map(str::to_owned);
            }
            (None, None) => said += usize::from(!line.trim().is_empty()),
        }
    }
    assert!(open.is_none(), "{document}: a block is not closed");
    found
}

/// Head and body of an answer; of a stream what comes within a moment.
fn send(asked: &Curl, address: &str) -> (u16, String) {
    let url = asked.url.replace(ADDRESS, address);
    let rest = url
        .strip_prefix("http://")
        .unwrap_or_else(|| panic!("{url}"));
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    assert_eq!(host, address, "the examples ask the demo");
    let mut stream = TcpStream::connect(host).unwrap();
    let path = if path.is_empty() { "/" } else { path };
    let mut head = format!(
        "{} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n",
        asked.method
    );
    for header in &asked.headers {
        head.push_str(&format!("{header}\r\n"));
    }
    if !asked.body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", asked.body.len()));
    }
    write!(stream, "{head}\r\n{}", asked.body).unwrap();
    let wait = if asked.streams { 3 } else { 60 };
    stream
        .set_read_timeout(Some(Duration::from_secs(wait)))
        .unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 16 << 10];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(size) => answer.extend(&piece[..size]),
            // A stream that has said something may go on for ever.
            Err(error) => {
                assert!(asked.streams && !answer.is_empty(), "{url}: {error}");
                break;
            }
        }
        if asked.streams && answer.len() > 64 << 10 {
            break;
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    (
        status.unwrap_or_else(|| panic!("{url}: {answer:.200}")),
        answer,
    )
}

/// The program's own arguments of a command, when it is one of this program.
fn ours(words: &[String]) -> Option<&[String]> {
    let cargo = ["cargo", "run", "--release", "--"];
    match words.first()?.as_str() {
        "yumascope" => Some(&words[1..]),
        "cargo" if words.len() > 4 && words[..4] == cargo => Some(&words[4..]),
        _ => None,
    }
}

/// Flags of a command that its help does not name.
fn unknown_flags(words: &[String]) -> Vec<String> {
    let depth = words
        .iter()
        .take_while(|word| !word.starts_with('-'))
        .count();
    // Subcommands come first; what follows them may be values.
    let help = (1..=depth.min(2)).rev().find_map(|depth| {
        let mut asked: Vec<&str> = words[..depth].iter().map(String::as_str).collect();
        asked.push("--help");
        let output = outcome(&asked);
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    });
    let help = help.unwrap_or_else(|| panic!("{words:?} is no command"));
    let flags = words.iter().filter(|word| word.starts_with("--"));
    let names = flags.map(|flag| flag.split('=').next().unwrap().to_owned());
    names.filter(|flag| !help.contains(flag.as_str())).collect()
}

/// Runs a command of ours, with what is piped into it.
fn run(words: &[String], input: Option<&str>, desk: &Desk) {
    let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut child = program(&arguments)
        .current_dir(desk.folder.path())
        .envs(desk.exported.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // A program that has no use for its input may have ended.
    let _ = pipe.write_all(input.unwrap_or_default().as_bytes());
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[derive(Default)]
struct Counted(BTreeMap<&'static str, usize>);

impl Counted {
    fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }
}

/// Where a document is tried: a folder with the project's recordings and the document's files.
struct Desk {
    folder: tempfile::TempDir,
    exported: Vec<(String, String)>,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(root().join("tests"), folder.path().join("tests")).unwrap();
        Self {
            folder,
            exported: Vec::new(),
        }
    }
}

fn command(text: &str, is_refused: bool, served: &Served, desk: &mut Desk, counted: &mut Counted) {
    let parts = pipeline(text);
    let first = words(&parts[0]).unwrap();
    if first[0] == "curl" {
        if text.contains('$') {
            counted.add("requests with a secret");
            return;
        }
        let (status, answer) = send(&curl(&first[1..]), &served.address);
        assert_eq!(status >= 400, is_refused, "{text}\n{answer:.600}");
        counted.add("requests");
        return;
    }
    if first[0] == "export" {
        let (name, value) = first[1].split_once('=').unwrap();
        desk.exported.push((name.to_owned(), value.repeat(2)));
        return;
    }
    let (command, input) = match (first[0].as_str(), parts.get(1)) {
        ("echo", Some(next)) => (words(next).unwrap(), first.get(1).cloned()),
        _ => (first, None),
    };
    let Some(own) = ours(&command) else {
        let known = [
            "cargo",
            "cd",
            "just",
            "docker",
            "docker/check",
            "promtool",
            "wrk",
        ];
        assert!(known.contains(&command[0].as_str()), "{text}: what is it?");
        return;
    };
    let unknown = unknown_flags(own);
    assert!(unknown.is_empty(), "{text}: {unknown:?} does not exist");
    let open = |word: &String| {
        PLACEHOLDERS.contains(&word.as_str())
            || word.contains('…')
            || word.contains('$')
            || ["/var/", "/etc/"]
                .iter()
                .any(|folder| word.starts_with(folder))
    };
    let is_ours = own.iter().any(open) || GO_ON.contains(&own[0].as_str());
    let outside = text.contains('<') || text.contains("--url");
    if is_ours || outside {
        counted.add("flags");
        return;
    }
    run(own, input.as_deref(), desk);
    counted.add("commands");
}

/// The examples of the query page, by name.
fn of_the_page() -> Vec<(String, String)> {
    let page = std::fs::read_to_string(root().join("graphql/src/server/pages/query.js")).unwrap();
    let (_, list) = page.split_once("const EXAMPLES = {\n").unwrap();
    let (list, _) = list.split_once("\n};").unwrap();
    let lines = list.trim_end().trim_end_matches(',');
    let all: serde_json::Map<String, Value> =
        serde_json::from_str(&format!("{{{lines}}}")).expect("the list is JSON");
    let text = |value: Value| value.as_str().unwrap().to_owned();
    all.into_iter()
        .map(|(name, value)| (name, text(value)))
        .collect()
}

#[test]
fn every_example_of_the_query_page_works() {
    let served = start(&["demo", "--listen", "127.0.0.1:0"]);
    wait_until_ready(&served.address);
    let examples = of_the_page();
    assert!(examples.len() >= 14, "{}", examples.len());
    for (name, text) in examples {
        if text.starts_with("subscription") {
            let said = stream::first(&served.address, &text);
            assert!(said["payload"]["errors"].is_null(), "{name}: {said}");
        } else {
            let answer = query(&served.address, &text);
            assert!(answer["errors"].is_null(), "{name}: {}", answer["errors"]);
        }
    }
}

#[test]
fn every_example_of_the_documents_works() {
    let served = start(&["demo", "--listen", "127.0.0.1:0"]);
    wait_until_ready(&served.address);
    let mut counted = Counted::default();
    let mut desk = Desk::new();
    let mut document = String::new();
    for block in documents().iter().flat_map(|path| blocks(path)) {
        let place = format!("{}:{}", block.document, block.line);
        if block.document != document {
            document.clone_from(&block.document);
            desk = Desk::new();
        }
        if let Some(file) = &block.file {
            std::fs::write(desk.folder.path().join(file), &block.text).unwrap();
        }
        eprintln!("{place} {}", block.kind);
        if !block.is_run {
            counted.add("left out");
            continue;
        }
        match block.kind.as_str() {
            "graphql" if block.text.trim_start().starts_with("subscription") => {
                let said = stream::first(&served.address, &block.text);
                assert!(said["payload"]["errors"].is_null(), "{place}: {said}");
                counted.add("subscriptions");
            }
            "graphql" => {
                let answer = query(&served.address, &block.text);
                assert!(answer["errors"].is_null(), "{place}: {}", answer["errors"]);
                if let Some(wanted) = &block.answer {
                    let wanted: Value = serde_json::from_str(wanted)
                        .unwrap_or_else(|error| panic!("{place}: the answer is no JSON: {error}"));
                    assert_eq!(answer, wanted, "{place}");
                }
                counted.add("queries");
            }
            "sh" => {
                for text in commands(&block.text) {
                    command(&text, block.is_refused, &served, &mut desk, &mut counted);
                }
            }
            _ => {}
        }
    }
    eprintln!("{:?}", counted.0);
    for (what, least) in [
        ("queries", 9),
        ("requests", 18),
        ("commands", 9),
        ("flags", 20),
        ("subscriptions", 1),
    ] {
        let found = counted.0.get(what).copied().unwrap_or_default();
        assert!(found >= least, "only {found} {what}: {:?}", counted.0);
    }
}
