# SPDX-License-Identifier: MIT
"""A septet in a terminal of tmux, for tests that look at what the terminal shows."""
import os
import re
import subprocess
import time

import harness


class Terminal:
    """A septet in a terminal of a tmux server of its own."""

    number = 0

    def __init__(self, case, *args, columns=100, env=None):
        Terminal.number += 1
        self.socket = os.path.join(case.dir, "tmux%d" % Terminal.number)
        self.case = case
        names = {"LC_ALL": "C.UTF-8", "HOME": case.dir, "SHELL": "/bin/sh",
                 "XDG_STATE_HOME": os.path.join(case.dir, "state"), **(env or {})}
        words = " ".join("'%s'" % word for word in (harness.SEPTET, *args))
        case.addCleanup(self.close)
        self.tmux("new-session", "-d", "-x", str(columns), "-y", "40",
                  "trap : INT QUIT; %s; echo \"status $?\"; exec cat" % words, env=names)

    def tmux(self, *words, env=None):
        environment = harness.environment(env)
        environment.pop("NO_COLOR", None)
        environment.pop("TMUX", None)
        environment.update(env or {})
        return subprocess.run(["tmux", "-u", "-S", self.socket, "-f", "/dev/null", *words],
                              cwd=self.case.dir, env=environment, check=True, text=True,
                              stdout=subprocess.PIPE, timeout=harness.HANG).stdout

    def close(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], stderr=subprocess.DEVNULL)

    def type(self, text, *keys):
        if text:
            self.tmux("send-keys", "-l", "--", text)
        if keys:
            self.tmux("send-keys", *keys)

    def enter(self, text):
        """Types a line, and waits for the prompt behind it."""
        self.type(text)
        typed = re.sub(r"\s", "", text)
        self.until(lambda s: re.sub(r"\s", "", s).endswith(typed), "the line %r" % text)
        self.type("", "Enter")
        self.until(lambda s: s.split("\n")[-1] in (">", ">>"), "a prompt")

    def screen(self):
        lines = [line.rstrip() for line in self.tmux("capture-pane", "-p").split("\n")]
        return "\n".join(lines).rstrip("\n")

    def until(self, shows, what):
        """Waits until shows(screen) is true, and returns the screen."""
        limit = time.monotonic() + harness.HANG
        while True:
            screen = self.screen()
            if shows(screen):
                return screen
            if time.monotonic() > limit:
                raise AssertionError("expected %s, but the terminal shows\n%s" % (what, screen))
            time.sleep(0.01)

    def shows(self, text):
        """Waits until the whole screen is `text`, a string or a pattern."""
        if isinstance(text, str):
            self.until(lambda screen: screen == text, repr(text))
        else:
            self.until(text.fullmatch, text.pattern)

    def ready(self):
        self.until(lambda screen: screen.split("\n")[-1] == ">", "a prompt")

    def clear(self):
        self.ready()
        self.type("", "C-l")
        self.shows(">")

    def line(self, text, expected):
        """Types a line on an empty screen, and waits for what follows it up to the next prompt."""
        self.clear()
        self.type(text, "Enter")
        if isinstance(expected, str):
            self.shows("%s\n%s>" % (("> " + text).rstrip(), expected and expected + "\n"))
        else:
            self.shows(re.compile("> %s\n(%s)\n>" % (re.escape(text), expected.pattern), re.S))
