#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures whether 2 000 names that are never answered slow other requests or leave threads behind.

Runs names.lua with and without them, in turn. The DNS server here answers for good.test and never
for dead.test.
"""

import contextlib
import re
import socket
import statistics
import sys
import threading

import harness

LINE = re.compile(
    r"(\d+) requests, ([\d.]+) us of CPU each, (\d+) names, ([\d.]+) ms the middle one, ([\d.]+) ms"
    r" the slowest, "
    r"(\d+) dead, threads: (\d+) (\d+) (\d+)\n"
)
A, IN = b"\0\1", b"\0\1"
MAX_COST = 1.15  # CPU of a request, that of the dead names in it, over that without them
MIN_RATE = 0.8  # requests in the same time, over those without; it wanders more
MAX_NAMES = 1.5  # latency of new names that answer, over that without
MAX_NAME = 500  # ms, of each new name that answers, also of one that came with the crowd


# --- the DNS server ---


def answer(query):
    """Returns the answer to a query of one question, or None if it is not to be answered."""
    end = 12
    labels = []
    while query[end]:
        labels.append(query[end + 1 : end + 1 + query[end]].lower())
        end += 1 + query[end]
    question = query[12 : end + 5]
    if labels[-2:] != [b"good", b"test"]:
        return None
    is_a = question[-4:-2] == A
    record = b"\xc0\x0c" + A + IN + (60).to_bytes(4, "big") + b"\0\4" + bytes((127, 0, 0, 1))
    counts = (1).to_bytes(2, "big") + is_a.to_bytes(2, "big") + bytes(4)
    return query[:2] + b"\x81\x80" + counts + question + (record if is_a else b"")


def serve(s):
    while True:
        query, client = s.recvfrom(4096)
        if not query:
            return
        reply = answer(query)
        if reply:
            s.sendto(reply, client)


@contextlib.contextmanager
def dns_server():
    """Returns the server's address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        s.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=serve, args=(s,))
        thread.start()
        try:
            yield "127.0.0.1:%d" % s.getsockname()[1]
        finally:
            s.sendto(b"", s.getsockname())
            thread.join()


# --- runs ---


def run(args):
    command = harness.septet(args.build, "names.lua")
    client_cpu, server_cpu = harness.two_cpus()
    found = []
    with harness.nginx(server_cpu) as [url], dns_server() as dns:
        port = url.split(":")[2].split("/")[0]

        def figures(dead):
            [output] = harness.run_together(
                [command + [port, dns, str(dead), str(args.seconds)]], client_cpu
            )
            match = LINE.fullmatch(output)
            if match is None or int(match[6]) != dead:
                raise harness.CannotRun(f"septet printed {output!r}")
            before, most, after = (int(n) for n in match.groups()[6:])
            if args.check and after > before:
                found.append(f"{after} threads at the end of {dead} dead names, {before} before")
            return int(match[1]), float(match[4]), float(match[5]), most, float(match[2])

        results = harness.in_rounds((0, args.dead), args.rounds, figures)
    return found + compare(results, args)


def compare(results, args):
    columns = {dead: list(zip(*rounds)) for dead, rounds in results.items()}
    for dead, (requests, middle, slowest, most, us) in columns.items():
        print(
            f"{dead:5} dead names: {statistics.median(requests) / args.seconds:,.0f} requests/s,"
            f" {statistics.median(us):.2f} us of CPU each; a name that answers:"
            f" {statistics.median(middle):.2f} ms, the slowest {max(slowest):.2f} ms;"
            f" {max(most)} threads at most"
        )
    without, with_dead = columns[0], columns[args.dead]
    cost = harness.ratio("CPU a request, with / without", with_dead[4], without[4])
    rate = harness.ratio("requests in the same time, with / without", with_dead[0], without[0])
    names = harness.ratio("latency of names that answer, with / without", with_dead[1], without[1])
    checks = (
        (cost > MAX_COST, f"a request costs {cost:.3f} times as much, more than {MAX_COST}"),
        (
            rate < MIN_RATE,
            f"the rate of requests falls to {rate:.3f} of what it was, less than {MIN_RATE}",
        ),
        (
            names > MAX_NAMES,
            f"a name that answers takes {names:.3f} times as long, more than {MAX_NAMES}",
        ),
        (max(with_dead[2]) > MAX_NAME, f"a name that answers took more than {MAX_NAME} ms"),
    )
    return [why for is_bad, why in checks if args.check and is_bad]


def parse_args():
    parser = harness.new_parser(__doc__, rounds=5)
    parser.add_argument("--dead", type=int, default=2000, help="names")
    parser.add_argument("--seconds", type=int, default=4, help="of each run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(harness.run_main("dead_names.py", run, parse_args()))
