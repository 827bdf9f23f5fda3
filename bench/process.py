#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what process.run() costs: 2 000 times "true" at 32 at once, compared with uv_spawn().

Both read the pipes of the output to their ends. Then measures how long the loop stands still in a
process that has 1 GiB of memory.
"""

import re
import subprocess
import sys
import tempfile

import harness

LINE = re.compile(r"(\d+) processes ([\d.]+) s\n")
WAIT = re.compile(r"longest wait of a ticker ([\d.]+) ms")
MAX_RATIO = 1.3
MAX_WAIT_MS = 5


def run_once(command, total):
    """Returns (CPU in s, wall time in s) of a run, with the children that it waited for."""
    with tempfile.TemporaryFile("w+") as out:
        cpu = harness.cpu_of(command, None, out, subprocess.DEVNULL)
        out.seek(0)
        output = out.read()
    match = LINE.match(output)
    if match is None or int(match[1]) != total:
        raise harness.CannotRun(f"{command[0]} printed {output!r}")
    return cpu, float(match[2])


def compare(args):
    """Compares both ways, and returns what is wrong."""
    numbers = [str(args.total), str(args.at_once)]
    commands = {
        "septet": harness.septet(args.build, "process.lua") + numbers,
        "uv_spawn": [harness.program(args.build, "bench", "spawn")] + numbers,
    }
    runs = harness.in_rounds(commands, args.rounds, lambda n: run_once(commands[n], args.total))
    wrong = []
    for i, what in enumerate(("CPU", "wall time")):
        over, under = ([run[i] for run in runs[name]] for name in commands)
        print(f"{what}: septet {min(over):.3f} s, uv_spawn {min(under):.3f} s")
        ratio = harness.ratio(f"{what}, septet / uv_spawn", over, under)
        if ratio > MAX_RATIO:
            wrong.append(f"{what}: {ratio:.2f} times uv_spawn's, more than {MAX_RATIO}")
    return wrong


def measure_wait(args):
    """Measures how long a ticker waits beside spawns of a large process. Its limit is for the best
    of the rounds, because other programs of the machine make it wait as well."""
    command = harness.septet(args.build, "process.lua") + ["200", "4", str(args.mib)]
    waits = []
    for _ in range(args.rounds):
        match = WAIT.search(harness.run_alone(command, None, ""))
        waits.append(float(match[1]))
    best = min(waits)
    print(f"{args.mib} MiB: a ticker waits for at most {best:.2f} ms")
    return [f"a ticker waited for {best:.2f} ms"] if best > MAX_WAIT_MS else []


def run(args):
    wrong = compare(args) + measure_wait(args)
    return wrong if args.check else []


def parse_args():
    parser = harness.new_parser(__doc__, rounds=5)
    parser.add_argument("--total", type=int, default=2000, help="number of processes")
    parser.add_argument("--at-once", type=int, default=32, help="number of them at a time")
    parser.add_argument("--mib", type=int, default=1024, help="memory of the process that spawns")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(harness.run_main("process.py", run, parse_args()))
