"""A served sandbox, applies against it, and what it saw of them."""

import collections
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import time
import urllib.request

PAIRS = [("AKIDBENCH", "bench-secret-key"), ("AKIDPARTNER", "partner-secret-key")]
ENVIRONMENT = dict(
    os.environ,
    TENCENTCLOUD_SECRET_ID=PAIRS[0][0],
    TENCENTCLOUD_SECRET_KEY=PAIRS[0][1],
    PARTNER_ID=PAIRS[1][0],
    PARTNER_KEY=PAIRS[1][1],
)
SECOND = 1_000_000


class Served:
    """An eSign of one's own, until the block ends."""

    def __init__(self, program, limit, *words, accounts=1):
        self.program = program
        credentials = [word for id, key in PAIRS[:accounts] for word in ("--credential", f"{id}:{key}")]
        self.command = [program, "sandbox", "--listen", "127.0.0.1:0", "--limit", limit, *credentials, *words]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        self.endpoint = self.process.stdout.readline().split()[-1]
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def start(self, config, *words, rate="20", state=None, watch=None):
        """Begins an apply."""
        where = ["--state", state] if state else []
        command = [self.program, "-f", config, *where, "--endpoint", self.endpoint, "apply", "--auto-approve"]
        return Apply([*command, "--rate", rate, *words], watch)

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.endpoint + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def faults(self, spec):
        """From now on these."""
        self.ask("/_sandbox/faults", {"fault": spec})

    def log(self):
        """Every arrival, in order."""
        return sorted(self.ask("/_sandbox/log"), key=lambda arrival: arrival["at_micros"])


class Apply:
    """A run of apply: its time and its memory."""

    def __init__(self, command, watch):
        self.begun = time.monotonic()
        self.memory = {}
        with tempfile.NamedTemporaryFile(prefix="events", delete=False) as file:
            self.events = pathlib.Path(file.name)
        command = [*map(str, command), "--json-into", str(self.events)]
        self.process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.over = threading.Event()
        self.watcher = threading.Thread(target=self.watch, args=[watch or 0])
        self.watcher.start()

    def watch(self, calls):
        """Notes the memory when a tenth, half and nine tenths of the calls are done."""
        statm = pathlib.Path(f"/proc/{self.process.pid}/statm")
        done = 0
        with self.events.open("rb") as lines:
            for percent in (10, 50, 90) if calls else ():
                while done < calls * percent // 100:
                    line = lines.readline()
                    done += b'"type":"apply_complete"' in line
                    if not line and self.over.wait(0.005):
                        return
                self.memory[percent] = int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def wait(self):
        """Waits for its end."""
        _, status, usage = os.wait4(self.process.pid, 0)
        self.seconds = time.monotonic() - self.begun
        self.peak = usage.ru_maxrss / 1024
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.over.set()
        self.watcher.join()
        self.events.unlink()
        if self.process.returncode:
            raise SystemExit(f"apply ended with {self.process.returncode}")
        return self


def refused(log):
    """How many calls were over the limit."""
    return sum(arrival["code"] == "RequestLimitExceeded" for arrival in log)


def fullest(log):
    """The most arrivals in any second, and in any second that begins when the server's clock turns."""
    moments = [arrival["at_micros"] for arrival in log]
    sliding = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= SECOND:
            first += 1
        sliding = max(sliding, last - first + 1)
    fixed = collections.Counter(moment // SECOND for moment in moments)
    return sliding, max(fixed.values())


def until_full(log, end):
    """Seconds after `end` until twenty calls fit into a second again; `None` when they never did."""
    moments = [arrival["at_micros"] for arrival in log if arrival["at_micros"] > end]
    for first, last in zip(moments, moments[19:]):
        if last - first < SECOND:
            return (first - end) / SECOND
    return None
