//! Requests to commands, and room types to answers.

use yeyak_proto::yeyak::stay::v1 as pb;
use yeyak_proto::yeyak::stay::v1::room_type::State;

use super::create::CreateRoomType;
use super::update::UpdateRoomType;
use crate::error::Error;
use crate::kit::idempotency::RequestKey;
use crate::kit::money::Money;
use crate::kit::proto_time;
use crate::kit::violation::Violations;
use crate::stay::convert::{amenities, amenity_numbers, etag, mask, money, photos, proto_photos};
use crate::stay::model::{Occupancy, Rate, RoomChange, RoomDraft, RoomType, SaleState};

/// What an update can name.
const FIELDS: &[&str] =
    &["name", "description", "base_occupancy", "max_occupancy", "extra_guest_fee", "room_count", "amenities", "photos"];

pub(super) fn create(request: &pb::CreateRoomTypeRequest) -> Result<(CreateRoomType, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let Some(room_type) = &request.room_type else {
        violations.add("room_type", "must be given");
        return violations.finish(None);
    };
    let property = violations.id("room_type.property_id", &room_type.property_id);
    let mut draft = RoomDraft::default();
    for field in FIELDS {
        if let Some(change) = change(&mut violations, field, room_type) {
            draft.apply(change);
        }
    }
    if draft.max_occupancy > 0 && draft.max_occupancy < draft.base_occupancy {
        violations.add("room_type.max_occupancy", "must be at least the base occupancy");
    }
    violations.finish(property.map(|property| (CreateRoomType { property, draft }, key)))
}

pub(super) fn update(request: &pb::UpdateRoomTypeRequest) -> Result<(UpdateRoomType, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let fields = mask(&mut violations, request.update_mask.as_ref(), FIELDS);
    let Some(room_type) = &request.room_type else {
        violations.add("room_type", "must be given");
        return violations.finish(None);
    };
    let id = violations.id("room_type.id", &room_type.id);
    let changes = fields.into_iter().filter_map(|field| change(&mut violations, field, room_type)).collect();
    let etag = etag(&room_type.etag);
    violations.finish(id.map(|id| (UpdateRoomType { id, etag, changes }, key)))
}

/// The change that sets one of [`FIELDS`] to what a room type has there.
fn change(violations: &mut Violations, field: &str, room_type: &pb::RoomType) -> Option<RoomChange> {
    let path = &*format!("room_type.{field}");
    let v = violations;
    let guests = |v: &mut Violations, guests| {
        let guests = v.within(path, guests, 1, i32::from(Occupancy::LIMIT))?;
        u16::try_from(guests).ok()
    };
    Some(match field {
        "name" => RoomChange::Name(v.text(path, &room_type.name, 1, 100)?),
        "description" => RoomChange::Description(v.text(path, &room_type.description, 0, 5_000)?),
        "base_occupancy" => RoomChange::BaseOccupancy(guests(v, room_type.base_occupancy)?),
        "max_occupancy" => RoomChange::MaxOccupancy(guests(v, room_type.max_occupancy)?),
        "extra_guest_fee" => RoomChange::ExtraGuestFee(match &room_type.extra_guest_fee {
            Some(fee) => Some(money(v, path, fee, (0, Rate::LIMIT.cast_signed()))?),
            None => None,
        }),
        "room_count" => {
            let rooms = v.within(path, room_type.room_count, 0, 10_000)?;
            RoomChange::RoomCount(u32::try_from(rooms).ok()?)
        }
        "amenities" => RoomChange::Amenities(amenities(v, path, &room_type.amenities)?),
        _ => RoomChange::Photos(photos(v, path, &room_type.photos)?),
    })
}

impl From<RoomType> for pb::RoomType {
    fn from(room_type: RoomType) -> Self {
        let about = room_type.about;
        let state = match room_type.state {
            SaleState::Open => State::Open,
            SaleState::Closed => State::Closed,
        };
        let fee = about.occupancy.extra_guest_fee();
        Self {
            id: room_type.id.to_string(),
            property_id: room_type.property.to_string(),
            name: about.name,
            description: about.description,
            base_occupancy: i32::from(about.occupancy.base()),
            max_occupancy: i32::from(about.occupancy.max()),
            extra_guest_fee: fee.map(|fee| Money::new(room_type.currency, fee.minor()).into()),
            room_count: i32::try_from(about.room_count).unwrap_or(i32::MAX),
            state: state.into(),
            amenities: amenity_numbers(about.amenities),
            photos: proto_photos(&about.photos),
            create_time: Some(proto_time(room_type.create_time)),
            update_time: Some(proto_time(room_type.update_time)),
            etag: room_type.version.to_string(),
        }
    }
}
