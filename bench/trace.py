#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what tracing costs a resume and a GET: off, at its levels, recorded, and subscribed to.

A process does the work in all modes in turn, slice by slice. Each slice is compared with the one
with tracing off beside it, so a ratio is of two pieces of one run. Then times the decoder.
"""

import os
import statistics
import sys

import harness

# The pieces of work in a slice, and the resumes of each piece; 0: they are not what is asked for.
WORKS = {"sleep(0)": (40000, 1), "spawn+await": (20000, 2), "GET": (800, 0)}
OFF, DEFAULT = "off", "1"
# The modes that take turns in a run. What has a limit takes turns with tracing off alone, because
# more slices say more about one per cent than a longer slice does.
TURNS = ((OFF, DEFAULT), (OFF, "2", "file", "subscriber"))
SLICES = {(OFF, DEFAULT): 120}
FEW_SLICES = 16
MAX_NS_A_RESUME = 25
MAX_RATIO_OF_GET = 1.01


def run_once(command, work, url, modes, cpu):
    """Returns the CPU in ns of a piece of work in each slice: {mode: [ns]}."""
    slices = SLICES.get(modes, FEW_SLICES)
    words = [work, str(WORKS[work][0]), url, str(slices), ",".join(modes)]
    output = harness.run_alone(command + words, cpu, "")
    lines = [line.split() for line in output.splitlines()]
    if [(words[0], len(words)) for words in lines] != [(mode, slices + 1) for mode in modes]:
        raise harness.CannotRun(f"bench_trace printed {output!r}")
    return {words[0]: [float(word) for word in words[1:]] for words in lines}


def compare(work, mode, runs):
    """Prints what a mode costs, and returns what is wrong."""
    resumes = WORKS[work][1]
    pairs = [pair for run in runs for pair in zip(run[mode], run[OFF])]
    ratio = statistics.median(x / y for x, y in pairs)
    line = f"{mode:12} {statistics.median(x for x, _ in pairs):10.1f}  ratio {ratio:.4f}"
    more = statistics.median(x - y for x, y in pairs) / (resumes or 1)
    if resumes and mode != OFF:
        line += f"  {more:6.1f} ns a resume more"
    print(line)
    if mode != DEFAULT:
        return []
    if resumes and more > MAX_NS_A_RESUME:
        return [f"{work}: {more:.1f} ns a resume, more than {MAX_NS_A_RESUME}"]
    if not resumes and ratio > MAX_RATIO_OF_GET:
        return [f"{work}: ratio {ratio:.4f}, more than {MAX_RATIO_OF_GET}"]
    return []


def measure(command, work, url, args, cpu):
    """Measures a kind of work in all modes. Returns what is wrong."""
    wrong = []
    print(f"\n{work}: ns of CPU each, and the median of the slices' ratios to tracing off")
    for modes in TURNS:
        runs = [run_once(command, work, url, modes, cpu) for _ in range(args.rounds)]
        for mode in modes if modes == TURNS[0] else modes[1:]:
            wrong += compare(work, mode, runs)
    return wrong


def run(args):
    command = [
        harness.program(args.build, "bench", "bench_trace"),
        os.path.join(harness.HERE, "trace.lua"),
    ]
    client_cpu, server_cpu = harness.two_cpus()
    wrong = []
    with harness.nginx(server_cpu) as [url]:
        for work in args.only:
            wrong += measure(command, work, url, args, client_cpu)
    decode = harness.septet(args.build, "decode.lua")
    print("\n" + harness.run_alone(decode, client_cpu, ""), end="")
    return wrong if args.check else []


def parse_args():
    parser = harness.new_parser(__doc__, rounds=5)
    harness.add_only(parser, "works", WORKS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(harness.run_main("trace.py", run, parse_args()))
