#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../harness/envelope.rs"]
mod envelope;

fuzz_target!(|data: &[u8]| envelope::run(data));
