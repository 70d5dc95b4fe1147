#!/usr/bin/env bash
# Keeps what a released version writes, for tests/it/releases.rs to read with the program of today. Run once for each
# release, with its program; the files are never changed afterwards.
#
#   tests/vectors/releases/record.sh PROGRAM
set -euo pipefail
cd "$(dirname "$0")"

program=$(realpath "${1:?the released program}")
version=$("$program" --version | cut -d ' ' -f 2)
[ ! -e "$version" ] || { echo "$version is kept already" >&2; exit 1; }
kept=$PWD/$version
inputs=$PWD
work=$(mktemp -d)
served=
trap 'kill $served 2> /dev/null || true; rm -rf "$work"' EXIT
cd "$work"
export HOME=$work KEY=0123456789ABCDEF0123456789ABCDEF TOKEN=5AF866900CA34D1A95382C48C678A085 OTHER_TOKEN=changed
mkdir "$kept"

# A state, and the plan of another configuration from it: saved, and as JSON.
cp "$inputs/before.yaml" callbacks.yaml
"$program" --sandbox apply --auto-approve > /dev/null 2> warnings
cp .ess-callbacks/sandbox.state.json "$kept/callbacks.state.json"
cp "$inputs/after.yaml" callbacks.yaml
"$program" --sandbox plan --allow-deletes 1 --out "$kept/plan.json" > /dev/null 2> warnings
"$program" --sandbox plan --allow-deletes 1 --format json > "$kept/planned.json" 2> warnings

# A state and the journal of a run that was killed while calls were under way.
cp "$inputs/before.yaml" callbacks.yaml
export TENCENTCLOUD_SECRET_ID=id TENCENTCLOUD_SECRET_KEY=key
"$program" sandbox --listen 127.0.0.1:8901 --credential id:key --fault slow=60s > /dev/null 2>&1 &
served=$!
"$program" --endpoint http://127.0.0.1:8901 apply --auto-approve > /dev/null 2>&1 &
run=$!
for _ in $(seq 100); do
  if grep -q acme-shanghai callbacks.state.journal 2> /dev/null; then break; fi
  sleep 0.1
done
kill -KILL "$run"
mkdir "$kept/killed"
cp callbacks.state.json callbacks.state.journal "$kept/killed"
