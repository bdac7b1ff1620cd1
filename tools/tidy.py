#!/usr/bin/env python3
"""tidy.py - the house rules that a script can hold: floors, sizes, banned calls. Run as a test.

usage: tidy.py REPO [--picture]    (--picture prints the rooms with what each includes)
"""
import re
import sys
from pathlib import Path

# A room may include itself and the rooms listed. Top to bottom: includes go down only.
FLOORS = {
    "base": [],
    "numeric": ["base"],
    "tensor": ["base", "numeric"],
    "format": ["base", "numeric", "tensor"],
    "text": ["base", "tensor", "format"],
    "grammar": ["base"],
    "device": ["base", "numeric", "tensor"],
    "comm": ["base", "device"],
    "model": ["base", "numeric", "tensor", "format", "device", "comm"],
    "engine": ["base", "numeric", "tensor", "format", "device", "comm", "model"],
    "poc": ["base", "numeric", "tensor", "device", "model"],
    "net": ["base"],
    "proof": ["base"],
    "store": ["base", "proof"],
    "api": ["base", "text"],
    "node": ["base", "poc", "net", "store"],
    "hub": ["base"],
    "server": ["base", "format", "text", "grammar", "engine", "net", "store", "api", "hub", "proof", "poc", "node"],
    "bench": ["base", "numeric", "tensor", "device", "model", "engine"],
    "cli": ["base", "numeric", "tensor", "format", "text", "grammar", "device", "model", "engine", "bench",
            "api", "server", "hub", "proof", "poc", "node"],
}
FILE_LINES_MAX = 1000
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100
BANNED = re.compile(
    r"\b(strcpy|strcat|sprintf|gets|atoi|atol|atof|strtok|sscanf|rand|srand|alloca|system|popen)\s*\(")
# Only base allocates, only cli speaks and exits.
ALLOC = re.compile(r"(?<![\w.>])(malloc|calloc|realloc|free|strdup|strndup)\s*\(")
SPEAKS = re.compile(r"(?<![\w.>])(printf|puts|putchar|exit|_exit|abort|perror)\s*\(|\bstderr\b|\bstdout\b")
MARKS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def allowed(repo):
    path = repo / "tools" / "tidy.allow"
    lines = path.read_text().splitlines() if path.exists() else []
    return {line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()}


def strip_comments(text):
    blank = lambda m: re.sub(r"[^\n]", " ", m.group())
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


def long_functions(lines):
    start = name = None
    for i, line in enumerate(lines):
        if line == "{" and start is None:
            start, j = i, i - 1
            while j >= 0 and not re.match(r"\w", lines[j]):
                j -= 1
            found = re.search(r"(\w+)\s*\(", lines[j]) if j >= 0 else None
            name = found.group(1) if found else "?"
        elif line.startswith("}") and start is not None:
            if i - start - 1 > FUNCTION_LINES_MAX:
                yield start + 1, name, i - start - 1
            start = None


def check_file(path, rel, complaints, allow):
    text = path.read_text()
    lines = text.splitlines()
    say = lambda n, what: complaints.append(f"{rel}:{n}: {what}")
    if not text.startswith("/* " + path.name + " - "):
        say(1, f'the first comment must say what the file owns: "/* {path.name} - ..."')
    if len(lines) > FILE_LINES_MAX and rel not in allow:
        say(len(lines), f"file has {len(lines)} lines, at most {FILE_LINES_MAX}")
    parts = rel.split("/")
    room = parts[1] if parts[0] == "src" else None
    code = strip_comments(text).splitlines()
    for i, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX:
            say(i, f"{len(line)} columns, at most {COLUMNS_MAX}")
        if "\t" in line or line != line.rstrip():
            say(i, "tab or trailing space")
        if MARKS.search(line):
            say(i, "unfinished mark")
        found = re.match(r'#include "([a-z_]+)/', line)
        if room and found and found.group(1) != room and found.group(1) not in FLOORS.get(room, []):
            say(i, f"room {room} may not include {found.group(1)}")
    for i, line in enumerate(code, 1):
        if BANNED.search(line):
            say(i, f"banned call {BANNED.search(line).group(1)}")
        if room and room != "base" and ALLOC.search(line):
            say(i, "allocate through base/mem.h")
        if room and room not in ("cli",) and rel != "src/base/check.c" and rel != "src/base/mem.c" and SPEAKS.search(line):
            say(i, "only cli/ prints and exits")
    for n, name, size in long_functions(lines):
        if f"{rel}:{name}" not in allow and rel not in allow:
            say(n, f"function {name} has {size} lines, at most {FUNCTION_LINES_MAX}")


def picture(repo):
    for room in FLOORS:
        seen = set()
        for path in (repo / "src" / room).rglob("*.[ch]"):
            seen |= set(re.findall(r'#include "([a-z_]+)/', path.read_text()))
        seen.discard(room)
        if (repo / "src" / room).exists():
            print(f"{room:8} -> {' '.join(r for r in FLOORS if r in seen)}")


def main():
    repo = Path(sys.argv[1])
    if "--picture" in sys.argv:
        return picture(repo)
    complaints, allow, n = [], allowed(repo), 0
    for folder in ("src", "include", "tests", "tools"):
        for path in sorted((repo / folder).rglob("*.[ch]")):
            check_file(path, str(path.relative_to(repo)), complaints, allow)
            n += 1
    for path in repo.glob("src/*"):
        if path.name not in FLOORS:
            complaints.append(f"src/{path.name}: a room that FLOORS does not know")
    print("\n".join(complaints) or f"{n} files are tidy")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
