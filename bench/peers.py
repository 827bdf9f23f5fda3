#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares Septet with Go, Node, asyncio, cqueues and plain C loops, all in one run.

Every program does the same work on one CPU, the servers run on the other. The programs of a round
run in turn. A figure is the median of the rounds' ratios of Septet to the peer: under 1, Septet
needs less. Prints a table in Markdown, which docs/performance.md holds.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

import harness

UNDICI = "undici@6.29.1"
# Debian has a library of lua-http's for Lua 5.2 alone, which works with 5.3 as well.
LUA_PATH = "/usr/share/lua/5.3/?.lua;/usr/share/lua/5.3/?/init.lua;/usr/share/lua/5.2/?.lua;;"
PEERS = ("Go", "Node", "asyncio", "cqueues", "C loop", "curl", "lua5.4")
LINE = re.compile(r"(\S+)\s+(\d+)\s+([\d.e+-]+)\s+([\d.e+-]+)\s+(\d+)\n")
CPU, TIME, PEAK = range(3)  # s, s, bytes
ALL = ("Go", "Node", "asyncio", "cqueues")
STARTS = 15  # of an empty script in a round


class Work:
    """`n` of what each program does; {peer: n} where it is another number. `peers` do it. `texts`
    are {figure: text} of the rows that its runs give."""

    def __init__(self, texts, name, n, peers=ALL, server=None, fewer=()):
        self.texts = {CPU: texts} if isinstance(texts, str) else texts
        self.name, self.peers, self.server = name, peers, server
        self.n = {"Septet": n, **{peer: n for peer in peers}, **dict(fewer)}


FEWER = {"asyncio": 50000, "cqueues": 50000}
WORKS = (
    Work({TIME: "start-up, time", CPU: "start-up, CPU"}, "start", 1,
         ("Go", "Node", "asyncio", "lua5.4")),
    Work("spawn and await", "spawn_await", 500000, fewer=FEWER),
    Work("spawn 1000 and gather, a task", "spawn_gather", 500000, fewer=FEWER),
    Work("give way, 2 tasks", "yield_2", 500000, fewer=FEWER),
    Work("give way, 50 tasks", "yield_50", 500000, fewer=FEWER),
    Work("an item through a channel of 1", "hand_off", 500000, fewer=FEWER),
    Work({TIME: "1 000 000 sleeps of 1 s, time", CPU: "the same, CPU",
          PEAK: "the same, peak memory"}, "sleeps", 1000000, ("Go", "Node")),
    Work({CPU: "100 000 sleeps of 1 s", PEAK: "the same, peak memory"}, "sleeps", 100000),
    Work("GET of 1 kB, kept alive, 64 at once", "get", 32000, (*ALL, "C loop"), server="plain",
         fewer={"cqueues": 6400, "asyncio": 12800}),
    Work("the same by HTTPS", "get_h1", 32000, (*ALL, "C loop"), server="h1",
         fewer={"cqueues": 6400, "asyncio": 12800}),
    Work("the same by HTTP/2", "get_h2", 32000, ("Go", "Node", "cqueues", "C loop"), server="h2",
         fewer={"cqueues": 6400}),
    Work("1 GB streamed", "stream", 1024, ("curl",), server="bodies"),
    Work("1 GB saved to a file", "save", 1024, ("curl",), server="bodies"),
)


# --- the programs ---


def prepared(args):
    """Builds the program in Go and installs undici on first use, and returns the folder."""
    folder = os.path.join(os.path.normpath(args.build), "..", "bench", "peers")
    os.makedirs(folder, exist_ok=True)
    source, binary = os.path.join(harness.HERE, "peers", "tasks.go"), os.path.join(folder, "go")
    commands = []
    if "Go" in args.only:
        go = harness.find_program("go", "golang-go")
        commands.append([go, "build", "-o", binary, source])
    if "Node" in args.only and not os.path.isdir(os.path.join(folder, "node_modules", "undici")):
        npm = harness.find_program("npm", "npm")
        commands.append([npm, "install", "--no-audit", "--no-fund", "--silent", "--prefix", folder,
                         UNDICI])
    for command in commands:
        if subprocess.run(command, check=False).returncode != 0:
            raise harness.CannotRun("failed: " + " ".join(command))
    return folder


def runtimes(args, folder):
    """Returns {program: (the command of its script, that of an empty script)}."""
    def script(name):
        return os.path.join(harness.HERE, "peers", name)

    septet = harness.program(args.build, "septet")
    # Debian's own, which has aiohttp.
    python = "/usr/bin/python3"
    go = os.path.join(folder, "go")
    return {
        "Septet": ([septet, script("septet.lua")], [septet, "-e", ""]),
        "Go": ([go], [go, "start", "1"]),
        "Node": (["node", script("tasks.js")], ["node", "-e", ""]),
        "asyncio": ([python, script("tasks.py")], [python, "-c", ""]),
        "cqueues": (["lua5.3", script("tasks.lua")], ["lua5.3", "-e", ""]),
        "lua5.4": (None, ["lua5.4", "-e", ""]),
    }


class Bench:
    def __init__(self, args, servers, cpu):
        self.args, self.servers, self.cpu = args, servers, cpu
        self.folder = prepared(args)
        self.runtimes = runtimes(args, self.folder)
        folder = args.folder or tempfile.gettempdir()
        self.saved = os.path.join(folder, f"septet-peers-{os.getpid()}")
        self.env = {**os.environ, "NODE_PATH": os.path.join(self.folder, "node_modules"),
                    "SAVED": self.saved, "GOMAXPROCS": "1", "LUA_PATH_5_3": LUA_PATH}

    def run(self, command):
        """Returns (CPU, time, peak, what it printed) of a whole process."""
        t0 = time.monotonic()
        with harness.started(command, self.cpu, stdout=subprocess.PIPE, text=True,
                             env=self.env) as process:
            output = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise harness.CannotRun(f"status {process.returncode}: {' '.join(command)}")
        return (usage.ru_utime + usage.ru_stime, time.monotonic() - t0, usage.ru_maxrss * 1024,
                output)

    def start_up(self, who):
        """Returns the medians of empty scripts."""
        runs = [self.run(self.runtimes[who][1])[:3] for _ in range(STARTS)]
        return tuple(statistics.median(column) for column in zip(*runs))

    def whole(self, command, n):
        cpu, seconds, peak, _ = self.run(command)
        if os.path.exists(self.saved):
            os.unlink(self.saved)
        return cpu / n, seconds / n, peak / n

    def once(self, work, who, n):
        """Returns what the work costs one of n: (CPU, time, peak)."""
        if work.name == "start":
            return self.start_up(who)
        more = [str(n)]
        if work.server:
            url, *ca_file = self.servers[work.server]
            more += [url.replace("/body", f"/{n}") if work.server == "bodies" else url,
                     "64", *ca_file]
        if who == "curl":
            to = self.saved if work.name == "save" else "/dev/null"
            return self.whole(["curl", "-q", "-s", "-o", to, more[1]], n)
        if who == "C loop":
            loop = harness.program(self.args.build, "bench", "curl_anew")
            h2 = ["h2"] if work.server == "h2" else []
            return self.whole([loop, more[1], more[0], *more[2:], *h2], n)
        command = [*self.runtimes[who][0], work.name, *more]
        if work.server:
            return self.whole(command, n)
        output = self.run(command)[3]
        match = LINE.fullmatch(output)
        if match is None or (match[1], int(match[2])) != (work.name, n):
            raise harness.CannotRun(f"{who} printed {output!r}")
        return float(match[3]) / n, float(match[4]) / n, int(match[5]) / n


# --- the table ---


def scaled(work, who, scale):
    n = work.n[who]
    if work.name == "start" or work.server == "bodies":
        return n if scale >= 1 or work.name == "start" else 128
    return max(round(n * scale) // 6400 * 6400, 6400)


def compare(bench, work, args):
    """Returns the lines of the table that the work gives."""
    names = ["Septet", *(peer for peer in work.peers if peer in args.only)]
    found = harness.in_rounds(
        names, args.rounds, lambda who: bench.once(work, who, scaled(work, who, args.scale)))
    lines = []
    for what, text in work.texts.items():
        of = {who: [result[what] for result in results] for who, results in found.items()}
        for who, all_n in of.items():
            print(f"{text}: {who} {figure(what, statistics.median(all_n))}", file=sys.stderr)
        ratios = {
            who: statistics.median(x / y for x, y in zip(of["Septet"], of[who]))
            for who in names[1:]
        }
        cells = " | ".join(f"{ratios[p]:.2f}" if p in ratios else "" for p in PEERS)
        lines.append(f"| {text} | {cells} |")
    return lines


def figure(what, n):
    if what == PEAK:
        return f"{n:.0f} B"
    for unit, factor in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        if n * factor >= 1:
            return f"{n * factor:.2f} {unit}"
    return f"{n * 1e9:.0f} ns"


def versions(bench, args):
    """Returns what was compared, in a line."""
    found = []
    for who, command in (
        ("Septet", [bench.runtimes["Septet"][0][0], "--version"]), ("Go", ["go", "version"]),
        ("Node", ["node", "--version"]), ("asyncio", ["/usr/bin/python3", "--version"]),
        ("cqueues", ["lua5.3", "-e", "print('cqueues ' .. require('cqueues').VERSION)"]),
    ):
        if who == "Septet" or who in args.only:
            text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            found.append(text.strip() if who != "Node" else "Node " + text.strip())
    return "; ".join(found) + "."


def run(args):
    works = [work for work in WORKS if not args.works or work.name in args.works.split(",")]
    client_cpu, server_cpu = harness.two_cpus()
    servers = {work.server for work in works} - {None}
    with harness.servers_for(servers, server_cpu) as found:
        bench = Bench(args, found, client_cpu)
        lines = [versions(bench, args), "", "| Septet's, by that of | " + " | ".join(PEERS) + " |",
                 "|---|" + "--:|" * len(PEERS)]
        print(lines[0], file=sys.stderr)
        for work in works:
            lines += compare(bench, work, args)
    harness.show(args, "peers", lines)
    return []


def parse_args():
    parser = harness.new_parser(__doc__, rounds=5)
    parser.add_argument("--scale", type=float, default=1, help="do this part of the work, to try")
    parser.add_argument("--works", help="names of the works to run, separated by commas")
    parser.add_argument("--folder", help="where a body is saved; the folder of temporary files")
    harness.add_paste(parser)
    harness.add_only(parser, "peers", PEERS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(harness.run_main("peers.py", run, parse_args()))
