"""A web server on this machine that misbehaves as it is told, and counts what it sends."""

import contextlib
import email.utils
import re
import socket
import struct
import threading
import time
from collections import Counter, defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"<!DOCTYPE html><html><body>Sign in to the network</body></html>"


class Unruly(ThreadingHTTPServer):
    """Serves ``files`` (bytes by path). ``faults`` are, by path, what the next requests meet, one
    after another; the last of them stays if it is in ``for_ever``.

    ``sent`` counts bytes of bodies and ``asked`` requests, both by path.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.faults, self.for_ever = dict(files), defaultdict(list), set()
        self.resumes, self.rate = True, None  # bytes a second
        self.sent, self.asked, self.lock = Counter(), Counter(), threading.Lock()
        self.address = f"http://127.0.0.1:{self.server_address[1]}"

    def next_fault(self, path):
        with self.lock:
            self.asked[path] += 1
            waiting = self.faults[path]
            if not waiting:
                return "none"
            return waiting[0] if path in self.for_ever and len(waiting) == 1 else waiting.pop(0)

    def handle_error(self, request, client_address):
        pass  # a client that goes away


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Unruly

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = self.path.removeprefix("/moved")
        fault = self.server.next_fault(self.path)
        if fault == "hang":
            time.sleep(1.0)
            return self.drop()
        if fault == "silent":
            return self.drop()
        if fault == "redirect":
            return self.head(302, {"Location": f"/moved{path}"})
        if fault == "circle":
            return self.head(302, {"Location": self.path})
        if isinstance(fault, int) or path not in self.server.files:
            return self.head(
                fault if isinstance(fault, int) else 404, {"Content-Type": "text/html"}
            )
        if fault == "wait":
            return self.head(429, {"Retry-After": "1"})
        if fault == "wait until":
            then = email.utils.formatdate(time.time() + 1, usegmt=True)
            return self.head(429, {"Retry-After": then})
        if fault == "wait long":
            return self.head(503, {"Retry-After": "86400"})
        if fault in ("page", "disguised page"):
            kind = "text/html; charset=utf-8" if fault == "page" else "application/octet-stream"
            self.head(200, {"Content-Type": kind}, len(PAGE))
            return self.wfile.write(PAGE)
        self.send(self.server.files[path], fault)

    def send(self, data, fault):
        start, end, status, headers = 0, len(data), 200, {}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked and self.server.resumes and fault != "no resume":
            start, end = int(asked[1]), min(end, int(asked[2] or end) + 1)
            if start >= len(data):
                return self.head(
                    416, {"Content-Range": f"bytes */{len(data)}", "Content-Type": "text/html"}
                )
            status, headers = 206, {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}
            if fault == "other part" and start:
                start -= 1
                headers = {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}
        body = data[start:end]
        if fault == "wrong bytes":
            body = bytes(255 - byte for byte in body)
        length = len(body) + {"too long": 1000, "too short": -min(1000, len(body) // 2)}.get(
            fault, 0
        )
        if fault == "too short":
            body = body[:length]
        if fault == "encoded":  # said of a .gz that is to be kept as it is
            headers["Content-Encoding"] = "gzip"
        if fault == "chunked":
            self.head(status, headers | {"Transfer-Encoding": "chunked"}, None)
            for at in range(0, len(body), 5000):
                piece = body[at : at + 5000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.count(len(piece))
            return self.wfile.write(b"0\r\n\r\n")
        self.head(status, headers, length)
        if fault in ("cut", "reset"):
            body = body[: len(body) // 2]
        self.write(body, slow=fault == "slow")
        if fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if fault in ("cut", "reset", "too long"):
            self.drop()

    def write(self, body, slow=False):
        step = 2048
        for at in range(0, len(body), step):
            piece = body[at : at + step]
            self.wfile.write(piece)
            self.count(len(piece))
            if slow or self.server.rate:
                self.wfile.flush()
                time.sleep(len(piece) / (self.server.rate or 600_000))

    def count(self, n):
        with self.server.lock:
            self.server.sent[self.path.removeprefix("/moved")] += n

    def head(self, status, headers, length=0):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def drop(self):
        self.wfile.flush()
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def serving(files):
    """A server of these files, until the block ends."""
    server = Unruly(files)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
