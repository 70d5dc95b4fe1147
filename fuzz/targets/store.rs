#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../harness/store.rs"]
mod store;

fuzz_target!(|data: &[u8]| store::run(data));
