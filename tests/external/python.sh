#!/usr/bin/env bash
# Installs tests/external/NAME/requirements.txt once, and prints the folder of the environment. It lies under target/, by
# the hash of the file.
#
#   tests/external/python.sh NAME
set -euo pipefail
cd "$(dirname "$0")/../.."

requirements=tests/external/$1/requirements.txt
hash=$(python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest()[:16])' "$requirements")
environment=$PWD/target/external/$1-$hash
if [ ! -e "$environment/complete" ]; then
  rm -rf "$environment"
  python3 -m venv "$environment" >&2
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements" >&2
  touch "$environment/complete"
fi
echo "$environment"
