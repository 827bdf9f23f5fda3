#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the instructions of each kind of work and the bytes that it keeps, and compares them with
the figures of figures.json.

callgrind counts user space. A figure is a run of 2 N less a run of N, divided by N, so that
start-up cancels out. steady.c, preloaded, makes runs equal to the last instruction, whatever else
the machine does. Bytes are those that are resident in a run without callgrind.

--check fails where a figure has grown by more than 3 %, --fast counts only the rows that take
little time. --update writes the figures down. --beside counts another build instead.
"""

import concurrent.futures
import os
import re
import subprocess
import sys

import figures
import harness
from works import ROWS, SPREADS

MAX_RATIO = 1.03
# Lua hashes strings by addresses: another build has other collisions, of 9 instructions each.
COLLISIONS = 50
SHRUNK = 0.97
COUNTED = re.compile(r"Collected : (\d+)")
RUN_TIMEOUT = 900


# --- one run ---


def environment(build, command):
    """Returns the whole environment of what is counted: nothing that differs between machines.
    The command curl never ends by the clock of steady.c."""
    found = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
    if "curl" not in map(os.path.basename, command):
        found["LD_PRELOAD"] = harness.program(build, "bench", "steady.so")
    return found


def run_one(command, build):
    """Runs a command in this folder, and returns what it printed, and on stderr."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=environment(build, command), cwd=harness.HERE,
        preexec_fn=harness.child_setup(None), timeout=RUN_TIMEOUT, check=False,
    )
    if done.returncode != 0:
        raise harness.CannotRun(f"status {done.returncode}: {' '.join(command)}\n{done.stderr}")
    return done.stdout, done.stderr


def count(command, build):
    """Returns the instructions of a run."""
    valgrind = [
        harness.find_program("valgrind", "valgrind"), "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
    ]
    _, messages = run_one(valgrind + command, build)
    found = COUNTED.search(messages)
    if found is None:
        raise harness.CannotRun(f"callgrind printed no count: {' '.join(command)}\n{messages}")
    return int(found[1])


def measure(row, command_of, place):
    """Returns the row's figure, with command_of(place, n) to run."""
    if row.bytes_of:
        def at(n):
            return row.bytes_of(run_one(command_of(place, n), place.build)[0])
    else:
        def at(n):
            return count(command_of(place, n), place.build)
    if row.n is None:
        return at(None)
    return (at(2 * row.n) - at(row.n)) / row.n


# --- all of them ---


class Place:
    """Where the runs find what they need."""

    def __init__(self, build, servers):
        self.build = build
        self.septet = harness.program(build, "septet")
        self.servers = servers


def measure_all(rows, place, args):
    """Returns ({name: [figure, ...]}, the same of the peers), two runs at a time."""
    jobs = {}
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for row in sorted(rows, key=lambda row: -row.weight):
            for _ in range(args.rounds):
                jobs.setdefault((row.name, False), []).append(
                    pool.submit(measure, row, row.command, place))
            if row.peer and not args.no_peers:
                jobs[row.name, True] = [pool.submit(measure, row, row.peer, place)]
        try:
            found = {key: [f.result() for f in futures] for key, futures in jobs.items()}
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return ({name: all_n for (name, peer), all_n in found.items() if not peer},
            {name: min(all_n) for (name, peer), all_n in found.items() if peer})


# --- the table ---


def text_of(n):
    return f"{n:,.0f}".replace(",", " ") if n is not None else ""


def target_of(row, now, peer):
    """Returns the target, and whether it is met."""
    if row.target is None:
        return ""
    if row.of_peer:
        reached = peer and now / peer <= row.target
        return f"{row.target:g} x {row.peer_name}" + (", met" if reached else "")
    return text_of(row.target) + (", met" if now <= row.target else "")


def print_table(rows, now, peers, before, title):
    print(f"| work | unit | now | {title} | ratio | peer | ratio to it | target |")
    print("|---|---|--:|--:|--:|--:|--:|---|")
    for row in rows:
        n, old, peer = min(now[row.name]), before.get(row.name), peers.get(row.name)
        print(
            f"| {row.name} | {row.unit} | {text_of(n)} | {text_of(old)} |"
            f" {f'{n / old:.3f}' if old else ''} |"
            f" {f'{row.peer_name} {text_of(peer)}' if peer else ''} |"
            f" {f'{n / peer:.3f}' if peer else ''} | {target_of(row, n, peer)} |"
        )
    for name, names, target in SPREADS:
        if all(part in now for part in names):
            parts = [min(now[part]) for part in names]
            ratio = max(parts) / min(parts)
            met = ", met" if ratio <= target else ""
            print(f"| {name} | ratio | {ratio:.3f} | | | | | {target:g}{met} |")
    noise = max((max(n) / min(n) - 1 for n in now.values()), default=0)
    if any(len(n) > 1 for n in now.values()):
        print(f"\nthe most and the least of a figure's runs differ by at most {noise * 100:.3f} %")


def lines_of_page(rows, now, peers, build):
    """Returns what docs/performance.md holds."""
    lines = [f"On {figures.key_of(build)}:", "", "| work | unit | now | peer | target |",
             "|---|---|--:|--:|---|"]
    for row in rows:
        n, peer = min(now[row.name]), peers.get(row.name)
        lines.append(
            f"| {row.name} | {row.unit} | {text_of(n)} |"
            f" {f'{row.peer_name} {text_of(peer)}' if peer else ''} | {target_of(row, n, peer)} |")
    return lines


def compare(rows, now, before, title):
    """Returns what has grown, and says what has shrunk."""
    wrong = []
    for row in rows:
        n, old = min(now[row.name]), before.get(row.name)
        if old is None:
            continue
        if n > max(old * MAX_RATIO, old + COLLISIONS):
            wrong.append(
                f"{row.name} grew from {text_of(old)} to {text_of(n)} {row.unit}"
                f" ({(n / old - 1) * 100:+.1f} %; {title} plus 3 % is the limit)")
        elif n < old * SHRUNK:
            print(f"{row.name} fell from {text_of(old)} to {text_of(n)} {row.unit}: hold it with"
                  " --update")
    return wrong


ACCEPT = ("to accept this, say why in the commit and write the new figures down with"
          " ./dev bench instructions --update --only 'NAME,…'")


# --- the command ---


def before_of(args, rows, servers):
    """Returns what to compare with: its figures, its title, and a remark."""
    if args.beside:
        found, _ = measure_all(rows, Place(args.beside, servers), args)
        return {name: min(n) for name, n in found.items()}, "beside", None
    key = figures.key_of(args.build)
    known = figures.read()
    if key in known:
        return known[key], "checked in", None
    return {}, "checked in", (
        f"there are no figures in bench/figures.json for\n  {key}\nbut for\n"
        + "".join(f"  {other}\n" for other in known)
        + "so nothing was compared; --update writes those of this machine down")


def run(args):
    rows = [row for row in ROWS if row.name in args.only and (row.fast or not args.fast)]
    with harness.servers_for({row.server for row in rows} - {None}) as servers:
        now, peers = measure_all(rows, Place(args.build, servers), args)
        before, title, remark = before_of(args, rows, servers)
    print_table(rows, now, peers, before, title)
    if args.paste:
        harness.paste(args.paste, "instructions", lines_of_page(rows, now, peers, args.build))
    if remark:
        print("\n" + remark)
    if args.update:
        figures.write(figures.key_of(args.build), {name: min(n) for name, n in now.items()},
                      [row.name for row in ROWS])
        return []
    wrong = compare(rows, now, before, title)
    return wrong + [ACCEPT] if args.check and wrong else []


def parse_args():
    parser = harness.new_parser(__doc__, rounds=1)
    parser.add_argument("--beside", help="compare with the build folder of another commit")
    parser.add_argument("--fast", action="store_true", help="only what takes little time")
    parser.add_argument("--no-peers", action="store_true", help="do not count what we compare with")
    parser.add_argument("--update", action="store_true", help="write the figures down")
    parser.add_argument("--jobs", type=int, default=2, help="number of runs at a time")
    harness.add_paste(parser)
    harness.add_only(parser, "rows", [row.name for row in ROWS])
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(harness.run_main("instructions.py", run, parse_args()))
