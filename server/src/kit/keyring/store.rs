//! Where the secrets are kept: a file that its owner alone may read, sealed when there is a master key.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};

use super::{Keyring, NONCE, Root, SigningKey};
use crate::kit::id::Ids;

/// Why the secrets can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The file can't be read or written.
    #[error("the key file {0} can't be used: {1}")]
    File(PathBuf, #[source] io::Error),
    /// The file is not one of ours, or was damaged.
    #[error("the key file {0} is damaged; restore it from a backup, since nothing encrypted can be read without it")]
    Damaged(PathBuf),
    /// The file is sealed with another master key, or with none.
    #[error("the key file {0} does not open with this `master_key`")]
    WrongMasterKey(PathBuf),
}

#[derive(Deserialize, Serialize)]
struct Plain {
    roots: Vec<String>,
    signing: Vec<PlainSigning>,
}

#[derive(Deserialize, Serialize)]
struct PlainSigning {
    id: String,
    pkcs8: String,
}

impl Keyring {
    /// Reads the secrets of an installation, or makes them at its first start.
    pub fn load_or_create(path: &Path, master_key: Option<&str>, ids: &Ids) -> Result<Self, KeyringError> {
        match fs::read(path) {
            Ok(bytes) => Self::decode(path, &bytes, master_key),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let keys = Self::generate(ids);
                keys.save(path, master_key, ids)?;
                Ok(keys)
            }
            Err(error) => Err(KeyringError::File(path.to_owned(), error)),
        }
    }

    /// Writes the secrets, whole or not at all.
    pub fn save(&self, path: &Path, master_key: Option<&str>, ids: &Ids) -> Result<(), KeyringError> {
        let plain = serde_json::to_vec_pretty(&self.plain()).expect("strings are JSON");
        let bytes = match master_key {
            Some(master_key) => sealed(master_key, plain, ids),
            None => plain,
        };
        let draft = path.with_extension("draft");
        write_private(&draft, &bytes)
            .and_then(|()| fs::rename(&draft, path))
            .and_then(|()| path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all()))
            .map_err(|error| KeyringError::File(path.to_owned(), error))
    }

    fn plain(&self) -> Plain {
        Plain {
            roots: self.roots.iter().map(|root| STANDARD.encode(root.0)).collect(),
            signing: self
                .signing
                .iter()
                .map(|key| PlainSigning { id: key.id.clone(), pkcs8: STANDARD.encode(&key.pkcs8) })
                .collect(),
        }
    }

    fn decode(path: &Path, bytes: &[u8], master_key: Option<&str>) -> Result<Self, KeyringError> {
        let damaged = || KeyringError::Damaged(path.to_owned());
        let wrong = || KeyringError::WrongMasterKey(path.to_owned());
        let plain = match master_key {
            Some(master_key) => unsealed(master_key, bytes).ok_or_else(wrong)?,
            None if bytes.starts_with(SEALED) => return Err(wrong()),
            None => bytes.to_vec(),
        };
        let plain: Plain = serde_json::from_slice(&plain).map_err(|_| damaged())?;
        let roots: Option<Vec<_>> =
            plain.roots.iter().map(|root| Some(Root(STANDARD.decode(root).ok()?.try_into().ok()?))).collect();
        let signing: Option<Vec<_>> =
            plain.signing.into_iter().map(|key| SigningKey::read(key.id, STANDARD.decode(key.pkcs8).ok()?)).collect();
        match (roots, signing) {
            (Some(roots), Some(signing)) if !roots.is_empty() && !signing.is_empty() => Ok(Self::of(roots, signing)),
            _ => Err(damaged()),
        }
    }
}

const SEALED: &[u8] = b"yeyak sealed 1\n";

fn cipher(master_key: &str) -> LessSafeKey {
    // The master key is a long random string, so a hash is enough to make a key of it.
    let digest = ring::digest::digest(&ring::digest::SHA256, master_key.as_bytes());
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, digest.as_ref()).expect("a digest has 32 bytes"))
}

fn sealed(master_key: &str, mut plain: Vec<u8>, ids: &Ids) -> Vec<u8> {
    let mut nonce = [0; NONCE];
    ids.fill(&mut nonce);
    cipher(master_key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(SEALED), &mut plain)
        .expect("a few hundred bytes are far below the cipher's limit");
    [SEALED, &nonce, &plain].concat()
}

fn unsealed(master_key: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = bytes.strip_prefix(SEALED)?.split_first_chunk::<NONCE>()?;
    let mut plain = sealed.to_vec();
    let opened = cipher(master_key).open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(SEALED), &mut plain);
    opened.ok().map(|plain| plain.to_vec())
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_survive_a_restart_and_open_with_the_same_master_key_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let ids = Ids::seeded(3);
        for master_key in [None, Some("correct horse battery staple")] {
            let path = folder.path().join(format!("{}.keys", master_key.is_some()));
            let first = Keyring::load_or_create(&path, master_key, &ids).expect("makes");
            let again = Keyring::load_or_create(&path, master_key, &ids).expect("reads");
            assert_eq!(again.signing()[0].public, first.signing()[0].public);

            let other = master_key.is_none().then_some("another");
            assert!(matches!(Keyring::load_or_create(&path, other, &ids), Err(KeyringError::WrongMasterKey(_))));
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_key_file_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys");
        Keyring::load_or_create(&path, None, &Ids::seeded(3)).expect("makes");
        assert_eq!(fs::metadata(path).expect("there").permissions().mode() & 0o777, 0o600);
    }
}
