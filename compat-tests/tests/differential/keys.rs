//! What the sides of a mechanism, and of TLS, have to know.

use std::sync::OnceLock;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::script::{Socket, Test, call};
use crate::zmq;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    Null,
    Plain,
    Curve,
}

/// The keys of CURVE, in binary.
pub struct Keys {
    /// Public and secret.
    server: [Vec<u8>; 2],
    client: [Vec<u8>; 2],
}

impl Keys {
    pub fn new(t: &Test) -> Self {
        let pair = || {
            let (mut public, mut secret) = ([0_u8; 41], [0_u8; 41]);
            let _ = call!(t, curve_keypair(public.as_mut_ptr().cast(), secret.as_mut_ptr().cast()));
            [public, secret].map(|text| {
                let mut key = vec![0; 32];
                // SAFETY: 40 characters and a zero, and room for the 32 bytes that they stand for.
                unsafe { (t.api.z85_decode)(key.as_mut_ptr(), text.as_ptr().cast()) };
                key
            })
        };
        Self { server: pair(), client: pair() }
    }

    pub fn server_public(&self) -> &[u8] {
        &self.server[0]
    }

    pub fn client_public(&self) -> &[u8] {
        &self.client[0]
    }

    /// Makes a socket a server.
    pub fn server(&self, socket: &Socket, mechanism: Mechanism) {
        let _ = match mechanism {
            Mechanism::Null => Ok(0),
            Mechanism::Plain => socket.set_int(zmq::PLAIN_SERVER, 1),
            Mechanism::Curve => socket
                .set_int(zmq::CURVE_SERVER, 1)
                .and_then(|_| socket.set(zmq::CURVE_SECRETKEY, &self.server[1])),
        };
    }

    /// Makes a socket a client.
    pub fn client(&self, socket: &Socket, mechanism: Mechanism) {
        let _ = match mechanism {
            Mechanism::Null => Ok(0),
            Mechanism::Plain => socket
                .set(zmq::PLAIN_USERNAME, b"admin")
                .and_then(|_| socket.set(zmq::PLAIN_PASSWORD, b"password")),
            Mechanism::Curve => socket
                .set(zmq::CURVE_SERVERKEY, &self.server[0])
                .and_then(|_| socket.set(zmq::CURVE_PUBLICKEY, &self.client[0]))
                .and_then(|_| socket.set(zmq::CURVE_SECRETKEY, &self.client[1])),
        };
    }
}

/// The name in the server's certificate.
pub const HOST: &str = "differential.example";

/// A certificate authority's certificate, and what it has certified.
pub struct Certificates {
    pub authority: String,
    pub certificate: String,
    pub key: String,
}

impl Certificates {
    fn make() -> Result<Self, rcgen::Error> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate()?;
        let certificate = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate()?;
        let server = CertificateParams::new(vec![HOST.to_owned()])?.signed_by(&key, &issuer)?;
        Ok(Self { authority: certificate.pem(), certificate: server.pem(), key: key.serialize_pem() })
    }

    /// This process's.
    pub fn get(t: &Test) -> &'static Self {
        static CERTIFICATES: OnceLock<Option<Certificates>> = OnceLock::new();
        CERTIFICATES.get_or_init(|| Self::make().ok()).as_ref().unwrap_or_else(|| {
            t.say("no certificates");
            t.end()
        })
    }

    /// Gives a socket all that it needs to bind and to connect.
    pub fn apply(&self, socket: &Socket) {
        for (option, value) in [
            (zmq::WSS_CERT_PEM, &self.certificate[..]),
            (zmq::WSS_KEY_PEM, &self.key),
            (zmq::WSS_TRUST_PEM, &self.authority),
            (zmq::WSS_HOSTNAME, HOST),
        ] {
            let _ = socket.set(option, value.as_bytes());
        }
    }
}
