#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what each of N tasks costs, by each way to wait for them, beside asyncio and coroutines.

Runs models.lua and models_asyncio.py in turn and in rounds, so that the compared figures were
measured within seconds of each other. It knows the questions by their names. What they mean stands
in these two files.
"""

import os
import statistics
import subprocess
import sys

import harness
from harness import HERE, CannotRun

QUESTIONS = ("spawn", "sleep_0", "receivers", "senders", "gather", "as_completed", "cancel")
FEW, MANY = 1000, 100000
RUN_TIMEOUT = 300

# What --check holds to, at FEW: so many ns, or so many times a plain coroutine's cost; one of the
# two is enough.
LIMITS = {"spawn": (400, 3), "sleep_0": (200, 4), "receivers": (400, 4), "senders": (400, 4)}
MAX_GROWTH = 1.5  # the cost at MANY over that at FEW


# --- running the two sides ---


def run_side(command, question):
    """Returns the figures that one side printed for a question: {N: [ns, ...]}."""
    try:
        done = subprocess.run(
            command + [question], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            timeout=RUN_TIMEOUT,
        )
    except OSError as e:
        raise CannotRun(f"'{command[0]}': {e.strerror}") from None
    except subprocess.TimeoutExpired:
        raise CannotRun(f"no end after {RUN_TIMEOUT} s: {' '.join(command)} {question}") from None
    if done.returncode != 0:
        raise CannotRun(f"status {done.returncode}: {' '.join(command)} {question}")
    rows = [line.split() for line in done.stdout.splitlines()]
    return {int(n): [None if ns == "-" else float(ns) for ns in figures] for _, n, *figures in rows}


def measure(args):
    """Returns the figures of all rounds: {(question, N): {side: [ns, ...]}}."""
    septet = [
        args.septet or harness.program(args.build, "septet"), os.path.join(HERE, "models.lua"),
    ]
    asyncio = [sys.executable, os.path.join(HERE, "models_asyncio.py")]
    cost = {}
    for number in range(args.rounds):
        for question in args.only:
            print(
                f"round {number + 1} of {args.rounds}: {question:12}", end="\r", file=sys.stderr,
                flush=True,
            )
            both, peers = run_side(septet, question), run_side(asyncio, question)
            for n, (ns, plain) in both.items():
                sides = cost.setdefault((question, n), {"septet": [], "asyncio": [], "plain": []})
                sides["septet"].append(ns)
                sides["asyncio"].append(peers[n][0])
                sides["plain"].append(plain)
    print(" " * 40, end="\r", file=sys.stderr)
    return cost


# --- figures ---


def median(figures):
    return None if None in figures else statistics.median(figures)


def ratio(over, under):
    """Returns the median of the rounds' ratios. A slow round slows both sides."""
    return None if None in over + under else statistics.median(a / b for a, b in zip(over, under))


def growth(cost, question):
    """Returns the cost at MANY divided by that at FEW, or None if one is missing."""
    few, many = cost.get((question, FEW)), cost.get((question, MANY))
    return few and many and ratio(many["septet"], few["septet"])


def text(value, form):
    return "-" if value is None else format(value, form)


def show(cost):
    print(f"{'ns of CPU an item':18}{'N':>7}{'Septet':>9}{'asyncio':>9}{'plain':>8}", end="")
    print(f"{'asyncio/Septet':>16}{'Septet/plain':>14}{'growth':>8}")
    for (question, n), sides in cost.items():
        print(f"{question:18}{n:7}", end="")
        print(
            f"{text(median(sides['septet']), '.0f'):>9}{text(median(sides['asyncio']), '.0f'):>9}",
            end="",
        )
        print(f"{text(median(sides['plain']), '.0f'):>8}", end="")
        print(f"{text(ratio(sides['asyncio'], sides['septet']), '.1f'):>16}", end="")
        print(f"{text(ratio(sides['septet'], sides['plain']), '.2f'):>14}", end="")
        print(f"{text(growth(cost, question) if n == MANY else None, '.2f'):>8}")


# --- what --check holds to ---


def failures(cost):
    found = []
    for question, (most_ns, most_times) in LIMITS.items():
        sides = cost.get((question, FEW))
        if sides is None:
            continue
        ns, times = median(sides["septet"]), ratio(sides["septet"], sides["plain"])
        if ns > most_ns and times > most_times:
            found.append(
                f"{question}: {ns:.0f} ns is more than {most_ns}, and {times:.2f} x plain than"
                f" {most_times}"
            )
    for question in dict.fromkeys(question for question, _ in cost):
        times = growth(cost, question)
        if times is not None and times > MAX_GROWTH:
            found.append(
                f"{question}: one of {MANY} costs {times:.2f} x one of {FEW}, more than"
                f" {MAX_GROWTH}"
            )
    return found


def parse_args():
    parser = harness.new_parser(__doc__, rounds=5)
    parser.add_argument("--septet", help="the program, instead of that of the build folder")
    harness.add_only(parser, "questions", QUESTIONS)
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error("rounds must be 1 or more")
    return args


def run(args):
    cost = measure(args)
    show(cost)
    return failures(cost) if args.check else []


if __name__ == "__main__":
    sys.exit(harness.run_main("models.py", run, parse_args()))
