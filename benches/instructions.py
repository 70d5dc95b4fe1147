#!/usr/bin/env python3
"""Counts the instructions of the hot paths and compares them with benches/instructions.json.

    python3 benches/instructions.py             # fails when a count is more than 3 % off
    python3 benches/instructions.py --record    # writes the counts down

A count does not depend on what else the machine does, so a regression shows without timing anything.
Each stage (benches/stages) runs once and three times under callgrind; half the difference is what one
run costs, without the start of the process and the making of its input. Counts belong to a compiler,
an architecture and a C library: where these differ from the recorded ones, the counts are shown and
not judged. Needs valgrind.
"""

import concurrent.futures
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

from common import ROOT, build_bench

RECORD = ROOT / "benches" / "instructions.json"
# The counts of one build differ by less than 0.1 % from run to run, whatever the load and the
# environment; what is more is the code.
TOLERANCE = 0.03


def context():
    """What the counts belong to."""
    rustc = subprocess.run(["rustc", "-V"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    # Valgrind shows the program the vector instructions of the machine.
    flags = re.search(r"^flags\s*:(.*)", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    vectors = [flag for flag in ("avx", "avx2") if flags and flag in flags[1].split()]
    return {
        "compiler": rustc.strip(),
        "machine": f"{platform.system()} {platform.machine()} {' '.join(vectors)}".strip(),
        "C library": " ".join(platform.libc_ver()),
    }


def collected(hot, stage, times):
    """The instructions of a process."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", hot, stage, str(times)]
    # Where the stack begins depends on the size of the environment.
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not found:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return int(found[1])


def count(hot):
    """The instructions of one run of each stage."""
    names = subprocess.run([hot, "list"], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = {name: [pool.submit(collected, hot, name, times) for times in (1, 3)] for name in names}
        return {name: (three.result() - one.result()) // 2 for name, (one, three) in runs.items()}


def compare(counts, recorded):
    """The rows of the table, and the stages that are off."""
    rows, off = [], []
    for name in recorded | counts:
        now, before = counts.get(name), recorded.get(name)
        if now is None or before is None:
            off.append(name)
            rows.append(f"{name:32} {now or 'gone':>14} {before or 'not recorded':>14}")
            continue
        change = now / before - 1
        mark = ""
        if abs(change) > TOLERANCE:
            off.append(name)
            mark = "  <-- worse" if change > 0 else "  <-- better"
        rows.append(f"{name:32} {now:>14,} {before:>14,} {change:>+8.2%}{mark}")
    return rows, off


def main():
    hot = build_bench("hot")
    here, counts = context(), count(hot)
    if "--record" in sys.argv:
        RECORD.write_text(json.dumps({"context": here, "counts": counts}, indent=2) + "\n")
        print(f"{len(counts)} counts written to {RECORD.relative_to(ROOT)}")
        return
    known = json.loads(RECORD.read_text())
    print(f"{'instructions of':32} {'now':>14} {'recorded':>14}   change")
    rows, off = compare(counts, known["counts"])
    print("\n".join(rows))
    if known["context"] != here:
        print("not judged: the counts were recorded with something else")
        for name, value in here.items():
            print(f"  {name}: {value}, recorded with {known['context'].get(name)}")
    elif off:
        print(
            f"more than {TOLERANCE:.0%} off: {', '.join(off)}\n"
            "If that is meant, write the counts down with `python3 benches/instructions.py --record` and say why in "
            "the commit."
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
