#!/usr/bin/env python3
"""against_llama.py - isobit and llama.cpp on one file, interleaved, as ratios.

usage: against_llama.py ISOBIT LLAMA_BENCH MODEL.gguf [--threads 2] [--prompt 512] [--gen 64] [--repeat 5]

Each repetition runs one after the other: llama-bench on the prompt, isobit, llama-bench on the
generation; the ratio of each pair is taken, then the median over repetitions. Absolute rates swing
with whatever else the machine does; a pair's ratio much less. Prints a Markdown table.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile

WORDS = "the model reads numbers and words then writes more of them while memory and cores wait".split()


def isobit(args, text, n_gen):
    """Rates of prompt and generation, tokens per second."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as prompt:
        prompt.write(text)
        prompt.flush()
        out = subprocess.run(
            [args.isobit, "run", "-q", "--raw", "--json", "-m", args.model, "-f", prompt.name, "-n", str(n_gen),
             "-t", str(args.threads), "--temp", "0", "--ignore-eos"], check=True, capture_output=True, text=True)
    run = json.loads(out.stdout)
    n_prompt, n_answer = len(run["prompt_tokens"]), len(run["tokens"])
    return n_prompt, n_prompt / run["prompt_seconds"], (n_answer - 1) / run["answer_seconds"]


def llama(args, n_prompt, n_gen):
    env = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    out = subprocess.run(
        [args.llama_bench, "-m", args.model, "-t", str(args.threads), "-p", str(n_prompt), "-n", str(n_gen),
         "-r", "1", "-o", "json"], check=True, capture_output=True, text=True, env=env)
    return json.loads(out.stdout)[0]["avg_ts"]


def prompt_of(args):
    """As many words as make args.prompt tokens, or just over."""
    text = lambda n: " ".join(WORDS[i * 7 % len(WORDS)] for i in range(n))
    low, high = 1, args.prompt
    while low < high:
        middle = (low + high) // 2
        if isobit_tokens(args, text(middle)) >= args.prompt:
            high = middle
        else:
            low = middle + 1
    return text(low)


def isobit_tokens(args, text):
    out = subprocess.run([args.isobit, "tokenize", "-m", args.model, "--json", "-p", text],
                         check=True, capture_output=True, text=True)
    return len(json.loads(out.stdout))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("isobit")
    parser.add_argument("llama_bench")
    parser.add_argument("model")
    for name, value in (("threads", 2), ("prompt", 512), ("gen", 64), ("repeat", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    text, rows = prompt_of(args), []
    for _ in range(args.repeat):
        theirs_prompt = llama(args, args.prompt, 0)
        n, ours_prompt, ours_gen = isobit(args, text, args.gen)
        theirs_gen = llama(args, 0, args.gen)
        rows.append((ours_prompt, theirs_prompt, ours_gen, theirs_gen))
    print(f"{os.path.basename(args.model)}, {args.threads} threads, {n} tokens in, {args.gen} out, "
          f"{args.repeat} interleaved repetitions\n")
    print("| | isobit tok/s | llama.cpp tok/s | ratio: median (min to max) |\n|---|---|---|---|")
    for name, a, b in (("prompt", 0, 1), ("generation", 2, 3)):
        ratios = [row[a] / row[b] for row in rows]
        print(f"| {name} | {statistics.median(r[a] for r in rows):.1f} | {statistics.median(r[b] for r in rows):.1f} | "
              f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |")


if __name__ == "__main__":
    main()
