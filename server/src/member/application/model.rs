//! What an application is.

use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::member::MemberError;

crate::typed_id!(
    /// The id of an application to be a seller.
    SellerApplicationId,
    "application"
);

/// Where an application stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// An admin has to decide.
    Pending,
    /// The member is a seller.
    Approved,
    /// The member may apply again.
    Rejected,
}

impl State {
    const ALL: [Self; 3] = [Self::Pending, Self::Approved, Self::Rejected];

    /// As it is stored, and told.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Approved => "APPROVED",
            Self::Rejected => "REJECTED",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A member's wish to sell.
#[derive(Clone, Debug)]
pub(super) struct Application {
    pub(super) id: SellerApplicationId,
    pub(super) member: MemberId,
    pub(super) state: State,
    pub(super) business_name: String,
    pub(super) business_number: BusinessNumber,
    pub(super) note: String,
    pub(super) decision_reason: String,
    pub(super) decided_by: Option<MemberId>,
    pub(super) create_time: Time,
    pub(super) decide_time: Option<Time>,
}

/// What an admin decides.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    /// Approved, or rejected.
    pub(super) approved: bool,
    /// What the member is told.
    pub(super) reason: String,
}

impl Application {
    /// The application as the decision leaves it; it is refused for one that was decided.
    pub(super) fn decide(self, decision: &Decision, by: MemberId, now: Time) -> Result<Self, MemberError> {
        if self.state != State::Pending {
            return Err(MemberError::ApplicationDecided { id: self.id, state: self.state });
        }
        Ok(Self {
            state: if decision.approved { State::Approved } else { State::Rejected },
            decision_reason: decision.reason.clone(),
            decided_by: Some(by),
            decide_time: Some(now),
            ..self
        })
    }
}

/// A Korean business registration number: ten digits, the last of which checks the others.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct BusinessNumber(String);

/// A string that is not a business registration number.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("must be a Korean business registration number, such as 123-45-67891")]
pub(super) struct NotABusinessNumber;

impl std::str::FromStr for BusinessNumber {
    type Err = NotABusinessNumber;

    fn from_str(text: &str) -> Result<Self, NotABusinessNumber> {
        let digits: Option<Vec<u32>> =
            text.trim().chars().filter(|letter| *letter != '-').take(11).map(|letter| letter.to_digit(10)).collect();
        match digits {
            Some(digits) if digits.len() == 10 && check_digit(&digits) == digits[9] => {
                let plain: String = digits.iter().map(u32::to_string).collect();
                Ok(Self(format!("{}-{}-{}", &plain[..3], &plain[3..5], &plain[5..])))
            }
            _ => Err(NotABusinessNumber),
        }
    }
}

/// The check digit of the National Tax Service: weighted digits, and the tens of the ninth one's.
fn check_digit(digits: &[u32]) -> u32 {
    let weights = [1, 3, 7, 1, 3, 7, 1, 3, 5];
    let sum: u32 = digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum();
    (10 - (sum + digits[8] * 5 / 10) % 10) % 10
}

impl BusinessNumber {
    /// One that was checked before.
    pub(super) fn stored(text: String) -> Self {
        Self(text)
    }

    /// As `123-45-67891`.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn business_numbers_are_told_from_other_digits() {
        for good in ["123-45-67891", "1234567891", " 220-81-62517 ", "124-81-00998"] {
            assert!(good.parse::<BusinessNumber>().is_ok(), "{good}");
        }
        assert_eq!("2208162517".parse::<BusinessNumber>().expect("good").as_str(), "220-81-62517");
        for bad in ["", "123-45-67890", "123456789", "12345678911", "12345678９1", "abc-de-fghij"] {
            assert!(bad.parse::<BusinessNumber>().is_err(), "{bad}");
        }
    }
}
