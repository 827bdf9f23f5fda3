#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures whether a GET costs more if 10 000 tasks instead of 64 wait for 64 connections.

Runs fetch.lua with few and with many tasks in turn, against nginx on another CPU. The figure
includes the creation of the tasks: each of the many makes ten requests.
"""

import os
import statistics
import sys

import harness

FEW, MANY, CONNECTIONS = 64, 10000, 64
MAX_RATIO = 1.10


def run(args):
    septet = harness.program(args.build, "septet")
    client_cpu, server_cpu = harness.two_cpus()
    with harness.nginx(server_cpu) as [url]:

        def us_with(tasks):
            command = [
                septet, os.path.join(harness.HERE, "fetch.lua"), url, args.requests, tasks,
                CONNECTIONS,
            ]
            [output] = harness.run_together([[str(word) for word in command]], client_cpu)
            us, _ = harness.check_line(output, args.requests, f"septet with {tasks} tasks")
            return us

        cost = harness.in_rounds((FEW, args.tasks), args.rounds, us_with)
    for tasks, all_us in cost.items():
        print(
            f"{tasks:6} tasks, {CONNECTIONS} connections: {statistics.median(all_us):6.2f} us of"
            " CPU a request"
        )
    growth = harness.ratio(f"{args.tasks} / {FEW}", cost[args.tasks], cost[FEW])
    return (
        [f"it is {growth:.3f}, more than {MAX_RATIO}"] if args.check and growth > MAX_RATIO else []
    )


def parse_args():
    parser = harness.new_parser(__doc__, rounds=15)
    parser.add_argument("--tasks", type=int, default=MANY)
    parser.add_argument("--requests", type=int, default=100000, help="in each run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(harness.run_main("many_tasks.py", run, parse_args()))
