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
    say "'$folder' is there already; a run begins without it"
    exit 1
  fi
  url=$(git remote get-url "$remote")
  # ls-remote tells "there is no such branch" (2) from "the remote can't be reached" (128). Taking the
  # second for the first would begin a new state and forget everything.
  code=0
  git ls-remote --exit-code --heads "$remote" "refs/heads/$branch" >/dev/null || code=$?
  case $code in
    0) ;;
    2) say "there is no branch '$branch' yet; the first push makes it" ;;
    *) say "the remote '$remote' can't be asked for '$branch'"; exit 1 ;;
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
    say "there is no '$folder': nothing was pulled, so nothing can be recorded"
    return
  fi
  in_state add --all .
  if in_state diff --cached --quiet; then
    say "nothing new is recorded"
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
    say "somebody else pushed to '$branch' since the pull, or it is protected."
    say "What this run recorded is on '$rescue'. Compare the two before the next apply."
    exit 6
  fi
  say "neither '$branch' nor '$rescue' can be pushed. Keep '$folder': it holds what was recorded."
  exit 1
}

case ${1:-} in
  pull) pull ;;
  push) push ;;
  *) say "usage: state-branch.sh pull|push"; exit 64 ;;
esac
