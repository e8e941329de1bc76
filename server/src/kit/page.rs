//! Pages of a list: by key, never by offset, so that a page costs the same however deep and none repeats a row.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Datelike;
use prost::Name;
use uuid::Uuid;
use yeyak_proto::Paged;

use super::date::Date;
use super::keyring::{Keyring, Purpose};
use super::violation::Violations;
use crate::error::{Error, ErrorReason, Fault};

/// The sizes of most lists.
const SIZES: Sizes = Sizes { default: 50, most: 200 };
const MAC: usize = 16;

/// How many items a page of a list has.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// When the request doesn't say.
    pub default: i32,
    /// However many it asks for.
    pub most: i32,
}

/// Where a page begins and how long it is.
#[derive(Clone, Debug)]
pub struct Page<K = Uuid> {
    /// The key of the last item of the page before; `None` for the first page.
    pub after: Option<K>,
    /// How many items at most.
    pub size: u32,
    arguments: Vec<u8>,
}

/// What a list is sorted by, in bytes.
pub trait PageKey: Sized {
    /// Writes the key.
    fn encode(&self) -> Vec<u8>;
    /// Reads the key that `encode` wrote.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

impl PageKey for Uuid {
    fn encode(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Self::from_slice(bytes).ok()
    }
}

impl PageKey for String {
    fn encode(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Self::from_utf8(bytes.to_vec()).ok()
    }
}

impl PageKey for i64 {
    fn encode(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_be_bytes(bytes.try_into().ok()?))
    }
}

impl PageKey for Date {
    fn encode(&self) -> Vec<u8> {
        self.num_days_from_ce().to_be_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Self::from_num_days_from_ce_opt(i32::from_be_bytes(bytes.try_into().ok()?))
    }
}

impl<A: PageKey> PageKey for (i64, A) {
    fn encode(&self) -> Vec<u8> {
        [&self.0.to_be_bytes()[..], &self.1.encode()].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (number, rest) = bytes.split_first_chunk::<8>()?;
        Some((i64::from_be_bytes(*number), A::decode(rest)?))
    }
}

impl<K: PageKey> Page<K> {
    /// The page that a request asks for. A size of 0 is the default of 50; above 200 it is 200.
    pub fn of<R: Paged + Name>(keys: &Keyring, request: &R) -> Result<Self, Error> {
        Self::sized(keys, request, SIZES)
    }

    /// The page that a request asks for, of a list with sizes of its own.
    pub fn sized<R: Paged + Name>(keys: &Keyring, request: &R, sizes: Sizes) -> Result<Self, Error> {
        let mut violations = Violations::new();
        violations.require("page_size", request.page_size() >= 0, "must not be negative");
        let size = match request.page_size() {
            0 => sizes.default,
            size => size.min(sizes.most),
        };
        // With the name of the list: a token of one is refused by all others.
        let arguments = [R::full_name().as_bytes(), &request.arguments()].concat();
        let after = match request.page_token() {
            "" => None,
            token => Some(open(keys, &arguments, token).ok_or(PageTokenInvalid)?),
        };
        let page = Self { after, size: u32::try_from(size).unwrap_or(0), arguments };
        violations.finish(Some(page))
    }

    /// Cuts what was read, one more than the page's size, to the page, and makes the token of the next.
    pub fn cut<T>(&self, keys: &Keyring, mut items: Vec<T>, key: impl Fn(&T) -> K) -> (Vec<T>, String) {
        if items.len() <= self.limit() {
            return (items, String::new());
        }
        items.truncate(self.limit());
        let token = items.last().map(|last| self.token(keys, &key(last)));
        (items, token.unwrap_or_default())
    }

    /// The token of the page that begins behind a key.
    pub fn token(&self, keys: &Keyring, key: &K) -> String {
        seal(keys, &self.arguments, &key.encode())
    }

    /// How many items the page has at most.
    pub fn limit(&self) -> usize {
        usize::try_from(self.size).expect("a few hundred")
    }

    /// How many rows to read: one more than the page has, to know whether there is another.
    pub fn fetch(&self) -> u64 {
        u64::from(self.size) + 1
    }
}

fn message(arguments: &[u8], key: &[u8]) -> Vec<u8> {
    let length = u64::try_from(arguments.len()).unwrap_or(u64::MAX).to_be_bytes();
    [&length[..], arguments, key].concat()
}

fn seal(keys: &Keyring, arguments: &[u8], key: &[u8]) -> String {
    let mac = keys.mac(Purpose::Page, &message(arguments, key));
    URL_SAFE_NO_PAD.encode([&mac[..MAC], key].concat())
}

fn open<K: PageKey>(keys: &Keyring, arguments: &[u8], token: &str) -> Option<K> {
    if token.len() > 1024 {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (mac, key) = bytes.split_first_chunk::<MAC>()?;
    // Not a secret to be guessed: a forged token could only begin a page of the caller's own list elsewhere.
    let genuine = keys.macs(Purpose::Page, &message(arguments, key)).any(|whole| whole[..MAC] == mac[..]);
    genuine.then(|| K::decode(key)).flatten()
}

/// The page token is not one of ours, or belongs to a list with other arguments.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("`page_token` is not one that this list gave; ask for the first page")]
pub struct PageTokenInvalid;

impl Fault for PageTokenInvalid {
    fn reason(&self) -> ErrorReason {
        ErrorReason::PageTokenInvalid
    }
}

#[cfg(test)]
mod tests {
    use yeyak_proto::yeyak::member::v1::ListSessionsRequest;

    use super::*;
    use crate::kit::id::Ids;

    #[test]
    fn a_token_begins_the_next_page_of_its_own_list_only() {
        let keys = Keyring::generate(&Ids::seeded(1));
        let mut request = ListSessionsRequest { page_size: 2, ..Default::default() };
        let page = Page::<Uuid>::of(&keys, &request).expect("a page");
        let items: Vec<_> = (1..=3).map(Uuid::from_u128).collect();

        let (items, token) = page.cut(&keys, items, |id| *id);

        assert_eq!(items.len(), 2);
        request.page_token.clone_from(&token);
        assert_eq!(Page::of(&keys, &request).expect("a page").after, Some(Uuid::from_u128(2)));
        request.page_token.push('A');
        assert!(Page::<Uuid>::of(&keys, &request).is_err());
        request.page_token = "%%%".to_owned();
        assert!(Page::<Uuid>::of(&keys, &request).is_err());
    }
}
