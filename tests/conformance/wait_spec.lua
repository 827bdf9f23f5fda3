-- SPDX-License-Identifier: MIT
-- task.wait: what it returns and when, and what it leaves alone.
local task = require "septet.task"
local helpers = require "helpers"

local never, dismiss = helpers.never, helpers.dismiss

local function spawn_after(...)
  return task.spawn(helpers.after(...))
end

local function spawn_failing(...)
  return task.spawn(helpers.failing(...))
end

local function cancelled(seconds)
  local t = task.spawn(never)
  task.spawn(function()
    task.sleep(seconds)
    t:cancel()
  end)
  return t
end

-- Waits, and gives the seconds that took, the done, the pending.
local function wait(tasks, options)
  local start = task.now()
  local done, pending = task.wait(tasks, options)
  return ("%g"):format(task.now() - start), done, pending
end

it("wait.all: wait returns the tasks in the order they ended, and raises nothing", function()
  for _, options in ipairs { {}, { return_when = "ALL_COMPLETED" } } do
    local slow, failed, quick, gone = spawn_after(4), spawn_failing(2, "x"), spawn_after(1),
      cancelled(3)
    equal({ wait({ slow, failed, quick, gone }, options) },
      { "4", { quick, failed, gone, slow }, {} })
    equal({ failed:result() }, { false, "x" })
    equal(gone:status(), "cancelled")
    equal({ wait({ slow, quick }, options) }, { "0", { slow, quick }, {} }) -- ended long ago
  end

  local lost = {} -- to be handed a failed task is not to have looked at it
  task.on_unhandled = function(_, err) lost[#lost + 1] = err end
  task.spawn(function() task.wait { spawn_failing(1, "unseen") } end):await()
  turns(2)
  equal(lost, { "unseen" })
end)

it("wait.first_completed: FIRST_COMPLETED returns with the first end, of any kind", function()
  local a, b, c = spawn_after(3), spawn_after(1), spawn_after(2)
  local first = { return_when = "FIRST_COMPLETED" }
  equal({ wait({ a, b, c }, first) }, { "1", { b }, { a, c } })
  equal({ wait({ a, b, c }, first) }, { "0", { b }, { a, c } })
  equal({ wait({ a, c }, first) }, { "1", { c }, { a } })
  equal({ wait({ a }, first) }, { "1", { a }, {} })

  local failed, gone = spawn_failing(1, "x"), cancelled(2)
  equal({ wait({ gone, failed }, first) }, { "1", { failed }, { gone } }) -- however it ends
  equal({ wait({ gone }, first) }, { "1", { gone }, {} })
  dismiss(failed)

  local pending, order = {}, {}
  for i = 1, 5 do pending[i] = spawn_after((i * 2) % 5, i) end
  while #pending > 0 do
    local done
    done, pending = task.wait(pending, first)
    for _, t in ipairs(done) do order[#order + 1] = t:await() end
  end
  equal(order, { 5, 3, 1, 4, 2 })
end)

it("wait.first_exception: FIRST_EXCEPTION returns with the first failure, or all ended", function()
  local options = { return_when = "FIRST_EXCEPTION" }
  local a, failed, c, never_ends = spawn_after(1), spawn_failing(2, "x"), spawn_after(3),
    task.spawn(never)
  equal({ wait({ never_ends, c, failed, a }, options) }, { "2", { a, failed }, { never_ends, c } })
  equal({ c:status(), never_ends:status() }, { "suspended", "suspended" })
  -- it had failed before
  equal({ wait({ never_ends, failed }, options) }, { "0", { failed }, { never_ends } })
  local d = spawn_after(2)
  equal({ wait({ d, c }, options) }, { "2", { c, d }, {} }) -- none fails
  dismiss(failed, never_ends)
end)

it("wait.fe_ignores_cancelled: FIRST_EXCEPTION counts no cancelled task as a failure", function()
  local options = { return_when = "FIRST_EXCEPTION" }
  local gone, done, failed = cancelled(1), spawn_after(3), spawn_failing(2, "x")
  equal({ wait({ done, gone, failed }, options) }, { "2", { gone, failed }, { done } })
  -- nor one that was cancelled before
  equal({ wait({ gone, done }, options) }, { "1", { gone, done }, {} })
  dismiss(failed)
end)

it("wait.timeout: a timeout ends the wait; it neither raises nor cancels", function()
  local quick, slow, stuck = spawn_after(1, "quick"), spawn_after(3, "slow"), task.spawn(never)
  equal({ wait({ stuck, slow, quick }, { timeout = 2 }) }, { "2", { quick }, { stuck, slow } })
  equal({ slow:status(), stuck:status() }, { "suspended", "suspended" })
  equal({ wait({ stuck, quick }, { timeout = 0 }) }, { "0", { quick }, { stuck } })
  equal({ wait({ stuck, slow }, { timeout = 5, return_when = "FIRST_COMPLETED" }) },
    { "1", { slow }, { stuck } })
  equal(slow:await(), "slow")
  equal({ wait({ slow, quick }, { timeout = 1 }) }, { "0", { slow, quick }, {} })
  local last = spawn_after(1)
  equal({ wait({ last }, { timeout = math.huge }) }, { "1", { last }, {} })
  equal(task.deadline(), math.huge) -- none is left behind
  dismiss(stuck)
end)

it("wait.cancel_leaves: a cancelled waiter leaves the tasks alone", function()
  for _, options in ipairs { {}, { return_when = "FIRST_COMPLETED" },
    { return_when = "FIRST_EXCEPTION" },
    { timeout = 9 } } do
    local target, raised = spawn_after(2, "target"), nil
    local waiter = task.spawn(function()
      raised = select(2, pcall(task.wait, { target }, options))
      error(raised, 0)
    end)
    task.sleep(1)
    waiter:cancel "outside"
    task.wait { waiter }
    equal({ raised.kind, raised.reason, raised.source }, { "Cancelled", "outside", "cancel" })
    equal({ waiter:status(), target:status() }, { "cancelled", "suspended" })
    equal(target:await(), "target")
  end
end)

it("wait.empty: an empty list gives two empty lists at once", function()
  for _, mode in ipairs { "ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION" } do
    equal({ wait({}, { return_when = mode }) }, { "0", {}, {} })
    equal({ wait({}, { return_when = mode, timeout = 5 }) }, { "0", {}, {} })
  end
  equal({ wait({}) }, { "0", {}, {} })
end)

it("wait.duplicates: a task that is listed twice counts once", function()
  local a, b = spawn_after(1), spawn_after(2)
  equal({ wait({ b, a, b, a, a }, { return_when = "FIRST_COMPLETED" }) }, { "1", { a }, { b } })
  equal({ wait { a, b, a, b } }, { "1", { a, b }, {} })
end)

it("wait.rejects_functions: functions and other values that are no tasks are refused", function()
  local started, live = false, #task.tree()
  local t = task.spawn(task.sleep, 1)
  local function member() started = true end
  misuse("bad argument #1 to 'wait' %(item 2: task expected, got function%)", function()
    task.wait({ t, member })
  end)
  misuse("item 1: task expected, got table", function() task.wait({ {}, t }) end)
  misuse("item 2: a task cannot wait for itself", function() task.wait({ t, task.current() }) end)
  misuse("list expected, got function", function() task.wait(member) end)
  misuse("bad option 'timeout' to 'wait'", function() task.wait({ t }, { timeout = -1 }) end)
  misuse("bad option 'return_when' to 'wait' %('ALL_COMPLETED', 'FIRST_COMPLETED' or "
    .. "'FIRST_EXCEPTION' expected, got 'SOON'%)", function()
    task.wait({ t }, { return_when = "SOON" })
  end)
  turns(3)
  equal(started, false)
  t:await()
  equal(#task.tree(), live)
end)

it("wait.same_tick: all tasks that end in the same batch are done", function()
  local function many_at(seconds)
    local tasks = {}
    for i = 1, 5 do tasks[i] = spawn_after(seconds, i) end
    return tasks
  end
  local last = task.spawn(never)
  for _, options in ipairs { { return_when = "FIRST_COMPLETED" },
    { return_when = "FIRST_COMPLETED", timeout = 2 } } do
    local tasks = many_at(1)
    tasks[6] = last
    local took, done, pending = wait(tasks, options)
    equal({ took, #done, pending }, { "1", 5, { last } })
    if MODE ~= "shuffle" then equal(done, { table.unpack(tasks, 1, 5) }) end
  end

  local failed, tasks = {}, many_at(1)
  for i = 1, 3 do
    failed[i] = spawn_failing(1, i)
    tasks[5 + i] = failed[i]
  end
  tasks[9] = last
  local took, done, pending = wait(tasks, { return_when = "FIRST_EXCEPTION" })
  equal({ took, #done, pending }, { "1", 8, { last } })
  dismiss(last, table.unpack(failed))
end)
