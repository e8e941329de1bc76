//! Creating an administrator: by whoever has the installation in hand, never by a request.

use super::Members;
use super::model::{Email, Profile};
use super::password::Password;
use super::store::{self, Account, Origin};
use crate::error::Error;
use crate::kit::caller::Roles;
use crate::kit::date::Tz;
use crate::kit::id::MemberId;
use crate::kit::violation::Violations;

impl Members {
    /// Creates a member with the role of an administrator.
    pub async fn create_admin(&self, email: &str, password: &str, display_name: &str) -> Result<Profile, Error> {
        let mut violations = Violations::new();
        let email = violations.take("email", email.parse::<Email>());
        let password = violations.take("password", Password::new(password));
        let name = violations.text("display_name", display_name, 1, 50);
        let (email, password, display_name) = violations.finish((|| Some((email?, password?, name?)))())?;
        let now = self.kit.clock.now();
        let account = Account {
            password_hash: self.passwords.hash(&self.kit.ids, &password).await?,
            profile: Profile {
                id: MemberId::new(&self.kit.ids, now),
                email,
                display_name,
                phone: String::new(),
                locale: "ko".to_owned(),
                time_zone: Tz::Asia__Seoul,
                roles: Roles { admin: true, ..Roles::default() },
                version: 1,
                create_time: now,
                update_time: now,
            },
        };
        let origin = Origin::default();
        self.kit
            .db
            .write(async |tx| {
                store::insert_account(&*tx, &self.kit, &account).await?;
                store::insert_login(&*tx, &self.kit, Some(account.profile.id), "ADMIN_CREATED", &origin).await
            })
            .await?;
        Ok(account.profile)
    }
}
