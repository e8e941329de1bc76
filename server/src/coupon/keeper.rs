//! Who keeps policies: a seller their own, an admin all.

use super::model::Policy;
use crate::error::Error;
use crate::kit::caller::{Actor, Caller, Denied};
use crate::kit::id::MemberId;

/// A seller or an admin who calls.
#[derive(Clone, Debug)]
pub(super) struct Keeper {
    pub(super) id: MemberId,
    pub(super) actor: Actor,
    pub(super) is_admin: bool,
    is_seller: bool,
}

impl Keeper {
    pub(super) fn of(caller: Caller) -> Result<Self, Error> {
        let member = caller.member()?;
        let (is_seller, is_admin) = (member.roles.seller, member.is_admin());
        if !is_seller && !is_admin {
            return Err(Denied { needs: "the role seller or admin" }.into());
        }
        Ok(Self { id: member.id, actor: member.actor(), is_admin, is_seller })
    }

    /// Whose the policies are that they create; none for those of the platform.
    pub(super) fn seller(&self) -> Option<MemberId> {
        self.is_seller.then_some(self.id)
    }

    /// Whether a policy is theirs to keep.
    pub(super) fn keeps(&self, policy: &Policy) -> bool {
        self.is_admin || policy.seller == Some(self.id)
    }
}

/// Whether a caller, whoever it is, keeps a policy.
pub(super) fn is_kept_by(policy: &Policy, caller: &Caller) -> bool {
    caller.known().is_some_and(|member| member.is_admin() || policy.seller == Some(member.id))
}
