//! Where the secrets are kept: a file that its owner alone may read, or a row in the database that processes share; sealed when
//! there is a master key.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use sea_orm::ActiveValue;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Keyring, NONCE, Root, SigningKey};
use crate::kit::id::Ids;

/// Why the secrets can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The file can't be read or written.
    #[error("the key file {0} can't be used: {1}")]
    File(PathBuf, #[source] io::Error),
    /// The table can't be read or written.
    #[error("the keys in the table `keyring` can't be used: {0}")]
    Table(#[source] DbErr),
    /// They are not ours, or were damaged.
    #[error("{0} is damaged; restore it from a backup, since nothing encrypted can be read without it")]
    Damaged(String),
    /// They are sealed with another master key, or with none.
    #[error("{0} does not open with this `master_key`")]
    WrongMasterKey(String),
}

/// Where the secrets of an installation are, so that all of its processes find the same.
#[derive(Clone, Debug)]
pub enum KeyStore {
    /// A file in the data folder: the one process of an embedded installation.
    File(PathBuf),
    /// A row in the database that its processes share.
    Table(DatabaseConnection),
}

impl KeyStore {
    fn name(&self) -> String {
        match self {
            Self::File(path) => format!("the key file {}", path.display()),
            Self::Table(_) => "the table `keyring`".to_owned(),
        }
    }

    async fn read(&self) -> Result<Option<Vec<u8>>, KeyringError> {
        match self {
            Self::File(path) => match fs::read(path) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(KeyringError::File(path.clone(), error)),
            },
            Self::Table(conn) => {
                let row = Entity::find_by_id(ROW).one(conn).await.map_err(KeyringError::Table)?;
                Ok(row.map(|row| row.content))
            }
        }
    }

    /// Writes the first secrets, unless another process was faster.
    async fn add(&self, bytes: &[u8]) -> Result<(), KeyringError> {
        let Self::Table(conn) = self else { return self.replace(bytes).await };
        let row = ActiveModel { name: ActiveValue::Set(ROW.to_owned()), content: ActiveValue::Set(bytes.to_vec()) };
        let added = Entity::insert_many([row]).on_conflict_do_nothing().exec_without_returning(conn).await;
        added.map(|_| ()).map_err(KeyringError::Table)
    }

    async fn replace(&self, bytes: &[u8]) -> Result<(), KeyringError> {
        match self {
            Self::File(path) => write_whole(path, bytes).map_err(|error| KeyringError::File(path.clone(), error)),
            Self::Table(conn) => {
                let row = Entity::update_many().col_expr(Column::Content, Expr::value(bytes.to_vec()));
                let replaced = row.filter(Column::Name.eq(ROW)).exec(conn).await;
                replaced.map(|_| ()).map_err(KeyringError::Table)
            }
        }
    }
}

/// The one row of the table.
const ROW: &str = "installation";

#[sea_orm::model]
#[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
#[sea_orm(table_name = "keyring")]
struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    name: String,
    content: Vec<u8>,
}

impl ActiveModelBehavior for ActiveModel {}

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
    /// Reads the secrets of an installation, or makes them at its first start. Processes that start at the same moment end up
    /// with the same.
    pub async fn load_or_create(store: &KeyStore, master_key: Option<&str>, ids: &Ids) -> Result<Self, KeyringError> {
        if let Some(keys) = Self::load(store, master_key).await? {
            return Ok(keys);
        }
        store.add(&Self::generate(ids).encode(master_key, ids)).await?;
        Self::load(store, master_key).await?.ok_or_else(|| KeyringError::Damaged(store.name()))
    }

    /// The secrets of an installation, once it was started.
    pub async fn load(store: &KeyStore, master_key: Option<&str>) -> Result<Option<Self>, KeyringError> {
        let bytes = store.read().await?;
        bytes.map(|bytes| Self::decode(&store.name(), &bytes, master_key)).transpose()
    }

    /// Writes the secrets, whole or not at all.
    pub async fn save(&self, store: &KeyStore, master_key: Option<&str>, ids: &Ids) -> Result<(), KeyringError> {
        store.replace(&self.encode(master_key, ids)).await
    }

    fn encode(&self, master_key: Option<&str>, ids: &Ids) -> Vec<u8> {
        let plain = serde_json::to_vec_pretty(&self.plain()).expect("strings are JSON");
        match master_key {
            Some(master_key) => sealed(master_key, plain, ids),
            None => plain,
        }
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

    fn decode(name: &str, bytes: &[u8], master_key: Option<&str>) -> Result<Self, KeyringError> {
        let damaged = || KeyringError::Damaged(name.to_owned());
        let wrong = || KeyringError::WrongMasterKey(name.to_owned());
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

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("draft");
    write_private(&draft, bytes)?;
    fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
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
    use crate::harness::Harness;

    async fn survives(store: KeyStore, master_key: Option<&str>) {
        let ids = Ids::seeded(3);
        let first = Keyring::load_or_create(&store, master_key, &ids).await.expect("makes");
        let again = Keyring::load_or_create(&store, master_key, &ids).await.expect("reads");
        assert_eq!(again.signing()[0].public, first.signing()[0].public);

        let other = master_key.is_none().then_some("another");
        let refused = Keyring::load_or_create(&store, other, &ids).await;
        assert!(matches!(refused, Err(KeyringError::WrongMasterKey(_))));
    }

    #[tokio::test]
    async fn secrets_survive_a_restart_and_open_with_the_same_master_key_alone() {
        for master_key in [None, Some("correct horse battery staple")] {
            let yeyak = Harness::new().await;
            survives(KeyStore::File(yeyak.folder().join("keys")), master_key).await;
            survives(KeyStore::Table(yeyak.db.read().clone()), master_key).await;
        }
    }

    /// Guard: the first row stays, and each reads it again.
    #[tokio::test]
    async fn processes_that_start_at_the_same_moment_share_their_secrets() {
        let yeyak = Harness::new().await;
        let store = KeyStore::Table(yeyak.db.schema_connection().clone());
        let starts = (0..20).map(|seed| {
            let store = store.clone();
            async move { Keyring::load_or_create(&store, None, &Ids::seeded(seed)).await.expect("starts") }
        });

        let all = futures::future::join_all(starts).await;

        assert!(all.iter().all(|keys| keys.signing()[0].public == all[0].signing()[0].public));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_key_file_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys");
        Keyring::load_or_create(&KeyStore::File(path.clone()), None, &Ids::seeded(3)).await.expect("makes");
        assert_eq!(fs::metadata(path).expect("there").permissions().mode() & 0o777, 0o600);
    }
}
