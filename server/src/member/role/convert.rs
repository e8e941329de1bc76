//! Requests to commands, with every violation at once; and answers.

use yeyak_proto::yeyak::member::v1 as pb;

use super::model::{Change, Role, RoleEvent};
use crate::error::Error;
use crate::kit::caller::Admin;
use crate::kit::id::MemberId;
use crate::kit::idempotency::RequestKey;
use crate::kit::proto_time;
use crate::kit::violation::Violations;

pub(super) fn grant(admin: &Admin, request: &pb::GrantRoleRequest) -> Result<(Change, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let fields = (&*request.member_id, request.role, &*request.reason);
    change(admin, true, fields, violations).map(|change| (change, key))
}

pub(super) fn withdraw(admin: &Admin, request: &pb::WithdrawRoleRequest) -> Result<(Change, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let fields = (&*request.member_id, request.role, &*request.reason);
    change(admin, false, fields, violations).map(|change| (change, key))
}

fn change(
    admin: &Admin,
    granted: bool,
    (member, role, reason): (&str, i32, &str),
    mut violations: Violations,
) -> Result<Change, Error> {
    let member = violations.id("member_id", member);
    let role = match pb::Role::try_from(role) {
        Ok(pb::Role::Seller) => Some(Role::Seller),
        Ok(pb::Role::Admin) => Some(Role::Admin),
        Ok(pb::Role::Unspecified) | Err(_) => None,
    };
    violations.require("role", role.is_some(), "must be ROLE_SELLER or ROLE_ADMIN");
    let reason = violations.text("reason", reason, 1, 500);
    let change = (|| Some(Change { member: member?, role: role?, granted, reason: reason?, actor: admin.actor() }))();
    violations.finish(change)
}

/// The member whose changes are asked for; none for all of them.
pub(super) fn member_filter(member: &str) -> Result<Option<MemberId>, Error> {
    if member.is_empty() {
        return Ok(None);
    }
    let mut violations = Violations::new();
    let id = violations.id("member_id", member);
    violations.finish(id.map(Some))
}

pub(super) fn role(role: Role) -> pb::Role {
    match role {
        Role::Seller => pb::Role::Seller,
        Role::Admin => pb::Role::Admin,
    }
}

impl From<RoleEvent> for pb::RoleEvent {
    fn from(event: RoleEvent) -> Self {
        let RoleEvent { id, change, create_time } = event;
        Self {
            id: id.to_string(),
            member_id: change.member.to_string(),
            role: role(change.role).into(),
            granted: change.granted,
            reason: change.reason,
            actor: change.actor.0,
            create_time: Some(proto_time(create_time)),
        }
    }
}
