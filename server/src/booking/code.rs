//! The public code of a booking: what people read to each other.

use crate::kit::id::Ids;

/// Digits and capitals without those that look alike: no 0 and O, no 1, I and L, no U and V side by side with Y and W.
const LETTERS: &[u8; 30] = b"23456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 8;

/// A fresh code: one of 656 billion, so that none is found by trying.
pub(super) fn fresh(ids: &Ids) -> String {
    let mut code = String::with_capacity(LENGTH);
    let mut byte = [0];
    while code.len() < LENGTH {
        ids.fill(&mut byte);
        // 240 is the largest multiple of 30 in a byte: above it the first letters would come more often.
        if byte[0] < 240 {
            code.push(char::from(LETTERS[usize::from(byte[0]) % LETTERS.len()]));
        }
    }
    code
}

/// A code as it was typed, in the form that is stored.
pub(super) fn read(typed: &str) -> Option<String> {
    let code: String = typed.chars().filter(|letter| !matches!(letter, ' ' | '-')).collect();
    let code = code.to_ascii_uppercase();
    (code.len() == LENGTH && code.bytes().all(|letter| LETTERS.contains(&letter))).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_back_however_it_is_typed() {
        let code = fresh(&Ids::seeded(5));
        let (first, second) = code.split_at(4);
        assert_eq!(read(&format!(" {}-{second}", first.to_lowercase())), Some(code.clone()));
        assert_eq!(read(&code[1..]), None);
        assert_eq!(read("OOOOOOOO"), None);
    }
}
