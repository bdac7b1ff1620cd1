#!/usr/bin/env python3
"""table.py - the parts that suite.sh measured as one table.

usage: table.py PARTS OUT    (reads PARTS/*.json and *.txt, writes OUT.json and OUT.md)
"""
import json
import sys
from pathlib import Path


def rate(x):
    return f"{x:.1f}" if x < 1000 else f"{x:.0f}"


def roof(row):
    if row["roof_share"] is None:
        return "it moved"
    limit = f"{row['roof_gb_per_s']:.1f} GB/s" if row["bound"] == "read" else f"{row['roof_gops']:.0f} GOP/s"
    return f"{100 * row['roof_share']:.0f} % of {limit}"


def line(part, row):
    cells = [part["model"]["name"].removesuffix(".gguf"), row["test"],
             f"{rate(row['tokens_per_second'])} ({rate(row['min'])} to {rate(row['max'])})", roof(row), "", ""]
    if "ratio" in row:
        cells[4] = rate(row["baseline_tokens_per_second"])
        cells[5] = f"{row['ratio']:.2f} ({row['ratio_min']:.2f} to {row['ratio_max']:.2f})"
    return "| " + " | ".join(cells) + " |"


def losses(part):
    """Within one run: a long prompt beside a short one, generation deep in beside at the start."""
    rows = part["results"]
    for row in rows:
        for base in rows:
            longer = row["kind"] == base["kind"] == "prompt" and row["n_tokens"] > base["n_tokens"]
            deeper = row["kind"] == base["kind"] == "gen" and row["n_depth"] > base["n_depth"]
            if longer or deeper:
                lost = 1 - row["tokens_per_second"] / base["tokens_per_second"]
                yield f"- {part['model']['name']}: {row['test']} is {100 * lost:.0f} % slower than {base['test']}."


def kernels(texts):
    """Lines of kernel_bench: "Q4_K K=2048 N=5632 T=512 1200 GOP/s 60.0 % of int8 peak [90 % of read bandwidth]"."""
    shapes, shares, few = [], {}, []
    for words in (line.split() for name, text in texts.items() if name != "attention" for line in text.splitlines()):
        name, k, n, rows, gops = words[0], words[1][2:], words[2][2:], int(words[3][2:]), words[4]
        if rows <= 16:
            few.append(f"| {name} | {rows} | {gops} | {words[6]} % of {words[9]} | {words[11]} % |")
            continue
        shape = f"{k} to {n}"
        shapes += [shape] if shape not in shapes else []
        shares.setdefault((name, words[9]), {})[shape] = words[6]
    if shares:
        yield from ["## Products alone, 512 rows", "", "Share of the measured peak, by columns in and out.", ""]
        yield "| type | peak of | " + " | ".join(shapes) + " |"
        yield "|---|---|" + "---|" * len(shapes)
        for (name, peak), row in shares.items():
            yield f"| {name} | {peak} | " + " | ".join(f"{row[s]} %" if s in row else "" for s in shapes) + " |"
    if few:
        yield from [""] * bool(shares) + ["## Products alone, few rows, a matrix that no cache holds", ""]
        yield from ["| type | rows | GOP/s | of the peak | of the read bandwidth |", "|---|---|---|---|---|", *few]
    if "attention" in texts:
        yield from [""] * bool(shares or few) + ["## Attention alone: heads/key-value heads/head size", "", "```", texts["attention"].rstrip(), "```"]


def markdown(parts, texts):
    first = parts[0]
    machine = first["machine"]
    names = {p["against"]["baseline"] for p in parts if "against" in p}
    baselines = sorted(n for n in names if not any(m != n and m.startswith(n) for m in names))
    dropped = sum(r["n_dropped"] for p in parts for r in p["results"])
    n_all = sum(len(r["samples"]) for p in parts for r in p["results"])
    out = [f"# {machine['cpu']}, {first['threads']} threads of {machine['n_processors']} processors", "",
           f"isobit at commit {first['commit']} on {first['isa']}, {', '.join(baselines)}, random models of `tools/mkmodel.c`,",
           f"{machine['n_bytes_memory'] / 1e9:.0f} GB of memory. Made by `bench/suite.sh`; how to read it: `docs/benchmarks.md`.",
           "", "| file | test | isobit tokens/s (min to max) | of the roof | llama.cpp | ratio (min to max of pairs) |",
           "|---|---|---|---|---|---|"]
    out += [line(p, r) for p in parts for r in p["results"]]
    out += ["", f"{dropped} of {n_all} repetitions had a roof that moved by more than 10 %."]
    slower = [text for p in parts for text in losses(p)]
    out += [""] * bool(slower) + slower + ["", *kernels(texts)]
    return "\n".join(out).rstrip() + "\n"


def main():
    parts, texts = [], {p.stem: p.read_text() for p in sorted(Path(sys.argv[1]).glob("*.txt"))}
    for path in sorted(Path(sys.argv[1]).glob("*.json"), key=lambda p: p.stat().st_mtime):
        parts.append({"part": path.stem, **json.loads(path.read_text())})
    if not parts:
        sys.exit(f"table.py: no parts in {sys.argv[1]}")
    for part in parts:  # paths are this machine's own
        if "against" in part:
            words = part["against"]["command"].split()
            part["against"]["command"] = " ".join(w.rsplit("/", 1)[-1] for w in words)
    out = Path(sys.argv[2])
    out.parent.mkdir(parents=True, exist_ok=True)
    Path(f"{out}.json").write_text(json.dumps({"parts": parts, "alone": texts}, indent=1) + "\n")
    Path(f"{out}.md").write_text(markdown(parts, texts))
    print(f"{out}.json, {out}.md")


if __name__ == "__main__":
    main()
