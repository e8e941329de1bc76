//! Where the demo's properties are.

use crate::stay::model::Region;

/// A part of a town where people stay.
#[derive(Clone, Copy, Debug)]
pub(super) struct Town {
    pub(super) region: Region,
    pub(super) name: &'static str,
    pub(super) name_en: &'static str,
    /// An address without its number.
    pub(super) street: &'static str,
    /// Degrees to the north and to the east.
    pub(super) center: (f64, f64),
    /// Whether the sea is in sight.
    pub(super) coast: bool,
}

const fn town(
    region: Region,
    (name, name_en): (&'static str, &'static str),
    street: &'static str,
    center: (f64, f64),
    coast: bool,
) -> Town {
    Town { region, name, name_en, street, center, coast }
}

/// The towns of every region, in the order of regions.
pub(super) const TOWNS: &[Town] = &[
    town(Region::Seoul, ("명동", "Myeongdong"), "서울특별시 중구 명동길", (37.5636, 126.9850), false),
    town(Region::Seoul, ("북촌", "Bukchon"), "서울특별시 종로구 북촌로", (37.5826, 126.9836), false),
    town(Region::Seoul, ("홍대", "Hongdae"), "서울특별시 마포구 와우산로", (37.5537, 126.9236), false),
    town(Region::Seoul, ("강남", "Gangnam"), "서울특별시 강남구 테헤란로", (37.5006, 127.0364), false),
    town(Region::Busan, ("해운대", "Haeundae"), "부산광역시 해운대구 해운대해변로", (35.1650, 129.1600), true),
    town(Region::Busan, ("광안리", "Gwangalli"), "부산광역시 수영구 광안해변로", (35.1560, 129.1160), true),
    town(Region::Busan, ("남포동", "Nampo"), "부산광역시 중구 광복로", (35.1010, 129.0290), true),
    town(Region::Busan, ("기장", "Gijang"), "부산광역시 기장군 기장읍 기장해안로", (35.2440, 129.2120), true),
    town(Region::Daegu, ("동성로", "Dongseongno"), "대구광역시 중구 동성로", (35.8690, 128.5950), false),
    town(Region::Daegu, ("수성못", "Suseong Lake"), "대구광역시 수성구 수성못길", (35.8290, 128.6180), false),
    town(Region::Daegu, ("팔공산", "Palgongsan"), "대구광역시 동구 팔공산로", (35.9880, 128.6920), false),
    town(Region::Incheon, ("영종도", "Yeongjong"), "인천광역시 중구 은하수로", (37.4910, 126.5530), true),
    town(Region::Incheon, ("송도", "Songdo"), "인천광역시 연수구 센트럴로", (37.3920, 126.6400), true),
    town(Region::Incheon, ("강화", "Ganghwa"), "인천광역시 강화군 강화읍 강화대로", (37.7460, 126.4800), false),
    town(Region::Gwangju, ("충장로", "Chungjangno"), "광주광역시 동구 충장로", (35.1480, 126.9160), false),
    town(Region::Gwangju, ("상무", "Sangmu"), "광주광역시 서구 상무중앙로", (35.1525, 126.8510), false),
    town(Region::Daejeon, ("유성온천", "Yuseong Hot Springs"), "대전광역시 유성구 온천로", (36.3540, 127.3440), false),
    town(Region::Daejeon, ("은행동", "Eunhaeng"), "대전광역시 중구 대종로", (36.3285, 127.4265), false),
    town(Region::Ulsan, ("삼산", "Samsan"), "울산광역시 남구 삼산로", (35.5390, 129.3380), false),
    town(Region::Ulsan, ("대왕암", "Daewangam"), "울산광역시 동구 등대로", (35.4960, 129.4290), true),
    town(Region::Sejong, ("어진동", "Eojin"), "세종특별자치시 다솜로", (36.5040, 127.2650), false),
    town(Region::Sejong, ("조치원", "Jochiwon"), "세종특별자치시 조치원읍 새내로", (36.6020, 127.2980), false),
    town(Region::Gyeonggi, ("가평", "Gapyeong"), "경기도 가평군 가평읍 북한강변로", (37.8280, 127.5150), false),
    town(Region::Gyeonggi, ("행궁동", "Haenggung"), "경기도 수원시 팔달구 정조로", (37.2820, 127.0140), false),
    town(Region::Gyeonggi, ("헤이리", "Heyri"), "경기도 파주시 탄현면 헤이리마을길", (37.7890, 126.6980), false),
    town(Region::Gyeonggi, ("양평", "Yangpyeong"), "경기도 양평군 양평읍 남한강변길", (37.4917, 127.4875), false),
    town(Region::Gangwon, ("경포", "Gyeongpo"), "강원특별자치도 강릉시 창해로", (37.7950, 128.9020), true),
    town(Region::Gangwon, ("속초", "Sokcho"), "강원특별자치도 속초시 해오름로", (38.2040, 128.5850), true),
    town(
        Region::Gangwon,
        ("대관령", "Daegwallyeong"),
        "강원특별자치도 평창군 대관령면 올림픽로",
        (37.6580, 128.6800),
        false,
    ),
    town(Region::Gangwon, ("양양", "Yangyang"), "강원특별자치도 양양군 강현면 동해대로", (38.1210, 128.6190), true),
    town(Region::Gangwon, ("춘천", "Chuncheon"), "강원특별자치도 춘천시 중앙로", (37.8810, 127.7290), false),
    town(Region::Chungbuk, ("단양", "Danyang"), "충청북도 단양군 단양읍 수변로", (36.9845, 128.3655), false),
    town(Region::Chungbuk, ("청풍", "Cheongpung"), "충청북도 제천시 청풍면 청풍호로", (36.9960, 128.1680), false),
    town(Region::Chungbuk, ("수안보", "Suanbo"), "충청북도 충주시 수안보면 온천천변길", (36.8460, 127.9940), false),
    town(Region::Chungnam, ("안면도", "Anmyeondo"), "충청남도 태안군 안면읍 해안관광로", (36.5250, 126.3450), true),
    town(Region::Chungnam, ("대천", "Daecheon"), "충청남도 보령시 해수욕장로", (36.3150, 126.5180), true),
    town(Region::Chungnam, ("공주", "Gongju"), "충청남도 공주시 관광단지길", (36.4660, 127.1080), false),
    town(
        Region::Jeonbuk,
        ("전주 한옥마을", "Jeonju Hanok Village"),
        "전북특별자치도 전주시 완산구 은행로",
        (35.8150, 127.1530),
        false,
    ),
    town(Region::Jeonbuk, ("군산", "Gunsan"), "전북특별자치도 군산시 구영길", (35.9870, 126.7110), false),
    town(Region::Jeonbuk, ("변산", "Byeonsan"), "전북특별자치도 부안군 변산면 변산해변로", (35.6750, 126.5380), true),
    town(Region::Jeonnam, ("여수 돌산", "Yeosu Dolsan"), "전라남도 여수시 돌산읍 돌산로", (34.7280, 127.7440), true),
    town(Region::Jeonnam, ("순천", "Suncheon"), "전라남도 순천시 중앙로", (34.9500, 127.4870), false),
    town(Region::Jeonnam, ("담양", "Damyang"), "전라남도 담양군 담양읍 죽향대로", (35.3210, 126.9880), false),
    town(Region::Jeonnam, ("목포", "Mokpo"), "전라남도 목포시 해안로", (34.7900, 126.3840), true),
    town(Region::Gyeongbuk, ("황남동", "Hwangnam"), "경상북도 경주시 포석로", (35.8350, 129.2100), false),
    town(
        Region::Gyeongbuk,
        ("안동 하회", "Andong Hahoe"),
        "경상북도 안동시 풍천면 하회종가길",
        (36.5390, 128.5180),
        false,
    ),
    town(Region::Gyeongbuk, ("영일대", "Yeongildae"), "경상북도 포항시 북구 해안로", (36.0610, 129.3740), true),
    town(Region::Gyeongnam, ("통영", "Tongyeong"), "경상남도 통영시 통영해안로", (34.8470, 128.4230), true),
    town(Region::Gyeongnam, ("거제", "Geoje"), "경상남도 거제시 일운면 거제대로", (34.8350, 128.7000), true),
    town(Region::Gyeongnam, ("남해", "Namhae"), "경상남도 남해군 삼동면 독일로", (34.8000, 128.0380), true),
    town(Region::Jeju, ("애월", "Aewol"), "제주특별자치도 제주시 애월읍 애월해안로", (33.4590, 126.3120), true),
    town(Region::Jeju, ("연동", "Yeondong"), "제주특별자치도 제주시 연동 신대로", (33.4860, 126.4930), false),
    town(Region::Jeju, ("구좌", "Gujwa"), "제주특별자치도 제주시 구좌읍 해맞이해안로", (33.5180, 126.8500), true),
    town(Region::Jeju, ("중문", "Jungmun"), "제주특별자치도 서귀포시 중문관광로", (33.2530, 126.4130), true),
    town(Region::Jeju, ("성산", "Seongsan"), "제주특별자치도 서귀포시 성산읍 일출로", (33.4420, 126.9110), true),
];

/// Where people travel most, once every region has had its first.
pub(super) const POPULAR: &[Region] = &[
    Region::Jeju,
    Region::Gangwon,
    Region::Seoul,
    Region::Busan,
    Region::Jeju,
    Region::Gyeonggi,
    Region::Jeonnam,
    Region::Gyeongbuk,
    Region::Gangwon,
    Region::Gyeongnam,
    Region::Chungnam,
    Region::Jeju,
    Region::Seoul,
    Region::Jeonbuk,
    Region::Busan,
    Region::Incheon,
    Region::Chungbuk,
];

/// The towns of a region.
pub(super) fn towns(region: Region) -> impl Iterator<Item = &'static Town> {
    TOWNS.iter().filter(move |town| town.region == region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_has_towns_inside_korea() {
        for region in Region::ALL {
            assert!(towns(region).count() >= 2, "{region:?}");
        }
        for Town { name, center: (north, east), .. } in TOWNS {
            assert!((33.1..38.7).contains(north) && (125.8..131.0).contains(east), "{name}");
        }
    }
}
