# SPDX-License-Identifier: MIT
"""Debug hooks of scripts beside the command's own: the limit on a turn, and interruption."""

import signal
import unittest

import harness

# Ways to set, change and clear a hook; `f` does nothing.
SETS = [
    "debug.sethook(f, 'l')", "debug.sethook(f, 'c')", "debug.sethook(f, 'r')",
    "debug.sethook(f, 'crl')", "debug.sethook(f, '', 1)", "debug.sethook(f, '', 1000)",
    "debug.sethook(f, '', 1 << 30)", "debug.sethook(f, 'crl', 7)", "debug.sethook(f, '')",
    "debug.sethook()", "debug.sethook(nil)",
    "debug.sethook(f, 'l') debug.sethook(f, 'c') debug.sethook()",
    "debug.sethook(f, 'l') debug.sethook(f, '', 5)", "debug.sethook((coroutine.running()), f, 'l')",
    "debug.sethook((coroutine.running()))", "debug.sethook(f, 'r') debug.sethook()",
]

# Places of an endless loop. `set` sets a hook.
PLACES = [
    "set() while true do end",
    "while true do set() end",
    "while true do pcall(function() set() while true do end end) end",
    "set() while true do pcall(error) end",
    "coroutine.wrap(function() set() while true do end end)()",
    "set() coroutine.wrap(function() while true do end end)()",
    "while true do pcall(coroutine.wrap(function() set() while true do end end)) end",
    "while true do coroutine.resume(coroutine.create(function() set() while true do end end)) end",
    "local co = coroutine.create(function() while true do end end)\\n"
    "debug.sethook(co, f, 'l') set() assert(coroutine.resume(co))",
    "for _ in task.generator(function(emit) set() while true do end end) do end",
    "task.spawn(function() set() task.sleep(0) while true do end end):await()",
    "set() task.spawn(function() while true do end end):await()",
    "set() task.spawn(function(...) while true do end end, 1, 2, 3, 4, 5, 6):await()",
]

# The places that catch no error.
FREE = [
    place
    for place in PLACES
    if "pcall" not in place and "resume" not in place and "spawn" not in place
]

PRELUDE = """
local task = require 'septet.task'
local function f() end
local sets, places = {}, {}
"""


def functions(name, codes):
    return "".join(
        "%s[#%s + 1] = function(set) %s end\n" % (name, name, code.replace("\\n", "\n"))
        for code in codes
    )


# Sets the first hook, and prints that once.
READY = """
local ready
local function set()
  sets[1]()
  if not ready then
    ready = true
    print 'ready'
    io.flush()
  end
end
"""


class Limit(harness.Case):
    def limited(self, *words):
        """Runs the command. On a busy machine the first turn, which loads the modules, may be over
        the limit: then it is run again."""
        for _ in range(10):
            result = self.septet(*words)
            if "in function 'require'" not in result.err:
                break
        return result

    def test_the_limit_holds_under_any_hook(self):
        """T-Q: the limit on a turn holds under each hook at each place"""
        self.write("s.lua", PRELUDE + functions("sets", SETS) + functions("places", PLACES) + """
            for i, set in ipairs(sets) do
              for k, place in ipairs(places) do
                local t = task.spawn(place, set)
                local ok, err = pcall(t.await, t)
                if ok or not task.is(err, 'TaskHog') then print(i, k, err) end
                task.spawn(function()
                  local fn, mask, count = debug.gethook()
                  if fn then print(i, k, 'left', mask, count) end
                end):await()
              end
            end
            print 'end'""")
        self.check(self.limited("--max-slice=0.03", "s.lua"), out="end\n")

    def test_the_limit_is_over_with_its_turn(self):
        """T-Q: a task that caught the error goes on with its hook"""
        self.write("s.lua", PRELUDE + """
            local n = 0
            local function count() n = n + 1 end
            debug.sethook(count, 'l', 3)
            local ok, err = pcall(function() while true do end end)
            print(ok, task.is(err, 'TaskHog'))
            pcall(task.sleep, 0)
            local before = n
            for i = 1, 10 do
              local _ = i
            end
            print(n - before > 20)
            local fn, mask, times = debug.gethook()
            print(fn == count, mask, times)""")
        result = self.limited(
            "--max-slice=0.05", "-e", "require 'septet.task'.spawn(dofile, 's.lua'):await()"
        )
        self.assertIn(result.out, ("false\ttrue\ntrue\ntrue\tl\t3\n", ""), result)

    def test_a_limit_changes_nothing_for_a_hook(self):
        """T-Q: the events of a script's hook are those of stock Lua, and gethook shows the
        script's"""
        self.write("s.lua", """
            print(debug.gethook())
            for _, count in ipairs { 1, 3, 1000, 99999, 100000, 100001, 250000, 1000000 } do
              -- With 'l', Lua loses count events inside of the hook.
              for _, mask in ipairs { '', 'c', 'cr' } do
                local seen = {}
                debug.sethook(function(e) seen[e] = (seen[e] or 0) + 1 end, mask, count)
                local x = 0
                for i = 1, 3e5 do x = x + i end
                pcall(math.max, 1)
                local fn, m, c = debug.gethook()
                debug.sethook()
                print(type(fn), m, c, seen.count, seen.line, seen.call, seen['return'])
              end
            end
            print(debug.gethook())
            print(debug.gethook(coroutine.create(print)))
            local co = coroutine.create(print)
            debug.sethook(co, print, 'rc', 5)
            print(select(2, debug.gethook(co)))
            for _, wrong in ipairs { 'x', {}, true } do
              print(pcall(debug.sethook, wrong)) print(pcall(debug.sethook, type, {}))
              print(pcall(debug.sethook, co, wrong, 'l'))
              print(pcall(debug.sethook, type, 'l', wrong))
            end
            print(pcall(debug.sethook, type))""")
        with_limit, without = self.septet("--max-slice=60", "s.lua"), self.septet("s.lua")
        self.assertEqual(with_limit.status, 0, with_limit)
        self.assertEqual(with_limit.out, without.out)
        self.assertEqual(without.out.count("\n"), 24 + 4 + 12 + 1, without)


# Calls of Septet's functions that open a block, with tasks of the script in it.
BLOCKS = """
local sync = require 'septet.sync'
local function nap() task.sleep(0.1) return 1 end
local blocks = {
  timeout = function() task.timeout(1, nap) end,
  move_on_after = function() task.move_on_after(1, nap) end,
  late = function() task.move_on_after(0.05, nap) end,
  shield = function() task.shield(nap) end,
  cleanup = function() task.cleanup(1, nap) end,
  group = function() task.group(function(g) g:spawn(nap) nap() end) end,
  failing = function() pcall(task.group, function(g) g:spawn(error, "x") nap() end) end,
  start = function() task.group(function(g) g:start(function(started) started() nap() end) end) end,
  gather = function() task.gather { nap, nap } end,
  settled = function() task.gather({ nap, error }, { settled = true, limit = 1 }) end,
  race = function() task.race { nap, nap } end,
  map = function() task.wait(task.map(nap, { 1, 2 }), { timeout = 1 }) end,
  as_completed = function()
    for _ in task.as_completed({ task.spawn(nap) }, { timeout = 1 }) do nap() end
  end,
  generator = function() for _ in task.generator(function(emit) emit(nap()) end) do nap() end end,
  semaphore = function() sync.semaphore(1):with(nap) end,
  lock = function() sync.lock():with(nap) end,
}
"""


class Blocks(harness.Case):
    """A hook that raises, at each event in turn, leaves no block open. An open timeout would end
    the sleep after it, and an open shield would block a cancellation."""

    def test_a_hook_that_raises_leaves_no_block_open(self):
        """T-A: a script's hook may raise at each event of a call that opens a block"""
        self.write("s.lua", PRELUDE + BLOCKS + """
            local function try(name, block, mask, nth)
              local n, fired, over = 0, false, false
              local function hook()
                n = n + 1
                if n ~= nth then return end
                fired = true
                debug.sethook()
                error('from the hook', 0)
              end
              local t = task.spawn(function()
                pcall(function()
                  debug.sethook(hook, mask, mask == '' and 1 or 0)
                  pcall(block)
                  debug.sethook()
                end)
                task.sleep(2)
                over = true
                task.sleep(1e6)
              end)
              task.wait({ t }, { timeout = 60 })
              t:cancel()
              task.wait({ t }, { timeout = 1 })
              if not over or t:status() ~= 'cancelled' then
                print(name, mask, nth, over, t:status())
              end
              return fired
            end
            task.on_unhandled = function() end
            local events = 0
            for name, block in pairs(blocks) do
              for _, mask in ipairs { '', 'c', 'r', 'l' } do
                local nth = 1
                while try(name, block, mask, nth) do nth = nth + 1 end
                events = events + nth
              end
            end
            print(events > 500)""")
        self.check(self.septet("--virtual-time", "s.lua"), out="true\n")


class Interrupt(harness.Case):
    def test_an_interruption_ends_a_loop_under_any_hook(self):
        """T-Q: SIGINT interrupts a script under each hook"""
        for i, code in enumerate(SETS):
            place = FREE[i % len(FREE)]
            with self.subTest(code=code, place=place):
                self.write(
                    "s.lua",
                    PRELUDE
                    + READY
                    + functions("sets", [code])
                    + functions("places", [place])
                    + "local ok, err = pcall(places[1], set) print(ok, task.is_cancelled(err)) "
                    "io.flush() error(err, 0)",
                )
                child = self.start("s.lua")
                child.expect("ready")
                child.kill(signal.SIGINT)
                child.expect("false\ttrue")
                self.assertEqual(child.end().status, -signal.SIGINT)


if __name__ == "__main__":
    unittest.main()
