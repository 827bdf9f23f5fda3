"""What a host costs that has nothing to do: system calls, counted by strace while its one task
sleeps."""

import os
import unittest

import harness

SLEEP = 1.0  # seconds
CALLS = 30  # that a sleep may cost: to begin, to end, and to look what was woken for

# Where the sleep begins and ends is told by opening files that there are not.
SCRIPT = """
local task, http = require "septet.task", require "septet.http"
local origin, many, sleep = arg[1], tonumber(arg[2]), tonumber(arg[3])
local function mark(word)
  local file = io.open("/septet-mark-" .. word)
  assert(not file)
end
%s
task.sleep(0.05)
mark "begin"
task.sleep(sleep)
mark "end"
%s
os.exit(0, false)
"""

# A host for each connection: none is shared.
POOL = ("""
local port, urls, resolve = origin:match ":(%d+)$", {}, {}
for i = 1, many do
  local name = ("h%d.test:%s"):format(i, port)
  urls[i], resolve[name] = "http://" .. name .. "/bytes/1", "127.0.0.1"
end
local session = http.session { limit = many, resolve = resolve }
task.gather(task.map(function(url) return session:get(url) end, urls))
assert(session:stats().connections == many)
""", """
assert(session:stats().connections == many)
assert(session:get(urls[many]).reused)
""")

PAUSED = ("""
local session = http.session()
local stream = session:stream("GET", origin .. "/bytes/50000000")
assert(#stream:read(1000) > 0)
""", """
local left = 0
for chunk in stream:chunks() do left = left + #chunk end
assert(left > 40000000)
""")


class Idle(harness.Case):
    def calls(self, parts, many=0):
        """The system calls while the script sleeps."""
        script = self.write("s.lua", SCRIPT % parts)
        log = os.path.join(self.dir, "strace.log")
        result = self.septet(argv=["strace", "-f", "-qq", "-o", log, harness.SEPTET, script,
                                   os.environ["SEPTET_ORIGIN"], str(many), str(SLEEP)],
                             # Which cannot be done under strace.
                             env={"ASAN_OPTIONS": "detect_leaks=0"})
        self.check(result)
        with open(log) as file:
            lines = file.read().splitlines()
        begin = next(i for i, line in enumerate(lines) if "septet-mark-begin" in line)
        end = next(i for i, line in enumerate(lines) if "septet-mark-end" in line)
        self.assertLess(begin, end)
        return lines[begin + 1:end]

    def assert_asleep(self, lines):
        self.assertLess(len(lines), CALLS, "\n".join(lines[:3 * CALLS]))
        self.assertTrue(any("epoll_" in line for line in lines), "it did not wait in the loop")

    def test_http_43_a_thousand_idle_connections(self):
        """http.43"""
        self.assert_asleep(self.calls(POOL, 1000))

    def test_http_43_a_paused_transfer(self):
        """http.43"""
        self.assert_asleep(self.calls(PAUSED))

    def test_http_43_the_count_sees_a_loop_that_spins(self):
        """A host that has something to do is found out."""
        busy = (
            "local spin = true task.spawn(function() while spin do task.sleep(0.001) end end)",
            "spin = false",
        )
        self.assertGreater(len(self.calls(busy)), 10 * CALLS)


if __name__ == "__main__":
    unittest.main()
