//! A catalogue to look at: believable properties all over Korea, with a year of nights, the same for the same seed.
//!
//! It belongs to one seller, `seller@demo.yeyak.dev`. Loading it again loads what is missing: nothing when all is there.

mod nights;
mod place;
mod property;
mod room;

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::error::Error;
use crate::kit::caller::Seller;
use crate::kit::date::local_date;
use crate::serve::Platform;
use crate::stay::NewProperty;

/// Who sells the catalogue.
pub const SELLER: &str = "seller@demo.yeyak.dev";

/// How much to load.
#[derive(Clone, Copy, Debug)]
pub struct DemoSize {
    /// How many properties, each with about three room types.
    pub properties: usize,
    /// How many nights from today on.
    pub days: u16,
    /// What the same catalogue comes from.
    pub seed: u64,
}

impl Default for DemoSize {
    fn default() -> Self {
        Self { properties: 300, days: 365, seed: 2026 }
    }
}

/// What was loaded.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// How many properties were put in now.
    pub added: usize,
    /// How many there were before.
    pub known: usize,
    /// How many room types were put in now.
    pub room_types: usize,
    /// The password of [`SELLER`], when the account was made now.
    pub password: Option<String>,
}

/// Loads what is missing of the catalogue; `progress` hears how many more properties are in.
pub async fn load(platform: &Platform, size: DemoSize, progress: impl FnMut(usize)) -> Result<Loaded, Error> {
    let (seller, password) = seller(platform).await?;
    let known = platform.stays.property_count(seller.id).await?;
    let known = usize::try_from(known).unwrap_or(usize::MAX);
    let all = catalogue(platform, &seller, size)?;
    let missing = all.get(known..).unwrap_or_default();
    let today = local_date(chrono_tz::Asia::Seoul, platform.kit.clock.now());
    platform.stays.put_in(&seller, missing, today, progress).await?;
    let room_types = missing.iter().map(|new| new.rooms.len()).sum();
    Ok(Loaded { added: missing.len(), known, room_types, password })
}

/// The demo seller, made when there is none.
async fn seller(platform: &Platform) -> Result<(Seller, Option<String>), Error> {
    if let Some(id) = platform.members.id_of(SELLER).await? {
        return Ok((Seller { id }, None));
    }
    let mut chance = [0; 10];
    platform.kit.ids.fill(&mut chance);
    let password: String = chance.iter().map(|byte| format!("{byte:02x}")).collect();
    let profile = platform.members.create_seller(SELLER, &password, "예약 데모").await?;
    Ok((Seller { id: profile.id }, Some(password)))
}

/// The whole catalogue. Each property has a generator of its own, so that a larger one begins with a smaller.
fn catalogue(platform: &Platform, seller: &Seller, size: DemoSize) -> Result<Vec<NewProperty>, Error> {
    let mut names = property::Names::default();
    let numbers = 0..u64::try_from(size.properties).unwrap_or(u64::MAX);
    let properties = numbers.map(|number| {
        let mut rng = StdRng::seed_from_u64(size.seed.wrapping_mul(1_000_003).wrapping_add(number));
        let site = property::site(&mut rng, &mut names, number);
        let property = property::property(platform, seller, &mut rng, &site);
        let rooms = room::rooms(platform, &mut rng, &site, &property, size.days)?;
        Ok(NewProperty { property, rooms })
    });
    properties.collect()
}
