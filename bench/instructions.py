#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the instructions of each kind of work, and compares them with those of another build.

callgrind's count does not depend on the machine's load. Only the number of polls of the loop
depends on the clock, so the least of some runs counts. A figure is a run of 2 N minus a run of N,
divided by N, so that start-up cancels out. With --beside, another build is counted as well.
"""

import os
import re
import subprocess
import sys

import harness

MAX_RATIO = 1.03
COUNTED = re.compile(r"Collected : (\d+)")
# How often the work is done, and once more as often. What waits for a server varies with its pace,
# and is done more often.
WORKS = {
    "spawn + await": 20000, "map + await": 20000, "sleep(0)": 40000, "hand-off": 20000, "GET": 6400,
}
START = "start-up"


def count(command, cpu):
    """Returns the instructions of a run."""
    valgrind = [
        harness.find_program("valgrind", "valgrind"), "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
    ]
    done = subprocess.run(
        valgrind + command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, preexec_fn=harness.child_setup(cpu),
        timeout=10 * harness.RUN_TIMEOUT, check=False,
    )
    found = COUNTED.search(done.stderr)
    if done.returncode != 0 or found is None:
        raise harness.CannotRun(f"status {done.returncode}: {' '.join(command)}\n{done.stderr}")
    return int(found[1])


def figures(septet, url, cpu, rounds):
    """Returns the instructions of each kind of work, done once: {work: number}."""

    def least(*words):
        return min(count([septet, *words], cpu) for _ in range(rounds))

    def run(work, n):
        return least(os.path.join(harness.HERE, "instructions.lua"), work, str(n), url)

    result = {START: least("-e", "")}
    for work, n in WORKS.items():
        result[work] = (run(work, 2 * n) - run(work, n)) / n
    return result


def run(args):
    client_cpu, server_cpu = harness.two_cpus()
    with harness.nginx(server_cpu) as [url]:
        here = figures(harness.program(args.build, "septet"), url, client_cpu, args.rounds)
        before = {}
        if args.beside:
            before = figures(harness.program(args.beside, "septet"), url, client_cpu, args.rounds)
    wrong = []
    for work, n in here.items():
        if before:
            ratio = n / before[work]
            print(f"{work:14} {n:12.0f}  beside {before[work]:12.0f}  ratio {ratio:.3f}")
            if args.check and ratio > MAX_RATIO:
                wrong.append(
                    f"{work} takes {ratio:.3f} times as many instructions, more than {MAX_RATIO}"
                )
        else:
            print(f"{work:14} {n:12.0f}")
    return wrong


def parse_args():
    parser = harness.new_parser(__doc__, rounds=3)
    parser.add_argument("--beside", help="the build folder of another commit")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(harness.run_main("instructions.py", run, parse_args()))
