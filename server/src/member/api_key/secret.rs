//! The secret of an API key: chance, and a mark by which a forged one is refused without asking the database.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::kit::id::Ids;
use crate::kit::keyring::{Keyring, Purpose};

/// What tells a key from an access token, and lets scanners find one that was published by mistake.
pub(in crate::member) const PREFIX: &str = "yeyak_";
const CHANCE: usize = 24;
const MARK: usize = 8;
const LENGTH: usize = CHANCE + MARK;

pub(super) struct Secret([u8; CHANCE]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    pub(super) fn new(ids: &Ids) -> Self {
        let mut chance = [0; CHANCE];
        ids.fill(&mut chance);
        Self(chance)
    }

    /// The secret as its service is given it.
    pub(super) fn text(&self, keys: &Keyring) -> String {
        let mark = keys.mac(Purpose::Token, &self.message(b"api key mark "));
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode([&self.0[..], &mark[..MARK]].concat()))
    }

    /// The secret that a caller shows, if we made it.
    pub(super) fn read(keys: &Keyring, text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(PREFIX).filter(|encoded| encoded.len() < 2 * LENGTH)?;
        let bytes: [u8; LENGTH] = URL_SAFE_NO_PAD.decode(encoded).ok()?.try_into().ok()?;
        let (chance, mark) = bytes.split_first_chunk::<CHANCE>()?;
        let secret = Self(*chance);
        let genuine = keys.macs(Purpose::Token, &secret.message(b"api key mark ")).any(|mac| mac[..MARK] == *mark);
        genuine.then_some(secret)
    }

    /// The name under which the key is found; the secret can't be had from it.
    pub(super) fn hash(&self, keys: &Keyring) -> Vec<u8> {
        keys.index(Purpose::Token, &self.message(b"api key hash ")).to_vec()
    }

    fn message(&self, label: &[u8]) -> Vec<u8> {
        [label, &self.0].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_back_and_a_forged_one_is_refused() {
        let ids = Ids::seeded(1);
        let mut keys = Keyring::generate(&ids);
        let secret = Secret::new(&ids);
        let (text, hash) = (secret.text(&keys), secret.hash(&keys));

        keys.rotate(&ids);

        assert_eq!(Secret::read(&keys, &text).expect("ours").hash(&keys), hash);
        let forged = Secret::new(&ids).text(&Keyring::generate(&ids));
        for bad in [&forged, "yeyak_", "yeyak_x", &text[6..], &format!("{text}A"), &"yeyak_A".repeat(1000)] {
            assert!(Secret::read(&keys, bad).is_none(), "{bad}");
        }
    }
}
