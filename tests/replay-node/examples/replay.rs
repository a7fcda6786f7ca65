//! Plays a recording until it is interrupted, to try a client on by hand.
//!
//! `cargo run -p replay-node --example replay -- [NAME or FOLDER] [PORT] [MILLISECONDS PER BLOCK]`
//!
//! Without the last argument the whole chain is there at once.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use replay_node::{FIXTURES, Mode, Options, fixture, load_dir, start};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a program to be run by hand")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| FIXTURES[0].to_owned());
    let recording = if FIXTURES.contains(&name.as_str()) {
        fixture(&name)?
    } else {
        Arc::new(load_dir(Path::new(&name))?)
    };
    let port = arguments.next().map_or(Ok(9944), |port| port.parse())?;
    let mode = match arguments.next() {
        None => Mode::Whole,
        Some(text) => Mode::Live {
            start: 1.min(recording.head),
            every: Duration::from_millis(text.parse()?),
        },
    };
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let options = Options {
        listen,
        mode,
        ..Options::default()
    };
    let node = start(recording, options).await?;
    println!("{} up to block {}", node.ws_url(), node.end());
    tokio::signal::ctrl_c().await?;
    println!("{:#?}", node.counts());
    node.stop().await;
    Ok(())
}
