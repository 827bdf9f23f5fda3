# SPDX-License-Identifier: MIT
"""The figures that are checked in, in figures.json: for each set of versions that they depend on,
what each kind of work takes. One figure a line, so that changes of two rows merge."""

import json
import os
import platform
import re
import subprocess

import harness

PATH = os.path.join(harness.HERE, "figures.json")


def has_avx2():
    """glibc chooses its functions by what the processor has. valgrind shows a program AVX2 at most,
    so there are two kinds of x86-64."""
    try:
        with open("/proc/cpuinfo") as f:
            return " avx2 " in f.read()
    except OSError:
        return False


def compiler_of(build):
    """Returns the compiler's name and major version, from the build folder."""
    folder = os.path.join(build, "CMakeFiles")
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name, "CMakeCCompiler.cmake")
        if os.path.exists(path):
            with open(path) as f:
                text = f.read()
            vendor = re.search(r'CMAKE_C_COMPILER_ID "(\w+)"', text)[1]
            version = re.search(r'CMAKE_C_COMPILER_VERSION "(\d+)', text)[1]
            return f"{'gcc' if vendor == 'GNU' else vendor} {version}"
    raise harness.CannotRun(f"'{folder}' does not tell the compiler")


def mimalloc_of(septet):
    linked = subprocess.run(["ldd", septet], stdout=subprocess.PIPE, text=True, check=True).stdout
    path = re.search(r"libmimalloc\S* => (\S+)", linked)
    if path is None:
        return "no mimalloc"
    version = re.search(r"\.so\.([\d.]+)$", os.path.realpath(path[1]))
    return f"mimalloc {version[1] if version else '?'}"


def key_of(build):
    """Returns what the counts depend on, in words. A patch of the distribution changes little."""
    septet = harness.program(build, "septet")
    own = subprocess.run([septet, "--version"], stdout=subprocess.PIPE, text=True, check=True)
    libraries = own.stdout.strip().split(", ", 1)[1]
    machine = platform.machine() + (" with AVX2" if has_avx2() else "")
    libc = os.confstr("CS_GNU_LIBC_VERSION")
    return f"{machine}, {compiler_of(build)}, {libc}, {libraries}, {mimalloc_of(septet)}"


def read():
    """Returns {key: {row: figure}}."""
    try:
        with open(PATH) as f:
            return json.load(f)
    except FileNotFoundError:
        return {}


def write(key, found, order):
    """Replaces those figures of `key` that were found, in the order of the rows."""
    known = read()
    merged = {**known.get(key, {}), **{name: round(n) for name, n in found.items()}}
    known[key] = {name: merged[name] for name in order if name in merged}
    with open(PATH, "w") as f:
        json.dump(known, f, indent=2)
        f.write("\n")
