//! Mechanisms: how the two sides of a scenario are set up for one, what its authenticator is told, and how a client looks that is turned away.

use crate::control::{Control, Failure, Step, option};
use crate::frame::Frame;
use crate::realm::{ALICE, SERVICE};
use crate::wire::Side;

const NAME: &[u8] = b"user name";
const PASSWORD: &[u8] = b"pass word";

/// How the bound side makes sure of the connected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Not at all.
    Null,
    /// By asking the authenticator, which is told the address only.
    NullZap,
    /// By name and password.
    Plain,
    /// By key, whichever it is.
    Curve,
    /// By key, which the authenticator has to know.
    CurveZap,
    /// By ticket, whose owner the authenticator has to know.
    Gssapi,
    /// Likewise, without encryption.
    GssapiPlaintext,
}

/// The credentials of both sides.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// Public and secret.
    server: (String, String),
    client: (String, String),
}

/// What is wrong with a client that has to be turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Another password, or a key that the authenticator doesn't know.
    Stranger,
    /// It takes the server for another one.
    OtherServer,
    /// It speaks NULL.
    NoMechanism,
}

impl Mechanism {
    /// Whether an authenticator is asked.
    pub fn is_authenticated(self) -> bool {
        matches!(self, Self::NullZap | Self::Plain | Self::CurveZap | Self::Gssapi | Self::GssapiPlaintext)
    }

    /// Whether there has to be a KDC.
    pub fn wants_realm(self) -> bool {
        matches!(self, Self::Gssapi | Self::GssapiPlaintext)
    }

    /// Whether it would be another one in a process that has an authenticator.
    pub fn wants_new_processes(self) -> bool {
        self == Self::Curve
    }

    /// Makes keys: the server's by the library that binds, the client's by the other.
    pub fn credentials(self, peers: &mut [&mut Control; 2]) -> Step<Credentials> {
        let mut pair = |side: Side| -> Step<(String, String)> {
            let answer = peers[side as usize].ask("keypair")?;
            let (public, secret) = answer.split_once(' ').ok_or(Failure::Broken(answer.clone()))?;
            Ok((public.to_owned(), secret.to_owned()))
        };
        if !matches!(self, Self::Curve | Self::CurveZap) {
            return Ok(Credentials::default());
        }
        Ok(Credentials { server: pair(Side::Bound)?, client: pair(Side::Connected)? })
    }

    /// Sets the options of the bound side's socket, and starts what decides who may come in.
    pub fn serve(self, peer: &mut Control, name: &str, user: &str, credentials: &Credentials) -> Step<()> {
        let admitted: Vec<Vec<u8>> = match self {
            Self::Plain => vec![NAME.to_vec(), PASSWORD.to_vec()],
            Self::CurveZap => vec![binary(&credentials.client.0)],
            Self::Gssapi | Self::GssapiPlaintext => vec![ALICE.into()],
            _ => Vec::new(),
        };
        if self.is_authenticated() {
            let mut command = format!("zap {}", Frame::of(user).to_text());
            for part in admitted {
                command = format!("{command} {}", Frame::of(part).to_text());
            }
            peer.ask(&command)?;
            peer.bytes(name, option::ZAP_DOMAIN, b"domain")?;
        }
        match self {
            Self::Null | Self::NullZap => {}
            Self::Plain => peer.int(name, option::PLAIN_SERVER, 1)?,
            Self::Curve | Self::CurveZap => {
                peer.int(name, option::CURVE_SERVER, 1)?;
                peer.bytes(name, option::CURVE_SECRETKEY, credentials.server.1.as_bytes())?;
            }
            Self::Gssapi | Self::GssapiPlaintext => {
                peer.int(name, option::GSSAPI_SERVER, 1)?;
                peer.int(name, option::GSSAPI_PLAINTEXT, (self == Self::GssapiPlaintext).into())?;
            }
        }
        Ok(())
    }

    /// Sets the options of the connected side's socket. Keys are text on the one side and binary on this one.
    pub fn enter(
        self,
        peer: &mut Control,
        name: &str,
        credentials: &Credentials,
        fault: Option<Fault>,
    ) -> Step<()> {
        if fault == Some(Fault::NoMechanism) {
            return Ok(());
        }
        match self {
            Self::Null | Self::NullZap => {}
            Self::Plain => {
                let wrong = fault == Some(Fault::Stranger);
                peer.bytes(name, option::PLAIN_USERNAME, NAME)?;
                peer.bytes(name, option::PLAIN_PASSWORD, if wrong { b"another" } else { PASSWORD })?;
            }
            Self::Curve | Self::CurveZap => {
                let Credentials { server, client } = credentials;
                // Each key pair is as good as the other, and none is the right one for the other side.
                let own = if fault == Some(Fault::Stranger) { server } else { client };
                let other = if fault == Some(Fault::OtherServer) { client } else { server };
                peer.bytes(name, option::CURVE_SERVERKEY, &binary(&other.0))?;
                peer.bytes(name, option::CURVE_PUBLICKEY, &binary(&own.0))?;
                peer.bytes(name, option::CURVE_SECRETKEY, &binary(&own.1))?;
            }
            Self::Gssapi | Self::GssapiPlaintext => {
                peer.bytes(name, option::GSSAPI_SERVICE_PRINCIPAL, SERVICE.as_bytes())?;
                peer.int(name, option::GSSAPI_PLAINTEXT, (self == Self::GssapiPlaintext).into())?;
            }
        }
        Ok(())
    }

    /// What can be wrong with a client.
    pub fn faults(self) -> &'static [Fault] {
        match self {
            // Who is to be turned away, tests/gssapi says: Debian's library lets everybody in.
            Self::Null | Self::NullZap | Self::Gssapi | Self::GssapiPlaintext => &[],
            Self::Plain => &[Fault::Stranger, Fault::NoMechanism],
            Self::Curve => &[Fault::OtherServer, Fault::NoMechanism],
            Self::CurveZap => &[Fault::Stranger, Fault::OtherServer],
        }
    }
}

/// A key in 32 bytes, from Z85 (RFC 32).
fn binary(key: &str) -> Vec<u8> {
    const DIGITS: &str =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    let digits: Vec<u32> = key.chars().map(|c| DIGITS.find(c).unwrap_or_default() as u32).collect();
    let number =
        |five: &[u32]| five.iter().fold(0_u32, |sum, digit| sum.wrapping_mul(85).wrapping_add(*digit));
    digits.chunks(5).flat_map(|five| number(five).to_be_bytes()).collect()
}
