//! Where a property is, what it offers, and what guests thought of it.

use std::str::FromStr;

/// A first-level division of Korea.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Region {
    /// Seoul.
    Seoul,
    /// Busan.
    Busan,
    /// Daegu.
    Daegu,
    /// Incheon.
    Incheon,
    /// Gwangju.
    Gwangju,
    /// Daejeon.
    Daejeon,
    /// Ulsan.
    Ulsan,
    /// Sejong.
    Sejong,
    /// Gyeonggi.
    Gyeonggi,
    /// Gangwon.
    Gangwon,
    /// North Chungcheong.
    Chungbuk,
    /// South Chungcheong.
    Chungnam,
    /// North Jeolla.
    Jeonbuk,
    /// South Jeolla.
    Jeonnam,
    /// North Gyeongsang.
    Gyeongbuk,
    /// South Gyeongsang.
    Gyeongnam,
    /// Jeju.
    Jeju,
}

impl Region {
    /// Every region, in the order of the proto.
    pub const ALL: [Self; 17] = [
        Self::Seoul,
        Self::Busan,
        Self::Daegu,
        Self::Incheon,
        Self::Gwangju,
        Self::Daejeon,
        Self::Ulsan,
        Self::Sejong,
        Self::Gyeonggi,
        Self::Gangwon,
        Self::Chungbuk,
        Self::Chungnam,
        Self::Jeonbuk,
        Self::Jeonnam,
        Self::Gyeongbuk,
        Self::Gyeongnam,
        Self::Jeju,
    ];

    /// Its name in tables and logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Seoul => "SEOUL",
            Self::Busan => "BUSAN",
            Self::Daegu => "DAEGU",
            Self::Incheon => "INCHEON",
            Self::Gwangju => "GWANGJU",
            Self::Daejeon => "DAEJEON",
            Self::Ulsan => "ULSAN",
            Self::Sejong => "SEJONG",
            Self::Gyeonggi => "GYEONGGI",
            Self::Gangwon => "GANGWON",
            Self::Chungbuk => "CHUNGBUK",
            Self::Chungnam => "CHUNGNAM",
            Self::Jeonbuk => "JEONBUK",
            Self::Jeonnam => "JEONNAM",
            Self::Gyeongbuk => "GYEONGBUK",
            Self::Gyeongnam => "GYEONGNAM",
            Self::Jeju => "JEJU",
        }
    }
}

/// A code that is not a region's.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("must be one of the 17 first-level divisions of Korea")]
pub struct NotARegion;

impl FromStr for Region {
    type Err = NotARegion;

    fn from_str(code: &str) -> Result<Self, NotARegion> {
        Self::ALL.into_iter().find(|region| region.code() == code).ok_or(NotARegion)
    }
}

/// Something that a property or a room offers: the number that the proto gives it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Amenity(u8);

impl Amenity {
    /// How many there can be.
    pub const COUNT: usize = 63;

    /// The amenity of a number from 1 to 63.
    pub fn of_number(number: i32) -> Option<Self> {
        u8::try_from(number).ok().filter(|number| (1..64).contains(number)).map(Self)
    }

    /// Its number in the proto.
    pub fn number(self) -> i32 {
        i32::from(self.0)
    }
}

/// A set of amenities, of which "all of these" is one comparison.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Amenities(u64);

impl Amenities {
    /// Whether every one of `others` is here.
    pub fn has_all(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }

    /// What is in either.
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The set as one number, as a column has it.
    pub fn bits(self) -> i64 {
        self.0.cast_signed()
    }

    /// The set of a number that [`Self::bits`] gave.
    pub fn of_bits(bits: i64) -> Self {
        Self(bits.cast_unsigned())
    }

    /// Each of them, by number.
    pub fn iter(self) -> impl Iterator<Item = Amenity> {
        (1..64).filter(move |number| self.0 >> number & 1 == 1).map(Amenity)
    }
}

impl FromIterator<Amenity> for Amenities {
    fn from_iter<I: IntoIterator<Item = Amenity>>(amenities: I) -> Self {
        Self(amenities.into_iter().fold(0, |set, amenity| set | 1 << amenity.0))
    }
}

/// A point on the earth, in ten-millionths of a degree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GeoPoint {
    latitude_e7: i32,
    longitude_e7: i32,
}

/// Numbers that are no point on the earth.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotAPoint {
    /// Beyond a pole.
    #[error("must be -900,000,000 to 900,000,000")]
    Latitude,
    /// Beyond half way round.
    #[error("must be -1,800,000,000 to 1,800,000,000")]
    Longitude,
}

impl GeoPoint {
    /// A point by its latitude and longitude.
    pub fn new(latitude_e7: i32, longitude_e7: i32) -> Result<Self, NotAPoint> {
        if !(-900_000_000..=900_000_000).contains(&latitude_e7) {
            return Err(NotAPoint::Latitude);
        }
        if !(-1_800_000_000..=1_800_000_000).contains(&longitude_e7) {
            return Err(NotAPoint::Longitude);
        }
        Ok(Self { latitude_e7, longitude_e7 })
    }

    /// Ten-millionths of a degree to the north.
    pub fn latitude_e7(&self) -> i32 {
        self.latitude_e7
    }

    /// Ten-millionths of a degree to the east.
    pub fn longitude_e7(&self) -> i32 {
        self.longitude_e7
    }

    /// The distance over the ground, on a sphere: within 0.6 % of the truth.
    pub fn meters_to(&self, other: &Self) -> u32 {
        const EARTH_RADIUS: f64 = 6_371_008.8;
        let radians = |e7: i32| (f64::from(e7) / 1e7).to_radians();
        let [north, other_north] = [radians(self.latitude_e7), radians(other.latitude_e7)];
        let half_up = ((other_north - north) / 2.0).sin();
        let half_over = ((radians(other.longitude_e7) - radians(self.longitude_e7)) / 2.0).sin();
        let chord = half_up * half_up + north.cos() * other_north.cos() * half_over * half_over;
        // At most half the earth's girth, some 20,015,115 m; a cast of a float saturates.
        (2.0 * EARTH_RADIUS * chord.min(1.0).sqrt().asin()).round() as u32
    }
}

/// Where a picture is, and its size in pixels.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Photo {
    /// Its address.
    pub url: String,
    /// What it shows.
    pub caption: String,
    /// In pixels.
    pub width: u16,
    /// In pixels.
    pub height: u16,
}

/// What guests thought of a property.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rating {
    /// The mean in hundredths of a star; 0 without reviews.
    pub average_hundredths: u16,
    /// How many reviews there are.
    pub review_count: u32,
}

impl Rating {
    /// The mean as if ten guests more had given four stars, so that one review of five stars does not lead a list.
    pub fn weighted(&self) -> u16 {
        let (mean, count) = (u64::from(self.average_hundredths), u64::from(self.review_count));
        let weighted = (mean * count + 400 * 10) / (count + 10);
        u16::try_from(weighted).expect("a mean of 16-bit numbers")
    }
}

#[cfg(test)]
mod tests {
    use yeyak_proto::yeyak::stay::v1 as pb;

    use super::*;

    #[test]
    fn regions_stand_in_the_order_of_the_proto() {
        for (number, region) in (1..).zip(Region::ALL) {
            let wire = pb::Region::try_from(number).expect("a region");
            assert_eq!(wire.as_str_name(), format!("REGION_{}", region.code()));
            assert_eq!(region.code().parse(), Ok(region));
        }
        assert!(pb::Region::try_from(18).is_err(), "the proto has no more");
        assert_eq!("seoul".parse::<Region>(), Err(NotARegion));
    }

    #[test]
    fn a_set_of_amenities_answers_all_of_these() {
        let set =
            |numbers: &[i32]| numbers.iter().filter_map(|number| Amenity::of_number(*number)).collect::<Amenities>();

        assert!(set(&[1, 4, 36]).has_all(set(&[4, 36])));
        assert!(!set(&[1, 4]).has_all(set(&[4, 36])));
        assert!(set(&[]).has_all(set(&[])));
        assert!(set(&[1]).union(set(&[36])).has_all(set(&[1, 36])));
        assert_eq!(set(&[36, 1]).iter().map(Amenity::number).collect::<Vec<_>>(), [1, 36]);
        assert_eq!([0, 64, -1].map(Amenity::of_number), [None; 3]);
    }

    #[test]
    fn seoul_to_busan_is_325_kilometres() {
        let seoul = GeoPoint::new(375_665_000, 1_269_780_000).expect("a point");
        let busan = GeoPoint::new(351_796_000, 1_290_756_000).expect("a point");

        assert!((324_000..327_000).contains(&seoul.meters_to(&busan)), "{}", seoul.meters_to(&busan));
        assert_eq!(seoul.meters_to(&busan), busan.meters_to(&seoul));
        assert_eq!(seoul.meters_to(&seoul), 0);
        let [east, west] =
            [1_800_000_000, -1_800_000_000].map(|longitude| GeoPoint::new(0, longitude).expect("a point"));
        assert_eq!(east.meters_to(&west), 0, "the date line is one line");
        assert_eq!(GeoPoint::new(900_000_001, 0), Err(NotAPoint::Latitude));
        assert_eq!(GeoPoint::new(0, i32::MIN), Err(NotAPoint::Longitude));
    }

    #[test]
    fn one_perfect_review_does_not_lead() {
        let rating = |average_hundredths, review_count| Rating { average_hundredths, review_count };
        assert!(rating(470, 300).weighted() > rating(500, 1).weighted());
        assert!(rating(200, 300).weighted() < rating(0, 0).weighted());
    }
}
