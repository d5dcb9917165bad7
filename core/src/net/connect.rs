//! Opening the socket: TCP, TLS with a pinned or vouched-for certificate beyond loopback, the WebSocket upgrade and its nonce.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::{Error as WsError, ProtocolError};
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};

use super::drive::Frames;
use super::frames::{Line, frames, websocket_config};
use super::patient::Patient;
use crate::error::{Error, Result};
use crate::replica::link::Trust;
use crate::wire::message::{NONCE_HEADER, Nonce, SUBPROTOCOL};

/// How long connecting may take: several round trips of a bad line.
const CONNECT_MAX: Duration = Duration::from_secs(30);

/// Read buffer of a downstream's end, in bytes: it has one connection.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Where an upstream is and how it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `http://host:port` or `https://host:port`.
    pub url: String,
    /// How its TLS server is known.
    pub trust: Option<Trust>,
}

/// A connection to an upstream.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// Where connections come from.
pub trait Network: Send + Sync {
    /// Opens one.
    fn open<'n>(&'n self, host: &'n str, port: u16) -> Opening<'n>;
}

/// A connection that is being opened.
pub type Opening<'n> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Socket>>> + Send + 'n>>;

/// The machine's own network.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

impl Network for Tcp {
    fn open<'n>(&'n self, host: &'n str, port: u16) -> Opening<'n> {
        Box::pin(async move {
            let socket = TcpStream::connect((host, port)).await?;
            let _ = socket.set_nodelay(true);
            Ok(Box::new(socket) as Box<dyn Socket>)
        })
    }
}

/// Opens the link's socket and returns it with the upstream's nonce.
///
/// # Errors
/// `upstream_unreachable` (retryable), `upstream_is_no_branchline`, `upstream_key_differs`, `upstream_not_vouched`, `no_authorities`,
/// `address_malformed`,
/// `protocol_version_differs`.
pub async fn connect(network: &dyn Network, address: &Address) -> Result<(Line, Nonce)> {
    tokio::time::timeout(CONNECT_MAX, open(network, address)).await.map_err(|_| unreachable_at(address, "timeout"))?
}

async fn open(network: &dyn Network, address: &Address) -> Result<(Line, Nonce)> {
    let (socket, target) = reach(network, address).await?;
    upgrade(socket, address, &target).await
}

/// Opens a socket to an upstream.
///
/// # Errors
/// `upstream_unreachable` (retryable), `upstream_key_differs`, `upstream_not_vouched`, `no_authorities`,
/// `address_malformed`.
pub async fn reach(network: &dyn Network, address: &Address) -> Result<(Box<dyn Socket>, Target)> {
    let target = Target::parse(&address.url).ok_or_else(|| malformed(&address.url))?;
    let at = || address.url.clone();
    let socket = dial(network, &target, address.trust).await.map_err(|unopened| match unopened {
        Unopened::Away(reason) => unreachable_at(address, reason),
        Unopened::Unnamed => malformed(&address.url),
        Unopened::KeyUnknown => Error::refused("upstream-key-unknown").at(at()),
        Unopened::KeyDiffers => Error::refused("upstream-key-differs").at(at()),
        Unopened::NotVouched(reason) => Error::refused("upstream-not-vouched").with("reason", reason).at(at()),
        Unopened::NoAuthorities(reason) => Error::refused("no-authorities").with("reason", reason).at(at()),
    })?;
    Ok((socket, target))
}

/// Why a socket could not be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unopened {
    /// Nobody answers, or not as TLS.
    Away(String),
    /// The host is no name that a certificate could bear.
    Unnamed,
    /// Nothing says how to know the server.
    KeyUnknown,
    /// The server shows another certificate than the pinned one.
    KeyDiffers,
    /// No authority vouches for the certificate.
    NotVouched(String),
    /// This machine knows no authorities.
    NoAuthorities(String),
}

/// Opens a socket, with TLS where the address asks for it.
///
/// # Errors
/// Why it is not open.
pub async fn dial(
    network: &dyn Network,
    target: &Target,
    trust: Option<Trust>,
) -> std::result::Result<Box<dyn Socket>, Unopened> {
    let socket = network.open(&target.host, target.port).await.map_err(|e| Unopened::Away(e.to_string()))?;
    if !target.tls {
        return Ok(socket);
    }
    let name = ServerName::try_from(target.host.clone()).map_err(|_| Unopened::Unnamed)?;
    let connector = tokio_rustls::TlsConnector::from(tls_config(trust)?);
    let tls = connector.connect(name, socket).await.map_err(|e| {
        // What the handshake said of the certificate stands inside the error of the socket.
        match e.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::General(text)) if text == PIN_DIFFERS => Unopened::KeyDiffers,
            Some(rustls::Error::InvalidCertificate(why)) => Unopened::NotVouched(why.to_string()),
            _ => Unopened::Away(e.to_string()),
        }
    })?;
    Ok(Box::new(tls))
}

async fn upgrade(socket: Box<dyn Socket>, address: &Address, target: &Target) -> Result<(Line, Nonce)> {
    let no_branchline = || Error::refused("upstream-is-no-branchline").at(address.url.clone());
    let differs = || Error::version("protocol-version-differs").at(address.url.clone());
    let scheme = if target.tls { "wss" } else { "ws" };
    let mut request = format!("{scheme}://{}:{}/link", target.host, target.port)
        .into_client_request()
        .map_err(|_| malformed(&address.url))?;
    request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    let agent = concat!("branchline/", env!("CARGO_PKG_VERSION"));
    request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(agent));
    let config = websocket_config(READ_BUFFER_BYTES);
    let socket = Patient::new(socket);
    let received_bytes = socket.received_bytes();
    let (stream, response) =
        tokio_tungstenite::client_async_with_config(request, socket, Some(config)).await.map_err(|e| match e {
            WsError::Io(ref e) => unreachable_at(address, e.to_string()),
            // A line that was cut, or a proxy before an upstream that is away, says nothing about who is there.
            WsError::ConnectionClosed | WsError::AlreadyClosed => unreachable_at(address, e.to_string()),
            WsError::Protocol(ProtocolError::HandshakeIncomplete) => unreachable_at(address, e.to_string()),
            // An upstream that speaks another version says which one.
            WsError::Http(ref answer) if answer.headers().contains_key(header::SEC_WEBSOCKET_PROTOCOL) => differs(),
            WsError::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)) => differs(),
            WsError::Http(ref answer) if answer.status().is_server_error() => {
                unreachable_at(address, answer.status().to_string())
            }
            _ => no_branchline(),
        })?;
    let spoken = response.headers().get(header::SEC_WEBSOCKET_PROTOCOL);
    if spoken.and_then(|v| v.to_str().ok()) != Some(SUBPROTOCOL) {
        return Err(differs());
    }
    let nonce: Nonce = response
        .headers()
        .get(NONCE_HEADER)
        .and_then(|v| data_encoding::BASE64URL_NOPAD.decode(v.as_bytes()).ok())
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(no_branchline)?;
    Ok((Frames { received_bytes, ..frames(stream, true) }, nonce))
}

/// A server's place on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Its name or number.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl Target {
    /// The place that `http://host[:port][/…]` or `https://…` names; none where it names none.
    pub fn parse(url: &str) -> Option<Self> {
        let (tls, rest) = match url.split_once("://")? {
            ("http", rest) => (false, rest),
            ("https", rest) => (true, rest),
            _ => return None,
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (authority, if tls { 443 } else { 80 }),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        (!host.is_empty()).then(|| Self { tls, host: host.to_owned(), port })
    }
}

fn malformed(url: &str) -> Error {
    Error::invalid("address-malformed").with("url", url)
}

fn unreachable_at(address: &Address, reason: impl Into<String>) -> Error {
    Error::unreachable("upstream-unreachable").with("reason", reason.into()).at(address.url.clone())
}

const PIN_DIFFERS: &str = "branchline: another certificate";

fn tls_config(trust: Option<Trust>) -> std::result::Result<Arc<ClientConfig>, Unopened> {
    // Without a pin or authorities there is nobody to vouch for the server.
    let trust = trust.ok_or(Unopened::KeyUnknown)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|_| Unopened::KeyUnknown)?;
    let config = match trust {
        Trust::Certificate(pin) => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Pinned { pin, provider }))
        }
        Trust::System => builder.with_root_certificates(authorities()?),
    };
    Ok(Arc::new(config.with_no_client_auth()))
}

// The authorities that this machine trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` name others.
fn authorities() -> std::result::Result<RootCertStore, Unopened> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        let reason = found.errors.first().map_or_else(|| "none found".to_owned(), ToString::to_string);
        return Err(Unopened::NoAuthorities(reason));
    }
    Ok(roots)
}

/// Accepts exactly one certificate, whoever signed it: the invitation carried its hash.
#[derive(Debug)]
struct Pinned {
    pin: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let shown: [u8; 32] = Sha256::digest(end_entity.as_ref()).into();
        if shown == self.pin {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General(PIN_DIFFERS.to_owned()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
