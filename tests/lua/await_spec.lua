-- SPDX-License-Identifier: MIT
-- Awaiting: the values and errors of a task, for any number of waiters.
local task = require "septet.task"
local helpers = require "helpers"

local never, recorder = helpers.never, helpers.recorder

describe("await", function()
  it("every await of a task returns the same values", function()
    local t = task.spawn(function() return {}, 2 end)
    local a = t:await()
    local b, two = t:await()
    equal(rawequal(a, b), true)
    equal(two, 2)
  end)

  it("the end of a task resumes its many waiters in the order they came", function()
    local order, note = recorder()
    local open = gate()
    local target = task.spawn(function()
      open.wait()
      return "v"
    end)
    local waiters = {}
    for i = 1, 5 do
      waiters[i] = task.spawn(function() note { i, target:await() } end)
    end
    turns(1)
    open.open()
    task.wait(waiters)
    equal(order, { { 1, "v" }, { 2, "v" }, { 3, "v" }, { 4, "v" }, { 5, "v" } })
  end)

  it("every await of a failed task raises the same error value", function()
    local thrown = { "mine" }
    local t = task.spawn(function() error(thrown) end)
    for _ = 1, 2 do
      local ok, err = pcall(t.await, t)
      equal(ok, false)
      equal(rawequal(err, thrown), true)
    end
    equal(getmetatable(thrown), nil)
    equal(next(thrown, 1), nil) -- nothing was added to it
  end)

  it("await passes error values of every type", function()
    for _, value in ipairs { "text", 7, false, io.stdout, print } do
      local t = task.spawn(error, value, 0)
      local ok, err = pcall(t.await, t)
      equal(ok, false)
      equal(rawequal(err, value), true, tostring(value))
    end
  end)

  it("await makes an error of nil an object that says so", function()
    local t = task.spawn(function() error() end)
    local err = raises("nil error", t.await, t)
    equal(task.is(err), true)
    equal(rawequal(select(2, pcall(t.await, t)), err), true)
    equal(t:status(), "failed")
  end)

  it("awaiting a task that has ended lets other tasks run", function()
    local order, note = recorder()
    local t = task.spawn(function() end)
    t:await()
    task.spawn(note, "other")
    for _ = 1, 1000 do t:await() end -- a loop of awaits lets other tasks run
    equal(order, { "other" })
  end)

  it("awaiting a task that has ended raises Cancelled if the waiter is cancelled", function()
    local ended = task.spawn(function() return 1 end)
    ended:await()
    local waiter = task.spawn(function()
      task.current():cancel()
      return pcall(ended.await, ended)
    end)
    local ok, err = waiter:await()
    equal(ok, false)
    equal(task.is_cancelled(err), true)
  end)

  it("a task that awaits itself is refused, and takes no harm", function()
    local t
    t = task.spawn(function()
      misuse("a task cannot await itself", function() t:await() end)
      return "fine"
    end)
    equal(t:await(), "fine")
  end)

  it("awaiting a cancelled task raises TaskCancelled, which is no Cancelled", function()
    local t = task.spawn(never)
    t.name = "victim"
    turns(1)
    t:cancel "because"
    local err = raises_error({ kind = "TaskCancelled", reason = "because" }, t.await, t)
    equal(rawequal(err.task, t), true)
    equal(err.message, "task 'victim' was cancelled")
    equal(task.is_cancelled(err), false)
    equal(task.is(err, "Cancelled"), false)
    equal(t:status(), "cancelled")
  end)

  it("await only observes: cancelling the waiter leaves the task running", function()
    local open = gate()
    local target = task.spawn(function()
      open.wait()
      return "survived"
    end)
    local waiter = task.spawn(function() target:await() end)
    turns(1)
    waiter:cancel()
    raises_error({ kind = "TaskCancelled" }, waiter.await, waiter)
    equal(target:status(), "suspended")
    open.open()
    equal(target:await(), "survived")
  end)

  it("an awaited error keeps the traceback of its place", function()
    local function deep_inside()
      local none = nil
      return none.field -- luacheck: ignore
    end
    local t = task.spawn(function() return 1 + deep_inside() end)
    local err = raises("attempt to index a nil value", t.await, t)
    equal(type(err), "string")
    equal(t:traceback():find "deep_inside" ~= nil, true)
  end)

  it("errors of Septet have a traceback", function()
    local function deep_inside()
      task.sleep(-1)
    end
    local t = task.spawn(function() return 1, deep_inside() end)
    local err = raises_error({ kind = "Usage" }, t.await, t)
    equal(err.traceback:find "deep_inside" ~= nil, true)
  end)

  it("a task that an await runs at once finds the other waiting", function()
    local outer, seen
    outer = task.spawn(function()
      local inner = task.spawn(function()
        local at = outer:traceback():match "'await'"
        seen = { outer:status(), outer:waits_for():match "^join", at }
        return 1
      end)
      return inner:await() + 1
    end)
    equal(outer:await(), 2)
    equal(seen, { "suspended", "join", "'await'" })
  end)

  it("a task that an await runs at once may cancel the other", function()
    local outer, after
    outer = task.spawn(function()
      local inner = task.spawn(function() outer:cancel "enough" end)
      inner:await()
      after = true
    end)
    local err = raises_error({ kind = "TaskCancelled" }, outer.await, outer)
    equal(err.reason, "enough")
    equal(after, nil)
  end)

  it("a coroutine that a script holds is suspended while its task awaits", function()
    local outer = task.spawn(function()
      local co = coroutine.running()
      return task.spawn(coroutine.status, co):await()
    end)
    equal(outer:await(), "suspended")
  end)

  it("awaits may be nested to any depth", function()
    local function deep(n)
      if n == 0 then
        task.sleep(0)
        return 0
      end
      return 1 + task.spawn(deep, n - 1):await()
    end
    equal(deep(500), 500)
  end)

  it("a task that only awaits others keeps no timer waiting", function()
    local done
    local t = task.spawn(function()
      task.sleep(0.001)
      done = true
    end)
    local n = 0
    while not done and n < 1e6 do
      task.spawn(function() end):await()
      task.sleep(0)
      n = n + 1
    end
    equal(done, true)
    t:await()
  end)
end)
