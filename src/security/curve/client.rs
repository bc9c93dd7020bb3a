//! The client's side of CURVE's handshake (RFC 26).

use super::codec::{self, FROM_CLIENT, FROM_SERVER};
use super::keys::{self, PublicKey, SecretKey, SharedKey};
use crate::random;
use crate::security::zap;
use crate::zmtp::ProtocolError;
use crate::zmtp::error::code;
use crate::zmtp::mechanism::{Codec, Mechanism, Negotiation, Status};
use zeroize::Zeroizing;

/// The nonces of HELLO and INITIATE; MESSAGE goes on from there.
const HELLO_NONCE: u64 = 1;
const INITIATE_NONCE: u64 = 2;

/// The handshake of a side that connects or binds as CURVE's client.
pub struct Client {
    /// C
    public: PublicKey,
    /// c
    secret: SecretKey,
    /// S
    server: PublicKey,
    state: State,
}

#[allow(clippy::large_enum_variant)] // one of them, for the time of a handshake
enum State {
    SendHello,
    /// HELLO was sent, with the public key that goes with `short`; `hello` is the key of the boxes between that and S.
    AwaitWelcome {
        short: SecretKey,
        short_public: PublicKey,
        hello: SharedKey,
    },
    /// `command` is the INITIATE but for the metadata.
    SendInitiate(Initiate),
    /// The key of the connection.
    AwaitReady(SharedKey),
    /// Likewise, and the nonce of READY.
    Ready(SharedKey, u64),
    /// After an error.
    Failed,
}

/// What the INITIATE command needs.
struct Initiate {
    cookie: [u8; 96],
    vouch: Vec<u8>,
    key: SharedKey,
}

impl Client {
    /// A handshake that begins, with this side's long-term keys and the server's.
    pub fn new(public: PublicKey, secret: SecretKey, server: PublicKey) -> Self {
        Self { public, secret, server, state: State::SendHello }
    }

    fn hello(&mut self) -> Result<Vec<u8>, ProtocolError> {
        let short = SecretKey::generate().map_err(ProtocolError::silent)?;
        let short_public = short.public();
        let hello = SharedKey::new(&self.server, &short).ok_or(CRYPTOGRAPHIC)?;
        let mut body = Vec::with_capacity(200);
        body.extend_from_slice(b"\x05HELLO\x01\x00");
        // Padding, so that the server's answer isn't longer than the question.
        body.extend_from_slice(&[0; 72]);
        body.extend_from_slice(&short_public);
        body.extend_from_slice(&HELLO_NONCE.to_be_bytes());
        hello.append_box(&keys::counted(b"CurveZMQHELLO---", HELLO_NONCE), &[0; 64], &mut body);
        self.state = State::AwaitWelcome { short, short_public, hello };
        Ok(body)
    }

    /// WELCOME: 16 bytes of nonce, and a box with S' and the cookie. Everything that is wrong with it counts as cryptographic, as it
    /// does upstream.
    fn welcome(
        &mut self,
        welcome: &[u8],
        short: &SecretKey,
        short_public: &PublicKey,
        hello: &SharedKey,
    ) -> Result<(), ProtocolError> {
        let (nonce, sealed) = welcome.split_first_chunk().ok_or(CRYPTOGRAPHIC)?;
        if sealed.len() != 144 {
            return Err(CRYPTOGRAPHIC);
        }
        let plain = hello.open_box(&keys::drawn(b"WELCOME-", nonce), sealed).ok_or(CRYPTOGRAPHIC)?;
        let (server_short, cookie) = plain.split_first_chunk::<32>().ok_or(CRYPTOGRAPHIC)?;
        let cookie = *cookie.first_chunk().ok_or(CRYPTOGRAPHIC)?;
        let key = SharedKey::new(server_short, short).ok_or(CRYPTOGRAPHIC)?;
        let vouch = self.vouch(server_short, short_public)?;
        self.state = State::SendInitiate(Initiate { cookie, vouch, key });
        Ok(())
    }

    /// The proof that the owner of C means this connection, to this server: 16 bytes of nonce, and the box.
    fn vouch(&self, server_short: &PublicKey, short_public: &PublicKey) -> Result<Vec<u8>, ProtocolError> {
        let key = SharedKey::new(server_short, &self.secret).ok_or(CRYPTOGRAPHIC)?;
        let mut nonce = [0; 16];
        random::fill(&mut nonce).map_err(ProtocolError::silent)?;
        let mut vouch = nonce.to_vec();
        let claim = [*short_public, self.server];
        key.append_box(&keys::drawn(b"VOUCH---", &nonce), claim.as_flattened(), &mut vouch);
        Ok(vouch)
    }

    fn initiate(&mut self, initiate: Initiate, negotiation: &Negotiation) -> Vec<u8> {
        let Initiate { cookie, vouch, key } = initiate;
        let plain = Zeroizing::new(negotiation.properties_after(&[&self.public[..], &vouch[..]].concat()));
        let mut body = b"\x08INITIATE".to_vec();
        body.extend_from_slice(&cookie);
        body.extend_from_slice(&INITIATE_NONCE.to_be_bytes());
        key.append_box(&keys::counted(b"CurveZMQINITIATE", INITIATE_NONCE), &plain, &mut body);
        self.state = State::AwaitReady(key);
        body
    }

    /// READY: 8 bytes of nonce, and a box with the server's metadata.
    fn ready(
        &mut self,
        ready: &[u8],
        key: SharedKey,
        negotiation: &mut Negotiation,
    ) -> Result<(), ProtocolError> {
        let malformed = ProtocolError::with_code(code::MALFORMED_READY);
        let (nonce, sealed) = ready.split_first_chunk().ok_or(malformed)?;
        if sealed.len() < keys::MAC {
            return Err(malformed);
        }
        let nonce = u64::from_be_bytes(*nonce);
        let plain = key.open_box(&keys::counted(b"CurveZMQREADY---", nonce), sealed).ok_or(CRYPTOGRAPHIC)?;
        let invalid = ProtocolError::with_code(code::INVALID_METADATA);
        negotiation.peer_properties(&plain).map_err(|_| invalid)?;
        self.state = State::Ready(key, nonce);
        Ok(())
    }
}

const CRYPTOGRAPHIC: ProtocolError = ProtocolError::with_code(code::CRYPTOGRAPHIC);

impl Mechanism for Client {
    fn name(&self) -> &'static str {
        "CURVE"
    }

    fn status(&self) -> Status {
        match self.state {
            State::Ready(..) => Status::Ready,
            State::Failed => Status::Failed,
            _ => Status::Handshaking,
        }
    }

    fn next_command(&mut self, negotiation: &mut Negotiation) -> Result<Option<Vec<u8>>, ProtocolError> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::SendHello => self.hello().map(Some),
            State::SendInitiate(initiate) => Ok(Some(self.initiate(initiate, negotiation))),
            state => {
                self.state = state;
                Ok(None)
            }
        }
    }

    fn process_command(&mut self, body: &[u8], negotiation: &mut Negotiation) -> Result<(), ProtocolError> {
        let unexpected = ProtocolError::with_code(code::UNEXPECTED_COMMAND);
        let state = std::mem::replace(&mut self.state, State::Failed);
        if !matches!(state, State::AwaitWelcome { .. } | State::AwaitReady(_)) {
            return Err(unexpected);
        }
        if let Some(reason) = body.strip_prefix(zap::ERROR) {
            return Err(zap::refusal(reason));
        }
        match (state, body.strip_prefix(b"\x07WELCOME"), body.strip_prefix(b"\x05READY")) {
            (State::AwaitWelcome { short, short_public, hello }, Some(welcome), _) => {
                self.welcome(welcome, &short, &short_public, &hello)
            }
            (State::AwaitReady(key), _, Some(ready)) => self.ready(ready, key, negotiation),
            _ => Err(unexpected),
        }
    }

    fn into_codec(self: Box<Self>) -> Codec {
        match self.state {
            State::Ready(key, received) => {
                codec::codec(&key, (FROM_CLIENT, INITIATE_NONCE), (FROM_SERVER, received))
            }
            _ => Codec::default(),
        }
    }
}
