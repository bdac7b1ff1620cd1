#!/usr/bin/env python3
"""poc_gaps.py - what chat feels of proof of compute in its gaps, and what is left to nonces.

usage: bench/poc_gaps.py ISOBIT MODEL [--rounds N] [--streams N] [--prompt N] [--answer N] [--seq-len N] [--threads N]

One isobit serve --poc. Each round, in turns: nonces alone, chat alone, chat while the generation runs. Chat is N streams, each
a request of token ids (nothing is remembered, nothing guessed), temperature 1, no end before its tokens are there. Figures of
chat are the time to a request's first token and the time between tokens, over all rounds; of nonces, nonces per second.
"""
import argparse
import http.client
import json
import random
import statistics
import subprocess
import threading
import time

parser = argparse.ArgumentParser()
parser.add_argument("isobit")
parser.add_argument("model")
for name, value in (("rounds", 3), ("streams", 2), ("prompt", 200), ("answer", 60), ("seq-len", 256), ("threads", 2),
                    ("seconds", 15)):
    parser.add_argument(f"--{name}", type=int, default=value)
args = parser.parse_args()

POW = "/api/v1/pow"


def call(path, body=None):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    c.request("GET" if body is None else "POST", path, body and json.dumps(body), {"Content-Type": "application/json"})
    r = c.getresponse()
    return r.status, json.loads(r.read())


def chat(rng, firsts, gaps):
    ids = [rng.randrange(10, n_vocab) for _ in range(args.prompt)]
    body = {"prompt": ids, "n_predict": args.answer, "temperature": 1, "top_k": 0, "top_p": 1, "min_p": 0, "seed": 1,
            "ignore_eos": True, "stream": True, "cache_prompt": False}
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    begun = last = time.perf_counter()
    c.request("POST", "/completion", json.dumps(body), {"Content-Type": "application/json"})
    r = c.getresponse()
    assert r.status == 200, r.status  # never 503
    n = 0
    for line in r:
        if not line.startswith(b"data: {") or b'"stop":true' in line:
            continue
        now = time.perf_counter()
        (gaps if n else firsts).append(now - (last if n else begun))
        last, n = now, n + 1


def chats(rng):
    firsts, gaps = [], []
    for _ in range(2):
        threads = [threading.Thread(target=chat, args=(random.Random(rng.random()), firsts, gaps))
                   for _ in range(args.streams)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    return firsts, gaps


def processed():
    return call(POW + "/status")[1]["stats"]["total_processed"]


def nonces_while(work):
    status, answer = call(POW + "/init/generate", {
        "block_hash": "b", "block_height": 1, "public_key": "k", "node_id": 0, "node_count": 1,
        "params": {"model": "m", "seq_len": args.seq_len}})
    assert status == 200, answer
    time.sleep(3)
    n, begun = processed(), time.perf_counter()
    result = work()
    rate = (processed() - n) / (time.perf_counter() - begun)
    call(POW + "/stop", {})
    time.sleep(0.5)
    return rate, result


def at(values, part):
    return 1000 * sorted(values)[min(len(values) - 1, int(part * len(values)))]


process = subprocess.Popen([args.isobit, "serve", "-m", f"m={args.model}", "--poc", "--port", "0", "-t", str(args.threads),
                            "--data", ""], stderr=subprocess.PIPE, text=True)
for line in process.stderr:
    if "listening on" in line:
        port = int(line.rsplit(":", 1)[1])
        break
threading.Thread(target=process.stderr.read, daemon=True).start()
while call("/health")[0] != 200:
    time.sleep(0.1)
n_vocab = call("/v1/models")[1]["data"][0]["meta"]["vocabulary"]
rng, alone, beside, rates = random.Random(1), ([], []), ([], []), ([], [])
chats(rng)  # what steps cost is learned
for _ in range(args.rounds):
    rates[0].append(nonces_while(lambda: time.sleep(args.seconds))[0])
    for into, values in zip(alone, chats(rng)):
        into += values
    rate, both = nonces_while(lambda: chats(rng))
    rates[1].append(rate)
    for into, values in zip(beside, both):
        into += values
process.terminate()
print(f"{args.streams} streams, prompts of {args.prompt}, answers of {args.answer}; nonces of {args.seq_len} rows; ms")
print("| | first token p50 | p95 | between tokens p50 | p95 | p99 | nonces/s |\n|---|---|---|---|---|---|---|")
for name, values, rate in (("chat alone", alone, None), ("chat beside nonces", beside, rates[1])):
    print(f"| {name} | {at(values[0], .5):.0f} | {at(values[0], .95):.0f} | {at(values[1], .5):.1f} | {at(values[1], .95):.1f} | "
          f"{at(values[1], .99):.1f} | {statistics.mean(rate) if rate else 0:.2f} |")
print(f"| nonces alone | | | | | | {statistics.mean(rates[0]):.2f} |")
