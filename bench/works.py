# SPDX-License-Identifier: MIT
"""The rows of instructions.py: each kind of work, what it is compared with, and its target."""

import dataclasses
import functools
import re
import tempfile
import typing

import harness

LUA = "instructions.lua"
RESIDENT = re.compile(r"(\d+)\n")
HOSTS = re.compile(r"(\d+) allocated (\d+) resident (\d+) in Lua\n")


@dataclasses.dataclass
class Row:
    name: str
    command: typing.Callable  # (place, n) to the words of a command
    n: typing.Optional[int]  # how often the work is done, and once more as often; None: one run
    unit: str = "instructions"
    target: typing.Optional[float] = None
    of_peer: bool = False  # the target is a ratio to the peer
    peer: typing.Optional[typing.Callable] = None
    peer_name: str = ""
    bytes_of: typing.Optional[typing.Callable] = None  # from what a run prints; None: count
    server: typing.Optional[str] = None
    fast: bool = False  # is counted in CI
    weight: int = 1  # the long ones begin first


def script(work, *more):
    """Returns a command_of that does `work` in Lua."""
    return lambda place, n: [place.septet, LUA, work, str(n), *map(str, more)]


def of_url(work, server, tasks):
    def command(place, n):
        url, *ca_file = place.servers[server]
        return [place.septet, LUA, work, str(n), url, str(tasks), *ca_file]
    return command


def of_loop(server, tasks, *more):
    """Returns the command_of of the C loop."""
    def command(place, n):
        url, *ca_file = place.servers[server]
        loop = harness.program(place.build, "bench", "curl_anew")
        return [loop, url, str(n), str(tasks), *ca_file, *more]
    return command


def of_body(work):
    """A body of n MB."""
    return lambda place, n: [
        place.septet, LUA, work, str(n), place.servers["bodies"][0].replace("/body", f"/{n}"),
    ]


@functools.cache
def saved_folder():
    """Returns a folder that is removed at the end."""
    return tempfile.TemporaryDirectory(prefix="septet-bench-")


def of_curl(saves):
    def command(place, n):
        url = place.servers["bodies"][0].replace("/body", f"/{n}")
        to = f"{saved_folder().name}/{n}" if saves else "/dev/null"
        return [harness.find_program("curl", "curl"), "-q", "-s", "-o", to, url]
    return command


def resident(output):
    return int(RESIDENT.fullmatch(output)[1])


def of_hosts(place, n):
    return [harness.program(place.build, "bench", "hosts"), str(n)]


def allocated_outside_lua(output):
    allocated, _, in_lua = map(int, HOSTS.fullmatch(output).groups())
    return allocated - in_lua


def resident_hosts(output):
    return int(HOSTS.fullmatch(output)[2])


def get_row(name, work, server, tasks, n, peer=(), **more):
    return Row(
        name, of_url(work, server, tasks), n, server=server, peer=of_loop(server, tasks, *peer),
        peer_name="C loop", **more,
    )


def bytes_row(name, work, n, target, **more):
    return Row(name, more.pop("command", None) or script(work), n, "bytes", target,
               bytes_of=resident, **more)


def sleep_row(tasks):
    return Row(f"sleep(0) of {tasks}", script("sleep(0)", "-", tasks), 40000, target=1000,
               fast=True)


ROWS = [
    Row("start-up", lambda place, n: [place.septet, "-e", ""], None, target=1.5, of_peer=True,
        peer=lambda place, n: [harness.find_program("lua5.4", "lua5.4"), "-e", ""],
        peer_name="lua5.4", fast=True),
    Row("spawn + await", script("spawn + await"), 20000, target=4500, fast=True),
    Row("spawn + gather", script("spawn + gather"), 20000, target=4000, fast=True),
    Row("map + await", script("map + await"), 20000, fast=True),
    Row("a task that waits once", script("a task that waits once"), 20000),
    Row("sleep(0) alone", script("sleep(0) alone"), 40000, target=500),
    sleep_row(2),
    sleep_row(16),
    sleep_row(50),
    Row("hand-off", script("hand-off"), 20000, target=1800, fast=True),
    Row("timeout", script("timeout"), 10000, fast=True),
    Row("try", script("try"), 20000, fast=True),
    Row("JSON encoded", script("JSON encoded"), 5000),
    Row("JSON decoded", script("JSON decoded"), 5000),
    Row("a sleep of many", script("sleeps"), 8000, fast=True),
    Row("a sleep of many in a function", script("sleeps in functions"), 8000, fast=True),
    bytes_row("bytes of a sleep", "bytes: sleeps", 125000, 450),
    bytes_row("bytes of a sleep in a function", "bytes: sleeps in functions", 125000, None),
    bytes_row("bytes of a session:get", "", 40000, 700, server="silent",
              command=of_url("bytes: session:get", "silent", 16)),
    bytes_row("bytes of a session:get in a function", "", 40000, None, server="silent",
              command=of_url("bytes: session:get in functions", "silent", 16)),
    Row("bytes that a host allocates outside Lua", of_hosts, 64, "bytes", 300000,
        bytes_of=allocated_outside_lua, fast=True),
    Row("bytes that are resident of a host", of_hosts, 64, "bytes", 300000,
        bytes_of=resident_hosts),
    get_row("GET by 64", "GET", "plain", 64, 1280, target=1.08, of_peer=True),
    get_row("GET by 16", "GET", "plain", 16, 3200),
    get_row("GET by 256", "GET", "plain", 256, 5120, weight=3),
    get_row("GET by 1000", "GET", "plain", 1000, 8000, weight=4),
    get_row("GET of https by 64", "GET", "h1", 64, 3200, target=1.05, of_peer=True, weight=2),
    get_row("GET of h2 by 64", "GET h2", "h2", 64, 3200, peer=("h2",), target=1.05,
            of_peer=True, weight=2),
    Row("a MB streamed", of_body("stream"), 128, target=1.15, of_peer=True, peer=of_curl(False),
        peer_name="curl", server="bodies"),
    Row("a MB saved", of_body("save"), 128, target=1.15, of_peer=True, peer=of_curl(True),
        peer_name="curl", server="bodies"),
]

# Rows whose figures should be the same: the name, the rows, and how much they may differ.
SPREADS = [
    ("GET by 16 to 1000: the most by the least",
     ["GET by 16", "GET by 64", "GET by 256", "GET by 1000"],
     1.04),
]
