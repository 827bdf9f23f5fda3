-- SPDX-License-Identifier: MIT
-- Tasks that are one operation and have no coroutine. Each test runs twice: with task.sleep itself,
-- and with a function that calls it.
-- check: allow cannot-wait
local task = require "septet.task"

local kinds = {
  bare = task.sleep,
  called = function(...) task.sleep(...) end,
}

local function both(title, test)
  for name, sleep in pairs(kinds) do
    it(title .. " (" .. name .. ")", function() test(sleep) end)
  end
end

describe("a task that only sleeps", function()
  both("passes through the states, and returns nothing", function(sleep)
    local t = task.spawn(sleep, 0.001)
    equal(t:status(), "pending")
    equal(t:waits_for(), "")
    turns(1)
    equal(t:status(), "suspended")
    equal(t:waits_for(), "sleep 0.001 s")
    equal(select("#", t:await()), 0)
    equal(t:status(), "done")
    equal(table.pack(t:result()), { n = 1, true })
    equal(t:traceback(), "")
  end)

  both("is cancelled before its first turn", function(sleep)
    local t = task.spawn(sleep, 9)
    equal(t:cancel("early"), true)
    equal(t:cancel(), false)
    equal(t:status(), "pending")
    local ok, err = pcall(t.await, t)
    equal(ok, false)
    equal(err.kind, "TaskCancelled")
    equal(err.reason, "early")
    equal(t:status(), "cancelled")
  end)

  both("is cancelled while it waits", function(sleep)
    local t = task.spawn(sleep, 9)
    turns(1)
    t:cancel("late")
    equal(t:status(), "suspended")
    local ok, err = pcall(t.await, t)
    equal(ok, false)
    equal(err.reason, "late")
    local done, cancelled = t:result()
    equal(done, false)
    equal(task.is_cancelled(cancelled), true)
  end)

  both("is not cancelled once its wait is over", function(sleep)
    local t = task.spawn(sleep, 0)
    turns(1)
    equal(t:status(), "suspended")
    t:await()
    equal(t:cancel(), false)
    equal(t:status(), "done")
  end)

  both("ends with the deadline of the block around it", function(sleep)
    local t
    local ok, err = pcall(task.timeout, 0.001, function()
      t = task.spawn(sleep, 9)
      t:await()
    end)
    equal(ok, false)
    equal(err.kind, "Timeout")
    equal(t:status(), "cancelled")
  end)

  both("is refused at once after a deadline", function(sleep)
    local t
    task.move_on_after(0, function()
      t = task.spawn(sleep, 9)
      task.shield(function() task.sleep(0.001) end)
      task.checkpoint()
    end)
    equal(t:status(), "cancelled")
  end)

  both("is cancelled with its group, in the order of spawning", function(sleep)
    local ended = {}
    pcall(task.group, function(g)
      for i = 1, 3 do
        local t = g:spawn(sleep, 9)
        g:spawn(function()
          pcall(t.await, t)
          ended[#ended + 1] = i
        end)
      end
      task.checkpoint()
      error "stop"
    end)
    equal(ended, { 1, 2, 3 })
  end)

  both("raises for a wrong argument", function(sleep)
    for _, bad in ipairs { "x", -1, 0 / 0, {} } do
      local t = task.spawn(sleep, bad)
      local ok, err = pcall(t.await, t)
      equal(ok, false)
      equal(err.kind, "Usage")
      equal(tostring(err):match "bad argument #1 to '[%w.]*sleep'" ~= nil, true)
      equal(t:traceback():match "spawned at [^\n]*bare_spec.lua:%d+" ~= nil, true)
    end
    local t = task.spawn(sleep, 1, 2)
    equal(pcall(t.await, t), false)
  end)

  both("shows where it waits, and who spawned it", function(sleep)
    local t = task.spawn(sleep, 9)
    turns(1)
    equal(t:traceback():match "^stack traceback:\n\t%[C%]: in function 'task.sleep'\n" ~= nil, true)
    equal(t:traceback():match "\n\tspawned at [^\n]*bare_spec.lua:%d+ by #%d+$" ~= nil, true)
    t:cancel()
  end)

  both("is named by its item", function(sleep)
    local t = task.map(sleep, { 9 })[1]
    equal(t.name:match "%(9%)$", "(9)")
    t.name = "napper"
    turns(1)
    equal(tostring(t), "task 'napper' (suspended)")
    t:cancel()
  end)

  it("runs its turns as one with a coroutine does", function()
    local function order(first, second)
      local ended = {}
      local function note(t, name)
        return task.spawn(function()
          t:await()
          ended[#ended + 1] = name
        end)
      end
      local a, b, c = task.spawn(first, 0), task.spawn(second, 0), task.spawn(first, 0)
      task.gather { note(a, "a"), note(b, "b"), note(c, "c") }
      return ended
    end
    for _, first in pairs(kinds) do
      for _, second in pairs(kinds) do
        equal(order(first, second), { "a", "b", "c" })
      end
    end
  end)

  it("does not let a finalizer wait in its place", function()
    local refused = 0
    local function litter()
      setmetatable({}, { __gc = function()
        if task.current() and not pcall(task.sleep, 1) then refused = refused + 1 end
      end })
    end
    for i = 1, 200 do
      litter()
      local t = task.spawn(task.sleep, i % 2 * 1e-6)
      collectgarbage "step"
      t:await()
    end
    collectgarbage()
    equal(refused > 0, true)
  end)
end)
