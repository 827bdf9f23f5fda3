#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How soon does a septet show its tasks, at SIGUSR1 and to septet ps, wherever its script is?

For each place, the median and the most of some rounds: from the signal to the first line on stderr,
and the whole run of `septet ps`. Where C code does not return, the first line is the note that says
so. --check fails beyond 0.1 s, or 1 s for that note.
"""

import os
import select
import signal
import statistics
import subprocess
import sys
import time

import harness

HEAD = "io.stdout:setvbuf 'no' local task = require 'septet.task' "
READY = "print 'ready' "
PLACES = {
    "waits": HEAD + READY + "task.sleep(1e6)",
    "computes": HEAD + READY + "while true do end",
    "computes in a coroutine": HEAD + "coroutine.wrap(function() " + READY +
    "while true do end end)()",
    "computes under a hook": HEAD + "debug.sethook(function() end, 'l') " + READY +
    "while true do local x = 1 end",
    "runs string.rep of 1 MB": HEAD + READY + "while true do ('x'):rep(1e6) end",
    "computes beside 10 000": HEAD + "for i = 1, 10000 do task.spawn(task.sleep, 1e6) end "
    "task.sleep(0) " + READY + "while true do end",
}
BLOCKS = "is in C code"
PLACES[BLOCKS] = HEAD + READY + "string.find(('a'):rep(60), ('a-'):rep(60) .. 'b')"
LIMITS = {BLOCKS: 1.0}
LIMIT = 0.1


def first_line(child):
    """Returns the seconds from a signal to the first line, and reads what else comes."""
    start = time.monotonic()
    child.send_signal(signal.SIGUSR1)
    if not select.select([child.stderr], [], [], harness.RUN_TIMEOUT)[0]:
        raise harness.CannotRun("no line came")
    seconds = time.monotonic() - start
    while select.select([child.stderr], [], [], 0.05)[0]:
        os.read(child.stderr.fileno(), 1 << 20)
    return seconds


def ask(septet, child):
    """Returns the seconds that septet ps takes."""
    start = time.monotonic()
    subprocess.run([septet, "ps", str(child.pid)], stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, timeout=harness.RUN_TIMEOUT, check=False)
    return time.monotonic() - start


def run(args):
    septet = harness.program(args.build, "septet")
    wrong = []
    for place, source in PLACES.items():
        child = subprocess.Popen([septet, "-e", source], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, bufsize=0)
        try:
            child.stdout.readline()
            time.sleep(0.05)  # until it is there
            lines = [first_line(child) for _ in range(1 if place == BLOCKS else args.rounds)]
            asked = [] if place == BLOCKS else [ask(septet, child) for _ in range(args.rounds)]
        finally:
            child.kill()
            child.communicate()
        text = f"{place:26} first line {statistics.median(lines) * 1e3:7.1f} ms, at most "
        text += f"{max(lines) * 1e3:7.1f} ms"
        if asked:
            text += f"; septet ps {statistics.median(asked) * 1e3:6.1f} ms, at most "
            text += f"{max(asked) * 1e3:6.1f} ms"
        print(text, flush=True)
        if args.check and max(lines) > LIMITS.get(place, LIMIT):
            wrong.append(f"{place}: the first line took {max(lines):.3f} s")
    return wrong


if __name__ == "__main__":
    sys.exit(harness.run_main("ps.py", run, harness.new_parser(__doc__, rounds=10).parse_args()))
