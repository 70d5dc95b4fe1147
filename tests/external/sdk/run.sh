#!/usr/bin/env bash
# Checks the sandbox with the vendor's own SDK.
#
#   tests/external/sdk/run.sh            make the Python environment and run the check
#   tests/external/sdk/run.sh --prepare  only make it, and print the Python to set as ESS_CALLBACKS_SDK_PYTHON
#
# The environment lies under target/, by the hash of requirements.txt, and is made once.
set -euo pipefail
cd "$(dirname "$0")/../../.."

requirements=tests/external/sdk/requirements.txt
hash=$(python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest()[:16])' "$requirements")
environment=$PWD/target/external/sdk-$hash
python=$environment/bin/python

if [ ! -e "$environment/complete" ]; then
  rm -rf "$environment"
  python3 -m venv "$environment" >&2
  "$python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements" >&2
  touch "$environment/complete"
fi

if [ "${1:-}" = --prepare ]; then
  echo "$python"
else
  ESS_CALLBACKS_SDK_PYTHON=$python exec cargo test --test it sandbox::sdk:: -- --nocapture
fi
