#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../harness/leak.rs"]
mod leak;

fuzz_target!(|data: &[u8]| leak::run(data));
