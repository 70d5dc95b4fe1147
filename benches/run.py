#!/usr/bin/env python3
"""Measures the whole program and writes the tables of docs/performance.md.

    python3 benches/run.py              # everything; about five minutes
    python3 benches/run.py plan apply   # some of it
    python3 benches/run.py --quick …    # three runs each and small sizes, to try it; the page stays as it is

Builds in release first. Each number is the median of several runs; time is from the start of the
process to its end, memory its peak resident set. Needs nothing but Python and the toolchain. The
parts are plan, render, micro, one, startup, apply, lifted, verify; each rewrites the table between its marks
in the page. benches/compare.py does the same for other programs, benches/instructions.py counts
instructions.
"""

import collections
import concurrent.futures
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from common import ROOT, build_bench, build_program, machine, measure, median, put, show, times
from receivers import Receivers
from served import ENVIRONMENT, Served, fullest, refused, until_full

SEED = "42"
QUICK = "--quick" in sys.argv
# A file of a directory has about so many callbacks, however many files there are: a company that grows
# has more teams, not larger files.
A_FILE = 10_000
MIB = 1 << 20


class Bench:
    def __init__(self, folder, program, tool, micro):
        self.folder = folder
        self.program, self.tool, self.micro_bench = program, tool, micro
        self.made = set()

    def workload(self, callbacks, files=1, left_out="0", organizations="mixed", seed=SEED):
        """A configuration and its state; the path of the configuration."""
        folder = self.folder / f"{callbacks}-{files}-{left_out}-{organizations}-{seed}"
        if folder not in self.made:
            words = [folder, callbacks, files, seed, left_out, organizations]
            subprocess.run([self.tool, "generate", *map(str, words)], check=True)
            self.made.add(folder)
        return folder / "callbacks.yaml" if files == 1 else folder

    # The parts. Each gives the lines of its table.

    def plan(self):
        yield (
            "| callbacks | files | organizations | YAML | plan | its CPU | growth | peak memory | growth | reading the bytes "
            "| bare YAML parse | its CPU | plan ÷ bare, time | CPU |"
        )
        yield "|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
        for series in (
            [(10, 1, "mixed"), (1_000, 1, "mixed"), (10_000, 1, "mixed"), (100_000, 1, "mixed")],
            [(100_000, 10, "mixed"), (1_000_000, 100, "mixed")],
            [(100_000, 1, "few")],
            [(100_000, 1, "many")],
        ):
            before = (None, None)
            for callbacks, files, organizations in series:
                if QUICK and callbacks > 10_000:
                    continue
                row, before = self.planned(callbacks, files, organizations, before)
                yield row

    def planned(self, callbacks, files, organizations, before):
        config = self.workload(callbacks, files, organizations=organizations)
        texts = [config] if files == 1 else sorted(config.glob("*.yaml"))
        size = sum(text.stat().st_size for text in texts)
        runs = 21 if callbacks < 10_000 else 7 if callbacks < 100_000 else 3
        took, cpu, memory = median([self.program, "-f", config, "plan"], self.runs(runs))
        read, _, _ = median([self.tool, "read", *texts], self.runs(runs))
        bare, bare_cpu, _ = median([self.tool, "yaml", *texts], self.runs(runs))
        row = (
            f"| {callbacks:,} | {files} | {organizations} | {size / 1e6:.2f} MB | {show(took)} | {show(cpu)} "
            f"| {times(took, before[0])} | {memory:.0f} MiB | {times(memory, before[1])} | {show(read)} | {show(bare)} "
            f"| {show(bare_cpu)} | {took / bare:.2f} | {cpu / bare_cpu:.2f} |"
        )
        return row, (took, memory)

    def render(self):
        yield "| a plan of so many adds | as | time | growth | peak memory | growth | output | bare YAML parse |"
        yield "|---:|---|---:|---:|---:|---:|---:|---:|"
        sizes = (100, 1_000) if QUICK else (10_000, 100_000)
        formats = [
            ("text", []),
            ("`--format markdown`", ["--format", "markdown"]),
            ("`--format diff`", ["--format", "diff"]),
            ("`--format json`", ["--format", "json"]),
            ("events (`--json`)", ["--json"]),
        ]
        before = {}
        for callbacks in sizes:
            config = self.workload(callbacks, left_out=str(callbacks))
            bare, _, _ = median([self.tool, "yaml", config], self.runs(5))
            for name, words in formats:
                command = [self.program, "-f", config, "plan", *words]
                output = self.folder / "output"
                with output.open("wb") as to:
                    measure(command, stdout=to)
                took, _, memory = median(command, self.runs(5))
                earlier = before.get(name, (None, None))
                before[name] = took, memory
                yield (
                    f"| {callbacks:,} | {name} | {show(took)} | {times(took, earlier[0])} | {memory:.0f} MiB "
                    f"| {times(memory, earlier[1])} | {output.stat().st_size / 1e6:.2f} MB | {show(bare)} |"
                )

    def micro(self):
        yield "| stage | 10 callbacks | 1,000 | growth | 100,000 | growth |"
        yield "|---|---:|---:|---:|---:|---:|"
        words = ["--bench", "--max-time", "0.1" if QUICK else "0.5"]
        done = subprocess.run(
            [self.micro_bench, *words], cwd=ROOT, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        stages = collections.defaultdict(dict)
        # `├─ parse: 1000   5.4 ms  │ 6.2 ms  │ 5.7 ms  │ …`: fastest, slowest, median.
        for stage, callbacks, found in re.findall(r"─ (\S.*?): (\d+) (.*)", done.stdout):
            middle = found.split("│")[2].split()
            stages[stage][int(callbacks)] = float(middle[0]) * UNITS[middle[1]]
        if not stages:
            raise SystemExit(f"no results in what the micro benches print:\n{done.stdout}")
        for stage, medians in stages.items():
            ten, thousand, more = (medians.get(size) for size in (10, 1_000, 100_000))
            cell = lambda seconds: "" if seconds is None else show(seconds)
            growth = lambda now, earlier: times(now, earlier) if now and earlier else ""
            yield (
                f"| {stage} | {cell(ten)} | {cell(thousand)} | {growth(thousand, ten)} "
                f"| {cell(more)} | {growth(more, thousand)} |"
            )

    def one(self):
        yield (
            "| one add in a state of | state | loading and saving it | `apply` of a saved plan | ÷ loading and saving "
            "| its peak memory | `plan` | `apply` without a saved plan |"
        )
        yield "|---:|---:|---:|---:|---:|---:|---:|---:|"
        for callbacks, files in [(1_000, 1)] if QUICK else [(1_000, 1), (100_000, 10), (1_000_000, 100)]:
            config = self.workload(callbacks, files)
            folder = config.parent if files == 1 else config
            state, full, lacking = (folder / name for name in ("callbacks.state.json", "full", "lacking"))
            shutil.copy(state, full)
            without_first(full, lacking)
            runs = self.runs(5 if callbacks < 1_000_000 else 3)

            def fresh():
                # Nothing writes into a state file: a new one takes its place.
                for left in folder.glob("callbacks.state*"):
                    left.unlink()
                os.link(lacking, state)

            def each(command, **options):
                took = []
                for _ in range(runs):
                    fresh()
                    took.append(measure(command, **options))
                return [statistics.median(column) for column in zip(*took)]

            resaved, _, _ = each([self.tool, "resave", state])
            saved_plan = folder / "saved-plan"
            fresh()
            with Served(self.program, "20") as served:
                words = [self.program, "-f", config, "--endpoint", served.endpoint]
                planned, _, _ = measure([*words, "plan", "--out", saved_plan])
                applied, _, memory = each([*words, "apply", saved_plan], env=ENVIRONMENT)
                anew, _, _ = each([*words, "apply", "--auto-approve"], env=ENVIRONMENT)
            yield (
                f"| {callbacks:,} | {lacking.stat().st_size / 1e6:.1f} MB | {show(resaved)} | {show(applied)} "
                f"| {applied / resaved:.2f} | {memory:.0f} MiB | {show(planned)} | {show(anew)} |"
            )
            for left in folder.glob("callbacks.state*"):
                left.unlink()
            os.link(full, state)

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
            took, _, memory = median([self.program, *words], self.runs(41))
            yield f"| {name} | {show(took)} | {memory:.0f} MiB |"
        yield f"| size of the binary | {self.program.stat().st_size / 1e6:.1f} MB | |"

    def apply(self):
        yield "| at 20/s | time | floor | throttled | fullest second at the server | fullest fixed second | full rate again after |"
        yield "|---|---:|---:|---:|---:|---:|---:|"
        calls = 300 if QUICK else 1_000
        cases = [
            (self.latency, calls, f"{calls:,} adds, each answered after 50 ms", "slow=50ms"),
            (self.latency, calls, f"{calls:,} adds, each answered after 800 ms ± 50 %", "slow=800ms±50%"),
            (self.latency, calls, f"{calls:,} adds, 50 ms, one in twenty after 5 s more", "slow=50ms,slow@5s=0.05"),
            *(
                (self.latency, calls, f"{calls:,} adds, 50 ms, the way there takes up to {most} ms more", f"slow=50ms,jitter={most}ms")
                for most in (20, 50, 200, 800)
            ),
            (self.two_accounts, calls),
            (self.outage, calls // 2),
            (self.rival, calls // 2),
        ]
        # Each with a separate configuration, state and eSign. They hardly do anything, so they
        # may do it side by side.
        configs = [self.workload(calls, left_out="all", seed=str(seed)) for seed, (_, calls, *_) in enumerate(cases)]
        with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
            runs = [pool.submit(case, config, *words) for config, (case, *words) in zip(configs, cases)]
            yield from (run.result() for run in runs)

    def row(self, name, run, log, floor, disturbed=None):
        sliding, fixed = fullest(log)
        back = ""
        if disturbed:
            seconds = until_full(log, disturbed)
            back = "not in this run" if seconds is None else f"{seconds:.1f} s"
        return f"| {name} | {run.seconds:.1f} s | {floor:.1f} s | {refused(log)} | {sliding} | {fixed} | {back} |"

    def latency(self, config, calls, name, faults):
        with Served(self.program, "20", "--fault", faults) as served:
            run = served.start(config).wait()
            return self.row(name, run, served.log(), floor=(calls - 1) / 20)

    def two_accounts(self, config, calls):
        partner = "accounts:\n  default: {}\n  partner: { env: { secret_id: PARTNER_ID, secret_key: PARTNER_KEY } }\n"
        head, *organizations = config.read_text().split("    callbacks:\n")
        text = head.replace("organizations:\n", partner + "organizations:\n")
        for number, callbacks in enumerate(organizations):
            text += f"    account: {'partner' if number % 2 else 'default'}\n    callbacks:\n{callbacks}"
        config.write_text(text)
        with Served(self.program, "20", accounts=2) as served:
            run = served.start(config).wait()
            log = served.log()
        accounts = collections.defaultdict(list)
        for arrival in log:
            # Whose credentials these are is asked of another service, which has a separate limit.
            if arrival["action"] != "GetCallerIdentity":
                accounts[arrival["secret_id"]].append(arrival)
        one, other = sorted(accounts.values(), key=len)
        done = [len(log) - refused(log) for log in (one, other)]
        name = f"{calls:,} adds, {done[0]:,} of one account and {done[1]:,} of another"
        # The table shows the account with the fullest second.
        return self.row(name, run, max(one, other, key=fullest), floor=(max(done) - 1) / 20)

    def outage(self, config, calls):
        seconds = 1 if QUICK else 5
        with Served(self.program, "20") as served:
            run = served.start(config)
            time.sleep(1 if QUICK else 8)
            served.faults("lost-before=1")
            time.sleep(seconds)
            served.faults("")
            run.wait()
            log = served.log()
        end = max(arrival["at_micros"] for arrival in log if arrival["fault"] == "lost-before")
        name = f"{calls:,} adds, no answers for {seconds} s"
        return self.row(name, run, log, (calls - 1) / 20 + seconds, disturbed=end)

    def rival(self, config, calls):
        other = self.workload(calls // 5, left_out="all", seed="7")
        theirs = set(re.findall(r"proxy_organization_id: (\w+)", other.read_text()))
        with Served(self.program, "20") as served:
            run = served.start(config)
            time.sleep(0.5 if QUICK else 5)
            rival = served.start(other, rate="10").wait()
            run.wait()
            log = served.log()
        ours = [arrival for arrival in log if arrival["organization"] not in theirs]
        end = max(arrival["at_micros"] for arrival in log if arrival["organization"] in theirs)
        name = f"{calls:,} adds, beside {calls // 5:,} of another client at 10/s for {rival.seconds:.0f} s"
        return self.row(name, run, ours, (calls + calls // 5 - 1) / 20, disturbed=end)

    def config_to_apply(self, calls):
        """A configuration of which nothing is recorded."""
        config = self.workload(calls, left_out="all")
        for left in config.parent.glob("callbacks.state*"):
            left.unlink()
        return config

    def lifted(self):
        yield "| no limit | time | calls/s | peak memory | memory at 10 % of the calls, 50 %, 90 % |"
        yield "|---|---:|---:|---:|---:|"
        for calls in (1_000,) if QUICK else (20_000, 100_000):
            config = self.config_to_apply(calls)
            _, _, memory = measure([self.program, "-f", config, "plan"])
            yield f"| `plan` of {calls:,} adds, nothing recorded | | | {memory:.0f} MiB | |"
            with Served(self.program, "0") as served:
                words = ["--parallelism", "128"]
                run = served.start(config, *words, rate="0", watch=calls).wait()
                yield lifted_row(f"`apply` of {calls:,} adds", calls, run)
                # The state holds where its calls went, and only plans for there.
                _, _, memory = measure([self.program, "-f", config, "--endpoint", served.endpoint, "plan"])
                yield f"| `plan` after it, {calls:,} recorded | | | {memory:.0f} MiB | |"
                run = served.start(config, *words, "--heal", rate="0", watch=calls).wait()
                yield lifted_row(f"`apply --heal`: {calls:,} adds of what is recorded", calls, run)

    def verify(self):
        yield "| receivers | hosts | answer after | time | requests | most at once on a host |"
        yield "|---:|---:|---:|---:|---:|---:|"
        number = 100 if QUICK else 1_000
        for hosts in (number, number // 4):
            with Receivers(hosts, 0.05) as receivers:
                config = receivers.config(self.folder / f"verify-{hosts}", number)
                words = ["-f", config, "verify", "--allow-private", "--parallel", "64"]
                begun = time.monotonic()
                # Every receiver answers 200 to everything, which is a warning and no error.
                subprocess.run([self.program, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                took = time.monotonic() - begun
                yield f"| {number:,} | {hosts:,} | 50 ms | {took:.1f} s | {receivers.requests:,} | {receivers.most} |"

    def controller(self):
        yield "| callbacks | resident after the first round | a minute later | CPU of one core |"
        yield "|---:|---:|---:|---:|"
        for callbacks in (100, 1_000) if QUICK else (1_000, 10_000):
            config = self.config_to_apply(callbacks)
            with Served(self.program, "0") as served:
                served.start(config, "--parallelism", "128", rate="0").wait()
                words = ["-f", config, "--endpoint", served.endpoint, "controller", "--listen", "127.0.0.1:0", "--rate", "0"]
                command = [*map(str, [self.program, *words])]
                with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                    time.sleep(10)
                    before, begun = usage(process.pid), time.monotonic()
                    time.sleep(60)
                    after = usage(process.pid)
                    share = (after[1] - before[1]) / (time.monotonic() - begun)
                    process.terminate()
            yield f"| {callbacks:,} | {before[0]:.0f} MiB | {after[0]:.0f} MiB | {share:.2%} |"

    @staticmethod
    def runs(number):
        return min(number, 3) if QUICK else number


def usage(pid):
    """Resident MiB of a process, and the seconds of CPU that it took."""
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    ticks = int(stat[11]) + int(stat[12])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB, ticks / os.sysconf("SC_CLK_TCK")


UNITS = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0}


def lifted_row(name, calls, run):
    marks = ", ".join(f"{run.memory[percent] / MIB:.0f}" for percent in (10, 50, 90))
    return f"| {name} | {run.seconds:.2f} s | {calls / run.seconds:,.0f} | {run.peak:.0f} MiB | {marks} MiB |"


def without_first(state, to):
    """The same state without its first callback: they stand one a line."""
    with state.open("rb") as lines, to.open("wb") as out:
        dropped = False
        for line in lines:
            if not dropped and line.startswith(b'    {"handle"'):
                dropped = True
                continue
            out.write(line)


def main():
    words = sys.argv[1:]
    parts = [word for word in words if not word.startswith("--")]
    parts = parts or ["plan", "render", "micro", "one", "startup", "lifted", "verify", "controller", "apply"]
    tool, micro = build_bench("tool"), build_bench("micro")
    program = build_program()
    with tempfile.TemporaryDirectory(prefix="ess-callbacks-bench-") as folder:
        bench = Bench(pathlib.Path(folder), program, tool, micro)
        for part in parts:
            begun = time.monotonic()
            lines = [machine(), "", *getattr(bench, part)()]
            print("\n".join(lines), f"\n({part}: {time.monotonic() - begun:.0f} s)\n", flush=True)
            if not QUICK:
                put(part, lines)


if __name__ == "__main__":
    main()
