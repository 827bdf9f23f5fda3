-- SPDX-License-Identifier: MIT
-- task.wait: for all, for the first, for the first failure, for a time; it neither raises nor
-- cancels.
-- check: allow wrong-arguments
local task = require "septet.task"
local helpers = require "helpers"

local never, dismiss = helpers.never, helpers.dismiss

local function spawn_after(...)
  return task.spawn(helpers.after_turns(...))
end

local function spawn_failing(laps, value)
  return task.spawn(function()
    turns(laps)
    error(value, 0)
  end)
end

describe("wait", function()
  it("wait returns the done in the order they ended, none pending", function()
    local a, b, c = spawn_after(5), spawn_after(1), spawn_after(3)
    local done, pending = task.wait { a, b, c }
    equal(done, { b, c, a })
    equal(pending, {})
  end)

  it("wait neither raises the tasks' errors nor cancels any", function()
    local ok, failed = spawn_after(1), spawn_failing(2, "x")
    local cancelled = task.spawn(never)
    task.spawn(function() cancelled:cancel() end)
    local done, pending = task.wait { ok, failed, cancelled }
    equal(#done, 3)
    equal(#pending, 0)
    equal({ failed:result() }, { false, "x" })
  end)

  it("FIRST_COMPLETED returns at the first; the others stay in the list's order", function()
    local a, b, c = spawn_after(9), spawn_after(1), spawn_after(6)
    local done, pending = task.wait({ a, b, c }, { return_when = "FIRST_COMPLETED" })
    equal(done, { b })
    equal(pending, { a, c })
    equal(#task.wait(pending), 2)
  end)

  it("FIRST_COMPLETED returns all that ended in the same batch", function()
    local a, b, c = spawn_after(1), spawn_after(1), task.spawn(never)
    local done, pending = task.wait({ c, a, b }, { return_when = "FIRST_COMPLETED" })
    equal(done, { a, b })
    equal(pending, { c })
    dismiss(c)
  end)

  it("FIRST_COMPLETED returns tasks that ended before at once", function()
    local a, b = spawn_after(0), task.spawn(never)
    a:await()
    local done, pending = task.wait({ b, a }, { return_when = "FIRST_COMPLETED" })
    equal(done, { a })
    equal(pending, { b })
    dismiss(b)
  end)

  it("FIRST_EXCEPTION returns at the first failure", function()
    local a, b, c = spawn_after(1), spawn_failing(3, "x"), task.spawn(never)
    local done, pending = task.wait({ a, b, c }, { return_when = "FIRST_EXCEPTION" })
    equal(done, { a, b })
    equal(pending, { c })
    dismiss(b, c)
  end)

  it("FIRST_EXCEPTION does not count a cancelled task as a failure", function()
    local a, b = task.spawn(never), spawn_after(5)
    turns(1)
    a:cancel()
    local done, pending = task.wait({ a, b }, { return_when = "FIRST_EXCEPTION" })
    equal(done, { a, b })
    equal(pending, {})
  end)

  it("FIRST_EXCEPTION returns at once if a task failed before", function()
    local a, b = spawn_failing(0, "x"), task.spawn(never)
    turns(1)
    local done, pending = task.wait({ b, a }, { return_when = "FIRST_EXCEPTION" })
    equal(done, { a })
    equal(pending, { b })
    dismiss(a, b)
  end)

  it("ALL_COMPLETED is the default by name", function()
    local done = task.wait({ spawn_after(1), spawn_after(2) }, { return_when = "ALL_COMPLETED" })
    equal(#done, 2)
  end)

  it("wait with a timeout returns what has ended by then, and raises nothing", function()
    local a, b = spawn_after(1), task.spawn(never)
    local t0 = task.now()
    local done, pending = task.wait({ b, a }, { timeout = 0.02 })
    equal(task.now() - t0 >= 0.02, true)
    equal(done, { a })
    equal(pending, { b })
    equal(b:status(), "suspended") -- not cancelled
    dismiss(b)
  end)

  it("wait with a timeout of zero looks, and does not wait for time to pass", function()
    local a, b = spawn_after(0), task.spawn(never)
    a:await()
    local done, pending = task.wait({ b, a }, { timeout = 0 })
    equal(done, { a })
    equal(pending, { b })
    dismiss(b)
  end)

  it("wait with a timeout that is not reached leaves nothing behind", function()
    for _, seconds in ipairs { 1000, math.huge } do
      local done = task.wait({ spawn_after(1) }, { timeout = seconds })
      equal(#done, 1)
      task.checkpoint()
    end
  end)

  it("wait of an empty list returns two empty lists, whatever the mode", function()
    for _, mode in ipairs { "ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION" } do
      local done, pending = task.wait({}, { return_when = mode })
      equal({ done, pending }, { {}, {} })
    end
    equal({ task.wait({}, { timeout = 0.001 }) }, { {}, {} })
  end)

  it("wait drops duplicates", function()
    local a, b = spawn_after(1), task.spawn(never)
    local done, pending = task.wait({ b, a, b, a }, { return_when = "FIRST_COMPLETED" })
    equal(done, { a })
    equal(pending, { b })
    dismiss(b)
  end)

  it("a cancelled wait leaves its tasks alone", function()
    local target = task.spawn(never)
    for _, options in ipairs { {}, { timeout = 1000 }, { return_when = "FIRST_COMPLETED" } } do
      local waiter = task.spawn(function() task.wait({ target }, options) end)
      turns(2)
      waiter:cancel()
      raises_error({ kind = "TaskCancelled" }, waiter.await, waiter)
      equal(target:status(), "suspended")
    end
    dismiss(target)
  end)

  it("many tasks may wait for the same tasks at once", function()
    local target = spawn_after(3, "v")
    local woken = 0
    local waiters = {}
    for i = 1, 20 do
      waiters[i] = task.spawn(function()
        equal(#task.wait { target }, 1)
        woken = woken + 1
      end)
    end
    task.wait(waiters)
    equal(woken, 20)
  end)

  it("wait in a loop until nothing is pending sees each task once", function()
    local pending, seen = {}, 0
    for i = 1, 50 do pending[i] = spawn_after(i % 7) end
    while #pending > 0 do
      local done
      done, pending = task.wait(pending, { return_when = "FIRST_COMPLETED" })
      seen = seen + #done
    end
    equal(seen, 50)
  end)

  it("wait takes ten thousand tasks", function()
    local tasks = {}
    for i = 1, 10000 do tasks[i] = spawn_after(i % 3) end
    local done, pending = task.wait(tasks)
    equal(#done, 10000)
    equal(#pending, 0)
  end)
end)

describe("mistakes", function()
  it("wait refuses functions and other values, at the caller's line", function()
    misuse("bad argument #1 to 'wait' %(item 1: task expected, got function%)", function()
      task.wait({ never })
    end)
    misuse("item 1: task expected, got boolean", function() task.wait({ false }) end)
    misuse("list expected, got nil", function() task.wait() end)
    misuse("list expected, got userdata", function() task.wait(task.current()) end)
  end)

  it("wait refuses unknown options, and names the one that was meant", function()
    misuse("unknown option 'timeuot' to 'wait', did you mean 'timeout'%?", function()
      task.wait({}, { timeuot = 1 })
    end)
    misuse("unknown option 'returnwhen' to 'wait', did you mean 'return_when'%?", function()
      task.wait({}, { returnwhen = "x" })
    end)
    misuse("unknown option 'zzz' to 'wait' %(one of return_when,", function()
      task.wait({}, { zzz = 1 })
    end)
    misuse("unknown option '1' to 'wait' %(one of return_when,", function()
      task.wait({}, { 5 })
    end)
  end)

  it("wait refuses option values of the wrong type", function()
    local words = "bad option 'timeout' to 'wait' %(seconds, not negative, expected, got string%)"
    misuse(words, function()
      task.wait({}, { timeout = "1" })
    end)
    misuse("bad option 'timeout'", function() task.wait({}, { timeout = -1 }) end)
    misuse("bad option 'timeout'", function() task.wait({}, { timeout = 0 / 0 }) end)
    words = "bad option 'return_when' to 'wait' "
      .. "%('ALL_COMPLETED', 'FIRST_COMPLETED' or 'FIRST_EXCEPTION' expected, got 'SOON'%)"
    misuse(words, function()
      task.wait({}, { return_when = "SOON" })
    end)
    misuse("bad option 'return_when'", function() task.wait({}, { return_when = 1 }) end)
    misuse("bad options to 'wait' %(table expected, got string%)", function()
      task.wait({}, "ALL_COMPLETED")
    end)
  end)
end)

describe("a task", function()
  it("wait refuses a list that has the waiting task itself", function()
    for _, name in ipairs { "wait", "gather", "as_completed" } do
      local err = raises("a task cannot wait for itself", task[name], { task.current() })
      equal(task.is(err, "Usage"), true)
    end
  end)
end)
