//! Certificates made for one test, and sockets that have them.

use crate::support::{Context, Socket};
use rcgen::{CertificateParams, KeyPair};
use std::ffi::c_int;
use zmq::ffi::constants::*;

/// The host that the certificates are for.
pub const HOST: &str = "server.example";

/// A certificate and its key, PEM.
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

impl Identity {
    /// Self-signed, for [`HOST`].
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// As `new`, with something about it changed.
    pub fn with(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// Gives it to a socket that is going to bind.
    pub fn give(&self, socket: &Socket) {
        socket.set_bytes(ZMQ_WSS_CERT_PEM, self.certificate.as_bytes()).unwrap();
        socket.set_bytes(ZMQ_WSS_KEY_PEM, self.key.as_bytes()).unwrap();
    }

    /// Makes a socket that is going to connect trust it, and expect its host.
    pub fn trust(&self, socket: &Socket) {
        socket.set_bytes(ZMQ_WSS_TRUST_PEM, self.certificate.as_bytes()).unwrap();
        socket.set_bytes(ZMQ_WSS_HOSTNAME, HOST.as_bytes()).unwrap();
    }
}

/// Binds to a free port of the loopback interface. The endpoint.
pub fn bind(socket: &Socket) -> String {
    socket.bind("wss://127.0.0.1:*").expect("a free port");
    socket.last_endpoint()
}

/// A socket that is bound with the certificate, and one that trusts it and isn't connected yet; where to.
pub fn two(
    context: &Context,
    identity: &Identity,
    bound: c_int,
    connecting: c_int,
) -> (Socket, Socket, String) {
    let (bound, connecting) = (context.socket(bound), context.socket(connecting));
    identity.give(&bound);
    identity.trust(&connecting);
    connecting.set(ZMQ_RECONNECT_IVL, 10).unwrap();
    let endpoint = bind(&bound);
    (bound, connecting, endpoint)
}
