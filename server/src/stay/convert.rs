//! What the requests of several services have in common, read with every violation noted; and the same, answered.

use chrono::{NaiveTime, Timelike};
use yeyak_proto::yeyak::common::v1 as common;
use yeyak_proto::yeyak::stay::v1 as pb;

use super::model::{Amenities, Amenity, GeoPoint, NotAPoint, NotWanted, Photo, Rating, RefundTier, Region, Wanted};
use crate::kit::date::{Date, Nights};
pub(super) use crate::kit::request::{choice, distinct, etag, keyed_id, mask, money};
use crate::kit::violation::Violations;

/// A region that must be given.
pub(super) fn region(violations: &mut Violations, field: &str, number: i32) -> Option<Region> {
    let at = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    let region = at.and_then(|at| Region::ALL.get(at)).copied();
    violations.require(field, region.is_some(), "must be one of the 17 regions");
    region
}

pub(super) fn region_number(region: Region) -> i32 {
    region as i32 + 1
}

/// Amenities, each at most once.
pub(super) fn amenities(violations: &mut Violations, field: &str, numbers: &[i32]) -> Option<Amenities> {
    let known = |number| pb::Amenity::try_from(number).ok().and_then(|_| Amenity::of_number(number));
    let all = distinct(violations, field, numbers, ("a known amenity", Amenity::COUNT), known)?;
    Some(all.into_iter().collect())
}

pub(super) fn amenity_numbers(amenities: Amenities) -> Vec<i32> {
    amenities.iter().map(Amenity::number).collect()
}

/// Pictures in their order.
pub(super) fn photos(violations: &mut Violations, field: &str, photos: &[pb::Photo]) -> Option<Vec<Photo>> {
    violations.require(field, photos.len() <= 100, "must be at most 100 photos");
    // What is behind the limit is noted once, not photo by photo.
    let read = photos.iter().take(100).enumerate();
    let read: Vec<_> = read.map(|(at, sent)| photo(violations, &format!("{field}[{at}]"), sent)).collect();
    read.into_iter().collect()
}

fn photo(violations: &mut Violations, field: &str, photo: &pb::Photo) -> Option<Photo> {
    let url = &photo.url;
    let fits = url.starts_with("https://")
        && (9..=2048).contains(&url.len())
        && url.chars().all(|letter| letter.is_ascii_graphic());
    violations.require(format!("{field}.url"), fits, "must be an https address of at most 2,048 characters");
    let caption = violations.text(format!("{field}.caption"), &photo.caption, 0, 200);
    let mut pixels = |name, number| {
        let number = violations.within(format!("{field}.{name}"), number, 1, 20_000)?;
        u16::try_from(number).ok()
    };
    let (width, height) = (pixels("width", photo.width), pixels("height", photo.height));
    Some(Photo { url: url.clone(), caption: caption?, width: width?, height: height? })
}

pub(super) fn proto_photos(photos: &[Photo]) -> Vec<pb::Photo> {
    (0..).zip(photos).map(|(position, photo)| proto_photo(position, photo)).collect()
}

pub(super) fn proto_photo(position: i32, photo: &Photo) -> pb::Photo {
    let Photo { url, caption, width, height } = photo.clone();
    pb::Photo { url, caption, width: i32::from(width), height: i32::from(height), position }
}

/// A point on the earth.
pub(super) fn point(violations: &mut Violations, field: &str, point: &pb::GeoPoint) -> Option<GeoPoint> {
    let read = GeoPoint::new(point.latitude_e7, point.longitude_e7);
    let field = match read {
        Err(NotAPoint::Longitude) => format!("{field}.longitude_e7"),
        _ => format!("{field}.latitude_e7"),
    };
    violations.take(field, read)
}

pub(super) fn proto_point(point: GeoPoint) -> pb::GeoPoint {
    pb::GeoPoint { latitude_e7: point.latitude_e7(), longitude_e7: point.longitude_e7() }
}

pub(super) fn proto_tier(tier: &RefundTier) -> pb::RefundTier {
    pb::RefundTier { days_before_check_in: i32::from(tier.days_before), percent: i32::from(tier.percent) }
}

/// A time on the wall clock.
pub(super) fn time_of_day(violations: &mut Violations, field: &str, time: &pb::TimeOfDay) -> Option<NaiveTime> {
    let hours = violations.within(format!("{field}.hours"), time.hours, 0, 23);
    let minutes = violations.within(format!("{field}.minutes"), time.minutes, 0, 59);
    let (hours, minutes) = (u32::try_from(hours?).ok()?, u32::try_from(minutes?).ok()?);
    NaiveTime::from_hms_opt(hours, minutes, 0)
}

pub(super) fn proto_time_of_day(time: NaiveTime) -> pb::TimeOfDay {
    let number = |part: u32| i32::try_from(part).expect("at most 59");
    pb::TimeOfDay { hours: number(time.hour()), minutes: number(time.minute()) }
}

/// The nights of a stay.
pub(super) fn nights(
    violations: &mut Violations,
    check_in: (&str, Option<&common::Date>),
    check_out: (&str, Option<&common::Date>),
) -> Option<Nights> {
    let first = violations.date(check_in.0, check_in.1);
    let last = violations.date(check_out.0, check_out.1);
    let (first, last): (Date, Date) = first.zip(last)?;
    violations.take(check_out.0, Nights::between(first, last))
}

/// The stay that someone asks for.
pub(super) fn wanted(
    violations: &mut Violations,
    nights: Option<Nights>,
    guests: Option<&pb::Guests>,
    room_count: i32,
) -> Option<Wanted> {
    let Some(guests) = guests else {
        violations.add("guests", "must be given");
        return None;
    };
    let number = |number: i32| u16::try_from(number).unwrap_or(u16::MAX);
    let rooms = if room_count == 0 { 1 } else { number(room_count) };
    let read = super::model::Guests::new(number(guests.adult_count), number(guests.child_count));
    let field = |refused: NotWanted| match refused {
        NotWanted::Adults => "guests.adult_count",
        NotWanted::Children => "guests.child_count",
        NotWanted::Rooms | NotWanted::RoomWithoutAdult => "room_count",
    };
    let guests = read.map_err(|refused| violations.add(field(refused), refused.to_string())).ok();
    let most = Wanted::ROOMS;
    violations.require("room_count", (0..=i32::from(most)).contains(&room_count), format!("must be 1 to {most} rooms"));
    let (nights, guests) = nights.zip(guests)?;
    match Wanted::new(nights, guests, rooms) {
        Ok(wanted) => Some(wanted),
        Err(NotWanted::Rooms) => None,
        Err(refused) => {
            violations.add(field(refused), refused.to_string());
            None
        }
    }
}

impl From<Rating> for pb::Rating {
    fn from(rating: Rating) -> Self {
        Self {
            average_hundredths: i32::from(rating.average_hundredths),
            review_count: i32::try_from(rating.review_count).unwrap_or(i32::MAX),
        }
    }
}
