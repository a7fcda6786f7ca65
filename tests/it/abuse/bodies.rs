//! Bodies and heads that are too large, too slow, or contradict themselves.

use super::wire::{Said, Wire};
use super::{Besieged, besieged, refused};

/// What a huge body is sent in.
const PIECE: usize = 256 << 10;
const HUGE: usize = 100 << 20;

const QUERY: &str = r#"{"query":"{ status { last } }"}"#;

/// Sends a head and then as much of a huge body as is taken.
fn huge(besieged: &Besieged, path: &str, head: &str, chunked: bool) -> Said {
    let mut wire = besieged.evil();
    let first = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{head}\r\n\r\n"
    );
    let mut open = wire.send(first.as_bytes());
    let piece = vec![b' '; PIECE];
    let mut sent = 0;
    while open && sent < HUGE {
        if chunked {
            open = wire.send(format!("{PIECE:x}\r\n").as_bytes());
        }
        open = open && wire.send(&piece) && (!chunked || wire.send(b"\r\n"));
        sent += PIECE;
    }
    wire.answer()
}

#[test]
fn huge_bodies_are_not_kept() {
    let besieged = besieged();
    let length = format!("Content-Length: {HUGE}");
    let paths = [
        "/graphql",
        "/v1/epochs/1/100/simulate",
        "/v1/profiles/x/score",
        "/v1/results/1",
        "/get_scoring_result",
        "/nowhere",
    ];
    for path in paths {
        refused(path, &huge(&besieged, path, &length, false));
        refused(
            path,
            &huge(&besieged, path, "Transfer-Encoding: chunked", true),
        );
    }
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let address = besieged.address.clone();
            std::thread::spawn(move || {
                let Ok(mut wire) = Wire::open(&address, super::EVIL) else {
                    return;
                };
                let path = ["/graphql", "/v1/profiles/x/score"][number % 2];
                let head =
                    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {HUGE}\r\n\r\n");
                let mut open = wire.send(head.as_bytes());
                let piece = vec![b'{'; PIECE];
                for _ in 0..HUGE / PIECE {
                    open = open && wire.send(&piece);
                }
                refused(path, &wire.answer());
            })
        })
        .collect();
    besieged.still_answers(2);
    for thread in threads {
        thread.join().unwrap();
    }
    besieged.stands();
}

#[test]
fn heads_that_contradict_themselves_are_refused() {
    let besieged = besieged();
    let length = QUERY.len();
    let heads = [
        (
            "two lengths",
            format!("Content-Length: {length}\r\nContent-Length: 5"),
        ),
        ("a negative length", "Content-Length: -1".to_owned()),
        ("a length that is none", "Content-Length: many".to_owned()),
        (
            "a length above all",
            format!("Content-Length: {}", u128::MAX),
        ),
        (
            "an unknown transfer",
            "Transfer-Encoding: chunked, nonsense".to_owned(),
        ),
        (
            "a packed body that is not packed",
            format!("Content-Encoding: gzip\r\nContent-Length: {length}"),
        ),
        (
            "another kind of body",
            format!("Content-Type: text/html\r\nContent-Length: {length}"),
        ),
        (
            "a space before the colon",
            format!("Content-Length : {length}"),
        ),
        (
            "a head with a zero",
            format!("X: a\0b\r\nContent-Length: {length}"),
        ),
        (
            "a folded line",
            format!("X: a\r\n b\r\nContent-Length: {length}"),
        ),
    ];
    for (name, head) in &heads {
        let mut wire = besieged.evil();
        let said = wire.request("POST", "/graphql", head, QUERY.as_bytes());
        // Some of it may be read as a good request; then it is answered as one.
        match &said {
            Said::Answer { status: 200, body } => {
                let good = String::from_utf8_lossy(body).contains("\"last\":329");
                assert!(good || body.starts_with(b"{\"data\":null"), "{name}");
            }
            said => refused(name, said),
        }
    }
    // Whoever counts differently than a proxy in front of it could be told two requests in
    // one: either the length does not count, or nothing does.
    let mut wire = besieged.evil();
    let smuggled = "0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    let head = format!(
        "Content-Length: {}\r\nTransfer-Encoding: chunked",
        smuggled.len()
    );
    refused(
        "length and chunks",
        &wire.request("POST", "/graphql", &head, smuggled.as_bytes()),
    );
    besieged.stands();
}

#[test]
fn lines_that_are_too_long_are_refused() {
    let besieged = besieged();
    let long = "x".repeat(1 << 20);
    let many: String = (0..5_000).map(|n| format!("X-{n}: y\r\n")).collect();
    let requests = [
        (
            "a long path",
            format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
        ),
        (
            "a long query",
            format!("GET /v1/profiles?a={long} HTTP/1.1\r\nHost: x\r\n\r\n"),
        ),
        (
            "a long line",
            format!("GET /health HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n"),
        ),
        (
            "a long name",
            format!("GET /health HTTP/1.1\r\nHost: x\r\n{long}: y\r\n\r\n"),
        ),
        (
            "many lines",
            format!("GET /health HTTP/1.1\r\nHost: x\r\n{many}\r\n"),
        ),
        (
            "a long method",
            format!("{long} /health HTTP/1.1\r\nHost: x\r\n\r\n"),
        ),
        (
            "an unknown version",
            "GET /health HTTP/9.9\r\nHost: x\r\n\r\n".to_owned(),
        ),
        ("no version", "GET /health\r\n\r\n".to_owned()),
        ("another protocol", "SSH-2.0-OpenSSH_9.6\r\n\r\n".to_owned()),
        (
            "HTTP/2 without asking",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        ),
        (
            "a hello of TLS",
            "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\r\n\r\n".to_owned(),
        ),
        (
            "another method",
            "BREW /graphql HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        ),
        (
            "deleting",
            "DELETE /graphql HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        ),
        (
            "a way through",
            "CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        ),
        (
            "another host's page",
            "GET http://127.0.0.1:1/private HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        ),
        (
            "a path with a zero",
            "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        ),
    ];
    for (name, request) in &requests {
        let mut wire = besieged.evil();
        wire.send(request.as_bytes());
        wire.finish();
        refused(name, &wire.answer());
    }
    besieged.stands();
}

#[test]
fn slow_ones_and_those_that_hang_up_take_nothing_from_others() {
    let besieged = besieged();
    let mut open = Vec::new();
    // Not all may be let in.
    for number in 0..120 {
        let Ok(mut wire) = Wire::open(&besieged.address, super::EVIL) else {
            continue;
        };
        let started = match number % 3 {
            0 => "POST /graphql HTTP/1.1\r\nHos".to_owned(),
            1 => format!(
                "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{{",
                QUERY.len()
            ),
            _ => {
                "POST /graphql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
                    .to_owned()
            }
        };
        wire.send(started.as_bytes());
        open.push(wire);
    }
    for _ in 0..10 {
        for wire in &mut open {
            wire.send(b" ");
        }
        besieged.still_answers(1);
    }
    // Half of them say that nothing more comes, the others just go.
    for (number, wire) in open.iter_mut().enumerate() {
        if number % 2 == 0 {
            wire.finish();
            let said = wire.answer();
            refused("a request that ends in the middle", &said);
        }
    }
    drop(open);
    // A whole request, and the sending side closed: that is allowed.
    let mut wire = besieged.evil();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{QUERY}",
        QUERY.len()
    );
    wire.send(head.as_bytes());
    wire.finish();
    match wire.answer() {
        Said::Answer { status: 200, .. } => {}
        said => refused("half closed", &said),
    }
    besieged.stands();
}

#[test]
fn requests_in_a_row_are_answered_in_a_row() {
    let besieged = besieged();
    let mut wire = besieged.evil();
    let one = format!(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{QUERY}",
        QUERY.len()
    );
    wire.send(one.repeat(200).as_bytes());
    let mut answered = 0;
    for _ in 0..200 {
        match wire.answer() {
            Said::Answer { status: 200, body } => {
                assert!(String::from_utf8_lossy(&body).contains("\"last\":329"));
                answered += 1;
            }
            said @ Said::Answer { .. } => refused("in a row", &said),
            Said::Closed => break,
        }
    }
    assert!(answered > 0);
    // And with nobody who reads the answers.
    let mut silent: Vec<Wire> = (0..8).map(|_| besieged.evil()).collect();
    let page = "GET /graphql HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2_000);
    for wire in &mut silent {
        let _ = wire
            .stream
            .set_write_timeout(Some(std::time::Duration::from_millis(500)));
        wire.send(page.as_bytes());
    }
    besieged.still_answers(3);
    drop(silent);
    besieged.stands();
}
