#!/bin/sh
# A tour in the sandbox: plan, apply, nothing left to do, a changed key, a refused plan, healing.
# Needs no account and no credentials, and cleans up after itself.
set -eu
cd "$(dirname "$0")/.."

# The program on the search path, else the one of this folder.
if ! command -v ess-callbacks >/dev/null; then
  cargo build
  PATH=$PWD/target/debug:$PATH
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp callbacks.yaml.example "$folder/callbacks.yaml"
cd "$folder"

say() { printf '\n# %s\n' "$*"; }
run() { printf '$ ess-callbacks %s\n' "$*"; ess-callbacks "$@"; }

say 'Which calls does callbacks.yaml need?'
run --sandbox plan

say 'Make these calls. Without --auto-approve, apply asks first.'
run --sandbox apply --auto-approve

say 'Plan again: no changes.'
run --sandbox plan

say 'A key has a new value. eSign can only add and delete, so the callback is replaced.'
export ACME_CALLBACK_KEY=8DD3B29CE10D469D8978393074A767FD
run --sandbox apply --auto-approve

say 'Add every callback again, in case one was deleted in the console.'
run --sandbox apply --heal --auto-approve

say 'A plan that would delete nearly everything is refused (exit code 5).'
code=0
run --sandbox plan --destroy || code=$?
echo "exit code $code"
test "$code" = 5

say 'Show what is recorded, and when it was last confirmed.'
run --sandbox show
