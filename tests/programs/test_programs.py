# SPDX-License-Identifier: MIT
"""test_programs.py FIRST COUNT [--shuffle=SEED]: runs random programs, and prints the command that
runs a failed one again. Without arguments it tests the test: a program leaves the same trace in
each run, and the checks see faults that are planted in Septet's modules or in the checks' own
models."""

import os
import re
import shutil
import subprocess
import sys
import unittest

import harness

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = os.path.join(harness.ROOT, "lua")

# For each fault, a file, a text in it, and its replacement.
FAULTS = {
    "a block does not wait for its tasks": ("septet/task/blocks.lua", "  join(scope)\n", ""),
    "a block swallows every Cancelled": (
        "septet/task/blocks.lua", "  local absorbed = close(scope)\n",
        "  local absorbed = close(scope) or true\n",
    ),
    "a shield does not shield": (
        "septet/task/blocks.lua",
        "(false, true, nil, leave_block", "(false, false, nil, leave_block",
    ),
    "what a block leaves goes on": ("septet/task/blocks.lua", "  core.scope_leave(scope)\n", ""),
    "a group forgets late errors": (
        "septet/task/group.lua", "  join(scope)\n  failures = collect(scope, failures)",
        "  join(scope)",
    ),
    "a gather mixes up its results": (
        "septet/task/combinators.lua", "    each[i] = t or item\n",
        "    each[#list + 1 - i] = t or item\n",
    ),
    "a gather does not end the others": (
        "septet/task/combinators.lua", "      t:cancel()\n    end\n  end\n  scope:cancel()",
        "    end\n  end",
    ),
    "a generator is not closed": (
        "septet/task/generator.lua", "  self.closing = true", "  self.done = true",
    ),
    "a model of a semaphore loses a permit": (
        "programs/shared.lua", "permits.held = permits.held + 1", "permits.held = permits.held + 2",
    ),
    "a model of a channel forgets an item": ("programs/shared.lua", "    item.sent = true\n", ""),
    "a model of a scope knows of no cancellation": (
        "programs/scopes.lua", "function causes.cancel(s, now, err)\n",
        "%sif err then return false end\n",
    ),
}

# Breaks no rule, but changes the trace.
CHANCE = ("septet/task/combinators.lua", "  local set = completions(tasks, \"wait\")\n",
          "  if io.open '/dev/urandom':read(1):byte() < 128 then pcall(core.checkpoint) end\n%s")


def run(first, count, *words, options=(), programs=HERE, modules=None):
    """Runs programs, with Septet's modules of a folder if there is one. Returns the exit status,
    both outputs and the command."""
    environment = harness.environment({"SEPTET_LUA_PATH": modules or ""})
    script = os.path.join(programs, "programs.lua")
    command = [harness.SEPTET, "--virtual-time", *options, script, str(first), str(count), *words]
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    return done.returncode, done.stdout, done.stderr, " ".join(command)


def digests(*args, **kwargs):
    status, out, err, command = run(*args, "digest", **kwargs)
    if status != 0:
        raise AssertionError("%s failed with status %d\n%s%s" % (command, status, out, err))
    return dict(re.findall(r"^(\d+) ([0-9a-f]{16})$", out, re.M))


class Programs(harness.Case):
    def same_twice(self, count, **kwargs):
        first, second = digests(1, count, **kwargs), digests(1, count, **kwargs)
        self.assertEqual(len(first), count)
        self.assertEqual(first, second)
        return first

    def plant(self, path, old, new):
        """Copies the modules of Septet and the programs, with a fault in one file, and returns both
        folders."""
        shutil.rmtree(self.dir)
        shutil.copytree(MODULES, self.dir)
        shutil.copytree(HERE, os.path.join(self.dir, "programs"))
        with open(os.path.join(self.dir, path)) as file:
            text = file.read()
        self.assertIn(old, text)
        self.write(path, text.replace(old, new.replace("%s", old)))
        return {"programs": os.path.join(self.dir, "programs"), "modules": self.dir}

    def test_the_same_trace_twice(self):
        self.same_twice(300)

    def test_the_same_trace_twice_when_shuffled(self):
        one, other = (self.same_twice(100, options=["--shuffle=%d" % seed]) for seed in (1, 2))
        self.assertNotEqual(one, other)

    def test_the_same_trace_alone_as_among_others(self):
        among = digests(1, 20)
        for seed in (1, 7, 20):
            self.assertEqual(digests(seed, 1)[str(seed)], among[str(seed)])

    def test_chance_is_seen_in_the_trace(self):
        folders = self.plant(*CHANCE)
        self.assertNotEqual(digests(1, 50, **folders), digests(1, 50, **folders))

    def test_faults_are_found(self):
        for name, fault in FAULTS.items():
            with self.subTest(name):
                status, out, err, command = run(1, 300, **self.plant(*fault))
                self.assertEqual(status, 1, "%s\n%s%s" % (command, out, err))
                self.assertRegex(out, r"(?m)^program \d+")
                self.assertRegex(out, r"(?m)^WRONG: ")
                self.assertRegex(out, r"(?m)^again: septet --virtual-time \S+ \d+ 1$")


def main(first, count, options):
    status, out, err, command = run(first, count, options=options)
    if status == 0:
        print(out.splitlines()[-1])
        steps = dict(re.findall(r"(\w+)=(\d+)", out))
        rare = [kind for kind in kinds() if int(steps.get(kind, 0)) < count / 20]
        if rare:
            sys.exit("too few operations of these kinds were run: " + ", ".join(rare))
        return
    if "again: " not in out:  # it came to a stop in a program
        out = "\n".join(run(first, count, "log", options=options)[1].splitlines()[-400:])
    sys.exit("failed with status %d: %s\n%s\n%s" % (status, command, out, err[-2000:]))


def kinds():
    with open(os.path.join(HERE, "draw.lua")) as file:
        return re.findall(r'^kind\("(\w+)"', file.read(), re.M)


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1].isdigit():
        main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
    else:
        unittest.main()
