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

environment=$(tests/external/node.sh editor)
PATH=$environment-node/bin:$PATH
node tests/external/editor/check.mjs "$environment/node_modules/yaml-language-server/bin/yaml-language-server" "$program"
