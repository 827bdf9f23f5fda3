#!/usr/bin/env python3
"""What does one keep-alive GET of 1 kB cost in CPU, beside plain C loops on the same libcurl?

Starts nginx on one CPU and runs the clients on another, one after the other in rounds, so that each ratio compares two
runs made within seconds of each other. Then counts system calls with strace. It knows the clients only by their line.
"""

import argparse
import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BODY_BYTES = 1024
PEER = "curl_kept"
CLIENTS = (PEER, "septet", "curl_anew")
PAIRS = (("septet", PEER), ("curl_anew", PEER))
COUNTED = ("epoll_ctl", "rt_sigaction")
MAX_RATIO = 1.25
MAX_CALLS = {"epoll_ctl": 0.1, "rt_sigaction": 0.0}
LINE = re.compile(r"(\d+) requests, (\d+) bytes, ([\d.]+) us of CPU each, ([\d.]+) s\n")
RUN_TIMEOUT = 120
PR_SET_PDEATHSIG = 1

NGINX_CONF = """
daemon off;
master_process off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile off;
    tcp_nodelay on;
    keepalive_timeout 300s;
    keepalive_requests 1000000;
    open_file_cache max=16 inactive=600s;
    open_file_cache_valid 600s;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {dir}/www;
    }}
}}
"""


class CannotRun(Exception):
    """Something that the measurement needs is missing or failed."""


# --- where things run ---


def two_cpus():
    """(client's CPU, server's CPU), or (None, None) when there is only one."""
    cpus = sorted(os.sched_getaffinity(0))
    return (cpus[0], cpus[1]) if len(cpus) > 1 else (None, None)


def child_setup(cpu):
    """For preexec_fn: binds the child to `cpu`, and makes it end with this process however that ends."""
    libc = ctypes.CDLL(None, use_errno=True)

    def setup():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})

    return setup


def stop(process):
    process.kill()
    process.wait()


def find_program(name, package):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise CannotRun(f"'{name}' not found (Debian package {package})")
    return path


# --- the server ---


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fetch_once(port):
    """The whole answer to one GET. (This file's name hides the standard library's http.)"""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.sendall(b"GET /body HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: s.recv(65536), b""))


def await_server(process, port, body, folder):
    """Returns when the server gives `body`, which nobody else has; raises when it has ended."""
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if fetch_once(port).endswith(body):
                return
        time.sleep(0.01)
    with contextlib.suppress(OSError), open(os.path.join(folder, "error.log")) as log:
        sys.stderr.write(log.read())
    raise CannotRun("nginx did not start")


@contextlib.contextmanager
def nginx(cpu):
    """A server of one static file on loopback; gives its URL and stops it on leaving."""
    program = find_program("nginx", "nginx-light")
    with tempfile.TemporaryDirectory(prefix="septet-bench-") as folder:
        port = free_port()
        body = os.urandom(BODY_BYTES // 2).hex().encode()
        os.mkdir(os.path.join(folder, "www"))
        with open(os.path.join(folder, "www", "body"), "wb") as f:
            f.write(body)
        config = os.path.join(folder, "nginx.conf")
        with open(config, "w") as f:
            f.write(NGINX_CONF.format(dir=folder, port=port))
        process = subprocess.Popen(
            [program, "-p", folder, "-e", os.path.join(folder, "error.log"), "-c", config],
            stdin=subprocess.DEVNULL,
            preexec_fn=child_setup(cpu),
        )
        try:
            await_server(process, port, body, folder)
            yield f"http://127.0.0.1:{port}/body"
        finally:
            stop(process)


# --- running clients ---


def run_together(commands, cpu):
    """Runs them all at once on one CPU, each to its end; returns what each printed. One that fails is an error."""
    with contextlib.ExitStack() as stack:
        processes = []
        for command in commands:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, preexec_fn=child_setup(cpu)
            )
            stack.callback(stop, process)
            processes.append(process)
        return [output_of(process) for process in processes]


def output_of(process):
    """What a client printed, when it has ended well; it prints one line, so no other's pipe fills meanwhile."""
    command = " ".join(process.args)
    try:
        output, _ = process.communicate(timeout=RUN_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise CannotRun(f"no end after {RUN_TIMEOUT} s: {command}") from None
    if process.returncode != 0:
        raise CannotRun(f"status {process.returncode}: {command}")
    return output


def check_line(output, requests, name):
    """(CPU in us per request, wall in s) of a client's line, when it did what it was asked."""
    match = LINE.fullmatch(output)
    if match is None:
        raise CannotRun(f"{name} printed {output!r}")
    if (int(match[1]), int(match[2])) != (requests, requests * BODY_BYTES):
        raise CannotRun(f"{name} did not fetch {requests} bodies of {BODY_BYTES} bytes: {output!r}")
    return float(match[3]), float(match[4])


# --- rounds and ratios ---


def measure(commands, url, args, cpu):
    """The CPU per request of every client in every round: {name: [us]}."""
    cost = {name: [] for name in commands}
    wall = {name: [] for name in commands}
    for n in range(args.rounds):
        # To and fro, so that a machine that grows slower or faster favours nobody.
        order = list(commands)[:: 1 if n % 2 == 0 else -1]
        for names in [order] if args.together else [[name] for name in order]:
            outputs = run_together(
                [commands[name] + [url, str(args.requests), str(args.at_once)] for name in names], cpu
            )
            for name, output in zip(names, outputs):
                us, s = check_line(output, args.requests, name)
                cost[name].append(us)
                wall[name].append(s)
        print(f"round {n + 1}: " + "  ".join(f"{k} {v[-1]:.2f}" for k, v in cost.items()), flush=True)
    print()
    for name, all_us in cost.items():
        print(
            f"{name:10} {statistics.median(all_us):6.2f} us of CPU a request (median of {args.rounds}), "
            f"{args.requests / statistics.median(wall[name]):,.0f} requests/s"
        )
    return cost


def compare(cost):
    """Prints the ratio of each pair, round by round; returns {(a, b): median}."""
    medians = {}
    for a, b in PAIRS:
        if a in cost and b in cost:
            ratios = [x / y for x, y in zip(cost[a], cost[b])]
            medians[a, b] = statistics.median(ratios)
            print(f"{a} / {b}: min {min(ratios):.3f}  median {medians[a, b]:.3f}  max {max(ratios):.3f}")
    return medians


# --- system calls ---


def count_calls(command, cpu):
    """{system call: how often} of a whole run, all threads."""
    strace = find_program("strace", "strace")
    with tempfile.NamedTemporaryFile("r", prefix="septet-strace-") as table:
        run_together([[strace, "-c", "-f", "-o", table.name] + command], cpu)
        rows = [line.split() for line in table]
    return {r[-1]: int(r[3]) for r in rows if len(r) >= 5 and r[3].isdigit() and r[-1] != "total"}


def calls_per_request(name, command, url, args, cpu):
    """Prints and returns the calls that each request adds: the difference of N and 2 N, over N."""
    n = args.strace_requests
    once, twice = (count_calls(command + [url, str(k), str(args.at_once)], cpu) for k in (n, 2 * n))
    each = {call: (twice.get(call, 0) - once.get(call, 0)) / n for call in {*once, *twice, *COUNTED}}
    often = sorted((v, k) for k, v in each.items() if v >= 0.01 and k not in COUNTED)
    print(
        f"{name:10} a request: "
        + ", ".join(f"{call} {each[call]:.4f}" for call in COUNTED)
        + f"; all calls {sum(each.values()):.2f}: "
        + ", ".join(f"{k} {v:.2f}" for v, k in reversed(often))
    )
    return each


# --- what --check holds to ---


def failures(ratios, calls):
    found = []
    ratio = ratios.get(("septet", PEER))
    if ratio is None or "septet" not in calls:
        found.append(f"septet and {PEER} were not both run")
        return found
    if ratio > MAX_RATIO:
        found.append(f"septet / {PEER} is {ratio:.3f}, more than {MAX_RATIO}")
    for call, limit in MAX_CALLS.items():
        if calls["septet"][call] > limit:
            found.append(f"{call} is {calls['septet'][call]:.4f} a request, more than {limit}")
    return found


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=os.path.join(HERE, "..", "build", "release"), help="build folder")
    parser.add_argument("--only", help="clients to run, with commas between: " + ", ".join(CLIENTS))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=40000, help="in each run")
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument(
        "--together", action="store_true", help="run the clients of a round at once on the one CPU (steadier ratios)"
    )
    parser.add_argument("--strace-requests", type=int, default=4000, help="0: do not count system calls")
    parser.add_argument("--check", action="store_true", help="fail where septet costs more than it may")
    args = parser.parse_args()
    args.only = args.only.split(",") if args.only else list(CLIENTS)
    unknown = set(args.only) - set(CLIENTS)
    if unknown:
        parser.error(f"unknown client '{unknown.pop()}'")
    if args.rounds < 1 or args.requests < 1 or args.at_once < 1:
        parser.error("rounds, requests and at-once must be 1 or more")
    if args.check and not args.strace_requests:
        parser.error("--check counts system calls")
    return args


def client_commands(args):
    build = os.path.normpath(args.build)
    commands = {
        PEER: [os.path.join(build, "bench", PEER)],
        "septet": [os.path.join(build, "septet"), os.path.join(HERE, "fetch.lua")],
        "curl_anew": [os.path.join(build, "bench", "curl_anew")],
    }
    commands = {name: commands[name] for name in CLIENTS if name in args.only}
    for command in commands.values():
        if not os.access(command[0], os.X_OK):
            raise CannotRun(f"'{command[0]}' is not built")
    return commands


def run(args):
    commands = client_commands(args)
    client_cpu, server_cpu = two_cpus()
    if client_cpu is None:
        print("only one CPU: client and server share it, and the figures hold less\n")
    calls = {}
    with nginx(server_cpu) as url:
        how = "clients together" if args.together else "clients in turn"
        print(f"{args.requests} GETs of {BODY_BYTES} bytes, {args.at_once} at once, {how}; us of CPU a request")
        ratios = compare(measure(commands, url, args, client_cpu))
        if args.strace_requests:
            print(f"\nsystem calls (strace, {2 * args.strace_requests} requests less {args.strace_requests})")
            for name, command in commands.items():
                calls[name] = calls_per_request(name, command, url, args, client_cpu)
    found = failures(ratios, calls) if args.check else []
    for line in found:
        print("FAIL: " + line)
    return 1 if found else 0


def main():
    args = parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, frame: sys.exit(128 + n))
    try:
        return run(args)
    except CannotRun as e:
        print(f"bench/http.py: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
