#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../harness/state.rs"]
mod state;

fuzz_target!(|data: &[u8]| state::run(data));
