#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures fs.walk of 100 000 files with their sizes, compared with find -printf '%s\\n'.

Both run in turn over the same folders. From each time, that of the same program over an empty
folder is taken away, which is its start-up.
"""

import os
import resource
import statistics
import sys
import tempfile
import time

import harness

FILES = 100000
FILES_A_FOLDER = 100
MAX_RATIO = 2.0
# Where files are in memory, a disk that is busy does not change what is compared.
IN_MEMORY = "/dev/shm"


def make_files(folder, count):
    """Makes files of 0 to 9 bytes. Returns the sum of their sizes."""
    total = 0
    for i in range(count):
        path = os.path.join(folder, "folder%d" % (i // FILES_A_FOLDER))
        if i % FILES_A_FOLDER == 0:
            os.mkdir(path)
        with open(os.path.join(path, "a file %d" % i), "w") as file:
            file.write("x" * (i % 10))
        total += i % 10
    return total


def timed(command):
    """Runs a command. Returns its wall time and its CPU in s, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    output = harness.run_alone(command, None, "")
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, output


def measure(command, full, empty):
    """Returns wall time and CPU without the start-up, and what was printed for the full folder."""
    wall, cpu, output = timed(command(full))
    nothing = timed(command(empty))
    return wall - nothing[0], cpu - nothing[1], output


def run(args):
    find = harness.find_program("find", "findutils")
    peers = {
        "find": lambda folder: [find, folder, "-mindepth", "1", "-printf", "%s\n"],
        "fs.walk": lambda folder: harness.septet(args.build, "walk.lua") + [folder],
    }
    where = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
    wrong, ratios, times = [], [], {name: [] for name in peers}
    with tempfile.TemporaryDirectory(dir=where) as full, tempfile.TemporaryDirectory() as empty:
        total = make_files(full, args.files)
        entries = args.files + -(-args.files // FILES_A_FOLDER)
        for number in range(args.rounds):
            found = {}
            for name in sorted(peers, reverse=number % 2 == 1):
                found[name] = measure(peers[name], full, empty)
                times[name].append(found[name][:2])
            if found["find"][2].count("\n") != entries:
                raise harness.CannotRun("find has not found all")
            if found["fs.walk"][2].split()[:2] != [str(entries), str(total)]:
                raise harness.CannotRun(f"fs.walk printed {found['fs.walk'][2]!r}")
            ratios.append(found["fs.walk"][0] / found["find"][0])
    print(f"{entries} entries, {args.rounds} rounds, start-up aside: wall and CPU in ms")
    for name, pairs in times.items():
        wall, cpu = (statistics.median(pair[i] for pair in pairs) * 1000 for i in (0, 1))
        print(f"{name:8} {wall:8.1f} {cpu:8.1f}")
    ratio = statistics.median(ratios)
    print(f"ratio of the wall times {ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    if ratio > MAX_RATIO:
        wrong.append(f"fs.walk takes {ratio:.2f} times as long as find, more than {MAX_RATIO}")
    return wrong if args.check else []


def parse_args():
    parser = harness.new_parser(__doc__, rounds=7)
    parser.add_argument("--files", type=int, default=FILES)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(harness.run_main("walk.py", run, parse_args()))
