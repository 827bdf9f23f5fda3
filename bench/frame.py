#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what a step with a budget of 2 ms costs: 1 000 tasks, 100 requests in flight.

Runs frame.c against nginx on another CPU, and the same tasks as plain Lua coroutines, without I/O
and over luv.
"""

import gzip
import os
import random
import re
import shutil
import subprocess
import sys

import harness

MIB = 1 << 20
BUDGET_US, SLACK_US, IDLE_NS = 2000, 500, 1000
LINE = re.compile(
    r"frames (\d+) p50 ([\d.]+) p99 ([\d.]+) p99\.9 ([\d.]+) max ([\d.]+) turn ([\d.]+)"
    r" collector ([\d.]+) us tasks (\d+) requests (\d+) mib (\d+)\n"
)
IDLE = re.compile(r"idle ([\d.]+) ns polls (\d+)\n")


def bodies():
    """Returns the files of the server, by a fixed seed: bytes, and text that is compressed."""
    draw = random.Random(1)
    words = [f"word{draw.randrange(10000)} " for _ in range(200000)]
    text = "".join(words)[:MIB].encode()
    return {"big": draw.randbytes(MIB), "text.gz": gzip.compress(text, mtime=0)}


def report(name, output):
    """Prints a program's figures, and returns (p99.9, longest turn, collector) in us."""
    m = LINE.search(output)
    if m is None:
        raise harness.CannotRun(f"{name} printed {output!r}")
    p50, p99, p999, most, turn, collector = (float(m[i]) for i in range(2, 8))
    print(
        f"{name:10} p50 {p50 / 1e3:6.3f}  p99 {p99 / 1e3:6.3f}  p99.9 {p999 / 1e3:6.3f}"
        f"  max {most / 1e3:6.3f}  longest turn {turn / 1e3:6.3f}"
        f"  collector's longest step {collector / 1e3:6.3f} ms;"
        f" {m[8]} tasks, {m[9]} requests, {m[10]} MiB"
    )
    return p999, turn, collector


def run_peers(args, url, cpu):
    """Runs the peers whose programs are installed."""
    lua = shutil.which("lua5.4")
    if lua is None:
        print("lua5.4 is not installed: no peers")
        return
    script = os.path.join(harness.HERE, "frame_peers.lua")
    numbers = [str(n) for n in (args.frames // 4, args.budget, args.period)]
    [output] = harness.run_together([[lua, script] + numbers], cpu)
    report("plain", output)
    if subprocess.run([lua, "-l", "luv", "-e", ""], capture_output=True).returncode != 0:
        print("luv is not installed (Debian package lua-luv)")
        return
    host, port = re.match(r"http://([\d.]+):(\d+)/", url).groups()
    [output] = harness.run_together([[lua, script] + numbers + [host, port]], cpu)
    report("luv", output)


def run(args):
    program = harness.program(args.build, "bench", "frame")
    client_cpu, server_cpu = harness.two_cpus()
    with harness.nginx(server_cpu, files=bodies()) as [url]:
        folder = url.rsplit("/", 1)[0] + "/"
        script = os.path.join(harness.HERE, "frame.lua")
        numbers = [str(n) for n in (args.frames, args.budget, args.period)]
        [output] = harness.run_together([[program, script, folder] + numbers], client_cpu)
        p999, turn, _ = report("septet", output)
        idle = IDLE.search(output)
        print(f"septet     idle: {float(idle[1]):.0f} ns a step, {idle[2]} polls")
        if not args.no_peers:
            run_peers(args, url, client_cpu)
    most = args.budget + turn + SLACK_US
    found = []
    if p999 > most:
        found.append(f"p99.9 is {p999:.0f} us, more than {most:.0f}")
    if float(idle[1]) >= IDLE_NS or idle[2] != "0":
        found.append(f"an idle step costs {idle[1]} ns and {idle[2]} polls")
    return found if args.check else []


def parse_args():
    parser = harness.new_parser(__doc__, rounds=1)
    parser.add_argument("--frames", type=int, default=10000)
    parser.add_argument("--budget", type=int, default=BUDGET_US, help="in us")
    parser.add_argument("--period", type=int, default=4000, help="from frame to frame, in us")
    parser.add_argument("--no-peers", action="store_true", help="run Septet alone")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(harness.run_main("frame.py", run, parse_args()))
