-- SPDX-License-Identifier: MIT
-- Cancellation: what a task may do before it ends, and what keeps a cancellation out.
local task = require "septet.task"
local sync = require "septet.sync"
local command, helpers = require "command", require "helpers"

local recorder, stopwatch = helpers.recorder, helpers.stopwatch
local closer, never = helpers.closer, helpers.never
local waiting, cancelled = helpers.waiting, helpers.cancelled

it("cancel.swallow_loop_fair: a loop that swallows Cancelled lets other tasks run", function()
  local event = sync.event()
  event:set()
  local ended = task.spawn(function() end)
  ended:await()
  for name, wait in pairs {
    sleep = function() task.sleep(1000) end,
    checkpoint = task.checkpoint,
    await_ended = function() ended:await() end,
    event = function() event:wait() end,
    group = function() task.group(function() end) end,
  } do
    local swallowed, others = 0, 0
    local t = task.spawn(function()
      while swallowed < 100 do
        equal(pcall(wait), false)
        swallowed = swallowed + 1
      end
    end)
    t:cancel()
    local other = task.spawn(function()
      while t:status() ~= "done" do
        others = others + 1
        -- they take turns
        equal(math.abs(swallowed - others) <= (MODE == "shuffle" and 10 or 1), true, name)
        task.checkpoint()
      end
    end)
    other:await()
  end
end)

it("cancel.stuck_warning: a task that swallows 1000 cancellations is reported once", function()
  local printed, status = command.run [[
local function absorb(times)
  for _ = 1, times do pcall(task.sleep, 1) end
end
local t, patient = task.spawn(function() absorb(3500) end), task.spawn(absorb, 999)
t.name = "stubborn"
t:cancel() patient:cancel()
t:await() patient:await()
]]
  equal(status, 0)
  local words = "^septet: warning: task 'stubborn' ignores its cancellation: "
    .. "it has absorbed it 1000 times\n"
  equal(printed:find(words .. "stack traceback:\n.*'absorb'") ~= nil, true, printed)
  equal(select(2, printed:gsub("warning", "")), 1)
end)

it("cancel.during_cleanup: a wait in cleanup that is not shielded raises at once", function()
  local elapsed = stopwatch()
  local log, note = recorder()
  local t = waiting(function()
    local _ <close> = closer(function() note "last closer" end)
    local _ <close> = closer(function()
      task.sleep(1)
      note "too far"
    end)
    local _ <close> = closer(function()
      note { task.cleanup(5, function()
        task.sleep(1)
        return "cleaned up"
      end) }
    end)
    local ok = pcall(never)
    equal(ok, false)
    raises_error({ kind = "Cancelled" }, task.checkpoint)
    never()
  end)
  t:cancel()
  task.wait { t }
  equal(log, { { true, "cleaned up" }, "last closer" })
  equal({ t:status(), elapsed() }, { "cancelled", 1 })
end)

it("cancel.shield: a shielded block waits to its end, and raises only then", function()
  local elapsed = stopwatch()
  local log, note = recorder()
  local t = task.spawn(function()
    note { task.shield(function(...)
      equal(task.deadline(), math.huge)
      local child = task.spawn(task.sleep, 2)
      task.sleep(1)
      note(elapsed())
      child:await()
      task.timeout(5, task.group, function(g) g:spawn(task.sleep, 1) end)
      return ...
    end, "value", nil, 3) }
    note(elapsed())
    task.sleep(0)
    note "too far"
  end)
  task.sleep(0.5)
  t:cancel()
  raises_error({ kind = "TaskCancelled" }, t.await, t)
  equal(log, { 1, { "value", nil, 3 }, 3 })
  equal(elapsed(), 3)

  -- The same for a deadline from outside. A body that returns behind the shield has not been late.
  equal(task.timeout(1, function()
    task.shield(task.sleep, 2)
    return "value"
  end), "value")
  equal(elapsed(), 5)
  raises_error({ kind = "Timeout" }, task.timeout, 1, function()
    task.shield(task.sleep, 2)
    task.checkpoint()
  end)
  equal(elapsed(), 7)
  raises("^own$", task.shield, error, "own", 0)
end)

it("cancel.shield_own_deadline: a shielded block still obeys its own deadline", function()
  local elapsed = stopwatch()
  local t = cancelled(function()
    pcall(never)
    equal({ task.cleanup(1, never) }, { false })
    equal(elapsed(), 1)
    raises_error({ kind = "Timeout", seconds = 2 }, task.shield, task.timeout, 2, never)
    equal(elapsed(), 3)
    equal(task.shield(function() -- its own cancellation as well
      task.scope():cancel()
      task.sleep(1)
      return "too far"
    end), nil)
    -- and not an outer shield's
    equal({ task.cleanup(1, task.cleanup, 5, task.sleep, 2) }, { true, true })
    equal(elapsed(), 5)
    task.checkpoint()
  end)
  raises_error({ kind = "TaskCancelled", reason = "enough" }, t.await, t)
  equal(elapsed(), 5)
end)

it("cancel.unshield_redelivers: the first wait behind a shield raises Cancelled", function()
  local elapsed = stopwatch()
  local log, note = recorder()
  local mate
  local t = task.spawn(function()
    task.group(function(g)
      task.shield(function()
        mate = g:spawn(never) -- the shield is a block: it is not in it
        task.shield(task.sleep, 1)
        task.sleep(1)
        note(elapsed())
      end)
      local ok, err = pcall(task.sleep, 1)
      note { ok, err.reason, elapsed() }
      task.shield(task.sleep, 1)
      note(elapsed())
      task.sleep(1)
    end)
  end)
  task.sleep(0.5)
  t:cancel "enough"
  task.wait { mate }
  equal({ mate:status(), elapsed() }, { "cancelled", 0.5 })
  raises_error({ kind = "TaskCancelled", reason = "enough" }, t.await, t)
  equal(log, { 2, { false, "enough", 2 }, 3 })
end)

it("cancel.unshield_while_propagating: a raised Cancelled passes the end of a shield", function()
  local elapsed = stopwatch()
  local log, note = recorder()
  -- Raised on inside a shield that was opened on its way out.
  equal({ task.move_on_after(1, function()
    local _, err = pcall(never)
    task.shield(error, err, 0)
    note "too far"
  end) }, { false })
  -- The shield is cancelled, too: it absorbs that, and the outer scope raises behind it.
  equal({ task.move_on_after(1, function()
    local _, err = pcall(never)
    equal({ task.cleanup(1, function()
      raises_error({ kind = "Cancelled", source = "deadline" }, task.sleep, 2)
      error(err, 0)
    end) }, { false })
    note(elapsed())
    task.checkpoint()
    note "too far"
  end) }, { false })
  equal(log, { 3 })
  task.checkpoint()
end)
