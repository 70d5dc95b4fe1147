#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../harness/words.rs"]
mod words;

fuzz_target!(|data: &[u8]| words::run(data));
