//! What CouponService answers where coupons are given: caller, command, operation, answer.

use tonic::{Request, Response, Status};
use yeyak_proto::yeyak::coupon::v1 as pb;

use super::convert;
use crate::coupon::issue::{proto_coupon, proto_coupon_for};
use crate::coupon::keeper::Keeper;
use crate::coupon::{Coupons, meter};
use crate::kit::caller::Caller;

type Answer<T> = Result<Response<T>, Status>;

impl Coupons {
    pub(in crate::coupon) async fn answer_grant(&self, request: Request<pb::GrantCouponRequest>) -> Answer<pb::Coupon> {
        let keeper = Keeper::of(Caller::of(&request))?;
        let (policy, member, key) = convert::grant(request.get_ref())?;
        let granted = meter::given("grant", self.grant(&keeper, policy, member, &key).await)?;
        let now = self.kit.clock.now();
        Ok(granted.map(|(coupon, policy)| proto_coupon(&coupon, &policy, now)).into_response())
    }

    pub(in crate::coupon) async fn answer_gift(&self, request: Request<pb::GiftCouponRequest>) -> Answer<pb::Coupon> {
        let caller = Caller::of(&request).member()?;
        let (id, recipient, key) = convert::gift(request.get_ref(), caller.id)?;
        let given = meter::given("gift", self.gift(&caller, id, recipient, &key).await)?;
        let now = self.kit.clock.now();
        Ok(given.map(|(coupon, policy)| proto_coupon_for(caller.id, &coupon, &policy, now)).into_response())
    }

    pub(in crate::coupon) async fn answer_revoke(
        &self,
        request: Request<pb::RevokeCouponRequest>,
    ) -> Answer<pb::CouponReceipt> {
        let keeper = Keeper::of(Caller::of(&request))?;
        let (id, reason, key) = convert::revoke(request.get_ref())?;
        let revoked = meter::given("revoke", self.revoke(&keeper, id, &reason, &key).await)?;
        Ok(revoked.into_response())
    }
}
