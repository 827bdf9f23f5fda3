# SPDX-License-Identifier: MIT
"""An idle host makes hardly any system calls: strace counts them while its one task sleeps."""

import unittest

import harness

SLEEP = 1.0  # seconds
CALLS = 30  # that a sleep may cost: to begin, to end, and to look what was woken for

# The script marks the beginning and the end of the sleep by opening files that do not exist.
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

# Each connection has a host of its own, so that none is shared.
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
        """Returns the system calls while the script sleeps."""
        script = self.write("s.lua", SCRIPT % parts)
        result, lines = self.strace(script, harness.ORIGIN, str(many), str(SLEEP))
        self.check(result)
        begin = next(i for i, line in enumerate(lines) if "septet-mark-begin" in line)
        end = next(i for i, line in enumerate(lines) if "septet-mark-end" in line)
        self.assertLess(begin, end)
        return lines[begin + 1:end]

    def assert_asleep(self, lines):
        self.assertLess(len(lines), CALLS, "\n".join(lines[:3 * CALLS]))
        self.assertTrue(any("epoll_" in line for line in lines), "it did not wait in the loop")

    def test_http_43_a_thousand_idle_connections(self):
        """http.43 a thousand idle connections cost no system calls"""
        self.assert_asleep(self.calls(POOL, 1000))

    def test_http_43_a_paused_transfer(self):
        """http.43 a paused response costs no system calls"""
        self.assert_asleep(self.calls(PAUSED))

    def test_http_43_the_count_sees_a_loop_that_spins(self):
        """Counts many system calls of a host that is not idle."""
        busy = (
            "local spin = true task.spawn(function() while spin do task.sleep(0.001) end end)",
            "spin = false",
        )
        self.assertGreater(len(self.calls(busy)), 10 * CALLS)


if __name__ == "__main__":
    unittest.main()
