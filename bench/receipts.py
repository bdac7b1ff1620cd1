#!/usr/bin/env python3
"""receipts.py - what receipts cost a server: the same requests with and without them, in turns, to one server.

usage: bench/receipts.py ISOBIT MODEL [--streams 1,16] [--rounds N] [--prompt N] [--answer N] [--json FILE]

One server gives receipts to those who ask; each round sends the same requests (bench/serve.py's) twice, with
"receipt": true and without, in changing order. Figures are ratios of pairs, with over without: the time of the whole
round, and the processor time of all the server's processes in it, which other programs on the machine disturb less.
Both have everything in it: watching the engine, hashing, signing, the sync. Receipts lie in the folder of this
script's temporary files.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.dirname(__file__))
import serve  # noqa: E402

p = argparse.ArgumentParser()
p.add_argument("isobit")
p.add_argument("model")
p.add_argument("--streams", default="1,16")
p.add_argument("--rounds", type=int, default=10)
p.add_argument("--prompt", type=int, default=107)
p.add_argument("--answer", type=int, default=128)
p.add_argument("--json")
a = p.parse_args()
folder, port = tempfile.TemporaryDirectory(), serve.free_port()
subprocess.run([a.isobit, "node-key", "create", "--dir", folder.name], check=True, capture_output=True)
server = serve.start([a.isobit, "serve", "-m", a.model, "--port", str(port), "-t", "2", "-c", "1024", "--parallel", "16",
                      "--data", "", "--receipts", "ask", "--node-key", folder.name], port)
plain = json.dumps


def processor_s():
    """Of all the server's processes."""
    pids = [server.pid] + [int(c) for c in open(f"/proc/{server.pid}/task/{server.pid}/children").read().split()]
    ticks = 0
    for pid in pids:
        fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def one(prompts, n_streams, receipt):
    serve.json.dumps = lambda body: plain(dict(body, receipt=receipt))
    used = processor_s()
    seconds, n_tokens, _ = serve.run(port, prompts, n_streams, a.answer)
    return seconds, processor_s() - used


def wait_for_hashes():
    body = plain({"prompt": [1], "n_predict": 1, "receipt": True}).encode()
    while True:
        try:
            urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/completion", body,
                                                          {"Content-Type": "application/json"})).read()
            return
        except urllib.error.HTTPError as e:
            assert e.code == 503, e
            time.sleep(0.2)


try:
    wait_for_hashes()
    results = {}
    for n_streams in (int(n) for n in a.streams.split(",")):
        rng, pairs = random.Random(n_streams), []
        for i in range(a.rounds + 1):
            prompts = [[1] + [rng.randrange(100, 2000) for _ in range(a.prompt - 1)] for _ in range(max(2, n_streams))]
            order = [True, False] if i % 2 else [False, True]
            got = {receipt: one(prompts, n_streams, receipt) for receipt in order}
            if i:  # the first warms up
                pairs.append([x / y for x, y in zip(got[True], got[False])])
        results[n_streams] = {
            name: {"median": round(statistics.median(r), 4), "all": sorted(round(x, 4) for x in r)}
            for name, r in zip(("time", "processor"), zip(*pairs))}
        print(n_streams, plain(results[n_streams]))
    if a.json:
        with open(a.json, "w") as f:
            f.write(plain(results, indent=1) + "\n")
finally:
    server.terminate()
    server.wait()
    folder.cleanup()
