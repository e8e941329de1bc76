//! Any text where we expect a string that we made: page tokens, quote tokens, cursors, ids, bearer tokens.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yeyak::proto::METHODS;
use yeyak_fuzz::Target;
use yeyak_server::kit::id::{BookingId, MemberId};

fuzz_target!(|data: &[u8]| {
    let Some((choice, token)) = data.split_first() else { return };
    let target = Target::get();
    // A bearer token, whatever is called.
    target.call(*choice, Some(token), &[]);
    let Ok(text) = std::str::from_utf8(token) else { return };
    if let Ok(id) = text.parse::<BookingId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    _ = text.parse::<MemberId>();
    // Every string field of these has one of the numbers 1 and 2: an id, a page token, a quote token, a cursor.
    for name in [
        "ListBookings",
        "ListPayments",
        "CreateBooking",
        "CancelBooking",
        "ChangeBooking",
        "WatchBooking",
        "GetBooking",
    ] {
        let Some(at) = METHODS.iter().position(|method| method.name == name) else { continue };
        let Ok(choice) = u8::try_from(at) else { continue };
        target.call(choice, None, &[field(1, text), field(2, text)].concat());
        target.call(choice, None, &field(2, text));
    }
});

/// A string field as protobuf writes it.
fn field(number: u8, text: &str) -> Vec<u8> {
    let mut written = vec![number << 3 | 2];
    let mut length = text.len();
    while length >= 0x80 {
        written.push(u8::try_from(length & 0x7f).expect("7 bits") | 0x80);
        length >>= 7;
    }
    written.push(u8::try_from(length).expect("7 bits"));
    written.extend_from_slice(text.as_bytes());
    written
}
