#!/usr/bin/env bash
# Builds what is released, twice, from two folders and two homes of Cargo, and uses it: the archive, the package of
# Debian, the container image, the crate. Builds the last commit, for this machine's target or the one given.
#
#   tests/external/release/run.sh [TARGET]
#
# The readers come from PyPI (target/external/, by the hash of requirements.txt) and from Debian. Needs root, for chroot.
set -euo pipefail
cd "$(dirname "$0")/../../.."
repository=$PWD

say() { printf -- '-- %s\n' "$*"; }
fail() { echo "$*" >&2; exit 1; }

environment=$(tests/external/python.sh release)
if ! command -v skopeo > /dev/null || ! command -v lintian > /dev/null || ! command -v man > /dev/null; then
  root="$(command -v sudo || true)"
  $root apt-get update -qq
  $root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends skopeo lintian man-db > /dev/null
fi
release/build.sh --tools

folder=$(mktemp -d)
mounted=
trap '[ -z "$mounted" ] || umount -R "$mounted"; rm -rf "$folder"' EXIT
chmod 755 "$folder"

say "the interface of the library"
CARGO_TARGET_DIR=target RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --lib --locked --quiet
python3 tests/external/release/surface.py target/doc/ess_callbacks/all.html > "$folder/library.txt"
diff -u tests/external/release/library.txt "$folder/library.txt" ||
  fail "the library shows other items than tests/external/release/library.txt: change both, and CHANGELOG.md"

say "two builds are the same"
home=${CARGO_HOME:-$HOME/.cargo}
mkdir -p "$folder/home" "$folder/in/another/folder"
ln -s "$home/registry" "$folder/home/registry"
git clone --quiet . "$folder/one"
git clone --quiet . "$folder/in/another/folder/two"
cargo fetch --locked --quiet
export RELEASE_REPOSITORY=https://git.example/acme/ess-callbacks
RELEASE_TOOLS=$(find "$PWD/target/external" -maxdepth 1 -name 'release-[0-9].*' | sort -V | tail -1)
export RELEASE_TOOLS
(
  unset CARGO_TARGET_DIR
  exec "$folder/one/release/build.sh" "$folder/first" "$@"
) &
first=$!
(
  unset CARGO_TARGET_DIR
  export CARGO_HOME=$folder/home
  exec "$folder/in/another/folder/two/release/build.sh" "$folder/second" "$@"
)
wait "$first"
diff -r "$folder/first" "$folder/second" || fail "two builds of one commit differ"
rm -rf "$folder/one/target" "$folder/in"
cd "$folder/first"
ls -l

say "the archive"
sha256sum --check --quiet ./*.sha256
archive=$(echo ess-callbacks-*.tar.gz)
name=${archive%.tar.gz}
tar -xzf "$archive" -C "$folder"
program=$folder/$name/ess-callbacks
(cd "$folder/$name" && find . -type f | LC_ALL=C sort) | diff - "$repository/tests/external/release/archive.txt"
version=$("$program" --version)
python3 "$repository/tests/external/release/links.py" "$folder/$name" "$RELEASE_REPOSITORY/blob/v${version#* }/"
[[ $name == "${version/ /-}"-* ]] || fail "$name holds $version"
[ "$(stat -c %s "$program")" -lt 16000000 ] || fail "the program is larger than 16 MB"
! readelf -lW "$program" | grep INTERP || fail "the program is not static"
! grep -aFo -e "$folder" -e "$home" -e "$HOME/" "$program" | sort -u | grep . || fail "the program names paths of this machine"
"$environment/bin/python" "$repository/tests/external/release/check.py" "$program" "$name.cdx.json"
man --warnings=all -l "$folder/$name/man/ess-callbacks.1" > /dev/null
! grep -F '{holders}' "$folder/$name/THIRD-PARTY.txt" || fail "a notice without names"

say "the package of Debian"
package=$(echo ess-callbacks_*.deb)
lintian --fail-on error,warning --suppress-tags statically-linked-binary,shared-library-lacks-prerequisites "$package"
mkdir "$folder/installed"
mkdir -p "$folder/dpkg/info" "$folder/dpkg/updates"
touch "$folder/dpkg/status"
dpkg --root="$folder/installed" --admindir="$folder/dpkg" --force-not-root --force-script-chrootless \
  --install "$package" > /dev/null
[ "$("$folder/installed/usr/bin/ess-callbacks" --version)" = "$version" ] || fail "the package has another version"
gzip -t "$folder/installed/usr/share/man/man1/ess-callbacks.1.gz"

say "the container image"
skopeo inspect "oci-archive:$name.oci.tar" > "$folder/image.json"
skopeo copy --quiet "oci-archive:$name.oci.tar" "dir:$folder/image"
mkdir "$folder/image-files"
tar -xzf "$folder/image/$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["layers"][0]["digest"][7:])' \
  "$folder/image/manifest.json")" -C "$folder/image-files"
mkdir "$folder/user"
cp "$repository/callbacks.yaml.example" "$folder/user/callbacks.yaml"
chown -R 65532:65532 "$folder/user"
# Nothing but the image, read-only, with a folder of the user's and the devices that each container has; no /proc.
mkdir "$folder/image-files/dev"
mount --bind "$folder/image-files" "$folder/image-files"
mounted=$folder/image-files
mount --bind "$folder/user" "$folder/image-files/work"
mount --bind /dev "$folder/image-files/dev"
mount -o remount,bind,ro "$folder/image-files"
inside() { env -i PATH=/usr/local/bin "$(command -v chroot)" --userspec=65532:65532 "$folder/image-files" "$@"; }
[ "$(inside ess-callbacks --version)" = "$version" ] || fail "the image has another version"
inside ess-callbacks -f work/callbacks.yaml --sandbox apply --auto-approve --quiet 2> "$folder/log" ||
  fail "$(cat "$folder/log")"
inside ess-callbacks -f work/callbacks.yaml --sandbox plan --detailed-exitcode > "$folder/log" 2>&1 ||
  fail "$(cat "$folder/log")"
[ "$(stat -c %u "$folder/user/callbacks.yaml")" = 65532 ]
umount -R "$folder/image-files"
mounted=

say "the crate"
cd "$folder/one"
cargo package --locked --no-verify --quiet
crate=$(echo target/package/*.crate)
tar -xzf "$crate" -C "$folder"
cd "$folder/$(basename "$crate" .crate)"
# Dependencies are those of the repository. The crate has a hash of its own: Cargo would take it for the repository's, which
# has the same name and newer files.
built=$(CARGO_TARGET_DIR=$repository/target cargo rustc --lib --profile test --locked --quiet --message-format json -- \
  -C metadata="$(basename "$folder")" | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
# The stores' tests have servers; the gate runs them. One test needs what Cargo tells a program.
CARGO_PKG_NAME=ess-callbacks CARGO_PKG_VERSION=${version#* } "$built" --quiet --skip backend::
rm "$built" "$built.d"
