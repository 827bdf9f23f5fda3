# SPDX-License-Identifier: MIT
"""The errors of a host without a route to an address, each in a network namespace of its own. Needs
root, or user namespaces without privileges. Fails without either, because it would show nothing."""

import os
import subprocess
import unittest

import harness

ADDRESS = "192.0.2.1"  # of no network there is

SCRIPT = """
local http, task = require "septet.http", require "septet.task"
local session <close> = http.session()
for _, url in ipairs { arg[1], arg[1] } do
  local t = task.spawn(session.get, session, url)
  local ok, err = pcall(t.await, t)
  print(ok, task.is(err, "HttpError"), err.code, err.reason, err.phase)
end
-- The network that there is still works.
local ok, err = pcall(session.get, session, "http://127.0.0.1:1/")
print(ok, err.code, err.reason)
"""


def namespace():
    """Returns the words before a command that runs it as root in a network namespace of its own."""
    command = harness.unshare("--net")
    done = subprocess.run([*command, "ip", "link", "set", "lo", "up"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True,
                          env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin"))
    if done.returncode != 0:
        raise AssertionError(
            "no network namespace can be made here, and without one nothing is tested: "
            f"{' '.join(command)}: {done.stdout}"
        )
    return command


class Routes(harness.Case):
    def says(self, reason, *routes, address=ADDRESS):
        inside = "PATH=$PATH:/usr/sbin:/sbin; ip link set lo up" + "".join(
            f" && ip route add {r}" for r in routes
        )
        script = self.write("s.lua", SCRIPT)
        result = self.septet(
            argv=[
                *namespace(), "sh", "-c", inside + ' && exec "$@"', "sh", harness.SEPTET, script,
                f"http://{address}/",
            ]
        )
        line = f"false\ttrue\tconnect\t{reason}\tconnect\n"
        self.check(result, 0, line * 2 + "false\tconnect\trefused\n")

    def test_fault_8_no_route_is_unreachable(self):
        """fault.8 ENETUNREACH is reported as unreachable"""
        self.says("unreachable")

    def test_fault_8_an_unreachable_host_is_unreachable(self):
        """fault.8 EHOSTUNREACH is reported as unreachable"""
        self.says("unreachable", f"unreachable {ADDRESS}")

    def test_fault_8_a_prohibited_route_is_not_permitted(self):
        """fault.8 EACCES is reported as not_permitted"""
        self.says("not_permitted", f"prohibit {ADDRESS}")

    def test_fault_8_a_black_hole_is_a_bad_address(self):
        """fault.8 EINVAL is reported as bad_address"""
        self.says("bad_address", f"blackhole {ADDRESS}")


if __name__ == "__main__":
    unittest.main()
