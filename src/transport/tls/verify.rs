//! Whether a client accepts a server's certificate.
//!
//! Two things are wider here than what rustls does by itself, as libzmq's users rely on them: a certificate that is itself among the trusted
//! ones is accepted, be it a CA's or not (self-signed ones are often made that way), and one without alternative names is for the host
//! that its common name gives (which RFC 6125, section 6.4.4, allows).

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, DnsName, IpAddr, Ipv4Addr, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;
use x509_cert::Certificate;
use x509_cert::der::asn1::{Ia5StringRef, PrintableStringRef, TeletexStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::CN;
use x509_cert::der::{Any, Decode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Whom the certificate has to be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostName {
    /// Whoever it is.
    Any,
    /// A host.
    Host(ServerName<'static>),
    /// The option holds what is no name, so there can be no certificate for it.
    Nobody,
}

impl HostName {
    /// As `ZMQ_WSS_HOSTNAME` has it.
    pub(super) fn new(option: &[u8]) -> Self {
        if option.is_empty() {
            return Self::Any;
        }
        std::str::from_utf8(option)
            .ok()
            .and_then(|name| ServerName::try_from(name.to_owned()).ok())
            .map_or(Self::Nobody, Self::Host)
    }

    /// What the server is told (server name indication). An address isn't sent.
    pub(super) fn to_ask_for(&self) -> ServerName<'static> {
        match self {
            Self::Host(name) => name.clone(),
            Self::Any | Self::Nobody => ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from([0; 4]))),
        }
    }
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Verifier {
    provider: Arc<CryptoProvider>,
    roots: RootCertStore,
    trusted: Vec<CertificateDer<'static>>,
    host: HostName,
}

impl Verifier {
    /// Trusts nobody as yet.
    pub(super) fn new(provider: &Arc<CryptoProvider>) -> Self {
        Self {
            provider: provider.clone(),
            roots: RootCertStore::empty(),
            trusted: Vec::new(),
            host: HostName::Any,
        }
    }

    /// Trusts a certificate, and those that it has issued.
    ///
    /// Errors: it isn't one.
    pub(super) fn trust(&mut self, certificate: CertificateDer<'static>) -> Result<(), Error> {
        self.roots.add(certificate.clone())?;
        self.trusted.push(certificate);
        Ok(())
    }

    /// Says whom certificates have to be for.
    pub(super) fn expect(&mut self, host: HostName) {
        self.host = host;
    }

    fn verify_trust(
        &self,
        certificate: &CertificateDer<'_>,
        parsed: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        if self.trusted.contains(certificate) {
            return verify_time(&decode(certificate)?, now);
        }
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(parsed, &self.roots, intermediates, now, algorithms)
    }

    fn verify_host(
        &self,
        certificate: &CertificateDer<'_>,
        parsed: &ParsedCertificate<'_>,
    ) -> Result<(), Error> {
        let host = match &self.host {
            HostName::Any => return Ok(()),
            HostName::Nobody => return Err(CertificateError::NotValidForName.into()),
            HostName::Host(host) => host,
        };
        let outcome = verify_server_name(parsed, host);
        if outcome.is_err()
            && let ServerName::DnsName(name) = host
            && common_name(&decode(certificate)?).is_some_and(|common| matches(&common, name))
        {
            return Ok(());
        }
        outcome
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        self.verify_trust(certificate, &parsed, intermediates, now)?;
        self.verify_host(certificate, &parsed)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn decode(certificate: &CertificateDer<'_>) -> Result<Certificate, Error> {
    Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding.into())
}

fn verify_time(certificate: &Certificate, now: UnixTime) -> Result<(), Error> {
    let validity = certificate.tbs_certificate().validity();
    let now = now.as_secs();
    if now < validity.not_before.to_unix_duration().as_secs() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.to_unix_duration().as_secs() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

/// The common name, if it is the only one and there are no alternative names, which would be meant instead.
fn common_name(certificate: &Certificate) -> Option<String> {
    let alternatives = certificate.tbs_certificate().get_extension::<SubjectAltName>().ok()?;
    let names_hosts =
        |name: &GeneralName| matches!(name, GeneralName::DnsName(_) | GeneralName::IpAddress(_));
    if alternatives.is_some_and(|(_, names)| names.0.iter().any(names_hosts)) {
        return None;
    }
    let subject = certificate.tbs_certificate().subject();
    let mut names = subject.iter().filter(|attribute| attribute.oid == CN);
    let name = text(&names.next()?.value)?;
    names.next().is_none().then_some(name)
}

fn text(value: &Any) -> Option<String> {
    value
        .decode_as::<Utf8StringRef<'_>>()
        .map(|text| text.as_str().to_owned())
        .or_else(|_| value.decode_as::<PrintableStringRef<'_>>().map(|text| text.as_str().to_owned()))
        .or_else(|_| value.decode_as::<Ia5StringRef<'_>>().map(|text| text.as_str().to_owned()))
        .or_else(|_| value.decode_as::<TeletexStringRef<'_>>().map(|text| text.as_str().to_owned()))
        .ok()
}

/// Whether a name in a certificate is that of the host. A first label `*` stands for any one (RFC 6125, section 6.4.3), above
/// at least two others.
fn matches(pattern: &str, host: &DnsName<'_>) -> bool {
    let host = host.as_ref().trim_end_matches('.');
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    match (pattern.strip_prefix("*."), host.split_once('.')) {
        (Some(domain), Some((label, rest))) => {
            !label.is_empty() && domain.contains('.') && domain.eq_ignore_ascii_case(rest)
        }
        _ => false,
    }
}
