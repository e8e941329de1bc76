//! Passwords: hashed with argon2id, off the async runtime, a few at a time.

use std::sync::Arc;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::error::Error;
use crate::kit::id::Ids;

/// A password as it was typed; never shown, never kept.
#[derive(Clone)]
pub(super) struct Password(String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

/// A string that can't be a password.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("must have 10 to 128 characters, and be none of the passwords that are guessed first")]
pub(super) struct NotAPassword;

/// The passwords of ten characters and more that lead the lists of leaked ones. Shorter ones are refused by their length.
const GUESSED_FIRST: &[&str] = &[
    "0123456789",
    "0987654321",
    "1029384756",
    "1111111111",
    "11111111111",
    "1122334455",
    "1234512345",
    "1234554321",
    "123123123123",
    "1234567890",
    "12345678900",
    "12345678901",
    "12345678910",
    "123456789a",
    "123456789q",
    "1234567891",
    "12345qwert",
    "1q2w3e4r5t",
    "1q2w3e4r5t6y",
    "1qaz2wsx3edc",
    "1qazxsw23edc",
    "9876543210",
    "a123456789",
    "aa123456789",
    "abcd123456",
    "abcdefghij",
    "administrator",
    "asdfghjkl;",
    "asdfghjkl1",
    "iloveyou123",
    "internet123",
    "letmein123",
    "password01",
    "password1!",
    "password11",
    "password12",
    "password123",
    "password1234",
    "password12345",
    "q1w2e3r4t5",
    "q1w2e3r4t5y6",
    "qazwsxedcrfv",
    "qwer123456",
    "qwerty12345",
    "qwerty123456",
    "qwertyuiop",
    "qwertyuiop123",
    "qwertyuiop[]",
    "welcome123",
    "zxcvbnm123",
    "zxcvbnm,./",
];

impl Password {
    /// A password good enough for an account: length counts, as NIST SP 800-63B-4 has it, and no rules of composition.
    pub(super) fn new(text: &str) -> Result<Self, NotAPassword> {
        let guessed = GUESSED_FIRST.contains(&&*text.to_lowercase());
        let fits = (10..=128).contains(&text.chars().count());
        if fits && !guessed { Ok(Self(text.to_owned())) } else { Err(NotAPassword) }
    }

    /// Whatever was typed to log in.
    pub(super) fn typed(text: &str) -> Result<Self, NotAPassword> {
        if text.chars().count() <= 128 { Ok(Self(text.to_owned())) } else { Err(NotAPassword) }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Passwords {
    argon2: Arc<Argon2<'static>>,
    /// Each hash takes 19 MiB and a core: more at once than cores would only take memory.
    permits: Arc<Semaphore>,
    /// What an unknown address is compared with, so that it takes as long as a known one.
    decoy: Arc<str>,
}

impl Passwords {
    pub(super) fn new(memory_kib: u32) -> Self {
        let params = Params::new(memory_kib, 2, 1, None).expect("the configuration is checked at start");
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let salt = SaltString::encode_b64(&[0; 16]).expect("16 bytes are a salt");
        let decoy = argon2.hash_password(b"no member has this password", &salt).expect("the parameters are valid");
        Self { decoy: decoy.to_string().into(), argon2: Arc::new(argon2), permits: Arc::new(Semaphore::new(cores)) }
    }

    pub(super) async fn hash(&self, ids: &Ids, password: &Password) -> Result<String, Error> {
        let mut salt = [0; 16];
        ids.fill(&mut salt);
        let salt = SaltString::encode_b64(&salt).map_err(|error| Error::internal(error.to_string()))?;
        let (argon2, password) = (self.argon2.clone(), password.clone());
        let _permit = self.permits.acquire().await.map_err(Error::internal)?;
        spawn_blocking(move || match argon2.hash_password(password.0.as_bytes(), &salt) {
            Ok(hash) => Ok(hash.to_string()),
            Err(error) => Err(Error::internal(error.to_string())),
        })
        .await
        .map_err(Error::internal)?
    }

    /// Whether the password is the one that was hashed; `None` is nobody's, and takes as long to refuse.
    pub(super) async fn verify(&self, password: &Password, hash: Option<&str>) -> Result<bool, Error> {
        let known = hash.is_some();
        let hash = hash.map_or_else(|| self.decoy.to_string(), str::to_owned);
        let (argon2, password) = (self.argon2.clone(), password.clone());
        let _permit = self.permits.acquire().await.map_err(Error::internal)?;
        let matches = spawn_blocking(move || {
            PasswordHash::new(&hash).is_ok_and(|hash| argon2.verify_password(password.0.as_bytes(), &hash).is_ok())
        })
        .await
        .map_err(Error::internal)?;
        Ok(matches && known)
    }
}
