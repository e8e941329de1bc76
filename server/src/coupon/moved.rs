//! The one way in which a coupon moves.

use yeyak_proto::yeyak::coupon::v1 as pb;

use super::model::Coupon;
use super::{Coupons, store};
use crate::error::Error;
use crate::kit::caller::Actor;
use crate::kit::id::BookingId;
use crate::kit::outbox::Cause;
use crate::kit::tx::Tx;

impl Coupons {
    /// Writes what has become of a coupon, unless it has changed since, and tells of it.
    pub(super) async fn put(
        &self,
        tx: &Tx,
        before: &Coupon,
        after: &Coupon,
        cause: &str,
        booking: Option<BookingId>,
        actor: &Actor,
    ) -> Result<(), Error> {
        store::held::update(tx, before, after).await?;
        let news = pb::CouponChanged {
            coupon_id: after.id.to_string(),
            member_id: after.member.to_string(),
            cause: cause.to_owned(),
            booking_id: booking.map(|booking| booking.to_string()).unwrap_or_default(),
        };
        self.kit.outbox.put(tx, Cause { aggregate: after.id.0, version: after.version, actor }, &news);
        Ok(())
    }
}
