"""What the benchmarks of requests share: processes bound to CPUs, nginx on loopback, and ratios of pairs of runs. It knows
no client."""

import contextlib
import ctypes
import os
import re
import resource
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
RUN_TIMEOUT = 120
LINE = re.compile(r"(\d+) requests, (\d+) bytes, ([\d.]+) us of CPU each, ([\d.]+) s\n")
PR_SET_PDEATHSIG = 1

NGINX_CONF = """
daemon off;
master_process off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 16384; }}
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
        {listen}
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


def allow_files():
    """As many open files as may be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def child_setup(cpu):
    """For preexec_fn: binds the child to `cpu`, makes it end with this process however that ends, and lets it open many
    files."""
    libc = ctypes.CDLL(None, use_errno=True)

    def setup():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        allow_files()
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


@contextlib.contextmanager
def free_ports(n):
    """Ports of loopback, kept from everybody who does not say SO_REUSEADDR, as nginx does."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for s in sockets:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", 0))
        yield [s.getsockname()[1] for s in sockets]


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
def nginx(cpu, n=1):
    """A server of one static file at `n` origins of loopback; gives its URLs and stops it on leaving."""
    program = find_program("nginx", "nginx-light")
    with tempfile.TemporaryDirectory(prefix="septet-bench-") as folder, free_ports(n) as ports:
        body = os.urandom(BODY_BYTES // 2).hex().encode()
        os.mkdir(os.path.join(folder, "www"))
        with open(os.path.join(folder, "www", "body"), "wb") as f:
            f.write(body)
        config = os.path.join(folder, "nginx.conf")
        with open(config, "w") as f:
            listen = "\n".join(f"listen 127.0.0.1:{port} backlog=4096;" for port in ports)
            f.write(NGINX_CONF.format(dir=folder, listen=listen))
        process = subprocess.Popen(
            [program, "-p", folder, "-e", os.path.join(folder, "error.log"), "-c", config],
            stdin=subprocess.DEVNULL,
            preexec_fn=child_setup(cpu),
        )
        try:
            await_server(process, ports[0], body, folder)
            yield [f"http://127.0.0.1:{port}/body" for port in ports]
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


def cpu_of(command, cpu, out, err):
    """The CPU in s of a whole process, user and system, with those that it has started and waited for."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, preexec_fn=child_setup(cpu))
    with contextlib.ExitStack() as stack:
        stack.callback(stop, process)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise CannotRun(f"status {process.returncode}: {' '.join(command)}")
    return usage.ru_utime + usage.ru_stime


def run_alone(command, cpu, text):
    """Runs it with `text` as its standard input; returns what it printed. One that fails is an error."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=child_setup(cpu)
    ) as process, contextlib.ExitStack() as stack:
        stack.callback(stop, process)
        return output_of(process, text)


def output_of(process, text=None):
    """What a client printed, when it has ended well; it prints one line, so no other's pipe fills meanwhile."""
    command = " ".join(process.args)
    try:
        output, _ = process.communicate(text, timeout=RUN_TIMEOUT)
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


def to_and_fro(names, n):
    """The order of round `n`: turned about each time, so that a machine that grows slower or faster favours nobody."""
    return list(names)[:: 1 if n % 2 == 0 else -1]


def in_rounds(names, rounds, run):
    """{name: [what run(name) gave in each round]}."""
    results = {name: [] for name in names}
    for n in range(rounds):
        for name in to_and_fro(names, n):
            results[name].append(run(name))
        print(f"round {n + 1} of {rounds}", end="\r", file=sys.stderr, flush=True)
    print(" " * 20, end="\r", file=sys.stderr)
    return results


def ratio(what, over, under):
    """Prints and returns the median of the rounds' ratios."""
    ratios = [x / y for x, y in zip(over, under)]
    median = statistics.median(ratios)
    print(f"{what}: min {min(ratios):.3f}  median {median:.3f}  max {max(ratios):.3f}")
    return median


def run_main(name, run, args):
    """The exit status of run(args), which gives what it found wrong: a list of lines."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, frame: sys.exit(128 + n))
    try:
        found = run(args)
    except CannotRun as e:
        print(f"bench/{name}: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    for line in found:
        print("FAIL: " + line)
    return 1 if found else 0


def program(build, *path):
    """A program of the build folder."""
    path = os.path.join(os.path.normpath(build), *path)
    if not os.access(path, os.X_OK):
        raise CannotRun(f"'{path}' is not built")
    return path


def add_options(parser, rounds):
    """Those that every benchmark of requests has."""
    parser.add_argument("--build", default=os.path.join(HERE, "..", "build", "release"), help="build folder")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--check", action="store_true", help="fail where something costs more than it may")
