-- SPDX-License-Identifier: MIT
-- Deadlines inside of others: which block raises, and which tasks a deadline ends.
local task = require "septet.task"
local busy = require("septet.testing").busy
local helpers = require "helpers"

local recorder, stopwatch, never = helpers.recorder, helpers.stopwatch, helpers.never

it("timeout.foreign_error: the block's own error passes, also when it comes late", function()
  local thrown = {}
  local function check(seconds, body, expected)
    equal(rawequal(raises(nil, task.timeout, seconds, body), expected), true)
    equal(rawequal(raises(nil, task.move_on_after, seconds, body), expected), true)
  end
  check(1, function() error(thrown) end, thrown)
  check(1, function()
    busy(2)
    error(thrown)
  end, thrown)
  check(1, function()
    pcall(never)
    error(thrown)
  end, thrown)
  local failed = task.spawn(error, thrown)
  check(1, function() failed:await() end, thrown)
  local timed_out = raises_error({ kind = "Timeout", seconds = 1 }, task.timeout, 1, never)
  check(2, error, nil)
  check(2, function() error(timed_out) end, timed_out)
end)

it("timeout.foreign_cancel_not_timeout: a cancellation from outside is no Timeout", function()
  local elapsed = stopwatch()
  local log, note = recorder()
  for _, block in ipairs { task.timeout, task.move_on_after } do
    local t = task.spawn(function()
      local ok, err = pcall(block, 10, never)
      note { ok, err.kind, err.source, err.reason }
      -- Nor in a block that is opened when it is there already, whatever its deadline.
      ok, err = pcall(block, 0, task.sleep, 1)
      note { ok, err.kind, err.source, err.reason }
      block(10, never)
      note "too far"
    end)
    task.sleep(1)
    t:cancel "enough"
    raises_error({ kind = "TaskCancelled", reason = "enough" }, t.await, t)
  end
  local outside = { false, "Cancelled", "cancel", "enough" }
  equal(log, { outside, outside, outside, outside })

  -- By another scope around it, by a sibling, and while the block's own deadline is past.
  equal(task.group(function(g)
    g:cancel()
    task.timeout(10, never)
  end), nil)
  raises_error({ kind = "ErrorGroup" }, task.group, function(g)
    g:spawn(error, "sibling")
    task.timeout(10, never)
  end)
  local t = task.spawn(function()
    task.timeout(1, function()
      task.shield(task.sleep, 2)
      task.checkpoint()
    end)
  end)
  task.sleep(0.5)
  t:cancel "enough"
  raises_error({ kind = "TaskCancelled" }, t.await, t)
  equal(elapsed(), 4)

  -- A block that was cancelled itself ends without a word, as a group does.
  equal(select("#", task.timeout(10, function()
    task.scope():cancel()
    never()
  end)), 0)
end)

it("timeout.outer_wins: when both deadlines have passed, the outer block raises", function()
  local elapsed = stopwatch()
  local log, note = recorder()
  local function nested(outer, inner, body)
    return raises_error({ kind = "Timeout", seconds = outer }, task.timeout, outer, function()
      pcall(task.timeout, inner, body)
      note "inner ended"
      task.checkpoint()
      note "too far"
    end)
  end
  nested(1, 1, never) -- at the same instant
  nested(1, 2, never)
  nested(1, 0.5, function() -- both have passed at the first wait
    busy(1)
    never()
  end)
  nested(1, 0.5, function()
    task.shield(task.sleep, 1)
    never()
  end)
  equal(elapsed(), 4)
  equal(log, { "inner ended", "inner ended", "inner ended", "inner ended" })

  local ok, err = task.move_on_after(1, task.timeout, 1, never)
  equal({ ok, err }, { false })
  raises_error({ kind = "Timeout", seconds = 3 },
    task.timeout, 3, task.timeout, 3, task.timeout, 3, never)
  equal(elapsed(), 8)
end)

it("timeout.inner_then_outer: a caught inner Timeout leaves the outer deadline in force", function()
  local elapsed = stopwatch()
  local log, note = recorder()
  raises_error({ kind = "Timeout", seconds = 2 }, task.timeout, 2, function()
    raises_error({ kind = "Timeout", seconds = 1 }, task.timeout, 1, never)
    note(elapsed())
    task.sleep(0.5)
    note { task.move_on_after(0.25, never) }
    note(elapsed())
    never()
  end)
  equal(log, { 1, { false }, 1.75 })
  equal(elapsed(), 2)
  -- The outer deadline passes while the inner block unwinds, and raises at the first wait behind.
  raises_error({ kind = "Timeout", seconds = 2 }, task.timeout, 2, function()
    raises_error({ kind = "Timeout", seconds = 1 }, task.timeout, 1, function()
      local _, err = pcall(never)
      busy(2)
      error(err, 0)
    end)
    task.checkpoint()
  end)
  equal(elapsed(), 5)
end)

it("timeout.deadline_inherited: the deadline in force is the earliest up to a shield", function()
  local t0 = task.now()
  local function left()
    local deadline = task.deadline()
    return math.abs(deadline) == math.huge and deadline
      or math.floor((deadline - t0) * 1e6 + 0.5) / 1e6
  end
  equal(left(), math.huge)
  task.timeout(5, function()
    equal(left(), 5)
    task.timeout(10, function() equal(left(), 5) end)
    task.timeout(3, function()
      equal({ left(), task.spawn(left):await() }, { 3, 3 })
      equal(task.spawn(function() return task.timeout(1, left) end):await(), 1)
      equal(task.background(left):await(), math.huge)
      task.group(function(g)
        equal({ left(), g:spawn(left):await() }, { 3, 3 })
        equal(task.scope().deadline, math.huge) -- its own
      end)
      task.shield(function()
        equal(left(), math.huge)
        task.timeout(7, function() equal(left(), 7) end)
      end)
      task.cleanup(4, function() equal({ left(), task.spawn(left):await() }, { 4, 4 }) end)
      task.scope():extend(4)
      equal(left(), 5)
      task.scope():cancel()
      equal(left(), -math.huge)
      task.shield(function() equal(left(), math.huge) end)
    end)
    equal(left(), 5)
  end)
  equal(left(), math.huge)
end)

it("timeout.in_cleanup: a timeout in cleanup works under a shield, and only there", function()
  local elapsed = stopwatch()
  local log, note = recorder()
  raises_error({ kind = "Timeout", seconds = 1 }, task.timeout, 1, function()
    local _ <close> = setmetatable({}, { __close = function()
      raises_error({ kind = "Cancelled", source = "deadline" }, task.timeout, 0.5, task.sleep, 10)
      note(elapsed())
      raises_error({ kind = "Timeout", seconds = 0.5 },
        task.shield, task.timeout, 0.5, task.sleep, 10)
      note(elapsed())
      note { task.cleanup(0.5, task.sleep, 10) }
      note(elapsed())
      note { task.cleanup(0.5, task.sleep, 0.25) }
      note(elapsed())
    end })
    never()
  end)
  equal(log, { 1, 1.5, { false }, 2, { true }, 2.25 })
  equal(elapsed(), 2.25)
end)

it("timeout.after_swallowed_cancel: a timeout opened after a Cancelled leaves it alone", function()
  local elapsed = stopwatch()
  -- Another scope's Cancelled, at once; never a Timeout of one's own.
  local t = task.spawn(function()
    pcall(never)
    for _ = 1, 2 do
      raises_error({ kind = "Cancelled", source = "cancel" }, task.timeout, 1, never)
      equal(pcall(task.move_on_after, 0, task.checkpoint), false)
    end
    return task.timeout(1, function() return "never waited" end)
  end)
  turns(2)
  t:cancel()
  equal(t:await(), "never waited")
  equal(elapsed(), 0)
  -- Once the scope that was cancelled is left, all is as before.
  task.move_on_after(1, function()
    pcall(never)
    pcall(never)
  end)
  equal(elapsed(), 1)
  raises_error({ kind = "Timeout", seconds = 2 }, task.timeout, 2, never)
  equal(elapsed(), 3)
  equal(task.timeout(2, function()
    task.sleep(1)
    return "value"
  end), "value")
  equal(elapsed(), 4)
end)

it("timeout.children_inside: a deadline ends tasks that the block spawned, no others", function()
  local elapsed = stopwatch()
  local log, note = recorder()
  local foreign = task.spawn(task.sleep, 4)
  local child, grandchild, watcher
  raises_error({ kind = "Timeout", seconds = 1 }, task.timeout, 1, function()
    child = task.spawn(function()
      grandchild = task.spawn(never)
      local _, err = pcall(never)
      note { err.source, elapsed() }
      task.cleanup(5, task.sleep, 0.5)
      error(err, 0)
    end)
    watcher = task.spawn(foreign.await, foreign)
    foreign:await()
  end)
  equal(elapsed(), 1.5) -- joined
  equal({ child:status(), grandchild:status(), watcher:status() },
    { "cancelled", "cancelled", "cancelled" })
  equal(foreign:status(), "suspended")

  -- A body that returns in time leaves none behind either.
  equal(task.timeout(1, function()
    child = task.spawn(function()
      local _, err = pcall(never)
      note { err.source, elapsed() }
    end)
    task.sleep(0.5)
    return "value"
  end), "value")
  equal(child:status(), "done")
  equal(log, { { "deadline", 1 }, { "owner", 2 } })

  -- A group inside unwinds and is late; what fails on the way goes before.
  raises_error({ kind = "Timeout" }, task.timeout, 1, task.group, function(g) g:spawn(never) end)
  local group = raises_error({ kind = "ErrorGroup" }, task.timeout, 1, task.group, function(g)
    g:spawn(function()
      pcall(never)
      error("cleanup broke", 0)
    end)
    never()
  end)
  equal(group.errors, { "cleanup broke" })
  equal(elapsed(), 4)
  equal({ task.wait { foreign }[1]:status() }, { "done" })
end)
