"""What the measuring scripts share: building, measuring a process, and the page."""

import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"


def build_bench(name):
    """A bench target's executable, in release."""
    command = ["cargo", "build", "--release", "--locked", "--bench", name, "--message-format=json"]
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in lines.splitlines():
        message = json.loads(line)
        if message.get("target", {}).get("name") == name and message.get("executable"):
            return message["executable"]
    raise SystemExit(f"cargo built no `{name}`")


def build_program():
    """The program. Build it after the benches: they bring one with the features of the tests."""
    subprocess.run(["cargo", "build", "--release", "--locked"], cwd=ROOT, check=True)
    return ROOT / "target" / "release" / "ess-callbacks"


def measure(command, codes=(0,), limit=None, **options):
    """Seconds, CPU seconds and peak MiB of one process; `None` when it is stopped after `limit` seconds."""
    options.setdefault("stdout", subprocess.DEVNULL)
    options.setdefault("stderr", subprocess.DEVNULL)
    start = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], **options)
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG if limit else 0)
        if ended:
            break
        if time.monotonic() - start > limit:
            process.kill()
            process.wait()
            return None
        time.sleep(0.02)
    seconds = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def median(command, runs, **options):
    """Each column's median of several runs."""
    return [statistics.median(column) for column in zip(*(measure(command, **options) for _ in range(runs)))]


def show(seconds):
    """A time as people read it."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} µs"
    if seconds < 0.1:
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds:.2f} s" if seconds < 100 else f"{seconds:.0f} s"


def times(now, before):
    """How much more this is than that."""
    return f"{now / before:.1f} ×" if before else ""


def machine():
    """Where and when."""
    cpu = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
    return (
        f"Measured on {time.strftime('%Y-%m-%d', time.gmtime())}: {cpu[1] if cpu else platform.machine()}, "
        f"{os.cpu_count()} cores, {platform.system()}; the load before was {os.getloadavg()[0]:.1f}."
    )


def put(name, lines):
    """Puts a part between its marks in the page."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, rest = PAGE.read_text().split(begin)
    _, after = rest.split(end)
    PAGE.write_text(before + begin + "\n\n" + "\n".join(lines) + f"\n\n{end}{after}")
