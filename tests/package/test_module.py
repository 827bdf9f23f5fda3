# SPDX-License-Identifier: MIT
"""The module septet of a stock lua5.4: require "septet" makes a host, and septet.run runs tasks."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from installed import BUILD, ROOT, install, run

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from harness import SEPTET, default_signals, environment  # noqa: E402

MODULE = os.path.join(BUILD, "module", "?.so")


class Module(unittest.TestCase):
    def lua(self, script, program="lua5.4", cpath=MODULE):
        """Returns the status, the output and the errors of a script in a stock Lua."""
        done = subprocess.run([program, "-e", script], env=environment({"LUA_CPATH": cpath}),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                              check=False)
        return done.returncode, done.stdout, done.stderr

    def check(self, script, out, err=""):
        self.assertEqual(self.lua("septet, task = require 'septet', require 'septet.task' "
                                  + script), (0, out, err))

    def check_raises(self, script, message, err=""):
        self.check(f"print(select(2, pcall(septet.run, function() {script} end)))", message + "\n",
                   err)

    def test_it_returns_the_results_of_the_function(self):
        self.check("print(septet.run(function(a, b) task.sleep(0.01) return a + b, nil, nil end, "
                   "1, 2))", "3\tnil\tnil\n")
        self.check("print(select('#', septet.run(function() end)))", "0\n")
        self.check("print(septet.run(setmetatable({}, {__call = function(_, x) return x end}), 7))",
                   "7\n")

    def test_luv_shares_the_loop_and_ends_with_the_state(self):
        for end in "", " os.exit(0, true)":
            script = """
local septet, task, uv = require "septet", require "septet.task", require "luv"
print(septet.run(function()
  local done, timer = task.future(), uv.new_timer()
  timer:start(5, 0, function() done:set "woken" end)
  return done:await()
end))
uv.new_timer():start(60000, 0, print)
uv.new_timer():close()
uv.fs_stat("/", print)
uv.new_work(function() return 1 end, print):queue()"""
            self.assertEqual(self.lua(script + end, cpath=MODULE + ";;"), (0, "woken\n", ""))

    def test_it_raises_the_error_of_the_function_as_it_is(self):
        self.check("local e = {} print(select(2, pcall(septet.run, error, e)) == e)", "true\n")
        self.check("print(task.is(select(2, pcall(septet.run, task.sleep, 'x')), 'Usage'))",
                   "true\n")
        self.check_raises("task.sleep(0.01) error('boom', 0)", "boom")

    def test_tasks_run_beside_each_other_and_requests_work(self):
        self.check("""
local http = require "septet.http"
print(septet.run(function()
  local urls = {}
  for i = 1, 5 do urls[i] = os.getenv "SEPTET_ORIGIN" .. "/bytes/" .. i end
  local n = 0
  for _, page in ipairs(task.gather(task.map(http.get, urls))) do n = n + #page.body end
  return n
end))""", "15\n")

    def test_one_run_comes_after_another(self):
        self.check("for i = 1, 3 do print(septet.run(function() task.sleep(0.001) return i end)) "
                   "end", "1\n2\n3\n")

    def test_an_error_that_none_awaits_is_printed_and_raised_at_the_end(self):
        status, out, err = self.lua(
            "septet, task = require 'septet', require 'septet.task' "
            "print(pcall(septet.run, function() task.background(error, 'lost') task.sleep(0.01) "
            "print 'goes on' end)) print(septet.run(function() return 'again' end))")
        self.assertEqual(status, 0)
        self.assertEqual(out, "goes on\nfalse\tseptet.run: a task failed, and none awaited it: "
                         "lost\nagain\n")
        self.assertIn("septet: unhandled error in task ", err)
        self.assertIn(": lost\nstack traceback:\n", err)

    def test_a_deadlock_is_an_error(self):
        status, out, err = self.lua(
            "septet = require 'septet' print(pcall(septet.run, function() "
            "require 'septet.sync'.event():wait() end))")
        self.assertEqual((status, out),
                         (0, "false\tseptet.run: every task waits and nothing can wake them\n"))
        self.assertIn("septet: warning: deadlock: ", err)

    def test_a_run_in_a_run_is_an_error(self):
        inside = "septet.run: called while a run is under way; in a task, call the function itself"
        self.check("print(select(2, pcall(septet.run, function() return septet.run(print) end)))",
                   f"(command line):1: {inside}\n")
        self.check("print(septet.run(function() return pcall(septet.run, print) end))",
                   f"false\t{inside}\n")

    def test_it_runs_functions_alone(self):
        for argument, got in (("1", "number"), ("nil", "nil"), ("{}", "table")):
            self.check(f"print(select(2, pcall(septet.run, {argument})))",
                       f"bad argument #1 to 'septet.run' (function expected, got {got})\n")

    def test_a_coroutine_may_require_it_and_run_tasks(self):
        status, out, err = self.lua("""
coroutine.wrap(function()
  local septet = require "septet"
  local task = require "septet.task"
  print(septet.run(function() task.sleep(0.01) return "slept" end))
end)()
collectgarbage()
print(require "septet".run(function() return "again" end))""")
        self.assertEqual((status, out, err), (0, "slept\nagain\n", ""))

    def test_requiring_it_twice_makes_one_host(self):
        self.check("print(require 'septet' == septet, septet.task == task)", "true\ttrue\n")
        self.check("""
package.loaded.septet, septet = nil, nil
collectgarbage()
local again = require "septet"
print(again.task == task, again.run(function() task.sleep(0.001) return "again" end))""",
                   "true\tagain\n")

    def test_a_host_of_another_copy_is_left_alone(self):
        with tempfile.TemporaryDirectory(prefix="septet-module-") as folder:
            copy = os.path.join(folder, "septet.so")
            shutil.copy(MODULE.replace("?", "septet"), copy)
            self.check(f"print(pcall(package.loadlib('{copy}', 'luaopen_septet'))) "
                       "print(septet.run(function() return 1 end))",
                       "false\tcannot make a septet host: the state has one already\n1\n")

    def test_an_interrupt_ends_the_run_and_then_the_script(self):
        child = subprocess.Popen(
            ["lua5.4", "-e", """
local septet, task = require "septet", require "septet.task"
local status, err = pcall(septet.run, function()
  local guard <close> = setmetatable({}, { __close = function() print "closed" end })
  print "runs"
  io.stdout:flush()
  task.sleep(1000)
end)
print(err)
print "not reached" """],
            env=environment({"LUA_CPATH": MODULE}), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, preexec_fn=default_signals)
        self.addCleanup(child.kill)
        self.assertEqual(child.stdout.readline(), "runs\n")
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
        self.assertEqual((child.returncode, out), (1, "closed\n"))
        self.assertIn(": interrupted!\n", err)

    def test_an_exit_ends_the_process_with_its_status(self):
        for close in ("", ", true"):
            for script in ("os.exit(3%s)", "septet.run(function() os.exit(3%s) end)",
                           "septet.run(function() task.spawn(task.sleep, 9) task.sleep(0.001) "
                           "os.exit(3%s) end)"):
                status, out, err = self.lua(
                    "septet, task = require 'septet', require 'septet.task' " + script % close)
                self.assertEqual((status, out, err), (3, "", ""), script % close)

    def test_another_lua_is_refused(self):
        for program in ("lua5.3", "luajit"):
            path = MODULE.replace("?", "septet")
            status, out, err = self.lua(
                f"print(pcall(package.loadlib('{path}', 'luaopen_septet')))", program)
            self.assertEqual((status, out, err),
                             (0, "false\tseptet needs Lua 5.4, and another Lua requires it\n", ""),
                             program)

    def test_the_command_has_no_use_for_it(self):
        done = subprocess.run([SEPTET, "-e", "print(pcall(require 'septet'.run, print))"],
                              env=environment({"LUA_CPATH": MODULE}), capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.stdout, "false\tseptet.run: this program runs its scripts as tasks "
                         "already; call the function itself\n")

    def test_the_readmes_example_runs(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            scripts = [text for text in re.findall(r"^```lua\n(.*?)^```", file.read(), re.M | re.S)
                       if "septet.run" in text]
        self.assertEqual(len(scripts), 1)
        self.assertEqual(self.lua(scripts[0]), (0, "done\n", ""))

    def test_it_is_found_where_it_is_installed(self):
        with tempfile.TemporaryDirectory(prefix="septet-module-") as prefix:
            install(prefix)
            places = [place for place, _, names in os.walk(prefix) if "septet.so" in names]
            self.assertEqual(len(places), 1)
            self.assertTrue(places[0].endswith("/lua/5.4"))
            status, out, err = self.lua("print(require 'septet'.run(function() return 1 end))",
                                        cpath=os.path.join(places[0], "?.so"))
            self.assertEqual((status, out, err), (0, "1\n", ""))

    def test_it_exports_its_entry_alone(self):
        path = MODULE.replace("?", "septet")
        names = [line.split()[-1] for line in run("nm", "-D", "--defined-only", path).splitlines()]
        self.assertEqual(names, ["luaopen_septet"])


if __name__ == "__main__":
    unittest.main()
