//! What a role and its change are.

use crate::kit::caller::{Actor, Roles};
use crate::kit::clock::Time;
use crate::kit::id::MemberId;

crate::typed_id!(
    /// The id of a change of roles.
    RoleEventId,
    "role"
);

/// What a member may do besides booking.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::member) enum Role {
    Seller,
    Admin,
}

impl Role {
    /// As it is stored.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Seller => "SELLER",
            Self::Admin => "ADMIN",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        [Self::Seller, Self::Admin].into_iter().find(|role| role.name() == name)
    }

    pub(super) fn is_of(self, roles: Roles) -> bool {
        match self {
            Self::Seller => roles.seller,
            Self::Admin => roles.admin,
        }
    }
}

/// A role to be granted or withdrawn.
#[derive(Clone, Debug)]
pub(in crate::member) struct Change {
    pub(in crate::member) member: MemberId,
    pub(in crate::member) role: Role,
    pub(in crate::member) granted: bool,
    pub(in crate::member) reason: String,
    pub(in crate::member) actor: Actor,
}

/// A change that was made.
#[derive(Clone, Debug)]
pub(super) struct RoleEvent {
    pub(super) id: RoleEventId,
    pub(super) change: Change,
    pub(super) create_time: Time,
}
