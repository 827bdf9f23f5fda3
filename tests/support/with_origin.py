#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""with_origin [--one-byte] [--peer NAME]... CMD ARGS...: runs a command beside an origin.

The origin listens on a free port and logs what it receives. The environment of the command has
SEPTET_ORIGIN, http://127.0.0.1:PORT; SEPTET_ORIGIN_UNIX, a socket in the file system on which it
listens as well; and SEPTET_ORIGIN_LOG, the path of the log. A command in Python can import the
modules beside this file.

--peer starts another server (see peers.py). So does a line "-- peers: nginx tls" at the beginning
of the command's last argument, if that is a file in Lua or Python. With --one-byte, the origin
sends all bytes one by one.

When the command ends, all servers are stopped, and the log is removed. The exit status is that of
the command, or 128+n if signal n ended it.
"""

import itertools
import os
import signal
import subprocess
import sys
import tempfile

from peers import Peers

HERE = os.path.dirname(os.path.abspath(__file__))
ORIGIN = os.path.join(HERE, "origin.py")


def start_origin(log, path):
    # The pipe on its standard input is its lifeline: it ends when this process is gone, killed or
    # not. In a session of its own it outlasts a Ctrl-C for as long as the command needs to clean
    # up.
    origin = subprocess.Popen(
        [sys.executable, ORIGIN, "--log", log, "--unix", path],
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
    """True where a Ctrl-C has reached the command as well, which is in the same foreground
    group."""
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
            # Only nohup's wish is inherited; a shell ignores SIGINT for all that it puts in the
            # background.
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


def named_by(path):
    """The peers that a file of tests names."""
    if not path.endswith((".lua", ".py")) or not os.path.exists(path):
        return []
    with open(path) as file:
        for line in itertools.islice(file, 5):
            if line.startswith(("-- peers: ", "# peers: ")):
                return line.split()[2:]
    return []


def main():
    arguments, names = sys.argv[1:], []
    if arguments[:1] == ["--one-byte"]:
        os.environ["SEPTET_ORIGIN_ONE_BYTE"] = "1"
        del arguments[:1]
    while arguments[:1] == ["--peer"]:
        names.append(arguments[1])
        del arguments[:2]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__.strip(), file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    names += named_by(arguments[-1])
    command = Command()
    with tempfile.TemporaryDirectory(prefix="septet-origin-") as folder:
        log = os.path.join(folder, "log.jsonl")
        path = os.path.join(folder, "origin.sock")
        origin, port = start_origin(log, path)
        environment = {
            **os.environ,
            "SEPTET_ORIGIN": f"http://127.0.0.1:{port}",
            "SEPTET_ORIGIN_LOG": log,
            "SEPTET_ORIGIN_UNIX": path,
            # Tests in Python import harness.py from here.
            "PYTHONPATH": os.pathsep.join(filter(None, [HERE, os.environ.get("PYTHONPATH")])),
        }
        peers = Peers(folder, log, environment)
        try:
            for name in dict.fromkeys(names):
                peers.start(name)
            status = command.run(arguments, environment)
        finally:
            well = peers.stop()
        well = stop_origin(origin) and well
    return status or int(not well)


if __name__ == "__main__":
    sys.exit(main())
