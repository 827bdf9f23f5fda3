# SPDX-License-Identifier: MIT
"""shuffled.py SPEC: runs a file of specs on a virtual clock, with ready tasks in the orders of 20
seeds; built with sanitizers, of 5, as these make each run slower and find no other order.

It stops at the first seed that fails, and prints the command that repeats it."""

import os
import subprocess
import sys

SEEDS = range(1, 6 if os.environ.get("SEPTET_SANITIZED") else 21)

HERE = os.path.dirname(os.path.abspath(__file__))


def main(spec):
    environment = dict(os.environ, SPEC_MODE="shuffle")
    for seed in SEEDS:
        command = [
            os.environ["SEPTET"], "test", "--in-process", "--timeout=180", "--slowest=0",
            "--shuffle=%d" % seed, "--helper=" + os.path.join(HERE, "before.lua"), spec,
        ]
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode != 0:
            print(
                "failed with status %d under seed %d: %s\n%s"
                % (done.returncode, seed, " ".join(command), done.stdout)
            )
            return 1
    print("%s, under each of %d seeds" % (done.stdout.splitlines()[-1], len(SEEDS)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
