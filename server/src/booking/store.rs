//! The queries of bookings, one a function.

pub(super) mod checked;
pub(super) mod due;
pub(super) mod pending;

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, Condition, ConnectionTrait, IntoActiveModel, JoinType, QueryOrder, QuerySelect, SqlErr};

use super::entity::{booking, event, line};
use super::error::BookingError;
use super::model::{Booking, Guest, Line, Method, State};
use super::token::{QuotedLatePayment, QuotedTerms, Tag};
use crate::error::Error;
use crate::kit::Kit;
use crate::kit::caller::Actor;
use crate::kit::clock::Time;
use crate::kit::date::Nights;
use crate::kit::id::{BookingId, MemberId};
use crate::kit::keyring::Purpose;
use crate::kit::money::Money;
use crate::kit::page::Page;
use crate::kit::tx::Tx;
use crate::stay::{PropertyId, RatePlanId, RoomTypeId};

fn json<T: serde::Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(Error::internal)
}

fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(Error::internal)
}

/// The name under which a guest's address is found without decrypting any.
pub(super) fn email_index(kit: &Kit, email: &str) -> Vec<u8> {
    kit.keys.index(Purpose::EmailIndex, email.trim().to_lowercase().as_bytes()).to_vec()
}

fn row(kit: &Kit, booking: &Booking, quote: &Tag) -> Result<booking::Model, Error> {
    Ok(booking::Model {
        id: booking.id.0,
        code: booking.code.clone(),
        member_id: booking.member.0,
        seller_id: booking.seller.0,
        property_id: booking.property.0,
        property_name: booking.property_name.clone(),
        time_zone: booking.zone.name().to_owned(),
        state: booking.state.name().to_owned(),
        version: booking.version,
        currency: booking.total.currency.to_string(),
        total: booking.total.minor,
        paid: booking.paid,
        refunded: booking.refunded,
        fee: booking.fee,
        fee_floor: booking.fee_floor,
        earned: booking.earned,
        refund_due: booking.refund_due,
        points: booking.points,
        points_back: booking.points_back,
        point_share: booking.point_share,
        settled: booking.settled,
        withheld: booking.withheld,
        expire_time: booking.expire_time,
        hold_limit_time: booking.hold_limit_time,
        first_date: booking.check_in(),
        last_date: booking.check_out(),
        needs_approval: booking.needs_approval,
        late_payment: json(&QuotedLatePayment::from(booking.late_payment))?,
        terms: json(&QuotedTerms::from(&booking.terms))?,
        discounts: json(&booking.discounts)?,
        payment_method: booking.method.map_or("", Method::name).to_owned(),
        guest_sealed: kit.keys.seal(&kit.ids, json(&booking.guest)?.as_bytes()),
        guest_email_index: email_index(kit, &booking.guest.email),
        note: booking.note.clone(),
        cancellation: json(&booking.cancellation)?,
        created_by: booking.created_by.clone(),
        quote_tag: Some(quote.to_vec()),
        create_time: booking.create_time,
        update_time: booking.update_time,
    })
}

fn guest(kit: &Kit, sealed: &[u8]) -> Result<Guest, Error> {
    let plain = kit.keys.open(sealed).ok_or_else(|| Error::internal("a sealed column does not open"))?;
    serde_json::from_slice(&plain).map_err(Error::internal)
}

fn read(kit: &Kit, row: booking::Model, lines: Vec<Line>) -> Result<Booking, Error> {
    let unknown = |what: &str| Error::internal(format!("booking {} has an unknown {what}", BookingId(row.id)));
    let currency = row.currency.parse().map_err(|_| unknown("currency"))?;
    Ok(Booking {
        id: BookingId(row.id),
        zone: row.time_zone.parse().map_err(|_| unknown("time zone"))?,
        state: State::of_name(&row.state).ok_or_else(|| unknown("state"))?,
        late_payment: parsed::<QuotedLatePayment>(&row.late_payment)?.into(),
        terms: parsed::<QuotedTerms>(&row.terms)?.terms()?,
        discounts: parsed(&row.discounts)?,
        method: Method::of_name(&row.payment_method),
        guest: guest(kit, &row.guest_sealed)?,
        cancellation: parsed(&row.cancellation)?,
        code: row.code,
        member: MemberId(row.member_id),
        seller: MemberId(row.seller_id),
        property: PropertyId(row.property_id),
        property_name: row.property_name,
        version: row.version,
        total: Money::new(currency, row.total),
        paid: row.paid,
        refunded: row.refunded,
        fee: row.fee,
        fee_floor: row.fee_floor,
        earned: row.earned,
        refund_due: row.refund_due,
        points: row.points,
        points_back: row.points_back,
        point_share: row.point_share,
        settled: row.settled,
        withheld: row.withheld,
        expire_time: row.expire_time,
        hold_limit_time: row.hold_limit_time,
        lines,
        needs_approval: row.needs_approval,
        note: row.note,
        created_by: row.created_by,
        create_time: row.create_time,
        update_time: row.update_time,
    })
}

fn line_row(booking: BookingId, at: usize, line: &Line) -> Result<line::ActiveModel, Error> {
    Ok(line::Model {
        booking_id: booking.0,
        line: i64::try_from(at).unwrap_or(i64::MAX),
        room_type_id: line.room_type.0,
        room_type_name: line.room_type_name.clone(),
        rate_plan_id: line.rate_plan.0,
        check_in: line.nights.check_in(),
        check_out: line.nights.check_out(),
        room_count: i64::from(line.rooms),
        adult_count: i64::from(line.adults),
        child_count: i64::from(line.children),
        prices: json(&line.prices)?,
    }
    .into_active_model())
}

fn read_line(row: line::Model) -> Result<Line, Error> {
    let small = |number: i64| u16::try_from(number).map_err(Error::internal);
    Ok(Line {
        room_type: RoomTypeId(row.room_type_id),
        room_type_name: row.room_type_name,
        rate_plan: RatePlanId(row.rate_plan_id),
        nights: Nights::between(row.check_in, row.check_out).map_err(Error::internal)?,
        rooms: small(row.room_count)?,
        adults: small(row.adult_count)?,
        children: small(row.child_count)?,
        prices: parsed(&row.prices)?,
    })
}

async fn with_lines(conn: &impl ConnectionTrait, kit: &Kit, rows: Vec<booking::Model>) -> Result<Vec<Booking>, Error> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let found = line::Entity::find()
        .filter(line::Column::BookingId.is_in(rows.iter().map(|row| row.id)))
        .order_by_asc(line::Column::Line)
        .all(conn)
        .await?;
    let mut lines: HashMap<Uuid, Vec<Line>> = HashMap::new();
    for row in found {
        lines.entry(row.booking_id).or_default().push(read_line(row)?);
    }
    rows.into_iter()
        .map(|row| {
            let lines = lines.remove(&row.id).unwrap_or_default();
            read(kit, row, lines)
        })
        .collect()
}

pub(super) async fn find(conn: &impl ConnectionTrait, kit: &Kit, id: BookingId) -> Result<Option<Booking>, Error> {
    one(conn, kit, booking::Entity::find_by_id(id.0)).await
}

/// A booking, locked until the transaction ends. Read behind the lock: a joined row that was waited for would come with the lines
/// of before.
pub(super) async fn find_in(tx: &Tx, kit: &Kit, id: BookingId) -> Result<Option<Booking>, Error> {
    lock(tx, id).await?;
    find(&**tx, kit, id).await
}

/// A booking and its lines, of which it has at least one, in one statement.
async fn one(conn: &impl ConnectionTrait, kit: &Kit, found: Select<booking::Entity>) -> Result<Option<Booking>, Error> {
    let lines = booking::Entity::belongs_to(line::Entity).from(booking::Column::Id).to(line::Column::BookingId);
    let found = found.join(JoinType::InnerJoin, lines.into()).select_with(line::Entity);
    let found = found.order_by_asc(line::Column::Line).all(conn).await?;
    let Some((row, lines)) = found.into_iter().next() else { return Ok(None) };
    read(kit, row, lines.into_iter().map(read_line).collect::<Result<_, _>>()?).map(Some)
}

/// Locks a booking until the transaction ends. SQLite has one writer, and nothing to lock.
pub(super) async fn lock(tx: &Tx, id: BookingId) -> Result<(), Error> {
    if tx.has_others() {
        let row = booking::Entity::find_by_id(id.0).select_only().column(booking::Column::Id).lock_exclusive();
        row.into_tuple::<Uuid>().one(&**tx).await?;
    }
    Ok(())
}

pub(super) async fn find_by_code(
    conn: &impl ConnectionTrait,
    kit: &Kit,
    code: &str,
    email: &str,
) -> Result<Option<Booking>, Error> {
    let found = booking::Entity::find().filter(booking::Column::Code.eq(code));
    one(conn, kit, found.filter(booking::Column::GuestEmailIndex.eq(email_index(kit, email)))).await
}

/// Whose bookings a list has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of {
    Member(MemberId),
    Seller(MemberId, Option<PropertyId>),
}

pub(super) async fn list(conn: &impl ConnectionTrait, kit: &Kit, of: Of, page: &Page) -> Result<Vec<Booking>, Error> {
    let mut found = match of {
        Of::Member(member) => booking::of_member(member),
        Of::Seller(seller, None) => booking::of_seller(seller),
        Of::Seller(seller, Some(property)) => {
            booking::of_seller(seller).filter(booking::Column::PropertyId.eq(property.0))
        }
    };
    if let Some(after) = page.after {
        found = found.filter(booking::Column::Id.lt(after));
    }
    let rows = found.order_by_desc(booking::Column::Id).limit(page.fetch()).all(conn).await?;
    with_lines(conn, kit, rows).await
}

/// How many unpaid bookings a member holds. One that is being paid keeps what it holds for as long as that takes.
pub(super) async fn live_holds(conn: &impl ConnectionTrait, member: MemberId, now: Time) -> Result<u64, Error> {
    use booking::Column;
    let waiting = Condition::all()
        .add(Column::State.is_in([State::Held.name(), State::Requested.name()]))
        .add(Column::ExpireTime.gt(now));
    let live = Condition::any().add(waiting).add(Column::State.eq(State::Paying.name()));
    Ok(booking::of_member(member).filter(live).count(conn).await?)
}

/// A change of a booking, and a room type that it was about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) booking: Uuid,
    pub(super) version: i64,
    pub(super) time: Time,
    pub(super) room_type: RoomTypeId,
}

/// The changes of bookings since a moment.
pub(super) async fn changes_since(conn: &impl ConnectionTrait, since: Time) -> Result<Vec<Change>, Error> {
    let rows: Vec<(Uuid, i64, Time, Uuid)> = event::Entity::find()
        .select_only()
        .columns([event::Column::BookingId, event::Column::Version, event::Column::CreateTime])
        .column(line::Column::RoomTypeId)
        .join(
            JoinType::InnerJoin,
            event::Entity::belongs_to(line::Entity).from(event::Column::BookingId).to(line::Column::BookingId).into(),
        )
        .filter(event::Column::CreateTime.gte(since))
        .into_tuple()
        .all(conn)
        .await?;
    let change =
        |(booking, version, time, room_type)| Change { booking, version, time, room_type: RoomTypeId(room_type) };
    Ok(rows.into_iter().map(change).collect())
}

/// Writes a new booking, unless its quote has made one before.
pub(super) async fn insert(tx: &Tx, kit: &Kit, booking: &Booking, quote: &Tag) -> Result<(), Error> {
    let row = row(kit, booking, quote)?.into_active_model();
    match booking::Entity::insert(row).exec_without_returning(&**tx).await {
        Err(error) if is_taken(&error, "quote") => Err(BookingError::QuoteInvalid("it was used before").into()),
        // Another run draws another code.
        Err(error) if is_taken(&error, "code") => Err(Error::lost(booking.id)),
        written => {
            written?;
            insert_lines(tx, booking).await
        }
    }
}

/// Whether a row was refused since another has its value of a column.
fn is_taken(error: &DbErr, column: &str) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(what)) if what.contains(column))
}

async fn insert_lines(tx: &Tx, booking: &Booking) -> Result<(), Error> {
    let lines: Result<Vec<_>, _> =
        booking.lines.iter().enumerate().map(|(at, line)| line_row(booking.id, at, line)).collect();
    line::Entity::insert_many(lines?).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Replaces the lines of a booking.
pub(super) async fn replace_lines(tx: &Tx, booking: &Booking) -> Result<(), Error> {
    line::Entity::delete_many().filter(line::Column::BookingId.eq(booking.id.0)).exec(&**tx).await?;
    insert_lines(tx, booking).await
}

/// Moves a booking from one version to the next, unless another change was faster.
pub(super) async fn update(tx: &Tx, before: &Booking, after: &Booking) -> Result<(), Error> {
    use booking::Column;
    let written = booking::Entity::update_many()
        .col_expr(Column::State, Expr::value(after.state.name()))
        .col_expr(Column::Version, Expr::value(after.version))
        .col_expr(Column::Total, Expr::value(after.total.minor))
        .col_expr(Column::Discounts, Expr::value(json(&after.discounts)?))
        .col_expr(Column::Terms, Expr::value(json(&QuotedTerms::from(&after.terms))?))
        .col_expr(Column::Paid, Expr::value(after.paid))
        .col_expr(Column::Refunded, Expr::value(after.refunded))
        .col_expr(Column::Fee, Expr::value(after.fee))
        .col_expr(Column::FeeFloor, Expr::value(after.fee_floor))
        .col_expr(Column::Earned, Expr::value(after.earned))
        .col_expr(Column::RefundDue, Expr::value(after.refund_due))
        .col_expr(Column::Points, Expr::value(after.points))
        .col_expr(Column::PointsBack, Expr::value(after.points_back))
        .col_expr(Column::PointShare, Expr::value(after.point_share))
        .col_expr(Column::Settled, Expr::value(after.settled))
        .col_expr(Column::Withheld, Expr::value(after.withheld))
        .col_expr(Column::ExpireTime, Expr::value(after.expire_time))
        .col_expr(Column::HoldLimitTime, Expr::value(after.hold_limit_time))
        .col_expr(Column::FirstDate, Expr::value(after.check_in()))
        .col_expr(Column::LastDate, Expr::value(after.check_out()))
        .col_expr(Column::Cancellation, Expr::value(json(&after.cancellation)?))
        .col_expr(Column::UpdateTime, Expr::value(after.update_time))
        .filter(Column::Id.eq(before.id.0))
        .filter(Column::Version.eq(before.version))
        .exec(&**tx)
        .await?;
    if written.rows_affected == 1 { Ok(()) } else { Err(Error::lost(before.id)) }
}

pub(super) async fn insert_event(
    tx: &Tx,
    booking: &Booking,
    from: Option<State>,
    cause: &str,
    actor: &Actor,
) -> Result<(), Error> {
    let row = event::ActiveModel {
        booking_id: ActiveValue::Set(booking.id.0),
        version: ActiveValue::Set(booking.version),
        from_state: ActiveValue::Set(from.map(State::name).unwrap_or_default().to_owned()),
        to_state: ActiveValue::Set(booking.state.name().to_owned()),
        cause: ActiveValue::Set(cause.to_owned()),
        actor: ActiveValue::Set(actor.0.clone()),
        create_time: ActiveValue::Set(booking.update_time),
    };
    event::Entity::insert(row).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Whether a member has a booking that is paid, and was not cancelled.
pub(super) async fn has_booked(conn: &impl ConnectionTrait, member: MemberId) -> Result<bool, Error> {
    let paid = booking::of_member(member).filter(booking::Column::State.is_in(State::PAID.map(State::name)));
    Ok(paid.select_only().column(booking::Column::Id).limit(1).into_tuple::<Uuid>().one(conn).await?.is_some())
}
