//! Keys and boxes: X25519, XSalsa20 and Poly1305, put together as NaCl's `crypto_box` does (<https://nacl.cr.yp.to/box.html>).

use crate::error::Result;
use crate::random;
use dryoc::classic::crypto_box::{
    crypto_box_beforenm, crypto_box_detached_afternm_inplace, crypto_box_open_detached_afternm,
    crypto_box_open_detached_afternm_inplace,
};
use dryoc::classic::crypto_core::{crypto_core_hsalsa20, crypto_scalarmult_base};
use zeroize::Zeroizing;

/// The bytes of a key.
pub const KEY: usize = 32;
/// The bytes that authenticate a box; they stand before what is encrypted.
pub const MAC: usize = 16;

/// A public key.
pub type PublicKey = [u8; KEY];
/// What makes a box's encryption unique, together with its key.
pub type Nonce = [u8; 24];

/// A secret key. It is wiped when it isn't needed any more.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<[u8; KEY]>);

impl SecretKey {
    /// The key with these bytes.
    pub fn new(bytes: &[u8; KEY]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// A new one.
    ///
    /// # Errors
    /// The system's, if it has no random bytes.
    pub fn generate() -> Result<Self> {
        let mut key = Self(Zeroizing::new([0; KEY]));
        random::fill(&mut *key.0)?;
        Ok(key)
    }

    /// The public key that goes with it.
    pub fn public(&self) -> PublicKey {
        let mut public = [0; KEY];
        crypto_scalarmult_base(&mut public, &self.0);
        public
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; KEY] {
        &self.0
    }
}

/// What the owners of two pairs of keys both can compute, and nobody else: the key of the boxes between them. It is wiped when it isn't
/// needed any more.
#[derive(Clone)]
pub struct SharedKey(Zeroizing<[u8; KEY]>);

impl SharedKey {
    /// From one's own secret key and the other one's public key; `None` if that is one of those that lead to the same
    /// shared key with everybody.
    pub fn new(public: &PublicKey, secret: &SecretKey) -> Option<Self> {
        crypto_box_beforenm(public, &secret.0).ok().map(|key| Self(Zeroizing::new(key)))
    }

    /// A key that is shared with nobody (for NaCl's `crypto_secretbox`, which does the same with its key as `crypto_box`
    /// with a shared one).
    ///
    /// # Errors
    /// As for [`SecretKey::generate`].
    pub fn generate() -> Result<Self> {
        SecretKey::generate().map(|key| Self(key.0))
    }

    /// The key of the Salsa20 streams of all nonces that begin with `prefix` (HSalsa20).
    pub fn stream_key(&self, prefix: &[u8; 16]) -> Zeroizing<[u8; KEY]> {
        let mut key = Zeroizing::new([0; KEY]);
        crypto_core_hsalsa20(&mut key, prefix, &self.0, None);
        key
    }

    /// Encrypts in place; what authenticates it is returned.
    pub fn seal_in_place(&self, nonce: &Nonce, data: &mut [u8]) -> [u8; MAC] {
        let mut mac = [0; MAC];
        crypto_box_detached_afternm_inplace(data, &mut mac, nonce, &self.0);
        mac
    }

    /// Decrypts in place, if it is genuine, which is the answer.
    #[must_use]
    pub fn open_in_place(&self, nonce: &Nonce, mac: &[u8; MAC], data: &mut [u8]) -> bool {
        crypto_box_open_detached_afternm_inplace(data, mac, nonce, &self.0).is_ok()
    }

    /// Decrypts into `plain`, which has the same length as `data`, if it is genuine, which is the answer.
    #[must_use]
    pub fn open_into(&self, nonce: &Nonce, mac: &[u8; MAC], data: &[u8], plain: &mut [u8]) -> bool {
        crypto_box_open_detached_afternm(plain, data, mac, nonce, &self.0).is_ok()
    }

    /// Appends the box with `plain`.
    pub fn append_box(&self, nonce: &Nonce, plain: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; MAC]);
        out.extend_from_slice(plain);
        let mac = self.seal_in_place(nonce, &mut out[start + MAC..]);
        out[start..start + MAC].copy_from_slice(&mac);
    }

    /// What is in a box; `None` if it isn't genuine.
    pub fn open_box(&self, nonce: &Nonce, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (mac, data) = sealed.split_first_chunk()?;
        let mut plain = Zeroizing::new(data.to_vec());
        self.open_in_place(nonce, mac, &mut plain).then_some(plain)
    }
}

/// A nonce that is counted.
pub fn counted(prefix: &[u8; 16], counter: u64) -> Nonce {
    joined(prefix, &counter.to_be_bytes())
}

/// A nonce that is drawn.
pub fn drawn(prefix: &[u8; 8], random: &[u8; 16]) -> Nonce {
    joined(prefix, random)
}

fn joined(prefix: &[u8], rest: &[u8]) -> Nonce {
    let mut nonce = [0; 24];
    let (first, second) = nonce.split_at_mut(prefix.len());
    first.copy_from_slice(prefix);
    second.copy_from_slice(rest);
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        assert_eq!(text.len(), 2 * N);
        std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
    }

    /// The example of "Cryptography in NaCl" (<https://cr.yp.to/highspeed/naclcrypto-20090310.pdf>), from the keys to the box.
    #[test]
    fn the_example_of_nacl() {
        let alice = SecretKey::new(&hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"));
        let bob = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
        let public: PublicKey = hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        assert_eq!(alice.public(), public);
        let shared = SharedKey::new(&bob, &alice).unwrap();
        assert_eq!(*shared.0, hex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389"));
        let stream_key = shared.stream_key(&hex("69696ee955b62b73cd62bda875fc73d6"));
        assert_eq!(*stream_key, hex("dc908dda0b9344a953629b733820778880f3ceb421bb61b91cbd4c3e66256ce4"));
        let plain: [u8; 131] = hex(concat!(
            "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c6129",
            "6cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde",
            "048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705",
        ));
        let sealed: [u8; 147] = hex(concat!(
            "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186a",
            "c0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae",
            "90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74",
            "e355a5",
        ));
        let nonce = hex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37");
        let mut out = Vec::new();
        shared.append_box(&nonce, &plain, &mut out);
        assert_eq!(out, sealed);
        assert_eq!(**shared.open_box(&nonce, &sealed).unwrap(), plain);
    }

    #[test]
    fn keys_of_small_order_are_refused() {
        let secret = SecretKey::generate().unwrap();
        assert!(SharedKey::new(&[0; KEY], &secret).is_none());
        let mut one = [0; KEY];
        one[0] = 1;
        assert!(SharedKey::new(&one, &secret).is_none());
    }

    #[test]
    fn a_box_opens_for_the_other_side_alone_and_unchanged() {
        let (alice, bob, eve) =
            (SecretKey::generate().unwrap(), SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        let ours = SharedKey::new(&bob.public(), &alice).unwrap();
        let theirs = SharedKey::new(&alice.public(), &bob).unwrap();
        let nonce = counted(b"CurveZMQHELLO---", 7);
        let mut sealed = b"before".to_vec();
        ours.append_box(&nonce, b"message", &mut sealed);
        let sealed = &mut sealed[6..];
        assert_eq!(sealed.len(), MAC + 7);
        assert_eq!(**theirs.open_box(&nonce, sealed).unwrap(), *b"message");
        assert!(theirs.open_box(&counted(b"CurveZMQHELLO---", 8), sealed).is_none());
        assert!(SharedKey::new(&alice.public(), &eve).unwrap().open_box(&nonce, sealed).is_none());
        for bit in 0..8 * sealed.len() {
            sealed[bit / 8] ^= 1 << (bit % 8);
            assert!(theirs.open_box(&nonce, sealed).is_none(), "bit {bit}");
            sealed[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(theirs.open_box(&nonce, &sealed[..MAC - 1]).is_none());
    }
}
