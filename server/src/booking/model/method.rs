//! The ways to pay that terms can ask for.

use serde::{Deserialize, Serialize};

/// How something is paid, as far as terms ask for it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in crate::booking) enum Method {
    Card,
    EasyPay,
    Transfer,
    MobilePhone,
}

impl Method {
    const ALL: [Self; 4] = [Self::Card, Self::EasyPay, Self::Transfer, Self::MobilePhone];

    /// As tables and terms have it.
    pub(in crate::booking) fn name(self) -> &'static str {
        match self {
            Self::Card => "CARD",
            Self::EasyPay => "EASY_PAY",
            Self::Transfer => "TRANSFER",
            Self::MobilePhone => "MOBILE_PHONE",
        }
    }

    pub(in crate::booking) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// The one that a provider's words are for, where it is one of these: Toss Payments' `method`,
    /// <https://docs.tosspayments.com/reference#payment-객체>.
    pub(in crate::booking) fn of_provider(words: &str) -> Option<Self> {
        match words {
            "카드" => Some(Self::Card),
            "간편결제" => Some(Self::EasyPay),
            "계좌이체" => Some(Self::Transfer),
            "휴대폰" => Some(Self::MobilePhone),
            _ => None,
        }
    }
}
