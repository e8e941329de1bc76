//! A property of the demo.

use std::collections::HashSet;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::place::{POPULAR, Town, towns};
use crate::kit::caller::Seller;
use crate::kit::money::Currency;
use crate::serve::Platform;
use crate::stay::model::{
    About, Amenities, Amenity, GeoPoint, Photo, Property, PropertyId, PropertyState, Rating, Region,
};
use yeyak_proto::yeyak::stay::v1::Amenity as A;

/// What sort of house it is, which decides its rooms, prices and amenities.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Hotel,
    Resort,
    Pension,
    Guesthouse,
    Hanok,
    PoolVilla,
    Homestay,
    Stay,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Hotel,
        Self::Resort,
        Self::Pension,
        Self::Guesthouse,
        Self::Hanok,
        Self::PoolVilla,
        Self::Homestay,
        Self::Stay,
    ];

    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Hotel => ("호텔", "Hotel"),
            Self::Resort => ("리조트", "Resort"),
            Self::Pension => ("펜션", "Pension"),
            Self::Guesthouse => ("게스트하우스", "Guesthouse"),
            Self::Hanok => ("한옥", "Hanok"),
            Self::PoolVilla => ("풀빌라", "Pool Villa"),
            Self::Homestay => ("민박", "Homestay"),
            Self::Stay => ("스테이", "Stay"),
        }
    }

    /// The price of its smallest room on a plain night, in won.
    pub(super) const fn price(self) -> i64 {
        match self {
            Self::Hotel => 120_000,
            Self::Resort => 210_000,
            Self::Pension => 130_000,
            Self::Guesthouse => 48_000,
            Self::Hanok => 150_000,
            Self::PoolVilla => 320_000,
            Self::Homestay => 62_000,
            Self::Stay => 96_000,
        }
    }

    /// How many rooms of one type it has at most.
    pub(super) const fn rooms(self) -> u32 {
        match self {
            Self::Hotel => 40,
            Self::Resort => 60,
            Self::Guesthouse => 8,
            Self::Pension | Self::Stay => 5,
            Self::Hanok | Self::PoolVilla | Self::Homestay => 3,
        }
    }

    const fn amenities(self) -> &'static [A] {
        match self {
            Self::Hotel => &[A::FrontDesk24h, A::Elevator, A::Fitness, A::Restaurant, A::Bar, A::LuggageStorage],
            Self::Resort => {
                &[A::Pool, A::Sauna, A::Restaurant, A::Fitness, A::Playground, A::FrontDesk24h, A::Elevator]
            }
            Self::Pension => &[A::Barbecue, A::Garden, A::Kitchen],
            Self::Guesthouse => &[A::Kitchen, A::Washer, A::LuggageStorage],
            Self::Hanok => &[A::Ondol, A::Garden],
            Self::PoolVilla => &[A::Pool, A::Barbecue, A::Kitchen, A::Garden],
            Self::Homestay => &[A::Ondol, A::Kitchen, A::Washer],
            Self::Stay => &[A::Kitchen, A::Desk, A::Streaming],
        }
    }
}

const WORDS: [(&str, &str); 16] = [
    ("바다", "Sea"),
    ("파도", "Wave"),
    ("달빛", "Moonlight"),
    ("솔향", "Pine"),
    ("하늘", "Sky"),
    ("노을", "Sunset"),
    ("돌담", "Stonewall"),
    ("별빛", "Starlight"),
    ("구름", "Cloud"),
    ("단풍", "Maple"),
    ("봄날", "Spring Day"),
    ("햇살", "Sunshine"),
    ("느티나무", "Zelkova"),
    ("들꽃", "Wildflower"),
    ("고요", "Stillness"),
    ("마루", "Maru"),
];
/// So many of [`WORDS`] speak of the sea.
const OF_THE_SEA: usize = 2;

const EXTRAS: [A; 12] = [
    A::EvCharger,
    A::Shuttle,
    A::PetsAllowed,
    A::WheelchairAccess,
    A::Crib,
    A::HotSpring,
    A::Balcony,
    A::Bathtub,
    A::Microwave,
    A::LuggageStorage,
    A::Garden,
    A::Streaming,
];

const RULES: [&str; 6] = [
    "객실 내에서는 금연입니다.",
    "밤 11시 이후에는 조용히 해 주세요.",
    "반려동물은 미리 알려 주세요.",
    "미성년자는 보호자와 함께 숙박할 수 있습니다.",
    "바비큐는 밤 9시까지 이용할 수 있습니다.",
    "예약한 인원보다 많은 인원은 입실할 수 없습니다.",
];

/// Names that are taken.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

/// What a property is, before its rows.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) kind: Kind,
    pub(super) town: &'static Town,
    name: String,
    name_en: String,
    slug: String,
}

/// The site of the nth property: first one in each region, then where people travel.
pub(super) fn site(rng: &mut StdRng, names: &mut Names, number: u64) -> Site {
    let at = usize::try_from(number).unwrap_or(0);
    let region = Region::ALL.get(at).copied().unwrap_or_else(|| POPULAR[at % POPULAR.len()]);
    let all: Vec<_> = towns(region).collect();
    let town: &'static Town = all.choose(rng).expect("every region has towns");
    let kind = *Kind::ALL.choose(rng).expect("there are eight");
    let words = if town.coast { &WORDS[..] } else { &WORDS[OF_THE_SEA..] };
    let (kind_name, kind_en) = kind.names();
    let mut branch = 1;
    loop {
        let (word, word_en) = words.choose(rng).expect("there are many");
        // When most names of a town are taken, houses become branches of others.
        let (ko, en) = match branch {
            ..20 => (String::new(), String::new()),
            _ => (format!(" {}호점", branch - 18), format!(" {}", branch - 18)),
        };
        branch += 1;
        let name = format!("{} {word} {kind_name}{ko}", town.name);
        if names.0.insert(name.clone()) {
            let name_en = format!("{} {word_en} {kind_en}{en}", town.name_en);
            let slug = name_en.to_lowercase().replace(' ', "-");
            return Site { kind, town, name, name_en, slug };
        }
    }
}

/// The property of a site, listed.
pub(super) fn property(platform: &Platform, seller: &Seller, rng: &mut StdRng, site: &Site) -> Property {
    let now = platform.kit.clock.now();
    let reviews = rng.random_range(0..900_u32);
    Property {
        id: PropertyId::new(&platform.kit.ids, now),
        seller: seller.id,
        about: about(rng, site),
        currency: Currency::KRW,
        state: PropertyState::Listed,
        rating: Rating {
            average_hundredths: if reviews == 0 { 0 } else { rng.random_range(360..496) },
            review_count: reviews,
        },
        version: 1,
        revision: 1,
        open_time: Some(now),
        create_time: now,
        update_time: now,
    }
}

fn about(rng: &mut StdRng, site: &Site) -> About {
    let Site { kind, town, name, name_en, .. } = site;
    let (ko, en) = kind.names();
    let view = if town.coast { "창밖으로 바다가 보이고" } else { "조용한 골목에 자리해" };
    About {
        name: name.clone(),
        name_en: name_en.clone(),
        region: town.region,
        address: format!("{} {}", town.street, rng.random_range(1..=180)),
        location: GeoPoint::new(near(rng, town.center.0), near(rng, town.center.1)).ok(),
        description: format!(
            "{}에 있는 {ko}입니다. {view} 편히 쉬어 갈 수 있습니다.\nA {} in {}, for a quiet stay.",
            town.name,
            en.to_lowercase(),
            town.name_en
        ),
        amenities: amenities(rng, site),
        house_rules: RULES.choose_multiple(rng, 3).map(|rule| (*rule).to_owned()).collect(),
        photos: photos(&site.slug, &["외관", "로비", "전망"]),
        needs_approval: rng.random_ratio(1, 10),
        ..About::default()
    }
}

/// Ten-millionths of a degree, within a kilometer or so.
fn near(rng: &mut StdRng, degrees: f64) -> i32 {
    let moved = degrees + rng.random_range(-0.008..0.008);
    // Degrees of Korea: far from the ends of the range.
    (moved * 1e7).round() as i32
}

fn amenities(rng: &mut StdRng, site: &Site) -> Amenities {
    let everyone = [A::Wifi, A::Parking, A::AirConditioning, A::Heating, A::NonSmoking];
    let extras = EXTRAS.iter().filter(|_| rng.random_ratio(1, 5)).copied().collect::<Vec<_>>();
    let all = everyone.into_iter().chain(site.kind.amenities().iter().copied()).chain(extras);
    set(all)
}

/// A set of amenities by their names.
pub(super) fn set(amenities: impl IntoIterator<Item = A>) -> Amenities {
    amenities.into_iter().filter_map(|amenity| Amenity::of_number(amenity.into())).collect()
}

/// Where pictures would be, and what they show.
pub(super) fn photos(slug: &str, captions: &[&str]) -> Vec<Photo> {
    let photo = |(number, caption): (u32, &&str)| Photo {
        url: format!("https://images.demo.yeyak.dev/{slug}/{number}.jpg"),
        caption: (**caption).to_owned(),
        width: 1_600,
        height: 1_067,
    };
    (1..).zip(captions).map(photo).collect()
}

impl Site {
    /// The pictures of one of its rooms.
    pub(super) fn room_photos(&self, room: usize) -> Vec<Photo> {
        photos(&format!("{}/room-{}", self.slug, room + 1), &["객실", "욕실"])
    }
}
