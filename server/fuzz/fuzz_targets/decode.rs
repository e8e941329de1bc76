//! Any bytes as any request: the first chooses the RPC.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yeyak_fuzz::Target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, message)) = data.split_first() else { return };
    Target::get().call(*choice, None, message);
});
