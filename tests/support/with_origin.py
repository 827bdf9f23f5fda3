#!/usr/bin/env python3
"""with_origin [--tls] CMD ARGS...: runs a command beside an origin of its own.

The origin listens on a free port and logs what it receives. The command finds it through the
environment: SEPTET_ORIGIN is http://127.0.0.1:PORT, SEPTET_ORIGIN_LOG the path of the log. When the
With --tls there is a second one, SEPTET_TLS_ORIGIN, in the same log, and a folder SEPTET_TLS with its
CA's certificate (ca.pem), another CA's (other.pem), and a client's certificate and key (client.pem). When the
command ends, however it ends, the origin is stopped and the log removed; the exit status is the
command's, or 128+n where signal n ended it.
"""

import os
import signal
import subprocess
import sys
import tempfile

ORIGIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "origin.py")


def make_certificate(folder, name, subject, *more):
    """FOLDER/NAME.pem: a certificate, and behind it its key."""
    cert, key = os.path.join(folder, name + ".crt"), os.path.join(folder, name + ".key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=" + subject]
    done = subprocess.run(command + list(more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit("with_origin: openssl: " + done.stdout)
    with open(os.path.join(folder, name + ".pem"), "w") as out:
        for part in (cert, key):
            with open(part) as file:
                out.write(file.read())


def make_certificates(folder):
    make_certificate(folder, "ca", "the CA")
    make_certificate(folder, "other", "another CA")
    signed = ["-CA", os.path.join(folder, "ca.crt"), "-CAkey", os.path.join(folder, "ca.key")]
    signed += ["-addext", "basicConstraints=critical,CA:FALSE"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    make_certificate(folder, "server", "localhost", *signed, *names)
    make_certificate(folder, "client", "the client", *signed)


def start_origin(log, *options):
    # The pipe on its standard input is its lifeline: it ends when this process is gone, killed or not.
    # In a session of its own it outlasts a Ctrl-C for as long as the command needs to clean up.
    origin = subprocess.Popen(
        [sys.executable, ORIGIN, "--log", log, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    word, _, port = origin.stdout.readline().strip().partition(" ")
    if word != "port":
        sys.exit("with_origin: the origin does not start")
    return origin, port


def stop_origin(origin):
    """True where it was still there to be stopped, and ended well."""
    died = origin.poll() is not None
    origin.stdin.close()
    origin.stdout.close()
    try:
        status = origin.wait(timeout=10)
    except subprocess.TimeoutExpired:
        origin.kill()
        status = origin.wait()
    if died or status != 0:
        print(f"with_origin: the origin ended with status {status}", file=sys.stderr)
    return not died and status == 0


def sent_by_terminal(number):
    """True where a Ctrl-C has reached the command as well, which is in the same foreground group."""
    try:
        with open("/dev/tty") as tty:
            return number == signal.SIGINT and os.tcgetpgrp(tty.fileno()) == os.getpgrp()
    except OSError:
        return False


class Command:
    """The command that is run; signals that come before it starts are kept for it."""

    def __init__(self):
        self.child = None
        self.early = []
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Only nohup's wish is inherited; a shell ignores SIGINT for all that it puts in the background.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self.pass_on)

    def pass_on(self, number, frame):
        if self.child is None:
            self.early.append(number)
        elif not sent_by_terminal(number):
            self.child.send_signal(number)

    def run(self, command, environment):
        try:
            self.child = subprocess.Popen(command, env=environment)
        except OSError as error:
            print(f"with_origin: cannot run '{command[0]}': {error.strerror}", file=sys.stderr)
            return 127
        for number in self.early:
            self.child.send_signal(number)
        status = self.child.wait()
        return status if status >= 0 else 128 - status


def main():
    arguments = sys.argv[1:]
    tls = arguments[:1] == ["--tls"]
    arguments = arguments[tls:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__.strip(), file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    command = Command()
    with tempfile.TemporaryDirectory(prefix="septet-origin-") as folder:
        log = os.path.join(folder, "log.jsonl")
        origin, port = start_origin(log)
        origins = [origin]
        environment = dict(os.environ, SEPTET_ORIGIN=f"http://127.0.0.1:{port}", SEPTET_ORIGIN_LOG=log)
        if tls:
            make_certificates(folder)
            origin, port = start_origin(log, "--tls", folder)
            origins.append(origin)
            environment.update(SEPTET_TLS_ORIGIN=f"https://127.0.0.1:{port}", SEPTET_TLS=folder)
        status = command.run(arguments, environment)
        for origin in origins:
            if not stop_origin(origin) and status == 0:
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
