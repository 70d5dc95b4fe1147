#!/usr/bin/env python3
"""Measures the whole program and writes the tables of docs/performance.md.

    python3 benches/run.py              # everything; about ten minutes
    python3 benches/run.py plan apply   # some of it
    python3 benches/run.py --built …    # with what was built before
    python3 benches/run.py --quick …    # three runs each, and nothing of a million

Builds in release first. Each number is the median of several runs; time is from the start of the
process to its end, memory its peak resident set. Needs nothing but Python and the toolchain. The
parts are plan, render, apply, one, startup; each rewrites the table between its marks in the page.
"""

import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
SEED = "42"
QUICK = "--quick" in sys.argv
ID, KEY = "AKIDBENCH", "bench-secret-key"


def build():
    """The program and the tool, in release."""
    tool = None
    command = ["cargo", "build", "--release", "--bench", "tool", "--message-format=json"]
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in lines.splitlines():
        message = json.loads(line)
        if message.get("target", {}).get("name") == "tool" and message.get("executable"):
            tool = message["executable"]
    # Last, because a bench brings a program with the features of the tests.
    subprocess.run(["cargo", "build", "--release"], cwd=ROOT, check=True)
    return ROOT / "target" / "release" / "ess-callbacks", tool


def measure(command, codes=(0,), **options):
    """Seconds, CPU seconds and peak MiB of one process."""
    start = time.monotonic()
    options.setdefault("stdout", subprocess.DEVNULL)
    options.setdefault("stderr", subprocess.DEVNULL)
    process = subprocess.Popen([str(word) for word in command], **options)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def median(command, runs, **options):
    """Each column's median of several runs."""
    runs = 3 if QUICK else runs
    return [statistics.median(column) for column in zip(*(measure(command, **options) for _ in range(runs)))]


def show(seconds):
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds:.2f} s"


def built():
    """What an earlier run built."""
    release = ROOT / "target" / "release"
    tools = [path for path in (release / "deps").glob("tool-*") if not path.suffix]
    return release / "ess-callbacks", max(tools, key=lambda path: path.stat().st_mtime)


class Bench:
    def __init__(self, folder, programs):
        self.folder = folder
        self.program, self.tool = programs
        self.made = set()

    def workload(self, callbacks, files=1, left_out="0"):
        """A folder with a configuration and its state; the path of the configuration."""
        folder = self.folder / f"{callbacks}-{files}-{left_out}"
        if folder not in self.made:
            subprocess.run([self.tool, "generate", folder, str(callbacks), str(files), SEED, left_out], check=True)
            self.made.add(folder)
        return folder / "callbacks.yaml" if files == 1 else folder

    # The parts. Each gives the lines of its table.

    def plan(self):
        yield "| callbacks | files | YAML | plan | its CPU | growth of CPU | peak memory | reading the bytes | bare YAML parse | its CPU | plan ÷ bare, time | CPU |"
        yield "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
        before = None
        for callbacks, files in [(10, 1), (1_000, 1), (10_000, 1), (100_000, 1), (100_000, 10), (1_000_000, 10)]:
            if QUICK and callbacks == 1_000_000:
                continue
            config = self.workload(callbacks, files)
            texts = [config] if files == 1 else sorted(config.glob("*.yaml"))
            size = sum(text.stat().st_size for text in texts)
            runs = 21 if callbacks < 10_000 else 7 if callbacks < 1_000_000 else 3
            took, cpu, memory = median([self.program, "-f", config, "plan"], runs)
            read, _, _ = median([self.tool, "read", *texts], runs)
            bare, bare_cpu, _ = median([self.tool, "yaml", *texts], runs)
            growth = f"{cpu / before:.1f} ×" if before else ""
            before = cpu
            yield (
                f"| {callbacks:,} | {files} | {size / 1e6:.2f} MB | {show(took)} | {show(cpu)} | {growth} | {memory:.0f} MiB "
                f"| {show(read)} | {show(bare)} | {show(bare_cpu)} | {took / bare:.2f} | {cpu / bare_cpu:.2f} |"
            )

    def render(self):
        yield "| a plan of 100,000 adds as | time | peak memory | output |"
        yield "|---|---:|---:|---:|"
        config = self.workload(100_000, 1, "100000")
        for name, words in [("text", []), ("the plan document", ["--format", "json"]), ("events", ["--json"])]:
            command = [self.program, "-f", config, "plan", *words]
            output = self.folder / "output"
            with output.open("wb") as to:
                measure(command, stdout=to)
            took, _, memory = median(command, 5)
            yield f"| {name} | {show(took)} | {memory:.0f} MiB | {output.stat().st_size / 1e6:.0f} MB |"

    def apply(self):
        yield "| apply over HTTP to the served sandbox | time | calls/s | floor | throttled | peak memory |"
        yield "|---|---:|---:|---:|---:|---:|"
        cases = [
            ("1,000 adds at 20/s, answers at once", 1_000, "20", []),
            ("1,000 adds at 20/s, each answered after 800 ms ± 50 %", 1_000, "20", ["--fault", "slow=800ms+-50%"]),
            ("20,000 adds, no limit", 20_000, "0", []),
            ("100,000 adds, no limit", 100_000, "0", []),
        ]
        for name, calls, rate, faults in cases:
            took, memory, throttled = self.applied(calls, rate, faults)
            floor = f"{(calls - 1) / int(rate):.1f} s" if rate != "0" else ""
            yield f"| {name} | {took:.2f} s | {calls / took:,.0f} | {floor} | {throttled} | {memory:.0f} MiB |"

    def applied(self, calls, rate, faults):
        config = self.workload(calls, 1, "all")
        for left in config.parent.glob("callbacks.state*"):
            left.unlink()
        environment = dict(os.environ, TENCENTCLOUD_SECRET_ID=ID, TENCENTCLOUD_SECRET_KEY=KEY)
        served = subprocess.Popen(
            [self.program, "sandbox", "--listen", "127.0.0.1:0", "--limit", rate, *faults],
            env=environment, stdout=subprocess.PIPE, text=True,
        )
        try:
            endpoint = served.stdout.readline().split()[-1]
            events = self.folder / "events"
            words = ["--endpoint", endpoint, "apply", "--auto-approve", "--rate", rate, "--json-into", events]
            if rate == "0":
                words += ["--parallelism", "128"]
            took, _, memory = measure([self.program, "-f", config, *words], env=environment)
            with events.open() as lines:
                throttled = sum('"type":"throttled"' in line for line in lines)
            return took, memory, throttled
        finally:
            served.terminate()
            served.wait()

    def one(self):
        yield "| one change in a state of | apply | plan | loading and saving the state (`state push` of itself) |"
        yield "|---:|---:|---:|---:|"
        for callbacks in (1_000, 100_000):
            config = self.workload(callbacks, 1, "1")
            planned, _, _ = median([self.program, "-f", config, "plan"], 5)
            state = config.parent / "callbacks.state.json"
            kept = config.parent / "kept"
            shutil.copy(state, kept)
            environment = dict(os.environ, TENCENTCLOUD_SECRET_ID=ID, TENCENTCLOUD_SECRET_KEY=KEY)
            served = subprocess.Popen(
                [self.program, "sandbox", "--listen", "127.0.0.1:0"], env=environment, stdout=subprocess.PIPE, text=True
            )
            try:
                endpoint = served.stdout.readline().split()[-1]
                took = []
                for _ in range(5):
                    shutil.copy(kept, state)
                    command = [self.program, "-f", config, "--endpoint", endpoint, "apply", "--auto-approve"]
                    took.append(measure(command, env=environment)[0])
            finally:
                served.terminate()
                served.wait()
            pulled, _, _ = median([self.program, "-f", config, "state", "pull"], 5)
            yield f"| {callbacks:,} | {show(statistics.median(took))} | {show(planned)} | {show(2 * pulled)} |"

    def startup(self):
        yield "| command, whole process | time | peak memory |"
        yield "|---|---:|---:|"
        config = self.workload(10)
        for name, words in [
            ("`--version`", ["--version"]),
            ("`schema`", ["schema"]),
            ("`validate` of 10 callbacks", ["-f", config, "validate"]),
            ("`plan` of 10 callbacks", ["-f", config, "plan"]),
        ]:
            took, _, memory = median([self.program, *words], 41)
            yield f"| {name} | {show(took)} | {memory:.0f} MiB |"
        yield f"| size of the binary | {self.program.stat().st_size / 1e6:.1f} MB | |"


def machine():
    cpu = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
    load = os.getloadavg()[0]
    return (
        f"Measured on {time.strftime('%Y-%m-%d', time.gmtime())}: {cpu[1] if cpu else platform.machine()}, "
        f"{os.cpu_count()} cores, {platform.system()}; the load before was {load:.1f}."
    )


def put(name, lines):
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    page = PAGE.read_text()
    before, rest = page.split(begin)
    _, after = rest.split(end)
    table = "\n".join(lines)
    PAGE.write_text(f"{before}{begin}\n\n{table}\n\n{end}{after}")


def main():
    words = sys.argv[1:]
    programs = built() if "--built" in words else build()
    parts = [word for word in words if not word.startswith("--")] or ["plan", "render", "one", "startup", "apply"]
    with tempfile.TemporaryDirectory(prefix="ess-callbacks-bench-") as folder:
        bench = Bench(pathlib.Path(folder), programs)
        for part in parts:
            lines = [machine(), "", *getattr(bench, part)()]
            print("\n".join(lines), flush=True)
            put(part, lines)


if __name__ == "__main__":
    main()
