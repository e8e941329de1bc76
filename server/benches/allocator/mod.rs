//! The allocator that the command `yeyak` has: what is measured is what is shipped.

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;
