//! Signing up.

use super::Members;
use super::error::MemberError;
use super::model::{Email, Outcome, Profile};
use super::password::Password;
use super::session::Opened;
use super::store::{self, Account, Origin};
use crate::error::{Error, ErrorReason};
use crate::kit::caller::Roles;
use crate::kit::date::Tz;
use crate::kit::id::MemberId;

/// Asks for an account.
#[derive(Clone, Debug)]
pub(super) struct SignUp {
    pub(super) email: Email,
    pub(super) password: Password,
    pub(super) display_name: String,
    pub(super) locale: String,
    pub(super) time_zone: Tz,
    pub(super) origin: Origin,
}

impl Members {
    /// Creates a member and opens their first session. An address that has an account with the same password logs in, so
    /// that a repeated request has one effect.
    pub(super) async fn sign_up(&self, command: SignUp) -> Result<Opened, Error> {
        let now = self.kit.clock.now();
        let account = self.new_account(&command).await?;
        let session = self.new_session(account.profile.id, &command.origin);
        let created = self
            .kit
            .db
            .write(async |tx| {
                store::insert_account(&*tx, &self.kit, &account).await?;
                store::insert_session(&*tx, &session).await?;
                store::insert_login(&*tx, &self.kit, Some(account.profile.id), Outcome::SignedUp, &command.origin).await
            })
            .await;
        match created {
            Ok(()) => Ok(Opened { tokens: self.tokens.issue(&session, now)?, member: account.profile }),
            Err(error) if error.reason() == ErrorReason::EmailTaken => {
                let known = self.log_in_as(&command.email, &command.password, &command.origin).await;
                known.map_err(|refused| match refused.fault() {
                    Some(MemberError::WrongCredentials) => error,
                    _ => refused,
                })
            }
            Err(error) => Err(error),
        }
    }

    /// The account that a sign-up asks for; its password is hashed.
    pub(super) async fn new_account(&self, command: &SignUp) -> Result<Account, Error> {
        let now = self.kit.clock.now();
        Ok(Account {
            password_hash: self.passwords.hash(&self.kit.ids, &command.password).await?,
            profile: Profile {
                id: MemberId::new(&self.kit.ids, now),
                email: command.email.clone(),
                display_name: command.display_name.clone(),
                phone: String::new(),
                locale: command.locale.clone(),
                time_zone: command.time_zone,
                roles: Roles::default(),
                version: 1,
                create_time: now,
                update_time: now,
            },
        })
    }
}
