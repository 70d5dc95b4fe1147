#!/usr/bin/env bash
# Tests the state in PostgreSQL against a real server.
#
#   tests/external/postgres/run.sh            find or install PostgreSQL and run the tests
#   tests/external/postgres/run.sh --prepare  only that, and print the folder to set as ESS_CALLBACKS_POSTGRES
#
# The folder holds `initdb` and `postgres`; each test makes its own cluster in a temporary folder. PgBouncer is
# tested with where it is installed.
set -euo pipefail
cd "$(dirname "$0")/../../.."

# The folder of the newest server that is installed.
find_server() {
  local found
  while read -r found; do
    if [ -x "$found/postgres" ] && [ -x "$found/initdb" ]; then
      echo "$found"
      return
    fi
  done < <(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin | sort -rV)
  found=$(command -v initdb || true)
  if [ -n "$found" ]; then
    dirname "$(readlink -f "$found")"
  fi
}

folder=$(find_server)
if [ -z "$folder" ] || ! PATH=$PATH:/usr/sbin command -v pgbouncer > /dev/null; then
  root="$(command -v sudo || true)"
  $root apt-get update -qq >&2
  $root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends postgresql pgbouncer >&2
  folder=$(find_server)
fi

if [ "${1:-}" = --prepare ]; then
  echo "$folder"
else
  ESS_CALLBACKS_POSTGRES=$folder exec cargo test --lib backend::postgres:: -- --nocapture
fi
