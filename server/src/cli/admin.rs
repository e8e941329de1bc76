//! `yeyak admin`: what is done to an installation itself, without a server.

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::output;
use super::password::PasswordFrom;
use super::place::{Place, block_on};
use crate::config::Sources;
use crate::kit::id::Ids;
use crate::kit::keyring::Keyring;
use crate::kit::tx::Db;
use crate::serve::{Folder, Platform, World, key_store};

/// Administers an installation; its server must not be running.
#[derive(Debug, Subcommand)]
pub(super) enum Admin {
    /// Creates a member with the role of an administrator.
    Create(Create),
    /// Makes new keys for what is signed and encrypted from now on; what was made with the old ones still opens.
    RotateKeys(RotateKeys),
}

#[derive(Args, Debug)]
pub(super) struct Create {
    /// The address to log in with.
    email: String,
    /// How they are called [default: the address up to its @].
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    password: PasswordFrom,
    #[command(flatten)]
    place: Place,
}

#[derive(Args, Debug)]
pub(super) struct RotateKeys {
    #[command(flatten)]
    place: Place,
}

impl Admin {
    pub(super) fn run(self, sources: Sources) -> Result<(), Failure> {
        match self {
            Self::Create(command) => command.run(sources),
            Self::RotateKeys(command) => command.run(sources),
        }
    }
}

impl Create {
    fn run(self, sources: Sources) -> Result<(), Failure> {
        let config = self.place.config(sources)?;
        let name = self.name.unwrap_or_else(|| self.email.split('@').next().unwrap_or_default().to_owned());
        block_on(async {
            // Opened before the password is asked for: nobody should type one for nothing.
            let platform = Platform::open_to_change(config, World::default()).await?;
            let password = self.password.chosen()?;
            platform.members.create_admin(&self.email, &password, &name).await?;
            output::say(format!("{} is an administrator; log in with `yeyak login {}`", self.email, self.email))
        })
    }
}

impl RotateKeys {
    fn run(self, sources: Sources) -> Result<(), Failure> {
        let config = self.place.config(sources)?;
        let _folder = Folder::of(&config)?;
        let (ids, master_key) = (Ids::random(), config.master_key.reveal());
        block_on(async {
            let db = Db::open(&config.database_settings()).await?;
            let store = key_store(&db, &config);
            let Some(mut keys) = Keyring::load(&store, master_key).await.map_err(Failure::failed)? else {
                return Err(Failure::failed("there are no keys yet; they are made when the server first starts"));
            };
            keys.rotate(&ids);
            keys.save(&store, master_key, &ids).await.map_err(Failure::failed)?;
            output::say(
                "there are new keys; start the servers again, all of them: one that still ran has the old ones alone, and can't read \
                 what another makes with the new",
            )
        })
    }
}
