#!/usr/bin/env python3
"""A receiver for eSign's callbacks, to copy. Needs Python 3.9 and `pip install cryptography`.

  CALLBACK_KEY, CALLBACK_TOKEN          the secrets of the callback; leave one out if it is configured without it
  CALLBACK_KEY_OLD, CALLBACK_TOKEN_OLD  the ones before, while they are being replaced
  CALLBACK_URL, RECEIPTS                append a receipt of each request to this file (docs/receivers.md)
  LISTEN                                the address, by default 127.0.0.1:8903
"""

import base64
import collections
import hashlib
import hmac
import http.server
import json
import os
import queue
import threading
import time

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

MOST_BYTES = 10 * 1024 * 1024
VENDOR_CHECK = {"encrypt": "62KE4r5Wz0yHzEpMOwVRbM1KV0"}


class Rejected(Exception):
    def __init__(self, status, why):
        super().__init__(why)
        self.status = status


def pairs_of(environment):
    """The accepted pairs of key and token, the current one first."""

    def pair(suffix):
        key, token = (environment.get(f"CALLBACK_{name}{suffix}") for name in ("KEY", "TOKEN"))
        return key, token

    pairs = [pair("")]
    old_key, old_token = pair("_OLD")
    if old_key or old_token:
        # What was not replaced is the same as before.
        pairs.append((old_key or pairs[0][0], old_token or pairs[0][1]))
    for key, _ in pairs:
        if key is not None and len(key.encode()) != 32:
            raise SystemExit("a callback key must have 32 bytes")
    return pairs


def signature_is_right(token, body, header):
    expected = "sha256=" + hmac.new(token.encode(), body, hashlib.sha256).hexdigest()
    # Not `==`, which tells by its time how much is right.
    return hmac.compare_digest(expected.encode(), header.encode("utf-8", "surrogateescape"))


def once(pairs):
    """Refuses a repeated member, which parsers read in different ways."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is repeated")
    return members


def parsed(text):
    try:
        value = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def decrypt(key, encrypted):
    try:
        sealed = base64.b64decode(encrypted, validate=True)
        # The key is the text itself: not hexadecimal, not hashed.
        cipher = Cipher(algorithms.AES(key.encode()), modes.CBC(key.encode()[:16])).decryptor()
        padded = cipher.update(sealed) + cipher.finalize()
        unpadder = padding.PKCS7(128).unpadder()
        return (unpadder.update(padded) + unpadder.finalize()).decode()
    except ValueError as error:
        raise Rejected(400, "the message can't be decrypted: another key is configured at eSign") from error


def open_request(pairs, signatures, body):
    """The message in a request, or None for a probe. `body` is what arrived, byte for byte."""
    if len(signatures) > 1:
        raise Rejected(403, "several signatures")
    header = signatures[0] if signatures else None
    candidates = []
    for key, token in pairs:
        if token is None or (header is not None and signature_is_right(token, body, header)):
            candidates.append(key)
    envelope = parsed(body)
    if envelope in ({}, VENDOR_CHECK) and (candidates or header is None):
        return None
    if not candidates:
        raise Rejected(403, "the signature is missing or wrong")
    if envelope is None:
        raise Rejected(400, "the body is not a JSON object")
    rejected = None
    for key in candidates:
        try:
            return open_envelope(key, envelope)
        except Rejected as error:
            rejected = rejected or error
    raise rejected


def open_envelope(key, envelope):
    encrypted = isinstance(envelope.get("encrypt"), str)
    if key is None and encrypted:
        raise Rejected(400, "the message is encrypted, and there is no key")
    if key is None:
        return envelope
    if not encrypted:
        # Otherwise anyone could leave the encryption out.
        raise Rejected(403, "the message is not encrypted")
    message = parsed(decrypt(key, envelope["encrypt"]))
    if message is None:
        raise Rejected(400, "the decrypted message is not a JSON object")
    return message or None


def dedupe_key(message):
    """The same for each delivery of a message."""
    if isinstance(message.get("MsgType"), str):
        return ("V2", str(message.get("MsgId") or json.dumps(message, sort_keys=True)))
    if "FlowId" not in message:
        return ("V1", json.dumps(message, sort_keys=True))
    names = ("FlowId", "FlowCallbackStatus", "CallbackType", "UserId", "RecipientId", "Operate", "CreateOn", "UpdatedOn")
    return ("V1", json.dumps([message.get(name) for name in names]))


class Seen:
    """A bounded memory. If each message must be processed once, use a unique column of your database instead."""

    def __init__(self, capacity=10_000, seconds=86_400):
        self.capacity, self.seconds = capacity, seconds
        self.known, self.lock = collections.OrderedDict(), threading.Lock()

    def is_new(self, key, now):
        with self.lock:
            while self.known and (
                len(self.known) > self.capacity or now - next(iter(self.known.values())) > self.seconds
            ):
                self.known.popitem(last=False)
            if key in self.known:
                return False
            self.known[key] = now
            return True


class Receipts:
    def __init__(self, path, url):
        self.path, self.url, self.lock = path, url, threading.Lock()
        self.open()

    def open(self):
        self.file = os.open(self.path, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600)
        self.look_at_end()

    def look_at_end(self):
        size = os.fstat(self.file).st_size
        # After a crash the last line may be torn.
        self.torn = size > 0 and os.pread(self.file, 1, size - 1) != b"\n"

    def reopen_if_moved(self):
        """A receipt in a file that logrotate has moved or deleted would be lost."""
        try:
            if self.file is not None and os.path.samestat(os.fstat(self.file), os.stat(self.path)):
                return
        except FileNotFoundError:
            pass
        if self.file is not None:
            os.close(self.file)
        self.file = None
        self.open()

    def append(self, body, signatures):
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return  # Not eSign's.
        if len(body) > 1024 * 1024:
            return
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        receipt = {"received_at": now, "url": self.url, "body": text}
        if signatures:
            receipt["content_signature"] = signatures[0]
        with self.lock:
            self.reopen_if_moved()
            line = ("\n" if self.torn else "") + json.dumps(receipt) + "\n"
            line, written = line.encode(), 0
            try:
                written = os.write(self.file, line)
                if written != len(line):
                    raise OSError("the receipt was not written completely")
                os.fsync(self.file)
            except OSError:
                self.take_back(line[:written])
                raise
            self.torn = False

    def take_back(self, part):
        """After an error, such as that of a full disk, the file ends as before."""
        begin = os.fstat(self.file).st_size - len(part)
        if part and os.pread(self.file, len(part), begin) == part:
            os.ftruncate(self.file, begin)
        self.look_at_end()


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 30  # seconds without a byte

    def do_POST(self):
        try:
            status, answer = 200, self.receive()
        except Rejected as error:
            status, answer = error.status, {"error": str(error)}
        except OSError as error:
            # eSign sends again what does not get a 200.
            status, answer = 500, {"error": str(error)}
        self.answer(status, answer)

    def receive(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise Rejected(411, "the request has no Content-Length")
        if int(length) > MOST_BYTES:
            raise Rejected(413, "the body is too large")
        body = self.rfile.read(int(length))
        signatures = self.headers.get_all("Content-Signature", [])
        server = self.server
        if server.receipts:
            server.receipts.append(body, signatures)
        message = open_request(server.pairs, signatures, body)
        if message is None:
            return {"received": "probe"}
        if not server.seen.is_new(dedupe_key(message), time.time()):
            return {"received": "duplicate"}
        # Answer first, work later: eSign does not wait long. A real receiver stores the message before it answers.
        server.work.put(message)
        return {"received": "message"}

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        # The body of a rejected request may not have been read.
        self.send_header("Connection", "close")
        self.close_connection = True
        try:
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            pass  # The client did not wait for the answer, and will send the message again.

    def not_allowed(self):
        self.answer(405, {"error": "eSign sends POST; a redirect to https turns it into a GET"})

    do_GET = do_PUT = do_DELETE = do_PATCH = not_allowed

    def log_message(self, format, *arguments):
        pass


def process(message):
    """Your work. Unknown types are normal: ignore them. Log no names, phones or identity numbers."""
    if isinstance(message.get("MsgType"), str):
        print("message", json.dumps(message["MsgType"]), flush=True)
    else:
        print("message in the format V1", flush=True)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # connections that wait to be accepted, in a burst


def main():
    host, port = os.environ.get("LISTEN", "127.0.0.1:8903").rsplit(":", 1)
    server = Server((host, int(port)), Handler)
    server.pairs, server.seen, server.work = pairs_of(os.environ), Seen(), queue.Queue()
    path = os.environ.get("RECEIPTS")
    server.receipts = Receipts(path, os.environ["CALLBACK_URL"]) if path else None

    def worker():
        while True:
            process(server.work.get())

    threading.Thread(target=worker, daemon=True).start()
    print(f"Listening on http://{host}:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
