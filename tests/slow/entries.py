#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""entries.py SEPTET [COUNT]: walks and removes a million files in one folder, and in a thousand. A
walk must see each file once while the loop goes round, and the peak of the process's memory must be
at most 48 MB."""

import os
import subprocess
import sys
import tempfile

COUNT = 1000000
PEAK_MAX = 48 * 1024  # kilobytes

SCRIPT = """
local fs, task = require "septet.fs", require "septet.task"
local root, count = arg[1], tonumber(arg[2])
local laps = 0
task.background(function()
  while true do
    task.sleep(1e-9)
    laps = laps + 1
  end
end)
local files, sum = 0, 0
for path, entry in fs.walk(root, { stat = true }) do
  if entry.type == "file" then
    files = files + 1
    sum = sum + tonumber(entry.name)
  end
end
print("files", files == count, "sum", sum == count * (count - 1) // 2)
print("laps", laps >= count // 5000)
local n = 0
for path in fs.walk(root, { filter = function(_, entry) return entry.type == "directory" end }) do
  n = n + 1
end
print("folders", n)
fs.remove(root, { recursive = true })
print("removed", not fs.exists(root))
for line in io.lines "/proc/self/status" do
  local peak = line:match "^VmHWM:%s+(%d+)"
  if peak then print("peak", peak) end
end
"""


def make(root, count, folders):
    """Makes empty files with the numbers from 0 as names, spread over folders."""
    os.mkdir(root)
    places = [root]
    if folders > 0:
        places = [os.path.join(root, f"d{n}") for n in range(folders)]
        for place in places:
            os.mkdir(place)
    for n in range(count):
        os.close(os.open(os.path.join(places[n % len(places)], str(n)), os.O_CREAT, 0o600))


def main():
    septet, failed = sys.argv[1], 0
    count = int(sys.argv[2]) if len(sys.argv) > 2 else COUNT
    with tempfile.TemporaryDirectory() as folder:
        script = os.path.join(folder, "script.lua")
        with open(script, "w") as file:
            file.write(SCRIPT)
        for folders in (0, 1000):
            root = os.path.join(folder, "root")
            make(root, count, folders)
            done = subprocess.run(
                [septet, script, root, str(count)], stdout=subprocess.PIPE, text=True, timeout=1800
            )
            *lines, peak = done.stdout.splitlines() or ["peak 0"]
            peak = int(peak.split()[1])
            good = done.returncode == 0 and peak <= PEAK_MAX and lines == [
                "files\ttrue\tsum\ttrue", "laps\ttrue", f"folders\t{folders}", "removed\ttrue"]
            failed += not good
            print(f"{'ok' if good else 'not ok'} {count} files in {max(folders, 1)} folders: "
                  f"peak {peak} kB, limit {PEAK_MAX} kB", *([] if good else lines), flush=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
