#!/usr/bin/env python3
"""hub_server.py - a hub that is sometimes wrong, for test_pull.sh. On 127.0.0.1 only.

usage: hub_server.py FOLDER    (prints its two ports; logs requests to FOLDER/log)

FOLDER/repos/OWNER/REPO/... are repositories; FOLDER/faults.json says what goes wrong, by file name:
a list, one entry for each answer that carries the file's bytes ("" and the end of the list: nothing).
  cut:N      the connection ends after N bytes of the body     long:N   Content-Length says N more
  short:N    Content-Length says N less, and no more comes     total:N  Content-Range says N more in all
  flip:N     byte N of the file is another                     etag:X   another ETag from now on
  norange    Range is not understood                           status:N[:S] that status (Retry-After S)
  redirect   to the other port (302)                           drip     slowly
  unsized    without a length, to the connection's end         gzip     claims to be compressed
  more:N     N bytes too many without a length        blind      norange and unsized
"""
import hashlib
import http.server
import json
import sys
import threading
import time
import urllib.parse
from pathlib import Path

folder = Path(sys.argv[1])
etags, lock = {}, threading.Lock()


def next_fault(name):
    with lock:
        path = folder / "faults.json"
        faults = json.loads(path.read_text()) if path.exists() else {}
        left = faults.get(name, [])
        fault = left[0] if left else ""
        if left and not fault.startswith("always-"):
            faults[name] = left[1:]
            path.write_text(json.dumps(faults))
        return fault.removeprefix("always-")


def git_oid(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def listing(repo):
    entries = []
    for path in sorted(p for p in repo.rglob("*") if p.is_file()):
        data = path.read_bytes()
        entry = {"type": "file", "path": str(path.relative_to(repo)), "size": len(data), "oid": git_oid(data)}
        if path.suffix in (".gguf", ".safetensors"):
            entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
        entries.append(entry)
    extra = folder / "extra.json"
    return entries + (json.loads(extra.read_text()) if extra.exists() else [])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self):
        with lock, open(folder / "log", "a") as log:
            log.write(f"{self.server.role} {self.path.split('?')[0]} range={self.headers.get('Range', '-')} "
                      f"authorization={self.headers.get('Authorization', '-')}\n")

    def simple(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.note()
        url = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(url.path)
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            return self.get_listing(parts, urllib.parse.parse_qs(url.query))
        if parts[2:4] == ["resolve", "main"]:
            file = folder / "repos" / parts[0] / parts[1] / "/".join(parts[4:])
        else:
            file = folder / "files" / path.strip("/")
        if not file.is_file():
            return self.simple(404, b"not found")
        self.get_file(file)

    def get_listing(self, parts, query):
        repo = folder / "repos" / parts[2] / parts[3]
        fault = next_fault("listing")
        if fault == "page":
            return self.simple(200, json.dumps(listing(repo)[:1]).encode(),
                               [("Link", f'<http://127.0.0.1:{self.server.server_port}{self.path}&cursor=x>; rel="next"')])
        if fault.startswith("text:"):
            return self.simple(200, fault[5:].encode())
        if not repo.is_dir():
            return self.simple(401, b'{"error":"Repository not found"}')
        entries = listing(repo)
        self.simple(200, json.dumps(entries[1:] if "cursor" in query else entries).encode())

    def get_file(self, file):
        data, fault, name = file.read_bytes(), next_fault(file.name), file.name
        kind, _, value = fault.partition(":")
        if kind == "status":
            status, _, after = value.partition(":")
            return self.simple(int(status), b"no", [("Retry-After", after)] if after else [])
        if kind == "redirect":
            return self.simple(302, headers=[("Location", f"http://localhost:{self.server.other}{self.path}"),
                                             ("X-Linked-Etag", f'"{hashlib.sha256(data).hexdigest()}"')])
        if kind == "loop":
            return self.simple(302, headers=[("Location", self.path)])
        if kind == "elsewhere":
            return self.simple(302, headers=[("Location", "file:///etc/passwd")])
        if kind == "etag":
            etags[name] = value
        if kind == "flip":
            at = int(value)
            data = data[:at] + bytes([data[at] ^ 255]) + data[at + 1:]
        self.send_bytes(data, kind, value, f'"{etags.get(name, "first")}"')

    def send_bytes(self, data, kind, value, etag):
        wanted, whole, status = self.headers.get("Range"), len(data), 200
        if self.headers.get("If-Range", etag) != etag:
            wanted = None
        if wanted and kind not in ("norange", "blind"):
            first, last = wanted.removeprefix("bytes=").split("-")
            first, last = int(first), min(int(last or whole - 1), whole - 1)
            if first >= whole:
                return self.simple(416)
            data, status = data[first:last + 1], 206
        self.send_response(status)
        self.send_header("ETag", etag)
        if status == 206:
            more = int(value) if kind == "total" else 0
            self.send_header("Content-Range", f"bytes {first}-{last}/{whole + more}")
        if kind == "gzip":
            self.send_header("Content-Encoding", "gzip")
        length = len(data) + (int(value) if kind == "long" else -int(value) if kind == "short" else 0)
        if kind in ("unsized", "more", "blind"):
            self.send_header("Connection", "close")
            data += b"x" * int(value or 0)
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if kind == "cut":
            data = data[:int(value)]
        elif kind == "short":
            data = data[:length]
        if kind == "drip":
            for at in range(0, len(data), 1 << 16):
                self.wfile.write(data[at:at + (1 << 16)])
                time.sleep(0.05)
        else:
            self.wfile.write(data)
        if kind in ("cut", "long", "unsized", "more", "blind"):
            self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client):
        pass  # clients leave


hub, other = (Server(("127.0.0.1", 0), Handler) for _ in range(2))
hub.role, other.role = "hub", "other"
hub.other, other.other = other.server_port, hub.server_port
threading.Thread(target=other.serve_forever, daemon=True).start()
print(hub.server_port, other.server_port, flush=True)
hub.serve_forever()
