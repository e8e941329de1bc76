//! Codes as people see them: 15 letters and digits, which say which code of which batch it is, that it is one of ours, and
//! whether it was mistyped.
//!
//! 14 characters carry 70 bits: the number of the batch and of the code, masked, and a MAC over both. The mask is made of the
//! MAC, so that neighbours have nothing in common, and nobody can ask for a code of a batch that they know of: a guess is good
//! with a chance of one in two thousand million, when every code of every batch is there to be guessed. The last character is
//! a check over the others.

use crate::kit::keyring::{Keyring, Purpose};

const BATCH: u32 = 22;
const NUMBER: u32 = 17;
const MAC: u32 = 31;
const CHARACTERS: usize = 15;
const GROUP: usize = 5;
/// Crockford's: none of them is taken for another.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Which code of which batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Code {
    pub(super) batch: u32,
    pub(super) number: u32,
}

/// How many batches there can be.
pub(super) const MOST_BATCHES: u32 = (1 << BATCH) - 1;
/// How many codes a batch can have.
pub(super) const MOST_CODES: u32 = 100_000;

const _: () = assert!(MOST_CODES <= 1 << NUMBER && BATCH + NUMBER + MAC == 70);

impl Code {
    fn packed(self) -> u64 {
        u64::from(self.batch) << NUMBER | u64::from(self.number)
    }

    fn of(packed: u64) -> Option<Self> {
        let batch = u32::try_from(packed >> NUMBER).ok()?;
        let number = u32::try_from(packed & low(NUMBER)).ok()?;
        Some(Self { batch, number })
    }

    /// The code as it is printed: `7K3QM-ZT9WD-04XHE`.
    pub(super) fn text(self, keys: &Keyring) -> String {
        let mac = mac(keys, self.packed());
        let content = u128::from(self.packed() ^ mask(keys, mac)) << MAC | u128::from(mac);
        let mut letters: Vec<u8> = (1..CHARACTERS).map(|at| digit(content >> (5 * (CHARACTERS - 1 - at)))).collect();
        letters.push(check(&letters));
        let groups = letters.chunks(GROUP).map(|group| group.iter().map(|digit| letter(*digit)).collect());
        groups.collect::<Vec<String>>().join("-")
    }

    /// The code that somebody typed, if it is one of ours. Takes the same time whatever of the MAC differs.
    pub(super) fn read(keys: &Keyring, typed: &str) -> Option<Self> {
        let mut digits = [0; CHARACTERS];
        let mut count = 0;
        for letter in typed.chars().filter(|letter| !letter.is_whitespace() && *letter != '-') {
            *digits.get_mut(count)? = value(letter)?;
            count += 1;
        }
        let (last, content) = digits.split_last()?;
        if count != CHARACTERS || check(content) != *last {
            return None;
        }
        let content = content.iter().fold(0, |all, digit| all << 5 | u128::from(*digit));
        let told = u32::try_from(content & u128::from(low(MAC))).ok()?;
        let packed = u64::try_from(content >> MAC).ok()? ^ mask(keys, told);
        // One comparison of whole numbers, which doesn't depend on where they differ.
        (mac(keys, packed) ^ told == 0).then(|| Self::of(packed)).flatten()
    }
}

const fn low(bits: u32) -> u64 {
    (1 << bits) - 1
}

/// By the oldest key, so that what was printed before a rotation stays good, and is printed the same again.
fn keyed(keys: &Keyring, kind: &[u8], number: u64, bits: u32) -> u64 {
    let tag = keys.index(Purpose::CouponCode, &[kind, &number.to_be_bytes()].concat());
    let (head, _) = tag.split_first_chunk().expect("a tag has 32 bytes");
    u64::from_be_bytes(*head) & low(bits)
}

fn mac(keys: &Keyring, packed: u64) -> u32 {
    u32::try_from(keyed(keys, b"mac", packed, MAC)).expect("31 bits")
}

fn mask(keys: &Keyring, mac: u32) -> u64 {
    keyed(keys, b"mask", mac.into(), BATCH + NUMBER)
}

fn digit(content: u128) -> u8 {
    u8::try_from(content & 31).expect("5 bits")
}

fn letter(digit: u8) -> char {
    char::from(ALPHABET[usize::from(digit)])
}

/// What a letter stands for, in either case, and where it is easily taken for another.
fn value(letter: char) -> Option<u8> {
    let letter = match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        letter => letter,
    };
    let at = ALPHABET.iter().position(|known| char::from(*known) == letter)?;
    u8::try_from(at).ok()
}

/// A sum over the field of 32 elements, in which each place weighs differently: one wrong character, or two that are next to
/// each other and exchanged, always change it.
fn check(digits: &[u8]) -> u8 {
    digits.iter().fold(0, |sum, digit| {
        let doubled = (sum ^ digit) << 1;
        if doubled & 32 == 0 { doubled } else { doubled ^ 0b10_0101 }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::kit::id::Ids;

    fn keys() -> Keyring {
        Keyring::generate(&Ids::seeded(1))
    }

    #[test]
    fn codes_read_back_however_they_are_typed_and_are_all_different() {
        let keys = keys();
        let codes = |batch| (0..2_000).map(move |number| Code { batch, number });
        let texts: HashSet<_> = codes(1).chain(codes(2)).map(|code| code.text(&keys)).collect();
        assert_eq!(texts.len(), 4_000);

        let code = Code { batch: MOST_BATCHES, number: MOST_CODES - 1 };
        let text = code.text(&keys);
        assert_eq!((text.len(), text.split('-').count()), (17, 3));
        let typed = [text.to_lowercase(), text.replace('-', " "), text.replace('0', "o").replace('1', "l")];
        for typed in typed.iter().chain([&text]) {
            assert_eq!(Code::read(&keys, typed), Some(code), "{typed}");
        }
    }

    #[test]
    fn neighbours_have_nothing_in_common() {
        let keys = keys();
        let alike = |one: &str, other: &str| one.chars().zip(other.chars()).filter(|(one, other)| one == other).count();
        let most = (0..500).map(|number| {
            let [one, next] = [number, number + 1].map(|number| Code { batch: 7, number }.text(&keys));
            // The two hyphens are.
            alike(&one, &next) - 2
        });
        assert!(most.max() < Some(6));
    }

    /// Guard: the check character, on which no MAC rests.
    #[test]
    fn a_wrong_character_and_two_exchanged_ones_are_noticed_without_the_keys() {
        let digits: Vec<u8> = (0..14).map(|at| (at * 7 + 3) % 32).collect();
        let known = check(&digits);
        for at in 0..14 {
            for other in (0..32).filter(|other| *other != digits[at]) {
                let mut wrong = digits.clone();
                wrong[at] = other;
                assert_ne!(check(&wrong), known);
            }
        }
        let mut whole = digits.clone();
        whole.push(known);
        for at in (0..14).filter(|at| whole[*at] != whole[at + 1]) {
            let mut wrong = whole.clone();
            wrong.swap(at, at + 1);
            let (last, content) = wrong.split_last().expect("fifteen");
            assert_ne!(check(content), *last, "{at}");
        }
    }

    /// Guard: the MAC, under a key that nobody else has.
    #[test]
    fn a_code_of_another_installation_is_none_of_ours_and_a_rotation_changes_nothing() {
        let (ours, theirs) = (keys(), Keyring::generate(&Ids::seeded(2)));
        let foreign = (0..20_000).filter(|number| {
            let text = Code { batch: 1, number: *number }.text(&theirs);
            Code::read(&ours, &text).is_some()
        });
        assert_eq!(foreign.count(), 0);

        let (code, mut rotated) = (Code { batch: 3, number: 4 }, keys());
        let before = code.text(&rotated);
        rotated.rotate(&Ids::seeded(3));
        assert_eq!(Code::read(&rotated, &before), Some(code));
        assert_eq!(code.text(&rotated), before);
    }

    proptest! {
        #[test]
        fn nothing_that_is_typed_is_more_than_refused(typed in ".{0,40}") {
            prop_assert_eq!(Code::read(&keys(), &typed), None);
        }

        #[test]
        fn every_code_reads_back(batch in 0..=MOST_BATCHES, number in 0..MOST_CODES) {
            let (code, keys) = (Code { batch, number }, keys());
            prop_assert_eq!(Code::read(&keys, &code.text(&keys)), Some(code));
        }
    }
}
