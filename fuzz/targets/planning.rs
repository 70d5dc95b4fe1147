#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../harness/planning.rs"]
mod planning;
#[path = "../harness/plans.rs"]
mod plans;

fuzz_target!(|data: &[u8]| planning::run(data));
