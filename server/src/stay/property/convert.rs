//! Requests to commands, and properties to answers.

use yeyak_proto::yeyak::stay::v1 as pb;
use yeyak_proto::yeyak::stay::v1::property::{ConfirmationMode, LatePaymentPolicy, State};

use super::create::CreateProperty;
use super::update::UpdateProperty;
use crate::error::Error;
use crate::kit::date::Tz;
use crate::kit::idempotency::RequestKey;
use crate::kit::money::Currency;
use crate::kit::proto_time;
use crate::kit::violation::Violations;
use crate::stay::LatePayment;
use crate::stay::convert::{
    amenities, amenity_numbers, choice, etag, mask, photos, point, proto_photos, proto_point, proto_time_of_day,
    region, region_number, time_of_day,
};
use crate::stay::model::{About, Property, PropertyChange, PropertyState};

/// What properties sell in: what Toss Payments settles in.
const CURRENCIES: [&str; 3] = ["KRW", "JPY", "USD"];

/// What an update can name.
const FIELDS: &[&str] = &[
    "name",
    "name_en",
    "region",
    "address",
    "location",
    "description",
    "time_zone",
    "check_in_time",
    "check_out_time",
    "amenities",
    "house_rules",
    "photos",
    "late_payment_policy",
    "confirmation_mode",
];

pub(super) fn create(request: &pb::CreatePropertyRequest) -> Result<(CreateProperty, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let Some(property) = &request.property else {
        violations.add("property", "must be given");
        return violations.finish(None);
    };
    let mut about = About::default();
    for field in FIELDS {
        if let Some(change) = change(&mut violations, field, property) {
            about.apply(change);
        }
    }
    let code = if property.currency_code.is_empty() { "KRW" } else { &property.currency_code };
    let currency = violations.take("property.currency_code", code.parse::<Currency>());
    let sold_in = currency.is_none_or(|currency| CURRENCIES.contains(&currency.code()));
    violations.require("property.currency_code", sold_in, format!("must be one of {}", CURRENCIES.join(", ")));
    violations.finish(currency.map(|currency| (CreateProperty { about, currency }, key)))
}

pub(super) fn update(request: &pb::UpdatePropertyRequest) -> Result<(UpdateProperty, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let fields = mask(&mut violations, request.update_mask.as_ref(), FIELDS);
    let Some(property) = &request.property else {
        violations.add("property", "must be given");
        return violations.finish(None);
    };
    let id = violations.id("property.id", &property.id);
    let changes = fields.into_iter().filter_map(|field| change(&mut violations, field, property)).collect();
    let etag = etag(&property.etag);
    violations.finish(id.map(|id| (UpdateProperty { id, etag, changes }, key)))
}

/// The change that sets one of [`FIELDS`] to what a property has there.
fn change(violations: &mut Violations, field: &str, property: &pb::Property) -> Option<PropertyChange> {
    let path = &*format!("property.{field}");
    let v = violations;
    Some(match field {
        "name" => PropertyChange::Name(v.text(path, &property.name, 1, 100)?),
        "name_en" => PropertyChange::NameEn(v.text(path, &property.name_en, 0, 100)?),
        "region" => PropertyChange::Region(region(v, path, property.region)?),
        "address" => PropertyChange::Address(v.text(path, &property.address, 1, 200)?),
        "location" => PropertyChange::Location(match &property.location {
            Some(location) => Some(point(v, path, location)?),
            None => None,
        }),
        "description" => PropertyChange::Description(v.text(path, &property.description, 0, 10_000)?),
        "time_zone" => PropertyChange::Zone(zone(v, path, &property.time_zone)?),
        "check_in_time" => PropertyChange::CheckIn(match &property.check_in_time {
            Some(time) => time_of_day(v, path, time)?,
            None => About::default().check_in,
        }),
        "check_out_time" => PropertyChange::CheckOut(match &property.check_out_time {
            Some(time) => time_of_day(v, path, time)?,
            None => About::default().check_out,
        }),
        "amenities" => PropertyChange::Amenities(amenities(v, path, &property.amenities)?),
        "house_rules" => PropertyChange::HouseRules(rules(v, path, &property.house_rules)?),
        "photos" => PropertyChange::Photos(photos(v, path, &property.photos)?),
        "late_payment_policy" => {
            PropertyChange::LatePayment(choice(v, path, property.late_payment_policy, |policy| {
                Some(match policy {
                    LatePaymentPolicy::Unspecified | LatePaymentPolicy::AcceptIfAvailable => {
                        LatePayment::AcceptIfAvailable
                    }
                    LatePaymentPolicy::Refund => LatePayment::Refund,
                    LatePaymentPolicy::Manual => LatePayment::Manual,
                })
            })?)
        }
        _ => PropertyChange::NeedsApproval(choice(v, path, property.confirmation_mode, |mode: ConfirmationMode| {
            Some(mode == ConfirmationMode::Request)
        })?),
    })
}

fn zone(violations: &mut Violations, path: &str, text: &str) -> Option<Tz> {
    let zone = if text.is_empty() { Some(Tz::Asia__Seoul) } else { text.parse().ok() };
    violations.require(path, zone.is_some(), "must be an IANA time zone, such as Asia/Seoul");
    zone
}

fn rules(violations: &mut Violations, path: &str, rules: &[String]) -> Option<Vec<String>> {
    violations.require(path, rules.len() <= 50, "must be at most 50 rules");
    let read = rules.iter().take(50).enumerate();
    let read: Vec<_> = read.map(|(at, rule)| violations.text(format!("{path}[{at}]"), rule, 1, 200)).collect();
    read.into_iter().collect()
}

/// The state that a list is limited to.
pub(super) fn state(request: &pb::ListPropertiesRequest) -> Result<Option<PropertyState>, Error> {
    let mut violations = Violations::new();
    let state = choice(&mut violations, "state", request.state, |state| {
        Some(match state {
            State::Unspecified => None,
            State::Draft => Some(PropertyState::Draft),
            State::Listed => Some(PropertyState::Listed),
            State::Closed => Some(PropertyState::Closed),
        })
    });
    violations.finish(state)
}

impl From<Property> for pb::Property {
    fn from(property: Property) -> Self {
        let about = property.about;
        let state = match property.state {
            PropertyState::Draft => State::Draft,
            PropertyState::Listed => State::Listed,
            PropertyState::Closed => State::Closed,
        };
        let policy = match about.late_payment {
            LatePayment::AcceptIfAvailable => LatePaymentPolicy::AcceptIfAvailable,
            LatePayment::Refund => LatePaymentPolicy::Refund,
            LatePayment::Manual => LatePaymentPolicy::Manual,
        };
        let mode = if about.needs_approval { ConfirmationMode::Request } else { ConfirmationMode::Instant };
        Self {
            id: property.id.to_string(),
            seller_id: property.seller.to_string(),
            name: about.name,
            name_en: about.name_en,
            region: region_number(about.region),
            address: about.address,
            location: about.location.map(proto_point),
            description: about.description,
            state: state.into(),
            time_zone: about.zone.name().to_owned(),
            check_in_time: Some(proto_time_of_day(about.check_in)),
            check_out_time: Some(proto_time_of_day(about.check_out)),
            amenities: amenity_numbers(about.amenities),
            etag: property.version.to_string(),
            house_rules: about.house_rules,
            photos: proto_photos(&about.photos),
            currency_code: property.currency.to_string(),
            late_payment_policy: policy.into(),
            confirmation_mode: mode.into(),
            rating: Some(property.rating.into()),
            create_time: Some(proto_time(property.create_time)),
            update_time: Some(proto_time(property.update_time)),
        }
    }
}
