//! Making an admin or a seller by hand: the first admin can't be granted the role by another.

use yeyak_proto::yeyak::member::v1 as pb;

use super::model::{Change, Role};
use crate::error::{Error, ErrorReason};
use crate::kit::caller::Actor;
use crate::kit::id::MemberId;
use crate::member::model::Profile;
use crate::member::sign_up::SignUp;
use crate::member::store::{self, Origin};
use crate::member::{MemberError, Members, convert};

impl Members {
    /// Makes a member who is an admin, or makes an admin of the member with this address and password.
    ///
    /// Errors: `INVALID_FIELDS`, and `WRONG_CREDENTIALS` when the address has an account with another password.
    pub async fn create_admin(&self, email: &str, password: &str, display_name: &str) -> Result<Profile, Error> {
        let request = pb::SignUpRequest {
            email: email.to_owned(),
            password: password.to_owned(),
            display_name: display_name.to_owned(),
            ..Default::default()
        };
        self.create_with(Role::Admin, request).await
    }

    /// Makes a member who is a seller, or makes a seller of the member with this address and password.
    ///
    /// Errors: as [`Self::create_admin`].
    pub async fn create_seller(&self, email: &str, password: &str, display_name: &str) -> Result<Profile, Error> {
        let request = pb::SignUpRequest {
            email: email.to_owned(),
            password: password.to_owned(),
            display_name: display_name.to_owned(),
            ..Default::default()
        };
        self.create_with(Role::Seller, request).await
    }

    /// The member with an address, if there is one. For commands; over the network nobody may learn it.
    pub async fn id_of(&self, email: &str) -> Result<Option<MemberId>, Error> {
        let Ok(email) = email.parse() else { return Ok(None) };
        let found = store::account_by_email(self.kit.db.read(), &self.kit, &email).await?;
        Ok(found.map(|account| account.profile.id))
    }

    async fn create_with(&self, role: Role, request: pb::SignUpRequest) -> Result<Profile, Error> {
        let command = convert::sign_up(request, Origin::default())?;
        let id = match self.promote_known(role, &command).await? {
            Some(id) => id,
            None => match self.create_promoted(role, &command).await {
                // Signed up a moment ago.
                Err(error) if error.reason() == ErrorReason::EmailTaken => {
                    self.promote_known(role, &command).await?.ok_or(error)?
                }
                created => created?,
            },
        };
        self.profile(id).await
    }

    async fn promote_known(&self, role: Role, command: &SignUp) -> Result<Option<MemberId>, Error> {
        let found = store::account_by_email(self.kit.db.read(), &self.kit, &command.email).await?;
        let Some(account) = found else { return Ok(None) };
        if !self.passwords.verify(&command.password, Some(&account.password_hash)).await? {
            return Err(MemberError::WrongCredentials.into());
        }
        let id = account.profile.id;
        self.kit.db.write(async |tx| self.change_role(&tx, &by_hand(id, role)).await).await?;
        Ok(Some(id))
    }

    async fn create_promoted(&self, role: Role, command: &SignUp) -> Result<MemberId, Error> {
        let account = self.new_account(command).await?;
        let id = account.profile.id;
        self.kit
            .db
            .write(async |tx| {
                store::insert_account(&*tx, &self.kit, &account).await?;
                self.change_role(&tx, &by_hand(id, role)).await
            })
            .await?;
        Ok(id)
    }
}

fn by_hand(member: MemberId, role: Role) -> Change {
    let reason = match role {
        Role::Admin => "made an admin on the command line",
        Role::Seller => "made a seller on the command line",
    };
    let reason = reason.to_owned();
    Change { member, role, granted: true, reason, actor: Actor("cli".to_owned()) }
}
