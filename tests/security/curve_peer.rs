//! A CURVE client by hand (RFC 26), on NaCl's `crypto_box` alone, which says what a test wants it to say.

use dryoc::classic::crypto_box::{
    PublicKey, SecretKey, crypto_box_easy, crypto_box_keypair, crypto_box_open_easy,
};

/// Ten bytes of signature, version 3.1, mechanism CURVE.
pub fn greeting() -> Vec<u8> {
    let mut bytes = crate::wire::greeting();
    bytes[12..17].copy_from_slice(b"CURVE");
    bytes
}

/// A frame of any length.
pub fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    match u8::try_from(body.len()) {
        Ok(length) => [&[flags, length], body].concat(),
        Err(_) => [&[flags | 2][..], &(body.len() as u64).to_be_bytes(), body].concat(),
    }
}

fn nonce(prefix: &[u8], rest: &[u8]) -> [u8; 24] {
    [prefix, rest].concat().try_into().expect("24 bytes")
}

fn boxed(plain: &[u8], nonce: &[u8; 24], to: &PublicKey, from: &SecretKey) -> Vec<u8> {
    let mut sealed = vec![0; plain.len() + 16];
    crypto_box_easy(&mut sealed, plain, nonce, to, from).expect("a box");
    sealed
}

fn opened(sealed: &[u8], nonce: &[u8; 24], from: &PublicKey, to: &SecretKey) -> Vec<u8> {
    let mut plain = vec![0; sealed.len() - 16];
    crypto_box_open_easy(&mut plain, sealed, nonce, from, to).expect("a genuine box");
    plain
}

/// See the module's text. Its fields may be changed at any time.
pub struct CurvePeer {
    pub public: PublicKey,
    pub secret: SecretKey,
    pub short_public: PublicKey,
    pub short_secret: SecretKey,
    pub server: PublicKey,
    pub server_short: PublicKey,
    pub cookie: Vec<u8>,
    /// Of the next command.
    pub nonce: u64,
    pub metadata: Vec<u8>,
}

impl CurvePeer {
    pub fn new(server: PublicKey) -> Self {
        let (public, secret) = crypto_box_keypair();
        let (short_public, short_secret) = crypto_box_keypair();
        let metadata = crate::wire::property("Socket-Type", b"PUSH");
        let (server_short, cookie) = ([0; 32], Vec::new());
        let nonce = 1;
        Self { public, secret, short_public, short_secret, server, server_short, cookie, nonce, metadata }
    }

    fn count(&mut self) -> [u8; 8] {
        self.nonce += 1;
        (self.nonce - 1).to_be_bytes()
    }

    pub fn hello(&mut self) -> Vec<u8> {
        let counter = self.count();
        let signature =
            boxed(&[0; 64], &nonce(b"CurveZMQHELLO---", &counter), &self.server, &self.short_secret);
        [b"\x05HELLO\x01\x00", &[0; 72][..], &self.short_public, &counter, &signature].concat()
    }

    /// Takes WELCOME.
    pub fn welcomed(&mut self, body: &[u8]) {
        let rest = body.strip_prefix(b"\x07WELCOME").expect("WELCOME");
        let plain = opened(&rest[16..], &nonce(b"WELCOME-", &rest[..16]), &self.server, &self.short_secret);
        self.server_short.copy_from_slice(&plain[..32]);
        self.cookie = plain[32..].to_vec();
    }

    pub fn vouch(&self) -> Vec<u8> {
        let claim = [self.short_public, self.server];
        let sealed =
            boxed(claim.as_flattened(), &nonce(b"VOUCH---", &[9; 16]), &self.server_short, &self.secret);
        [&[9; 16][..], &sealed].concat()
    }

    /// INITIATE with whatever is in its box.
    pub fn initiate_with(&mut self, inside: &[u8]) -> Vec<u8> {
        let counter = self.count();
        let sealed =
            boxed(inside, &nonce(b"CurveZMQINITIATE", &counter), &self.server_short, &self.short_secret);
        [b"\x08INITIATE", &self.cookie[..], &counter, &sealed].concat()
    }

    pub fn initiate(&mut self) -> Vec<u8> {
        let inside = [&self.public[..], &self.vouch(), &self.metadata].concat();
        self.initiate_with(&inside)
    }

    /// What is in READY.
    pub fn ready(&self, body: &[u8]) -> Vec<u8> {
        let rest = body.strip_prefix(b"\x05READY").expect("READY");
        let nonce = nonce(b"CurveZMQREADY---", &rest[..8]);
        opened(&rest[8..], &nonce, &self.server_short, &self.short_secret)
    }

    pub fn message(&mut self, flags: u8, body: &[u8]) -> Vec<u8> {
        let counter = self.count();
        let plain = [&[flags], body].concat();
        let sealed =
            boxed(&plain, &nonce(b"CurveZMQMESSAGEC", &counter), &self.server_short, &self.short_secret);
        [b"\x07MESSAGE", &counter[..], &sealed].concat()
    }

    /// Flags and body of a MESSAGE.
    pub fn received(&self, body: &[u8]) -> (u8, Vec<u8>) {
        let rest = body.strip_prefix(b"\x07MESSAGE").expect("MESSAGE");
        let nonce = nonce(b"CurveZMQMESSAGES", &rest[..8]);
        let plain = opened(&rest[8..], &nonce, &self.server_short, &self.short_secret);
        (plain[0], plain[1..].to_vec())
    }
}
