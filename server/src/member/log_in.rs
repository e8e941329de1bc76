//! Logging in.

use tracing::Instrument;

use super::Members;
use super::error::MemberError;
use super::model::{Email, Outcome};
use super::password::Password;
use super::session::Opened;
use super::store::{self, Account, Origin};
use crate::error::Error;
use crate::kit::id::MemberId;

impl Members {
    /// Opens a session for whoever knows the password. What comes of an attempt is on record.
    pub(super) async fn log_in_as(&self, email: &Email, password: &Password, origin: &Origin) -> Result<Opened, Error> {
        let account = store::account_by_email(self.kit.db.read(), &self.kit, email).await?;
        let genuine = self.prove(email, account.as_ref(), password, origin).await?;
        match account {
            Some(account) if genuine => self.open_session(account, origin).await,
            account => {
                self.count_failure(email, account.as_ref(), origin).await?;
                Err(MemberError::WrongCredentials.into())
            }
        }
    }

    /// Whether the password is the account's; refuses to say when it was asked too often of late.
    pub(super) async fn prove(
        &self,
        email: &Email,
        account: Option<&Account>,
        password: &Password,
        origin: &Origin,
    ) -> Result<bool, Error> {
        let key = store::email_index(&self.kit, email);
        self.admit(&key, account, origin)?;
        let hash = account.map(|account| &*account.password_hash);
        let genuine = self.passwords.verify(password, hash).await?;
        // Again, since many guesses may have come at the same moment: all but the first few learn nothing.
        self.admit(&key, account, origin)?;
        if genuine {
            self.throttle.succeeded(&key, &origin.address);
        }
        Ok(genuine)
    }

    /// Refuses an attempt when too many have failed; of an account's refusals the first is on record.
    fn admit(&self, key: &[u8], account: Option<&Account>, origin: &Origin) -> Result<(), Error> {
        let Some(until) = self.throttle.closed_until(key, &origin.address) else { return Ok(()) };
        if let Some(account) = account
            && self.throttle.is_first_refusal(key, &origin.address, until)
        {
            self.note_refusal(account.profile.id, origin);
        }
        let wait = (until - self.kit.clock.now()).to_std().unwrap_or_default();
        Err(MemberError::LoginThrottled { wait }.into())
    }

    /// Puts a refusal on record in a task of its own: how long it takes must not tell that there is an account.
    fn note_refusal(&self, member: MemberId, origin: &Origin) {
        let (kit, origin) = (self.kit.clone(), origin.clone());
        let noting = async move {
            let noted = kit
                .db
                .write(async |tx| store::insert_login(&*tx, &kit, Some(member), Outcome::Throttled, &origin).await)
                .await;
            if let Err(error) = noted {
                tracing::warn!(member.id = %member, "that {member} was throttled could not be noted: {error}");
            }
        };
        tokio::spawn(noting.in_current_span());
    }

    /// Counts a wrong password, and puts it on record.
    pub(super) async fn count_failure(
        &self,
        email: &Email,
        account: Option<&Account>,
        origin: &Origin,
    ) -> Result<(), Error> {
        self.throttle.failed(&store::email_index(&self.kit, email), &origin.address);
        let member = account.map(|account| account.profile.id);
        self.kit
            .db
            .write(async |tx| store::insert_login(&*tx, &self.kit, member, Outcome::WrongPassword, origin).await)
            .await
    }

    async fn open_session(&self, account: Account, origin: &Origin) -> Result<Opened, Error> {
        let Account { profile: member, password_hash } = account;
        let session = self.new_session(member.id, origin);
        self.kit
            .db
            .write(async |tx| {
                // A session that an old password opened must not outlive the change that ended all others.
                if !store::keeps_password(&*tx, member.id, &password_hash).await? {
                    return Err(MemberError::WrongCredentials.into());
                }
                store::insert_session(&*tx, &session).await?;
                store::insert_login(&*tx, &self.kit, Some(member.id), Outcome::LoggedIn, origin).await
            })
            .await?;
        Ok(Opened { tokens: self.tokens.issue(&session, session.create_time)?, member })
    }
}
