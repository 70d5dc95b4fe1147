#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../harness/plans.rs"]
mod plans;
#[path = "../harness/planning.rs"]
mod planning;

fuzz_target!(|data: &[u8]| planning::run(data));
