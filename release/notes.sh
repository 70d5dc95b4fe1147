#!/bin/sh
# Prints the changes of a version, as CHANGELOG.md has them.
#
#   release/notes.sh VERSION
set -eu
version=${1:?the version}
notes=$(awk -v version="$version" '
  index($0, "## ") == 1 { inside = $2 == version || $2 == "[" version "]"; next }
  /^\[[^]]*\]: / { next }
  inside' "$(dirname "$0")/../CHANGELOG.md")
if [ -z "$notes" ]; then
  echo "CHANGELOG.md has no section $version, or it is empty" >&2
  exit 1
fi
printf '%s\n' "$notes"
