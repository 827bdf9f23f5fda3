#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what jobs cost in a file and on Redis, beside Python's sqlite3 and BullMQ.

Jobs that do nothing are put, run and ended: in a file, with each commit on the disk, beside
jobs_sqlite.py; and on a Redis server on the other CPU, beside jobs_bullmq.js, whose packages npm
installs in build/bench. Then fetch jobs of 1 kB are compared with the plain loop of fetch.lua, and
a queue with a million jobs is opened.
"""

import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

import harness

LINE = re.compile(r"^(put|run|all) (\d+) jobs ([\d.]+) s ([\d.]+) s of CPU$", re.M)
OPEN = re.compile(r"open ([\d.]+) s (-?\d+) bytes\n")
PACKAGES = ("bullmq@6.7.0", "ioredis@5.11.1")

MIN_RATE = 30000  # jobs a second in a file
MIN_SQLITE, MIN_BULLMQ = 10, 5  # times as many as the peer
MAX_ADDED_US = 25
MAX_OPEN_MS, MAX_OPEN_MB = 50, 10


def parts_of(output, n):
    """Returns {part: (seconds, CPU)} of what a client printed, and checks the number of jobs."""
    parts = {m[1]: (float(m[3]), float(m[4])) for m in LINE.finditer(output)}
    if "all" not in parts or any(int(m[2]) != n for m in LINE.finditer(output)):
        raise harness.CannotRun(f"a client printed {output!r}")
    return parts


def alone(command, cpu, n):
    return parts_of(harness.run_together([command], cpu)[0], n)


@contextlib.contextmanager
def redis_server(cpu):
    """Runs a server on a unix socket in a folder of its own, and yields the path of the socket."""
    program = harness.find_program("redis-server", "redis-server")
    with tempfile.TemporaryDirectory(prefix="septet-bench-") as folder:
        path = os.path.join(folder, "s")
        command = [program, "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder]
        with harness.started(command, cpu, stdout=subprocess.DEVNULL):
            deadline = time.monotonic() + 10
            while not os.path.exists(path):
                if time.monotonic() > deadline:
                    raise harness.CannotRun("redis-server did not start")
                time.sleep(0.01)
            yield path


def bullmq(build):
    """Returns the folder of the packages of BullMQ, which it installs on first use."""
    folder = os.path.join(os.path.normpath(build), "..", "bench", "bullmq")
    if not os.path.isdir(os.path.join(folder, "node_modules", "bullmq")):
        os.makedirs(folder, exist_ok=True)
        command = [
            harness.find_program("npm", "npm"), "install", "--no-audit", "--no-fund", "--silent",
            "--prefix", folder, *PACKAGES,
        ]
        if subprocess.run(command, check=False).returncode != 0:
            raise harness.CannotRun("npm cannot install " + " ".join(PACKAGES))
    return os.path.join(folder, "node_modules")


def rate(n, runs):
    return [n / run["all"][0] for run in runs]


def compare(what, ours, peer, peer_name, least):
    """Prints both rates and their ratio, and returns what is wrong."""
    print(f"{what}: septet {statistics.median(ours):.0f} jobs/s, "
          f"{peer_name} {statistics.median(peer):.0f} jobs/s")
    median = harness.ratio(f"{what}, septet / {peer_name}", ours, peer)
    return [f"{what}: {median:.1f} times {peer_name}, less than {least}"] if median < least else []


def in_a_file(args):
    cpu, _ = harness.two_cpus()
    peer_n = max(args.jobs // 20, 1)

    def once(name):
        with tempfile.TemporaryDirectory(prefix="septet-bench-", dir=args.folder) as folder:
            path = os.path.join(folder, "jobs.db")
            if name == "septet":
                command = harness.septet(args.build, "jobs.lua")
                return alone(command + ["noop", path, str(args.jobs), "64"], None, args.jobs)
            peer = os.path.join(harness.HERE, "jobs_sqlite.py")
            return alone([sys.executable, peer, path, str(peer_n)], cpu, peer_n)

    runs = harness.in_rounds(("septet", "sqlite3"), args.rounds, once)
    for part in "put", "run":
        seconds = statistics.median(run[part][0] for run in runs["septet"])
        cpus = statistics.median(run[part][1] for run in runs["septet"])
        print(f"file, {part}: {args.jobs / seconds:.0f} jobs/s, "
              f"{cpus / args.jobs * 1e6:.1f} us of CPU a job")
    ours, peer = rate(args.jobs, runs["septet"]), rate(peer_n, runs["sqlite3"])
    wrong = compare("file", ours, peer, "sqlite3", MIN_SQLITE)
    if statistics.median(ours) < MIN_RATE:
        wrong.append(f"file: {statistics.median(ours):.0f} jobs/s, less than {MIN_RATE}")
    return wrong


def on_redis(args):
    cpu, server_cpu = harness.two_cpus()
    os.environ["NODE_PATH"] = bullmq(args.build)
    node = harness.find_program("node", "nodejs")
    peer = os.path.join(harness.HERE, "jobs_bullmq.js")
    n = str(args.jobs // 5)

    def once(name):
        with redis_server(server_cpu) as path:
            if name == "septet":
                url = f"unix://{path}?queue=bench"
                command = harness.septet(args.build, "jobs.lua") + ["noop", url, n, "64"]
            else:
                command = [node, peer, path, n, "64"]
            return alone(command, cpu, int(n))

    runs = harness.in_rounds(("septet", "bullmq"), args.rounds, once)
    ours, theirs = (rate(int(n), runs[name]) for name in ("septet", "bullmq"))
    return compare("redis", ours, theirs, "BullMQ", MIN_BULLMQ)


def of_fetches(args):
    cpu, server_cpu = harness.two_cpus()
    n = args.jobs // 5
    with harness.nginx(server_cpu) as [url]:

        def once(name):
            if name == "plain":
                command = harness.septet(args.build, "fetch.lua") + [url, str(n), "64"]
                output = harness.run_together([command], cpu)[0]
                return harness.check_line(output, n, "fetch.lua")[0]
            with tempfile.TemporaryDirectory(prefix="septet-bench-", dir=args.folder) as folder:
                path = os.path.join(folder, "jobs.db")
                command = harness.septet(args.build, "jobs.lua")
                parts = alone(command + ["fetch", path, str(n), "64", url], cpu, n)
                return tuple(parts[part][1] / n * 1e6 for part in ("run", "all"))

        runs = harness.in_rounds(("plain", "jobs"), args.rounds, once)
    added = [jobs[0] - plain for jobs, plain in zip(runs["jobs"], runs["plain"])]
    puts = statistics.median(jobs[1] - jobs[0] for jobs in runs["jobs"])
    median = statistics.median(added)
    print(f"fetch: {statistics.median(runs['plain']):.1f} us of CPU a GET, a job adds min "
          f"{min(added):.1f}  median {median:.1f}  max {max(added):.1f} us, and its put {puts:.1f}")
    return [f"fetch: a job adds {median:.1f} us"] if median > MAX_ADDED_US else []


def of_a_million(args):
    with tempfile.TemporaryDirectory(prefix="septet-bench-", dir=args.folder) as folder:
        path = os.path.join(folder, "jobs.db")
        command = harness.septet(args.build, "jobs.lua")
        harness.run_together([command + ["fill", path, str(args.pending)]], None)
        runs = []
        for _ in range(args.rounds):
            output = harness.run_together([command + ["open", path, "1000", "64"]], None)[0]
            match = OPEN.fullmatch(output)
            if not match:
                raise harness.CannotRun(f"jobs.lua printed {output!r}")
            runs.append((float(match[1]) * 1e3, int(match[2]) / 1e6))
    opened, more = (statistics.median(column) for column in zip(*runs))
    print(f"{args.pending} pending: open {opened:.1f} ms, {more:.1f} MB more after 1000 jobs")
    wrong = [f"open: {opened:.1f} ms, more than {MAX_OPEN_MS}"] if opened > MAX_OPEN_MS else []
    if more > MAX_OPEN_MB:
        wrong.append(f"open: {more:.1f} MB, more than {MAX_OPEN_MB}")
    return wrong


PARTS = {"file": in_a_file, "redis": on_redis, "fetch": of_fetches, "million": of_a_million}


def run(args):
    wrong = [line for name in args.only for line in PARTS[name](args)]
    return wrong if args.check else []


def parse_args():
    parser = harness.new_parser(__doc__, rounds=5)
    parser.add_argument("--jobs", type=int, default=100000, help="number of jobs in a file")
    parser.add_argument("--pending", type=int, default=1000000, help="jobs of the large queue")
    parser.add_argument("--folder", help="where the files lie; the folder of temporary files")
    harness.add_only(parser, "parts", PARTS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(harness.run_main("jobs.py", run, parse_args()))
