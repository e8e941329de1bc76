//! Logging in.

use super::Members;
use super::error::MemberError;
use super::model::{Email, Profile};
use super::password::Password;
use super::session::Opened;
use super::store::{self, Origin};
use crate::error::Error;

impl Members {
    /// Opens a session for whoever knows the password. Every attempt is on record, whatever comes of it.
    pub(super) async fn log_in_as(&self, email: &Email, password: &Password, origin: &Origin) -> Result<Opened, Error> {
        let key = store::email_index(&self.kit, email);
        self.throttle.check(&key, &origin.address)?;
        let account = store::account_by_email(self.kit.db.read(), &self.kit, email).await?;
        let hash = account.as_ref().map(|account| &*account.password_hash);
        let genuine = self.passwords.verify(password, hash).await?;
        let member = account.map(|account| account.profile);
        match member {
            Some(member) if genuine => {
                self.throttle.succeeded(&key);
                self.open_session(member, origin).await
            }
            member => {
                self.throttle.failed(&key, &origin.address);
                let member = member.map(|member| member.id);
                self.kit
                    .db
                    .write(async |tx| store::insert_login(&*tx, &self.kit, member, "WRONG_CREDENTIALS", origin).await)
                    .await?;
                Err(MemberError::WrongCredentials.into())
            }
        }
    }

    async fn open_session(&self, member: Profile, origin: &Origin) -> Result<Opened, Error> {
        let session = self.new_session(member.id, origin);
        self.kit
            .db
            .write(async |tx| {
                store::insert_session(&*tx, &session).await?;
                store::insert_login(&*tx, &self.kit, Some(member.id), "LOGGED_IN", origin).await
            })
            .await?;
        Ok(Opened { tokens: self.tokens.issue(&session, session.create_time)?, member })
    }
}
