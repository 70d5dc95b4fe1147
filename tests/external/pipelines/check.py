"""What the tools of run.sh can't be told on their command line: scripts inside of YAML, and metrics.

    check.py OF_APPLY OF_CONTROLLER

Beside them it writes dashboard.yml, rules of the dashboard's queries, for promtool.
"""

import json
import pathlib
import subprocess
import sys

from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

EXAMPLES = pathlib.Path("examples")


def scripts(value):
    """Every script: `run` of GitHub's steps, `script` and `before_script` of GitLab's jobs."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "run" and isinstance(inner, str):
                yield inner
            elif name in ("script", "before_script"):
                yield "\n".join(inner)
            else:
                yield from scripts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from scripts(inner)


def families(metrics, least):
    """What Prometheus reads in a file of metrics."""
    found = list(text_string_to_metric_families(metrics.read_text()))
    for family in found:
        assert family.documentation and family.samples, family
        assert family.type in ("gauge", "counter"), family
        units = {"timestamp": "_timestamp_seconds", "duration": "_duration_seconds"}
        for word, end in units.items():
            assert word not in family.name or family.name.endswith(end), family.name
    assert len(found) >= least, len(found)
    names = [family.name for family in found]
    assert len(set(names)) == len(names), names
    return found


def main(metrics, of_controller):
    checked = 0
    for path in [*EXAMPLES.glob("github/**/*.yml"), *EXAMPLES.glob("gitlab/*.yml")]:
        for script in scripts(YAML(typ="safe").load(path)):
            linted = subprocess.run(["shellcheck", "--shell=bash", "-"], input=script, text=True, check=False)
            if linted.returncode:
                return "%s: see above" % path
            checked += 1
    assert checked >= 21, checked

    of_apply = families(metrics, 11)
    assert {family.type for family in of_apply} == {"gauge"}, "a run ends: it counts nothing"
    of_controller = families(of_controller, 24)

    dashboard = json.loads((EXAMPLES / "grafana/ess-callbacks.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    rules = [{"record": "query:%d" % number, "expr": query.replace("$environment", ".*")}
             for number, query in enumerate(queries)]
    groups = {"groups": [{"name": "dashboard", "rules": rules}]}
    metrics.with_name("dashboard.yml").write_text(json.dumps(groups))
    counts = (checked, len(of_apply), len(of_controller), len(queries))
    print("%d scripts, %d and %d metrics and %d queries are well formed" % counts)
    return None


if __name__ == "__main__":
    sys.exit(main(*map(pathlib.Path, sys.argv[1:])))
