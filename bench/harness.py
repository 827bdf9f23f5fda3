# SPDX-License-Identifier: MIT
"""What the benchmarks share: processes bound to CPUs, nginx on loopback, ratios of runs, options.
It knows no client."""

import argparse
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
sys.path.insert(0, os.path.join(HERE, "..", "tests", "support"))
from certificates import Maker  # noqa: E402 (of the tests)

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
        {tls}
        root {dir}/www;
        location ~ \.gz$ {{ add_header Content-Encoding gzip; }}
    }}
}}
"""


class CannotRun(Exception):
    """Something that the measurement needs is missing or failed."""


# --- where things run ---


def two_cpus():
    """Returns the client's CPU and the server's, or (None, None) if there is only one."""
    cpus = sorted(os.sched_getaffinity(0))
    return (cpus[0], cpus[1]) if len(cpus) > 1 else (None, None)


def allow_files():
    """Raises the limit of open files as far as permitted."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def child_setup(cpu):
    """Returns a preexec_fn that binds the child to `cpu`, kills it when this process ends, and lets
    it open many files."""
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
    """Yields `n` free ports of loopback, which only programs with SO_REUSEADDR (nginx) can bind."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for s in sockets:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", 0))
        yield [s.getsockname()[1] for s in sockets]


def fetch_once(port):
    """Returns the whole response to one GET. (bench/http.py hides the standard library's http.)"""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.sendall(b"GET /body HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: s.recv(65536), b""))


def await_server(process, port, body, folder):
    """Returns when the server sends `body`, which no other server has. Raises if it has ended."""
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if fetch_once(port).endswith(body):
                return
        time.sleep(0.01)
    with contextlib.suppress(OSError), open(os.path.join(folder, "error.log")) as log:
        sys.stderr.write(log.read())
    raise CannotRun("nginx did not start")


def write_files(folder, files):
    """Writes {name: bytes}; a number is that of bytes that are all zero."""
    os.mkdir(folder)
    for name, content in files.items():
        with open(os.path.join(folder, name), "wb") as f:
            if isinstance(content, int):
                f.truncate(content)
            else:
                f.write(content)


def config_of(folder, ports, secure):
    """Returns the configuration of nginx. Where it is secure, the last two ports are of HTTPS, and
    the last speaks HTTP/2."""
    kinds = [""] * len(ports)
    tls = ""
    if secure:
        # valid by the clock of steady.c as well
        Maker(folder).make_dated("cert", "20200101000000Z", "20900101000000Z", by=None)
        kinds[-2:] = [" ssl", " ssl http2"]
        tls = f"ssl_certificate {folder}/cert.crt; ssl_certificate_key {folder}/cert.key;"
    listen = "\n".join(
        f"listen 127.0.0.1:{port}{kind} backlog=4096;" for port, kind in zip(ports, kinds))
    return NGINX_CONF.format(dir=folder, listen=listen, tls=tls)


@contextlib.contextmanager
def nginx(cpu, n=1, files={}, secure=False):
    """Runs a server of a static file at `n` origins of loopback, and yields its URLs. `files` lie
    beside it; what ends in .gz is sent as a compressed body. Where it is secure, it yields the URL
    of HTTPS, that of HTTP/2 and the file of the certificate as well."""
    program = find_program("nginx", "nginx-light")
    total = n + 2 if secure else n
    with tempfile.TemporaryDirectory(prefix="septet-bench-") as folder, free_ports(total) as ports:
        body = os.urandom(BODY_BYTES // 2).hex().encode()
        write_files(os.path.join(folder, "www"), {**files, "body": body})
        config = os.path.join(folder, "nginx.conf")
        with open(config, "w") as f:
            f.write(config_of(folder, ports, secure))
        process = subprocess.Popen(
            [program, "-p", folder, "-e", os.path.join(folder, "error.log"), "-c", config],
            stdin=subprocess.DEVNULL,
            preexec_fn=child_setup(cpu),
        )
        try:
            await_server(process, ports[0], body, folder)
            urls = [f"http://127.0.0.1:{port}/body" for port in ports[:n]]
            if secure:
                urls += [f"https://127.0.0.1:{port}/body" for port in ports[n:]]
                urls.append(os.path.join(folder, "cert.crt"))
            yield urls
        finally:
            stop(process)


@contextlib.contextmanager
def silent_server():
    """Yields the URL of a server that never responds."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(4096)
        yield f"http://127.0.0.1:{s.getsockname()[1]}/body"


@contextlib.contextmanager
def servers_for(names, cpu=None):
    """Yields {name: (URL, and the certificate's file if it needs one)} of the servers that are
    named: plain, h1 and h2 (of HTTPS), bodies (of 2^n MB at /n), silent."""
    with contextlib.ExitStack() as stack:
        found = {}
        if "silent" in names:
            found["silent"] = (stack.enter_context(silent_server()),)
        if names - {"silent"}:
            secure = bool(names & {"h1", "h2"})
            files = {str(n): n << 20 for n in (64, 128, 256, 512, 1024)}
            urls = stack.enter_context(nginx(cpu, files=files, secure=secure))
            found["plain"] = found["bodies"] = (urls[0],)
            if secure:
                _, h1, h2, ca_file = urls
                found["h1"], found["h2"] = (h1, ca_file), (h2, ca_file)
        yield found


# --- running clients ---


@contextlib.contextmanager
def started(command, cpu, stdin=subprocess.DEVNULL, **options):
    """Starts a command on `cpu`, and kills it on leaving."""
    with subprocess.Popen(command, stdin=stdin, preexec_fn=child_setup(cpu), **options) as process:
        try:
            yield process
        finally:
            stop(process)


def run_together(commands, cpu):
    """Runs all commands at once on one CPU, and returns what each printed. Raises if one fails."""
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(started(command, cpu, stdout=subprocess.PIPE, text=True))
            for command in commands
        ]
        return [output_of(process) for process in processes]


def cpu_of(command, cpu, out, err):
    """Returns the CPU in s of a process, user and system, with the children that it waited for."""
    with started(command, cpu, stdout=out, stderr=err) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise CannotRun(f"status {process.returncode}: {' '.join(command)}")
    return usage.ru_utime + usage.ru_stime


def run_alone(command, cpu, text):
    """Runs a command with `text` as its standard input, and returns what it printed."""
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with started(command, cpu, text=True, **streams) as process:
        return output_of(process, text)


def output_of(process, text=None):
    """Returns what a client printed, and raises if it failed. It prints one line, so that the pipes
    of the others do not fill meanwhile."""
    command = " ".join(process.args)
    try:
        output, _ = process.communicate(text, timeout=RUN_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise CannotRun(f"no end after {RUN_TIMEOUT} s: {command}") from None
    if process.returncode != 0:
        raise CannotRun(f"status {process.returncode}: {command}")
    return output


def check_line(output, requests, name):
    """Checks a client's line, and returns its CPU in us per request and its wall time in s."""
    match = LINE.fullmatch(output)
    if match is None:
        raise CannotRun(f"{name} printed {output!r}")
    if (int(match[1]), int(match[2])) != (requests, requests * BODY_BYTES):
        raise CannotRun(f"{name} did not fetch {requests} bodies of {BODY_BYTES} bytes: {output!r}")
    return float(match[3]), float(match[4])


# --- rounds and ratios ---


def to_and_fro(names, n):
    """Returns the order of round `n`. It alternates, so that a machine that gets slower or faster
    favours none."""
    return list(names)[:: 1 if n % 2 == 0 else -1]


def in_rounds(names, rounds, run):
    """Returns the results of run(name) in each round: {name: [result, ...]}."""
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
    """Returns the exit status of run(args), which returns its complaints: a list of lines."""
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
    """Returns the path of a program in the build folder."""
    path = os.path.join(os.path.normpath(build), *path)
    if not os.access(path, os.X_OK):
        raise CannotRun(f"'{path}' is not built")
    return path


def septet(build, script):
    """Returns the command that runs a script of this folder with the program of a build folder."""
    return [program(build, "septet"), os.path.join(HERE, script)]


# --- options ---


def new_parser(doc, rounds):
    """Returns a parser of the options that every benchmark has. `doc` begins with its purpose."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    build = os.path.join(HERE, "..", "build", "release")
    parser.add_argument("--build", default=build, help="build folder")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--check", action="store_true", help="fail if a limit is exceeded")
    return parser


def add_paste(parser):
    parser.add_argument("--paste", metavar="PAGE",
                        help="put the table into a page, docs/performance.md, in place of its own")


def paste(path, name, lines):
    """Puts lines between the comments of that name of a page."""
    with open(path) as f:
        page = f.read()
    part = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end -->)", re.DOTALL)
    text = "\n".join(lines)
    page, found = part.subn(lambda m: f"{m[1]}\n{text}\n\n{m[2]}", page)
    if found != 1:
        raise CannotRun(f"'{path}' has no comment '<!-- {name}: … -->'")
    with open(path, "w") as f:
        f.write(page)


def show(args, name, lines):
    """Prints a table and, with --paste, puts it into the page."""
    print("\n".join(lines))
    if args.paste:
        paste(args.paste, name, lines)


def add_only(parser, what, names):
    """Adds --only, a list of some of `names`; by default all of them."""

    def some_of(text):
        chosen = text.split(",")
        unknown = set(chosen) - set(names)
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown: '{unknown.pop()}'")
        return chosen

    parser.add_argument(
        "--only", type=some_of, default=list(names), metavar="NAME,...",
        help=f"{what} to run, of {', '.join(names)}",
    )
