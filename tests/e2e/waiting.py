#!/usr/bin/env python3
"""waiting.py ISOBIT [MODEL] [--streams N] - what so many open streams that wait in the queue cost in memory: under 100 KB each."""
import argparse
import json
import re
import resource
import socket
import subprocess
import sys
import threading
import time

p = argparse.ArgumentParser()
p.add_argument("isobit")
p.add_argument("model", nargs="?")
p.add_argument("--streams", type=int, default=1000)
a = p.parse_args()
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
server = subprocess.Popen([a.isobit, "serve", "--port", "0", "--parallel", "1", "-t", "1", "--sessions", str(a.streams + 24),
                           "--data", "", *(["-m", a.model] if a.model else [])], stderr=subprocess.PIPE, text=True)
port = 0
for line in server.stderr:
    found = re.match(r"listening on http://127.0.0.1:(\d+)", line)
    port = port or (found and int(found[1]))
    if " is ready" in line:
        break
threading.Thread(target=server.stderr.read, daemon=True).start()


def memory_kb():
    children = open(f"/proc/{server.pid}/task/{server.pid}/children").read().split()
    return sum(int(re.search(r"Pss:\s+(\d+)", open(f"/proc/{i}/smaps_rollup").read())[1]) for i in [server.pid, *children])


def ask(n_answer):
    words = " ".join("what is a token and what is a page".split() * 8)
    body = json.dumps({"messages": [{"role": "user", "content": words}], "stream": True, "max_tokens": n_answer,
                       "ignore_eos": True}).encode()
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
              b"Content-Length: %d\r\n\r\n" % len(body) + body)
    return s


def waiting():
    import http.client
    c = http.client.HTTPConnection("127.0.0.1", port)
    c.request("GET", "/metrics", headers={"Accept": "application/json"})
    return json.loads(c.getresponse().read())["models"][0]["requests_waiting"]


try:
    first = ask(100000)  # has the only place in the batch
    first.recv(100)
    time.sleep(1)
    before = memory_kb()
    streams = [ask(100000) for _ in range(a.streams)]  # to the context's end: few end meanwhile
    for _ in range(200):
        n = waiting()
        if n >= a.streams * 0.95:
            break
        time.sleep(0.1)
    cost = memory_kb() - before
    print(f"{n} streams wait; {cost} KiB more than without them, {cost / a.streams:.1f} each")
    assert n >= a.streams * 0.95, "they do not wait"
    assert cost < 100 * a.streams, "they cost too much"
finally:
    server.kill()
