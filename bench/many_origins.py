#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures whether 2 000 origins with one request each slow one another, beside silent ones.

Alternates between three kinds of runs: 2 000 requests on fresh connections to one origin; one
request to each of 2 000 origins; the same while requests to 500 silent origins, which accept
connections and send nothing, are in flight. nginx listens on every port.
"""

import contextlib
import re
import socket
import statistics
import sys

import harness

LINE = re.compile(
    r"(\d+) requests, (\d+) connections, ([\d.]+) us of CPU each, [\d.]+ s, ms: ([\d.]+) ([\d.]+)"
    r" ([\d.]+)\n"
)
FIGURES = ("us of CPU", "p50 in ms", "p99 in ms", "slowest in ms")
ONE, MANY, BESIDE = "one origin", "many origins", "beside silent ones"
MAX_RATIO = 1.25


@contextlib.contextmanager
def silent_origins(n):
    """Yields URLs of sockets whose connections the kernel accepts, and no program reads."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
            s.listen()
        yield [f"http://127.0.0.1:{s.getsockname()[1]}/" for s in sockets]


def run(args):
    command = harness.septet(args.build, "origins.lua")
    client_cpu, server_cpu = harness.two_cpus()
    harness.allow_files()
    with harness.nginx(server_cpu, args.origins) as urls, silent_origins(args.silent) as silent:
        lines = {
            ONE: [urls[0]] * args.origins,
            MANY: urls,
            BESIDE: ["silent " + url for url in silent] + urls,
        }

        def figures(kind):
            output = harness.run_alone(command, client_cpu, "\n".join(lines[kind]) + "\n")
            match = LINE.fullmatch(output)
            if match is None or int(match[1]) != args.origins or int(match[2]) != args.origins:
                raise harness.CannotRun(
                    f"not {args.origins} requests on connections of their own: {output!r}"
                )
            return [float(figure) for figure in match.groups()[2:]]

        results = harness.in_rounds(lines, args.rounds, figures)
    return compare(results, args)


def compare(results, args):
    for kind, rounds in results.items():
        medians = [statistics.median(column) for column in zip(*rounds)]
        print(
            f"{kind:18} a request: "
            + ", ".join(f"{m:.2f} {name}" for m, name in zip(medians, FIGURES))
        )
    found = []
    for over, under in ((MANY, ONE), (BESIDE, MANY)):
        for i, name in enumerate(FIGURES[:3]):
            median = harness.ratio(
                f"{over} / {under}, {name}", *([r[i] for r in results[k]] for k in (over, under))
            )
            if args.check and median > MAX_RATIO:
                found.append(f"{over} / {under}, {name} is {median:.3f}, more than {MAX_RATIO}")
    return found


def parse_args():
    parser = harness.new_parser(__doc__, rounds=9)
    parser.add_argument("--origins", type=int, default=2000)
    parser.add_argument("--silent", type=int, default=500)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(harness.run_main("many_origins.py", run, parse_args()))
