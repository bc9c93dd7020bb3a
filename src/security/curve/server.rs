//! The server's side of CURVE's handshake (RFC 26).
//!
//! A ZAP handler is asked about the client's long-term key when INITIATE has proved that the client has it (RFC 27).

use super::codec::{self, FROM_CLIENT, FROM_SERVER};
use super::keys::{self, PublicKey, SecretKey, SharedKey};
use crate::error::Error;
use crate::random;
use crate::security::zap::{self, Verdict, Zap};
use crate::zmtp::ProtocolError;
use crate::zmtp::error::code;
use crate::zmtp::mechanism::{Codec, Mechanism, Negotiation, Status, ZapReply, ZapRequest};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The nonce of READY; MESSAGE goes on from there.
const READY_NONCE: u64 = 1;
/// C, the nonce and the box of the vouch: what precedes the metadata in INITIATE's box.
const BEFORE_METADATA: usize = 32 + 16 + 80;
/// The name, the cookie, the nonce, and a box without metadata.
const SHORTEST_INITIATE: usize = 9 + 96 + 8 + keys::MAC + BEFORE_METADATA;

/// The handshake of CURVE's server.
pub struct Server {
    /// s
    secret: SecretKey,
    zap: Zap,
    state: State,
}

#[allow(clippy::large_enum_variant)] // one of them, for the time of a handshake
enum State {
    AwaitHello,
    SendWelcome(Hello),
    /// All that is kept of HELLO and WELCOME is what opens the cookie. The rest of it comes back inside.
    AwaitInitiate {
        cookie_key: SharedKey,
    },
    AskZap(Client),
    AwaitZap(Client),
    SendReady(Client),
    Ready(Client),
    /// Refuse with this status code.
    SendError(u16),
    /// The client was refused.
    Refused,
    /// After an error.
    Failed,
}

/// What HELLO says.
struct Hello {
    /// C'
    client_short: PublicKey,
    /// The key of the boxes between C' and S.
    key: SharedKey,
}

/// A client that has proved who it is.
struct Client {
    /// C
    public: PublicKey,
    /// The key of the connection: of the boxes between C' and S'.
    key: SharedKey,
    /// The nonce of INITIATE.
    nonce: u64,
}

impl Server {
    /// A handshake that begins, with the server's long-term key.
    pub fn new(secret: SecretKey, zap: Zap) -> Self {
        Self { secret, zap, state: State::AwaitHello }
    }

    /// HELLO: version, padding, C', 8 bytes of nonce, and a box with 64 zeros.
    fn hello(&mut self, body: &[u8]) -> Result<(), ProtocolError> {
        let hello = body.strip_prefix(b"\x05HELLO").ok_or(UNEXPECTED)?;
        let hello: &[u8; 194] = hello.try_into().map_err(|_| MALFORMED_HELLO)?;
        let (version, rest) = hello.split_at(2);
        if version != [1, 0] {
            return Err(MALFORMED_HELLO);
        }
        let (client_short, rest) = rest[72..].split_first_chunk().ok_or(MALFORMED_HELLO)?;
        let (nonce, sealed) = rest.split_first_chunk().ok_or(MALFORMED_HELLO)?;
        let key = SharedKey::new(client_short, &self.secret).ok_or(CRYPTOGRAPHIC)?;
        let nonce = keys::counted(b"CurveZMQHELLO---", u64::from_be_bytes(*nonce));
        // Who can make this box knows S. Its content is said to be zeros, but doesn't matter.
        key.open_box(&nonce, sealed).ok_or(CRYPTOGRAPHIC)?;
        self.state = State::SendWelcome(Hello { client_short: *client_short, key });
        Ok(())
    }

    /// WELCOME: 16 bytes of nonce, and a box with S' and the cookie, which is C' and s' in a box that only this connection can open.
    fn welcome(&mut self, hello: &Hello) -> Result<Vec<u8>, ProtocolError> {
        let short = SecretKey::generate().map_err(ProtocolError::silent)?;
        let cookie_key = SharedKey::generate().map_err(ProtocolError::silent)?;
        let mut nonces = [[0; 16]; 2];
        random::fill(nonces.as_flattened_mut()).map_err(ProtocolError::silent)?;
        let [cookie_nonce, welcome_nonce] = nonces;
        let remembered = Zeroizing::new([hello.client_short, *short.bytes()]);
        let mut plain = Zeroizing::new([&short.public()[..], &cookie_nonce].concat());
        let cookie_nonce = keys::drawn(b"COOKIE--", &cookie_nonce);
        cookie_key.append_box(&cookie_nonce, remembered.as_flattened(), &mut plain);
        let mut body = [b"\x07WELCOME", &welcome_nonce[..]].concat();
        hello.key.append_box(&keys::drawn(b"WELCOME-", &welcome_nonce), &plain, &mut body);
        self.state = State::AwaitInitiate { cookie_key };
        Ok(body)
    }

    /// INITIATE: the cookie, 8 bytes of nonce, and a box with C, the vouch and metadata.
    fn initiate(
        &mut self,
        body: &[u8],
        cookie_key: &SharedKey,
        negotiation: &mut Negotiation,
    ) -> Result<(), ProtocolError> {
        let malformed = ProtocolError::with_code(code::MALFORMED_INITIATE);
        let initiate = body.strip_prefix(b"\x08INITIATE").ok_or(UNEXPECTED)?;
        if body.len() < SHORTEST_INITIATE {
            return Err(malformed);
        }
        let (cookie, rest) = initiate.split_first_chunk::<96>().ok_or(malformed)?;
        let (nonce, sealed) = rest.split_first_chunk().ok_or(malformed)?;
        let nonce = u64::from_be_bytes(*nonce);
        let (client_short, short) = open_cookie(cookie, cookie_key).ok_or(CRYPTOGRAPHIC)?;

        let key = SharedKey::new(&client_short, &short).ok_or(CRYPTOGRAPHIC)?;
        let plain = key.open_box(&keys::counted(b"CurveZMQINITIATE", nonce), sealed).ok_or(CRYPTOGRAPHIC)?;
        let (client, rest) = plain.split_first_chunk::<32>().ok_or(malformed)?;
        let (vouch, metadata) = rest.split_first_chunk::<96>().ok_or(malformed)?;
        self.check_vouch(vouch, client, &client_short, &short)?;
        negotiation.peer_properties(metadata)?;
        let client = Client { public: *client, key, nonce };
        self.state = if self.zap == Zap::Off { State::SendReady(client) } else { State::AskZap(client) };
        Ok(())
    }

    /// The vouch proves that the owner of C has made C', and for this server: else somebody to whom the client has connected could pass
    /// itself off as the client.
    fn check_vouch(
        &self,
        vouch: &[u8; 96],
        client: &PublicKey,
        client_short: &PublicKey,
        short: &SecretKey,
    ) -> Result<(), ProtocolError> {
        let key = SharedKey::new(client, short).ok_or(CRYPTOGRAPHIC)?;
        let (nonce, sealed) = vouch.split_first_chunk().ok_or(CRYPTOGRAPHIC)?;
        let claim = key.open_box(&keys::drawn(b"VOUCH---", nonce), sealed).ok_or(CRYPTOGRAPHIC)?;
        if bool::from(claim[..].ct_eq([*client_short, self.secret.public()].as_flattened())) {
            Ok(())
        } else {
            Err(ProtocolError::with_code(code::KEY_EXCHANGE))
        }
    }

    /// READY: 8 bytes of nonce, and a box with the metadata.
    fn ready(client: &Client, negotiation: &Negotiation) -> Vec<u8> {
        let mut body = b"\x05READY".to_vec();
        body.extend_from_slice(&READY_NONCE.to_be_bytes());
        let nonce = keys::counted(b"CurveZMQREADY---", READY_NONCE);
        client.key.append_box(&nonce, &negotiation.properties_after(b""), &mut body);
        body
    }
}

/// C' and s'.
fn open_cookie(cookie: &[u8; 96], key: &SharedKey) -> Option<(PublicKey, SecretKey)> {
    let (nonce, sealed) = cookie.split_first_chunk()?;
    let plain = key.open_box(&keys::drawn(b"COOKIE--", nonce), sealed)?;
    let (client_short, short) = plain.split_first_chunk()?;
    Some((*client_short, SecretKey::new(short.first_chunk()?)))
}

const CRYPTOGRAPHIC: ProtocolError = ProtocolError::with_code(code::CRYPTOGRAPHIC);
const UNEXPECTED: ProtocolError = ProtocolError::with_code(code::UNEXPECTED_COMMAND);
const MALFORMED_HELLO: ProtocolError = ProtocolError::with_code(code::MALFORMED_HELLO);

impl Mechanism for Server {
    fn name(&self) -> &'static str {
        "CURVE"
    }

    fn status(&self) -> Status {
        match self.state {
            State::AskZap(_) | State::AwaitZap(_) => Status::AwaitingZap,
            State::Ready(_) => Status::Ready,
            State::Refused | State::Failed => Status::Failed,
            _ => Status::Handshaking,
        }
    }

    fn next_command(&mut self, negotiation: &mut Negotiation) -> Result<Option<Vec<u8>>, ProtocolError> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::SendWelcome(hello) => self.welcome(&hello).map(Some),
            State::SendReady(client) => {
                let ready = Self::ready(&client, negotiation);
                self.state = State::Ready(client);
                Ok(Some(ready))
            }
            State::SendError(status) => {
                self.state = State::Refused;
                Ok(Some(zap::error_command(status)))
            }
            state => {
                self.state = state;
                Ok(None)
            }
        }
    }

    fn process_command(&mut self, body: &[u8], negotiation: &mut Negotiation) -> Result<(), ProtocolError> {
        let state = std::mem::replace(&mut self.state, State::Failed);
        if !matches!(state, State::AwaitHello | State::AwaitInitiate { .. }) {
            return Err(ProtocolError::with_code(code::UNSPECIFIED));
        }
        // A command has a name, and something behind it.
        if body.len() < 2 || body.len() <= usize::from(body[0]) {
            return Err(ProtocolError::with_code(code::MALFORMED_COMMAND));
        }
        match state {
            State::AwaitInitiate { cookie_key } => self.initiate(body, &cookie_key, negotiation),
            _ => self.hello(body),
        }
    }

    fn zap_request(&mut self) -> Option<ZapRequest> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::AskZap(client) => {
                let credentials = vec![client.public.to_vec()];
                self.state = State::AwaitZap(client);
                Some(ZapRequest { mechanism: "CURVE", credentials })
            }
            state => {
                self.state = state;
                None
            }
        }
    }

    fn zap_reply(&mut self, reply: ZapReply, negotiation: &mut Negotiation) -> Result<(), ProtocolError> {
        let State::AwaitZap(client) = std::mem::replace(&mut self.state, State::Failed) else {
            return Err(ProtocolError::silent(Error::State));
        };
        self.state = match zap::judge(reply, self.zap, negotiation)? {
            Verdict::Admit => State::SendReady(client),
            Verdict::Refuse(status) => State::SendError(status),
            Verdict::Ignore => State::Refused,
        };
        Ok(())
    }

    fn into_codec(self: Box<Self>) -> Codec {
        match self.state {
            State::Ready(client) => {
                codec::codec(&client.key, (FROM_SERVER, READY_NONCE), (FROM_CLIENT, client.nonce))
            }
            _ => Codec::default(),
        }
    }
}
