//! TLS by files, with certificates of our own making.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use graphql::{DoorOptions, ServerOptions, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::fake::Fake;
use crate::http::{Server, start_with};

/// Writes a new certificate for localhost and its key; gives the certificate.
fn certificate(dir: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

fn load(dir: &Path) -> Result<Tls, graphql::TlsError> {
    Tls::load(&dir.join("cert.pem"), &dir.join("key.pem"))
}

async fn connect(
    server: &Server,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(server.addr).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

async fn get(stream: &mut TlsStream<TcpStream>, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn https_is_spoken_and_the_certificate_can_be_changed() {
    let dir = tempfile::tempdir().unwrap();
    let first = certificate(dir.path());
    let tls = Arc::new(load(dir.path()).unwrap());
    let options = ServerOptions {
        door: DoorOptions {
            tls: Some(tls.clone()),
            ..DoorOptions::default()
        },
        ..ServerOptions::default()
    };
    let server = start_with(Fake::new(), options).await;
    let mut stream = connect(&server, &first).await.unwrap();
    let page = get(&mut stream, "/").await;
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("https://localhost/graphql"), "{page}");

    // Plain HTTP is told what to do.
    let plain = server.get("/health").await;
    assert_eq!(plain.status, 400);
    assert!(plain.body.contains("https://"), "{}", plain.body);

    let mut open = connect(&server, &first).await.unwrap();
    let second = certificate(dir.path());
    assert!(connect(&server, &second).await.is_err(), "not read yet");
    tls.reload().unwrap();
    assert!(connect(&server, &second).await.is_ok());
    assert!(connect(&server, &first).await.is_err());
    // Who was connected stays so.
    assert!(get(&mut open, "/health").await.starts_with("HTTP/1.1 200"));

    // Files that do not fit are told of, and change nothing.
    let third = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(dir.path().join("cert.pem"), third.cert.pem()).unwrap();
    let error = tls.reload().unwrap_err().to_string();
    assert!(error.contains("cannot be used with the key"), "{error}");
    assert!(connect(&server, &second).await.is_ok());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_a_running_query_finish_over_tls() {
    let dir = tempfile::tempdir().unwrap();
    let trusted = certificate(dir.path());
    let options = ServerOptions {
        door: DoorOptions {
            tls: Some(Arc::new(load(dir.path()).unwrap())),
            ..DoorOptions::default()
        },
        ..ServerOptions::default()
    };
    let fake = Fake::with(|held| held.slow = Duration::from_millis(400));
    let server = start_with(fake, options).await;
    // One idle, one that never shakes hands, one in the middle of a query.
    let _idle = connect(&server, &trusted).await.unwrap();
    let _silent = TcpStream::connect(server.addr).await.unwrap();
    let mut asking = connect(&server, &trusted).await.unwrap();
    let body = r#"{"query":"{ status { last } }"}"#;
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    asking.write_all(request.as_bytes()).await.unwrap();
    while !server.fake.take_counts().contains_key("status") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.stop().await;
    let mut answer = Vec::new();
    asking.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.contains("\"last\":20"), "{answer}");
}

#[test]
fn files_that_are_no_certificate_are_told_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |words: &[&str]| {
        let error = load(dir.path()).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "{word}: {error}");
        }
    };
    refused(&["cert.pem", "a certificate"]);
    certificate(dir.path());
    let key = std::fs::read(dir.path().join("key.pem")).unwrap();
    for wrong in [
        &b""[..],
        b"\xff\xfe\0",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n",
        &key,
    ] {
        std::fs::write(dir.path().join("cert.pem"), wrong).unwrap();
        refused(&["cert.pem"]);
    }
    certificate(dir.path());
    std::fs::write(dir.path().join("key.pem"), "nothing").unwrap();
    refused(&["key.pem", "a private key"]);
}
