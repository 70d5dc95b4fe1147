#!/usr/bin/env python3
"""A soak test of `ess-callbacks controller`: two replicas, one PostgreSQL, and faults of every kind for hours.

    soak.py --program PATH --postgres BIN_DIR --minutes N [--seed S] [--report FILE]

PATH is the program, and BIN_DIR the folder of `initdb` and `postgres`. Linux only. The seed determines what is done
and in which order, but not how it interleaves with what the program does.

In a temporary folder it starts a PostgreSQL server, the sandbox (which loses 2 % of the requests and 2 % of the
answers, throttles 1 % and takes 30 ms), and two replicas of the controller on one state. Each has a directory of its
own. Changes are made in one of them, and the other gets them up to a minute later, as with git-sync in each pod; after
each calm check it is the other way round. A replica that ends is started again, as a supervisor does. Then it changes
and breaks files, rotates keys, kills, stops and ends replicas, kills PostgreSQL and the sandbox, deletes callbacks
behind the controller's back, suspends, resumes, asks for rounds, and approves what the guards refuse.

What has to hold all the time:

* No replica panics, ends by an unknown signal, or is not alive (`/healthz`) for long without a cause.
* SIGTERM ends a replica within ten seconds, and its exit code is 0.
* No secret is in a log, a status, a metric or the recorded state; each of them contains the word "canary".
* Nothing says that the state is another one, or not whole.
* No call is sent while a lost one with the opposite effect may still arrive.

Every five minutes comes a calm check: the faults end, what was stopped goes on, all files are mended. Within three
minutes the sandbox must have exactly what is declared (organizations, URLs, keys and tokens), `plan` must find nothing
to do, and both replicas must say so too. A run may have to wait until a lost call can no longer arrive, up to five
minutes, and everything else waits for that run: the three minutes begin when that wait ends, but ten are the most.

Exit codes: 0, all of it held; 1, it did not: the folder is kept, and its place is printed; 130, interrupted.
"""

import argparse
import collections
import hashlib
import heapq
import hmac
import http.client
import itertools
import json
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

CONTROLLER_TOKEN = "canary-controller-token-0123456789"
POSTGRES_PASSWORD = "canary-postgres-password"
SECRET_ID, SECRET_KEY = "AKIDsoak", "canary-secret-key"
# For what is done behind the controller's back: the same account, another rate limit, another name in the log.
STRANGER_ID, STRANGER_KEY = "AKIDstranger", "canary-stranger-key"
OPERATOR = "yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"
FAULTS = "lost-before=0.02,lost-after=0.02,throttle=0.01,slow=30ms"
TEAMS = ("acme", "beta", "gamma", "delta")
# Few, so that what was deleted is soon declared again.
NUMBERS = range(1, 13)

INTERVAL = "10s"
HEAL_WITHIN = "2m"
BETWEEN_FAULTS = 4.0
BETWEEN_CALM_CHECKS = 300.0
CALM_LIMIT = 180.0
CALM_LIMIT_WITH_LOST_CALLS = 600.0
SIGNATURE_LIFETIME = 300
# A lost call is not waited for much longer than its signature is valid.
LONGEST_WAIT = SIGNATURE_LIFETIME + 40
WAITING = re.compile(rb"(?:Waiting|waits?) until (\d\d):(\d\d):(\d\d) UTC")
TERM_LIMIT = 10.0
REPLICAS = ("a", "b")
LONGEST_LAG = 60.0
APPROVE_AGAIN = 15.0
UNHEALTHY_LIMIT = 120.0

FORBIDDEN = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rb"panicked",
        rb"canary",
        rb"stack overflow",
        rb"another state",
        rb"belongs to another",
        rb"\(lineage",
        rb"is older than (the|its)",
        rb"damaged",
        rb"records? calls to another place",
    )
]
BROKEN = (
    "organizations: [",
    "x",
    "organizations:\n  {handle}:\n    callbacks: 7\n",
    "\t- : {{\n",
)


class Failed(Exception):
    """Something that has to hold did not."""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def request(port, method, path, body=None, headers=None, timeout=5.0):
    """The status code and the text of an answer; `None` and why, without one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        return None, str(error)
    finally:
        connection.close()


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def write_whole(path, text):
    """Writes a file at once, as those do who care: readers see the old or the new one."""
    beside = path.parent.parent / f".{path.name}.new"
    beside.write_text(text)
    beside.rename(path)


def children_of(process_id):
    """The processes that a process has started."""
    try:
        words = pathlib.Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()
    except OSError:
        return []
    return [int(word) for word in words]


def is_alive(process_id):
    try:
        stat = pathlib.Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def send_signal(process_id, number):
    try:
        os.kill(process_id, number)
    except ProcessLookupError:
        pass


class Program:
    """A process that is started again when it ends, with its output in one log file."""

    def __init__(self, name, command, log, **options):
        self.name, self.command, self.log, self.options = name, [str(word) for word in command], log, options
        self.process = None
        self.is_stopped = False
        self.started = self.ended = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, **self.options,
            )
        self.is_stopped, self.started, self.ended = False, time.monotonic(), None
        threading.Thread(target=self.note_end, args=(self.process,), daemon=True).start()

    def note_end(self, process):
        """Runs beside the rest, so that the time is exact whatever that waits for."""
        process.wait()
        self.ended = time.monotonic()

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        if self.is_running():
            send_signal(self.process.pid, number)

    def stop(self):
        self.signal(signal.SIGSTOP)
        self.is_stopped = True

    def go_on(self):
        self.signal(signal.SIGCONT)
        self.is_stopped = False

    def kill(self):
        """Ends it and all that it has started, and waits until nothing of it is left."""
        if not self.is_running():
            return
        # So that it starts nothing meanwhile.
        self.signal(signal.SIGSTOP)
        family = [*children_of(self.process.pid), self.process.pid]
        for process_id in family:
            send_signal(process_id, signal.SIGKILL)
        self.process.wait()
        while any(is_alive(process_id) for process_id in family):
            time.sleep(0.01)


class Postgres(Program):
    """A cluster of its own. It writes through to the disk, as it does where it counts."""

    def __init__(self, programs, folder):
        self.programs, self.folder, self.port = programs, folder / "postgres", free_port()
        self.folder.mkdir()
        self.user = {}
        if os.geteuid() == 0:
            self.user = self.someone_else()
            os.chown(self.folder, self.user["user"], self.user["group"])
        command = [
            programs / "postgres", "-D", self.folder / "data", "-k", self.folder, "-p", self.port,
            "-c", "listen_addresses=127.0.0.1",
        ]
        super().__init__("postgres", command, folder / "postgres.log", cwd=self.folder, **self.user)
        self.is_wanted = True
        self.initialize()
        self.start()

    @staticmethod
    def someone_else():
        """PostgreSQL refuses to be root."""
        for name in ("postgres", "nobody"):
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        raise SystemExit("there is no user `postgres` or `nobody` to run PostgreSQL as")

    def initialize(self):
        password = self.folder / "password"
        password.write_text(POSTGRES_PASSWORD)
        if self.user:
            os.chown(password, self.user["user"], self.user["group"])
        command = [
            self.programs / "initdb", "--username=soak", "--auth=scram-sha-256", f"--pwfile={password}",
            "--encoding=UTF8", "--locale=C", "-D", self.folder / "data",
        ]
        subprocess.run(command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL, **self.user)
        password.unlink()

    def is_ready(self):
        command = [self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def supervise(self):
        # It refuses to start as long as something of the one before is left.
        if self.is_wanted and not self.is_running() and time.monotonic() - self.started > 0.3:
            self.start()


class Sandbox(Program):
    """What stands for eSign, and what arrived there."""

    def __init__(self, program, folder, seed):
        self.port = free_port()
        command = [
            program, "sandbox", "--listen", f"127.0.0.1:{self.port}", "--cloud", folder / "cloud.json",
            "--credential", f"soak={SECRET_ID}:{SECRET_KEY}", "--credential", f"soak={STRANGER_ID}:{STRANGER_KEY}",
            "--fault", FAULTS, "--seed", seed,
        ]
        super().__init__("sandbox", command, folder / "sandbox.log", env={"PATH": os.environ["PATH"]})
        self.seen = 0
        self.calls = collections.Counter()
        # The newest signature of lost calls, by callback and operation.
        self.lost = {}
        self.start()

    def callbacks(self):
        """What is configured; `None` if it can't be asked."""
        code, text = request(self.port, "GET", "/_sandbox/callbacks")
        if code != 200:
            return None
        names = ("organization", "url", "key_sha256", "token_sha256")
        return {tuple(callback[name] for name in names) for callback in json.loads(text)}

    def read_log(self):
        """Counts what has arrived since the last time, and looks at each call."""
        code, text = request(self.port, "GET", f"/_sandbox/log?after={self.seen}")
        for arrival in json.loads(text) if code == 200 else []:
            self.seen = arrival["sequence"]
            if arrival["operation"] and arrival["secret_id"] == SECRET_ID:
                self.look_at(arrival)

    def look_at(self, arrival):
        operation, fault = arrival["operation"], arrival["fault"]
        self.calls["all"] += 1
        self.calls[operation] += 1
        self.calls[fault if fault != "ok" else arrival["code"] or "ok"] += 1
        callback = (arrival["organization"], arrival["url"])
        opposite = "delete" if operation == "add" else "add"
        dead = self.lost.get((callback, opposite), 0) + SIGNATURE_LIFETIME
        if arrival["at_micros"] / 1e6 < dead:
            raise Failed(f"a lost {opposite} may arrive until {dead}, and this was sent: {arrival}")
        if fault.startswith("lost"):
            signed = self.lost.get((callback, operation), 0)
            self.lost[callback, operation] = max(signed, arrival["signed_at"])

    def restart(self):
        self.read_log()
        self.kill()
        self.seen = 0
        self.start()

    def delete(self, organization, url):
        """Deletes a callback as somebody else would, with a signed call. It may be lost like any other."""
        body = {
            "Operator": {"UserId": OPERATOR},
            "Agent": {"ProxyOrganizationId": organization},
            "OperateType": 2,
            "CallbackInfo": {"CallbackUrl": url},
        }
        text = json.dumps(body)
        host, now = f"127.0.0.1:{self.port}", int(time.time())
        headers = {
            "Host": host,
            "X-TC-Action": "ModifyApplicationCallbackInfo",
            "X-TC-Version": "2020-11-11",
            "X-TC-Timestamp": str(now),
            "Authorization": authorization(host, text, now),
        }
        request(self.port, "POST", "/", body, headers)
        have = self.callbacks()
        return have is not None and all((organization, url) != callback[:2] for callback in have)


def authorization(host, body, now):
    """The signature TC3-HMAC-SHA256 of a request of the stranger."""
    date = time.strftime("%Y-%m-%d", time.gmtime(now))
    scope = f"{date}/ess/tc3_request"
    head = f"content-type:application/json\nhost:{host}\n"
    whole = sha256(f"POST\n/\n\n{head}\ncontent-type;host\n{sha256(body)}")
    key = f"TC3{STRANGER_KEY}".encode()
    for part in (date, "ess", "tc3_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, f"TC3-HMAC-SHA256\n{now}\n{scope}\n{whole}".encode(), "sha256").hex()
    return (
        f"TC3-HMAC-SHA256 Credential={STRANGER_ID}/{scope}, SignedHeaders=content-type;host, Signature={signature}"
    )


class Replica(Program):
    """One controller."""

    def __init__(self, name, program, folder, environment, port):
        command = [program, "controller", "--interval", INTERVAL, "--heal-within", HEAL_WITHIN]
        command += ["--listen", f"127.0.0.1:{port}"]
        super().__init__(name, command, folder / f"{name}.log", env=environment, cwd=folder)
        self.port = port
        # The signal of ours that ends it, and when it was sent.
        self.ending = None
        self.ending_since = 0.0
        self.healthy_at = 0.0
        self.start_at = 0.0
        self.largest_mib = 0.0
        self.most_files = 0
        self.start()

    def start(self):
        super().start()
        self.ending, self.healthy_at, self.start_at = None, time.monotonic(), None

    def go_on(self):
        super().go_on()
        self.healthy_at = time.monotonic()

    def end(self, number):
        self.ending, self.ending_since = number, time.monotonic()
        self.signal(number)

    def can_be_asked(self):
        return self.is_running() and not self.is_stopped and self.ending is None

    def ask(self, method, path, body=None):
        return request(self.port, method, path, body, {"Authorization": f"Bearer {CONTROLLER_TOKEN}"})

    def status(self):
        """What it says of itself; `None` without an answer."""
        code, text = self.ask("GET", "/status")
        return json.loads(text) if code == 200 else None

    def measure(self):
        """Its age in seconds, its memory in MiB and its open files; `None` when it is not there."""
        try:
            process = pathlib.Path(f"/proc/{self.process.pid}")
            memory = re.search(r"VmRSS:\s*(\d+)", (process / "status").read_text())
            largest = re.search(r"VmHWM:\s*(\d+)", (process / "status").read_text())
            files = len(os.listdir(process / "fd"))
        except OSError:
            return None
        if not memory or not largest:
            return None
        self.largest_mib = max(self.largest_mib, int(largest[1]) / 1024)
        self.most_files = max(self.most_files, files)
        return round(time.monotonic() - self.started), round(int(memory[1]) / 1024, 1), files


class Checkouts:
    """The directory of each replica, in which one of them is ahead of the others."""

    def __init__(self, folder):
        self.all = collections.deque(folder / f"conf-{name}" for name in REPLICAS)
        for checkout in self.all:
            checkout.mkdir()

    @property
    def first(self):
        """Where changes are made."""
        return self.all[0]

    def pull(self):
        """Gives the others what the first one has now, whatever that is: also a broken file, and half of one."""
        for checkout in list(self.all)[1:]:
            for source in self.first.iterdir():
                self.copy(source, checkout / source.name)

    @staticmethod
    def copy(source, path):
        if source.is_symlink() and not source.exists():
            link = path.parent.parent / f".{path.name}.new"
            link.symlink_to(source.readlink())
            link.rename(path)
        elif not path.exists() or path.read_bytes() != source.read_bytes():
            write_whole(path, source.read_text())

    def take_turns(self):
        self.pull()
        self.all.rotate()


class Team:
    """What one team declares, and the file where it says so."""

    def __init__(self, handle, checkouts, folder, draw):
        self.handle = handle
        self.checkouts = checkouts
        self.versions = folder / "versions"
        self.key_path = folder / "secrets" / f"{handle}.key"
        # Whether each callback has a key and a token, by its number.
        self.callbacks = {number: draw.random() < 0.5 for number in draw.sample(NUMBERS, 6)}
        self.key = ""
        # Whether the file is between two states, so that nobody else may write it.
        self.is_busy = False
        self.links = itertools.count()

    @property
    def path(self):
        return self.checkouts.first / f"{self.handle}.yaml"

    @property
    def token_name(self):
        return f"SOAK_TOKEN_{self.handle.upper()}"

    @property
    def token(self):
        return f"canary-callback-token-{self.handle}"

    def url(self, number):
        return f"https://hooks.{self.handle}.example/{number}"

    def rotate(self, draw):
        self.key = "canary" + "".join(draw.choices("0123456789abcdef", k=26))
        write_whole(self.key_path, self.key)

    def text(self):
        lines = ["organizations:", f"  {self.handle}:", f"    proxy_organization_id: {self.handle}-id"]
        lines.append("    callbacks:" if self.callbacks else "    callbacks: []")
        for number, has_secrets in sorted(self.callbacks.items()):
            lines.append(f'      - url: "{self.url(number)}"')
            if has_secrets:
                lines.append(f'        key: {{ file: "{self.key_path}" }}')
                lines.append(f"        token: {{ env: {self.token_name} }}")
        return "\n".join(lines) + "\n"

    def declared(self):
        """What eSign has to have."""
        secrets = (sha256(self.key), sha256(self.token))
        return {
            (f"{self.handle}-id", self.url(number), *(secrets if has_secrets else (None, None)))
            for number, has_secrets in self.callbacks.items()
        }

    def change(self, draw):
        """Declares something else, and says what."""
        undeclared = [number for number in NUMBERS if number not in self.callbacks]
        kinds = ["toggle"] * 2 + ["remove"] * 4 + ["remove many"]
        kinds += ["add"] * 6 if undeclared else []
        kind = draw.choice(kinds if len(self.callbacks) > 1 else ["add"])
        if kind == "add":
            for number in draw.sample(undeclared, min(len(undeclared), draw.randint(1, 3))):
                self.callbacks[number] = draw.random() < 0.5
        elif kind == "toggle":
            number = draw.choice(sorted(self.callbacks))
            self.callbacks[number] = not self.callbacks[number]
        else:
            count = 1 if kind == "remove" else draw.randint(1, len(self.callbacks) - 1)
            for number in draw.sample(sorted(self.callbacks), count):
                del self.callbacks[number]
        return kind

    def write(self):
        write_whole(self.path, self.text())

    def swap_link(self, text):
        """Makes the file a link to a new version, as git-sync and ConfigMaps do."""
        target = self.versions / f"{self.handle}-{next(self.links)}.yaml"
        target.write_text(text)
        self.point_to(target)

    def point_to(self, target):
        link = self.versions / f"{self.handle}.link"
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        link.rename(self.path)


class Soak:
    """All of it."""

    def __init__(self, arguments, folder):
        self.arguments, self.folder = arguments, folder
        self.program = arguments.program.resolve()
        self.draw = random.Random(arguments.seed)
        self.begun = time.monotonic()
        self.later = []
        self.order = itertools.count()
        self.faults = collections.Counter()
        self.answers = collections.Counter()
        self.exits = collections.Counter()
        self.unexpected_exits = []
        self.calm_checks = []
        self.slowest_term = 0.0
        self.terms = 0
        self.longest_unhealthy = 0.0
        # When a plan was approved last, by replica and digest.
        self.approved = {}
        # Until when a run has said that it waits for a lost call, by the clock.
        self.waits_until = 0.0
        self.longest_wait = 0.0
        self.read_to = collections.Counter()
        # Every second time between calm checks, the second replica is not ended, so that it becomes old.
        self.both_end = True
        self.programs, self.teams, self.replicas = [], [], []
        self.postgres = self.sandbox = self.checkouts = None

    # How it is set up.

    def build(self):
        for name in ("versions", "secrets"):
            (self.folder / name).mkdir()
        self.checkouts = Checkouts(self.folder)
        common = f"version: 1\nenvironment: test\ndefaults: {{ operator: {OPERATOR} }}\n"
        (self.checkouts.first / "common.yaml").write_text(common)
        self.teams = [Team(handle, self.checkouts, self.folder, self.draw) for handle in TEAMS]
        for team in self.teams:
            team.rotate(self.draw)
            team.write()
        self.checkouts.pull()
        self.postgres = self.keep(Postgres(self.arguments.postgres.resolve(), self.folder))
        self.sandbox = self.keep(Sandbox(self.program, self.folder, self.arguments.seed))
        while not self.postgres.is_ready() or self.sandbox.callbacks() is None:
            if self.elapsed() > 60:
                raise Failed("PostgreSQL or the sandbox does not start")
            time.sleep(0.1)
        for name in REPLICAS:
            environment = self.environment(self.folder / f"conf-{name}")
            replica = Replica(name, self.program, self.folder, environment, free_port())
            self.replicas.append(self.keep(replica))

    def keep(self, program):
        self.programs.append(program)
        return program

    def environment(self, checkout):
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "ESS_CALLBACKS_CONTROLLER_TOKEN": CONTROLLER_TOKEN,
            "ESS_CALLBACKS_CONFIG": str(checkout),
            "ESS_CALLBACKS_STATE": f"postgres://soak@127.0.0.1:{self.postgres.port}/postgres?name=soak",
            "ESS_CALLBACKS_ENDPOINT": f"http://127.0.0.1:{self.sandbox.port}",
            "PGPASSWORD": POSTGRES_PASSWORD,
            "TENCENTCLOUD_SECRET_ID": SECRET_ID,
            "TENCENTCLOUD_SECRET_KEY": SECRET_KEY,
            **{team.token_name: team.token for team in self.teams},
        }

    # Time.

    def elapsed(self):
        return time.monotonic() - self.begun

    def say(self, text):
        minutes, seconds = divmod(int(self.elapsed()), 60)
        print(f"{minutes:4}:{seconds:02} {text}", flush=True)

    def after(self, seconds, what):
        heapq.heappush(self.later, (time.monotonic() + seconds, next(self.order), what))

    def do_what_is_due(self, all_of_it=False):
        while self.later and (all_of_it or self.later[0][0] <= time.monotonic()):
            heapq.heappop(self.later)[2]()

    def run(self):
        end = self.begun + self.arguments.minutes * 60
        self.build()
        self.check_calm()
        while time.monotonic() < end:
            phase = min(end, time.monotonic() + BETWEEN_CALM_CHECKS)
            self.pull_later(phase)
            while time.monotonic() < phase:
                self.inject()
                self.pass_time(min(self.draw.expovariate(1 / BETWEEN_FAULTS), phase - time.monotonic()))
            self.check_calm()
            self.both_end = not self.both_end
            self.checkouts.take_turns()
        self.finish()

    def pull_later(self, end):
        """The other replica gets the changes now and then, until this time."""

        def pull():
            self.checkouts.pull()
            self.faults["changes pulled by the other replica"] += 1
            self.pull_later(end)

        if time.monotonic() < end:
            self.after(self.draw.uniform(1, LONGEST_LAG), pull)

    def pass_time(self, seconds):
        """Lets time pass, and looks after everything meanwhile."""
        until = time.monotonic() + seconds
        next_look = 0.0
        while True:
            self.do_what_is_due()
            self.supervise()
            if time.monotonic() >= next_look:
                self.watch()
                next_look = time.monotonic() + 2
            if time.monotonic() >= until:
                return
            time.sleep(0.05)

    # The supervisor.

    def supervise(self):
        self.postgres.supervise()
        if not self.sandbox.is_running():
            raise Failed(f"the sandbox ended with {self.sandbox.process.returncode}")
        for replica in self.replicas:
            if replica.ending == signal.SIGTERM and replica.is_running():
                self.check_term(time.monotonic() - replica.ending_since, replica)
            if not replica.is_running() and replica.ended is not None:
                self.restart(replica)

    def restart(self, replica):
        if replica.start_at is None:
            self.note_exit(replica)
            replica.start_at = time.monotonic() + self.draw.uniform(0.1, 3)
        elif replica.start_at <= time.monotonic():
            replica.start()

    def note_exit(self, replica):
        code = replica.process.returncode
        cause = signal.Signals(replica.ending).name if replica.ending else "itself"
        self.exits[f"{code} after {cause}"] += 1
        if replica.ending == signal.SIGTERM:
            self.check_term(replica.ended - replica.ending_since, replica)
            if code != 0:
                raise Failed(f"replica {replica.name} ended with {code} after SIGTERM")
        elif replica.ending is None:
            last = replica.log.read_text(errors="replace").splitlines()[-3:]
            self.unexpected_exits.append({"at": round(self.elapsed()), "code": code, "last_lines": last})
            self.say(f"UNEXPECTED replica {replica.name} ended by itself with {code}: {last}")
            if code < 0 or code == 101:
                raise Failed(f"replica {replica.name} ended by itself with {code}")

    def check_term(self, seconds, replica):
        self.slowest_term = max(self.slowest_term, seconds)
        if seconds > TERM_LIMIT:
            raise Failed(f"replica {replica.name} is there {seconds:.1f} s after SIGTERM")

    # What is watched all the time.

    def watch(self):
        for replica in self.replicas:
            self.scan(replica.log)
            replica.measure()
            if replica.can_be_asked():
                self.check_health(replica)
        self.scan(self.sandbox.log)
        if not self.sandbox.is_stopped:
            self.sandbox.read_log()

    def check_health(self, replica):
        code, _ = replica.ask("GET", "/healthz")
        if code == 200:
            replica.healthy_at = time.monotonic()
            return
        self.answers[f"GET /healthz {code}"] += 1
        unhealthy = time.monotonic() - replica.healthy_at
        self.longest_unhealthy = max(self.longest_unhealthy, unhealthy)
        if unhealthy > UNHEALTHY_LIMIT:
            raise Failed(f"replica {replica.name} was not alive for {unhealthy:.0f} s: /healthz answers {code}")

    def scan(self, log):
        """Looks at the lines of a log that are new."""
        if not log.exists():
            return
        with open(log, "rb") as file:
            file.seek(self.read_to[log])
            text = file.read()
        whole = text.rfind(b"\n") + 1
        self.read_to[log] += whole
        self.check_text(text[:whole], log.name)
        for found in WAITING.finditer(text[:whole]):
            self.note_wait(*map(int, found.groups()), log.name)

    def note_wait(self, hour, minute, second, where):
        """A run waits until this time of the day."""
        now = time.time()
        seconds = (hour * 3600 + minute * 60 + second - now) % 86400
        # Said a while ago, and over.
        if seconds > 43200:
            return
        if seconds > LONGEST_WAIT:
            raise Failed(f"{where}: a run waits {seconds:.0f} s for a lost call")
        self.waits_until = max(self.waits_until, now + seconds)
        self.longest_wait = max(self.longest_wait, seconds)

    def check_text(self, text, where):
        for pattern in FORBIDDEN:
            found = pattern.search(text)
            if found:
                line = text[text.rfind(b"\n", 0, found.start()) + 1:].split(b"\n")[0]
                raise Failed(f"{where} has {pattern.pattern.decode()}: {line.decode(errors='replace')}")

    # Faults.

    def inject(self):
        weights = {
            self.change_file: 30, self.break_file: 7, self.rotate_key: 3, self.approve: 8, self.approve_another: 1,
            self.kill_replica: 8, self.stop_replica: 4, self.end_replica: 4, self.kill_postgres: 2,
            self.stop_sandbox: 3, self.kill_sandbox: 1, self.delete_behind_its_back: 5, self.suspend: 3,
            self.reconcile: 5,
        }
        self.draw.choices(list(weights), weights.values())[0]()

    def count(self, fault, detail=""):
        self.faults[fault] += 1
        self.say(f"{fault} {detail}".rstrip())

    def idle_team(self):
        return next((team for team in self.draw.sample(self.teams, len(self.teams)) if not team.is_busy), None)

    def change_file(self):
        if (team := self.idle_team()) is None:
            return
        kind = team.change(self.draw)
        way = self.draw.choices(("rename", "halves", "link"), (6, 2, 2))[0]
        self.count(f"file changed by {way}", f"{team.handle}: {kind}, now {len(team.callbacks)}")
        if way == "rename":
            team.write()
        elif way == "link":
            team.swap_link(team.text())
        else:
            self.write_in_halves(team)

    def write_in_halves(self, team):
        text = team.text()
        half = self.draw.randrange(len(text))
        team.is_busy = True
        team.path.write_text(text[:half])

        def go_on():
            with open(team.path, "a") as file:
                file.write(text[half:])
            team.is_busy = False

        self.after(self.draw.uniform(0.05, 3), go_on)

    def break_file(self):
        if (team := self.idle_team()) is None:
            return
        team.is_busy = True
        if self.draw.random() < 0.25:
            self.count("file broken by a link to nowhere", team.handle)
            team.point_to(self.folder / "versions" / "nowhere.yaml")
        else:
            self.count("file broken", team.handle)
            write_whole(team.path, self.draw.choice(BROKEN).format(handle=team.handle))

        def mend():
            team.write()
            team.is_busy = False

        self.after(self.draw.uniform(2, 30), mend)

    def rotate_key(self):
        team = self.draw.choice(self.teams)
        self.count("key rotated", team.handle)
        team.rotate(self.draw)

    def replica_to_ask(self):
        return next((one for one in self.draw.sample(self.replicas, 2) if one.can_be_asked()), None)

    def replica_to_end(self):
        replicas = self.replicas if self.both_end else self.replicas[:1]
        replica = self.draw.choice(replicas)
        return replica if replica.can_be_asked() else None

    def kill_replica(self):
        if replica := self.replica_to_end():
            self.count("replica killed", replica.name)
            replica.end(signal.SIGKILL)

    def end_replica(self):
        replica = self.replica_to_end()
        # Before it serves, it may not yet know what to do at SIGTERM.
        if replica and replica.ask("GET", "/healthz")[0] == 200:
            self.count("replica ended by SIGTERM", replica.name)
            self.terms += 1
            replica.end(signal.SIGTERM)

    def stop_replica(self):
        if replica := self.replica_to_ask():
            seconds = self.draw.uniform(0.5, 40)
            self.count("replica stopped", f"{replica.name} for {seconds:.0f} s")
            replica.stop()
            self.after(seconds, replica.go_on)

    def kill_postgres(self):
        if not self.postgres.is_wanted:
            return
        # Sometimes for so long that a run gives up.
        seconds = self.draw.uniform(0, 15) if self.draw.random() < 0.8 else self.draw.uniform(60, 90)
        self.count("PostgreSQL killed", f"for {seconds:.0f} s")
        self.postgres.is_wanted = False
        self.postgres.kill()

        def start_again():
            self.postgres.is_wanted = True

        self.after(seconds, start_again)

    def stop_sandbox(self):
        if self.sandbox.is_stopped:
            return
        seconds = self.draw.uniform(0.5, 10)
        self.count("sandbox stopped", f"for {seconds:.0f} s")
        self.sandbox.stop()
        self.after(seconds, self.sandbox.go_on)

    def kill_sandbox(self):
        if self.sandbox.is_stopped:
            return
        self.count("sandbox killed")
        self.sandbox.restart()

    def delete_behind_its_back(self):
        if self.sandbox.is_stopped:
            return
        have = self.sandbox.callbacks()
        if have:
            organization, url, *_ = self.draw.choice(sorted(have, key=lambda one: one[:2]))
            if self.sandbox.delete(organization, url):
                self.count("callback deleted by a stranger", url)

    def post(self, replica, path, body=None):
        code, text = replica.ask("POST", path, body)
        self.answers[f"POST {path} {code}"] += 1
        self.check_text(text.encode(), path)
        return code

    def reconcile(self):
        if replica := self.replica_to_ask():
            self.count("round asked for", replica.name)
            self.post(replica, "/reconcile")

    def suspend(self):
        if replica := self.replica_to_ask():
            self.count("suspended", replica.name)
            self.post(replica, "/suspend", {"reason": "soak", "for": "60s"})
            self.after(self.draw.uniform(2, 20), self.resume)

    def resume(self):
        # Without an answer, the suspension ends by itself.
        if replica := self.replica_to_ask():
            self.say(f"resumed {replica.name}: {self.post(replica, '/resume')}")

    def approve(self, replica=None):
        """Approves the plan that waits, if one does, and was not approved just now."""
        replica = replica or self.replica_to_ask()
        waiting = ((replica and replica.status()) or {}).get("waiting")
        if waiting and waiting["why"] == "deletes":
            key = (replica.name, waiting["digest"])
            if time.monotonic() - self.approved.get(key, -APPROVE_AGAIN) < APPROVE_AGAIN:
                return
            self.approved[key] = time.monotonic()
            code = self.post(replica, "/approve", {"digest": waiting["digest"]})
            self.count("plan approved", f"{replica.name}: {waiting['deletes']} deletes, {code}")

    def approve_another(self):
        if replica := self.replica_to_ask():
            code = self.post(replica, "/approve", {"digest": "sha256:" + "0" * 64})
            self.count("plan approved that nobody made", f"{replica.name}: {code}")
            if code == 202:
                raise Failed("a plan was approved that nobody made")

    # The calm check.

    def check_calm(self):
        self.do_what_is_due(all_of_it=True)
        self.checkouts.pull()
        begun, clock = time.monotonic(), time.time()
        say_at = 10
        while True:
            self.pass_time(0.25)
            seconds = time.monotonic() - begun
            amiss = self.amiss()
            if not amiss:
                break
            waits = max(0.0, self.waits_until - clock)
            if seconds > min(waits + CALM_LIMIT, CALM_LIMIT_WITH_LOST_CALLS):
                raise Failed(f"not as declared after {seconds:.0f} s: {amiss}")
            if seconds > say_at:
                say_at *= 2
                self.say(f"not calm after {seconds:.0f} s: {amiss}")
            for replica in filter(Replica.can_be_asked, self.replicas):
                self.approve(replica)
        self.check_pages()
        measured = {replica.name: replica.measure() for replica in self.replicas}
        waited = round(max(0.0, min(self.waits_until - clock, seconds)), 1)
        check = {"at": round(self.elapsed()), "seconds": round(seconds, 1), "waited_for_lost_calls": waited}
        self.calm_checks.append({**check, "replicas": measured})
        shown = ", ".join(f"{name} {of[0]} s old, {of[1]} MiB, {of[2]} files" for name, of in measured.items() if of)
        why = f" ({waited} s of them for lost calls)" if waited else ""
        self.say(f"CALM after {seconds:.1f} s{why}. {shown}; {self.sandbox.calls['all']} calls")

    def amiss(self):
        """Why it is not as declared, if it is not."""
        declared = set().union(*(team.declared() for team in self.teams))
        have = self.sandbox.callbacks()
        if have is None:
            return "the sandbox does not answer"
        if have != declared:
            # A callback with another key is in both lists.
            missing, too_many = sorted(one[1] for one in declared - have), sorted(one[1] for one in have - declared)
            return f"missing: {missing}, too many: {too_many}"
        for replica in self.replicas:
            if why := self.busy(replica.status() if replica.can_be_asked() else None):
                return f"replica {replica.name}: {why}"
        return self.plan_amiss()

    @staticmethod
    def busy(status):
        """What a replica still has to do, by its own word."""
        if status is None:
            return "no status"
        pending = {name: count for name, count in (status["pending"] or {"plan": 1}).items() if count}
        # It heals all the time.
        pending.pop("heal", None)
        conditions = {one["condition"] for one in status["organizations"]} - {"ready"}
        parts = {
            "not ready": not status["ready"],
            "pending": pending,
            "unusable": [one["file"] for one in status["files"]["unusable"]],
            "waiting": status["waiting"],
            "suspended": status["suspended"],
            "problems": [one["message"] for one in status["problems"]],
            "conditions": conditions,
            "organizations": None if len(status["organizations"]) == len(TEAMS) else len(status["organizations"]),
        }
        return {name: value for name, value in parts.items() if value}

    def plan_amiss(self):
        """What a third party finds to do."""
        done = self.command("plan", "--detailed-exitcode")
        return None if done.returncode == 0 else f"plan ends with {done.returncode}: {done.stdout[-2000:].decode()}"

    def command(self, *words):
        command = [str(self.program), *words]
        done = subprocess.run(
            command, env=self.environment(self.checkouts.first), cwd=self.folder, check=False, timeout=120,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        self.check_text(done.stdout, " ".join(words))
        return done

    def check_pages(self):
        """No secret is anywhere that people read."""
        for replica in self.replicas:
            for path in ("/", "/metrics", "/status"):
                _, text = replica.ask("GET", path)
                self.check_text(text.encode(), f"{path} of {replica.name}")
        self.command("state", "pull")

    # The end.

    def finish(self):
        for replica in self.replicas:
            replica.end(signal.SIGTERM)
            self.terms += 1
        while left := [replica for replica in self.replicas if replica.ended is None]:
            for replica in left:
                self.check_term(time.monotonic() - replica.ending_since, replica)
            time.sleep(0.02)
        for replica in self.replicas:
            self.note_exit(replica)
            self.scan(replica.log)
        self.sandbox.read_log()

    def close(self):
        for program in self.programs:
            program.kill()

    def report(self, failure):
        seconds = [check["seconds"] for check in self.calm_checks]
        version = subprocess.run([self.program, "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
        return {
            "failure": failure,
            "program": version.strip(),
            "seed": self.arguments.seed,
            "minutes": round(self.elapsed() / 60, 1),
            "faults": dict(sorted(self.faults.items())),
            "answers": dict(sorted(self.answers.items())),
            "exits": dict(sorted(self.exits.items())),
            "unexpected_exits": self.unexpected_exits,
            "calls": dict(self.sandbox.calls) if self.sandbox else {},
            "calm_checks": {
                "count": len(seconds),
                "median_seconds": statistics.median(seconds) if seconds else None,
                "worst_seconds": max(seconds, default=None),
                "worst_seconds_without_waits": max(
                    (check["seconds"] - check["waited_for_lost_calls"] for check in self.calm_checks), default=None,
                ),
                "each": self.calm_checks,
            },
            "sigterm": {"count": self.terms, "worst_seconds": round(self.slowest_term, 2)},
            "longest_wait_for_a_lost_call_seconds": round(self.longest_wait),
            "longest_without_healthz_seconds": round(self.longest_unhealthy, 1),
            "largest_mib": {replica.name: round(replica.largest_mib, 1) for replica in self.replicas},
            "most_open_files": {replica.name: replica.most_files for replica in self.replicas},
            "emergency_copies": len(list(self.folder.rglob("*.emergency-*"))),
        }


def summary(report):
    """The report for people."""
    calm = report["calm_checks"]
    lines = [
        f"{report['program']}, seed {report['seed']}, {report['minutes']} minutes",
        f"faults: {sum(report['faults'].values())}",
        *(f"  {count:5} {fault}" for fault, count in report["faults"].items()),
        f"exits of replicas: {report['exits']}",
        f"answers: {report['answers']}",
        f"calls: {report['calls']}",
        f"calm checks: {calm['count']}, median {calm['median_seconds']} s, worst {calm['worst_seconds']} s; "
        f"without waits for lost calls, worst {calm['worst_seconds_without_waits']} s",
        f"SIGTERM: {report['sigterm']['count']}, worst {report['sigterm']['worst_seconds']} s",
        f"longest without /healthz: {report['longest_without_healthz_seconds']} s",
        f"largest memory: {report['largest_mib']} MiB; most open files: {report['most_open_files']}",
        f"emergency copies: {report['emergency_copies']}",
        f"FAILED: {report['failure']}" if report["failure"] else "All of it held.",
    ]
    return "\n".join(lines)


def parse():
    parser = argparse.ArgumentParser(description="A soak test of the controller.")
    parser.add_argument("--program", type=pathlib.Path, required=True, help="the program under test")
    parser.add_argument("--postgres", type=pathlib.Path, required=True, help="where `initdb` and `postgres` are")
    parser.add_argument("--minutes", type=float, required=True, help="how long")
    parser.add_argument("--seed", type=int, default=1, help="determines what is done (default: 1)")
    parser.add_argument("--report", type=pathlib.Path, help="write the report there, as JSON")
    return parser.parse_args()


def soak(arguments, folder):
    """Runs it, reports, and gives the exit code."""
    test = Soak(arguments, folder)
    failure, code = None, 0
    try:
        test.run()
    except Failed as error:
        failure, code = str(error), 1
    except KeyboardInterrupt:
        failure, code = "interrupted", 130
    finally:
        # A second Ctrl-C must not leave processes behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        test.close()
    report = test.report(failure)
    print(summary(report))
    if arguments.report:
        arguments.report.write_text(json.dumps(report, indent=2) + "\n")
    return code


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    arguments = parse()
    signal.signal(signal.SIGTERM, interrupt)
    # Kept when it fails by a mistake of this script too.
    code = 1
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ess-callbacks-soak-"))
    # The user of PostgreSQL has to pass through it.
    folder.chmod(0o711)
    print(f"in {folder}, with seed {arguments.seed}", flush=True)
    try:
        code = soak(arguments, folder)
    finally:
        if code == 1:
            print(f"Everything is kept in {folder}: a.log and b.log are what the replicas said.", flush=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
