#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows what each clever means is worth: builds Septet without it, and compares.

A means is left out by a definition of its own, SEPTET_WITHOUT_NAME, which CMake's SEPTET_ABLATE
sets; or by an option. What it gains in instructions is counted as by instructions.py. MEANS is the
one list of them.
"""

import os
import subprocess
import sys

import harness
import instructions
from works import ROWS

LEAST_GAIN = 0.02


class Means:
    """`rows` are those of works.py that show its worth."""

    def __init__(self, name, rows, options=None):
        self.name, self.rows = name, rows
        self.options = options or [f"-DSEPTET_ABLATE={name}"]


MEANS = (
    # docs/decisions/0098
    Means("SPARE_COROUTINE", ["spawn + await", "spawn + gather"]),
    Means("TURNS_IN_PLACE", ["spawn + await", "sleep(0) alone"]),
    Means("COROUTINE_POOL", ["a task that waits once"]),
    Means("JSON_BUFFERS", ["JSON encoded", "JSON decoded"]),
    # docs/decisions/0015
    Means("MIMALLOC", ["spawn + await", "JSON decoded"], ["-DSEPTET_MIMALLOC=OFF"]),
)


# --- building ---


def build_without(args, means):
    """Builds the command without a means, and returns the build folder."""
    root = os.path.normpath(os.path.join(harness.HERE, ".."))
    folder = os.path.join(os.path.normpath(args.build), "..", "ablate", means.name)
    configure = ["cmake", "-S", root, "-B", folder, "-G", "Ninja",
                 "-DCMAKE_BUILD_TYPE=RelWithDebInfo", *means.options]
    make = ["cmake", "--build", folder, "--target", "septet_cli", "bench_steady"]
    print(f"building without {means.name} in {os.path.relpath(folder)}", file=sys.stderr)
    for command in (configure, make):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if done.returncode != 0:
            raise harness.CannotRun(f"failed: {' '.join(command)}\n{done.stdout[-4000:]}")
    return folder


# --- comparing ---


def count(args, build, names):
    """Returns {row: its figure in a build}."""
    rows = [row for row in ROWS if row.name in names]
    args.no_peers = True
    with harness.servers_for({row.server for row in rows} - {None}) as servers:
        found, _ = instructions.measure_all(rows, instructions.Place(build, servers), args)
    return {name: min(figures) for name, figures in found.items()}


known = {}  # {row: its figure with all means}


def compare(args, means, without):
    """Returns {row: its figure without the means by that with it}."""
    known.update(count(args, args.build, set(means.rows) - set(known)))
    return {name: n / known[name] for name, n in count(args, without, means.rows).items()}


def verdict_of(ratio):
    if ratio < 1 - LEAST_GAIN:
        return "costs more than it gains"
    return "under 2 %: not worth its place" if ratio < 1 + LEAST_GAIN else ""


def run(args):
    lines = ["| without | work | times as many instructions | |", "|---|---|--:|---|"]
    for means in MEANS:
        if means.name not in args.only:
            continue
        without = build_without(args, means)
        found = compare(args, means, without)
        best = max(found.values())
        for work, ratio in found.items():
            remark = verdict_of(best) if ratio == best else ""
            lines.append(f"| {means.name} | {work} | {ratio:.3f} | {remark} |")
    harness.show(args, "ablate", lines)
    return []


def parse_args():
    parser = harness.new_parser(__doc__, rounds=1)
    parser.add_argument("--jobs", type=int, default=2, help="number of runs at a time")
    harness.add_paste(parser)
    harness.add_only(parser, "means", [means.name for means in MEANS])
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(harness.run_main("ablate.py", run, parse_args()))
