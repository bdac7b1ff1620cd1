#!/usr/bin/env python3
"""load.py - from the start of the process to the first token, and peak memory, beside llama.cpp.

usage: bench/load.py ISOBIT LLAMA_COMPLETION FILE... [--repeat N] [--ctx N] [--prompt N]

Both programs run alternately, each reading a prompt of N tokens (of isobit's tokenizer) and writing one token; the time is
that of the whole process, its end included. The file is read once before, so that both find it in the page cache, and
before each run twice the file's size of memory is touched and freed: a virtual machine gives free memory back to its
host, and whoever runs first would pay for getting it again. Peak
memory is the kernel's figure for the process (ru_maxrss: mapped pages of the file count), also beside the file and the
cache that the context asks for. One line of Markdown for each file.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time


def run(command, n_bytes_touched):
    """Seconds and peak bytes of a command."""
    subprocess.run([sys.executable, "-c", f"b'x' * {n_bytes_touched}"], check=True)
    start = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                             env={k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")})
    error = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{command[0]} failed: {error.decode(errors='replace')[-500:]}")
    return time.monotonic() - start, usage.ru_maxrss * 1024


def prompt_of(isobit, file, n_tokens):
    """Letters that are n_tokens tokens."""
    text = ""
    for i in range(4 * n_tokens):
        done = subprocess.run([isobit, "tokenize", "-m", file, "--json", "-p", text], capture_output=True, text=True, check=True)
        if len(json.loads(done.stdout)) >= n_tokens:
            return text
        text += "bdgkmpvz"[i % 8]
    sys.exit(f"{file}: no prompt of {n_tokens} tokens found")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("isobit")
    parser.add_argument("llama")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--ctx", type=int, default=4096)
    parser.add_argument("--prompt", type=int, default=16)
    o = parser.parse_args()
    print("| file | isobit s | llama.cpp s | ratio: median (min to max) | isobit peak | of file + cache | llama.cpp peak |")
    print("|---|---|---|---|---|---|---|")
    for file in o.files:
        text = prompt_of(o.isobit, file, o.prompt)
        with open(file, "rb") as f:
            while f.read(1 << 24):
                pass
        plan = json.loads(subprocess.run([o.isobit, "inspect", "--plan", "--json", "-m", file, "-c", str(o.ctx)],
                                         capture_output=True, text=True, check=True).stdout)
        asked = os.path.getsize(file) + plan["cache_bytes"]
        common = ["-m", file, "-c", str(o.ctx), "-n", "1", "-p", text]
        ours, theirs = [], []
        for _ in range(o.repeat):
            ours.append(run([o.isobit, "run", *common], 2 * os.path.getsize(file)))
            theirs.append(run([o.llama, *common, "-no-cnv"], 2 * os.path.getsize(file)))
        ratios = sorted(b[0] / a[0] for a, b in zip(ours, theirs))
        peak, their_peak = max(p for _, p in ours), max(p for _, p in theirs)
        print(f"| {os.path.basename(file)}, {os.path.getsize(file) / 1e9:.2f} GB "
              f"| {statistics.median(s for s, _ in ours):.2f} | {statistics.median(s for s, _ in theirs):.2f} "
              f"| {statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f}) "
              f"| {peak / 1e9:.2f} GB | {peak / asked:.2f} | {their_peak / 1e9:.2f} GB |", flush=True)


if __name__ == "__main__":
    main()
