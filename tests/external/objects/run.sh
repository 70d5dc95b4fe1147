#!/usr/bin/env bash
# Keeps a state in the S3 of moto, and in that of Ceph, which also checks signatures.
#
#   tests/external/objects/run.sh            make the Python environment and run the tests
#   tests/external/objects/run.sh --prepare  only make it, and print the Python to set as ESS_CALLBACKS_OBJECTS_PYTHON
#
# The environment lies under target/, by the hash of requirements.txt, and is made once. Ceph comes from Debian.
set -euo pipefail
cd "$(dirname "$0")/../../.."

environment=$(tests/external/python.sh objects)
python=$environment/bin/python

if [ ! -x /usr/bin/radosgw ] || [ ! -x /usr/bin/ceph-mon ] || [ ! -x /usr/bin/ceph-osd ]; then
  root="$(command -v sudo || true)"
  $root apt-get update -qq >&2
  $root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends radosgw ceph-mon ceph-osd >&2
fi

if [ "${1:-}" = --prepare ]; then
  echo "$python"
else
  ESS_CALLBACKS_OBJECTS_PYTHON=$python exec cargo test --lib -- objects:: state::contract:: --nocapture
fi
