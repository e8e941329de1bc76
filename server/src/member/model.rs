//! What a member and a session are.

use chrono::TimeDelta;

use crate::kit::caller::{Roles, SessionId};
use crate::kit::clock::Time;
use crate::kit::date::Tz;
use crate::kit::id::MemberId;

/// For how long a refresh token that was just used still gives its successor: two parallel refreshes, or an answer lost.
pub(super) const REFRESH_GRACE: TimeDelta = TimeDelta::seconds(10);

/// A person with an account.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Who.
    pub id: MemberId,
    /// Where they are written to.
    pub email: Email,
    /// How they are called.
    pub display_name: String,
    /// E.164, or empty.
    pub phone: String,
    /// A BCP 47 language tag.
    pub locale: String,
    /// Where their days begin.
    pub time_zone: Tz,
    /// What else they may do.
    pub roles: Roles,
    /// Grows with every change.
    pub version: i64,
    /// When they signed up.
    pub create_time: Time,
    /// When the profile last changed.
    pub update_time: Time,
}

crate::typed_id!(
    /// The id of a line of login history.
    LoginEventId,
    "login"
);

/// A line of login history.
#[derive(Clone, Debug)]
pub(super) struct LoginEvent {
    pub(super) id: LoginEventId,
    pub(super) outcome: Outcome,
    pub(super) address: String,
    pub(super) user_agent: String,
    pub(super) create_time: Time,
}

/// What came of showing a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    SignedUp,
    LoggedIn,
    WrongPassword,
    PasswordChanged,
    Throttled,
}

impl Outcome {
    const ALL: [Self; 5] =
        [Self::SignedUp, Self::LoggedIn, Self::WrongPassword, Self::PasswordChanged, Self::Throttled];

    /// As it is stored.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::SignedUp => "SIGNED_UP",
            Self::LoggedIn => "LOGGED_IN",
            Self::WrongPassword => "WRONG_PASSWORD",
            Self::PasswordChanged => "PASSWORD_CHANGED",
            Self::Throttled => "THROTTLED",
        }
    }

    /// The outcome that is stored under a name.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// A login.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Which.
    pub(super) id: SessionId,
    /// Whose.
    pub(super) member: MemberId,
    /// How often its tokens were refreshed: the refresh token of this generation is the one that works.
    pub(super) generation: i64,
    /// The network address it was opened from.
    pub(super) address: String,
    /// The user agent it was opened with.
    pub(super) user_agent: String,
    /// When it was opened.
    pub(super) create_time: Time,
    /// When its tokens were last made.
    pub(super) refresh_time: Time,
    /// When it ends unless refreshed.
    pub(super) expire_time: Time,
    /// When it was ended.
    pub(super) revoke_time: Option<Time>,
}

/// What becomes of a refresh token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refresh {
    /// It is the latest: the next generation begins.
    Advance,
    /// It was used a moment ago: its successor is given again.
    Repeat,
    /// It was used long ago: someone else has it, and the session ends.
    Reused,
    /// The session is over.
    Over,
}

impl Session {
    pub(super) fn is_live(&self, now: Time) -> bool {
        self.revoke_time.is_none() && now < self.expire_time
    }

    /// Decides on a refresh token of some generation.
    pub(super) fn refresh(&self, generation: i64, now: Time) -> Refresh {
        if !self.is_live(now) {
            return Refresh::Over;
        }
        match self.generation - generation {
            0 => Refresh::Advance,
            1 if now <= self.refresh_time + REFRESH_GRACE => Refresh::Repeat,
            1.. => Refresh::Reused,
            _ => Refresh::Over,
        }
    }
}

/// An e-mail address, lower-cased.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Email(String);

/// A string that is not an e-mail address.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("must be an e-mail address of at most 254 characters")]
pub struct NotAnEmail;

impl std::str::FromStr for Email {
    type Err = NotAnEmail;

    /// Takes what mail servers deliver: something, an @, and a domain with a dot. Whether it exists, only a letter tells.
    fn from_str(text: &str) -> Result<Self, NotAnEmail> {
        // Lower-cased first: some letters grow by it, or become others, and what is kept must be read again.
        let text = text.trim().to_lowercase();
        let plain = text.len() <= 254 && !text.chars().any(|letter| letter.is_whitespace() || letter.is_control());
        let Some((name, domain)) = text.rsplit_once('@') else { return Err(NotAnEmail) };
        let labels = domain
            .split('.')
            .filter(|label| !label.is_empty() && label.chars().all(|letter| letter.is_alphanumeric() || letter == '-'));
        let shaped =
            (1..=64).contains(&name.len()) && !name.contains('@') && labels.count() == domain.split('.').count();
        if plain && shaped && domain.contains('.') { Ok(Self(text)) } else { Err(NotAnEmail) }
    }
}

impl Email {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A telephone number in the form E.164, or none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Phone(String);

/// A string that is not a telephone number.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("must be empty, or + and 7 to 15 digits, such as +821012345678")]
pub(super) struct NotAPhone;

impl std::str::FromStr for Phone {
    type Err = NotAPhone;

    fn from_str(text: &str) -> Result<Self, NotAPhone> {
        let Some(digits) = text.strip_prefix('+') else {
            return if text.is_empty() { Ok(Self::default()) } else { Err(NotAPhone) };
        };
        let shaped = (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|letter| letter.is_ascii_digit());
        if shaped { Ok(Self(text.to_owned())) } else { Err(NotAPhone) }
    }
}

impl Phone {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::id::Ids;

    #[test]
    fn addresses_are_told_from_other_text() {
        for good in ["a@b.kr", "A.b+c@example.co.kr", "  x@y.dev ", "이름@회사.한국"] {
            assert!(good.parse::<Email>().is_ok(), "{good}");
        }
        let long = format!("{}@b.kr", "a".repeat(65));
        for bad in ["", "a", "a@", "@b.kr", "a@b", "a b@c.kr", "a@b@c.kr", "a@.kr", "a@b..kr", "a\n@b.kr", &long] {
            assert!(bad.parse::<Email>().is_err(), "{bad}");
        }
    }

    /// Guard: what is kept is lower-cased before it is judged, and reads back.
    #[test]
    fn addresses_that_grow_when_they_are_lower_cased_are_judged_as_they_are_kept() {
        for bad in ["a@İ.kr".to_owned(), format!("{}@b.kr", "Ⱥ".repeat(32))] {
            assert!(bad.parse::<Email>().is_err(), "{bad}");
        }
        let kept: Email = "ÄÖ@B.kr".parse().expect("an address");
        assert_eq!(kept.as_str().parse::<Email>().expect("reads back"), kept);
    }

    #[test]
    fn telephone_numbers_are_told_from_other_text() {
        for good in ["", "+821012345678", "+1234567"] {
            assert!(good.parse::<Phone>().is_ok(), "{good}");
        }
        for bad in ["+", "+0821012345", "010-1234-5678", "+82 10 1234 5678", "+123456", "+1234567890123456", "+82१"] {
            assert!(bad.parse::<Phone>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_refresh_token_works_once_but_for_a_grace() {
        let now = Time::UNIX_EPOCH;
        let ids = Ids::seeded(1);
        let session = Session {
            id: SessionId::new(&ids, now),
            member: MemberId::new(&ids, now),
            generation: 5,
            address: String::new(),
            user_agent: String::new(),
            create_time: now,
            refresh_time: now,
            expire_time: now + TimeDelta::days(30),
            revoke_time: None,
        };
        let late = now + REFRESH_GRACE + TimeDelta::microseconds(1);
        assert_eq!(session.refresh(5, late), Refresh::Advance);
        assert_eq!(session.refresh(4, now + REFRESH_GRACE), Refresh::Repeat);
        assert_eq!(session.refresh(4, late), Refresh::Reused);
        assert_eq!(session.refresh(3, now), Refresh::Reused, "the grace is for the one before alone");
        assert_eq!(session.refresh(6, now), Refresh::Over);
        assert_eq!(session.refresh(5, session.expire_time), Refresh::Over);
        assert_eq!(Session { revoke_time: Some(now), ..session }.refresh(5, now), Refresh::Over);
    }
}
