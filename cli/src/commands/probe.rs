//! `probe`: asks a running program whether it lives or is ready, for health checks in containers,
//! where there is no other client.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::args::{PROBED, ProbeArgs};

/// Most of an answer that is read, in bytes.
const MOST: u64 = 64 << 10;

/// Succeeds when the answer is 200.
pub(crate) fn probe(args: &ProbeArgs) -> Result<()> {
    // A variable without text counts as not set.
    let url = match args.url.as_str() {
        "" => PROBED,
        url => url,
    };
    let (authority, path) = parts(url)?;
    let time = Duration::from_secs(args.timeout);
    let answer = ask(authority, path, time)
        .with_context(|| format!("{url} did not answer; is yumascope running there?"))?;
    let (status, body) = split(&answer).with_context(|| {
        format!(
            "what answers at {url} does not speak HTTP; a program that serves HTTPS is asked at its --metrics-listen"
        )
    })?;
    if status != 200 {
        bail!("{url} answered {status}: {}", body.trim());
    }
    Ok(())
}

/// Host with port, and path, of an address.
fn parts(url: &str) -> Result<(&str, &str)> {
    let Some(rest) = url.strip_prefix("http://") else {
        bail!(
            "{url} does not begin with http://; give an address such as http://127.0.0.1:8787/ready"
        );
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if !authority.contains(':') || !is_plain(rest) {
        bail!("{url} has no port; give an address such as http://127.0.0.1:8787/ready");
    }
    Ok((authority, if path.is_empty() { "/" } else { path }))
}

fn ask(authority: &str, path: &str, time: Duration) -> Result<Vec<u8>> {
    let until = Instant::now() + time;
    let left = || {
        until
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(1))
    };
    let mut failed = None;
    for address in authority.to_socket_addrs()? {
        let mut stream = match TcpStream::connect_timeout(&address, left()) {
            Ok(stream) => stream,
            Err(error) => {
                failed = Some(error);
                continue;
            }
        };
        stream.set_write_timeout(Some(left()))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
        )?;
        stream.set_read_timeout(Some(left()))?;
        let mut answer = Vec::new();
        stream.take(MOST).read_to_end(&mut answer)?;
        return Ok(answer);
    }
    match failed {
        Some(error) => Err(error.into()),
        None => bail!("the name has no address"),
    }
}

/// Status and body.
fn split(answer: &[u8]) -> Option<(u16, String)> {
    let text = String::from_utf8_lossy(answer);
    let status = text.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Some((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_a_scheme_and_a_port() {
        assert_eq!(parts("http://a:1").unwrap(), ("a:1", "/"));
        assert_eq!(parts("http://[::1]:1/x/y").unwrap(), ("[::1]:1", "/x/y"));
        for bad in [
            "https://a:1/",
            "a:1",
            "http://a/",
            "http://a:1/x y",
            "http://a:1/\r\n",
        ] {
            let error = parts(bad).unwrap_err().to_string();
            assert!(error.contains("give an address such as"), "{error}");
        }
    }

    #[test]
    fn other_answers_are_no_health() {
        assert_eq!(
            split(b"HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\nwhy"),
            Some((503, "why".to_owned()))
        );
        for bad in [&b""[..], b"SSH-2.0", b"HTTP/1.1 ", b"HTTP/1.1 2\xff0"] {
            assert_eq!(split(bad), None);
        }
    }
}
