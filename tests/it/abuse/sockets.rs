//! WebSockets that are flooded, and sockets that do nothing.

use std::time::Duration;

use serde_json::json;

use super::wire::Wire;
use super::{EVIL, besieged};

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const PING: u8 = 0x89;

fn init() -> Vec<u8> {
    json!({ "type": "connection_init" })
        .to_string()
        .into_bytes()
}

fn subscribe(id: usize, query: &str) -> Vec<u8> {
    let message =
        json!({ "id": id.to_string(), "type": "subscribe", "payload": { "query": query } });
    message.to_string().into_bytes()
}

/// A WebSocket that has introduced itself, unless there is no place for it.
fn introduced(address: &str) -> Option<Wire> {
    let mut wire = Wire::open(address, EVIL).ok()?.upgraded()?;
    wire.frame(TEXT, &init());
    Some(wire)
}

#[test]
fn floods_of_messages_hit_the_flooder_only() {
    let besieged = besieged();
    let address = &besieged.address;
    // Thousands of subscriptions on one socket: those above the limit are refused in words.
    let mut wire = introduced(address).unwrap();
    let _ = wire
        .stream
        .set_write_timeout(Some(Duration::from_millis(500)));
    let mut sent = 0;
    while sent < 4_000 && wire.frame(TEXT, &subscribe(sent, "subscription { blocks { number } }")) {
        sent += 1;
    }
    let text = String::from_utf8_lossy(&wire.drain(Duration::from_secs(3))).into_owned();
    assert!(sent > 10);
    assert!(text.contains("connection_ack"), "{text:.300}");
    // Once the socket is closed nothing more is said; before that, the limit is.
    let refused = text.contains("operations on one WebSocket") || text.contains("\u{8}");
    assert!(refused || sent < 4_000, "{text:.600}");
    besieged.still_answers(1);

    // The same id again and again, costly queries, and messages that are none.
    let mut wire = introduced(address).unwrap();
    for _ in 0..2_000 {
        if !wire.frame(TEXT, &subscribe(1, "subscription { blocks { number } }")) {
            break;
        }
    }
    besieged.still_answers(1);
    let messages: [&[u8]; 9] = [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{\"type\":\"sudo\"}",
        b"{\"type\":\"subscribe\"}",
        b"{\"type\":\"complete\",\"id\":\"nobody\"}",
        b"{\"id\":\"1\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{{{{{{\"}}",
        b"\xff\xfe\xfd",
    ];
    for message in messages {
        for kind in [TEXT, BINARY] {
            for greeted in [true, false] {
                let wire = Wire::open(address, EVIL).ok().and_then(Wire::upgraded);
                let Some(mut wire) = wire else { continue };
                if greeted {
                    wire.frame(TEXT, &init());
                }
                for _ in 0..50 {
                    wire.frame(kind, message);
                }
            }
        }
    }
    besieged.still_answers(1);

    // Tens of thousands of pings, nobody reading the answers.
    let mut wire = introduced(address).unwrap();
    let _ = wire
        .stream
        .set_write_timeout(Some(Duration::from_millis(500)));
    for _ in 0..30_000 {
        if !wire.frame(PING, &[7; 125]) {
            break;
        }
    }
    besieged.still_answers(2);
    drop(wire);
    besieged.stands();
}

#[test]
fn giant_and_broken_frames_are_not_kept() {
    let besieged = besieged();
    let open = || Wire::open(&besieged.address, EVIL).unwrap().upgraded();
    // Told to be an exabyte, followed by what there is.
    for length in [1_u64 << 20, 1 << 32, 1 << 60, u64::MAX] {
        let Some(mut wire) = open() else { continue };
        let mut frame = vec![TEXT, 0x80 | 127];
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(&[0; 4]);
        wire.send(&frame);
        let piece = vec![b' '; 1 << 20];
        for _ in 0..64 {
            if !wire.send(&piece) {
                break;
            }
        }
    }
    // One message in endless parts.
    if let Some(mut wire) = open() {
        let part = vec![b' '; 30_000];
        let mut goes_on = wire.frame(0x01, &part);
        for _ in 0..4_000 {
            goes_on = goes_on && wire.frame(0x00, &part);
        }
        assert!(!goes_on, "a message of 120 MB was taken");
    }
    // Not masked, reserved bits, reserved kinds, a control frame that is too long, a part
    // of nothing, a close frame with one byte.
    let broken: [&[u8]; 7] = [
        b"\x81\x05hello",
        b"\xf1\x80\0\0\0\0",
        b"\x83\x80\0\0\0\0",
        b"\x8f\x80\0\0\0\0",
        b"\x89\xfe\x10\x00\0\0\0\0",
        b"\x80\x80\0\0\0\0",
        b"\x88\x81\0\0\0\0x",
    ];
    for frame in broken {
        if let Some(mut wire) = open() {
            wire.send(frame);
            wire.drain(Duration::from_millis(300));
        }
    }
    besieged.stands();
}

#[test]
fn subscribers_that_never_read_are_bounded() {
    let besieged = besieged();
    let mut sockets = Vec::new();
    for _ in 0..40 {
        let Some(mut wire) = introduced(&besieged.address) else {
            break;
        };
        let _ = wire
            .stream
            .set_write_timeout(Some(Duration::from_millis(200)));
        // Large answers on a socket that nobody reads.
        for id in 0..12 {
            let all = "{ subnets { metagraph { neurons { uid hotkey weights { entries { uid value } } } } } }";
            wire.frame(TEXT, &subscribe(id, all));
        }
        sockets.push(wire);
    }
    assert!(!sockets.is_empty());
    besieged.still_answers(3);
    drop(sockets);
    besieged.stands();
}

#[test]
fn hundreds_of_idle_sockets_leave_room() {
    let besieged = besieged();
    let mut idle = Vec::new();
    for number in 0..500_usize {
        // Whoever is not let in is not idle.
        let Ok(wire) = Wire::open(&besieged.address, EVIL) else {
            continue;
        };
        if number % 5 != 0 {
            idle.push(wire);
        } else if let Some(wire) = wire.upgraded() {
            idle.push(wire);
        }
        if number % 100 == 0 {
            besieged.still_answers(1);
        }
    }
    assert!(!idle.is_empty());
    besieged.still_answers(3);
    drop(idle);
    besieged.still_answers(1);
    besieged.stands();
}
