#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures scripts/fetch.lua with 20 000 URLs, 64 at once, beside the plain C loop of curl_kept.

The two run in turn, against nginx on another CPU. The script reads its URLs from a file, shows its
progress on a pseudo terminal, which a thread reads here, and writes JSON lines to a file. Each of
them is checked. The loop gets one of these URLs, again and again.
"""

import contextlib
import json
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import threading

import harness

PEER, SCRIPT = "curl_kept", "scripts/fetch.lua"
MAX_RATIO = 1.5


class Terminal:
    """A pseudo terminal, and the bytes that were written to it."""

    def __enter__(self):
        self.master, self.slave = pty.openpty()
        self.shown = b""
        self.thread = threading.Thread(target=self.read)
        self.thread.start()
        return self

    def read(self):
        with contextlib.suppress(OSError):  # EIO: no process has it open any more
            while data := os.read(self.master, 65536):
                self.shown += data

    def __exit__(self, *error):
        os.close(self.slave)
        self.thread.join()
        os.close(self.master)


def run_script(command, cpu, urls):
    """Returns the CPU in s of a run of the script, and checks its results."""
    with tempfile.NamedTemporaryFile("r", prefix="septet-results-") as results:
        with open(results.name, "w") as out, Terminal() as terminal:
            seconds = harness.cpu_of(command, cpu, out, terminal.slave)
        check_results([json.loads(line) for line in results], urls)
    progress = f" of {len(urls)} done, 0 failed, "
    if progress.encode() not in terminal.shown or b"\n50 %" in terminal.shown:
        raise harness.CannotRun(f"the script showed {terminal.shown!r}")
    return seconds


def check_results(results, urls):
    if sorted(r["url"] for r in results) != sorted(urls):
        raise harness.CannotRun(
            f"{len(results)} results, which are not one for each of {len(urls)} URLs"
        )
    for r in results:
        expected = (200, harness.BODY_BYTES, 1)
        if (r["status"], r["bytes"], r["attempts"]) != expected or r["seconds"] <= 0:
            raise harness.CannotRun(f"a result is {r}")


def run(args):
    client_cpu, server_cpu = harness.two_cpus()
    script = os.path.join(harness.HERE, "..", SCRIPT)
    at_once = str(args.at_once)
    with harness.nginx(server_cpu) as [url], tempfile.NamedTemporaryFile(
        "w", prefix="septet-urls-"
    ) as file:
        urls = [f"{url}?{i:06}" for i in range(args.urls)]
        file.write("".join(url + "\n" for url in urls))
        file.flush()
        peer = [harness.program(args.build, "bench", PEER), urls[0], str(args.urls), at_once]
        command = [
            harness.program(args.build, "septet"), script, "--json", "--limit", at_once,
            "--per-host", at_once,
        ]
        runs = {
            PEER: lambda: harness.cpu_of(peer, client_cpu, subprocess.DEVNULL, None),
            SCRIPT: lambda: run_script(command + ["--file", file.name], client_cpu, urls),
        }
        cost = harness.in_rounds(runs, args.rounds, lambda name: runs[name]())
    for name, all_s in cost.items():
        print(f"{name:18} {statistics.median(all_s) / args.urls * 1e6:6.2f} us of CPU a URL")
    median = harness.ratio(f"{SCRIPT} / {PEER}", cost[SCRIPT], cost[PEER])
    return (
        [f"it is {median:.3f}, more than {MAX_RATIO}"] if args.check and median > MAX_RATIO else []
    )


def parse_args():
    parser = harness.new_parser(__doc__, rounds=9)
    parser.add_argument("--urls", type=int, default=20000)
    parser.add_argument("--at-once", type=int, default=64)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(harness.run_main("script.py", run, parse_args()))
