//! The secrets of an installation: made at first start, shared by its processes, rotated by hand.
//!
//! One random root gives every symmetric key, each for one purpose; access tokens are signed with Ed25519 keys of their own.
//! After a rotation the newest makes, and all of them check. Old ones stay, so that what was sealed can be opened.

mod store;

use std::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair};

pub use self::store::{KeyStore, KeyringError};
use super::id::Ids;

const NONCE: usize = 12;

/// What a symmetric key is for: keys of different purposes have nothing in common.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// Binds a page token to the list it belongs to.
    Page,
    /// Recognises a repeated request by its body.
    Request,
    /// Signs price, change and cancellation quotes.
    Quote,
    /// Hashes refresh tokens and API keys.
    Token,
    /// Finds an e-mail address without decrypting it.
    EmailIndex,
    /// Encrypts personal data.
    Personal,
    /// Opens the built-in payment simulator.
    Simulator,
    /// Makes and checks the codes of coupons.
    CouponCode,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Page => b"yeyak page",
            Self::Request => b"yeyak request",
            Self::Quote => b"yeyak quote",
            Self::Token => b"yeyak token",
            Self::EmailIndex => b"yeyak email index",
            Self::Personal => b"yeyak personal",
            Self::Simulator => b"yeyak simulator",
            Self::CouponCode => b"yeyak coupon code",
        }
    }
}

/// One generation of symmetric keys.
struct Root([u8; 32]);

impl Root {
    fn derive(&self, purpose: Purpose) -> [u8; 32] {
        let mut key = [0; 32];
        let pseudo_random = Salt::new(HKDF_SHA256, b"yeyak").extract(&self.0);
        pseudo_random
            .expand(&[purpose.label()], HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut key))
            .expect("32 bytes are what HKDF-SHA256 gives");
        key
    }

    fn mac_key(&self, purpose: Purpose) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.derive(purpose))
    }

    fn cipher(&self, purpose: Purpose) -> LessSafeKey {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &self.derive(purpose)).expect("the key has 32 bytes");
        LessSafeKey::new(key)
    }
}

/// A key that signs access tokens.
pub struct SigningKey {
    /// Named in the header of each token, and in the JWKS.
    pub id: String,
    /// PKCS #8, as `jsonwebtoken` and the store want it.
    pub pkcs8: Vec<u8>,
    /// The 32 bytes that verify.
    pub public: Vec<u8>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SigningKey {
    fn read(id: String, pkcs8: Vec<u8>) -> Option<Self> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8).ok()?;
        let public = pair.public_key().as_ref().to_vec();
        Some(Self { id, pkcs8, public })
    }

    fn generate(ids: &Ids) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).expect("the system has chance");
        let mut id = [0; 6];
        ids.fill(&mut id);
        let id = id.iter().map(|byte| format!("{byte:02x}")).collect();
        Self::read(id, document.as_ref().to_vec()).expect("just generated")
    }
}

/// All secrets of an installation.
pub struct Keyring {
    /// Newest first.
    roots: Vec<Root>,
    /// Newest first.
    signing: Vec<SigningKey>,
    /// Derived once: every list, request and quote uses them.
    derived: Vec<(Purpose, Vec<hmac::Key>)>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

impl Keyring {
    /// Fresh secrets.
    pub fn generate(ids: &Ids) -> Self {
        let mut root = [0; 32];
        ids.fill(&mut root);
        Self::of(vec![Root(root)], vec![SigningKey::generate(ids)])
    }

    fn of(roots: Vec<Root>, signing: Vec<SigningKey>) -> Self {
        let purposes = [
            Purpose::Page,
            Purpose::Request,
            Purpose::Quote,
            Purpose::Token,
            Purpose::EmailIndex,
            Purpose::Simulator,
            Purpose::CouponCode,
        ];
        let derived = purposes.map(|purpose| (purpose, roots.iter().map(|root| root.mac_key(purpose)).collect()));
        Self { roots, signing, derived: derived.into() }
    }

    /// New keys for what is made from now on.
    pub fn rotate(&mut self, ids: &Ids) {
        let fresh = Self::generate(ids);
        let roots = fresh.roots.into_iter().chain(self.roots.drain(..)).collect();
        let signing = fresh.signing.into_iter().chain(self.signing.drain(..)).collect();
        *self = Self::of(roots, signing);
    }

    /// The keys of access tokens, the one that signs first.
    pub fn signing(&self) -> &[SigningKey] {
        &self.signing
    }

    fn keys(&self, purpose: Purpose) -> &[hmac::Key] {
        let found = self.derived.iter().find(|(found, _)| *found == purpose);
        found.map(|(_, keys)| &**keys).unwrap_or_default()
    }

    /// Signs a message.
    pub fn mac(&self, purpose: Purpose, message: &[u8]) -> [u8; 32] {
        tag(&self.keys(purpose)[0], message)
    }

    /// The signatures of a message by each of our keys, newest first.
    pub fn macs(&self, purpose: Purpose, message: &[u8]) -> impl Iterator<Item = [u8; 32]> {
        self.keys(purpose).iter().map(|key| tag(key, message))
    }

    /// Whether one of our keys signed the message. Takes the same time whatever differs.
    pub fn verify(&self, purpose: Purpose, message: &[u8], mac: &[u8]) -> bool {
        self.keys(purpose).iter().any(|key| hmac::verify(key, message, mac).is_ok())
    }

    /// A stable name for a value that must be found again: made with the oldest key, so that rotation loses nothing.
    pub fn index(&self, purpose: Purpose, value: &[u8]) -> [u8; 32] {
        tag(self.keys(purpose).last().expect("there is always a root"), value)
    }

    /// Encrypts a value.
    pub fn seal(&self, ids: &Ids, value: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE];
        ids.fill(&mut nonce);
        let mut sealed = value.to_vec();
        let cipher = self.roots[0].cipher(Purpose::Personal);
        cipher
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
            .expect("values are far below the cipher's limit");
        [&nonce[..], &sealed].concat()
    }

    /// Decrypts a value; `None` when none of our keys sealed it.
    pub fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
        self.roots.iter().find_map(|root| {
            let mut value = sealed.to_vec();
            let cipher = root.cipher(Purpose::Personal);
            let plain = cipher.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::empty(), &mut value).ok()?;
            Some(plain.to_vec())
        })
    }
}

fn tag(key: &hmac::Key, message: &[u8]) -> [u8; 32] {
    hmac::sign(key, message).as_ref().try_into().expect("HMAC-SHA256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_rotation_the_old_still_opens_and_verifies() {
        let ids = Ids::seeded(7);
        let mut keys = Keyring::generate(&ids);
        let (sealed, mac) = (keys.seal(&ids, b"a@b.kr"), keys.mac(Purpose::Quote, b"quote"));
        let index = keys.index(Purpose::EmailIndex, b"a@b.kr");

        keys.rotate(&ids);

        assert_eq!(keys.open(&sealed).as_deref(), Some(&b"a@b.kr"[..]));
        assert!(keys.verify(Purpose::Quote, b"quote", &mac));
        assert!(!keys.verify(Purpose::Page, b"quote", &mac), "keys of other purposes differ");
        assert_eq!(keys.index(Purpose::EmailIndex, b"a@b.kr"), index);
        assert_ne!(keys.mac(Purpose::Quote, b"quote"), mac);
        assert_eq!(keys.signing().len(), 2);
    }

    #[test]
    fn what_was_tampered_with_does_not_open() {
        let ids = Ids::seeded(7);
        let keys = Keyring::generate(&ids);
        let mut sealed = keys.seal(&ids, b"a@b.kr");
        sealed[NONCE] ^= 1;
        assert_eq!(keys.open(&sealed), None);
        assert_eq!(keys.open(b"short"), None);
    }
}
