#!/usr/bin/env bash
# Fuzzes the targets named, or all of them, one after the other, for SECONDS_EACH seconds each (180).
# Needs a C++ compiler and `cargo install cargo-fuzz`. A finding is left in fuzz/artifacts/TARGET.
set -euo pipefail
cd "$(dirname "$0")/.."

# cargo-fuzz asks the compiler for instrumentation, which a stable one gives only when told so.
export RUSTC_BOOTSTRAP=1

dictionary() {
  case "$1" in
    config | leak | planning | words) echo yaml ;;
    state | store) echo state ;;
    document) echo document ;;
    answers | envelope) echo answers ;;
  esac
}

[ $# -gt 0 ] || set -- config leak state store document planning answers envelope words
for target in "$@"; do
  mkdir -p "fuzz/corpus/$target"
  # Without a sanitizer: nothing here is unsafe, and it is twice as fast. What takes two seconds or
  # half a gigabyte is a finding.
  nice cargo fuzz run --sanitizer none "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
    -max_total_time="${SECONDS_EACH:-180}" -timeout=2 -rss_limit_mb=512 -max_len=4096 \
    -dict="fuzz/dicts/$(dictionary "$target").dict" -print_final_stats=1
done
