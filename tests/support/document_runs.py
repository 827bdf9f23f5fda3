# SPDX-License-Identifier: MIT
"""document_runs: runs the blocks of a page as a reader would who follows it, in a folder of its
own, with the command that was built in front on PATH."""

import json
import os
import re
import shutil
import signal
import subprocess

import documents
import harness

SECONDS = 30 * (6 if os.environ.get("SEPTET_SANITIZED") else 1)
# On the virtual clock a busy machine does not change the order of events. These need the real one.
REAL = re.compile(r"septet\.(http|io|trace)")
BUILD = os.path.dirname(os.path.abspath(harness.SEPTET))
# What a page may tell its readers to do to their machine, and no test does.
NEVER = "apt apt-get dnf dpkg git ldconfig luarocks npm pip reboot sudo su".split()
HOST = re.compile(r"\b(?:https?|rediss?)://(?:[^/@\s]*@)?([\w.-]*\w)")
VARYING = re.compile(r"\d+(?:\.\d+)?(?: (?:ns|µs|ms|s|B|kB|MB)\b)?")


def failure(block, what):
    return "%r: %s" % (block, what)


def pattern_of(line):
    """Returns the regular expression of an expected line, in which "..." stands for anything."""
    return ".*?".join(re.escape(part) for part in re.split(r"\.\.\.|…", line))


def agrees(got, expected, marks):
    """Returns true if the output is what the page shows.

    A line "..." stands for any lines, and "..." in a line for any text."""
    got, expected = (text.rstrip("\n").split("\n") if text.strip("\n") else []
                     for text in (got, expected))
    if "numbers vary" in marks:
        got, expected = ([" ".join(VARYING.sub("1", re.sub("[─-╿]+", "-", line)).split())
                          for line in lines] for lines in (got, expected))
    if "any order" in marks:
        got, expected = sorted(got), sorted(expected)
    if got == expected:
        return True
    parts = ["(?:.*\n)*?" if line.strip() in ("...", "…") else pattern_of(line) + "\n"
             for line in expected]
    return bool(re.fullmatch("".join(parts), "".join(line + "\n" for line in got)))


def expected_of(block):
    """Returns what the page says that the block prints, and the marks of that text.

    Without a block of text it is what stands behind "-->" in the lines of the code."""
    if block.output:
        return block.output.text, {**block.marks, **block.output.marks}
    lines = re.findall(r"--> ?(.*)$", block.text, re.M) if block.language == "lua" else []
    return "".join(line + "\n" for line in lines), block.marks


def elsewhere(text):
    """Returns a host beyond loopback that these lines name, or None."""
    hosts = set(HOST.findall(text)) - {"127.0.0.1", "localhost"}
    return min(hosts) if hosts else None


class Shell:
    """A shell in which the blocks of a page run one after the other."""

    def __init__(self, folder, env):
        self.folder = folder
        self.child = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-s"], cwd=folder, env=env, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
            preexec_fn=harness.default_signals)

    def run(self, text):
        """Returns the status, and what was written to standard output and error."""
        names = [os.path.join(self.folder, ".block." + n) for n in ("sh", "out")]
        with open(names[0], "w") as file:
            file.write(text)
        self.child.stdin.write(". '%s' </dev/null >'%s' 2>&1; echo $?\n" % tuple(names))
        self.child.stdin.flush()
        guard = harness.threading.Timer(SECONDS, self.kill)
        guard.start()
        status = self.child.stdout.readline().strip()
        guard.cancel()
        with open(names[1], errors="replace") as file:
            return int(status or -1), harness.SLOW.sub("", file.read())

    def kill(self):
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def close(self):
        self.kill()
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()


class Page:
    """Runs a page. `failures` has a line for each block that is not as the page says."""

    def __init__(self, page, folder):
        self.page, self.folder, self.failures = page, os.path.join(folder, "page"), []
        self.bin = os.path.join(folder, "bin")
        os.makedirs(self.bin)
        os.makedirs(self.folder)
        os.symlink(os.path.abspath(harness.SEPTET), os.path.join(self.bin, "septet"))
        for name in NEVER:
            with open(os.path.join(self.bin, name), "w") as file:
                file.write("#!/bin/sh\necho '%s is not for a test' >&2\nexit 1\n" % name)
            os.chmod(os.path.join(self.bin, name), 0o755)
        for name in ("scripts", "examples", "tests"):
            os.symlink(os.path.join(documents.ROOT, name), os.path.join(self.folder, name))
        self.env = harness.environment({
            "PATH": self.bin + os.pathsep + os.environ["PATH"], "SEPTET": harness.SEPTET,
            "HOME": folder, "TMPDIR": folder, "FOLDER": self.folder, "BUILD": BUILD,
            "LC_ALL": "C.UTF-8", "COLUMNS": "80",
        })
        self.shell = self.site = None
        self.before = {}  # by language, the text of the last block
        self.named = set()  # files that blocks have written

    def run(self):
        self.blocks, faults = documents.blocks(self.page)
        self.failures += faults
        try:
            for block in self.blocks:
                self.step(block)
        finally:
            if self.shell:
                self.shell.close()
            if self.site:
                self.site.stdin.close()
                self.site.wait()
                self.site.stdout.close()
        shell = "\n".join(b.text for b in self.blocks if b.language in ("sh", "console"))
        code = "\n".join(b.text for b in self.blocks)
        for name in self.named:
            module = os.path.splitext(name)[0].replace("/", ".")
            if name not in shell and '"%s"' % module not in code:
                self.failures.append("%s: no block runs '%s'" % (self.page, name))
        return self

    def stand_ins(self, block):
        """Returns pairs of what the page says and what stands for it here."""
        pairs = []
        for pair in filter(str.strip, block.marks.get("instead", "").split("\n")):
            said, _, here = pair.partition(" = ")
            here = re.sub(r"\$(\w+)", lambda name: self.variable(name[1]), here)
            pairs.append((said.strip(), here.strip()))
        return pairs

    def variable(self, name):
        if name == "SITE" and name not in self.env:
            self.env[name] = self.start_site()
        return self.env[name]

    def start_site(self):
        """Starts the site of a few pages that document_site.lua is, and returns its URL."""
        self.site = subprocess.Popen(
            ["septet", os.path.join(documents.ROOT, "tests", "support", "document_site.lua")],
            env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self.site.stdout.readline().strip()

    def step(self, block):
        if block.state in ("not run", "output"):
            return
        self.pairs = self.stand_ins(block)
        for said, here in self.pairs:
            if said not in block.text:
                self.failures.append(failure(block, "no '%s' to be replaced" % said))
            block.text = block.text.replace(said, here)
        if block.text and "file" in block.marks:
            path = os.path.join(self.folder, block.marks["file"])
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(block.text)
            self.named.add(block.marks["file"])
            return
        runner = getattr(self, "run_" + (block.language if block.language.isalnum() else ""), None)
        if runner:
            try:
                problem = runner(block)
            except (OSError, subprocess.TimeoutExpired) as error:
                problem = str(error)
            if problem:
                self.failures.append(failure(block, problem))

    def compare(self, block, status, got):
        wanted = int(block.marks.get("status", 0))
        for said, here in self.pairs:
            got = got.replace(here, said)
        if status != wanted:
            return "ends with %s, not %d:\n%s" % (status, wanted, got)
        expected, marks = expected_of(block)
        if not agrees(got, expected, marks):
            return "prints\n%s--- and not\n%s" % (got, expected)
        return None

    def whole(self, block):
        """Returns the block with what stands around it: its frame, and what it continues."""
        text = block.text
        if "frame" in block.marks:
            before, _, after = ("\n" + block.marks["frame"] + "\n").partition("\n...\n")
            text = before.lstrip("\n") + "\n" + text + after
        if "continues" in block.marks:
            text = self.before.get(block.language, "") + self.between(block) + text
        self.before[block.language] = text
        return text

    @staticmethod
    def between(block):
        return 'io.stdout:write "\\0"\n' if block.language == "lua" else ""

    def run_lua(self, block):
        text = self.whole(block)
        path = os.path.join(self.folder, "block.lua")
        with open(path, "w") as file:
            file.write(text)
        real = REAL.search(text) and "testing.advance(" not in text
        clock = [] if real else ["--virtual-time"]
        done = subprocess.run(
            ["septet", *clock, "block.lua"], cwd=self.folder, env=self.env, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            errors="replace", timeout=SECONDS, preexec_fn=harness.default_signals)
        out = done.stdout.rpartition("\0")[2] + harness.SLOW.sub("", done.stderr)
        return self.compare(block, done.returncode, out)

    def in_shell(self, text):
        if elsewhere(text):
            return -1, "'%s' is not on this machine: name what stands for it\n" % elsewhere(text)
        if not self.shell:
            self.shell = Shell(self.folder, self.env)
        return self.shell.run(text)

    def run_sh(self, block):
        return self.compare(block, *self.in_shell(block.text))

    def run_console(self, block):
        """Runs each line after a "$ ", and compares with the lines until the next."""
        for command, expected in re.findall(r"^\$ (.*\n(?:> .*\n)*)((?:(?!\$ ).*\n)*)",
                                            block.text, re.M):
            status, got = self.in_shell(re.sub(r"^> ", "", command, flags=re.M))
            if not agrees(got, expected, block.marks):
                return "'%s' prints\n%s--- and not\n%s" % (command.strip(), got, expected)
            if status and "status" not in block.marks:
                return "'%s' ends with %d" % (command.strip(), status)
        return None if re.search(r"^\$ ", block.text, re.M) else "no line begins with '$ '"

    def run_c(self, block):
        """Looks up a declaration in the headers, and compiles anything else; a program runs."""
        if "frame" not in block.marks and "continues" not in block.marks \
                and " ".join(block.text.split()) in declared():
            return None
        text = self.whole(block)
        with open(os.path.join(self.folder, "block.c"), "w") as file:
            file.write(text)
        program = "main(" in text and not block.hidden
        flags = ["-I" + os.path.join(documents.ROOT, "include"), "-std=gnu11", "-Wall", "-Werror",
                 "-Wno-unused", *config("--cflags", "lua5.4", "libuv")]
        goal = ["-o", "program", "-L" + BUILD, "-Wl,-rpath," + BUILD, "-lseptet",
                *config("--libs", "lua5.4", "libuv")] if program else ["-fsyntax-only"]
        done = subprocess.run(["cc", *flags, "block.c", *goal], cwd=self.folder, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS)
        if done.returncode or not program:
            return done.stdout if done.returncode else None
        done = subprocess.run(["./program"], cwd=self.folder, env=self.env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS)
        return self.compare(block, done.returncode, done.stdout + done.stderr)

    @staticmethod
    def run_json(block):
        try:
            json.loads(block.text)
        except ValueError as error:
            return str(error)
        return None

    @staticmethod
    def run_jsonl(block):
        for line in block.text.splitlines():
            json.loads(line)


def config(*words):
    return subprocess.run(["pkg-config", *words], check=True, stdout=subprocess.PIPE,
                          text=True).stdout.split()


def declared(cache=[]):
    """Returns the text of the public headers, as their pages show it."""
    if not cache:
        folder = os.path.join(documents.ROOT, "include", "septet")
        text = "\n".join(documents.read(os.path.join(folder, name))
                         for name in sorted(os.listdir(folder)))
        cache.append(" ".join(text.replace("SEPTET_API ", "").split()))
    return cache[0]


def run(page, folder):
    """Runs a page in a new folder below `folder`, which is removed again."""
    place = os.path.join(folder, page.replace("/", "-"))
    try:
        return Page(page, place).run()
    finally:
        shutil.rmtree(place, ignore_errors=True)
