//! Kinds and terms as the proto has them.

use yeyak_proto::yeyak::common::v1 as common;
use yeyak_proto::yeyak::coupon::v1 as pb;

use super::{Accepts, Argument, Kind, Parameter, Term, Value, Values, Wording};

impl From<&pb::CouponPolicy> for Wording {
    /// A benefit that is missing is one of no kind, which is refused where kinds are read.
    fn from(policy: &pb::CouponPolicy) -> Self {
        let benefit = policy.benefit.as_ref().map(Term::from).unwrap_or_default();
        // One more than allowed is enough to be refused.
        let most = super::Kinds::CONDITION_LIMIT + 1;
        Self { benefit, conditions: policy.conditions.iter().take(most).map(Term::from).collect() }
    }
}

impl From<&pb::CouponTerm> for Term {
    fn from(term: &pb::CouponTerm) -> Self {
        let most = Values::LIMIT + 1;
        Self { kind: term.kind.clone(), parameters: term.parameters.iter().take(most).map(Argument::from).collect() }
    }
}

impl From<&pb::CouponParameter> for Argument {
    /// Words without the space around them, so that what is stored is what is read.
    fn from(parameter: &pb::CouponParameter) -> Self {
        use pb::coupon_parameter::Value as Sent;
        let value = parameter.value.as_ref().map(|value| match value {
            Sent::Number(number) => Value::Number(*number),
            Sent::Amount(common::Money { currency_code, minor_units }) => {
                Value::Amount { currency_code: currency_code.clone(), minor_units: *minor_units }
            }
            Sent::Text(text) => Value::Text(text.trim().to_owned()),
            Sent::Texts(texts) => {
                Value::texts(texts.values.iter().take(Accepts::TEXTS_LIMIT + 1).map(|text| text.trim()))
            }
            Sent::Date(common::Date { year, month, day }) => Value::Date { year: *year, month: *month, day: *day },
        });
        Self { name: parameter.name.clone(), value }
    }
}

impl From<&Term> for pb::CouponTerm {
    fn from(term: &Term) -> Self {
        Self { kind: term.kind.clone(), parameters: term.parameters.iter().map(pb::CouponParameter::from).collect() }
    }
}

impl From<&Argument> for pb::CouponParameter {
    fn from(argument: &Argument) -> Self {
        use pb::coupon_parameter::Value as Sent;
        let value = argument.value.clone().map(|value| match value {
            Value::Number(number) => Sent::Number(number),
            Value::Amount { currency_code, minor_units } => Sent::Amount(common::Money { currency_code, minor_units }),
            Value::Text(text) => Sent::Text(text),
            Value::Texts(values) => Sent::Texts(pb::CouponTexts { values }),
            Value::Date { year, month, day } => Sent::Date(common::Date { year, month, day }),
        });
        Self { name: argument.name.clone(), value }
    }
}

impl From<&Kind> for pb::CouponKind {
    fn from(kind: &Kind) -> Self {
        use pb::coupon_kind::Role;
        let role = if kind.meaning.is_benefit() { Role::Benefit } else { Role::Condition };
        Self {
            name: kind.name.to_owned(),
            role: role.into(),
            description: kind.description.to_owned(),
            parameters: kind.parameters.iter().map(pb::CouponKindParameter::from).collect(),
        }
    }
}

impl From<&Parameter> for pb::CouponKindParameter {
    fn from(parameter: &Parameter) -> Self {
        use pb::coupon_kind_parameter::Type;
        let of_type = match parameter.accepts {
            Accepts::Number { .. } => Type::Number,
            Accepts::Amount { .. } => Type::Amount,
            Accepts::Text(_) => Type::Text,
            Accepts::Texts(_) => Type::Texts,
            Accepts::Date => Type::Date,
        };
        Self {
            name: parameter.name.to_owned(),
            r#type: of_type.into(),
            required: parameter.required,
            description: parameter.description(),
        }
    }
}
