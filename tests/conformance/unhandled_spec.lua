-- SPDX-License-Identifier: MIT
-- Failures that no task sees, and tasks that outlive the end of their owner.
-- check: allow dropped-result
local task = require "septet.task"
local command, helpers = require "command", require "helpers"

local recorder, stopwatch = helpers.recorder, helpers.stopwatch
local never, fail = helpers.never, helpers.fail
local has = helpers.has
local run = command.run

it("unhandled.at_scope_close: an unseen failure is reported once, at the scope's end", function()
  local log, note = recorder()
  local reported = {}
  task.on_unhandled = function(t, err, traceback)
    note("reported: " .. err)
    reported[err] = { t, traceback }
  end
  local function failing_frame(what)
    error(what, 0)
  end
  local child
  equal(task.timeout(10, function()
    child = task.spawn(failing_frame, "the block's")
    turns(5)
    collectgarbage()
    note("child " .. child:status())
    return "value"
  end), "value")
  note "block closed"
  turns(1)
  task.spawn(function()
    task.spawn(failing_frame, "the task's")
    turns(5)
    note "task returns"
  end):await()
  note "task ended"
  turns(1)
  task.background(failing_frame, "the run's") -- whose scope is open to the end
  turns(3)
  note "end"
  equal(log, {
    "child failed", "block closed", "reported: the block's",
    "task returns", "reported: the task's", "task ended",
    "reported: the run's", "end",
  })
  equal(rawequal(reported["the block's"][1], child), true)
  has(reported["the block's"][2], "in function <.*unhandled_spec.lua:%d+>")
  has(reported["the block's"][2], ">.*\n\tspawned at .*unhandled_spec.lua:%d+ by #%d+$")
end)

it("unhandled.not_if_awaited: a failure that a task has seen is not reported", function()
  local reported, note = recorder()
  task.on_unhandled = function(_, err) note(err) end
  task.timeout(10, function()
    local awaited, result, twice, elsewhere = task.spawn(fail, 1), task.spawn(fail, 2),
      task.spawn(fail, 3),
      task.background(function(t) pcall(t.await, t) end, task.spawn(fail, 4))
    pcall(awaited.await, awaited)
    turns(3)
    result:result()
    pcall(twice.await, twice)
    pcall(twice.await, twice)
    elsewhere:await()
    pcall(task.gather, { task.spawn(fail, 5), never })
    pcall(task.group, function(g) g:spawn(fail, 6) end)
  end)
  -- By a task that waits outside, where its owner ends with it.
  local last
  local owner = task.spawn(function()
    last = task.spawn(function()
      pcall(never)
      error("last", 0)
    end)
    task.sleep(1)
  end)
  turns(2)
  raises("^last$", last.await, last)
  owner:await()
  turns(2)
  equal(reported, {})

  -- A task that holds its handle, or a waiter that has gone, has not seen it.
  task.timeout(10, function()
    task.wait { task.spawn(fail, "waited for") }
    for t in task.as_completed { task.spawn(fail, "completed") } do t:status() end
    local left = task.spawn(function()
      task.sleep(1)
      error("left alone", 0)
    end)
    task.move_on_after(0.5, left.await, left)
    task.sleep(1)
  end)
  turns(2)
  equal(reported, { "waited for", "completed", "left alone" })
end)

it("unhandled.not_if_cancelled: a task that ends cancelled is not reported", function()
  local reported, note = recorder()
  task.on_unhandled = function(_, err) note(err) end
  task.spawn(function()
    local waiting = task.spawn(never)
    task.spawn(never):cancel() -- before it starts
    local rethrows = task.spawn(function()
      local _, err = pcall(never)
      task.checkpoint()
      error(err, 0)
    end)
    local returns = task.spawn(pcall, never)
    task.spawn(never) -- until its owner ends
    turns(1)
    waiting:cancel()
    rethrows:cancel()
    returns:cancel()
    turns(3)
    for _, t in ipairs { waiting, rethrows } do equal(t:status(), "cancelled") end
    equal(returns:status(), "done")
  end):await()
  turns(2)
  equal(reported, {})

  task.spawn(function()
    local t = task.spawn(function()
      pcall(never)
      error("cleanup broke", 0)
    end)
    turns(1)
    t:cancel()
  end):await()
  turns(2)
  equal(reported, { "cleanup broke" })
end)

it("orphan.cancelled_at_owner_end: a task's end cancels and joins its tasks", function()
  local log, note = recorder()
  local elapsed = stopwatch()
  local orphan, grandchild
  local function spawn_orphan()
    orphan = task.spawn(function()
      grandchild = task.spawn(never)
      local _, err = pcall(never)
      note(("cancelled by its %s at %g s"):format(err.source, elapsed()))
      task.cleanup(5, task.sleep, 1)
      note "cleaned up"
      error(err, 0)
    end)
    task.sleep(1)
    note "owner ends"
  end
  local function check(owner, ...)
    equal({ pcall(owner.await, owner) }, { ... })
    equal(elapsed(), 2)
    equal({ orphan:status(), grandchild:status() }, { "cancelled", "cancelled" })
    equal(log, { "owner ends", "cancelled by its owner at 1 s", "cleaned up" })
  end
  check(task.spawn(function()
    spawn_orphan()
    return "value"
  end), true, "value")

  log, note = recorder()
  elapsed = stopwatch()
  check(task.spawn(function()
    spawn_orphan()
    error("failure", 0)
  end), false, "failure")

  -- One that never ran gets to its first wait, as any task that is cancelled.
  log, note = recorder()
  task.spawn(function()
    orphan = task.spawn(function()
      note "started"
      task.sleep(0)
      note "too far"
    end)
  end):await()
  equal(log, { "started" })
  equal(orphan:status(), "cancelled")
end)

it("orphan.background_survives_owner: a background task ends with the main task", function()
  local background
  local owner = task.spawn(function()
    background = task.background(function()
      task.sleep(2)
      return "survived"
    end)
    task.sleep(1)
  end)
  owner:await()
  equal(background:status(), "suspended")
  owner = task.spawn(never)
  owner:cancel()
  task.wait { owner }
  equal(background:await(), "survived")

  equal({ run [[
task.spawn(function()
  task.background(function()
    local _, err = pcall(task.sleep, 1000)
    say(err.source)
    task.cleanup(5, task.sleep, 1)
    say "cleaned up"
    error(err, 0)
  end)
end):await()
say "owner ended"
task.sleep(2)
say "main ends"]] }, { "0 s:\towner ended\n2 s:\tmain ends\n2 s:\towner\n3 s:\tcleaned up\n", 0 })
end)
