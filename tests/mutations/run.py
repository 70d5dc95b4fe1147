#!/usr/bin/env python3
"""Breaks one rule after another in a copy of the source, and shows which test notices.

    python3 tests/mutations/run.py [--seeds N] [--only NAME] [--table FILE]

Needs nothing but cargo. The copy and its build are under target/mutations. Prints a Markdown table;
exits with 1 when a mutation was caught by nothing or no longer fits the source. The model uses the
source's knowledge and decisions only, so it is run for mutations of these; the unit tests are run for
what nothing else has caught.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from mutations import MUTATIONS

ROOT = Path(__file__).resolve().parents[2]
COPY = ROOT / "target" / "mutations" / "source"
TARGET = ROOT / "target" / "mutations" / "target"


def copy_source():
    COPY.mkdir(parents=True, exist_ok=True)
    for name in ("Cargo.toml", "Cargo.lock", "README.md"):
        if (ROOT / name).exists():
            shutil.copy2(ROOT / name, COPY / name)
    for name in ("src", "tests", "benches", "examples"):
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, COPY / name, dirs_exist_ok=True)


def cargo(arguments, seeds=None):
    # Builds come often here, so they must be quick.
    environment = dict(
        os.environ,
        CARGO_TARGET_DIR=str(TARGET),
        CARGO_INCREMENTAL="1",
        CARGO_PROFILE_DEV_OPT_LEVEL="1",
        CARGO_PROFILE_DEV_DEBUG="0",
    )
    if seeds:
        environment["ESS_CALLBACKS_SIM_SEEDS"] = str(seeds)
    command = ["cargo", *arguments]
    return subprocess.run(command, cwd=COPY, env=environment, capture_output=True, text=True, timeout=1800)


def outcome(finished, pattern):
    if finished.returncode == 0:
        return None
    text = finished.stdout + finished.stderr
    if "could not compile" in text:
        sys.exit("the mutation does not compile:\n" + text[-4000:])
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1).strip() if found else "failed"


def simulation(seeds):
    ended = cargo(["test", "--quiet", "--test", "sim"], seeds)
    return outcome(ended, r"^seed (\d+: \(\w\)|\d+: panic)")


def model():
    ended = cargo(["test", "--quiet", "--test", "model"])
    return outcome(ended, r"^broken: (.*)$")


def unit_tests():
    ended = cargo(["test", "--quiet", "--lib", "--", "plan::", "state::", "model::", "apply::", "client::"])
    return outcome(ended, r"^    ([\w:]+)$")


def cell(text):
    return "–" if text is None else text.replace("|", "\\|")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20_000)
    parser.add_argument("--only")
    parser.add_argument("--table", type=Path)
    parser.add_argument("--all", action="store_true", help="run the unit tests also where the others have caught it")
    arguments = parser.parse_args()
    copy_source()
    if not arguments.only:
        for name, caught in (("simulation", simulation(2000)), ("model", model())):
            if caught:
                sys.exit(f"the {name} fails without a mutation: {caught}")
    rows = ["| mutation | rule it breaks | simulation | model | unit tests |", "|---|---|---|---|---|"]
    survived = []
    for name, rule, path, old, new in MUTATIONS:
        if arguments.only and arguments.only not in name:
            continue
        file = COPY / path
        text = file.read_text()
        if text.count(old) != 1:
            sys.exit(f"{name}: its text occurs {text.count(old)} times in {path}")
        begun = time.monotonic()
        try:
            file.write_text(text.replace(old, new))
            modelled = path.startswith(("src/model/", "src/plan/decide/"))
            caught = [simulation(arguments.seeds), model() if modelled else None, None]
            if arguments.all or not any(caught):
                caught[2] = unit_tests()
        finally:
            file.write_text(text)
        if not any(caught):
            survived.append(name)
        rows.append(f"| {name} | {rule} | " + " | ".join(map(cell, caught)) + " |")
        print(rows[-1], f"{time.monotonic() - begun:.0f} s", flush=True)
    if arguments.table:
        arguments.table.write_text("\n".join(rows) + "\n")
    if survived:
        sys.exit("caught by nothing: " + ", ".join(survived))


if __name__ == "__main__":
    main()
