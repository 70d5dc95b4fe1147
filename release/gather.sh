#!/usr/bin/env bash
# Makes one release of what release/build.sh built for several targets.
#
#   release/gather.sh DIST REPOSITORY    REPOSITORY is its address, such as https://github.com/acme/ess-callbacks
#
# DIST has the files of all targets. What each target wrote is compared with its checksums. Added are the installer and
# the Homebrew formula with the address in them, and SHA256SUMS of all in the place of the checksums of each target.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd -P)
dist=${1:?the folder of the files}
repository=${2:?the address of the repository}
export LC_ALL=C

cd "$dist"
cat ./*.sha256 > SHA256SUMS
sha256sum --check --strict --quiet SHA256SUMS
listed=$(awk '{ print $2 }' SHA256SUMS | sort)
present=$(find . -type f ! -name '*.sha256' ! -name SHA256SUMS -printf '%P\n' | sort)
if [ "$listed" != "$present" ]; then
  echo "the files are not those that have checksums:" >&2
  diff <(echo "$listed") <(echo "$present") >&2 || true
  exit 1
fi
rm ./*.sha256
name=${repository#*://*/}
sed -e "s|^BASE=.*|BASE=$repository/releases/download|" -e "s|^REPOSITORY=.*|REPOSITORY=$name|" \
  "$here/examples/github/install.sh" > install.sh
python3 "$here/release/formula.py" SHA256SUMS "$repository" > ess-callbacks.rb
sha256sum install.sh ess-callbacks.rb >> SHA256SUMS
sort -k 2 -o SHA256SUMS SHA256SUMS
