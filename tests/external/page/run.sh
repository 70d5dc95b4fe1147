#!/usr/bin/env bash
# Opens the status page in a browser: small and with 10,000 callbacks, with what is pending and with hostile text.
#
#   tests/external/page/run.sh [PROGRAM]    PROGRAM is ess-callbacks [target/debug/ess-callbacks]
#
# The browser is Debian's chromium. Its driver and the rules of accessibility come from npm, in the versions of
# package-lock.json, and lie under target/ by its hash. Without npm on this machine, Node.js comes from PyPI.
set -euo pipefail
cd "$(dirname "$0")/../../.."

program=$(realpath "${1:-target/debug/ess-callbacks}")

if ! command -v chromium > /dev/null; then
  root="$(command -v sudo || true)"
  $root apt-get update -qq
  $root apt-get install -qq --no-install-recommends chromium fonts-noto-cjk
fi
environment=$(tests/external/node.sh page)
PATH=$environment-node/bin:$PATH

pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
python3 tests/external/page/pages.py "$program" "$pages" 2> "$pages/warnings" || { cat "$pages/warnings" >&2; exit 1; }
NODE_PATH="$environment/node_modules" node tests/external/page/check.cjs "$(command -v chromium)" "$pages"
