#!/bin/sh
# Keeps the recorded state on a separate git branch, for runners that keep nothing.
#
#   state-branch.sh pull    before apply: puts the branch's files into the state folder
#   state-branch.sh push    after apply, also when it failed: commits them and pushes
#
# The push is a compare-and-swap: it is refused when another run has pushed since the pull. What was
# recorded then goes to a separate branch, and the script exits with 6; nothing is lost, and nothing
# is overwritten. Two runs at once should not happen: let the CI system run one apply at a time.
#
#   STATE_BRANCH   the branch [callbacks-state]
#   STATE_FOLDER   where its files go [.state]; give apply `--state .state/callbacks.state.json`
#   STATE_REMOTE   the remote [origin]
set -eu

branch=${STATE_BRANCH:-callbacks-state}
folder=${STATE_FOLDER:-.state}
remote=${STATE_REMOTE:-origin}

say() { printf '%s\n' "state-branch: $*" >&2; }
in_state() { git -C "$folder" "$@"; }

pull() {
  if [ -e "$folder" ]; then
    say "'$folder' already exists; remove it before the pull"
    exit 1
  fi
  url=$(git remote get-url "$remote")
  # ls-remote exits with 2 when the branch is missing, and with 128 when the remote can't be reached. Only
  # the first may begin a new state.
  code=0
  git ls-remote --exit-code --heads "$remote" "refs/heads/$branch" >/dev/null || code=$?
  case $code in
    0) ;;
    2) say "no branch '$branch' yet; the first push creates it" ;;
    *) say "can't read the branches of the remote '$remote'"; exit 1 ;;
  esac
  # A separate repository, so that no command of the pipeline commits or cleans it by accident. What
  # CI systems put into the configuration to log in is taken along.
  git init --quiet "$folder"
  in_state remote add origin "$url"
  git config --local --includes --get-regexp '^(http\..*\.extraheader|credential\.)' 2>/dev/null |
    while read -r key value; do in_state config --add "$key" "$value"; done
  if [ "$code" = 0 ]; then
    in_state fetch --quiet --no-tags origin "refs/heads/$branch"
    in_state checkout --quiet -B "$branch" FETCH_HEAD
  else
    in_state checkout --quiet --orphan "$branch"
  fi
  printf '%s\n' '*.lock' '*.backup' >>"$folder/.git/info/exclude"
}

push() {
  if [ ! -e "$folder/.git" ]; then
    say "'$folder' is missing: run the pull first; nothing is pushed"
    return
  fi
  in_state add --all .
  if in_state diff --cached --quiet; then
    say "the state is unchanged; nothing to push"
    return
  fi
  in_state -c user.name="${STATE_AUTHOR:-ess-callbacks}" \
    -c user.email="${STATE_EMAIL:-ess-callbacks@localhost}" \
    commit --quiet -m "${STATE_MESSAGE:-callbacks: record what was applied}"
  # Without force: it succeeds only on top of what was pulled.
  if in_state push --quiet origin "HEAD:refs/heads/$branch"; then
    return
  fi
  rescue=$branch-conflict-$(in_state rev-parse --short HEAD)
  if in_state push --quiet origin "HEAD:refs/heads/$rescue"; then
    say "'$branch' was changed since the pull, or it is protected."
    say "What this run recorded is on '$rescue'. Compare the two before the next apply."
    exit 6
  fi
  say "neither '$branch' nor '$rescue' could be pushed. Keep '$folder': it holds the only copy of the state."
  exit 1
}

case ${1:-} in
  pull) pull ;;
  push) push ;;
  *) say "usage: state-branch.sh pull|push"; exit 64 ;;
esac
