#!/usr/bin/env python3
"""man.py - keeps the commands of docs/man/isobit.1.scd equal to what --help says.

usage: tools/man.py PROGRAM [--check]    (--check only compares: status 1 if they differ)
"""
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "man" / "isobit.1.scd"
BEGIN, END = "# COMMANDS\n\n", "\n# EXIT STATUS\n"


def help_of(program, *command):
    done = subprocess.run([program, *command, "--help"], capture_output=True, text=True, check=True)
    return done.stdout


def escape(text):
    return re.sub(r"([\\_*])", r"\\\1", text)


def sentence(text):
    return escape(text[0].upper() + text[1:] + ("" if text.endswith(".") else "."))


def parse(lines):
    """The parts of a command's help: summary, usage lines, about, options [letter, name, value, help]."""
    summary, at, usage, about, options = lines[0].split(" - ", 1)[1], 2, [], [], []
    while lines[at]:
        usage.append(lines[at].replace("Usage: ", "").strip())
        at += 1
    at += 1
    while lines[at] and lines[at + 1:] and not lines[at].startswith(" ") and not re.match(r"  +-", lines[at + 1]):
        about.append(lines[at])
        at += 1
    for line in lines[at:lines.index("Examples")]:
        option = re.match(r"  (?:(-\w), |    )(--[\w-]+)(?: (\S+))?(?:\s{2,}(.*))?$", line)
        if option:
            options.append([part or "" for part in option.groups()])
        elif line.startswith(" " * 20):
            options[-1][3] = (options[-1][3] + " " + line.strip()).strip()
    return summary, usage, about, options


def section(program, command):
    summary, usage, about, options = parse(help_of(program, *command.split()).split("\n"))
    name = "isobit " + command
    out = ["## " + command]
    out.append("++\n".join(f"*{name}*" + escape(line[len(name):]) for line in usage))
    out += ["", " ".join([sentence(summary)] + [escape(line) for line in about]), ""]
    for letter, option, value, text in options:
        short = f"*{letter}*, " if letter else ""
        out.append(f"{short}*{option}*" + (f" _{escape(value)}_" if value else ""))
        out += ["\t" + sentence(text), ""]
    return "\n".join(out)


def with_parts(program, command):
    """A command, and those of its own that have a help of their own."""
    usage = parse(help_of(program, command).split("\n"))[1]
    words = dict.fromkeys(re.findall(rf"^isobit {command} ([a-z]+) ", "\n".join(usage), re.M))
    return [command] + [f"{command} {w}" for w in words
                        if help_of(program, command, w).startswith(f"isobit {command} {w} - ")]


def main():
    program = sys.argv[1]
    commands = re.findall(r"^  ([a-z-]+)  +\S", help_of(program), re.M)
    page = PAGE.read_text()
    head, rest = page.split(BEGIN)
    tail = rest.split(END)[1]
    wanted = head + BEGIN + "\n".join(
        section(program, part) for c in commands if c != "isobit" for part in with_parts(program, c)) + END + tail
    if "--check" not in sys.argv:
        PAGE.write_text(wanted)
    elif page != wanted:
        print(f"{PAGE} does not say what --help says; run tools/man.py PROGRAM")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
