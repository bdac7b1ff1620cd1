#!/usr/bin/env python3
"""serve_step.py - what the server adds to the engine's own step, with one stream: isobit run and isobit serve in turns.

usage: bench/serve_step.py ISOBIT MODEL [--rounds N] [--answer N]

Both write N tokens after the same short prompt with the same seed; the figure is the time of a token after the first.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from serve import Stream, free_port, start  # noqa: E402

p = argparse.ArgumentParser()
p.add_argument("isobit")
p.add_argument("model")
p.add_argument("--rounds", type=int, default=6)
p.add_argument("--answer", type=int, default=128)
a = p.parse_args()
port = free_port()
own, served = [], []
for _ in range(a.rounds):
    run = subprocess.run([a.isobit, "run", "-m", a.model, "-t", "2", "-c", "512", "--raw", "-p", "one two three", "-n", str(a.answer),
                          "--ignore-eos", "--temp", "1", "--top-k", "0", "--top-p", "1", "--min-p", "0", "-s", "1"],
                         capture_output=True, text=True, check=True)
    own.append(1000 / float(re.search(r"written at ([0-9.]+)/s", run.stderr)[1]))
    server = start([a.isobit, "serve", "-m", a.model, "--port", str(port), "-t", "2", "-c", "512", "--data", ""], port)
    s = Stream(port, [1, 100, 200, 300], a.answer)
    s.socket.setblocking(True)
    while s.read():
        pass
    server.terminate()
    server.wait()
    served.append(1000 * (s.last - s.first) / (s.n_tokens - 1))
ratios = sorted(y / x for x, y in zip(own, served))
print(json.dumps({"own_ms": statistics.median(own), "served_ms": statistics.median(served),
                  "ratio": statistics.median(ratios), "ratios": [round(r, 3) for r in ratios]}))
