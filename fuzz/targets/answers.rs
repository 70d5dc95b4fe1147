#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../harness/answers.rs"]
mod answers;

fuzz_target!(|data: &[u8]| answers::run(data));
