//! Chance that can be had again: a test prints its seed, and takes it from `TEST_SEED`.

use yeyak_server::serve::World;

pub(crate) struct Dice(u64);

impl Dice {
    /// Seeded by the environment, or else by the clock.
    pub(crate) fn of(test: &str) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a seed is for the test, not for the platform")]
        let given = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| u64::from(World::default().clock.now().timestamp_subsec_nanos()));
        println!("{test}: TEST_SEED={seed}");
        Self(seed)
    }

    /// Dice of one's own, from the next throw.
    pub(crate) fn split(&mut self) -> Self {
        Self(self.next())
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// One of some.
    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let at = self.below(u64::try_from(all.len().max(1)).expect("few"));
        all.get(usize::try_from(at).expect("few"))
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// How often a test of chance is repeated: once, or as `TEST_ROUNDS` says.
pub(crate) fn rounds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "how often a test runs is no option of the server")]
    let rounds = std::env::var("TEST_ROUNDS");
    rounds.map_or(1, |rounds| rounds.parse().expect("TEST_ROUNDS is a number"))
}
