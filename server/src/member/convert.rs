//! Requests to commands, with every violation at once; and answers.

use yeyak_proto::yeyak::member::v1 as pb;

use super::change_password::ChangePassword;
use super::model::{Email, LoginEvent, Outcome, Phone, Profile, Session};
use super::password::Password;
use super::session::Opened;
use super::sign_up::SignUp;
use super::store::{Changes, Origin};
use super::token::TokenPair;
use super::update::Update;
use crate::error::Error;
use crate::kit::caller::{Roles, SessionId};
use crate::kit::date::Tz;
use crate::kit::id::MemberId;
use crate::kit::idempotency::RequestKey;
use crate::kit::proto_time;
use crate::kit::request::mask;
use crate::kit::violation::Violations;

/// What an update can name.
const FIELDS: &[&str] = &["display_name", "phone", "locale", "time_zone"];

/// An optional BCP 47 tag; the shape alone is checked.
fn locale(violations: &mut Violations, field: &str, text: &str) -> Option<String> {
    let text = if text.is_empty() { "ko" } else { text };
    let shaped = text.len() <= 35
        && text
            .split('-')
            .all(|part| (1..=8).contains(&part.len()) && part.chars().all(|letter| letter.is_ascii_alphanumeric()));
    violations.require(field, shaped, "must be a BCP 47 language tag, such as ko or en-US");
    shaped.then(|| text.to_owned())
}

fn time_zone(violations: &mut Violations, field: &str, text: &str) -> Option<Tz> {
    let text = if text.is_empty() { "Asia/Seoul" } else { text };
    let zone = text.parse().ok();
    violations.require(field, zone.is_some(), "must be an IANA time zone, such as Asia/Seoul");
    zone
}

pub(super) fn sign_up(request: pb::SignUpRequest, origin: Origin) -> Result<SignUp, Error> {
    let mut violations = Violations::new();
    let email = violations.take("email", request.email.parse::<Email>());
    let password = violations.take("password", Password::new(&request.password));
    let display_name = violations.text("display_name", &request.display_name, 1, 50);
    let locale = locale(&mut violations, "locale", &request.locale);
    let time_zone = time_zone(&mut violations, "time_zone", &request.time_zone);
    let command = (|| {
        Some(SignUp {
            email: email?,
            password: password?,
            display_name: display_name?,
            locale: locale?,
            time_zone: time_zone?,
            origin,
        })
    })();
    violations.finish(command)
}

pub(super) fn log_in(request: &pb::LogInRequest) -> Result<(Email, Password), Error> {
    let mut violations = Violations::new();
    let email = violations.take("email", request.email.parse::<Email>());
    let password = violations.take("password", Password::typed(&request.password));
    violations.finish(email.zip(password))
}

pub(super) fn refresh_token(request: pb::RefreshSessionRequest) -> Result<String, Error> {
    let mut violations = Violations::new();
    violations.require("refresh_token", !request.refresh_token.is_empty(), "must be given");
    violations.finish(Some(request.refresh_token))
}

pub(super) fn access_token(request: pb::VerifyTokenRequest) -> Result<String, Error> {
    let mut violations = Violations::new();
    let fits = (1..=4096).contains(&request.access_token.len());
    violations.require("access_token", fits, "must have 1 to 4,096 characters");
    violations.finish(Some(request.access_token))
}

/// A member by id, or `None` for `me`.
fn member_id(violations: &mut Violations, field: &str, id: &str) -> Option<Option<MemberId>> {
    if id == "me" { Some(None) } else { violations.id(field, id).map(Some) }
}

pub(super) fn get_member(request: &pb::GetMemberRequest) -> Result<Option<MemberId>, Error> {
    let mut violations = Violations::new();
    let id = member_id(&mut violations, "id", &request.id);
    violations.finish(id)
}

pub(super) fn update_member(request: &pb::UpdateMemberRequest) -> Result<(Update, RequestKey), Error> {
    let mut violations = Violations::new();
    let member = request.member.clone().unwrap_or_default();
    let id = member_id(&mut violations, "member.id", &member.id);
    let fields = mask(&mut violations, request.update_mask.as_ref(), FIELDS);
    let mut changes = Changes::default();
    for field in &fields {
        match *field {
            "display_name" => {
                changes.display_name = violations.text("member.display_name", &member.display_name, 1, 50)
            }
            "phone" => changes.phone = violations.take("member.phone", member.phone.trim().parse::<Phone>()),
            "locale" => changes.locale = locale(&mut violations, "member.locale", &member.locale),
            _ => changes.time_zone = time_zone(&mut violations, "member.time_zone", &member.time_zone),
        }
    }
    // Versions begin at 1: an etag that is not ours fits none.
    let version = (!member.etag.is_empty()).then(|| member.etag.parse().unwrap_or(0));
    let key = RequestKey::of(request, &mut violations);
    violations.finish(id.map(|id| (Update { id, version, changes, fields }, key)))
}

pub(super) fn change_password(request: &pb::ChangePasswordRequest, origin: Origin) -> Result<ChangePassword, Error> {
    let mut violations = Violations::new();
    let old = violations.take("old_password", Password::typed(&request.old_password));
    let new = violations.take("new_password", Password::new(&request.new_password));
    let other = request.old_password != request.new_password;
    violations.require("new_password", other, "must be another than the old one");
    violations.finish(old.zip(new).map(|(old, new)| ChangePassword { old, new, origin }))
}

impl From<LoginEvent> for pb::LoginEvent {
    fn from(event: LoginEvent) -> Self {
        let outcome = match event.outcome {
            Outcome::SignedUp => pb::login_event::Outcome::SignedUp,
            Outcome::LoggedIn => pb::login_event::Outcome::LoggedIn,
            Outcome::WrongPassword => pb::login_event::Outcome::WrongPassword,
            Outcome::PasswordChanged => pb::login_event::Outcome::PasswordChanged,
            Outcome::Throttled => pb::login_event::Outcome::Throttled,
        };
        Self {
            id: event.id.to_string(),
            create_time: Some(proto_time(event.create_time)),
            outcome: outcome.into(),
            address: event.address,
            user_agent: event.user_agent,
        }
    }
}

pub(super) fn roles(roles: Roles) -> Vec<i32> {
    let all = [(roles.seller, pb::Role::Seller), (roles.admin, pb::Role::Admin)];
    all.into_iter().filter(|(has, _)| *has).map(|(_, role)| role.into()).collect()
}

impl From<Profile> for pb::Member {
    fn from(profile: Profile) -> Self {
        Self {
            id: profile.id.to_string(),
            email: profile.email.as_str().to_owned(),
            display_name: profile.display_name,
            phone: profile.phone,
            locale: profile.locale,
            time_zone: profile.time_zone.name().to_owned(),
            roles: roles(profile.roles),
            create_time: Some(proto_time(profile.create_time)),
            update_time: Some(proto_time(profile.update_time)),
            etag: profile.version.to_string(),
        }
    }
}

impl From<TokenPair> for pb::Tokens {
    fn from(tokens: TokenPair) -> Self {
        Self {
            access_token: tokens.access,
            access_expire_time: Some(proto_time(tokens.access_expire_time)),
            refresh_token: tokens.refresh,
            refresh_expire_time: Some(proto_time(tokens.refresh_expire_time)),
            session_id: tokens.session.to_string(),
        }
    }
}

impl From<Opened> for pb::SignUpResponse {
    fn from(opened: Opened) -> Self {
        Self { member: Some(opened.member.into()), tokens: Some(opened.tokens.into()) }
    }
}

impl From<Opened> for pb::LogInResponse {
    fn from(opened: Opened) -> Self {
        Self { member: Some(opened.member.into()), tokens: Some(opened.tokens.into()) }
    }
}

/// A session, and whether it is the caller's own.
pub(super) fn session(session: Session, current: Option<SessionId>) -> pb::Session {
    pb::Session {
        id: session.id.to_string(),
        create_time: Some(proto_time(session.create_time)),
        refresh_time: Some(proto_time(session.refresh_time)),
        expire_time: Some(proto_time(session.expire_time)),
        address: session.address,
        user_agent: session.user_agent,
        current: current == Some(session.id),
        revoke_time: session.revoke_time.map(proto_time),
    }
}
