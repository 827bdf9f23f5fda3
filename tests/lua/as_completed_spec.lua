-- SPDX-License-Identifier: MIT
-- task.as_completed: tasks in the order they end; the loop owns what it spawned.
local task = require "septet.task"
local helpers = require "helpers"

local never, after_turns = helpers.never, helpers.after_turns

local function values_of(list, options)
  local values = {}
  for t in task.as_completed(list, options) do values[#values + 1] = t:await() end
  return values
end

describe("as_completed", function()
  it("as_completed gives the tasks themselves in the order they end", function()
    local a, b, c = task.spawn(after_turns(6)), task.spawn(after_turns(1)),
      task.spawn(after_turns(3))
    local order = {}
    for t in task.as_completed { a, b, c } do order[#order + 1] = t end
    equal(order, { b, c, a })
  end)

  it("as_completed gives tasks that ended before first, in the list's order", function()
    local a, b, c = task.spawn(after_turns(1, "a")), task.spawn(after_turns(0, "b")),
      task.spawn(after_turns(9, "c"))
    turns(3)
    equal(values_of { c, a, b }, { "a", "b", "c" })
  end)

  it("as_completed runs functions", function()
    equal(values_of { after_turns(4, "slow"), after_turns(1, "fast") }, { "fast", "slow" })
  end)

  it("as_completed of an empty list does nothing", function()
    equal(values_of {}, {})
    equal(values_of({}, { timeout = 0.001 }), {})
  end)

  it("as_completed gives a task that is listed twice once", function()
    local t = task.spawn(after_turns(1, "t"))
    equal(values_of { t, t, t }, { "t" })
    local f = after_turns(1, "f")
    equal(values_of { f, f }, { "f" })
  end)

  it("as_completed gives failed and cancelled tasks as well", function()
    local bad, gone = task.spawn(error, "x", 0), task.spawn(never)
    task.spawn(function() gone:cancel() end)
    local statuses = {}
    for t in task.as_completed { bad, gone } do
      statuses[#statuses + 1] = t:status()
      t:result()
    end
    equal(statuses, { "failed", "cancelled" })
  end)

  it("the body of as_completed may wait while other tasks end", function()
    local order = {}
    for t in task.as_completed { after_turns(3, 1), after_turns(4, 2), after_turns(5, 3) } do
      turns(10)
      order[#order + 1] = t:await()
    end
    equal(order, { 1, 2, 3 })
  end)

  it("as_completed gives five thousand tasks", function()
    local list = {}
    for i = 1, 5000 do list[i] = after_turns(i % 5, i) end
    equal(#values_of(list), 5000)
  end)

  it("a second loop over the same iterator of as_completed goes on", function()
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = task.spawn(after_turns(2 * i - 1, i))
    end
    local iterator = task.as_completed(tasks)
    equal(iterator():await(), 1)
    local rest = {}
    for t in iterator do rest[#rest + 1] = t:await() end
    equal(rest, { 2, 3 })
    equal(iterator(), nil)
    equal(iterator(), nil)
  end)
end)

describe("timeouts of as_completed", function()
  it("a timeout of as_completed is raised from the header, and no task is cancelled", function()
    local quick, slow = task.spawn(after_turns(1, "quick")), task.spawn(never)
    local got = {}
    local t0 = task.now()
    local err = raises_error({ kind = "Timeout", seconds = 0.02 }, function()
      for t in task.as_completed({ quick, slow }, { timeout = 0.02 }) do
        got[#got + 1] = t:await()
      end
    end)
    equal(task.now() - t0 >= 0.02, true)
    equal(tostring(err):find "0.02" ~= nil, true)
    equal(got, { "quick" })
    equal(slow:status(), "suspended")
    slow:cancel()
    task.wait { slow }
  end)

  it("a timeout of as_completed counts from the start, the body's time included", function()
    local slow = task.spawn(never)
    local seen = 0
    raises_error({ kind = "Timeout" }, function()
      for _ in task.as_completed({ task.spawn(after_turns(0)), slow }, { timeout = 0.01 }) do
        seen = seen + 1
        task.sleep(0.02)
      end
    end)
    equal(seen, 1)
    slow:cancel()
    task.wait { slow }
  end)

  it("a timeout of as_completed does nothing if all tasks end in time", function()
    equal(values_of({ after_turns(1, "a"), after_turns(2, "b") }, { timeout = 1000 }), { "a", "b" })
    equal(values_of({ after_turns(1, "a") }, { timeout = math.huge }), { "a" })
    task.checkpoint()
  end)

  it("a timeout of zero of as_completed gives the tasks that have ended", function()
    local t = task.spawn(after_turns(0, "t"))
    t:await()
    equal(values_of({ t }, { timeout = 0 }), { "t" })
  end)
end)

describe("leaving the loop early", function()
  it("leaving the loop of as_completed early does not cancel the tasks of its list", function()
    local a, b = task.spawn(after_turns(1)), task.spawn(never)
    for _ in task.as_completed { a, b } do break end
    turns(2)
    equal(b:status(), "suspended")
    b:cancel()
    task.wait { b }
  end)

  it("leaving the loop early ends the tasks that it spawned, before the scope ends", function()
    local cleaned = false
    task.spawn(function()
      for _ in task.as_completed { after_turns(1), function()
        local ok, err = pcall(never)
        cleaned = true
        error(err, 0)
      end } do
        break
      end
    end):await()
    equal(cleaned, true)
  end)

  it("leaving the loop by an error or a return ends the tasks that it spawned", function()
    for _, leave in ipairs { function() error("out", 0) end, function() return true end } do
      local child
      local t = task.spawn(function()
        for _ in task.as_completed { after_turns(1), function()
          child = task.current()
          never()
        end } do
          if leave() then return end
        end
      end)
      pcall(t.await, t)
      equal(child:status(), "cancelled")
    end
  end)

  it("a cancellation in the header ends the tasks that the loop spawned", function()
    local child
    local t = task.spawn(function()
      for _ in task.as_completed { function()
        child = task.current()
        never()
      end } do
        error "nothing ends here"
      end
    end)
    turns(3)
    t:cancel()
    raises_error({ kind = "TaskCancelled" }, t.await, t)
    equal(child:status(), "cancelled")
  end)
end)

describe("mistakes", function()
  it("as_completed refuses anything but a list of tasks and functions", function()
    misuse("bad argument #1 to 'as_completed' %(list expected, got nil%)", function()
      task.as_completed()
    end)
    misuse("item 1: task or function expected, got string", function()
      task.as_completed({ "x" })
    end)
    misuse("unknown option 'timout' to 'as_completed', did you mean 'timeout'%?", function()
      task.as_completed({}, { timout = 1 })
    end)
    misuse("bad option 'timeout'", function() task.as_completed({}, { timeout = -1 }) end)
    misuse("bad option 'timeout'", function() task.as_completed({}, { timeout = 0 / 0 }) end)
  end)
end)
