#!/usr/bin/env bash
# Builds what is released for one target: archive, SBOM, checksums; for static Linux also a .deb and a container image.
#
#   release/build.sh OUT [TARGET]    TARGET is x86_64-unknown-linux-musl where Rust has it, else this machine's
#
# The same commit, toolchain and target give the same bytes in any folder. Needs git, Python 3.11 and cargo-auditable of
# the version below, which `release/build.sh --tools` installs below target/. A target of another processor needs its
# linker (CARGO_TARGET_…_LINKER) and, as the program can't be run then, a program of the same commit that can
# (RELEASE_RUNS) to print completions and the manual page. A program with glibc is for tests only: what is given
# away has musl, whose licence asks for no more than a notice. The image has the root certificates of
# RELEASE_CERTIFICATES, by default those of this machine.
#
# RELEASE_REPOSITORY is the address of the repository, such as https://github.com/acme/ess-callbacks: the README of the
# archive links to its files (in RELEASE_BLOB, by default `blob`), and the package names it. Without, the README has no
# such links. RELEASE_MAINTAINER is the Maintainer of the package, `NAME <ADDRESS>`.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd -P)

auditable=0.7.7
tools=${RELEASE_TOOLS:-$here/target/external/release-$auditable}
if [ ! -x "$tools/bin/cargo-auditable" ]; then
  cargo install cargo-auditable --version "$auditable" --locked --quiet --root "$tools"
fi
[ "${1:-}" != --tools ] || exit 0

out=${1:?the folder to write to}
mkdir -p "$out"
out=$(cd "$out" && pwd -P)
cd "$here"

host=$(rustc -vV | sed -n 's/^host: //p')
target=${2:-}
if [ -z "$target" ]; then
  target=x86_64-unknown-linux-musl
  [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ] || target=$host
fi
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH CARGO_INCREMENTAL=0 LC_ALL=C TZ=UTC
umask 022

cargo fetch --locked --quiet --target "$target"
# As rustc writes it: the shell on Windows has other names for the same folders.
native() { if command -v cygpath > /dev/null; then cygpath -w "$1"; else printf '%s\n' "$1"; fi; }
# No path of this machine is left in the program: panics name the files of each crate.
flags=(--remap-path-prefix "$(native "$here")=/src")
for crates in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
  flags+=(--remap-path-prefix "$(native "$crates")=/crates")
done
case $target in
  *-linux-*) flags+=(-C target-feature=+crt-static) ;;
  *-windows-msvc) flags+=(-C target-feature=+crt-static -C link-arg=/Brepro) ;;
esac
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f'; printf %s "${flags[*]}")
export CARGO_ENCODED_RUSTFLAGS
unset RUSTFLAGS

PATH=$tools/bin:$PATH cargo auditable build --quiet --locked --profile dist --bin ess-callbacks --target "$target"

program=${CARGO_TARGET_DIR:-target}/$target/dist/ess-callbacks
[ ! -e "$program.exe" ] || program=$program.exe
runs=${RELEASE_RUNS:-$program}
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
for shell in bash zsh fish; do
  "$runs" completions "$shell" > "$made/ess-callbacks.$shell"
done
"$runs" man > "$made/ess-callbacks.1"
cargo metadata --format-version 1 --locked --filter-platform "$target" > "$made/metadata.json"
python=$(command -v python3 || command -v python)
"$python" release/inventory.py "$target" "$made"
"$python" release/pack.py "$target" "$program" "$made" "$out"
