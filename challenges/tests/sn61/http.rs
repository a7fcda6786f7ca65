//! The client against a real server on loopback.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use challenges::python::{Json, parse};
use challenges::sn61::controller::http::{Http, Services, Settings};
use challenges::sn61::controller::{Controller, ControllerError};

/// What a server was asked: first line and body.
type Asked = Arc<Mutex<Vec<(String, String)>>>;

fn one(stream: TcpStream, answer: &str, asked: &Asked) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    if reader.read_line(&mut first).unwrap_or(0) == 0 {
        return;
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    asked.lock().unwrap().push((first.trim().to_owned(), body));
    let mut stream = stream;
    let _ = stream.write_all(answer.as_bytes());
}

/// A server that gives one answer a connection, in order, then closes the door.
fn server(answers: Vec<String>) -> (String, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Asked::default();
    let list = asked.clone();
    std::thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            one(stream, &answer, &list);
        }
    });
    (address, asked)
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn ok(body: &str) -> String {
    answer("200 OK", body)
}

fn client(address: &str) -> Http {
    let services = Services {
        challenge: address.to_owned(),
        compare: address.to_owned(),
        runner: address.to_owned(),
    };
    let settings = Settings {
        timeout: Duration::from_millis(500),
        solve_timeout: Duration::from_millis(500),
        waits: vec![Duration::from_millis(1), Duration::from_millis(2)],
        max_answer: 1000,
    };
    Http::new(BTreeMap::from([("c".to_owned(), services)]), settings)
}

fn object(text: &str) -> Json {
    parse(text).unwrap()
}

#[test]
fn services_are_asked_as_documented() {
    let (address, asked) = server(vec![
        ok(r#"{"z": 1, "a": "\u00e9"}"#),
        ok(r#"{"out": 1}"#),
        ok("0.75"),
        ok("\"no number\""),
        ok(r#"{"data": {"similarity_score": 0.5, "reason": "alike"}}"#),
    ]);
    let client = client(&address);
    let input = client.task("c").unwrap();
    let output = client.solve("c", "user/img", &input).unwrap();
    assert_eq!(client.score("c", true, &input, &output), Ok(0.75));
    assert_eq!(client.score("c", false, &input, &output), Ok(0.0));
    let likeness = client.compare("c", &input, &output, &object("{}")).unwrap();
    assert_eq!(
        (likeness.similarity, likeness.reason.as_str()),
        (0.5, "alike")
    );
    let asked = asked.lock().unwrap();
    let (lines, bodies): (Vec<&str>, Vec<&str>) = asked
        .iter()
        .map(|(line, body)| (line.as_str(), body.as_str()))
        .unzip();
    assert_eq!(
        lines,
        [
            "GET /task HTTP/1.1",
            "POST /solve HTTP/1.1",
            "POST /score?reset=true HTTP/1.1",
            "POST /score HTTP/1.1",
            "POST /compare HTTP/1.1",
        ]
    );
    assert_eq!(
        bodies[1],
        r#"{"docker_hub_id": "user/img", "miner_input": {"z": 1, "a": "\u00e9"}}"#
    );
    assert_eq!(
        bodies[2],
        r#"{"miner_input": {"z": 1, "a": "\u00e9"}, "miner_output": {"out": 1}}"#
    );
    assert_eq!(
        bodies[4],
        r#"{"miner_input": {"z": 1, "a": "\u00e9"}, "miner_output": {"out": 1}, "reference_output": {}}"#
    );
}

#[test]
fn what_may_pass_is_asked_again_and_what_may_not_is_not() {
    let (address, asked) = server(vec![
        answer("503 Busy", ""),
        answer("429 Slow", ""),
        ok("1"),
    ]);
    assert_eq!(
        client(&address).score("c", true, &Json::Null, &Json::Null),
        Ok(1.0)
    );
    assert_eq!(asked.lock().unwrap().len(), 3);
    let (address, asked) = server(vec![answer("400 Bad", "{}"), ok("1")]);
    let refused = client(&address).score("c", true, &Json::Null, &Json::Null);
    assert!(matches!(
        refused,
        Err(ControllerError::Status {
            status: 400,
            attempts: 1,
            ..
        })
    ));
    assert_eq!(asked.lock().unwrap().len(), 1);
    let (address, _) = server(vec![
        answer("500 A", ""),
        answer("502 B", ""),
        answer("500 C", ""),
    ]);
    let failed = client(&address)
        .score("c", true, &Json::Null, &Json::Null)
        .unwrap_err();
    assert_eq!(
        failed.to_string(),
        format!("{address}/score answered 500 (3 attempts)")
    );
}

#[test]
fn redirects_are_not_followed() {
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let (address, _) = server(vec![moved.to_owned()]);
    let refused = client(&address).task("c");
    assert!(
        matches!(refused, Err(ControllerError::Status { status: 302, .. })),
        "{refused:?}"
    );
}

#[test]
fn bad_answers_are_told() {
    let long = format!("\"{}\"", "a".repeat(2000));
    for (body, wanted) in [
        (long.as_str(), "more than 1000 bytes"),
        ("NaN", "something else than JSON"),
        (&"[".repeat(500), "something else than JSON"),
        ("<html>", "something else than JSON"),
    ] {
        let (address, _) = server(vec![ok(body)]);
        let error = client(&address)
            .score("c", false, &Json::Null, &Json::Null)
            .unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
    }
    let (address, _) = server(vec![
        ok("[1]"),
        ok(r#"{"data": {"similarity_score": "x"}}"#),
    ]);
    let client = client(&address);
    assert!(matches!(
        client.task("c"),
        Err(ControllerError::Shape { .. })
    ));
    let compared = client.compare("c", &Json::Null, &Json::Null, &Json::Null);
    assert!(matches!(compared, Err(ControllerError::Shape { .. })));
}

#[test]
fn silence_and_closed_doors_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let silent = client(&address).task("c").unwrap_err();
    assert!(
        matches!(silent, ControllerError::Unreachable { attempts: 3, .. }),
        "{silent}"
    );
    drop(listener);
    let closed = client(&address).task("c").unwrap_err();
    assert!(
        matches!(closed, ControllerError::Unreachable { attempts: 3, .. }),
        "{closed}"
    );
    let (cut, _) = server(vec![
        "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n1".into();
        3
    ]);
    assert!(matches!(
        client(&cut).task("c"),
        Err(ControllerError::Unreachable { .. })
    ));
    assert!(matches!(
        client(&cut).task("other"),
        Err(ControllerError::Unreachable { attempts: 0, .. })
    ));
}
