//! Exact money: integers in minor units, one currency at a time.

use std::fmt;
use std::str::FromStr;

use yeyak_proto::yeyak::common::v1 as pb;

/// An ISO 4217 currency code.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The won, which has no minor unit.
    pub const KRW: Self = Self(*b"KRW");

    /// Points, which are no money: a code that ISO 4217 has given to nothing.
    pub const POINTS: Self = Self(*b"PTS");

    /// Its three letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).expect("made of ASCII letters")
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A string that is not a currency code.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("must be an ISO 4217 code of three capital letters, such as KRW")]
pub struct NotACurrency;

impl FromStr for Currency {
    type Err = NotACurrency;

    fn from_str(text: &str) -> Result<Self, NotACurrency> {
        let letters: [u8; 3] = text.as_bytes().try_into().map_err(|_| NotACurrency)?;
        if letters.iter().all(u8::is_ascii_uppercase) { Ok(Self(letters)) } else { Err(NotACurrency) }
    }
}

/// An amount in one currency.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Money {
    /// What it is counted in.
    pub currency: Currency,
    /// How much, in the currency's minor unit.
    pub minor: i64,
}

impl Money {
    /// An amount of a currency.
    pub const fn new(currency: Currency, minor: i64) -> Self {
        Self { currency, minor }
    }

    /// An amount of won.
    pub const fn won(minor: i64) -> Self {
        Self::new(Currency::KRW, minor)
    }

    /// Nothing, in the same currency.
    pub const fn zero(self) -> Self {
        Self::new(self.currency, 0)
    }

    /// The sum, unless the currencies differ or it does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let same = self.currency == other.currency;
        same.then(|| self.minor.checked_add(other.minor)).flatten().map(|minor| Self { minor, ..self })
    }

    /// The difference, unless the currencies differ or it does not fit.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let same = self.currency == other.currency;
        same.then(|| self.minor.checked_sub(other.minor)).flatten().map(|minor| Self { minor, ..self })
    }

    /// A share in hundredths of the amount, rounded down: in the payer's favour when it is a fee.
    pub fn percent(self, percent: u8) -> Self {
        let share = i128::from(self.minor) * i128::from(percent) / 100;
        Self {
            minor: i64::try_from(share)
                .expect("at most 255 hundredths of an amount that fits are cut to 100 by callers"),
            ..self
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.minor.unsigned_abs().to_string();
        if self.minor < 0 {
            f.write_str("-")?;
        }
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        write!(f, " {}", self.currency)
    }
}

impl From<Money> for pb::Money {
    fn from(money: Money) -> Self {
        Self { currency_code: money.currency.to_string(), minor_units: money.minor }
    }
}

/// Splits an amount over weights so that the parts add up to it exactly: each gets its share rounded towards zero, and what
/// is left goes, one unit each, to the largest remainders, the earlier first among equals.
///
/// With no positive weight everything goes to the first part. Weights below zero count as zero.
pub fn allocate(amount: i64, weights: &[i64]) -> Vec<i64> {
    let weights: Vec<i128> = weights.iter().map(|weight| i128::from((*weight).max(0))).collect();
    let total: i128 = weights.iter().sum();
    if total == 0 {
        return weights.iter().enumerate().map(|(at, _)| if at == 0 { amount } else { 0 }).collect();
    }
    let mut shares: Vec<i128> = weights.iter().map(|weight| i128::from(amount) * weight / total).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse((i128::from(amount) * weights[*at] % total).abs()));
    let left = i128::from(amount) - shares.iter().sum::<i128>();
    for at in order.into_iter().take(usize::try_from(left.abs()).unwrap_or(usize::MAX)) {
        shares[at] += left.signum();
    }
    shares.into_iter().map(|share| i64::try_from(share).expect("a share is never more than the amount")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ten_won_over_three_equal_parts() {
        assert_eq!(allocate(10, &[1, 1, 1]), [4, 3, 3]);
        assert_eq!(allocate(-10, &[1, 1, 1]), [-4, -3, -3]);
        assert_eq!(allocate(10, &[0, 0]), [10, 0]);
        assert_eq!(allocate(7, &[]), [0; 0]);
    }

    #[test]
    fn money_reads_like_money() {
        assert_eq!(Money::won(1_234_567).to_string(), "1,234,567 KRW");
        assert_eq!(Money::won(-100).to_string(), "-100 KRW");
        assert_eq!("krw".parse::<Currency>(), Err(NotACurrency));
    }

    proptest! {
        #[test]
        fn parts_add_up_and_each_is_within_one_of_its_share(
            amount in any::<i64>(), weights in prop::collection::vec(0..1_000_000_i64, 1..40)
        ) {
            let parts = allocate(amount, &weights);
            prop_assert_eq!(parts.iter().map(|part| i128::from(*part)).sum::<i128>(), i128::from(amount));
            let total: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
            if total > 0 {
                for (part, weight) in parts.iter().zip(&weights) {
                    let share = i128::from(amount) * i128::from(*weight) / total;
                    prop_assert!((i128::from(*part) - share).abs() <= 1);
                }
            }
        }
    }
}
