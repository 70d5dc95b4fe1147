#!/usr/bin/env bash
# Reads workflows and examples the way their readers would: by the vendors' schemas, linters of workflows and of
# shells, and a parser of metrics. What can be run without them is run by tests/it/examples.
#
#   tests/external/pipelines/run.sh [PROGRAM]    PROGRAM is ess-callbacks [target/debug/ess-callbacks]
#
# The readers come from PyPI and lie under target/, by the hash of requirements.txt. `promtool` and `kubectl` are
# used where they are installed.
set -euo pipefail
cd "$(dirname "$0")/../../.."

program=$(realpath "${1:-target/debug/ess-callbacks}")
environment=$(tests/external/python.sh pipelines)
PATH=$environment/bin:$PATH

check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/{ci,release}.yml \
  examples/github/{plan,comment,apply,heal}.yml examples/github/bucket/{plan,apply,heal}.yml
check-jsonschema --builtin-schema vendor.github-actions examples/github/action.yml
check-jsonschema --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci .gitlab-ci.yml \
  examples/gitlab/{,state-branch}.gitlab-ci.yml
kubernetes-validate --strict examples/kubernetes/{state,heal}.yaml \
  examples/kubernetes-controller/{deployment,service,pdb,networkpolicy}.yaml
pre-commit validate-config examples/pre-commit-config.yaml
shellcheck examples/*.sh tests/external/*.sh examples/github/*.sh release/*.sh tests/external/*/*.sh tests/vectors/releases/*.sh .ci/run

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python tests/external/pipelines/kustomize.py "$folder"
kubernetes-validate --strict "$folder"/*.yaml

# The workflows where GitHub looks for them: here, and in a repository that copied the examples.
settings=$PWD/tests/external/pipelines/zizmor.yml
actionlint
zizmor --offline --quiet --no-progress --config "$settings" .github examples/github/action.yml
for kind in github github/bucket; do
  copied=$folder/copied-$(basename "$kind")
  mkdir -p "$copied/.github/workflows" "$copied/.github/actions/ess-callbacks"
  cp "examples/$kind"/*.yml "$copied/.github/workflows"
  rm -f "$copied/.github/workflows/action.yml"
  cp examples/github/{action.yml,install.sh} "$copied/.github/actions/ess-callbacks"
  git init --quiet "$copied"
  (cd "$copied" && actionlint && zizmor --offline --quiet --no-progress --config "$settings" .)
done

cp callbacks.yaml.example "$folder/callbacks.yaml"
"$program" -f "$folder/callbacks.yaml" --sandbox apply --auto-approve --quiet --metrics-file "$folder/esign.prom" \
  2>/dev/null
# In a separate folder, so that there is something to apply.
install -D callbacks.yaml.example "$folder/controller/callbacks.yaml"
python tests/external/pipelines/scrape.py "$program" "$folder/controller" >"$folder/controller.prom"
python tests/external/pipelines/check.py "$folder/esign.prom" "$folder/controller.prom"

if command -v promtool >/dev/null; then
  promtool check metrics <"$folder/esign.prom"
  promtool check metrics <"$folder/controller.prom"
  promtool check rules examples/prometheus/alerts.yml "$folder/dashboard.yml"
else
  echo "SKIPPED: there is no promtool to check the queries with"
fi
