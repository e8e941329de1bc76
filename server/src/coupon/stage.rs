//! What the tests of coupons stand on.

use std::sync::Arc;

use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::best::Stacking;
use super::keeper::Keeper;
use super::kind::{Term, Value, Wording};
use super::model::{Issuing, Offer, Policy, PolicyId, RefundPolicy, Validity};
use super::{Coupons, store};
use crate::backend::bus::MemoryBus;
use crate::backend::gate::{self, Sale};
use crate::harness::Harness;
use crate::kit::caller::{Caller, Member, Roles};
use crate::kit::clock::Clock;
use crate::kit::date::Tz;
use crate::kit::id::MemberId;
use crate::kit::lease::Leases;

pub(super) fn coupons(harness: &Harness) -> Coupons {
    let leases = Leases::new(harness.db.clone(), harness.clock.clone(), Uuid::from_u128(1));
    Coupons::new(harness.kit.clone(), gate::open(None), Arc::new(MemoryBus::default()), leases, TaskTracker::new())
}

/// An admin, who keeps all policies.
pub(super) fn admin() -> Keeper {
    let roles = Roles { seller: false, admin: true };
    let admin = Member { id: MemberId(Uuid::from_u128(7)), roles, session: None, by: None };
    Keeper::of(Caller::Member(admin)).expect("an admin")
}

/// A policy of the platform without an end, of which a member may have so many.
pub(super) async fn policy(harness: &Harness, issuing: Issuing, per_member: u32) -> Policy {
    let now = harness.clock.now();
    let benefit = Term::of("FIXED_AMOUNT").with("amount", Value::won(5_000));
    let policy = Policy {
        id: PolicyId::new(&harness.kit.ids, now),
        seller: None,
        issuing,
        wording: Wording { benefit, conditions: Vec::new() },
        zone: Tz::Asia__Seoul,
        stacking: Stacking::default(),
        seller_share: 0,
        refund: RefundPolicy::Restore,
        offer: Offer { name: "봄".into(), per_member, ..Offer::plain(Validity::Days(30)) },
        sale: Sale::Open,
        version: 1,
        gate_epoch: 0,
        end_told: None,
        created_by: "test".into(),
        create_time: now,
        update_time: now,
    };
    harness.db.write(async |tx| store::policy::insert(&tx, &policy).await).await.expect("is new");
    policy
}
