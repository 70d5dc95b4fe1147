"""Receivers on many loopback addresses that answer 200 after a while, and what they saw."""

import asyncio
import collections
import threading

KEY = "0123456789ABCDEF0123456789ABCDEF"
TOKEN = "5AF866900CA34D1A95382C48C678A085"
OPERATOR = "yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"


class Receivers:
    """One server on all loopback addresses of a machine (Linux), until the block ends."""

    def __init__(self, hosts, delay):
        self.hosts, self.delay = hosts, delay
        self.requests = 0
        self.busy = collections.Counter()
        self.most = 0

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        starting = asyncio.start_server(self.serve, "0.0.0.0", 0, backlog=1024)
        self.server = self.loop.run_until_complete(starting)
        self.port = self.server.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    async def serve(self, reader, writer):
        host = writer.get_extra_info("sockname")[0]
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.split(b"content-length:")[1].split(b"\r")[0])
                await reader.readexactly(length)
                self.requests += 1
                self.busy[host] += 1
                self.most = max(self.most, self.busy[host])
                await asyncio.sleep(self.delay)
                self.busy[host] -= 1
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def config(self, folder, number):
        """A configuration with so many receivers, which share a key and a token."""
        folder.mkdir()
        (folder / "key").write_text(KEY)
        (folder / "token").write_text(TOKEN)
        lines = ["version: 1", "environment: test", f"defaults: {{ operator: {OPERATOR} }}", "organizations:", "  acme:", "    callbacks:"]
        for one in range(number):
            # Those of one host follow each other.
            host = one * self.hosts // number
            url = f"http://127.1.{host // 250}.{host % 250 + 1}:{self.port}/{one}"
            lines.append(f"      - {{ url: \"{url}\", key: {{ file: key }}, token: {{ file: token }} }}")
        path = folder / "callbacks.yaml"
        path.write_text("\n".join(lines) + "\n")
        return path
