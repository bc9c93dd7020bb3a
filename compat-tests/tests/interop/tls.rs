//! The certificates of `wss://`: made anew for each run.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::control::{Control, Step, option};

/// The name in the server's certificate.
const HOST: &str = "interop.example";

/// A certificate authority's certificate, and what it has certified.
pub struct Certificates {
    authority: String,
    certificate: String,
    key: String,
}

impl Certificates {
    /// Makes them.
    pub fn new() -> Result<Self, String> {
        let make = || -> Result<Self, rcgen::Error> {
            let mut authority = CertificateParams::new(Vec::new())?;
            authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let authority_key = KeyPair::generate()?;
            let certificate = authority.self_signed(&authority_key)?;
            let issuer = Issuer::new(authority, authority_key);
            let key = KeyPair::generate()?;
            let server = CertificateParams::new(vec![HOST.to_owned()])?.signed_by(&key, &issuer)?;
            Ok(Self { authority: certificate.pem(), certificate: server.pem(), key: key.serialize_pem() })
        };
        make().map_err(|e| e.to_string())
    }

    /// Sets the options of the side that is bound, or of the one that is connected.
    pub fn apply(&self, peer: &mut Control, name: &str, bound: bool) -> Step<()> {
        if bound {
            peer.bytes(name, option::WSS_CERT_PEM, self.certificate.as_bytes())?;
            peer.bytes(name, option::WSS_KEY_PEM, self.key.as_bytes())
        } else {
            peer.bytes(name, option::WSS_TRUST_PEM, self.authority.as_bytes())?;
            peer.bytes(name, option::WSS_HOSTNAME, HOST.as_bytes())
        }
    }
}
