//! The queries of members, one a function.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, ConnectionTrait, ExprTrait, JoinType, QueryOrder, QuerySelect, SqlErr};

use super::entity::{login_event, member, session};
use super::error::MemberError;
use super::model::{Email, LoginEvent, LoginEventId, Outcome, Phone, Profile, Session};
use crate::error::Error;
use crate::kit::Kit;
use crate::kit::caller::{Roles, SessionId};
use crate::kit::clock::Time;
use crate::kit::date::Tz;
use crate::kit::id::MemberId;
use crate::kit::keyring::Purpose;
use crate::kit::page::Page;
use crate::kit::tx::among;

/// An account, with what proves whose it is.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) profile: Profile,
    pub(super) password_hash: String,
}

/// The name under which an address is found without decrypting any.
pub(super) fn email_index(kit: &Kit, email: &Email) -> Vec<u8> {
    kit.keys.index(Purpose::EmailIndex, email.as_str().as_bytes()).to_vec()
}

fn account(kit: &Kit, row: member::Model) -> Result<Account, Error> {
    let open = |sealed: &[u8]| -> Result<String, Error> {
        let plain = kit.keys.open(sealed).ok_or_else(|| Error::internal("a sealed column does not open"))?;
        String::from_utf8(plain).map_err(Error::internal)
    };
    let email = open(&row.email_sealed)?.parse().map_err(Error::internal)?;
    let phone = if row.phone_sealed.is_empty() { String::new() } else { open(&row.phone_sealed)? };
    Ok(Account {
        profile: Profile {
            id: MemberId(row.id),
            email,
            display_name: row.display_name,
            phone,
            locale: row.locale,
            time_zone: row.time_zone.parse().map_err(|_| Error::internal("an unknown time zone is stored"))?,
            roles: Roles { seller: row.seller, admin: row.admin },
            version: row.version,
            create_time: row.create_time,
            update_time: row.update_time,
        },
        password_hash: row.password_hash,
    })
}

pub(super) async fn account_by_email(
    conn: &impl ConnectionTrait,
    kit: &Kit,
    email: &Email,
) -> Result<Option<Account>, Error> {
    let found = member::Entity::find().filter(member::Column::EmailIndex.eq(email_index(kit, email)));
    found.one(conn).await?.map(|row| account(kit, row)).transpose()
}

pub(super) async fn account_by_id(
    conn: &impl ConnectionTrait,
    kit: &Kit,
    id: MemberId,
) -> Result<Option<Account>, Error> {
    member::by_id(id).one(conn).await?.map(|row| account(kit, row)).transpose()
}

/// What a member may do, when there is such a member.
pub(super) async fn roles(conn: &impl ConnectionTrait, id: MemberId) -> Result<Option<Roles>, Error> {
    let columns = member::by_id(id).select_only().columns([member::Column::Seller, member::Column::Admin]);
    let found: Option<(bool, bool)> = columns.into_tuple().one(conn).await?;
    Ok(found.map(|(seller, admin)| Roles { seller, admin }))
}

/// Whether the password is still the one that was checked; from now to the end of the transaction it stays so.
pub(super) async fn keeps_password(conn: &impl ConnectionTrait, id: MemberId, hash: &str) -> Result<bool, Error> {
    let columns = member::by_id(id).filter(member::Column::PasswordHash.eq(hash)).select_only();
    let found: Option<Uuid> = columns.column(member::Column::Id).lock_shared().into_tuple().one(conn).await?;
    Ok(found.is_some())
}

/// Puts another password in the place of the one that was checked, unless someone was faster.
pub(super) async fn set_password(
    conn: &impl ConnectionTrait,
    old: &Account,
    hash: &str,
    now: Time,
) -> Result<(), Error> {
    let written = member::Entity::update_many()
        .col_expr(member::Column::PasswordHash, Expr::value(hash))
        .col_expr(member::Column::Version, Expr::col(member::Column::Version).add(1))
        .col_expr(member::Column::UpdateTime, Expr::value(now))
        .filter(member::Column::Id.eq(old.profile.id.0))
        .filter(member::Column::PasswordHash.eq(&*old.password_hash))
        .exec(conn)
        .await?;
    if written.rows_affected == 1 { Ok(()) } else { Err(Error::lost("the password")) }
}

/// Other values of a profile; what is absent stays.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    pub(super) display_name: Option<String>,
    pub(super) phone: Option<Phone>,
    pub(super) locale: Option<String>,
    pub(super) time_zone: Option<Tz>,
}

/// Writes the changes, if the member is there and, where a version is expected, has it.
pub(super) async fn update(
    conn: &impl ConnectionTrait,
    kit: &Kit,
    id: MemberId,
    version: Option<i64>,
    changes: &Changes,
) -> Result<bool, Error> {
    let mut row = member::Entity::update_many()
        .col_expr(member::Column::Version, Expr::col(member::Column::Version).add(1))
        .col_expr(member::Column::UpdateTime, Expr::value(kit.clock.now()))
        .filter(member::Column::Id.eq(id.0));
    if let Some(version) = version {
        row = row.filter(member::Column::Version.eq(version));
    }
    if let Some(name) = &changes.display_name {
        row = row.col_expr(member::Column::DisplayName, Expr::value(&**name));
    }
    if let Some(phone) = &changes.phone {
        row = row.col_expr(member::Column::PhoneSealed, Expr::value(seal_phone(kit, phone.as_str())));
    }
    if let Some(locale) = &changes.locale {
        row = row.col_expr(member::Column::Locale, Expr::value(&**locale));
    }
    if let Some(zone) = &changes.time_zone {
        row = row.col_expr(member::Column::TimeZone, Expr::value(zone.name()));
    }
    Ok(row.exec(conn).await?.rows_affected == 1)
}

fn seal_phone(kit: &Kit, phone: &str) -> Vec<u8> {
    if phone.is_empty() { Vec::new() } else { kit.keys.seal(&kit.ids, phone.as_bytes()) }
}

pub(super) async fn insert_account(conn: &impl ConnectionTrait, kit: &Kit, account: &Account) -> Result<(), Error> {
    let Account { profile, password_hash } = account;
    let row = member::ActiveModel {
        id: ActiveValue::Set(profile.id.0),
        email_index: ActiveValue::Set(email_index(kit, &profile.email)),
        email_sealed: ActiveValue::Set(kit.keys.seal(&kit.ids, profile.email.as_str().as_bytes())),
        phone_sealed: ActiveValue::Set(seal_phone(kit, &profile.phone)),
        password_hash: ActiveValue::Set(password_hash.clone()),
        display_name: ActiveValue::Set(profile.display_name.clone()),
        locale: ActiveValue::Set(profile.locale.clone()),
        time_zone: ActiveValue::Set(profile.time_zone.name().to_owned()),
        seller: ActiveValue::Set(profile.roles.seller),
        admin: ActiveValue::Set(profile.roles.admin),
        version: ActiveValue::Set(profile.version),
        create_time: ActiveValue::Set(profile.create_time),
        update_time: ActiveValue::Set(profile.update_time),
    };
    match member::Entity::insert(row).exec_without_returning(conn).await {
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
            Err(MemberError::EmailTaken.into())
        }
        outcome => Ok(outcome.map(|_| ())?),
    }
}

impl From<session::Model> for Session {
    fn from(row: session::Model) -> Self {
        Self {
            id: SessionId(row.id),
            member: MemberId(row.member_id),
            generation: row.generation,
            address: row.address,
            user_agent: row.user_agent,
            create_time: row.create_time,
            refresh_time: row.refresh_time,
            expire_time: row.expire_time,
            revoke_time: row.revoke_time,
        }
    }
}

pub(super) async fn insert_session(conn: &impl ConnectionTrait, session: &Session) -> Result<(), Error> {
    let row = session::ActiveModel {
        id: ActiveValue::Set(session.id.0),
        member_id: ActiveValue::Set(session.member.0),
        address: ActiveValue::Set(session.address.clone()),
        user_agent: ActiveValue::Set(session.user_agent.clone()),
        generation: ActiveValue::Set(session.generation),
        create_time: ActiveValue::Set(session.create_time),
        refresh_time: ActiveValue::Set(session.refresh_time),
        expire_time: ActiveValue::Set(session.expire_time),
        revoke_time: ActiveValue::Set(session.revoke_time),
        version: ActiveValue::Set(1),
    };
    session::Entity::insert(row).exec_without_returning(conn).await?;
    Ok(())
}

pub(super) async fn session(conn: &impl ConnectionTrait, id: SessionId) -> Result<Option<Session>, Error> {
    Ok(session::Entity::find_by_id(id.0).one(conn).await?.map(Session::from))
}

/// Which of these sessions live, of whom, and what those may do.
pub(super) async fn live(
    conn: &impl ConnectionTrait,
    ids: &[SessionId],
    now: Time,
) -> Result<HashMap<SessionId, (MemberId, Roles)>, Error> {
    let of = session::Entity::belongs_to(member::Entity).from(session::Column::MemberId).to(member::Column::Id);
    let found: Vec<(Uuid, Uuid, bool, bool)> = session::Entity::find()
        .select_only()
        .columns([session::Column::Id, session::Column::MemberId])
        .columns([member::Column::Seller, member::Column::Admin])
        .join(JoinType::InnerJoin, of.into())
        .filter(among(conn, session::Column::Id, ids.iter().map(|id| id.0).collect()))
        .filter(session::Column::RevokeTime.is_null())
        .filter(session::Column::ExpireTime.gt(now))
        .into_tuple()
        .all(conn)
        .await?;
    let live = |(id, member, seller, admin)| (SessionId(id), (MemberId(member), Roles { seller, admin }));
    Ok(found.into_iter().map(live).collect())
}

pub(super) async fn session_of(
    conn: &impl ConnectionTrait,
    member: MemberId,
    id: SessionId,
) -> Result<Option<Session>, Error> {
    let found = session::of_member(member).filter(session::Column::Id.eq(id.0)).one(conn).await?;
    Ok(found.map(Session::from))
}

/// The live sessions of a member, newest first.
pub(super) async fn live_sessions(
    conn: &impl ConnectionTrait,
    member: MemberId,
    now: Time,
    page: &Page,
) -> Result<Vec<Session>, Error> {
    let mut found = session::of_member(member)
        .filter(session::Column::RevokeTime.is_null())
        .filter(session::Column::ExpireTime.gt(now))
        .order_by_desc(session::Column::Id)
        .limit(page.fetch());
    if let Some(after) = page.after {
        found = found.filter(session::Column::Id.lt(after));
    }
    Ok(found.all(conn).await?.into_iter().map(Session::from).collect())
}

/// Moves a session to its next generation, unless another refresh was faster.
pub(super) async fn advance(conn: &impl ConnectionTrait, old: &Session, new: &Session) -> Result<(), Error> {
    let written = session::Entity::update_many()
        .col_expr(session::Column::Generation, Expr::value(new.generation))
        .col_expr(session::Column::RefreshTime, Expr::value(new.refresh_time))
        .col_expr(session::Column::ExpireTime, Expr::value(new.expire_time))
        .filter(session::Column::Id.eq(old.id.0))
        .filter(session::Column::Generation.eq(old.generation))
        .filter(session::Column::RevokeTime.is_null())
        .exec(conn)
        .await?;
    if written.rows_affected == 1 { Ok(()) } else { Err(Error::lost(old.id)) }
}

/// Ends a session; ending an ended one changes nothing.
pub(super) async fn revoke(conn: &impl ConnectionTrait, id: SessionId, now: Time) -> Result<(), Error> {
    session::Entity::update_many()
        .col_expr(session::Column::RevokeTime, Expr::value(now))
        .filter(session::Column::Id.eq(id.0))
        .filter(session::Column::RevokeTime.is_null())
        .exec(conn)
        .await?;
    Ok(())
}

/// Ends all sessions of a member but one.
pub(super) async fn revoke_others(
    conn: &impl ConnectionTrait,
    member: MemberId,
    kept: Option<SessionId>,
    now: Time,
) -> Result<(), Error> {
    let mut ended = session::Entity::update_many()
        .col_expr(session::Column::RevokeTime, Expr::value(now))
        .filter(session::Column::MemberId.eq(member.0))
        .filter(session::Column::RevokeTime.is_null());
    if let Some(kept) = kept {
        ended = ended.filter(session::Column::Id.ne(kept.0));
    }
    ended.exec(conn).await?;
    Ok(())
}

/// Where a request came from, as a login records it.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    pub(super) address: String,
    pub(super) user_agent: String,
}

pub(super) async fn insert_login(
    conn: &impl ConnectionTrait,
    kit: &Kit,
    member: Option<MemberId>,
    outcome: Outcome,
    origin: &Origin,
) -> Result<(), Error> {
    let now = kit.clock.now();
    let row = login_event::ActiveModel {
        id: ActiveValue::Set(kit.ids.uuid(now)),
        member_id: ActiveValue::Set(member.map(|member| member.0)),
        outcome: ActiveValue::Set(outcome.name().to_owned()),
        address: ActiveValue::Set(origin.address.clone()),
        user_agent: ActiveValue::Set(origin.user_agent.clone()),
        create_time: ActiveValue::Set(now),
    };
    login_event::Entity::insert(row).exec_without_returning(conn).await?;
    Ok(())
}

/// The login history of a member, newest first.
pub(super) async fn login_events(
    conn: &impl ConnectionTrait,
    member: MemberId,
    page: &Page,
) -> Result<Vec<LoginEvent>, Error> {
    let mut found = login_event::of_member(member).order_by_desc(login_event::Column::Id).limit(page.fetch());
    if let Some(after) = page.after {
        found = found.filter(login_event::Column::Id.lt(after));
    }
    found.all(conn).await?.into_iter().map(LoginEvent::try_from).collect()
}

impl TryFrom<login_event::Model> for LoginEvent {
    type Error = Error;

    fn try_from(row: login_event::Model) -> Result<Self, Error> {
        let unknown = || Error::internal(format!("an unknown login outcome is stored: {}", row.outcome));
        Ok(Self {
            id: LoginEventId(row.id),
            outcome: Outcome::of_name(&row.outcome).ok_or_else(unknown)?,
            address: row.address,
            user_agent: row.user_agent,
            create_time: row.create_time,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Harness;

    /// Guard: the generation in the compare-and-set of a refresh. Parallel twins write the same row, so only a refresh that
    /// was overtaken twice shows it.
    #[tokio::test]
    async fn a_refresh_that_was_overtaken_does_not_turn_a_session_back() {
        let yeyak = Harness::new().await;
        let now = yeyak.kit.clock.now();
        let uuid = || yeyak.kit.ids.uuid(now);
        let first = Session {
            id: SessionId(uuid()),
            member: MemberId(uuid()),
            generation: 1,
            address: String::new(),
            user_agent: String::new(),
            create_time: now,
            refresh_time: now,
            expire_time: now + chrono::TimeDelta::days(1),
            revoke_time: None,
        };
        insert_session(yeyak.db.schema_connection(), &first).await.expect("inserts");
        let [second, third] = [2, 3].map(|generation| Session { generation, ..first.clone() });
        let advance =
            async |old: &Session, new: &Session| yeyak.db.write(async |tx| advance(&*tx, old, new).await).await;
        advance(&first, &second).await.expect("advances");
        advance(&second, &third).await.expect("advances");

        let overtaken = advance(&first, &second).await.expect_err("two others were faster");

        assert!(overtaken.is_lost());
        let kept = session(yeyak.db.read(), first.id).await.expect("reads").expect("a session");
        assert_eq!(kept.generation, 3);
    }
}
