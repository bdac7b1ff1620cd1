#!/usr/bin/env python3
"""serve.py - the server under load, beside llama-server, in turns.

usage: bench/serve.py ISOBIT LLAMA_SERVER MODEL [--streams 1,4,8,16] [--rounds N] [--prompt N] [--answer N] [--json FILE]

Both serve the same file with two threads and 8 places, one after the other, never at once: each round starts one, sends it
its requests from so many streams at a time, and stops it. Requests are the same for both: /completion with token ids (so that
no tokenizer counts), temperature 1 (text of a random model does not repeat then: nothing is guessed ahead), no end before
N tokens, nothing remembered. The generator is one thread on sockets (a select loop), on the last processor. Figures: generated tokens per second over the whole round, and the time from a
request to its first token. The model's own pace without a server is isobit bench's.
"""
import argparse
import json
import os
import random
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(command, port):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as reply:
                if reply.status == 200:
                    return process
        except OSError:
            pass
        if process.poll() is not None:
            raise SystemExit(f"it ended at once: {' '.join(command)}")
        time.sleep(0.1)
    raise SystemExit(f"not ready within a minute: {' '.join(command)}")


class Stream:
    """One connection with one request; counts the tokens as they come."""

    def __init__(self, port, ids, n_answer):
        body = json.dumps({"prompt": ids, "n_predict": n_answer, "temperature": 1, "top_k": 0, "top_p": 1, "min_p": 0, "seed": 1,
                           "ignore_eos": True, "stream": True, "cache_prompt": False}).encode()
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.begun, self.first, self.last, self.n_tokens, self.rest = time.perf_counter(), 0.0, 0.0, 0, b""
        self.socket.sendall(b"POST /completion HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                            b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        self.socket.setblocking(False)

    def read(self):
        """False when the answer has ended."""
        data = self.socket.recv(1 << 16)
        now = time.perf_counter()
        self.rest += data
        *lines, self.rest = self.rest.split(b"\n")
        for line in lines:
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            if event.get("stop"):
                self.n_tokens = event.get("tokens_predicted", self.n_tokens)
                continue
            self.first = self.first or now
            self.last = now
        return bool(data)


def run(port, prompts, n_streams, n_answer):
    """Every prompt once, n_streams at a time. Seconds in all, tokens, first-token times."""
    waiting, done, selector = list(prompts), [], selectors.DefaultSelector()
    begun = time.perf_counter()

    def send():
        s = Stream(port, waiting.pop(0), n_answer)
        selector.register(s.socket, selectors.EVENT_READ, s)

    for _ in range(min(n_streams, len(waiting))):
        send()
    while len(done) < len(prompts):
        for key, _ in selector.select(60):
            s = key.data
            if s.read():
                continue
            selector.unregister(s.socket)
            s.socket.close()
            done.append(s)
            if waiting:
                send()
    seconds = time.perf_counter() - begun
    for s in done:
        assert s.n_tokens == n_answer, f"an answer of {s.n_tokens} tokens, not {n_answer}"
    return seconds, sum(s.n_tokens for s in done), sorted(s.first - s.begun for s in done)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("isobit")
    p.add_argument("llama_server")
    p.add_argument("model")
    p.add_argument("--streams", default="1,4,8,16")
    p.add_argument("--rounds", type=int, default=2)
    p.add_argument("--prompt", type=int, default=107)
    p.add_argument("--answer", type=int, default=64)
    p.add_argument("--json")
    a = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    cpus = sorted(os.sched_getaffinity(0))
    rng, rows, cells = random.Random(1), [], {}
    port = free_port()
    commands = {
        "isobit": [a.isobit, "serve", "-m", a.model, "--port", str(port), "-t", "2", "--parallel", "8", "-c", "512",
                   "--data", ""],
        "llama-server": [a.llama_server, "-m", a.model, "--port", str(port), "-t", "2", "-np", "8", "-c", str(8 * 512),
                         "--no-webui", "--cache-ram", "0"],
    }
    for _ in range(a.rounds):
        for n_streams in map(int, a.streams.split(",")):
            n = max(2, 2 * n_streams) if n_streams < 16 else n_streams
            prompts = [[rng.randrange(1000, 30000) for _ in range(a.prompt)] for _ in range(n)]
            for name, command in commands.items():
                process = start(command, port)
                os.sched_setaffinity(0, {cpus[-1]})
                run(port, [[rng.randrange(1000, 30000) for _ in range(8)]], 1, 4)  # warm
                seconds, n_tokens, first = run(port, prompts, n_streams, a.answer)
                os.sched_setaffinity(0, cpus)
                process.terminate()
                process.wait()
                cells.setdefault((n_streams, name), []).append((n_tokens / seconds, statistics.median(first), max(first)))
                print(f"{name:13} {n_streams:3} streams  {n_tokens / seconds:7.1f} tok/s   first token "
                      f"{statistics.median(first):6.2f} s, worst {max(first):6.2f} s", file=sys.stderr)
    print("| streams | isobit tok/s | llama-server | ratio | isobit first token s | llama-server | ratio |")
    print("|---|---|---|---|---|---|---|")
    for n_streams in map(int, a.streams.split(",")):
        ours, theirs = cells[n_streams, "isobit"], cells[n_streams, "llama-server"]
        pace = statistics.median(x[0] / y[0] for x, y in zip(ours, theirs))
        wait = statistics.median(x[1] / y[1] for x, y in zip(ours, theirs))
        o, t = [statistics.median(v) for v in zip(*ours)], [statistics.median(v) for v in zip(*theirs)]
        rows.append({"streams": n_streams, "isobit": o, "llama_server": t, "pace": pace, "first": wait})
        print(f"| {n_streams} | {o[0]:.0f} | {t[0]:.0f} | {pace:.2f} | {o[1]:.2f} | {t[1]:.2f} | {wait:.2f} |")
    if a.json:
        with open(a.json, "w") as f:
            json.dump(rows, f, indent=1)


if __name__ == "__main__":
    main()
