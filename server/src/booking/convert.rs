//! Requests to commands, with every violation at once; and answers.

use yeyak_proto::yeyak::booking::v1 as pb;
use yeyak_proto::yeyak::common::v1 as common;

use super::cancel::QuotedCancellation;
use super::change::QuotedChange;
use super::create::Create;
use super::model::{Booking, Cancellation, Event, Guest, Line, Method, Party, State};
use super::quote::{AskQuote, Quoted};
use crate::coupon::CouponId;
use crate::coupon::apply::{Choice, Discount, OfferedCoupon};
use crate::coupon::best::AT_MOST as COUPONS;
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::date::{self, Nights};
use crate::kit::id::{BookingId, MemberId};
use crate::kit::money::{Currency, Money};
use crate::kit::proto_time;
use crate::kit::violation::Violations;
use crate::stay::model::{Guests, NightPrice, RefundTerms, RefundTier, Wanted};

/// What a night costs, extra guests included.
pub(super) fn night_total(night: &NightPrice) -> i64 {
    night.price.minor + night.extra_guest_fee.minor
}

pub(super) fn booking_id(text: &str) -> Result<BookingId, Error> {
    let mut violations = Violations::new();
    let id = violations.id("id", text);
    violations.finish(id)
}

fn nights(
    violations: &mut Violations,
    check_in: Option<&common::Date>,
    check_out: Option<&common::Date>,
) -> Option<Nights> {
    let check_in = violations.date("check_in_date", check_in);
    let check_out = violations.date("check_out_date", check_out);
    let (check_in, check_out) = check_in.zip(check_out)?;
    violations.take("check_out_date", Nights::between(check_in, check_out))
}

fn or_default(number: i32, default: i32) -> i32 {
    if number == 0 { default } else { number }
}

pub(super) fn ask_quote(request: &pb::QuoteBookingRequest) -> Result<AskQuote, Error> {
    let mut violations = Violations::new();
    let room_type = violations.id("room_type_id", &request.room_type_id);
    let rate_plan = violations.id("rate_plan_id", &request.rate_plan_id);
    let nights = nights(&mut violations, request.check_in_date.as_ref(), request.check_out_date.as_ref());
    let rooms = violations.within("room_count", or_default(request.room_count, 1), 1, Wanted::ROOMS.into());
    let adults = violations.within("adult_count", or_default(request.adult_count, 2), 1, Guests::LIMIT.into());
    let children = violations.within("child_count", request.child_count, 0, Guests::LIMIT.into());
    let small = |number: i32| u16::try_from(number).unwrap_or(0);
    let wanted = (|| {
        let (nights, rooms, adults, children) = (nights?, rooms?, adults?, children?);
        let guests = violations.take("adult_count", Guests::new(small(adults), small(children)))?;
        violations.take("room_count", Wanted::new(nights, guests, small(rooms)))
    })();
    let coupons = coupon_choice(&mut violations, request);
    let method = method(&mut violations, request.payment_method);
    let points = request.points;
    violations.require("points", points >= 0, "must not be negative");
    let ask = (|| {
        Some(AskQuote {
            room_type: room_type?,
            rate_plan: rate_plan?,
            wanted: wanted?,
            coupons: coupons?,
            method: method?,
            points,
        })
    })();
    violations.finish(ask)
}

fn coupon_choice(violations: &mut Violations, request: &pb::QuoteBookingRequest) -> Option<Choice> {
    let ids = &request.coupon_ids;
    violations.require("coupon_ids", ids.len() <= COUPONS, format!("must be at most {COUPONS}"));
    violations.require(
        "best_coupons",
        !request.best_coupons || ids.is_empty(),
        "must be false where `coupon_ids` says which",
    );
    let mut chosen = Vec::new();
    for (at, id) in ids.iter().take(COUPONS).enumerate() {
        let field = format!("coupon_ids[{at}]");
        let coupon: CouponId = violations.id(&field, id)?;
        violations.require(field, !chosen.contains(&coupon), "must stand there once");
        chosen.push(coupon);
    }
    Some(if request.best_coupons { Choice::Best } else { Choice::These(chosen) })
}

/// A way to pay, if one was decided on.
fn method(violations: &mut Violations, number: i32) -> Option<Option<Method>> {
    use pb::PaymentMethod as P;
    let known = P::try_from(number).ok();
    violations.require("payment_method", known.is_some(), "must be one of the values of its enum");
    Some(match known? {
        P::Unspecified => None,
        P::Card => Some(Method::Card),
        P::EasyPay => Some(Method::EasyPay),
        P::Transfer => Some(Method::Transfer),
        P::MobilePhone => Some(Method::MobilePhone),
    })
}

fn guest(violations: &mut Violations, guest: Option<pb::Guest>) -> Option<Guest> {
    let Some(guest) = guest else {
        violations.add("guest", "must be given");
        return None;
    };
    let name = violations.text("guest.name", &guest.name, 1, 100);
    let email: Option<crate::member::Email> = violations.take("guest.email", guest.email.parse());
    let phone = guest.phone.trim().to_owned();
    let digits = phone.strip_prefix('+').unwrap_or("");
    let dialled = (7..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    violations.require("guest.phone", phone.is_empty() || dialled, "must be of the form +821012345678, or empty");
    Some(Guest { name: name?, email: email?.as_str().to_owned(), phone })
}

pub(super) fn create(violations: &mut Violations, request: pb::CreateBookingRequest) -> Option<Create> {
    violations.require("quote_token", !request.quote_token.is_empty(), "must be given; QuoteBooking gives one");
    let guest = guest(violations, request.guest);
    let note = violations.text("note", &request.note, 0, 500);
    let expected_total = match request.expected_total {
        None => None,
        Some(money) => violations
            .take("expected_total.currency_code", money.currency_code.parse())
            .map(|currency| Money::new(currency, money.minor_units)),
    };
    Some(Create { quote_token: request.quote_token, guest: guest?, expected_total, note: note? })
}

pub(super) fn change(request: &pb::QuoteChangeRequest) -> Result<(BookingId, Nights), Error> {
    let mut violations = Violations::new();
    let id = violations.id("id", &request.id);
    let nights = nights(&mut violations, request.check_in_date.as_ref(), request.check_out_date.as_ref());
    violations.finish(id.zip(nights))
}

pub(super) fn state(state: State) -> pb::booking::State {
    use pb::booking::State as P;
    match state {
        State::Requested => P::Requested,
        State::Held => P::Held,
        State::Paying => P::Paying,
        State::Confirmed => P::Confirmed,
        State::InUse => P::InUse,
        State::Completed => P::Completed,
        State::Expired => P::Expired,
        State::Cancelled => P::Cancelled,
        State::NoShow => P::NoShow,
        State::Reconciling => P::Reconciling,
    }
}

fn money(booking: &Booking, minor: i64) -> Option<common::Money> {
    Some(booking.money(minor).into())
}

/// What is taken, with what coupons take off each line.
fn lines(lines: &[Line], discounts: &[Discount], currency: Currency) -> Vec<pb::BookingLine> {
    let off = |at: usize| -> i64 {
        discounts.iter().flat_map(Discount::lines).filter(|part| part.line == at).map(|part| part.amount).sum()
    };
    (0..).zip(lines).map(|(at, one)| line(one, off(at), currency)).collect()
}

fn discounts(discounts: &[Discount], currency: Currency) -> Vec<pb::BookingDiscount> {
    let one = |discount: &Discount| pb::BookingDiscount {
        coupon_id: discount.coupon.to_string(),
        name: discount.name.clone(),
        amount: Some(Money::new(currency, discount.amount()).into()),
    };
    discounts.iter().map(one).collect()
}

fn line(line: &Line, discount: i64, currency: Currency) -> pb::BookingLine {
    let amount = |minor| Some(Money::new(currency, minor).into());
    let nights = line.nights.dates().zip(&line.prices);
    let stay = pb::StayLine {
        room_type_id: line.room_type.to_string(),
        room_type_name: line.room_type_name.clone(),
        rate_plan_id: line.rate_plan.to_string(),
        check_in_date: Some(date::to_proto(line.nights.check_in())),
        check_out_date: Some(date::to_proto(line.nights.check_out())),
        room_count: line.rooms.into(),
        adult_count: line.adults.into(),
        child_count: line.children.into(),
        nights: nights
            .map(|(night, price)| pb::NightPrice { date: Some(date::to_proto(night)), amount: amount(*price) })
            .collect(),
    };
    let item = Some(pb::booking_line::Item::Stay(stay));
    pb::BookingLine { item, amount: amount(line.amount()), discount: amount(discount) }
}

fn tier(tier: &RefundTier) -> pb::RefundTier {
    pb::RefundTier { days_before_check_in: tier.days_before.into(), refund_percent: tier.percent.into() }
}

fn tiers(terms: &RefundTerms) -> Vec<pb::RefundTier> {
    terms.tiers.as_slice().iter().map(tier).collect()
}

fn cancellation(booking: &Booking, cancellation: &Cancellation) -> pb::Cancellation {
    let party = match cancellation.party {
        Party::Guest => pb::cancellation::Party::Guest,
        Party::Seller => pb::cancellation::Party::Seller,
    };
    pb::Cancellation {
        party: party.into(),
        time: Some(proto_time(cancellation.time)),
        fee: money(booking, cancellation.fee),
        refund: money(booking, cancellation.refund),
        reason: cancellation.reason.clone(),
        points: cancellation.points,
        fee_points: cancellation.fee_points,
    }
}

/// What may be done with a booking by whoever looks at it.
fn actions(booking: &Booking, viewer: MemberId, now: Time) -> Vec<pb::AvailableAction> {
    use pb::available_action::Action as A;
    let guest = booking.member == viewer;
    let seller = booking.seller == viewer;
    let all = [
        (A::Pay, Event::BeginPayment, guest),
        (A::Extend, Event::Extend, guest),
        (A::Cancel, Event::Cancel, guest || seller),
        (A::Change, Event::Change, guest),
        (A::Approve, Event::Approve, seller),
        (A::Decline, Event::Decline, seller),
        (A::CheckIn, Event::CheckIn, seller),
        (A::MarkNoShow, Event::MarkNoShow, seller),
        (A::Complete, Event::Complete, seller),
    ];
    let theirs = all.into_iter().filter(|(.., theirs)| *theirs);
    theirs
        .map(|(action, event, _)| {
            let blocked = booking.blocked(event, now);
            pb::AvailableAction {
                action: action.into(),
                available: blocked.is_none(),
                blocked_reason: blocked.unwrap_or_default(),
            }
        })
        .collect()
}

/// A booking as it is now, for one who may see it.
pub(super) fn booking(booking: &Booking, viewer: Option<MemberId>, now: Time) -> pb::Booking {
    pb::Booking {
        id: booking.id.to_string(),
        code: booking.code.clone(),
        state: state(booking.state_at(now)).into(),
        expire_time: booking.expire_time.map(proto_time),
        total: money(booking, booking.total.minor),
        paid: money(booking, booking.paid),
        refunded: money(booking, booking.refunded),
        lines: lines(&booking.lines, &booking.discounts, booking.total.currency),
        list_total: Some(booking.list_total().into()),
        discounts: discounts(&booking.discounts, booking.total.currency),
        available_actions: viewer.map(|viewer| actions(booking, viewer, now)).unwrap_or_default(),
        member_id: booking.member.to_string(),
        seller_id: booking.seller.to_string(),
        property_id: booking.property.to_string(),
        guest: Some(pb::Guest {
            name: booking.guest.name.clone(),
            email: booking.guest.email.clone(),
            phone: booking.guest.phone.clone(),
        }),
        etag: booking.version.to_string(),
        property_name: booking.property_name.clone(),
        time_zone: booking.zone.name().to_owned(),
        refund_tiers: tiers(&booking.terms),
        cancellation: booking.cancellation.as_ref().map(|how| cancellation(booking, how)),
        note: booking.note.clone(),
        create_time: Some(proto_time(booking.create_time)),
        update_time: Some(proto_time(booking.update_time)),
        hold_limit_time: Some(proto_time(booking.hold_limit_time)),
        refund_due: money(booking, booking.refund_due),
        points: booking.points,
        refunded_points: booking.points_back,
        withheld: money(booking, booking.withheld),
        full_refund_until: booking.terms.full_until.map(proto_time),
        point_balance_version: 0,
    }
}

pub(super) fn quote(quoted: Quoted) -> pb::BookingQuote {
    let (total, offered) = (quoted.total, quoted.coupons);
    pb::BookingQuote {
        token: quoted.token,
        lines: lines(&[quoted.line], &offered.discounts, total.currency),
        total: Some(total.into()),
        list_total: Some(quoted.offer.price.total.into()),
        discounts: discounts(&offered.discounts, total.currency),
        coupons: offered.coupons.into_iter().map(|coupon| quoted_coupon(coupon, total.currency)).collect(),
        best: Some(pb::BestCoupons {
            coupon_ids: offered.best.coupons.iter().map(CouponId::to_string).collect(),
            saving: Some(Money::new(total.currency, offered.best.saving).into()),
            proven: offered.best.is_proven,
            bound: Some(Money::new(total.currency, offered.best.bound).into()),
        }),
        refund_tiers: tiers(&quoted.terms),
        full_refund_until: quoted.terms.full_until.map(proto_time),
        expire_time: Some(proto_time(quoted.expire_time)),
        needs_approval: quoted.offer.needs_approval,
        points: quoted.points,
        usable_points: quoted.usable_points,
    }
}

fn quoted_coupon(coupon: OfferedCoupon, currency: Currency) -> pb::QuotedCoupon {
    let (saving, refused) = match coupon.saving {
        Ok(saving) => (Some(Money::new(currency, saving).into()), None),
        Err(refused) => (None, Some(refused)),
    };
    let (refused_reason, refused_text) = refused.map(|why| (why.reason.to_owned(), why.text)).unwrap_or_default();
    let (coupon_id, name) = (coupon.coupon.to_string(), coupon.name);
    let expire_time = Some(proto_time(coupon.expire_time));
    pb::QuotedCoupon { coupon_id, name, saving, refused_reason, refused_text, expire_time }
}

pub(super) fn cancellation_quote(quoted: QuotedCancellation) -> pb::CancellationQuote {
    let QuotedCancellation { token, booking, refund, expire_time } = quoted;
    let counts = booking.terms.tiers.as_slice().iter().find(|tier| tier.percent == refund.percent);
    pb::CancellationQuote {
        token,
        refund: money(&booking, refund.refund),
        fee: money(&booking, refund.fee),
        tier: counts.filter(|_| booking.is_settled()).map(tier),
        fee_floor: money(&booking, booking.fee_floor),
        expire_time: Some(proto_time(expire_time)),
        // What it only holds comes back whole.
        points: if booking.is_settled() { refund.points } else { booking.points },
        fee_points: refund.fee_points,
    }
}

pub(super) fn change_quote(quoted: QuotedChange) -> pb::ChangeQuote {
    let (due, refund) = quoted.difference();
    let (total, points) = (quoted.total(), quoted.points());
    let QuotedChange { token, booking, line, discounts, terms, fee_floor, expire_time } = quoted;
    pb::ChangeQuote {
        token,
        total: money(&booking, total),
        lines: lines(&[line], &discounts, booking.total.currency),
        due: money(&booking, due),
        refund: money(&booking, refund),
        points,
        fee_floor: money(&booking, fee_floor),
        refund_tiers: tiers(&terms),
        full_refund_until: terms.full_until.map(proto_time),
        expire_time: Some(proto_time(expire_time)),
    }
}
