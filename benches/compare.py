#!/usr/bin/env python3
"""Does the same with other programs and writes the comparison into docs/performance.md.

    python3 benches/compare.py                # 1,000, 10,000 and 100,000 callbacks
    python3 benches/compare.py --sizes 1000   # these; the page stays as it is
    python3 benches/compare.py --limit 600    # stop what takes longer than ten minutes (else 90 s)

Three things are done with the same callbacks: a plan when nothing is there yet, an apply, and a plan
when everything is there. ess-callbacks applies to its served sandbox, over HTTP and without a rate
limit. Terraform plans `terraform_data`, which is built in and remembers what it is given; it reads the
very same callbacks.yaml. It is used when `terraform` (or `tofu`) is installed. octoDNS comes from
PyPI into a separate environment, with as many TXT records from one folder of YAML into another. What
is stopped is not tried with more.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import venv

from common import build_bench, build_program, machine, measure, put, show, times
from served import ENVIRONMENT, Served

OCTODNS = "octodns==1.22.0"
STEPS = ["plan, nothing there", "apply", "plan, nothing changed"]
A_ZONE = 1_000


def callbacks_of(config):
    """URL, key, token and description of each callback of a generated configuration."""
    pattern = r"- url: (\S+)\n\s+key: \{ file: (\S+) \}\n\s+token: \{ file: (\S+) \}\n\s+description: (.*)"
    return re.findall(pattern, config.read_text())


class Ours:
    name = "ess-callbacks"

    def __init__(self, program):
        self.program = program

    def prepare(self, config, folder):
        self.config = config

    def steps(self):
        """The commands, one after the other."""
        plan = [self.program, "-f", self.config, "plan"]
        yield plan, {}
        with Served(self.program, "0") as served:
            words = ["--endpoint", served.endpoint, "apply", "--auto-approve", "--rate", "0", "--parallelism", "128"]
            yield [self.program, "-f", self.config, *words], {"env": ENVIRONMENT}
        yield [*plan, "--detailed-exitcode"], {}


class Terraform:
    def __init__(self, program):
        self.program = program
        # It asks its makers for news otherwise.
        self.environment = dict(os.environ, CHECKPOINT_DISABLE="1", TF_IN_AUTOMATION="1")
        version = subprocess.run([program, "version"], env=self.environment, stdout=subprocess.PIPE, text=True).stdout
        self.name = version.splitlines()[0]

    def prepare(self, config, folder):
        self.options = {"env": self.environment, "cwd": folder}
        # One block for each. With one block and `for_each`, 1,000 took ten times as long.
        blocks = {
            f"callback_{number}": {"input": {"url": url, "key": key, "token": token, "description": description}}
            for number, (url, key, token, description) in enumerate(callbacks_of(config))
        }
        (folder / "main.tf.json").write_text(json.dumps({"resource": {"terraform_data": blocks}}, indent=1))
        subprocess.run([self.program, "init", "-input=false"], check=True, stdout=subprocess.DEVNULL, **self.options)

    def steps(self):
        yield [self.program, "plan", "-input=false"], self.options
        yield [self.program, "apply", "-input=false", "-auto-approve"], self.options
        yield [self.program, "plan", "-input=false", "-detailed-exitcode"], self.options


class OctoDns:
    name = OCTODNS.replace("==", " ").replace("octodns", "octoDNS")

    def __init__(self, folder):
        venv.create(folder, with_pip=True)
        python = folder / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", OCTODNS], check=True)
        self.program = folder / "bin" / "octodns-sync"

    def prepare(self, config, folder):
        callbacks = callbacks_of(config)
        there, here = folder / "there", folder / "here"
        there.mkdir()
        here.mkdir()
        zones = []
        for first in range(0, len(callbacks), A_ZONE):
            zone = f"zone-{first // A_ZONE:04}.example."
            zones.append(zone)
            records = [
                f"callback-{number:04}:\n  type: TXT\n  values:\n"
                + "".join(f"    - {value!r}\n" for value in sorted((url, f"key={key}", f"token={token}")))
                for number, (url, key, token, _) in enumerate(callbacks[first : first + A_ZONE])
            ]
            (here / f"{zone}yaml").write_text("---\n" + "".join(records))
        provider = "  {}:\n    class: octodns.provider.yaml.YamlProvider\n    directory: {}\n"
        self.config = folder / "config.yaml"
        self.config.write_text(
            "---\nproviders:\n"
            + provider.format("here", here)
            + provider.format("there", there)
            + "zones:\n"
            + "".join(f"  {zone}:\n    sources: [here]\n    targets: [there]\n" for zone in zones)
        )
        self.there, self.zones = there, len(zones)

    def steps(self):
        command = [self.program, "--config-file", self.config, "--quiet"]
        yield command, {}
        yield [*command, "--doit"], {}
        if sum(1 for _ in self.there.iterdir()) != self.zones:
            raise SystemExit(f"{self.name} did not write every zone")
        yield command, {}


def run(rival, config, folder, limit):
    """Seconds and MiB of each step; fewer steps when one took too long."""
    rival.prepare(config, folder)
    done = []
    for command, options in rival.steps():
        measured = measure(command, limit=limit, **options)
        if measured is None:
            break
        seconds, _, memory = measured
        done.append((seconds, memory))
    return done


def compare(rivals, tool, sizes, limit, folder):
    """The lines of the table."""
    yield "| | callbacks | " + " | ".join(f"{step} | growth | ÷ ours | memory" for step in STEPS) + " |"
    yield "|---|---:|" + "---:|---:|---:|---:|" * len(STEPS)
    ours, before, stopped = {}, {}, set()
    for size in sizes:
        generated = folder / str(size)
        words = [generated, size, 1, 42, "all", "mixed"]
        subprocess.run([tool, "generate", *map(str, words)], check=True)
        for rival in rivals:
            if rival.name in stopped:
                continue
            work = folder / f"{size}-{rival.name}".replace(" ", "-")
            work.mkdir()
            done = run(rival, generated / "callbacks.yaml", work, limit)
            cells = []
            for number in range(len(STEPS)):
                if number < len(done):
                    seconds, memory = done[number]
                    growth = times(seconds, before.get((rival.name, number)))
                    before[rival.name, number] = seconds
                    ours.setdefault((size, number), seconds)
                    cells += [show(seconds), growth, f"{seconds / ours[size, number]:.1f}", f"{memory:.0f} MiB"]
                elif number == len(done):
                    stopped.add(rival.name)
                    cells += [f"stopped after {limit:.0f} s", "", "", ""]
                else:
                    cells += ["not tried", "", "", ""]
            yield f"| {rival.name} | {size:,} | " + " | ".join(cells) + " |"
            shutil.rmtree(work)


def main():
    words = sys.argv[1:]
    after = lambda flag, default: words[words.index(flag) + 1] if flag in words else default
    limit = float(after("--limit", "90"))
    sizes = [int(size) for size in after("--sizes", "1000,10000,100000").split(",")]
    tool = build_bench("tool")
    program = build_program()
    with tempfile.TemporaryDirectory(prefix="ess-callbacks-compare-") as folder:
        folder = pathlib.Path(folder)
        rivals = [Ours(program)]
        terraform = shutil.which("terraform") or shutil.which("tofu")
        if terraform:
            rivals.append(Terraform(terraform))
        rivals.append(OctoDns(folder / "octodns"))
        lines = [machine(), ""]
        if not terraform:
            lines += ["Neither Terraform nor OpenTofu was installed, so they are missing here.", ""]
        print("\n".join(lines))
        for line in compare(rivals, tool, sizes, limit, folder):
            lines.append(line)
            print(line, flush=True)
    if "--sizes" not in words:
        put("compare", lines)


if __name__ == "__main__":
    main()
