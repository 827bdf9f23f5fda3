#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures the CPU of one keep-alive GET of 1 kB, beside plain C loops on the same libcurl.

Starts nginx on one CPU and runs the clients on another, in turn and in rounds, so that each ratio
compares two runs made within seconds of each other. Then counts system calls with strace. It knows
the clients by the lines that they print alone.
"""

import statistics
import sys
import tempfile

import harness
from harness import BODY_BYTES

PEER = "curl_kept"
CLIENTS = (PEER, "septet", "curl_anew")
PAIRS = (("septet", PEER), ("curl_anew", PEER))
COUNTED = ("epoll_ctl", "rt_sigaction")
MAX_RATIO = 1.25
MAX_CALLS = {"epoll_ctl": 0.1, "rt_sigaction": 0.0}


# --- rounds and ratios ---


def measure(commands, url, args, cpu):
    """Returns the CPU per request of every client in every round: {name: [us]}."""
    cost = {name: [] for name in commands}
    wall = {name: [] for name in commands}
    for n in range(args.rounds):
        order = harness.to_and_fro(commands, n)
        for names in [order] if args.together else [[name] for name in order]:
            outputs = harness.run_together(
                [commands[name] + [url, str(args.requests), str(args.at_once)] for name in names],
                cpu,
            )
            for name, output in zip(names, outputs):
                us, s = harness.check_line(output, args.requests, name)
                cost[name].append(us)
                wall[name].append(s)
        print(
            f"round {n + 1}: " + "  ".join(f"{k} {v[-1]:.2f}" for k, v in cost.items()), flush=True
        )
    print()
    for name, all_us in cost.items():
        print(
            f"{name:10} {statistics.median(all_us):6.2f} us of CPU a request (median of"
            f" {args.rounds}), {args.requests / statistics.median(wall[name]):,.0f} requests/s"
        )
    return cost


def compare(cost):
    """Prints the ratio of each pair, round by round, and returns {(a, b): median}."""
    medians = {}
    for a, b in PAIRS:
        if a in cost and b in cost:
            medians[a, b] = harness.ratio(f"{a} / {b}", cost[a], cost[b])
    return medians


# --- system calls ---


def count_calls(command, cpu):
    """Returns the number of each system call in a run, of all threads: {name: number}."""
    strace = harness.find_program("strace", "strace")
    with tempfile.NamedTemporaryFile("r", prefix="septet-strace-") as table:
        harness.run_together([[strace, "-c", "-f", "-o", table.name] + command], cpu)
        rows = [line.split() for line in table]
    return {r[-1]: int(r[3]) for r in rows if len(r) >= 5 and r[3].isdigit() and r[-1] != "total"}


def calls_per_request(name, command, url, args, cpu):
    """Prints and returns the calls that each request adds: the difference of N and 2 N, over N."""
    n = args.strace_requests
    once, twice = (count_calls(command + [url, str(k), str(args.at_once)], cpu) for k in (n, 2 * n))
    each = {
        call: (twice.get(call, 0) - once.get(call, 0)) / n for call in {*once, *twice, *COUNTED}
    }
    often = sorted((v, k) for k, v in each.items() if v >= 0.01 and k not in COUNTED)
    print(
        f"{name:10} a request: "
        + ", ".join(f"{call} {each[call]:.4f}" for call in COUNTED)
        + f"; all calls {sum(each.values()):.2f}: "
        + ", ".join(f"{k} {v:.2f}" for v, k in reversed(often))
    )
    return each


# --- what --check holds to ---


def failures(ratios, calls):
    found = []
    ratio = ratios.get(("septet", PEER))
    if ratio is None or "septet" not in calls:
        found.append(f"septet and {PEER} were not both run")
        return found
    if ratio > MAX_RATIO:
        found.append(f"septet / {PEER} is {ratio:.3f}, more than {MAX_RATIO}")
    for call, limit in MAX_CALLS.items():
        if calls["septet"][call] > limit:
            found.append(f"{call} is {calls['septet'][call]:.4f} a request, more than {limit}")
    return found


def parse_args():
    parser = harness.new_parser(__doc__, rounds=9)
    harness.add_only(parser, "clients", CLIENTS)
    parser.add_argument("--requests", type=int, default=40000, help="in each run")
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument(
        "--together",
        action="store_true",
        help="run the clients of a round at once on the one CPU (steadier ratios)",
    )
    parser.add_argument(
        "--strace-requests", type=int, default=4000, help="0: do not count system calls"
    )
    args = parser.parse_args()
    if args.rounds < 1 or args.requests < 1 or args.at_once < 1:
        parser.error("rounds, requests and at-once must be 1 or more")
    if args.check and not args.strace_requests:
        parser.error("--check counts system calls")
    return args


def client_commands(args):
    commands = {
        PEER: lambda: [harness.program(args.build, "bench", PEER)],
        "septet": lambda: harness.septet(args.build, "fetch.lua"),
        "curl_anew": lambda: [harness.program(args.build, "bench", "curl_anew")],
    }
    return {name: commands[name]() for name in CLIENTS if name in args.only}


def run(args):
    commands = client_commands(args)
    client_cpu, server_cpu = harness.two_cpus()
    if client_cpu is None:
        print("only one CPU: client and server share it, and the figures hold less\n")
    calls = {}
    with harness.nginx(server_cpu) as [url]:
        how = "clients together" if args.together else "clients in turn"
        print(
            f"{args.requests} GETs of {BODY_BYTES} bytes, {args.at_once} at once, {how}; us of CPU"
            " a request"
        )
        ratios = compare(measure(commands, url, args, client_cpu))
        if args.strace_requests:
            print(
                f"\nsystem calls (strace, {2 * args.strace_requests} requests less"
                f" {args.strace_requests})"
            )
            for name, command in commands.items():
                calls[name] = calls_per_request(name, command, url, args, client_cpu)
    return failures(ratios, calls) if args.check else []


if __name__ == "__main__":
    sys.exit(harness.run_main("http.py", run, parse_args()))
