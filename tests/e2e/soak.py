#!/usr/bin/env python3
"""soak.py ISOBIT [--requests N] [--seconds N] [--receipts] - the server for long: what it uses at the end is what it used at first.

Requests to the demo model, from a seed: 30 % are cancelled at random points, 10 % are malformed, 5 % are over limits,
the others are checked to be whole. After a tenth of them (at least 200) and at the end, at rest: the resident memory of all
its processes may differ by 2 %, and descriptors, open requests and pages of the cache must be back.
"""
import argparse
import http.client
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time

p = argparse.ArgumentParser()
p.add_argument("isobit")
p.add_argument("--requests", type=int, default=20000)
p.add_argument("--seconds", type=float, default=1e9, help="end earlier, after so long")
p.add_argument("--threads", type=int, default=6)
p.add_argument("--seed", type=int, default=1)
p.add_argument("--receipts", action="store_true", help="of every answer")
a = p.parse_args()
deadline = time.monotonic() + a.seconds

folder = tempfile.TemporaryDirectory()
receipts = ["--receipts", "always", "--node-key", folder.name] if a.receipts else []
if receipts:
    subprocess.run([a.isobit, "node-key", "create", "--dir", folder.name], check=True, capture_output=True)
server = subprocess.Popen([a.isobit, "serve", "--port", "0", "--parallel", "8", "-t", "1", "-c", "512", "--sessions", "64",
                           "--data", folder.name, *receipts], stderr=subprocess.PIPE, text=True)
port = 0
for line in server.stderr:
    found = re.match(r"listening on http://127.0.0.1:(\d+)", line)
    port = port or (found and int(found[1]))
    if " is ready" in line:
        break
threading.Thread(target=lambda: [print(l, end="", file=sys.stderr) for l in server.stderr], daemon=True).start()
CHAT = "/v1/chat/completions"


def processes():
    return [server.pid] + [int(c) for c in open(f"/proc/{server.pid}/task/{server.pid}/children").read().split()]


def resident_kb():
    """What each mapping of each process takes, by its name, or its size where it has none."""
    kb = {}
    for i, process in enumerate(processes()):
        for mapping in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", open(f"/proc/{process}/smaps").read()):
            name = mapping.split("\n")[0].split()[5:] or ["of " + re.search(r"Size:\s+(\d+)", mapping)[1] + " KiB"]
            key = (i, name[0])
            kb[key] = kb.get(key, 0) + int(re.search(r"Pss:\s+(\d+)", mapping)[1])
    return kb


def wait_for_hashes():
    """Receipts name the weights' hash."""
    while True:
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        c.request("POST", CHAT, json.dumps(ask(random.Random(1), max_tokens=1)), {"Content-Type": "application/json"})
        status = c.getresponse().status
        c.close()
        if status != 503:
            return
        time.sleep(0.1)


def descriptors():
    return [len(os.listdir(f"/proc/{i}/fd")) for i in processes()]


def get(path):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    c.request("GET", path, headers={"Accept": "application/json"})
    body = json.loads(c.getresponse().read())
    c.close()
    return body


def ask(rng, **fields):
    words = rng.choices("What is a token receipt batch model prompt cache seed page bit number machine".split(),
                        k=rng.randint(1, 60))
    return {"messages": [{"role": "user", "content": " ".join(words)}], "max_tokens": rng.randint(1, 80),
            "temperature": rng.choice([0, 0.7, 1.5]), "seed": rng.randrange(1000), **fields}


BAD = [b"{", b"[]", b'{"messages": 3}', b'{"messages": []}', b'{"messages": [{"role": "user", "content": "x"}], "n": 0}',
       b'{"messages": [{"role": "user", "content": "x"}], "response_format": {"type": "json_schema", "json_schema": '
       b'{"name": "a", "schema": {"type": 7}}}}', b'{"messages": [{"role": "user", "content": "x"}], "tools": 1}']


def one(rng):
    """One request; its kind and status."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    kind = rng.random()
    headers = {"Content-Type": "application/json"}
    try:
        if kind < 0.30:  # leaves, anywhere from before the answer to amid it
            c.request("POST", CHAT, json.dumps(ask(rng, stream=rng.random() < 0.7, ignore_eos=True, max_tokens=200)), headers)
            wait = rng.random()
            if wait < 0.5:
                time.sleep(wait * 0.02)
            else:
                r = c.getresponse()
                r.read(rng.randint(1, 2000))
            return "left", 0
        if kind < 0.40:
            c.request("POST", CHAT, rng.choice(BAD), headers)
            r = c.getresponse()
            r.read()
            assert 400 <= r.status < 500, r.status
            return "bad", r.status
        if kind < 0.45:
            long = ask(rng)
            long["messages"][0]["content"] = "word " * 5000
            c.request("POST", CHAT, json.dumps(long), headers)
            r = c.getresponse()
            assert r.status == 400 and b"context_length_exceeded" in r.read()
            return "long", r.status
        stream, n = rng.random() < 0.5, rng.choice([1, 1, 1, 3])
        body = ask(rng, stream=stream, n=n)
        if rng.random() < 0.1:
            body["response_format"] = {"type": "json_object"}
        c.request("POST", CHAT, json.dumps(body), headers)
        r = c.getresponse()
        text = r.read()
        if r.status == 429:
            return "busy", 429
        assert r.status == 200, (r.status, text)
        if stream:
            assert text.endswith(b"data: [DONE]\n\n"), text[-200:]
        else:
            assert len(json.loads(text)["choices"]) == n
        return "good", 200
    finally:
        c.close()


def settle():
    """Waits until nothing is under way."""
    for _ in range(400):
        m = get("/metrics")
        model = m["models"][0]
        if not get("/v1/requests")["data"] and model["requests_running"] == 0 and model["requests_waiting"] == 0:
            time.sleep(2.5)  # the last connections close, and memory that is free goes back
            return model
        time.sleep(0.05)
    raise SystemExit("FAILED: requests stay under way")


def measure():
    model = settle()
    return {"kb": resident_kb(), "descriptors": descriptors(), "used": model["kv_pages_used"]}


def spread(n_from, n_to, counts):
    lock, numbers = threading.Lock(), iter(range(n_from, n_to))

    def work():
        while time.monotonic() < deadline:
            with lock:
                i = next(numbers, None)
            if i is None:
                return
            kind, _ = one(random.Random(a.seed << 32 | i))
            with lock:
                counts[kind] = counts.get(kind, 0) + 1

    threads = [threading.Thread(target=work) for _ in range(a.threads)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def use_all():
    """Prompts as long as fit, side by side: memory that is reserved for them is resident from now on."""
    def long(i):
        rng = random.Random(i)
        body = {"prompt": [rng.randrange(300, 2000) for _ in range(500)], "max_tokens": 4, "n": 3}
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        c.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
        r = c.getresponse()
        text = r.read()
        assert r.status == 200, text
        c.close()

    threads = [threading.Thread(target=long, args=(i,)) for i in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


try:
    counts = {}
    wait_for_hashes()
    use_all()
    n_first = max(200, a.requests // 10)
    spread(0, n_first, counts)
    before = measure()
    spread(n_first, a.requests, counts)
    after = measure()
    n_before, n_after = sum(before["kb"].values()), sum(after["kb"].values())
    drift = n_after / n_before - 1
    print(f"{sum(counts.values())} requests {counts}; resident {n_before} -> {n_after} KiB ({100 * drift:+.1f} %), "
          f"descriptors {before['descriptors']} -> {after['descriptors']}, pages in use {after['used']}")
    assert sum(counts.values()) > n_first, "too few requests to tell"
    if drift >= 0.02:
        for key in sorted(after["kb"], key=lambda k: before["kb"].get(k, 0) - after["kb"][k])[:8]:
            print(f"  {'worker' if key[0] else 'front'} {key[1]}: {before['kb'].get(key, 0)} -> {after['kb'][key]} KiB")
    assert drift < 0.02, "memory grows"
    assert after["descriptors"] == before["descriptors"], "descriptors are lost"
    assert after["used"] == 0, "pages are lost"
finally:
    server.terminate()
    server.wait(30)
assert server.returncode == 0, f"exit status {server.returncode}"
