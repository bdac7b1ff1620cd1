#!/usr/bin/env python3
"""validation_curves.py - how often isobit validate is wrong: rates with intervals, and plots.

  validation_curves.py judge ISOBIT FOLDER     each FOLDER/NAME.jsonl against the demo model: NAME.out
  validation_curves.py report FOLDER           bench/results/validation-{values,rates}.csv and
                                               docs/pictures/validation-*.svg

The answers are those of tools/validation_answers.py (an honest engine in float32 and bfloat16, and what
is made of it) and of tools/validation_claims.c for models other than the demo model: see
docs/validation.md. A limit that is not Gonka's is taken where 1 % of one half of the honest answers (both
engines, even numbers) are outside of it; honest rates are those of the other half. Intervals are Wilson's,
95 %. Standard library alone.
"""
import argparse
import csv
import json
import math
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEMO = ROOT / "models" / "demo" / "isobit-demo-q8_0.gguf"
LENGTHS = (8, 16, 32, 64, 128)
HONEST = ("f32", "bf16")
CLASSES = {
    "f32": "honest, float32", "bf16": "honest, bfloat16", "q6_k": "Q6_K", "q4_k": "Q4_K", "q4_0": "Q4_0",
    "q2_k": "Q2_K", "tuned": "trained on", "seed2": "another training seed", "small": "half of the layers",
    "other-prompt": "another prompt", "changed-3": "3 tokens changed", "other-seed": "another sampler's seed",
}
MORE_IS_BETTER = {"similarity": True, "distance2": False, "matches": True, "fill": True, "exponents-off": False,
                  "mantissa-mean": False, "mantissa-median": False, "evidence": True}
PLOTTED = ("f32", "bf16", "q6_k", "q4_k", "q2_k", "tuned", "seed2", "other-prompt", "changed-3")


def judge(isobit, folder):
    for path in sorted(folder.glob("*.jsonl")):
        out = path.with_suffix(".out")
        if path.stem == "prompts" or (out.exists() and out.stat().st_mtime > path.stat().st_mtime):
            continue
        command = [isobit, "validate", path, "-m", DEMO, "-t", "1", "--names", "ids", "--seeded", "--json", "-q",
                   "-n", ",".join(map(str, LENGTHS))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1, 3), done.stderr
        out.write_text(done.stdout)
        print(path.stem, done.stdout.count("\n"), "results", flush=True)


def read(folder):
    """{class: {length: [measures of each answer]}}"""
    found = {}
    for name in CLASSES:
        found[name] = {n: [] for n in LENGTHS}
        files = [(f"{name}-{n}.out", n) for n in LENGTHS] if name.startswith("changed") else [(name + ".out", 0)]
        for file, length in files:
            if not (folder / file).exists():
                continue
            for line in (folder / file).read_text().splitlines():
                item = json.loads(line)
                assert "similarity" in item, line
                item["evidence"] = item["seed"]["evidence"]
                if item["positions"] == length or not length:
                    found[name][item["positions"]].append(item)
    return {name: by for name, by in found.items() if any(by.values())}


def wilson(k, n):
    z = 1.959964
    middle, half = k / n + z * z / (2 * n), z * math.sqrt(k / n * (1 - k / n) / n + z * z / (4 * n * n))
    return round((middle - half) / (1 + z * z / n), 6), round((middle + half) / (1 + z * z / n), 6)


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def rules_of(found, n):
    """The rules at a length: (name, measure, limit)."""
    rules = [("gonka", "similarity", 0.99)]
    for measure, more in MORE_IS_BETTER.items():
        values = [x[measure] for name in HONEST for x in found[name][n][0::2]]
        rules.append((measure, measure, quantile(values, 0.01 if more else 0.99)))
    return rules + [("seed-refuted", "evidence", -math.log(1000)), ("seed-shown", "evidence", math.log(1000))]


def rejects(measure, limit, x):
    return x[measure] < limit if MORE_IS_BETTER[measure] else x[measure] > limit


def rates(found):
    """Rows: class, positions, rule, limit, answers, rejected, share, low, high."""
    for n in LENGTHS:
        for rule, measure, limit in rules_of(found, n):
            fixed = rule in ("gonka", "seed-refuted", "seed-shown")
            for name, by in found.items():
                answers = by[n][1::2] if name in HONEST and not fixed else by[n]
                if not answers:
                    continue
                k = sum(x["similarity"] <= limit if rule == "gonka" else rejects(measure, limit, x) for x in answers)
                yield (name, n, rule, limit, len(answers), k, k / len(answers), *wilson(k, len(answers)))


def write_csv(path, header, rows):
    with open(path, "w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow([f"{x:.6g}" if isinstance(x, float) else x for x in row])


# ---- plots --------------------------------------------------------------------------------------------

COLOURS = ("0b6bcb", "0e7490", "15803d", "a16207", "7e22ce", "475569", "c2410c", "be185d", "b91c1c")
DARK = ("60a5fa", "22d3ee", "4ade80", "facc15", "c084fc", "94a3b8", "fb923c", "f472b6", "f87171")
WIDTH, PANEL_W, PANEL_H, LEFT, TOP, GAP_X, GAP_Y = 900, 340, 190, 60, 112, 70, 76


def style():
    rule = lambda cs: "".join(f".c{i}{{stroke:#{c};fill:#{c}}}" for i, c in enumerate(cs))
    return ("<style>text{font:12px system-ui,sans-serif;fill:#1f2937}.head{font-weight:600}.ground{fill:#fff}"
            ".grid{stroke:#e2e5ea}" + rule(COLOURS) + "@media(prefers-color-scheme:dark){text{fill:#e5e7eb}"
            ".ground{fill:#14171c}.grid{stroke:#2c323b}" + rule(DARK) + "}.line{fill:none;stroke-width:2}"
            ".dash{stroke-dasharray:5 4}.limit{stroke:#6b7280;stroke-dasharray:2 3}</style>")


def panel(out, at, title, x_label, x_ticks, lines, marks=()):
    """lines: {class: [(x 0..1, y 0..1, low, high)]}; x_ticks: [(x, text)]; marks: places of limits."""
    x0, y0 = LEFT + at % 2 * (PANEL_W + GAP_X), TOP + at // 2 * (PANEL_H + GAP_Y)
    px, py = lambda x: x0 + x * PANEL_W, lambda y: y0 + (1 - y) * PANEL_H
    out.append(f'<text class="head" x="{x0}" y="{y0 - 10}">{title}</text>')
    for y in (0, 0.25, 0.5, 0.75, 1):
        out.append(f'<path class="grid" d="M{x0} {py(y):.1f}H{x0 + PANEL_W}"/>'
                   f'<text text-anchor="end" x="{x0 - 6}" y="{py(y) + 4:.1f}">{y:.0%}</text>')
    for x, text in x_ticks:
        out.append(f'<text text-anchor="middle" x="{px(x):.1f}" y="{y0 + PANEL_H + 16}">{text}</text>')
    for x in marks:
        out.append(f'<path class="limit" d="M{px(x):.1f} {y0}V{y0 + PANEL_H}"/>')
    out.append(f'<text text-anchor="middle" x="{px(0.5)}" y="{y0 + PANEL_H + 34}">{x_label}</text>')
    for name, points in lines.items():
        c = f"c{PLOTTED.index(name)}"
        d = "M" + "L".join(f"{px(x):.1f} {py(y):.1f}" for x, y, *_ in points)
        out.append(f'<path class="line {c}{" dash" if name in HONEST else ""}" d="{d}"/>')
        for x, y, *bar in points:
            if bar:
                out.append(f'<path class="{c}" d="M{px(x):.1f} {py(bar[0]):.1f}V{py(bar[1]):.1f}"/>'
                           f'<circle class="{c}" r="2.5" cx="{px(x):.1f}" cy="{py(y):.1f}"/>')


def picture(path, heading, panels, classes):
    height = TOP + (len(panels) + 1) // 2 * (PANEL_H + GAP_Y)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
           f'viewBox="0 0 {WIDTH} {height}">', style(), f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
           f'<text class="head" x="{LEFT}" y="22">{heading}</text>']
    for i, name in enumerate(c for c in PLOTTED if c in classes):
        x, y = LEFT + i % 4 * 200, 40 + i // 4 * 16
        out.append(f'<path class="line c{PLOTTED.index(name)}{" dash" if name in HONEST else ""}" '
                   f'd="M{x} {y - 4}h24"/><text x="{x + 30}" y="{y}">{CLASSES[name]}</text>')
    for i, args in enumerate(panels):
        panel(out, i, *args)
    path.write_text("\n".join(out + ["</svg>"]) + "\n")


def by_length(rows, rule, classes):
    x = lambda n: LENGTHS.index(n) / (len(LENGTHS) - 1)
    return {c: [(x(n), *r) for name, n, which, _, _, _, *r in rows if name == c and which == rule] for c in classes}


def by_limit(found, measure, n, low, high, classes):
    """The share outside of a limit that moves from low to high, by equal factors."""
    lines = {}
    for c in (c for c in classes if found[c][n]):
        values = [abs(1 - x[measure]) if measure == "similarity" else x[measure] for x in found[c][n]]
        points = []
        for i in range(101):
            limit = low * (high / low) ** (i / 100)
            points.append((i / 100, sum(v > limit for v in values) / len(values)))
        lines[c] = points
    return lines


def plots(found, rows):
    classes = [c for c in PLOTTED if c in found]
    ticks = [(i / (len(LENGTHS) - 1), str(n)) for i, n in enumerate(LENGTHS)]
    titles = (("gonka", "similarity at most 0.99 (Gonka's rule)"), ("similarity", "similarity"),
              ("matches", "matches"), ("exponents-off", "exponents-off, worst block"),
              ("mantissa-mean", "mantissa-mean, worst block"), ("mantissa-median", "mantissa-median, worst block"),
              ("fill", "fill"), ("evidence", "seed: evidence"))
    folder = ROOT / "docs" / "pictures"
    picture(folder / "validation-lengths.svg",
            "Answers rejected, by their length; all but the first at limits that reject 1 % of honest ones",
            [(title, "tokens of the answer", ticks, by_length(rows, rule, classes)) for rule, title in titles], classes)
    logs = lambda low, high, values: [(math.log(v / low) / math.log(high / low), f"{v:g}") for v in values]
    panels = []
    for n in (32, 128):
        low, high = 1e-4, 0.1
        panels.append((f"similarity, {n} tokens (dotted: 0.99)", "limit: so much below 1",
                       logs(low, high, (0.0001, 0.001, 0.01, 0.1)), by_limit(found, "similarity", n, low, high, classes),
                       [x for x, _ in logs(low, high, [0.01])]))
        low, high = 0.5, 32
        panels.append((f"mantissa-mean, {n} tokens", "limit", logs(low, high, (0.5, 1, 2, 4, 8, 16, 32)),
                       by_limit(found, "mantissa-mean", n, low, high, classes)))
    picture(folder / "validation-limits.svg", "Answers rejected, by the limit: false positives of honest engines (dashed),"
            " and what is found", panels, classes)


def report(folder):
    found = read(folder)
    rows = list(rates(found))
    results = ROOT / "bench" / "results"
    write_csv(results / "validation-rates.csv",
              ("class", "positions", "rule", "limit", "answers", "rejected", "share", "low", "high"), rows)
    spread = [(name, n, m, *(quantile([x[m] for x in by[n]], q) for q in (0.01, 0.05, 0.5, 0.95, 0.99)))
              for name, by in found.items() for n in LENGTHS if by[n] for m in MORE_IS_BETTER]
    write_csv(results / "validation-values.csv", ("class", "positions", "measure", "p1", "p5", "p50", "p95", "p99"),
              spread)
    plots(found, rows)
    print_tables(rows)


def print_tables(rows):
    """Markdown, for docs/validation.md."""
    shares = {(c, n, rule): share for c, n, rule, _, _, _, share, *_ in rows}
    limits = {(n, rule): limit for _, n, rule, limit, *_ in rows}
    cell = lambda *key: f"{100 * shares[key]:.1f}" if key in shares else ""

    def table(head, columns):
        print("\n| " + " | ".join(("", *head)) + " |\n|---" + "|---:" * len(head) + "|")
        for c in CLASSES:
            print("| " + " | ".join((CLASSES[c], *(cell(c, n, rule) for n, rule in columns))) + " |")

    table([f"{n} tokens" for n in LENGTHS], [(n, "gonka") for n in LENGTHS])
    for n in (8, 32, 128):
        print(f"\n{n} tokens")
        table([f"{m} {limits[n, m]:.4g}" for m in MORE_IS_BETTER], [(n, m) for m in MORE_IS_BETTER])
    table([f"refuted, {n}" for n in LENGTHS] + [f"not shown, {n}" for n in LENGTHS],
          [(n, "seed-refuted") for n in LENGTHS] + [(n, "seed-shown") for n in LENGTHS])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("judge", "report"))
    parser.add_argument("arguments", nargs="+")
    args = parser.parse_args()
    if args.what == "judge":
        judge(args.arguments[0], pathlib.Path(args.arguments[1]))
    else:
        report(pathlib.Path(args.arguments[0]))


if __name__ == "__main__":
    main()
