//! TLS by two files in PEM, read anew when they change.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// Why there is no TLS. What was in force before stays so.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read as PEM.
    #[error("{what} cannot be read from {file}: {why}; give a PEM file")]
    File {
        /// Certificate or key.
        what: &'static str,
        /// Where.
        file: String,
        /// Reason.
        why: String,
    },
    /// The two do not fit, or are of no use.
    #[error("the certificate in {cert} cannot be used with the key in {key}: {why}")]
    Unusable {
        /// File of the certificate.
        cert: String,
        /// File of the key.
        key: String,
        /// Reason.
        why: String,
    },
}

/// A certificate with its key, as they are in two files.
pub struct Tls {
    cert: PathBuf,
    key: PathBuf,
    now: RwLock<Arc<ServerConfig>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("cert", &self.cert).finish()
    }
}

impl Tls {
    /// Reads both files: the certificate with those that vouch for it, and its private key.
    ///
    /// # Errors
    /// [`TlsError`] when a file cannot be read or the two do not fit.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        Ok(Self {
            cert: cert.to_owned(),
            key: key.to_owned(),
            now: RwLock::new(read(cert, key)?),
        })
    }

    /// Reads both files again, for connections that come from now on.
    ///
    /// # Errors
    /// [`TlsError`]; the last good certificate stays in force.
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = read(&self.cert, &self.key)?;
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// The two files.
    pub fn files(&self) -> [&Path; 2] {
        [&self.cert, &self.key]
    }

    /// What new connections are accepted with.
    pub(super) fn now(&self) -> Arc<ServerConfig> {
        self.now
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn read(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let of_file = |what, file: &Path, why: String| TlsError::File {
        what,
        file: file.display().to_string(),
        why,
    };
    let told = "a certificate";
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| of_file(told, cert, error.to_string()))?;
    if chain.is_empty() {
        return Err(of_file(told, cert, "there is none in it".to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| of_file("a private key", key, error.to_string()))?;
    let unusable = |error: rustls::Error| TlsError::Unusable {
        cert: cert.display().to_string(),
        key: key.display().to_string(),
        why: error.to_string(),
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
