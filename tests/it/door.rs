//! The window's door in the real program: keys made by the command, rates, TLS, request ids in the
//! log, files that change or break while it runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::context::{indexed_folder, outcome, program, text};

const PATIENCE: Duration = Duration::from_secs(60);

/// A running program, where it serves, and what it said so far.
struct Running {
    child: Child,
    address: String,
    said: Arc<Mutex<String>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(dir: &Path, args: &[&str]) -> Running {
    let fixed = ["serve", "--listen", "127.0.0.1:0", "--data-dir", text(dir)];
    let args: Vec<&str> = fixed.iter().chain(args).copied().collect();
    let mut child = program(&args)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let said = Arc::new(Mutex::new(String::new()));
    let address = loop {
        let line = lines.next().expect("it ended without an address").unwrap();
        if let Some((_, rest)) = line.split_once("serves on http") {
            let rest = rest.trim_start_matches('s').trim_start_matches("://");
            break rest.split('/').next().unwrap().to_owned();
        }
    };
    let heard = said.clone();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let mut said = heard.lock().unwrap();
            said.push_str(&line);
            said.push('\n');
        }
    });
    Running {
        child,
        address,
        said,
    }
}

impl Running {
    /// The log's first line that holds all words.
    fn line(&self, words: &[&str]) -> String {
        let mut found = None;
        wait(&format!("a log line with {words:?}"), || {
            let said = self.said.lock().unwrap();
            let mut lines = said.lines();
            found = lines
                .find(|line| words.iter().all(|word| line.contains(word)))
                .map(str::to_owned);
            found.is_some()
        });
        found.unwrap()
    }

    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        exchange(&mut stream, method, path, headers, body)
    }

    /// The status of a small query.
    fn status(&self, headers: &str) -> u16 {
        self.ask("POST", "/graphql", headers, QUERY).status
    }

    #[cfg(unix)]
    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = std::process::Command::new("kill")
            .args([name, &id])
            .status();
        assert!(sent.unwrap().success());
    }
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

const QUERY: &str = r#"{"query":"query Mine { status { last } }"}"#;

struct Answer {
    status: u16,
    head: String,
    body: String,
}

fn exchange(
    stream: &mut (impl Read + Write),
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Answer {
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_lowercase(),
        body: body.to_owned(),
    }
}

/// What `keys` prints.
fn keys(words: &[&str], dir: &Path) -> String {
    let args: Vec<&str> = ["keys"]
        .iter()
        .chain(words)
        .chain(&["--data-dir", text(dir)])
        .copied()
        .collect();
    let output = outcome(&args);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout).unwrap()
}

fn bearer(key: &str) -> String {
    format!("authorization: Bearer {}\r\n", key.trim())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_used_and_revoked_while_it_runs() {
    let dir = indexed_folder("mini-300", 20).await;
    tokio::task::spawn_blocking(move || {
        let dir = dir.path();
        let first = keys(&["create", "--name", "first"], dir);
        assert!(
            first.starts_with("ysk_") && first.trim().len() == 81,
            "{first}"
        );
        let running = serve(dir, &["--require-key"]);
        assert_eq!(running.ask("GET", "/ready", "", "").status, 200);
        assert_eq!(running.status(""), 401);
        assert_eq!(running.status(&bearer(&first)), 200);

        // The store is locked by the program, the keys are not.
        let second = keys(
            &[
                "create", "--name", "second", "--rate", "3600/h", "--burst", "3",
            ],
            dir,
        );
        wait("the second key", || running.status(&bearer(&second)) == 200);
        let teller = keys(&["create", "--name", "teller", "--scope", "ingest"], dir);
        wait("the key that may only tell", || {
            running.status(&bearer(&teller)) == 403
        });
        let answer = running.ask("POST", "/graphql", &bearer(&second), QUERY);
        assert!(
            answer.head.contains("ratelimit-limit: 3"),
            "{}",
            answer.head
        );

        let listed = keys(&["list"], dir);
        for word in ["first", "second", "ingest", "in force"] {
            assert!(listed.contains(word), "{listed}");
        }
        keys(&["revoke", "first"], dir);
        wait("the revocation", || running.status(&bearer(&first)) == 401);
        assert_ne!(running.status(&bearer(&second)), 401);
        let listed: Value = serde_json::from_str(&keys(&["list", "--json"], dir)).unwrap();
        assert_ne!(listed[0]["revoked"], Value::Null);
        assert_eq!(listed[1]["ratePerSecond"], json!(1.0));

        // A broken file is told, and the last good one stays in force.
        let path = dir.join("keys.json");
        let good = std::fs::read(&path).unwrap();
        for wrong in [&b"{"[..], b"\xff\xff", b"{\"format\":9,\"keys\":[]}"] {
            running.said.lock().unwrap().clear();
            std::fs::write(&path, wrong).unwrap();
            running.line(&["API keys", "last good ones stay in force"]);
            assert_ne!(running.status(&bearer(&second)), 401);
            assert_eq!(running.status(&bearer(&first)), 401);
        }
        let refused = outcome(&["keys", "list", "--data-dir", text(dir)]);
        assert!(!refused.status.success());
        let refused = outcome(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--keys",
            text(&path),
            "--data-dir",
            text(&dir.join("other")),
        ]);
        assert!(!refused.status.success());
        std::fs::write(&path, good).unwrap();
        running.line(&["API keys read anew"]);

        // No secret is ever logged or kept.
        let said = running.said.lock().unwrap().clone();
        let kept = std::fs::read_to_string(&path).unwrap();
        for key in [&first, &second, &teller] {
            let secret = key.trim().rsplit('_').next().unwrap();
            assert!(!said.contains(secret) && !kept.contains(secret));
        }
        assert!(said.contains("key=\"second\""), "{said}");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_takes_the_keys_along() {
    let dir = indexed_folder("mini-300", 20).await;
    let path = dir.path().join("store");
    tokio::task::spawn_blocking(move || {
        // Where there is no store yet, there may be keys already.
        keys(&["create", "--name", "early"], &path);
        assert!(keys(&["list"], &path).contains("early"));
        keys(&["create", "--name", "a"], dir.path());
        std::fs::remove_dir_all(&path).unwrap();
        let before = keys(&["list"], dir.path());
        let done = outcome(&["compact", "--data-dir", text(dir.path())]);
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        assert_eq!(keys(&["list"], dir.path()), before);
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_counted_and_cannot_pose_as_others() {
    let dir = indexed_folder("mini-300", 20).await;
    tokio::task::spawn_blocking(move || {
        let args = [
            "--anonymous-rate",
            "0.001",
            "--anonymous-burst",
            "2",
            "--limit-loopback",
        ];
        let running = serve(dir.path(), &args);
        assert_eq!([running.status(""), running.status("")], [200, 200]);
        for spoofed in [
            "x-forwarded-for: 9.9.9.9\r\n",
            "forwarded: for=9.9.9.9\r\n",
            "x-real-ip: 9.9.9.9\r\n",
        ] {
            let answer = running.ask("POST", "/graphql", spoofed, QUERY);
            assert_eq!(answer.status, 429, "{spoofed}");
            assert!(
                answer.head.contains("retry-after: ")
                    && answer.head.contains("ratelimit-remaining: 0"),
                "{}",
                answer.head
            );
        }
        let answer = running.ask("GET", "/v1/profiles", "", "");
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(
            (answer.status, &problem["code"]),
            (429, &json!("RATE_LIMITED"))
        );
        let metrics = running.ask("GET", "/health", "", "");
        assert_eq!(metrics.status, 200);
        drop(running);

        let args = [
            "--anonymous-rate",
            "0.001",
            "--anonymous-burst",
            "1",
            "--trusted-proxy",
            "127.0.0.0/8",
        ];
        let running = serve(dir.path(), &args);
        let of = |address: &str| running.status(&format!("x-forwarded-for: {address}\r\n"));
        assert_eq!(
            [of("9.9.9.9"), of("9.9.9.9"), of("8.8.8.8")],
            [200, 429, 200]
        );
        running.line(&["client=\"9.9.9.9\"", "status=429"]);
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_has_its_line_and_none_can_forge_one() {
    let dir = indexed_folder("mini-300", 20).await;
    tokio::task::spawn_blocking(move || {
        let side = "127.0.0.1:0";
        let running = serve(dir.path(), &["--log", "debug", "--metrics-listen", side]);
        let answer = running.ask("POST", "/graphql", "x-request-id: abc-1\r\n", QUERY);
        assert!(
            answer.head.contains("x-request-id: abc-1"),
            "{}",
            answer.head
        );
        let line = running.line(&["access", "id=\"abc-1\"", "/graphql"]);
        for word in [
            "status=200",
            "operation=\"status\"",
            "cost=1",
            "bytes=",
            "ms=",
            "method=\"POST\"",
            "client=\"127.0.0.1\"",
        ] {
            assert!(line.contains(word), "{word}: {line}");
        }
        // Names, texts and ids with line ends and orders for the terminal.
        let forged = "evil\\n2030-01-01 ERROR forged line\\u001b[2J";
        let body = format!(r#"{{"operationName":"{forged}","query":"{{ {forged} }}"}}"#);
        running.ask("POST", "/graphql", "x-request-id: a b\r\n", &body);
        running.ask("GET", "/v1/%0aforged%20line%1b", "", "");
        running.ask("POST", "/graphql", "x-request-id: after\r\n", QUERY);
        running.line(&["access", "id=\"after\""]);
        let said = running.said.lock().unwrap().clone();
        assert!(!said.lines().any(|line| line.starts_with("2030")), "{said}");
        assert!(
            !said.contains('\u{1b}') && !said.contains("id=\"a b\""),
            "{said}"
        );
        assert_eq!(running.ask("GET", "/metrics", "", "").status, 404);
        // The same, as JSON.
        drop(running);
        let running = serve(dir.path(), &["--log-json"]);
        running.ask("POST", "/graphql", "x-request-id: abc-2\r\n", QUERY);
        let line: Value = serde_json::from_str(&running.line(&["abc-2"])).unwrap();
        assert_eq!(line["span"]["id"], "abc-2", "{line}");
        assert_eq!(
            (&line["fields"]["operation"], &line["fields"]["status"]),
            (&json!("status"), &json!(200))
        );
        let metrics = running.ask("GET", "/metrics", "", "").body;
        for word in [
            "http_request_seconds_count{route=\"/graphql\"} 1",
            "graphql_operation_seconds_count{operation=\"status\"} 1",
            "http_connections",
        ] {
            assert!(metrics.contains(word), "{word}: {metrics}");
        }
    })
    .await
    .unwrap();
}

fn client(trusted: &CertificateDer<'static>) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

fn tls(
    address: &str,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut connection = client(trusted);
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(connection, stream))
}

fn certificate(dir: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn https_by_files_that_may_change() {
    let dir = indexed_folder("mini-300", 20).await;
    let files = tempfile::tempdir().unwrap();
    tokio::task::spawn_blocking(move || {
        let first = certificate(files.path());
        let (cert, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
        let args = [
            "--tls-cert",
            text(&cert),
            "--tls-key",
            text(&key),
            "--drain",
            "1",
        ];
        let mut running = serve(dir.path(), &args);
        let get = |running: &Running, trusted: &CertificateDer<'static>| {
            let mut stream = tls(&running.address, trusted)?;
            Ok::<_, std::io::Error>(exchange(&mut stream, "POST", "/graphql", "", QUERY).status)
        };
        assert_eq!(get(&running, &first).unwrap(), 200);
        let plain = running.ask("GET", "/health", "", "");
        assert_eq!(plain.status, 400);
        assert!(plain.body.contains("https://"), "{}", plain.body);
        // Renewed: noticed by itself, without an end.
        let second = certificate(files.path());
        wait("the new certificate", || get(&running, &second).is_ok());
        assert!(get(&running, &first).is_err());
        // Broken: told, at SIGHUP again, and the good one stays.
        std::fs::write(&cert, "nothing").unwrap();
        running.line(&["certificate and key", "last good ones stay in force"]);
        running.said.lock().unwrap().clear();
        running.signal("-HUP");
        running.line(&["certificate and key", "last good ones stay in force"]);
        assert_eq!(get(&running, &second).unwrap(), 200);
        // Told to stop: it drains, and ends by itself.
        let _idle = tls(&running.address, &second).unwrap();
        running.signal("-TERM");
        wait("its end", || running.child.try_wait().unwrap().is_some());
        assert!(running.child.wait().unwrap().success());

        let refused = outcome(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            text(dir.path()),
            "--tls-cert",
            text(&cert),
            "--tls-key",
            text(&key),
        ]);
        assert!(String::from_utf8_lossy(&refused.stderr).contains("cert.pem"));
    })
    .await
    .unwrap();
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_at_once() {
    let dir = indexed_folder("mini-300", 20).await;
    tokio::task::spawn_blocking(move || {
        let mut running = serve(dir.path(), &["--drain", "3600"]);
        assert_eq!(running.ask("GET", "/ready", "", "").status, 200);
        running.signal("-TERM");
        wait("the drain", || {
            running.ask("GET", "/ready", "", "").status == 503
        });
        assert_eq!(running.status(""), 200, "it answers while it drains");
        running.signal("-TERM");
        wait("its end", || running.child.try_wait().unwrap().is_some());
        assert_eq!(running.child.wait().unwrap().code(), Some(130));
    })
    .await
    .unwrap();
}

#[test]
fn wrong_settings_are_refused_in_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("f");
    for (args, word) in [
        (&["--trusted-proxy", "10.0.0.0/99"][..], "address range"),
        (&["--proxy-header", "x-real-ip"], "no header of proxies"),
        (&["--cors", "example.org"], "no origin"),
        (&["--tls-cert", "c.pem"], "--tls-key"),
        (&["--only-persisted"], "--persisted-queries"),
        (&["--anonymous-rate", "1e10"], "anonymous_rate"),
        (&["--max-connections", "0"], "max_connections"),
        (&["--ready-lag", "3"], "ready_lag_back"),
    ] {
        let mut all = vec!["serve", "--data-dir", text(&file)];
        all.extend(args);
        let output = outcome(&all);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && told.contains(word),
            "{word}: {told}"
        );
        assert!(!told.contains("panicked"), "{told}");
    }
    for (args, word) in [
        (&["create", "--name", "a\nb"][..], "letters"),
        (&["create", "--name", "a", "--scope", "write"], "no scope"),
        (&["create", "--name", "a", "--rate", "many"], "no rate"),
        (
            &["create", "--name", "a", "--expires", "2001-01-01"],
            "over already",
        ),
        (&["revoke", "nobody"], "no key in force"),
    ] {
        let mut all = vec!["keys"];
        all.extend(args);
        all.extend(["--data-dir", text(dir.path())]);
        let output = outcome(&all);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && told.contains(word),
            "{word}: {told}"
        );
    }
}

/// What `docs/operations.md` shows is there: flags exist, and the commands about keys run as they
/// stand.
#[test]
fn the_operations_guide_holds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let help: String = [
        &["run", "--help"][..],
        &["keys", "create", "--help"],
        &["check", "--help"],
    ]
    .iter()
    .map(|words| String::from_utf8_lossy(&outcome(words).stdout).into_owned())
    .collect();
    let mut flags = 0;
    for line in guide.lines().filter(|line| {
        !line.contains("openssl") && !line.contains("curl") && !line.contains("-subj")
    }) {
        for word in line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
            if word.len() > 3 && word.starts_with("--") && word.as_bytes()[2].is_ascii_lowercase() {
                let known = help.split_whitespace().any(|other| other == word);
                assert!(known || word == "--tls-", "{word} is no flag");
                flags += 1;
            }
        }
    }
    assert!(flags > 30, "{flags}");

    let dir = tempfile::tempdir().unwrap();
    let mut commands = 0;
    for line in guide
        .lines()
        .filter_map(|line| line.strip_prefix("yumascope keys "))
    {
        let line = line
            .replace("--data-dir /var/lib/yumascope", "")
            .replace("\"my notebook\"", "my-notebook");
        let words: Vec<&str> = line.split_whitespace().collect();
        keys(&words, dir.path());
        commands += 1;
    }
    assert_eq!(commands, 5);
}
