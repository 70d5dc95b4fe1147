#!/usr/bin/env bash
# Drives the receivers in examples/ over HTTP: Python, Node.js, axum.
#
#   tests/external/receivers/run.sh            make the Python environment and run the tests
#   tests/external/receivers/run.sh --prepare  only make it, and print the Python to set as ESS_CALLBACKS_RECEIVER_PYTHON
#
# The environment lies under target/, by the hash of requirements.txt, and is made once. Node.js is used where
# it is installed.
set -euo pipefail
cd "$(dirname "$0")/../../.."

environment=$(tests/external/python.sh receivers)
python=$environment/bin/python

if [ "${1:-}" = --prepare ]; then
  echo "$python"
else
  ESS_CALLBACKS_RECEIVER_PYTHON=$python exec cargo test --test it receivers:: -- --nocapture
fi
