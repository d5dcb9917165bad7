//! TLS beyond loopback: a certificate of the replica's own, which invitations pin, or files that somebody has.
//!
//! Handshakes run in tasks of their own, so that a peer which does not finish one keeps nobody waiting.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use branchline_core::replica::link::Trust;
use branchline_core::{Error, Result};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a handshake may take: several round trips of a bad line.
const HANDSHAKE_MAX: Duration = Duration::from_secs(20);
/// Finished handshakes that may wait to be served.
const BACKLOG: usize = 64;

/// What the server shows, and what invitations pin of it.
pub struct Identity {
    config: Arc<ServerConfig>,
    /// SHA-256 of the certificate (DER).
    pub pin: [u8; 32],
}

impl Identity {
    /// The replica's own certificate, made at first use and kept as `tls.crt` and `tls.key` in its folder.
    ///
    /// # Errors
    /// `tls_unusable` where the files are damaged, and what writing them can fail with.
    pub fn own(dir: &Path) -> Result<Self> {
        let (cert, key) = (dir.join("tls.crt"), dir.join("tls.key"));
        if !cert.exists() || !key.exists() {
            let made =
                rcgen::generate_simple_self_signed(["branchline".to_owned()]).map_err(|e| unusable(&cert, &e))?;
            write_private(&key, &made.signing_key.serialize_pem())?;
            write_private(&cert, &made.cert.pem())?;
        }
        Self::from_files(&cert, &key)
    }

    /// A certificate chain and key in PEM.
    ///
    /// # Errors
    /// `tls_unusable` where they cannot be read or do not belong together.
    pub fn from_files(cert: &Path, key: &Path) -> Result<Self> {
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_file_iter(cert).and_then(Iterator::collect).map_err(|e| unusable(cert, &e))?;
        let key_der = PrivateKeyDer::from_pem_file(key).map_err(|e| unusable(key, &e))?;
        let first = chain.first().ok_or_else(|| unusable(cert, &"no certificate"))?;
        let pin = Sha256::digest(first.as_ref()).into();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| unusable(cert, &e))?
            .with_no_client_auth()
            .with_single_cert(chain, key_der)
            .map_err(|e| unusable(cert, &e))?;
        Ok(Self { config: Arc::new(config), pin })
    }
}

/// How downstreams know the TLS server at the public address when another program, a proxy, speaks TLS there: `system`,
/// by the authorities that their machines trust, or the file of its certificate in PEM.
///
/// # Errors
/// `tls_unusable` where the file cannot be read or holds no certificate.
pub fn trust_of(text: &str) -> Result<Trust> {
    if text == "system" {
        return Ok(Trust::System);
    }
    let path = Path::new(text);
    let certificate = CertificateDer::from_pem_file(path).map_err(|e| unusable(path, &e))?;
    Ok(Trust::Certificate(Sha256::digest(certificate.as_ref()).into()))
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::invalid("tls-unusable").with("detail", why.to_string()).at(path.display().to_string())
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|e| unusable(path, &e))
}

/// Accepts TLS connections for axum.
pub struct TlsListener {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl TlsListener {
    /// Wraps a bound listener.
    ///
    /// # Errors
    /// What the system says of the socket.
    pub fn new(listener: TcpListener, identity: &Identity) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(identity.config.clone());
        let (sender, ready) = mpsc::channel(BACKLOG);
        tokio::spawn(async move {
            while !sender.is_closed() {
                let Ok((socket, peer)) = listener.accept().await else {
                    // Out of descriptors, most likely: give others time to close.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let (acceptor, sender) = (acceptor.clone(), sender.clone());
                tokio::spawn(async move {
                    let _ = socket.set_nodelay(true);
                    if let Ok(Ok(tls)) = tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(socket)).await {
                        let _ = sender.send((tls, peer)).await;
                    }
                });
            }
        });
        Ok(Self { ready, address })
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // The accepting task lives as long as this receiver.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}
