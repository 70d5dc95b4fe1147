#!/usr/bin/env bash
# Checks the sandbox with the vendor's own SDK.
#
#   tests/external/sdk/run.sh            make the Python environment and run the check
#   tests/external/sdk/run.sh --prepare  only make it, and print the Python to set as ESS_CALLBACKS_SDK_PYTHON
#
# The environment lies under target/, by the hash of requirements.txt, and is made once.
set -euo pipefail
cd "$(dirname "$0")/../../.."

environment=$(tests/external/python.sh sdk)
python=$environment/bin/python

if [ "${1:-}" = --prepare ]; then
  echo "$python"
else
  ESS_CALLBACKS_SDK_PYTHON=$python exec cargo test --test it sandbox::sdk:: -- --nocapture
fi
