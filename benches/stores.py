#!/usr/bin/env python3
"""Measures applies whose state is on a server that is far away, and rewrites their table in docs/performance.md.

    export ESS_CALLBACKS_POSTGRES=$(tests/external/postgres/run.sh --prepare)
    export ESS_CALLBACKS_OBJECTS_PYTHON=$(tests/external/objects/run.sh --prepare)
    python3 benches/stores.py

The servers are real: PostgreSQL 15 and Ceph 16, as those scripts install them. A proxy in
front of them holds back each request that writes, or each request, for 200 ms. All runs go on at the same time.
"""

import asyncio
import concurrent.futures
import contextlib
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from common import ROOT, build_program, machine, put
from served import ENVIRONMENT, Served, refused

CALLS = 1_000
DELAY = 0.2
CONFIG = """version: 1
environment: test
defaults: { operator: yDw6yUUgyg3caowzUx4GQptRKfMnJqX8 }
organizations:
  acme:
    callbacks:
"""


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


class Far:
    """A proxy to a port of this machine that holds back requests."""

    def __init__(self, port, writes_only):
        self.target, self.writes_only = port, writes_only
        self.port = free_port()
        threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True).start()

    async def serve(self):
        server = await asyncio.start_server(self.connect, "127.0.0.1", self.port)
        await server.serve_forever()

    async def connect(self, reader, writer):
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(self.carry(reader, back, True), self.carry(there, writer, False))

    async def carry(self, reader, writer, is_request):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 20):
                is_write = data.startswith(b"PUT ") or b"INSERT INTO" in data
                if is_request and (is_write or not self.writes_only):
                    await asyncio.sleep(DELAY)
                writer.write(data)
                await writer.drain()
        writer.close()


@contextlib.contextmanager
def postgres(folder):
    """A server that takes any user of this machine, and its port."""
    programs = pathlib.Path(os.environ["ESS_CALLBACKS_POSTGRES"])
    data, port = folder / "postgres", free_port()
    data.mkdir()
    words = {}
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chmod(folder, 0o755)
        shutil.chown(data, owner.pw_uid, owner.pw_gid)
        words = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    initdb = [programs / "initdb", "-D", data, "-U", "bench", "-A", "trust"]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, **words)
    command = [programs / "postgres", "-D", data, "-p", str(port), "-k", data]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL, **words)
    while subprocess.run([programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]).returncode:
        time.sleep(0.1)
    yield port
    server.terminate()
    server.wait()


@contextlib.contextmanager
def ceph(_folder):
    """A gateway with the bucket `bench`, and its port."""
    port = free_port()
    script = ROOT / "tests" / "external" / "objects" / "ceph.sh"
    command = [script, str(free_port()), str(port)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    while not server.stdout.readline().startswith("Running on"):
        if server.poll() is not None:
            raise SystemExit("Ceph does not start; install it with tests/external/objects/run.sh --prepare")
    make = f"boto3.client('s3', endpoint_url='http://127.0.0.1:{port}').create_bucket(Bucket='bench')"
    python = os.environ["ESS_CALLBACKS_OBJECTS_PYTHON"]
    subprocess.run([python, "-c", f"import boto3; {make}"], check=True, env=ENVIRONMENT)
    yield port
    server.stdin.close()
    server.wait()


def run(program, folder, address, writes_only, port):
    """One apply; its row, but for the name of the store."""
    far = Far(port, writes_only)
    state = address.format(port=far.port)
    with Served(program, "20", "--fault", "slow=50ms") as served:
        done = served.start(folder / "callbacks.yaml", state=state).wait()
        what = "each write" if writes_only else "each request"
        return f"{what} | {done.seconds:.1f} s | {refused(served.log())} |"


def main():
    program = build_program()
    ENVIRONMENT.update(AWS_ACCESS_KEY_ID="AKIDTEST", AWS_SECRET_ACCESS_KEY="canary-secret", AWS_REGION="us-east-1")
    with tempfile.TemporaryDirectory(prefix="ess-callbacks-bench-") as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        urls = "".join(f"      - https://hooks.example/{number}\n" for number in range(CALLS))
        (folder / "callbacks.yaml").write_text(CONFIG + urls)
        stores = [
            ("a bucket (Ceph 16)", ceph, "s3://bench/{kind}?endpoint=http://127.0.0.1:{{port}}"),
            ("PostgreSQL 15", postgres, "postgres://bench@127.0.0.1:{{port}}/postgres?name={kind}"),
        ]
        ports = [stack.enter_context(start(folder)) for _, start, _ in stores]
        head = machine()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            rows = []
            for (store, _, address), port in zip(stores, ports):
                for writes_only in (True, False):
                    kind = address.format(kind="writes" if writes_only else "all")
                    rows.append((store, pool.submit(run, program, folder, kind, writes_only, port)))
            lines = [f"| {store} | {row.result()}" for store, row in rows]
    table = ["| state in | 200 ms more for | 1,000 adds | throttled |", "|---|---|---:|---:|", *lines]
    print("\n".join(table))
    put("stores", [head, "", *table])


if __name__ == "__main__":
    main()
