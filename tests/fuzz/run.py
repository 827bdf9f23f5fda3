#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py [--planted INPUTS] PROGRAM SECONDS: runs a fuzz target from the seeds in seeds/NAME, and
prints how many inputs it tried and how many edges of the code they covered. It ends with 1 if the
target found something; the input is then kept in findings/ beside the program. With --planted, the
target has a bug planted in it, and not finding that bug within so many inputs is the failure: how
many it tries in a time depends on what else the machine does."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ENDS = 30  # seconds beyond the limit, after which the target is taken to hang
ENVIRONMENT = {
    # What libcurl and c-ares keep for the whole process is not a leak; a target that wants to find
    # leaks asks for it.
    "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


def isolated(command):
    """Returns the command in a network namespace of its own, in which a target reaches no other
    program by mistake."""
    unshare = ["unshare", "--net"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    return [
        *unshare, "sh", "-c", 'PATH=$PATH:/usr/sbin:/sbin ip link set lo up && exec "$@"', "sh",
        *command,
    ]


def run(program, seeds, seconds, folder, *options):
    """Returns the exit status, what the target printed, and the paths of what it found."""
    corpus, found = os.path.join(folder, "corpus"), os.path.join(folder, "found") + os.sep
    os.mkdir(corpus)
    os.mkdir(found)
    command = [
        program, "-max_total_time=%d" % seconds, "-timeout=10", "-rss_limit_mb=2048",
        "-max_len=8192", "-print_final_stats=1", "-artifact_prefix=" + found, *options, corpus,
    ]
    if os.path.isdir(seeds):
        command.append(seeds)
    dictionary = seeds + ".dict"
    if os.path.exists(dictionary):
        command.append("-dict=" + dictionary)
    done = subprocess.run(
        isolated(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=seconds + ENDS,
        env={**os.environ, **ENVIRONMENT, "TMPDIR": folder}, cwd=folder, check=False,
    )
    return (done.returncode, done.stdout.decode(errors="replace"),
            [os.path.join(found, name) for name in sorted(os.listdir(found))])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--planted", type=int, metavar="INPUTS")
    parser.add_argument("program")
    parser.add_argument("seconds", type=int)
    options = parser.parse_args()
    program = os.path.abspath(options.program)
    name = os.path.basename(program).replace("fuzz_", "").replace("_planted", "")

    with tempfile.TemporaryDirectory() as folder:
        status, output, found = run(
            program, os.path.join(HERE, "seeds", name), options.seconds, folder,
            *(["-runs=%d" % options.planted] if options.planted else []),
        )
        inputs = re.findall(r"stat::number_of_executed_units: (\d+)", output) or re.findall(
            r"^#(\d+)", output, re.M
        )
        edges = re.findall(r"\bcov: (\d+)", output)
        figures = "%s inputs, %s edges" % (
            inputs[-1] if inputs else "no",
            edges[-1] if edges else "no",
        )
        if options.planted:
            print(
                "fuzz %s: %s, the planted bug was %s"
                % (name, figures, "found" if found else "not found")
            )
            return 0 if found and status != 0 else 1
        if status == 0 and not found:
            print("fuzz %s: %s, no finding" % (name, figures))
            return 0
        kept = os.path.join(os.path.dirname(program), "findings")
        os.makedirs(kept, exist_ok=True)
        print(output[-12000:])
        for path in found:
            print("fuzz %s: %s" % (name, shutil.copy(path, kept)))
        print("fuzz %s: %s, ended with status %d" % (name, figures, status))
        return 1


if __name__ == "__main__":
    sys.exit(main())
