#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../harness/plans.rs"]
mod plans;
#[path = "../harness/document.rs"]
mod document;

fuzz_target!(|data: &[u8]| document::run(data));
