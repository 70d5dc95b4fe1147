#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../harness/document.rs"]
mod document;
#[path = "../harness/plans.rs"]
mod plans;

fuzz_target!(|data: &[u8]| document::run(data));
