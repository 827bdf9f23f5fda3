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
WORKS = {"sleep(0)": (40000, 1), "spawn+await": (20000, 2), "GET": (1600, 0)}
OFF, DEFAULT = "off", "1"
MODES = (OFF, DEFAULT, "2", "file", "subscriber")
SLICES = 24
MAX_NS_A_RESUME = 25
MAX_RATIO_OF_GET = 1.01


def run_once(command, work, url, cpu):
    """Returns the CPU in ns of a piece of work in each slice: {mode: [ns]}."""
    words = [work, str(WORKS[work][0]), url, str(SLICES), ",".join(MODES)]
    output = harness.run_alone(command + words, cpu, "")
    lines = [line.split() for line in output.splitlines()]
    if [words[:1] + [len(words)] for words in lines] != [[mode, SLICES + 1] for mode in MODES]:
        raise harness.CannotRun(f"bench_trace printed {output!r}")
    return {words[0]: [float(word) for word in words[1:]] for words in lines}


def compare(work, runs):
    """Prints what each mode costs, and returns what is wrong."""
    resumes = WORKS[work][1]
    wrong = []
    print(f"\n{work}: ns of CPU each (median of {len(runs) * SLICES} slices)")
    off = [ns for run in runs for ns in run[OFF]]
    for mode in MODES:
        here = [ns for run in runs for ns in run[mode]]
        ratio = statistics.median(x / y for x, y in zip(here, off))
        more = statistics.median(x - y for x, y in zip(here, off))
        line = f"{mode:12} {statistics.median(here):10.1f}  ratio {ratio:.3f}"
        if resumes and mode != OFF:
            line += f"  {more / resumes:6.1f} ns a resume more"
        print(line)
        if mode != DEFAULT:
            continue
        if resumes and more / resumes > MAX_NS_A_RESUME:
            wrong.append(f"{work}: {more / resumes:.1f} ns a resume, more than {MAX_NS_A_RESUME}")
        if not resumes and ratio > MAX_RATIO_OF_GET:
            wrong.append(f"{work}: ratio {ratio:.3f}, more than {MAX_RATIO_OF_GET}")
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
            runs = [run_once(command, work, url, client_cpu) for _ in range(args.rounds)]
            wrong += compare(work, runs)
    decode = harness.septet(args.build, "decode.lua")
    print("\n" + harness.run_alone(decode, client_cpu, ""), end="")
    return wrong if args.check else []


def parse_args():
    parser = harness.new_parser(__doc__, rounds=5)
    harness.add_only(parser, "works", WORKS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(harness.run_main("trace.py", run, parse_args()))
