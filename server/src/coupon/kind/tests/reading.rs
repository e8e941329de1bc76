//! How terms are read: everything that is wrong, each at its path; and the same again from what is stored.

use yeyak_proto::yeyak::common::v1 as common;
use yeyak_proto::yeyak::coupon::v1 as pb;

use super::*;
use crate::coupon::best::{Limits, apply, best};
use crate::coupon::kind::{Accepts, Benefit, Kind, Meaning, Parameter, Values, benefit::OnTotal};

/// Everything that is wrong with terms.
fn wrong(benefit: Term, conditions: Vec<Term>) -> Vec<String> {
    let error = read(&Kinds::standard(), &Wording { benefit, conditions }).expect_err("something is wrong");
    error.split("; ").map(str::to_owned).collect()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn everything_wrong_is_named_at_its_path() {
    let benefit = percent(101).with("cap", won(0)).with("percent", Value::Number(5)).with("colour", text("red"));
    let conditions = vec![
        Term::of("HOROSCOPE"),
        Term::of("PERCENT"),
        Term::of("MINIMUM_AMOUNT"),
        Term::of("MINIMUM_NIGHTS").with("nights", text("two")),
        Term::of("STAY_DATES").with("from", Value::Date { year: 2026, month: 2, day: 29 }),
        Term::of("REGION").with("regions", Value::texts(["SEOUL", "ATLANTIS", "SEOUL"])),
        Term::of("PROPERTY").with("properties", Value::texts(["roomtype_00000000000000000000000001"])),
        Term::of("CATEGORY").with("categories", Value::Texts(Vec::new())),
        Term::of("FIRST_BOOKING").with("really", text("yes")),
    ];
    let found = wrong(benefit, conditions);
    let paths: Vec<_> = found.iter().map(|one| one.split('`').nth(1).expect("a path")).collect();

    assert_eq!(
        paths,
        [
            "coupon_policy.benefit.parameters[0].number",
            "coupon_policy.benefit.parameters[1].amount.minor_units",
            "coupon_policy.benefit.parameters[2].name",
            "coupon_policy.benefit.parameters[3].name",
            "coupon_policy.conditions[0].kind",
            "coupon_policy.conditions[1].kind",
            "coupon_policy.conditions[2].parameters",
            "coupon_policy.conditions[3].parameters[0].number",
            "coupon_policy.conditions[4].parameters[0].date",
            "coupon_policy.conditions[5].parameters[0].texts.values[1]",
            "coupon_policy.conditions[5].parameters[0].texts.values[2]",
            "coupon_policy.conditions[6].parameters[0].texts.values[0]",
            "coupon_policy.conditions[7].parameters[0].texts.values",
            "coupon_policy.conditions[8].parameters[0].name",
        ]
    );
    assert_eq!(found[0], "`coupon_policy.benefit.parameters[0].number` must be 1 to 100");
    assert_eq!(found[3], "`coupon_policy.benefit.parameters[3].name` must be one of percent, cap");
    assert!(found[5].contains("must be one of PROPERTY, REGION"), "a benefit is no condition: {}", found[5]);
}

#[test]
fn parameters_must_fit_each_other() {
    let dates = |name| Term::of(name).with("from", day("2026-05-02")).with("until", day("2026-05-02"));
    let conditions = vec![dates("BOOKING_DATES"), dates("STAY_DATES"), Term::of("STAY_DATES")];

    let path = "coupon_policy.conditions";
    assert_eq!(
        wrong(percent(5), conditions),
        [
            format!("`{path}[0].parameters[1].date` must be after `from`"),
            format!("`{path}[1].parameters[1].date` must be after `from`"),
            format!("`{path}[2].parameters` `from` must be given, or `until`"),
        ]
    );
}

#[test]
fn amounts_must_be_in_one_currency() {
    let dollars = |currency_code: &str| Value::Amount { currency_code: currency_code.to_owned(), minor_units: 5 };
    let minimum = |value| Term::of("MINIMUM_AMOUNT").with("amount", value);

    let found = wrong(percent(5).with("cap", won(5)), vec![minimum(dollars("USD")), minimum(dollars("usd"))]);

    let path = "parameters[0].amount.currency_code";
    assert_eq!(
        found,
        [
            format!("`coupon_policy.conditions[0].{path}` must be KRW, as the amounts before it"),
            format!(
                "`coupon_policy.conditions[1].{path}` must be an ISO 4217 code of three capital letters, such as KRW"
            ),
        ]
    );
}

#[test]
fn a_policy_without_a_benefit_or_with_too_many_conditions_is_refused() {
    let sent = pb::CouponPolicy {
        conditions: vec![pb::CouponTerm { kind: "FIRST_BOOKING".to_owned(), parameters: Vec::new() }; 1_000],
        ..Default::default()
    };

    let found = read(&Kinds::standard(), &Wording::from(&sent)).expect_err("both are wrong");

    assert!(found.starts_with("`coupon_policy.benefit.kind` must be one of FIXED_AMOUNT, PERCENT"), "{found}");
    assert!(found.ends_with("; `coupon_policy.conditions` must be at most 10"), "{found}");
}

#[test]
fn a_value_that_was_left_out_is_named() {
    let parameter = pb::CouponParameter { name: "percent".to_owned(), value: None };
    let benefit = pb::CouponTerm { kind: "PERCENT".to_owned(), parameters: vec![parameter] };
    let sent = pb::CouponPolicy { benefit: Some(benefit), ..Default::default() };

    let found = read(&Kinds::standard(), &Wording::from(&sent)).expect_err("it has no value");

    assert_eq!(found, "`coupon_policy.benefit.parameters[0].number` must be given for `percent`, and be 1 to 100");
}

fn every_type() -> Wording {
    let benefit = percent(7).with("cap", won(9_000));
    let conditions = vec![
        Term::of("STAY_DATES").with("from", day("2026-05-02")),
        Term::of("REGION").with("regions", Value::texts(["SEOUL", "JEJU"])),
        Term::of("FIRST_BOOKING"),
    ];
    Wording { benefit, conditions }
}

#[test]
fn what_is_stored_reads_back() {
    let wording = every_type();

    let stored = serde_json::to_string(&wording).expect("plain data");

    assert_eq!(serde_json::from_str::<Wording>(&stored).expect("as stored"), wording);
    let kept = r#"{"benefit":{"kind":"PERCENT","parameters":[{"name":"percent","value":{"number":7}},"#;
    assert!(stored.starts_with(kept), "rows have it so: {stored}");
}

#[test]
fn terms_go_to_the_proto_and_back() {
    let mut wording = every_type();
    wording.benefit = Term::of("FREE_EXTRA").with("extra", text("breakfast"));
    let benefit = Some(pb::CouponTerm::from(&wording.benefit));
    let conditions = wording.conditions.iter().map(pb::CouponTerm::from).collect();

    assert_eq!(Wording::from(&pb::CouponPolicy { benefit, conditions, ..Default::default() }), wording);
}

/// Guards: the space around words, which would be stored unread; the lists, of which no more is copied than is looked at.
#[test]
fn what_is_stored_is_what_is_read() {
    use pb::coupon_parameter::Value as Sent;
    let term = |value| pb::CouponTerm {
        kind: "CATEGORY".to_owned(),
        parameters: vec![pb::CouponParameter { name: "categories".to_owned(), value: Some(value) }; 1_000],
    };
    let words = |count| Sent::Texts(pb::CouponTexts { values: vec!["  tea\n".to_owned(); count] });

    let [word, list] = [Sent::Text(" tea ".to_owned()), words(1_000)].map(|value| Term::from(&term(value)));

    assert_eq!(word.parameters[0].value, Some(text("tea")));
    assert_eq!(list.parameters[0].value, Some(Value::texts(["tea"; Accepts::TEXTS_LIMIT + 1])));
    assert_eq!(list.parameters.len(), Values::LIMIT + 1);
}

#[test]
fn every_kind_is_listed_with_what_it_asks_for() {
    let listed: Vec<_> = Kinds::standard().iter().map(pb::CouponKind::from).collect();

    for (at, kind) in listed.iter().enumerate() {
        let letters = |letter: char| letter.is_ascii_uppercase() || letter == '_';
        assert!(kind.name.chars().all(letters) && kind.description.ends_with('.'), "{kind:?}");
        assert!(listed[..at].iter().all(|other| other.name != kind.name), "{} is there twice", kind.name);
        assert!(kind.parameters.iter().all(|parameter| parameter.description.ends_with('.')), "{kind:?}");
        assert_eq!(kind.role() == pb::coupon_kind::Role::Benefit, at < 7);
    }
    let percent = &listed[1].parameters[0];
    assert_eq!((&*percent.description, percent.required), ("The share, in hundredths. 1 to 100.", true));
}

/// Takes a won off every full so many: a kind that only this test knows.
const TITHE: Kind = Kind {
    name: "TITHE",
    description: "Takes 1 off every full so many.",
    parameters: &[Parameter {
        name: "of",
        accepts: Accepts::Number { least: 2, most: 100 },
        required: true,
        meaning: "How many.",
    }],
    meaning: Meaning::Benefit(|values| Ok(Benefit::on_total(Tithe(values.number("of")?)))),
};

#[derive(Debug)]
struct Tithe(i64);

impl OnTotal for Tithe {
    fn off(&self, left: i64) -> i64 {
        left / self.0
    }

    fn is_steady(&self) -> bool {
        true
    }
}

#[test]
fn a_kind_that_is_registered_works_from_the_request_to_the_discount() {
    let kinds = Kinds::standard().with(TITHE);
    let value = pb::coupon_parameter::Value::Number(10);
    let parameter = pb::CouponParameter { name: "of".to_owned(), value: Some(value) };
    let benefit = pb::CouponTerm { kind: "TITHE".to_owned(), parameters: vec![parameter] };
    let sent = pb::CouponPolicy { benefit: Some(benefit), ..Default::default() };
    let stored = serde_json::to_string(&Wording::from(&sent)).expect("plain data");

    let wording = serde_json::from_str::<Wording>(&stored).expect("as stored");
    let terms = read(&kinds, &wording).expect("a kind that is there");
    let tithe = Coupon { terms: Arc::new(terms), ..coupon(percent(1), &[]) };

    let cart = cart(&[stay(&[55]), seats(&[44])]);
    let found = best(&cart, std::slice::from_ref(&tithe), Limits::default());
    assert_eq!((found.applied.saving(), found.is_proven), (9, true));
    assert_eq!(apply(&cart, &[tithe]), Ok(found.applied));
    assert!(read(&Kinds::standard(), &wording).is_err(), "and nobody else knows it");
    assert!(kinds.iter().map(pb::CouponKind::from).any(|kind| kind.name == "TITHE"));
}

#[test]
fn a_kind_takes_the_place_of_one_with_its_name() {
    let kinds = Kinds::standard().with(Kind { name: "PERCENT", ..TITHE });
    let ten = Term::of("PERCENT").with("of", Value::Number(10));

    assert!(read(&kinds, &Wording { benefit: ten, conditions: Vec::new() }).is_ok());
    assert_eq!(kinds.iter().count(), Kinds::standard().iter().count());
}

#[test]
fn money_of_the_proto_is_kept_as_it_came() {
    let amount = common::Money { currency_code: "krw".to_owned(), minor_units: -1 };
    let value = Some(pb::coupon_parameter::Value::Amount(amount));
    let parameter = pb::CouponParameter { name: "amount".to_owned(), value };
    let benefit = pb::CouponTerm { kind: "FIXED_AMOUNT".to_owned(), parameters: vec![parameter] };
    let sent = pb::CouponPolicy { benefit: Some(benefit), ..Default::default() };

    let found = read(&Kinds::standard(), &Wording::from(&sent)).expect_err("both of its fields are wrong");

    assert_eq!(found.matches("parameters[0].amount.").count(), 2, "{found}");
}
