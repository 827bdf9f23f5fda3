#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures a TCP echo of 64 clients, beside a server in plain C on libuv.

The servers run in turn on one CPU, and the same client in C on another. Each of 64 connections
sends a message and awaits its echo before the next one. A server's figure is the CPU of its whole
process, start-up included, divided by the number of messages.
"""

import os
import re
import statistics
import subprocess
import sys

import harness

PEER, SCRIPT = "echo_server", "echo.lua"
LINE = re.compile(r"(\d+) messages, ([\d.]+) s\n")
MAX_RATIO = 1.5


def run_client(command, messages):
    """Returns the wall time in s of a run of the client."""
    with harness.started(command, harness.two_cpus()[1], stdout=subprocess.PIPE, text=True) as p:
        output = harness.output_of(p)
    match = LINE.fullmatch(output)
    if match is None or int(match[1]) != messages:
        raise harness.CannotRun(f"the client printed {output!r}")
    return float(match[2])


def run_server(command, client, args):
    """Returns the CPU in s of a server, and the wall time in s of its client."""
    connections = str(args.clients)
    with harness.started(
        command + [connections], harness.two_cpus()[0], stdout=subprocess.PIPE, text=True
    ) as server:
        port = server.stdout.readline().strip()
        numbers = [port, connections, str(args.messages), str(args.size)]
        wall = run_client([client] + numbers, args.clients * args.messages)
        _, status, usage = os.wait4(server.pid, 0)
        server.returncode = os.waitstatus_to_exitcode(status)
    if server.returncode != 0:
        raise harness.CannotRun(f"status {server.returncode}: {' '.join(command)}")
    return usage.ru_utime + usage.ru_stime, wall


def run(args):
    client = harness.program(args.build, "bench", "echo_client")
    commands = {
        PEER: [harness.program(args.build, "bench", PEER)],
        SCRIPT: [harness.program(args.build, "septet"), os.path.join(harness.HERE, SCRIPT)],
    }
    results = harness.in_rounds(
        commands, args.rounds, lambda name: run_server(commands[name], client, args)
    )
    n = args.clients * args.messages
    for name, pairs in results.items():
        cpu, wall = (statistics.median(values) for values in zip(*pairs))
        print(f"{name:12} {cpu / n * 1e6:6.2f} us of CPU a message, {n / wall:,.0f} messages/s")
    cost = {name: [cpu for cpu, _ in pairs] for name, pairs in results.items()}
    median = harness.ratio(f"{SCRIPT} / {PEER}", cost[SCRIPT], cost[PEER])
    return (
        [f"it is {median:.3f}, more than {MAX_RATIO}"] if args.check and median > MAX_RATIO else []
    )


def parse_args():
    parser = harness.new_parser(__doc__, rounds=9)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--messages", type=int, default=2000, help="of each client")
    parser.add_argument("--size", type=int, default=64, help="bytes of a message")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(harness.run_main("echo.py", run, parse_args()))
