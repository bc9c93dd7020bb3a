//! What the options of wss say, made ready once per endpoint.

use super::Tls;
use super::verify::{HostName, Verifier};
use crate::error::{Error, Result};
use crate::options::Options;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use std::fmt;
use std::sync::Arc;

/// The longest record that is sent, with its head of 5 bytes. libzmq 4.3.5 reads 8 KiB at a time and doesn't look whether GnuTLS has more
/// for it, so what is left of a longer one would lie there until something else arrives.
const RECORD: usize = 8192 + 5;

/// It is some lists of names, not worth a `static`, which a child of `fork` might have to wait for.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// How a listener proves who it is.
#[derive(Clone)]
pub(in crate::transport) struct ServerTls(Arc<ServerConfig>);

/// How a connecting socket makes sure of whom it talks to.
#[derive(Clone)]
pub(in crate::transport) struct ClientTls(Arc<Client>);

struct Client {
    config: Arc<ClientConfig>,
    host: HostName,
}

impl ServerTls {
    /// By `ZMQ_WSS_CERT_PEM`, a chain that begins with the server's own certificate, and `ZMQ_WSS_KEY_PEM`, its private key
    /// (PKCS #8, PKCS #1 or SEC 1, not encrypted).
    ///
    /// Errors: `EINVAL` if one of the two is missing, isn't what it should be, or doesn't belong to the other.
    pub(in crate::transport) fn new(options: &Options) -> Result<Self> {
        let chain = certificates(&options.wss_cert_pem)?;
        if chain.is_empty() {
            return Err(Error::Invalid);
        }
        let key = PrivateKeyDer::from_pem_slice(&options.wss_key_pem).map_err(|_| Error::Invalid)?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|_| Error::Invalid)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|_| Error::Invalid)?;
        // Connections are kept for long. To remember sessions for shorter handshakes isn't worth its memory.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_fragment_size = Some(RECORD);
        Ok(Self(Arc::new(config)))
    }

    /// The server's end of a new connection.
    ///
    /// Errors: `EPROTO` if rustls refuses, which it has no reason to.
    pub(in crate::transport) fn accept(&self) -> Result<Tls> {
        let session = ServerConnection::new(self.0.clone()).map_err(|_| Error::Protocol)?;
        Ok(Tls::new(session.into()))
    }
}

impl ClientTls {
    /// By `ZMQ_WSS_TRUST_PEM` and `ZMQ_WSS_TRUST_SYSTEM`: whose certificates are accepted (those that are listed, and those that were issued by
    /// them), and `ZMQ_WSS_HOSTNAME`: whom they have to be for, which isn't looked at if that is empty. Without anything to trust no
    /// server is accepted.
    ///
    /// Errors: `EINVAL` for a certificate that can't be read. Text without any is nobody to trust, as it is upstream.
    pub(in crate::transport) fn new(options: &Options) -> Result<Self> {
        let mut verifier = Verifier::new(&provider());
        for certificate in certificates(&options.wss_trust_pem)? {
            verifier.trust(certificate).map_err(|_| Error::Invalid)?;
        }
        if options.wss_trust_system {
            for certificate in rustls_native_certs::load_native_certs().certs {
                // One that can't be made use of is no reason to do without the others.
                let _ = verifier.trust(certificate);
            }
        }
        let host = HostName::new(&options.wss_hostname);
        verifier.expect(host.clone());
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|_| Error::Invalid)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        // Each connection looks at the certificate anew.
        config.resumption = Resumption::disabled();
        config.max_fragment_size = Some(RECORD);
        Ok(Self(Arc::new(Client { config: Arc::new(config), host })))
    }

    /// The client's end of a new connection.
    ///
    /// Errors: `EPROTO` if rustls refuses, which it has no reason to.
    pub(in crate::transport) fn connect(&self) -> Result<Tls> {
        let name = self.0.host.to_ask_for();
        let session = ClientConnection::new(self.0.config.clone(), name).map_err(|_| Error::Protocol)?;
        Ok(Tls::new(session.into()))
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").field("host", &self.0.host).finish_non_exhaustive()
    }
}

/// All the certificates of a PEM text.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| Error::Invalid)
}
