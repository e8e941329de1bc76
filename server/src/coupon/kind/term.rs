//! What a policy says, as it was given: the form that is stored, and read again when it is loaded.

use serde::{Deserialize, Serialize};

/// What a policy says: one benefit, and the conditions that must all hold.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Wording {
    /// What its coupons take off.
    pub benefit: Term,
    /// What a booking must be like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Term>,
}

/// A benefit or a condition: its kind, and what the kind asks for.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Term {
    /// The name of a kind, such as `PERCENT`.
    pub kind: String,
    /// What was given of what it asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Argument>,
}

/// What was given for a parameter of a kind.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Argument {
    /// As the kind calls it.
    pub name: String,
    /// Absent when a request leaves it out, which no kind accepts.
    pub value: Option<Value>,
}

/// A value as it came in: nothing of it is checked yet.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// A number.
    Number(i64),
    /// An amount of money.
    Amount {
        /// What may be the code of a currency.
        currency_code: String,
        /// In its minor unit.
        minor_units: i64,
    },
    /// A word.
    Text(String),
    /// Several words.
    Texts(Vec<String>),
    /// What may be a date.
    Date {
        /// 1 to 9999.
        year: i32,
        /// 1 to 12.
        month: i32,
        /// 1 to 31.
        day: i32,
    },
}

impl Term {
    /// A term of a kind, with nothing given yet.
    pub fn of(kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), parameters: Vec::new() }
    }

    /// With a parameter more.
    pub fn with(mut self, name: impl Into<String>, value: Value) -> Self {
        self.parameters.push(Argument { name: name.into(), value: Some(value) });
        self
    }
}

impl Value {
    /// An amount of won.
    pub fn won(minor_units: i64) -> Self {
        Self::Amount { currency_code: "KRW".to_owned(), minor_units }
    }

    /// Several words.
    pub fn texts<T: Into<String>>(words: impl IntoIterator<Item = T>) -> Self {
        Self::Texts(words.into_iter().map(Into::into).collect())
    }
}
