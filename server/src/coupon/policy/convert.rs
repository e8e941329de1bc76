//! Requests to commands, with every violation at once; and policies to answers.

use prost::Message;
use yeyak_proto::yeyak::coupon::v1 as pb;
use yeyak_proto::yeyak::coupon::v1::coupon_policy as parts;
use yeyak_proto::yeyak::coupon::v1::coupon_policy::Validity as Sent;

use super::change::Change;
use super::create::CreatePolicy;
use super::read::Shown;
use super::update::UpdatePolicy;
use crate::coupon::best::Stacking;
use crate::coupon::keeper::Keeper;
use crate::coupon::kind::{Kinds, Wording};
use crate::coupon::model::{Issuing, Offer, Policy, PolicyState, RefundPolicy, Validity};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::date::Tz;
use crate::kit::idempotency::RequestKey;
use crate::kit::money::Currency;
use crate::kit::proto_time;
use crate::kit::request::{choice, etag, instant, mask, money};
use crate::kit::violation::Violations;

/// What an update can name.
const FIELDS: &[&str] = &[
    "name",
    "description",
    "total_count",
    "per_member_count",
    "per_member_daily_count",
    "start_time",
    "end_time",
    "coupon_expire_time",
    "valid_days",
    "budget",
    "giftable",
];
const MOST_TOTAL: i64 = 100_000_000;
const MOST_PER_MEMBER: i32 = 100;
const MOST_BUDGET: i64 = 1_000_000_000_000_000;
/// The most that a message may have of the terms of a policy: a page of 200, each with the longest name and description, stays
/// below the 4 MiB that an answer has.
const MOST_TERM_BYTES: usize = 10 * 1_024;

pub(super) fn create(
    request: &pb::CreateCouponPolicyRequest,
    kinds: &Kinds,
    keeper: &Keeper,
    now: Time,
) -> Result<(CreatePolicy, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let Some(policy) = &request.coupon_policy else {
        violations.add("coupon_policy", "must be given");
        return violations.finish(None);
    };
    let issuing = choice(&mut violations, "coupon_policy.issuing", policy.issuing, issuing);
    let wording = Wording::from(policy);
    let terms = kinds.read("coupon_policy", &wording, &mut violations);
    let stacking = stacking(&mut violations, policy.stacking.as_ref());
    let zone = zone(&mut violations, &policy.time_zone);
    let seller_share = seller_share(&mut violations, policy.seller_share_percent, keeper);
    let refund = refund(&mut violations, policy);
    let offer = offer(&mut violations, policy, now);
    let command = (|| {
        let terms = terms?;
        one_currency(&mut violations, policy, terms.currency);
        short_enough(&mut violations, &wording);
        Some(CreatePolicy {
            issuing: issuing?,
            wording,
            zone: zone?,
            stacking: stacking?,
            seller_share: seller_share?,
            refund: refund?,
            offer: offer?,
        })
    })();
    violations.finish(command.map(|command| (command, key)))
}

pub(super) fn update(request: &pb::UpdateCouponPolicyRequest) -> Result<(UpdatePolicy, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let fields = mask(&mut violations, request.update_mask.as_ref(), FIELDS);
    let Some(policy) = &request.coupon_policy else {
        violations.add("coupon_policy", "must be given");
        return violations.finish(None);
    };
    let id = violations.id("coupon_policy.id", &policy.id);
    let changes = fields.into_iter().filter_map(|field| change(&mut violations, field, policy)).collect();
    let etag = etag(&policy.etag);
    violations.finish(id.map(|id| (UpdatePolicy { id, etag, changes }, key)))
}

/// What a new policy offers.
fn offer(violations: &mut Violations, policy: &pb::CouponPolicy, now: Time) -> Option<Offer> {
    let validity = match &policy.validity {
        Some(Sent::CouponExpireTime(_)) => "coupon_expire_time",
        Some(Sent::ValidDays(_)) => "valid_days",
        None => {
            violations.add("coupon_policy.coupon_expire_time", "must be given, or `valid_days`");
            ""
        }
    };
    let (mut offer, mut complete) = (Offer::plain(Validity::Days(0)), true);
    let others = FIELDS.iter().filter(|field| !matches!(**field, "coupon_expire_time" | "valid_days"));
    for field in others.copied().chain((!validity.is_empty()).then_some(validity)) {
        match change(violations, field, policy) {
            Some(change) => offer.apply(change),
            None => complete = false,
        }
    }
    if complete && !validity.is_empty() {
        for (field, description) in offer.conflicts(now) {
            violations.add(format!("coupon_policy.{field}"), description);
        }
    }
    complete.then_some(offer)
}

/// The change that sets one of [`FIELDS`] to what a policy has there.
fn change(violations: &mut Violations, field: &str, policy: &pb::CouponPolicy) -> Option<Change> {
    let path = &*format!("coupon_policy.{field}");
    Some(match field {
        "name" => Change::Name(violations.text(path, &policy.name, 1, 100)?),
        "description" => Change::Description(violations.text(path, &policy.description, 0, 2_000)?),
        "total_count" => Change::Total(match policy.total_count {
            Some(count) => Some(total(violations, path, count)?),
            None => None,
        }),
        "per_member_count" => Change::PerMember(match policy.per_member_count {
            0 => 1,
            count => per_member(violations, path, count)?,
        }),
        "per_member_daily_count" => Change::PerMemberDaily(match policy.per_member_daily_count {
            Some(count) => Some(per_member(violations, path, count)?),
            None => None,
        }),
        "start_time" => Change::Start(optional(violations, path, policy.start_time.as_ref())?),
        "end_time" => Change::End(optional(violations, path, policy.end_time.as_ref())?),
        "coupon_expire_time" | "valid_days" => Change::Validity(validity(violations, field, policy)?),
        "budget" => Change::Budget(match &policy.budget {
            Some(budget) => Some(money(violations, path, budget, (1, MOST_BUDGET))?),
            None => None,
        }),
        _ => Change::Giftable(policy.giftable),
    })
}

fn total(violations: &mut Violations, path: &str, count: i64) -> Option<u64> {
    let fits = (1..=MOST_TOTAL).contains(&count);
    violations.require(path, fits, format!("must be 1 to {MOST_TOTAL}"));
    u64::try_from(count).ok().filter(|_| fits)
}

fn per_member(violations: &mut Violations, path: &str, count: i32) -> Option<u32> {
    violations.within(path, count, 1, MOST_PER_MEMBER).and_then(|count| u32::try_from(count).ok())
}

/// An instant that may be absent; none when it is there and is none.
fn optional(violations: &mut Violations, path: &str, time: Option<&prost_types::Timestamp>) -> Option<Option<Time>> {
    match time {
        Some(_) => instant(violations, path, time).map(Some),
        None => Some(None),
    }
}

fn validity(violations: &mut Violations, field: &str, policy: &pb::CouponPolicy) -> Option<Validity> {
    let path = format!("coupon_policy.{field}");
    match (field, &policy.validity) {
        ("coupon_expire_time", Some(Sent::CouponExpireTime(time))) => {
            instant(violations, &path, Some(time)).map(Validity::Until)
        }
        ("valid_days", Some(Sent::ValidDays(days))) => {
            violations.within(path, *days, 0, 3_650).and_then(|days| u16::try_from(days).ok()).map(Validity::Days)
        }
        _ => {
            violations.add(path, "must be given");
            None
        }
    }
}

fn zone(violations: &mut Violations, name: &str) -> Option<Tz> {
    let zone = if name.is_empty() { Some(Tz::Asia__Seoul) } else { name.parse().ok() };
    violations.require("coupon_policy.time_zone", zone.is_some(), "must be the IANA name of a time zone");
    zone
}

fn stacking(violations: &mut Violations, sent: Option<&pb::CouponStacking>) -> Option<Stacking> {
    let sent = sent.cloned().unwrap_or_default();
    let group = if sent.group.is_empty() { "default".to_owned() } else { sent.group };
    let fits = group.len() <= 40
        && group.bytes().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-');
    let field = "coupon_policy.stacking.group";
    violations.require(field, fits, "must be 1 to 40 lower-case letters, digits and hyphens");
    let priority = violations.within("coupon_policy.stacking.priority", sent.priority.unwrap_or(100), 0, 1_000);
    let priority = priority.and_then(|priority| u16::try_from(priority).ok());
    Some(Stacking { group, exclusive: sent.exclusive, priority: priority? })
}

fn seller_share(violations: &mut Violations, sent: Option<i32>, keeper: &Keeper) -> Option<u8> {
    let field = "coupon_policy.seller_share_percent";
    let share = match keeper.seller() {
        Some(_) => {
            violations.require(field, sent.is_none_or(|share| share == 100), "must be 100 for a policy of a seller");
            Some(100)
        }
        None => violations.within(field, sent.unwrap_or(0), 0, 100),
    };
    share.and_then(|share| u8::try_from(share).ok())
}

fn refund(violations: &mut Violations, policy: &pb::CouponPolicy) -> Option<RefundPolicy> {
    let (field, days) = ("coupon_policy.grace_days", policy.grace_days);
    let sent = choice(violations, "coupon_policy.refund_policy", policy.refund_policy, Some::<parts::RefundPolicy>)?;
    if sent != parts::RefundPolicy::RestoreWithGrace {
        violations.require(field, days == 0, "must be 0 unless the refund policy is RESTORE_WITH_GRACE");
    }
    match sent {
        parts::RefundPolicy::Unspecified | parts::RefundPolicy::Restore => Some(RefundPolicy::Restore),
        parts::RefundPolicy::Lose => Some(RefundPolicy::Lose),
        parts::RefundPolicy::RestoreWithGrace => {
            let days = violations.within(field, days, 1, 365)?;
            u16::try_from(days).ok().map(RefundPolicy::RestoreWithGrace)
        }
    }
}

/// A budget in another currency than the amounts of the terms would never be used.
fn one_currency(violations: &mut Violations, policy: &pb::CouponPolicy, currency: Option<Currency>) {
    if let (Some(budget), Some(currency)) = (&policy.budget, currency) {
        let field = "coupon_policy.budget.currency_code";
        let same = budget.currency_code == currency.code();
        violations.require(field, same, format!("must be {currency}, as the amounts of its terms"));
    }
}

/// Each word of the terms has its limit; all of them together would be far more than any policy needs.
fn short_enough(violations: &mut Violations, wording: &Wording) {
    let terms = std::iter::once(&wording.benefit).chain(&wording.conditions);
    let bytes: usize = terms.map(|term| pb::CouponTerm::from(term).encoded_len()).sum();
    let limit = format!("must be at most {MOST_TERM_BYTES} bytes together with the benefit");
    violations.require("coupon_policy.conditions", bytes <= MOST_TERM_BYTES, limit);
}

fn issuing(sent: parts::Issuing) -> Option<Issuing> {
    match sent {
        parts::Issuing::Unspecified => None,
        parts::Issuing::FirstCome => Some(Issuing::FirstCome),
        parts::Issuing::Code => Some(Issuing::Code),
        parts::Issuing::Grant => Some(Issuing::Grant),
    }
}

fn proto_issuing(issuing: Issuing) -> parts::Issuing {
    match issuing {
        Issuing::FirstCome => parts::Issuing::FirstCome,
        Issuing::Code => parts::Issuing::Code,
        Issuing::Grant => parts::Issuing::Grant,
    }
}

/// The state that a list is asked for; none for all of them.
pub(super) fn state_filter(state: i32) -> Result<Option<PolicyState>, Error> {
    let mut violations = Violations::new();
    let state = choice(&mut violations, "state", state, |state: parts::State| {
        Some(match state {
            parts::State::Unspecified => None,
            parts::State::Scheduled => Some(PolicyState::Scheduled),
            parts::State::Active => Some(PolicyState::Active),
            parts::State::Paused => Some(PolicyState::Paused),
            parts::State::SoldOut => Some(PolicyState::SoldOut),
            parts::State::Ended => Some(PolicyState::Ended),
        })
    });
    violations.finish(state)
}

fn proto_state(state: PolicyState) -> parts::State {
    match state {
        PolicyState::Scheduled => parts::State::Scheduled,
        PolicyState::Active => parts::State::Active,
        PolicyState::Paused => parts::State::Paused,
        PolicyState::SoldOut => parts::State::SoldOut,
        PolicyState::Ended => parts::State::Ended,
    }
}

fn proto_refund(refund: RefundPolicy) -> (parts::RefundPolicy, i32) {
    match refund {
        RefundPolicy::Restore => (parts::RefundPolicy::Restore, 0),
        RefundPolicy::RestoreWithGrace(days) => (parts::RefundPolicy::RestoreWithGrace, i32::from(days)),
        RefundPolicy::Lose => (parts::RefundPolicy::Lose, 0),
    }
}

fn number<T: TryFrom<u64>>(count: u64) -> Option<T> {
    T::try_from(count).ok()
}

impl From<Shown> for pb::CouponPolicy {
    fn from(shown: Shown) -> Self {
        let Shown { policy, state, left, budget_used, is_kept } = shown;
        let Policy { offer, stacking, .. } = policy;
        let (refund_policy, grace_days) = proto_refund(policy.refund);
        // What it may cost is between the policy's owner and the platform.
        let budget = offer.budget.filter(|_| is_kept);
        Self {
            id: policy.id.to_string(),
            name: offer.name,
            state: proto_state(state).into(),
            issuing: proto_issuing(policy.issuing).into(),
            benefit: Some((&policy.wording.benefit).into()),
            conditions: policy.wording.conditions.iter().map(pb::CouponTerm::from).collect(),
            total_count: offer.total.and_then(number),
            remaining_count: left.and_then(number),
            per_member_count: number(offer.per_member.into()).unwrap_or(i32::MAX),
            per_member_daily_count: offer.per_member_daily.and_then(|count| number(count.into())),
            start_time: offer.start_time.map(proto_time),
            end_time: offer.end_time.map(proto_time),
            validity: Some(match offer.validity {
                Validity::Until(time) => Sent::CouponExpireTime(proto_time(time)),
                Validity::Days(days) => Sent::ValidDays(i32::from(days)),
            }),
            etag: policy.version.to_string(),
            time_zone: policy.zone.name().to_owned(),
            stacking: Some(pb::CouponStacking {
                group: stacking.group,
                exclusive: stacking.exclusive,
                priority: Some(i32::from(stacking.priority)),
            }),
            seller_share_percent: Some(i32::from(policy.seller_share)),
            refund_policy: refund_policy.into(),
            grace_days,
            budget: budget.map(Into::into),
            budget_used: budget.map(|budget| crate::kit::money::Money { minor: budget_used, ..budget }.into()),
            giftable: offer.giftable,
            seller_id: policy.seller.map(|seller| seller.to_string()).unwrap_or_default(),
            description: offer.description,
            create_time: Some(proto_time(policy.create_time)),
            update_time: Some(proto_time(policy.update_time)),
        }
    }
}
