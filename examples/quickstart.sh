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

say 'What has to be called so that eSign holds what callbacks.yaml declares?'
run --sandbox plan

say 'Call it. Without --auto-approve it would ask first.'
run --sandbox apply --auto-approve

say 'Plan again: there is nothing to do.'
run --sandbox plan

say 'A key has a new value. eSign can only add and delete, so that means both.'
export ACME_CALLBACK_KEY=8DD3B29CE10D469D8978393074A767FD
run --sandbox apply --auto-approve

say 'Assert everything again, in case somebody deleted it in the console.'
run --sandbox apply --heal --auto-approve

say 'A plan that would delete nearly everything is refused (exit code 5).'
code=0
run --sandbox plan --destroy || code=$?
echo "exit code $code"
test "$code" = 5

say 'What is recorded, and how well it is known.'
run --sandbox show
