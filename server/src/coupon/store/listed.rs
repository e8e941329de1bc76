//! Lists of policies.

use sea_orm::entity::prelude::*;
use sea_orm::{Condition, ConnectionTrait, QueryOrder, QuerySelect};

use super::policy::{rows, sale_name};
use crate::backend::gate::Sale;
use crate::coupon::entity::policy::{Column, Entity};
use crate::coupon::model::{Issuing, Policy, PolicyId, PolicyState};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::page::Page;

/// Which policies are looked for.
#[derive(Clone, Copy, Debug)]
pub(in crate::coupon) enum Wanted {
    /// Those of a seller, or of all; in a state, or in any.
    Of(Option<MemberId>, Option<PolicyState>),
    /// Those that members can ask for, now or later.
    Open,
}

impl Wanted {
    /// As far as the rows tell: of what is for sale they don't know whether any is left.
    fn condition(self, now: Time) -> Condition {
        match self {
            Self::Of(seller, state) => Condition::all()
                .add_option(seller.map(|seller| Column::SellerId.eq(seller.0)))
                .add_option(state.map(|state| in_state(state, now))),
            Self::Open => Condition::all()
                .add(Column::Issuing.eq(Issuing::FirstCome.name()))
                .add(Column::State.is_in([sale_name(Sale::Open), sale_name(Sale::Paused)]))
                .add(is_over(now).not()),
        }
    }
}

/// As [`Policy::state_at`] has it.
pub(super) fn in_state(state: PolicyState, now: Time) -> Condition {
    let sale = |sale: Sale| Condition::all().add(Column::State.eq(sale_name(sale))).add(is_over(now).not());
    let early = Condition::all().add(Column::StartTime.is_not_null()).add(Column::StartTime.gt(now));
    match state {
        PolicyState::Ended => Condition::any().add(Column::State.eq(sale_name(Sale::Ended))).add(is_over(now)),
        PolicyState::Paused => sale(Sale::Paused),
        PolicyState::Scheduled => sale(Sale::Open).add(early),
        PolicyState::SoldOut => sale(Sale::Open).add(early.not()).add(Column::Total.is_not_null()),
        PolicyState::Active => sale(Sale::Open).add(early.not()),
    }
}

/// Whether a policy gives nothing now, and will. Never unknown, so that it can be negated.
pub(super) fn rests(now: Time) -> Condition {
    Condition::any().add(in_state(PolicyState::Paused, now)).add(in_state(PolicyState::Scheduled, now))
}

/// Whether time has ended a policy. Never unknown, so that it can be negated.
pub(super) fn is_over(now: Time) -> Condition {
    let by = |column: Column| Condition::all().add(column.is_not_null()).add(column.lte(now));
    Condition::any().add(by(Column::EndTime)).add(by(Column::CouponExpireTime))
}

/// Policies, newest first, as far as the rows tell; by their ids alone, where this release can't read them.
pub(in crate::coupon) async fn policies(
    conn: &impl ConnectionTrait,
    wanted: Wanted,
    now: Time,
    page: &Page,
) -> Result<Vec<(PolicyId, Option<Policy>)>, Error> {
    let mut found = Entity::find().filter(wanted.condition(now)).order_by_desc(Column::Id).limit(page.fetch());
    if let Some(after) = page.after {
        found = found.filter(Column::Id.lt(after));
    }
    rows(conn, found).await
}
