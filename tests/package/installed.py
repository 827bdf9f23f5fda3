# SPDX-License-Identifier: MIT
"""Installs the build folder that is tested (the one of SEPTET) for the tests of packages."""

import os
import subprocess

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.path.dirname(os.path.abspath(os.environ["SEPTET"]))
OUTSIDE = os.path.join(ROOT, "tests", "package", "outside")
# What this build was configured with is not for what is built outside it.
OURS = ("CFLAGS", "CXXFLAGS", "LDFLAGS", "DESTDIR", "SEPTET_ORIGIN")


def run(*command, cwd=None, **extra):
    """Returns what a command prints, both outputs together, or raises what it failed with."""
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    done = subprocess.run(command, cwd=cwd, env={**kept, **extra}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}")
    return done.stdout


def install(prefix, **extra):
    run("cmake", "--install", BUILD, "--prefix", prefix, **extra)


def libdir(prefix):
    """Returns the folder of libraries below the prefix."""
    for place, _, names in os.walk(prefix):
        if "libseptet.so" in names:
            return place
    raise AssertionError(f"{prefix} has no libseptet.so")
