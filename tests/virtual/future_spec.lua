-- SPDX-License-Identifier: MIT
-- Futures: values that arrive once, for any number of tasks.
local task, testing = require "septet.task", require "septet.testing"

local function awaiting(f) return task.spawn(function() return f:await() end) end

describe("a future", function()
  it("gives the same values to every waiter, before and after it is set", function()
    local f = task.future()
    local early = { awaiting(f), awaiting(f), awaiting(f) }
    testing.wait_all_blocked()
    equal(f:is_done(), false)
    f:set(1, nil, "three", nil)
    equal(f:is_done(), true)
    for _, t in ipairs(early) do
      local values = table.pack(t:await())
      equal(values, { n = 4, 1, nil, "three" })
    end
    equal(select("#", f:await()), 4)
    equal(select("#", f:await()), 4)
  end)

  it("may be set without a value, and with one of any type by identity", function()
    local f = task.future()
    f:set()
    equal(select("#", f:await()), 0)
    for _, value in ipairs { {}, print, false, 0.5, "text" } do
      local g = task.future()
      g:set(value)
      equal(rawequal(g:await(), value), true)
    end
    local nothing = task.future()
    nothing:set(nil)
    equal(select("#", nothing:await()), 1)
  end)

  it("raises the error that it failed with, the same one each time", function()
    local f, err = task.future(), { "mine" }
    local early = awaiting(f)
    testing.wait_all_blocked()
    f:fail(err)
    for _ = 1, 2 do
      local _, raised = pcall(f.await, f)
      equal(rawequal(raised, err), true)
    end
    local _, raised = pcall(early.await, early)
    equal(rawequal(raised, err), true)
  end)

  it("an error of nil is replaced by an object", function()
    local f = task.future()
    f:fail()
    equal(raises_error({ kind = "error" }, f.await, f).message, "nil error")
  end)

  it("is set once: a second time is a mistake, and changes nothing", function()
    local f, g = task.future(), task.future()
    f:set(1)
    raises_error({ kind = "Usage" }, f.set, f, 2)
    raises("it was set before", f.fail, f, "x")
    equal(f:await(), 1)
    g:fail "x"
    raises("it was failed before", g.set, g, 2)
    raises("it was failed before", g.fail, g, "y")
    raises("x", g.await, g)
  end)

  it("a waiter that is cancelled leaves, and the others stay", function()
    local f = task.future()
    local a, b, c = awaiting(f), awaiting(f), awaiting(f)
    testing.wait_all_blocked()
    b:cancel()
    task.wait { b }
    f:set "here"
    equal({ a:await(), c:await() }, { "here", "here" })
    equal(b:status(), "cancelled")
  end)

  it("a waiter that is cancelled after the set has the values", function()
    local f, got = task.future(), nil
    local t = task.spawn(function() got = f:await() end)
    testing.wait_all_blocked()
    f:set(7)
    t:cancel()
    task.wait { t }
    equal(got, 7)
  end)

  it("a deadline ends the wait, and the future can be set later", function()
    local f = task.future()
    raises_error({ kind = "Timeout" }, task.timeout, 1, f.await, f)
    f:set(1)
    equal(f:await(), 1)
  end)

  it("the traceback says where it failed and where it was awaited", function()
    local f = task.future()
    local function culprit() f:fail "why" end
    task.spawn(culprit):await()
    local _, _, traceback = task.try(function() f:await() end)
    local pattern = "raised at:.*future_spec.lua:%d+: in .*awaited at:.*future_spec"
    assert(traceback:find(pattern), traceback)
  end)

  it("wakes its waiters in the order in which they came", function()
    if MODE == "shuffle" then return end
    local f, order = task.future(), {}
    local all = {}
    for i = 1, 5 do
      all[i] = task.spawn(function() f:await() order[#order + 1] = i end)
    end
    testing.wait_all_blocked()
    f:set()
    for _, t in ipairs(all) do t:await() end
    equal(order, { 1, 2, 3, 4, 5 })
  end)

  it("a thousand tasks may wait for one", function()
    local f, sum = task.future(), 0
    task.group(function(g)
      for _ = 1, many(1000) do
        g:spawn(function()
          local value = f:await()
          sum = sum + value
        end)
      end
      testing.wait_all_blocked()
      f:set(1)
    end)
    equal(sum, many(1000))
  end)

  it("is set by a finalizer that runs while it is being set", function()
    local f = task.future()
    for _ = 1, 20 do
      setmetatable({}, { __gc = function() pcall(f.set, f, "finalizer") end })
    end
    collectgarbage()
    local ok = pcall(f.set, f, 1, 2, 3)
    equal(ok, false)
    equal(f:await(), "finalizer")
  end)

  it("is no place to wait from a function that cannot be suspended", function()
    local f = task.future()
    raises("cannot wait here", table.sort, { 2, 1 }, function() f:await() end)
    f:set(1)
  end)

  it("refuses what it cannot use", function()
    local f = task.future()
    raises("has no field 'get', did you mean", function() return f.get end)
    raises("'await' is a method", function() f.await() end)
    raises("future expected", f.set, 1)
  end)
end)
