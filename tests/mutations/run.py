#!/usr/bin/env python3
"""Breaks one rule after another in a copy of the source, and shows which test notices.

    python3 tests/mutations/run.py [--seeds N] [--only NAME]... [--all] [--write]
    python3 tests/mutations/run.py --check

Needs nothing but cargo. The copy and its build are under target/mutations. The copy has only the layers
that the simulation and the model use, so that building it takes seconds. A mutation first meets a few
seeds of the simulation, which ends at the first that breaks a rule. The model uses the source's knowledge
and decisions only, so it is run for mutations of these; the unit tests are run for what nothing else has
caught, and at last all seeds. Exits with 1 when a mutation is caught by nothing or does not fit the source.

--write puts the table into docs/reliability.md. --check runs nothing: it compares the mutations with the
source and with that table.
"""

import argparse
import datetime
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import source
from mutations import MUTATIONS

ROOT = Path(__file__).resolve().parents[2]
COPY = ROOT / "target" / "mutations" / "source"
TARGET = ROOT / "target" / "mutations" / "target"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- mutations: begin -->", "<!-- mutations: end -->"
LAYERS = "apply client config diag facts harmless model plan random run secret sign state testing wire".split()
# What the controller decides, without what it shows.
DECISIONS = "checkout decision portion schedule".split()
SECTIONS = ("package", "features", "target", "dependencies", "dev-dependencies", "profile")
HEAD = ["| mutation | rule it breaks | simulation | model | unit tests |", "|---|---|---|---|---|"]
# The schedules run ten times as fast as unoptimized ones, and a mutation is built in seconds.
QUICK_BUILDS = "[profile.release.package.ess-callbacks]\nopt-level = 1\ncodegen-units = 256\n"
# Most mutations that the simulation catches, it catches at one of the first hundreds.
FEW = 5_000
# Many times what the slowest of them takes.
LONGEST = 900


def copy_source():
    shutil.rmtree(COPY, ignore_errors=True)
    (COPY / "src").mkdir(parents=True)
    for part in [f"src/{name}" for name in LAYERS] + ["tests/sim", "tests/model", "tests/it/apply"]:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, COPY / part)
        else:
            shutil.copy2(ROOT / f"{part}.rs", COPY / f"{part}.rs")
    (COPY / "src" / "controller").mkdir()
    for name in DECISIONS:
        shutil.copy2(ROOT / "src" / "controller" / f"{name}.rs", COPY / "src" / "controller")
    modules = "".join(f"mod {name};\npub use self::{name}::*;\n" for name in DECISIONS)
    (COPY / "src" / "controller" / "mod.rs").write_text(modules)
    (COPY / "src" / "lib.rs").write_text("".join(f"pub mod {name};\n" for name in [*LAYERS, "controller"]))
    shutil.copy2(ROOT / "Cargo.lock", COPY / "Cargo.lock")
    sections = re.split(r"^(?=\[)", (ROOT / "Cargo.toml").read_text(), flags=re.MULTILINE)
    kept = [text for text in sections if re.match(r"\[(\w[\w-]*)", text) and text[1:].startswith(SECTIONS)]
    package = re.sub(r"^(default-run|readme) = .*\n", "", "".join(kept), flags=re.MULTILINE)
    paths = {"sim": "sim/main", "model": "model/main", "apply": "it/apply/mod"}
    tests = "".join(f'[[test]]\nname = "{name}"\npath = "tests/{path}.rs"\n' for name, path in paths.items())
    (COPY / "Cargo.toml").write_text(package + tests + QUICK_BUILDS + "[workspace]\n")


def cargo(arguments, seeds=None):
    """The exit code, `None` when it does not end, and all that was said."""
    environment = dict(os.environ, CARGO_TARGET_DIR=str(TARGET), CARGO_PROFILE_RELEASE_INCREMENTAL="true")
    if seeds:
        environment["ESS_CALLBACKS_SIM_SEEDS"] = str(seeds)
    child = subprocess.Popen(
        ["cargo", "test", "--release", "--quiet", *arguments],
        cwd=COPY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = child.communicate(timeout=LONGEST)
        return child.returncode, said
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return None, ""


class DoesNotCompile(Exception):
    """A mutation that shows nothing. The others are run nevertheless, because all of them take long."""


def outcome(ended, pattern):
    code, said = ended
    if code == 0:
        return None
    if code is None:
        return "does not end"
    if "could not compile" in said:
        raise DoesNotCompile(said[-4000:])
    found = re.search(pattern, said, re.MULTILINE)
    if not found:
        sys.exit("it failed for an unknown reason:\n" + said[-4000:])
    return found.group(1).strip()


def simulation(seeds):
    ended = cargo(["--test", "sim", "random_schedules"], seeds)
    return outcome(ended, r"^seed (\d+: \(\w\)|\d+: panic)")


def model():
    ended = cargo(["--test", "model", "every_reachable_state"])
    return outcome(ended, r"^broken: (\(\w\)[^:]*)")


def unit_tests(path=None):
    """Of the layer that this file is in, and of the applier, which uses them all; and its scenarios."""
    layers = ["--", f"{path.split('/')[1]}::", "apply::"] if path else []
    name = r"^    ([\w:]+)$"
    return outcome(cargo(["--lib", *layers]), name) or outcome(cargo(["--test", "apply"]), name)


def mutated(mutation, root):
    """The texts of the files that a mutation changes, before and after."""
    before, after = {}, {}
    for path, item, fragment, becomes in mutation.edits:
        if not (root / path).is_file():
            sys.exit(f"{mutation.name}: there is no {path}")
        text = after.get(path, (root / path).read_text())
        before.setdefault(path, text)
        try:
            after[path] = source.replaced(text, item, fragment, becomes)
        except source.NoFit as why:
            sys.exit(f"{mutation.name}: in {path} {why}")
    if before == after:
        sys.exit(f"{mutation.name} changes nothing")
    return before, after


def write_files(texts):
    for path, text in texts.items():
        (COPY / path).write_text(text)


def check():
    page = PAGE.read_text()
    table = page.split(BEGIN)[1].split(END)[0]
    rows = [tuple(cell.strip() for cell in line.split("|")[1:3]) for line in table.splitlines() if line.startswith("|")]
    for mutation in MUTATIONS:
        mutated(mutation, ROOT)
    declared = [(mutation.name, mutation.rule) for mutation in MUTATIONS]
    if rows[2:] != declared:
        difference = sorted(set(rows[2:]) ^ set(declared))
        sys.exit(f"the table of {PAGE.name} does not list these mutations (run.py --write): {difference or 'another order'}")


def write_table(rows, seeds):
    before, rest = PAGE.read_text().split(BEGIN)
    caught = [sum(row.split("|")[column].strip() != "–" for row in rows) for column in (3, 4, 5)]
    today = datetime.datetime.now(datetime.timezone.utc).date()
    sentence = (
        f"Run on {today}: {len(rows)} mutations, all caught; {caught[0]} by the simulation, {caught[1]} by the model, "
        f"{caught[2]} by unit tests. The simulation was given seeds 1 to {FEW:,}, and to {seeds:,} where nothing "
        "else caught a mutation. A dash: not caught, or not asked."
    )
    middle = "\n".join(["", sentence, "", *HEAD, *rows, ""])
    PAGE.write_text(before + BEGIN + middle + END + rest.split(END)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20_000)
    parser.add_argument("--only", action="append", default=[], help="mutations whose name has this in it")
    parser.add_argument("--all", action="store_true", help="run the unit tests also where the others have caught it")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if arguments.check:
        return check()
    copy_source()
    if not arguments.only:
        for name, caught in (("simulation", simulation(500)), ("model", model()), ("unit tests", unit_tests())):
            if caught:
                sys.exit(f"the {name} fails without a mutation: {caught}")
    rows, survived, failed = [], [], []
    for mutation in MUTATIONS:
        name, rule = mutation.name, mutation.rule
        if arguments.only and not any(part in name for part in arguments.only):
            continue
        begun = time.monotonic()
        before, after = mutated(mutation, COPY)
        try:
            write_files(after)
            modelled = any(path.startswith(("src/model/", "src/plan/decide/")) for path in after)
            caught = [simulation(FEW), model() if modelled else None, None]
            if arguments.all or not any(caught):
                caught[2] = unit_tests(mutation.edit.path)
            if not any(caught):
                caught[0] = simulation(arguments.seeds)
        except DoesNotCompile as said:
            print(f"{name} does not compile:\n{said}", flush=True)
            failed.append(name)
            continue
        finally:
            write_files(before)
        if not any(caught):
            survived.append(name)
        cells = ["–" if found is None else found.replace("|", "\\|") for found in caught]
        rows.append(f"| {name} | {rule} | " + " | ".join(cells) + " |")
        print(rows[-1], f"{time.monotonic() - begun:.0f} s", flush=True)
    if survived or failed:
        sys.exit(f"caught by nothing: {', '.join(survived) or 'none'}; does not compile: {', '.join(failed) or 'none'}")
    if arguments.write and not arguments.only:
        write_table(rows, arguments.seeds)


if __name__ == "__main__":
    main()
