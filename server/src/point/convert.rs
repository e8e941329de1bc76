//! Requests to commands, with every violation at once; and answers.

use chrono::TimeDelta;
use yeyak_proto::yeyak::point::v1 as pb;
use yeyak_proto::yeyak::point::v1::earn_points_request::Amount as Sent;
use yeyak_proto::yeyak::point::v1::point_movement::Cause as SentCause;
use yeyak_proto::yeyak::point::v1::point_spending::State as SentState;

use super::adjust::Adjust;
use super::earn::{Amount, Earn};
use super::gift::Gift;
use super::model::{Cause, Lot, MOST, Piece, Spending, SpendingId, State};
use super::read::Balance;
use super::settle::Cancel;
use super::spend::Spend;
use super::store::movement::{Recorded, Wanted};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::idempotency::RequestKey;
use crate::kit::money::Currency;
use crate::kit::proto_time;
use crate::kit::request::{choice, instant, money};
use crate::kit::violation::Violations;

const MOST_BASE: i64 = 1_000_000_000_000;
const EXPIRING: i32 = 30;
const RESERVED: TimeDelta = TimeDelta::minutes(30);
const LONGEST_RESERVED: TimeDelta = TimeDelta::days(30);
const LATEST_AVAILABLE: TimeDelta = TimeDelta::days(2 * 366);
const LATEST_EXPIRY: TimeDelta = TimeDelta::days(10 * 366);
const WORDS: usize = 200;

fn points(violations: &mut Violations, number: i64) -> Option<i64> {
    let fits = (1..=MOST).contains(&number);
    violations.require("points", fits, format!("must be 1 to {MOST}"));
    fits.then_some(number)
}

/// The member that a request names; none where it means the caller.
pub(super) fn member(violations: &mut Violations, text: &str) -> Option<Option<MemberId>> {
    match text {
        "" | "me" => Some(None),
        text => violations.id("member_id", text).map(Some),
    }
}

/// An instant that may be absent, behind now and not too far ahead; none when it is there and is none of those.
fn ahead(
    violations: &mut Violations,
    field: &str,
    sent: Option<&prost_types::Timestamp>,
    now: Time,
    most: TimeDelta,
) -> Option<Option<Time>> {
    let time = within(violations, field, sent, now, most)?;
    let fits = time.is_none_or(|time| now < time);
    violations.require(field, fits, "must be in the future");
    fits.then_some(time)
}

/// An instant that may be absent, not too far ahead. Of a request that may be repeated the operation asks whether it is over: when
/// it is repeated it may be.
fn within(
    violations: &mut Violations,
    field: &str,
    sent: Option<&prost_types::Timestamp>,
    now: Time,
    most: TimeDelta,
) -> Option<Option<Time>> {
    let Some(sent) = sent else { return Some(None) };
    let time = instant(violations, field, Some(sent))?;
    let fits = time <= now + most;
    violations.require(field, fits, format!("must be at most {} days ahead", most.num_days()));
    fits.then_some(Some(time))
}

pub(super) fn balance(request: &pb::GetPointBalanceRequest) -> Result<(Option<MemberId>, TimeDelta, i64), Error> {
    let mut violations = Violations::new();
    let member = member(&mut violations, &request.member_id);
    let days = if request.expiring_days == 0 { EXPIRING } else { request.expiring_days };
    let days = violations.within("expiring_days", days, 1, 366);
    violations.require("min_version", request.min_version >= 0, "must not be negative");
    let days = days.map(|days| TimeDelta::days(days.into()));
    violations.finish(member.zip(days).map(|(member, days)| (member, days, request.min_version)))
}

pub(super) fn movements(request: &pb::ListPointMovementsRequest) -> Result<(Option<MemberId>, Wanted, i64), Error> {
    let mut violations = Violations::new();
    let member = member(&mut violations, &request.member_id);
    let cause = choice(&mut violations, "cause", request.cause, |sent| match sent {
        SentCause::Unspecified => Some(None),
        sent => Some(Some(cause(sent)?)),
    });
    let start = instant(&mut violations, "start_time", request.start_time.as_ref());
    let end = instant(&mut violations, "end_time", request.end_time.as_ref());
    violations.require("min_version", request.min_version >= 0, "must not be negative");
    let least = request.min_version;
    violations.finish(member.zip(cause).map(|(member, cause)| (member, Wanted { cause, start, end }, least)))
}

pub(super) fn lots(request: &pb::ListPointLotsRequest) -> Result<Option<MemberId>, Error> {
    let mut violations = Violations::new();
    let member = member(&mut violations, &request.member_id);
    violations.finish(member)
}

pub(super) fn tier(request: &pb::GetPointTierRequest) -> Result<Option<MemberId>, Error> {
    let mut violations = Violations::new();
    let member = member(&mut violations, &request.member_id);
    violations.finish(member)
}

pub(super) fn simulate_spending(request: &pb::SimulatePointSpendingRequest) -> Result<(Option<MemberId>, i64), Error> {
    let mut violations = Violations::new();
    let member = member(&mut violations, &request.member_id);
    let points = points(&mut violations, request.points);
    violations.finish(member.zip(points))
}

pub(super) fn simulate_expiry(
    request: &pb::SimulatePointExpiryRequest,
    now: Time,
) -> Result<(Option<MemberId>, Time), Error> {
    let mut violations = Violations::new();
    let member = member(&mut violations, &request.member_id);
    violations.require("until_time", request.until_time.is_some(), "must be given");
    let until = ahead(&mut violations, "until_time", request.until_time.as_ref(), now, LATEST_EXPIRY);
    violations.finish(member.zip(until.flatten()))
}

pub(super) fn gift(request: &pb::GiftPointsRequest, caller: MemberId) -> Result<(Gift, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let recipient = violations.id("recipient_id", &request.recipient_id);
    violations.require("recipient_id", recipient != Some(caller), "must be another member");
    let points = points(&mut violations, request.points);
    let reference = violations.text("reference", &request.reference, 0, WORDS);
    let gift = (|| Some(Gift { recipient: recipient?, points: points?, reference: reference? }))();
    violations.finish(gift.map(|gift| (gift, key)))
}

pub(super) fn earn(request: &pb::EarnPointsRequest, now: Time) -> Result<(Earn, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let member = violations.id("member_id", &request.member_id);
    let amount = match &request.amount {
        Some(Sent::Points(number)) => points(&mut violations, *number).map(Amount::Points),
        Some(Sent::Base(base)) => {
            let base = money(&mut violations, "base", base, (1, MOST_BASE));
            let in_won = base.is_none_or(|base| base.currency == Currency::KRW);
            violations.require("base.currency_code", in_won, "must be KRW");
            base.map(|base| Amount::Base(base.minor))
        }
        None => {
            violations.add("points", "must be given, or `base`");
            None
        }
    };
    let available_time = match request.available_time.as_ref() {
        None => Some(None),
        sent => {
            let time = instant(&mut violations, "available_time", sent);
            let fits = time.is_none_or(|time| time <= now + LATEST_AVAILABLE);
            violations.require("available_time", fits, "must be at most 2 years ahead");
            time.map(Some)
        }
    };
    let expire_time = within(&mut violations, "expire_time", request.expire_time.as_ref(), now, LATEST_EXPIRY);
    let reference = violations.text("reference", &request.reference, 0, WORDS);
    let earn = (|| {
        Some(Earn {
            member: member?,
            amount: amount?,
            available_time: available_time?,
            expire_time: expire_time?,
            reference: reference?,
        })
    })();
    violations.finish(earn.map(|earn| (earn, key)))
}

pub(super) fn spend(request: &pb::SpendPointsRequest) -> Result<(Spend, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let member = violations.id("member_id", &request.member_id);
    let points = points(&mut violations, request.points);
    let reference = violations.text("reference", &request.reference, 0, WORDS);
    let spend = || Some(Spend { member: member?, points: points?, reference: reference?, hold_expire_time: None });
    let spend = spend();
    violations.finish(spend.map(|spend| (spend, key)))
}

pub(super) fn reserve(request: &pb::ReservePointsRequest, now: Time) -> Result<(Spend, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let member = violations.id("member_id", &request.member_id);
    let points = points(&mut violations, request.points);
    let reference = violations.text("reference", &request.reference, 0, WORDS);
    let until = within(&mut violations, "expire_time", request.expire_time.as_ref(), now, LONGEST_RESERVED);
    let spend = (|| {
        let hold_expire_time = Some(until?.unwrap_or(now + RESERVED));
        Some(Spend { member: member?, points: points?, reference: reference?, hold_expire_time })
    })();
    violations.finish(spend.map(|spend| (spend, key)))
}

pub(super) fn spending_id(text: &str) -> Result<SpendingId, Error> {
    let mut violations = Violations::new();
    let id = violations.id("spending_id", text);
    violations.finish(id)
}

/// The spending that a request names, and its key.
pub(super) fn named<M: yeyak_proto::Mutation>(message: &M, id: &str) -> Result<(SpendingId, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(message, &mut violations);
    let id = violations.id("spending_id", id);
    violations.finish(id.map(|id| (id, key)))
}

pub(super) fn cancel(request: &pb::CancelPointSpendingRequest) -> Result<(Cancel, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let id = violations.id("spending_id", &request.spending_id);
    let wanted = match request.points {
        0 => Some(None),
        number => points(&mut violations, number).map(Some),
    };
    let reference = violations.text("reference", &request.reference, 0, WORDS);
    let cancel = (|| Some(Cancel { id: id?, points: wanted?, reference: reference? }))();
    violations.finish(cancel.map(|cancel| (cancel, key)))
}

pub(super) fn adjust(request: &pb::AdjustPointsRequest, now: Time) -> Result<(Adjust, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let member = violations.id("member_id", &request.member_id);
    let fits = (-MOST..=MOST).contains(&request.points) && request.points != 0;
    violations.require("points", fits, format!("must be -{MOST} to {MOST}, and not 0"));
    let reason = violations.text("reason", &request.reason, 1, WORDS);
    let expire_time = within(&mut violations, "expire_time", request.expire_time.as_ref(), now, LATEST_EXPIRY);
    let fits = request.points > 0 || request.expire_time.is_none();
    violations.require("expire_time", fits, "must be absent where points are taken away");
    let adjust =
        (|| Some(Adjust { member: member?, points: request.points, reason: reason?, expire_time: expire_time? }))();
    violations.finish(adjust.map(|adjust| (adjust, key)))
}

fn cause(sent: SentCause) -> Option<Cause> {
    Cause::ALL.into_iter().find(|cause| proto_cause(*cause) == sent)
}

fn proto_cause(cause: Cause) -> SentCause {
    match cause {
        Cause::Earn => SentCause::Earn,
        Cause::Spend => SentCause::Spend,
        Cause::Reserve => SentCause::Reserve,
        Cause::Commit => SentCause::Commit,
        Cause::Release => SentCause::Release,
        Cause::Cancel => SentCause::Cancel,
        Cause::Expire => SentCause::Expire,
        Cause::ClawBack => SentCause::ClawBack,
        Cause::Adjust => SentCause::Adjust,
        Cause::Gift => SentCause::Gift,
    }
}

pub(super) fn proto_balance(balance: Balance) -> pb::PointBalance {
    let Balance { wallet, expiring, next_expire_time } = balance;
    pb::PointBalance {
        member_id: wallet.member.to_string(),
        available_points: wallet.available,
        pending_points: wallet.pending,
        reserved_points: wallet.reserved,
        owed_points: wallet.owed,
        expiring_points: expiring,
        next_expire_time: next_expire_time.map(proto_time),
        balance_version: wallet.version,
    }
}

pub(super) fn pieces(pieces: &[Piece]) -> Vec<pb::PointPiece> {
    let piece = |piece: &Piece| pb::PointPiece {
        lot_id: piece.lot.to_string(),
        points: piece.points,
        expire_time: Some(proto_time(piece.expire_time)),
    };
    pieces.iter().map(piece).collect()
}

fn or_empty(id: Option<impl ToString>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

impl From<Recorded> for pb::PointMovement {
    fn from(recorded: Recorded) -> Self {
        let movement = recorded.movement;
        Self {
            id: recorded.id.to_string(),
            member_id: recorded.member.to_string(),
            cause: proto_cause(movement.cause).into(),
            points: movement.amount,
            reserved_points: movement.held,
            balance_points: movement.balance,
            number: movement.number,
            pieces: pieces(&movement.pieces),
            booking_id: or_empty(movement.booking),
            spending_id: or_empty(movement.spending),
            reference: movement.reference,
            effective_time: Some(proto_time(movement.effective_time)),
            create_time: Some(proto_time(recorded.create_time)),
            balance_version: recorded.version,
        }
    }
}

impl From<Lot> for pb::PointLot {
    fn from(lot: Lot) -> Self {
        Self {
            id: lot.id.to_string(),
            cause: Cause::of_name(&lot.cause).map_or(SentCause::Unspecified, proto_cause).into(),
            points: lot.points,
            left_points: lot.remaining,
            available_time: Some(proto_time(lot.available_time)),
            expire_time: Some(proto_time(lot.expire_time)),
            booking_id: or_empty(lot.booking),
            reference: lot.reference,
            create_time: Some(proto_time(lot.create_time)),
        }
    }
}

pub(super) fn spending(spending: &Spending, now: Time) -> pb::PointSpending {
    let state = match spending.state_at(now) {
        State::Reserved => SentState::Reserved,
        State::Spent => SentState::Spent,
        State::Released => SentState::Released,
    };
    let held = state == SentState::Reserved && spending.booking.is_none();
    pb::PointSpending {
        id: spending.id.to_string(),
        member_id: spending.member.to_string(),
        state: state.into(),
        points: spending.points,
        given_back_points: spending.given_back,
        pieces: pieces(&spending.pieces),
        booking_id: or_empty(spending.booking),
        reference: spending.reference.clone(),
        expire_time: spending.hold_expire_time.filter(|_| held).map(proto_time),
        balance_version: spending.wallet_version,
        create_time: Some(proto_time(spending.create_time)),
        update_time: Some(proto_time(spending.update_time)),
    }
}
