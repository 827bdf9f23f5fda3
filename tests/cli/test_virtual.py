# SPDX-License-Identifier: MIT
"""The command on a virtual clock, with a shuffled order, and with a limit on a turn.
septet.testing."""

import re
import unittest

import harness

PRELUDE = "local task, testing = require 'septet.task', require 'septet.testing'\n"


class Virtual(harness.Case):
    HEAD = PRELUDE

    def check_virtual(self, code, out="", options=()):
        self.check(self.lua(code, "--virtual-time", *options), out=out)

    def test_the_clock_jumps(self):
        self.check_virtual(
            "local t = task.now() task.sleep(3600) print(t, task.now() - t)", "1.0\t3600.0\n"
        )

    def test_the_same_script_gives_the_same_trace(self):
        script = self.write("s.lua", PRELUDE + """
            task.group(function(g)
              for i = 1, 20 do g:spawn(function() for j = 1, i do task.sleep(j / i) end end) end
            end)""")
        for options in (), ("--shuffle=7",):
            first, second = (
                re.sub(
                    r"busy .*? ms", "",
                    self.septet("--virtual-time", "--trace", *options, script).err,
                )
                for _ in range(2)
            )
            self.assertEqual(first, second)
            self.assertGreater(first.count("\n"), 100)

    def test_a_request_takes_real_time(self):
        self.check_virtual("""
            local http = require 'septet.http'
            local origin = os.getenv 'SEPTET_ORIGIN'
            local t = task.now()
            print(http.get(origin .. '/delay/0.05').status, task.now() - t >= 0.05)
            print(task.move_on_after(0.05, http.get, origin .. '/delay/60'))
            task.sleep(60) print(task.now() - t > 60)""", "200\ttrue\nfalse\ntrue\n")

    def test_a_wait_for_ever_is_a_deadlock(self):
        result = self.lua("task.sleep(math.huge)", "--virtual-time")
        self.assertEqual(result.status, 4, result)
        self.assertRegex(result.err, "wait sleep +0.000s for ever")

    def test_advance_runs_what_falls_due_in_its_order(self):
        self.check_virtual("""
            for _, s in ipairs { 3, 1, 2 } do task.spawn(function()
              task.sleep(s) print(s, task.now()) task.sleep(0.5) print('then', task.now())
            end) end
            testing.advance(2.25) print('at', task.now())
            testing.advance(0) print('at', task.now())
            testing.advance(10) print('at', task.now())""",
                           "1\t2.0\nthen\t2.5\n2\t3.0\nat\t3.25\nat\t3.25\nthen\t3.5\n"
                           "3\t4.0\nthen\t4.5\nat\t13.25\n")

    def test_a_clock_that_only_advance_moves(self):
        self.check_virtual("""
            print(testing.autojump(false))
            local t = task.spawn(function() task.sleep(5) print 'slept' end)
            testing.wait_all_blocked() print(t:status(), task.now())
            testing.advance(5) print(t:status(), task.now())
            print(testing.autojump(true)) task.sleep(1) print(task.now())""",
                           "true\nsuspended\t1.0\nslept\ndone\t6.0\nfalse\n7.0\n")

    def test_without_jumps_a_sleep_is_a_deadlock(self):
        result = self.lua("testing.autojump(false) task.sleep(1)", "--virtual-time")
        self.assertEqual(result.status, 4, result)

    def test_a_manual_clock_crosses_any_number_of_deadlines(self):
        """X-1: a turn in which a script moves the clock is not reported as slow"""
        loop = "for i = 1, %d do task.sleep(%s) n = n + 1 end"
        for move in (
            "testing.advance(300)", "testing.advance(299.5) testing.advance(0.5)",
            "testing.advance(math.huge)", "for _ = 1, 300 do testing.advance(1) end",
            "for _ = 1, 300 do testing.busy(1) testing.wait_all_blocked() end",
            "task.spawn(testing.advance, 300):await()",
            (
                "task.group(function(g) g:spawn(testing.advance, 300)"
                " g:spawn(testing.wait_all_blocked) end)"
            ),
        ):
            for tasks, times, seconds in (
                (1, 3, "1"),
                (1, 300, "1"),
                (3, 100, "1 + 1 / 3"),
                (200, 3, "100"),
            ):
                with self.subTest(move=move, tasks=tasks, times=times):
                    self.check_virtual("""
                        testing.autojump(false) local n = 0
                        for _ = 1, %d do task.spawn(function() %s end) end
                        testing.wait_all_blocked() %s
                        print(n)"""
                        % (tasks, loop % (times, seconds), move), "%d\n" % (tasks * times))

    def test_what_a_computation_has_made_due_runs(self):
        """X-1: a task that sleeps until a deadline that has passed is not deadlocked"""
        for then in (
            "t:await()", "task.wait { t }", "task.sleep(0) t:await()",
            "testing.wait_all_blocked() t:await()",
        ):
            self.check_virtual("""
                testing.autojump(false)
                local t = task.spawn(function() task.sleep(1) print('slept', task.now()) end)
                task.sleep(0) testing.busy(2) %s""" % then, "slept\t3.0\n")

    def test_a_manual_clock_that_stands_is_a_deadlock_still(self):
        """X-1: a deadlock is reported once the due tasks have run"""
        result = self.lua(
            "testing.autojump(false) task.spawn(task.sleep, 1) testing.advance(2) task.sleep(1)",
            "--virtual-time",
        )
        self.assertEqual(result.status, 4, result)

    def test_long_times_are_counted(self):
        """X-1: a time that 64 bits can count in nanoseconds is not for ever"""
        for seconds in "1e8", "1e9", "1e9 + 0.5", "3e9", "1e10", "1.8e10":
            for auto in "false", "true":
                with self.subTest(seconds=seconds, auto=auto):
                    self.check_virtual("""
                        testing.autojump(%s) local s = %s
                        local function close(a, b) return math.abs(a - b) <= 1e-5 end
                        testing.advance(s) print(close(task.now(), s + 1))"""
                        % (auto, seconds), "true\n")
                    self.check_virtual("""
                        testing.autojump(%s) local s = %s
                        local function close(a, b) return math.abs(a - b) <= 1e-5 end
                        testing.busy(s) print(close(task.now(), s + 1))"""
                        % (auto, seconds), "true\n")
                    self.check_virtual("""
                        testing.autojump(%s) local s = %s local n = 0
                        for i = 1, 10 do
                          task.spawn(function() task.sleep(s / 10 * i - 0.5) n = n + 1 end)
                        end
                        local t = task.spawn(function() task.sleep_until(s) n = n + 1 end)
                        testing.advance(s)
                        print(n, t:status(), math.abs(task.now() - s - 1) <= 1e-5)"""
                                       % (auto, seconds), "11\tdone\ttrue\n")
            self.check_virtual(
                "print(task.timeout(1e12, function() task.sleep(%s) return 'slept' end))" % seconds,
                "slept\n",
            )
            self.check_virtual(
                "print(task.is(select(2, pcall(task.timeout, %s, task.sleep, 1e12)), 'Timeout'))"
                % seconds,
                "true\n",
            )

    def test_what_cannot_be_counted_is_for_ever(self):
        """X-1: a sleep that ends after all instants is a deadlock, and nothing moves the clock
        there"""
        for seconds in "1.9e10", "1e12", "1e300", "math.huge", "math.maxinteger":
            with self.subTest(seconds=seconds):
                for wait in "task.sleep(%s)", "task.sleep_until(%s)":
                    result = self.lua(wait % seconds, "--virtual-time")
                    self.assertEqual(result.status, 4, result)
                    self.assertIn("for ever", result.err)
                self.check_virtual("""
                    local ok, err = pcall(testing.busy, %s)
                    print(ok, err.kind, err.message:find("'busy'", 1, true) ~= nil, task.now())"""
                    % seconds,
                                   "false\tUsage\ttrue\t1.0\n")
                self.check_virtual("""
                    testing.autojump(false)
                    local t = task.spawn(task.sleep, 5)
                    testing.advance(%s) print(t:status(), task.now())
                    print(task.timeout(%s, function() return task.deadline() end))"""
                    % (seconds, seconds),
                                   "done\t6.0\ninf\n")
        self.check_virtual("""
            testing.busy(1.5e10) print(pcall(testing.busy, 5e9) == false, task.now() == 1.5e10 + 1)
            local t = task.spawn(task.sleep, 5e9) task.sleep(1) print(t:status())""",
            "true\ttrue\nsuspended\n")

    def test_busy_lets_nothing_run(self):
        self.check_virtual("""
            local ran = false
            task.spawn(function() task.sleep(1) ran = true end)
            task.sleep(0) testing.busy(5) print(ran, task.now()) testing.wait_all_blocked()
            print(ran)""",
                           "false\t6.0\ntrue\n")

    def test_all_blocked_is_behind_all_that_can_run(self):
        for options in (), ("--shuffle=3",):
            self.check_virtual("""
                local n = 0
                for i = 1, 5 do
                  task.spawn(function() for _ = 1, i do task.sleep(0) n = n + 1 end end)
                end
                testing.wait_all_blocked() print(n, task.now())""", "15\t1.0\n", options)

    def test_a_sequencer_orders_tasks(self):
        for options in (), ("--shuffle=5",):
            self.check_virtual("""
                local turn, log = testing.sequencer(), {}
                task.group(function(g)
                  g:spawn(function() turn(3) log[#log + 1] = 'c' end)
                  g:spawn(function() turn(1) log[#log + 1] = 'a' turn(4) log[#log + 1] = 'd' end)
                  g:spawn(function()
                    turn(2)
                    log[#log + 1] = 'b'
                    task.sleep(0)
                    log[#log + 1] = 'b2'
                  end)
                end)
                print(table.concat(log, ' '))""", "a b b2 c d\n", options)

    def test_a_sequencers_turn_is_taken_once(self):
        result = self.lua(
            "local turn = testing.sequencer() turn(1) turn(1)", "--virtual-time"
        )
        self.check(
            result,
            1,
            err=re.compile(r"septet: s\.lua:2: turn 1 of the sequencer was taken before\n"),
        )

    def test_the_real_clock_is_not_moved(self):
        for code in (
            "testing.advance(1)",
            "testing.busy(1)",
            "testing.autojump(false)",
            "testing.step_wall_clock(1)",
        ):
            self.check(
                self.lua(code),
                1,
                err=re.compile(
                    r"septet: s\.lua:2: the clock is the real one: run this with septet"
                    r" --virtual-time\n"
                ),
            )

    def test_wrong_arguments(self):
        for code in "testing.advance(-1)", "testing.busy('x')", "testing.sequencer()(0)":
            self.check(
                self.lua(code, "--virtual-time"), 1,
                err=re.compile(r"septet: s\.lua:2: bad "),
            )


class Options(harness.Case):
    def test_a_seed_must_be_a_whole_number(self):
        for value in "", "x", "0", "-1", "1x", "1.5":
            result = self.septet("--shuffle=" + value, "-e", "")
            self.assertEqual(result.status, 2, result)
            self.assertIn("a whole number from 1 is expected in '--shuffle=%s'" % value, result.err)

    def test_a_limit_must_be_seconds(self):
        for value in "", "x", "0", "-1", "1s", "nan", "inf":
            result = self.septet("--max-slice=" + value, "-e", "")
            self.assertEqual(result.status, 2, result)
            self.assertIn(
                "seconds, at least 0.001, are expected in '--max-slice=%s'" % value, result.err
            )

    def test_near_names_are_suggested(self):
        for option, name in (
            ("--virtualtime", "virtual-time"),
            ("--shufle=1", "shuffle"),
            ("--max-slise", "max-slice"),
        ):
            self.assertIn("did you mean '--%s'?" % name, self.septet(option, "-e", "").err)

    def test_a_turn_over_its_limit(self):
        result = self.septet("--max-slice=0.02", "-e", "while true do end")
        self.check(
            result,
            1,
            err=re.compile(r"septet: the task ran for more than 0\.02 s without waiting\n"),
        )

    def test_a_long_turn_is_warned_of_once_a_place(self):
        """X-12: a turn that blocks the loop gives one warning, with its place"""
        code = """local task = require "septet.task"
                  for _ = 1, 3 do
                    local t = os.clock()
                    while os.clock() - t < 0.15 do end
                    task.sleep(0)
                  end"""
        result = self.septet(self.write("block.lua", code))
        self.check(result)
        self.assertRegex(
            result.warned,
            r"^septet: warning: task 'main' ran for [\d.]+ s without "
            r"waiting, at [^ ]*block\.lua:5: everything else stood still\n$",
        )

    def test_v_twice_says_what_lua_gets_right(self):
        result = self.septet("-v", "-v")
        lines = result.out.splitlines()
        self.assertEqual(result.status, 0, result)
        self.assertRegex(lines[0], r"^Septet [\d.]+, Lua 5\.4\.\d+, libuv ")
        self.assertRegex(lines[1], r"^generic for: (not )?closed on break")
        for line in lines[2:]:
            self.assertRegex(line, r"^libcurl: ")


if __name__ == "__main__":
    unittest.main()
