#!/bin/sh
# Installs a release of ess-callbacks, after checking what was downloaded. Nothing is written before that.
#
#   sh install.sh --version 0.2.0 --to ~/.local/bin
#
# Two checks: the SHA-256 of the archive is the one in the release's SHA256SUMS, and `gh attestation verify` finds
# that the release workflow of the repository built it from the tag of this version. The second one is what
# protects from a mirror, because a mirror serves both the archive and the checksums. Where it can't be made, give
# the checksum yourself with --sha256, or leave it out with --attestation skip.
#
# Needs curl, tar (for Windows, unzip) and sha256sum or shasum. curl's variables for proxies apply.
set -eu

# Until there is a public address, write your own here.
BASE=https://git.example/acme/ess-callbacks/releases/download
REPOSITORY=acme/ess-callbacks
WORKFLOW=.github/workflows/release.yml

usage() {
  cat <<'END'
Usage: sh install.sh --version VERSION [OPTIONS]

  --version VERSION      The release to install, such as 0.2.0
  --to FOLDER            Where to put the program [~/.local/bin]
  --target TARGET        The platform to install for [this one]
  --base URL             Where releases are, a mirror for example; files are at URL/vVERSION/
                         [$ESS_CALLBACKS_DOWNLOAD_BASE]
  --repository NAME      The repository on GitHub that must have built it, as OWNER/NAME
  --sha256 CHECKSUM      The checksum that the archive must have; no attestation is needed then
  --attestation HOW      `verify`, or `skip` to check only SHA256SUMS [verify]
  -h, --help             Print this help
END
}

fail() {
  echo "error: $1" >&2
  [ -z "${2:-}" ] || echo "help: $2" >&2
  echo 'Nothing was installed.' >&2
  exit 1
}

misused() {
  echo "error: $1" >&2
  echo 'help: sh install.sh --help lists the options' >&2
  exit 2
}

clean_up() {
  [ -z "$work" ] || rm -rf "$work"
  [ -z "$new" ] || rm -rf "$new"
}

target_of_this_machine() {
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) echo x86_64-unknown-linux-musl ;;
    Linux-aarch64 | Linux-arm64) echo aarch64-unknown-linux-musl ;;
    Darwin-x86_64) echo x86_64-apple-darwin ;;
    Darwin-arm64) echo aarch64-apple-darwin ;;
    MINGW*-x86_64 | MSYS*-x86_64 | CYGWIN*-x86_64) echo x86_64-pc-windows-msvc ;;
    *) echo none ;;
  esac
}

sha256_of() {
  if command -v sha256sum > /dev/null; then
    sha256sum < "$1" | cut -d ' ' -f 1
  elif command -v shasum > /dev/null; then
    shasum -a 256 < "$1" | cut -d ' ' -f 1
  else
    fail 'there is neither sha256sum nor shasum to check the download with'
  fi
}

is_sha256() {
  case $1 in *[!0-9a-f]*) return 1 ;; esac
  [ "${#1}" = 64 ]
}

# Downloads a file of the release into the work folder.
download() {
  url=$base/v$version/$1
  code=0
  # --disable: a .curlrc could switch off the check of certificates.
  status=$(curl --disable --proto "=$protocols" --proto-redir "=$protocols" --tlsv1.2 --fail --location --silent \
    --show-error --max-redirs 5 --connect-timeout 20 --speed-limit 1000 --speed-time 30 --retry 3 \
    --retry-max-time 60 --max-filesize 200000000 --write-out '%{http_code}' --output "$work/$1" \
    "$url" 2> "$work/curl") || code=$?
  [ "$code" != 0 ] || return 0
  # 37: a file:// that is not there.
  case $code-$status in
    37-*) fail "there is no $url" "check the version and the folder; not every version has a build for $target" ;;
    3-*) fail "$url is not an address" 'write a space as %20' ;;
  esac
  case $status in
    404 | 410) fail "there is no $url" "check the version; not every version has a build for $target" ;;
  esac
  fail "$url could not be downloaded: $(head -n 1 "$work/curl")" \
    'behind a proxy, set https_proxy; where this host is slow, name a mirror with ESS_CALLBACKS_DOWNLOAD_BASE'
}

# What SHA256SUMS says of the archive. It must say it once.
listed_sha256() {
  sums=$(awk -v name="$archive" '{ sub(/\r$/, "") } $2 == name || $2 == "*" name { print $1 }' "$work/SHA256SUMS")
  [ -n "$sums" ] || fail "SHA256SUMS of $version has no $archive" "there is no build of this version for $target"
  is_sha256 "$sums" || fail "SHA256SUMS of $version has no valid checksum of $archive"
  echo "$sums"
}

check() {
  actual=$(sha256_of "$work/$archive")
  [ "$actual" = "$1" ] ||
    fail "the checksum of $archive is $actual, and SHA256SUMS has $1" 'it was damaged on the way, or replaced'
  if [ -n "$sha256" ]; then
    [ "$actual" = "$sha256" ] || fail "the checksum of $archive is $actual, and --sha256 is $sha256" \
      'compare both with the release: one of them is of another version, or the archive was replaced'
    return
  fi
  if [ "$attestation" = skip ]; then
    echo 'warning: only SHA256SUMS was checked, which comes from where the archive comes from' >&2
    return
  fi
  # The tag as well: otherwise an older release could be served under this name.
  gh attestation verify "$work/$archive" --repo "$repository" --signer-workflow "$repository/$WORKFLOW" \
    --source-ref "refs/tags/v$version" --deny-self-hosted-runners > "$work/gh" 2>&1 || {
    sed 's/^/  gh: /' "$work/gh" >&2
    fail "gh could not verify that $repository built $archive from v$version" \
      'its own words are above; if it is not logged in, run gh auth login, or give --sha256'
  }
}

unpack() {
  mkdir "$work/unpacked"
  case $archive in
    *.zip) unzip -q "$work/$archive" -d "$work/unpacked" ;;
    *) tar -xzf "$work/$archive" -C "$work/unpacked" ;;
  esac || fail "$archive could not be unpacked"
  program=$work/unpacked/$stem/$name
  if [ ! -f "$program" ] || [ -L "$program" ]; then
    fail "$archive has no $stem/$name"
  fi
}

# A program that does not start here is not installed.
try() {
  if [ "$target" != "$here" ]; then
    echo "note: $target is not this machine, so the program was not started" >&2
    return
  fi
  said=$("$1" --version 2>&1) || fail "the program does not start: $said"
  [ "$said" = "ess-callbacks $version" ] || fail "the program says it is \`$said\`, and not version $version"
}

place() {
  [ ! -d "$to/$name" ] || fail "$to/$name is a folder" 'choose another folder with --to'
  # Beside the old one: programs may be started there, and the new one takes its place in one step.
  mkdir -p "$to" 2> /dev/null || fail "$to can't be made" 'choose another folder with --to'
  new=$(mktemp -d "$to/.ess-callbacks.XXXXXX" 2> /dev/null) ||
    fail "$to can't be written" 'choose another folder with --to'
  cp "$program" "$new/$name" || fail "$to can't be written"
  chmod 755 "$new/$name"
  try "$new/$name"
  mv -f "$new/$name" "$to/$name" || fail "$to/$name can't be replaced"
}

main() {
  version='' to=${HOME:-}/.local/bin target='' sha256='' work='' new=''
  base=${ESS_CALLBACKS_DOWNLOAD_BASE:-$BASE} repository=$REPOSITORY attestation=verify
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help) usage && exit 0 ;;
      --version | --to | --target | --base | --repository | --sha256 | --attestation)
        [ -n "${2:-}" ] || misused "$1 needs a value"
        case $1 in
          --version) version=${2#v} ;;
          --to) to=$2 ;;
          --target) target=$2 ;;
          --base) base=$2 ;;
          --repository) repository=$2 ;;
          --sha256) sha256=$(printf '%s\n' "$2" | awk '{ print tolower($0) }') ;;
          --attestation) attestation=$2 ;;
        esac
        shift 2
        ;;
      *) misused "unknown argument \`$1\`" ;;
    esac
  done
  base=${base%/}

  [ -n "$version" ] || misused '--version is missing'
  case $version in
    *[!0-9A-Za-z.-]* | [!0-9]* | *..*) misused "\`$version\` is not a version, such as 0.2.0" ;;
  esac
  case $attestation in verify | skip) ;; *) misused '--attestation is verify or skip' ;; esac
  [ -z "$sha256" ] || is_sha256 "$sha256" || misused '--sha256 is not 64 digits of hexadecimal'
  # Redirects too may use only these.
  case $base in
    https://*) protocols=https ;;
    http://127.0.0.1:* | http://localhost:*) protocols=http,https ;;
    file:///*) protocols='file' ;;
    *) misused "$base must begin with https://, with file:/// for a folder, or with http:// for this machine" ;;
  esac
  here=$(target_of_this_machine)
  target=${target:-$here}
  [ "$target" != none ] ||
    fail "there is no build for $(uname -s) on $(uname -m)" 'build it with cargo: see docs/installation.md'
  case $target in
    *[!0-9a-z_-]*) misused "\`$target\` is not a target" ;;
  esac
  command -v curl > /dev/null || fail 'there is no curl to download with'
  # Before the download, which may take long.
  [ -n "$sha256" ] || [ "$attestation" = skip ] || command -v gh > /dev/null ||
    fail 'there is no gh, which verifies who built the archive' \
      'install GitHub CLI (https://cli.github.com), give --sha256, or check only SHA256SUMS with --attestation skip'

  stem=ess-callbacks-$version-$target
  case $target in
    *-windows-*) archive=$stem.zip name=ess-callbacks.exe ;;
    *) archive=$stem.tar.gz name=ess-callbacks ;;
  esac
  trap clean_up EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  work=$(mktemp -d "${TMPDIR:-/tmp}/ess-callbacks.XXXXXX") || fail 'there is no temporary folder'
  download SHA256SUMS
  listed=$(listed_sha256)
  download "$archive"
  check "$listed"
  unpack
  place
  echo "Installed ess-callbacks $version as $to/$name."
  case :$PATH: in
    *":$to:"*) ;;
    *) echo "note: $to is not on the PATH" >&2 ;;
  esac
}

# At the end, so that a file that is cut off does nothing.
main "$@"
