//! What kinds ask for: declared, so that one place checks, describes and lists it.

use crate::kit::date::Date;
use crate::kit::money::{Currency, Money};
use crate::kit::violation::Violations;

use super::term::{Argument, Value};

/// Something that a kind asks for.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// What it is called, such as `percent`.
    pub name: &'static str,
    /// What it may be.
    pub accepts: Accepts,
    /// Whether it must be there.
    pub required: bool,
    /// What it means, in a sentence.
    pub meaning: &'static str,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug)]
pub enum Accepts {
    /// A number within limits.
    Number {
        /// From.
        least: i64,
        /// To.
        most: i64,
    },
    /// An amount of at least so much, at most [`Accepts::AMOUNT_LIMIT`].
    Amount {
        /// In the currency's minor unit.
        least: i64,
    },
    /// One word.
    Text(Words),
    /// 1 to 100 different words.
    Texts(Words),
    /// A date of the calendar.
    Date,
}

/// What a word may be.
#[derive(Clone, Copy, Debug)]
pub enum Words {
    /// An id with a prefix.
    Id(&'static str),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// Anything of 1 to so many characters.
    Free(usize),
}

impl Accepts {
    /// The most that an amount may be.
    pub const AMOUNT_LIMIT: i64 = 1_000_000_000_000;

    /// How many words there may be.
    pub const TEXTS_LIMIT: usize = 100;

    /// The field of a parameter's value that has it.
    pub(super) fn field(&self) -> &'static str {
        match self {
            Self::Number { .. } => "number",
            Self::Amount { .. } => "amount",
            Self::Text(_) => "text",
            Self::Texts(_) => "texts",
            Self::Date => "date",
        }
    }

    /// Its limits: `1 to 100`.
    pub fn limits(&self) -> String {
        match self {
            Self::Number { least, most } => format!("{least} to {most}"),
            Self::Amount { least } => format!("{least} to {} in the currency's minor unit", Self::AMOUNT_LIMIT),
            Self::Text(words) => words.limits(),
            Self::Texts(words) => format!("1 to {} different ones, each {}", Self::TEXTS_LIMIT, words.limits()),
            Self::Date => "a date of the calendar".to_owned(),
        }
    }
}

impl Words {
    fn limits(&self) -> String {
        match self {
            Self::Id(prefix) => format!("an id, `{prefix}_…`"),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
            Self::Free(most) => format!("a word of 1 to {most} characters"),
        }
    }

    fn read(&self, path: &str, text: &str, violations: &mut Violations) -> Option<String> {
        match self {
            Self::Id(prefix) => {
                let id = violations.take(path, crate::kit::id::parse(prefix, text));
                id.map(|_| text.to_owned())
            }
            Self::OneOf(words) => {
                violations.require(path, words.contains(&text), format!("must be {}", self.limits()));
                words.contains(&text).then(|| text.to_owned())
            }
            Self::Free(most) => violations.text(path, text, 1, *most),
        }
    }
}

impl Parameter {
    /// What it means, with its limits.
    pub fn description(&self) -> String {
        format!("{} {}.", self.meaning, capital(&self.accepts.limits()))
    }

    fn read(&self, path: &str, value: Option<&Value>, violations: &mut Violations) -> Option<Known> {
        let path = format!("{path}.{}", self.accepts.field());
        match (self.accepts, value) {
            (Accepts::Number { least, most }, Some(Value::Number(number))) => {
                let fits = (least..=most).contains(number);
                violations.require(path, fits, format!("must be {}", self.accepts.limits()));
                fits.then_some(Known::Number(*number))
            }
            (Accepts::Amount { least }, Some(Value::Amount { currency_code, minor_units })) => {
                let currency = violations.take(format!("{path}.currency_code"), currency_code.parse::<Currency>());
                let fits = (least..=Accepts::AMOUNT_LIMIT).contains(minor_units);
                let limits = format!("must be {}", self.accepts.limits());
                violations.require(format!("{path}.minor_units"), fits, limits);
                currency.filter(|_| fits).map(|currency| Known::Amount(Money::new(currency, *minor_units)))
            }
            (Accepts::Text(words), Some(Value::Text(text))) => words.read(&path, text, violations).map(Known::Text),
            (Accepts::Texts(words), Some(Value::Texts(texts))) => {
                several(words, &path, texts, violations).map(Known::Texts)
            }
            (Accepts::Date, Some(Value::Date { year, month, day })) => {
                let sent = yeyak_proto::yeyak::common::v1::Date { year: *year, month: *month, day: *day };
                violations.date(path, Some(&sent)).map(Known::Date)
            }
            _ => {
                violations.add(path, format!("must be given for `{}`, and be {}", self.name, self.accepts.limits()));
                None
            }
        }
    }
}

fn several(words: Words, path: &str, texts: &[String], violations: &mut Violations) -> Option<Vec<String>> {
    let path = format!("{path}.values");
    let many = (1..=Accepts::TEXTS_LIMIT).contains(&texts.len());
    violations.require(&path, many, format!("must be 1 to {} words", Accepts::TEXTS_LIMIT));
    let mut all = Vec::new();
    // What is behind the limit is noted once, not word by word.
    for (at, text) in texts.iter().take(Accepts::TEXTS_LIMIT).enumerate() {
        let path = format!("{path}[{at}]");
        let Some(word) = words.read(&path, text, violations) else { continue };
        violations.require(path, !all.contains(&word), "must stand there once");
        all.push(word);
    }
    (all.len() == texts.len()).then_some(all)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A value that keeps its limits.
#[derive(Clone, Debug)]
enum Known {
    Number(i64),
    Amount(Money),
    Text(String),
    Texts(Vec<String>),
    Date(Date),
}

/// What was given for the parameters of a kind, each within its limits.
#[derive(Debug, Default)]
pub struct Values {
    /// By name, with where it stands.
    known: Vec<(&'static str, usize, Known)>,
}

/// A parameter that does not fit the others, or is missing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Misfit {
    /// Which.
    pub parameter: &'static str,
    /// `must be …`.
    pub description: String,
}

impl Misfit {
    /// The parameter `must be …`.
    pub fn new(parameter: &'static str, description: impl Into<String>) -> Self {
        Self { parameter, description: description.into() }
    }
}

impl Values {
    /// How many parameters are looked at; no kind has nearly as many.
    pub(super) const LIMIT: usize = 20;

    /// What a kind asks for of what was given, with all that is wrong noted.
    pub(super) fn read(
        asked: &[Parameter],
        path: &str,
        given: &[Argument],
        violations: &mut Violations,
    ) -> Option<Self> {
        let path = format!("{path}.parameters");
        violations.require(&path, given.len() <= Self::LIMIT, format!("must be at most {}", Self::LIMIT));
        let mut values = Self::default();
        let given = given.get(..Self::LIMIT).unwrap_or(given);
        for (at, Argument { name, value }) in given.iter().enumerate() {
            let path = format!("{path}[{at}]");
            let Some(parameter) = asked.iter().find(|parameter| parameter.name == name) else {
                violations.add(format!("{path}.name"), unknown(asked));
                continue;
            };
            let before = given[..at].iter().any(|other| other.name == *name);
            violations.require(format!("{path}.name"), !before, "must stand there once");
            let known = parameter.read(&path, value.as_ref(), violations);
            values.known.extend(known.map(|known| (parameter.name, at, known)));
        }
        let mut missing = false;
        for parameter in asked.iter().filter(|parameter| parameter.required) {
            let is_there = given.iter().any(|argument| argument.name == parameter.name);
            violations.require(
                &path,
                is_there,
                format!("must have `{}`, {}", parameter.name, parameter.accepts.limits()),
            );
            missing |= !is_there;
        }
        (values.known.len() == given.len() && !missing).then_some(values)
    }

    fn get(&self, name: &'static str) -> Result<&Known, Misfit> {
        let found = self.known.iter().find(|(known, ..)| *known == name);
        found.map(|(.., known)| known).ok_or_else(|| Misfit::new(name, "must be given"))
    }

    /// A number.
    pub fn number(&self, name: &'static str) -> Result<i64, Misfit> {
        if let Known::Number(number) = self.get(name)? { Ok(*number) } else { Err(other_type(name)) }
    }

    /// An amount.
    pub fn amount(&self, name: &'static str) -> Result<Money, Misfit> {
        if let Known::Amount(money) = self.get(name)? { Ok(*money) } else { Err(other_type(name)) }
    }

    /// A word.
    pub fn text(&self, name: &'static str) -> Result<&str, Misfit> {
        if let Known::Text(text) = self.get(name)? { Ok(text) } else { Err(other_type(name)) }
    }

    /// Several words.
    pub fn texts(&self, name: &'static str) -> Result<&[String], Misfit> {
        if let Known::Texts(texts) = self.get(name)? { Ok(texts) } else { Err(other_type(name)) }
    }

    /// Several ids, by their UUIDs, in order.
    pub fn ids(&self, name: &'static str, prefix: &'static str) -> Result<Vec<uuid::Uuid>, Misfit> {
        let read = |text: &String| crate::kit::id::parse(prefix, text).map_err(|e| Misfit::new(name, e.to_string()));
        let mut ids = self.texts(name)?.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        ids.sort_unstable();
        Ok(ids)
    }

    /// A date.
    pub fn date(&self, name: &'static str) -> Result<Date, Misfit> {
        if let Known::Date(date) = self.get(name)? { Ok(*date) } else { Err(other_type(name)) }
    }

    /// Where a parameter stands among those given, and the field of its value.
    pub(super) fn place(&self, name: &str) -> Option<(usize, &'static str)> {
        let (_, at, known) = self.known.iter().find(|(known, ..)| *known == name)?;
        let field = match known {
            Known::Number(_) => "number",
            Known::Amount(_) => "amount",
            Known::Text(_) => "text",
            Known::Texts(_) => "texts",
            Known::Date(_) => "date",
        };
        Some((*at, field))
    }

    /// What amounts are in, and where each stands.
    pub(super) fn currencies(&self) -> impl Iterator<Item = (usize, Currency)> {
        self.known.iter().filter_map(|(_, at, known)| match known {
            Known::Amount(money) => Some((*at, money.currency)),
            _ => None,
        })
    }
}

fn other_type(name: &'static str) -> Misfit {
    Misfit::new(name, "must be of the type that its kind declares")
}

fn unknown(asked: &[Parameter]) -> String {
    if asked.is_empty() {
        return "must not be there: the kind asks for nothing".to_owned();
    }
    let names: Vec<_> = asked.iter().map(|parameter| parameter.name).collect();
    format!("must be one of {}", names.join(", "))
}
