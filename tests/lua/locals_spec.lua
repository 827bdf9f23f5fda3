-- SPDX-License-Identifier: MIT
-- Task-locals and coroutines: code outside of a coroutine never sees what a `with` inside it sets.
local task = require "septet.task"

local v = task.var "default"

-- Sorts of coroutines: each runs body(yield) and returns a function that goes on with it, and one
-- that leaves it.
local sorts = {}

function sorts.wrap(body)
  local co
  local f = coroutine.wrap(function()
    co = coroutine.running()
    return body(coroutine.yield)
  end)
  return f, function() if co then coroutine.close(co) end end
end

function sorts.create(body)
  local co = coroutine.create(function() return body(coroutine.yield) end)
  return function()
    local got = table.pack(coroutine.resume(co))
    if not got[1] then error(got[2], 0) end
    return table.unpack(got, 2, got.n)
  end, function() coroutine.close(co) end
end

function sorts.generator(body)
  local g = task.generator(body)
  return g, function() g:close() end
end

function sorts.iterator(body)
  local g = task.generator(function(emit)
    for x in coroutine.wrap(function() body(coroutine.yield) end) do emit(x) end
  end)
  return g, function() g:close() end
end

local function inherited()
  return task.spawn(v.get, v):await()
end

local function outside(expected)
  equal(v:get(), expected)
  equal(inherited(), expected)
end

-- Runs fn in a task whose value is the default, and in one that has set it.
local function with_both(fn)
  task.spawn(fn, "default"):await()
  task.spawn(function()
    v:set "mine"
    fn "mine"
  end):await()
  task.spawn(function() v:with("around", fn, "around") end):await()
end

for name, sort in pairs(sorts) do
  describe("coroutines of " .. name, function()
    it("T-H: a yield out of `with` is refused, and the value stays inside", function()
      with_both(function(value)
        local seen = {}
        local go = sort(function(yield)
          v:with("inside", function()
            local ok, err = pcall(yield, 1)
            seen = { ok, task.is(err, "Usage"), tostring(err):find "var:with" ~= nil, v:get() }
          end)
          yield(v:get())
        end)
        equal(go(), value)
        equal(seen, { false, true, true, "inside" })
        outside(value)
        v:set "later"
        go()
        outside "later"
      end)
    end)

    it("T-H: the error of a refused yield ends `with`, and restores the value", function()
      with_both(function(value)
        local go = sort(function(yield) v:with("inside", yield, 1) end)
        local ok, err = pcall(go)
        equal({ ok, task.is(err, "Usage") }, { false, true })
        outside(value)
      end)
    end)

    it("T-H: a coroutine may yield before, between and after calls of `with`", function()
      with_both(function(value)
        local go = sort(function(yield)
          yield(v:get())
          yield(v:with("one", function() return v:get() end))
          yield(v:with("two", function() return v:with("three", v.get, v) end))
          yield(v:get())
        end)
        for _, expected in ipairs { value, "one", "three", value } do
          equal(go(), expected)
          outside(value)
        end
      end)
    end)

    it("T-H: a `with` around the loop allows yields, and its value is seen inside", function()
      with_both(function(value)
        local go = sort(function(yield) while true do yield(v:get()) end end)
        equal(go(), value)
        v:with("around", function()
          equal(go(), "around")
          v:with("nearer", function() equal(go(), "nearer") end)
          equal(go(), "around")
        end)
        equal(go(), value)
      end)
    end)

    it("T-H: an error leaves `with`", function()
      with_both(function(value)
        local go = sort(function() v:with("inside", v.with, v, "deeper", error, "why") end)
        raises("why", go)
        outside(value)
      end)
    end)

    it("T-H: an end while it is suspended leaves no value behind", function()
      with_both(function(value)
        local go, leave = sort(function(yield)
          v:with("inside", function() return v:get() end)
          yield(1)
        end)
        go()
        leave()
        outside(value)
      end)
    end)

    it("T-H: a cancelled wait inside leaves `with`", function()
      with_both(function(value)
        local go = sort(function() v:with("inside", task.sleep, 60) end)
        equal(task.move_on_after(0.001, go), false)
        outside(value)
      end)
    end)

    it("T-H: a wait inside is allowed, and other tasks do not see the value", function()
      with_both(function(value)
        local seen
        local other = task.spawn(function()
          task.sleep(0)
          seen = v:get()
        end)
        local go = sort(function()
          v:with("inside", function()
            task.sleep(0.001)
            equal(v:get(), "inside")
            equal(inherited(), "inside")
          end)
        end)
        go()
        other:await()
        equal(seen, value)
        outside(value)
      end)
    end)

    it("T-H: an inner coroutine yields within an outer one's `with`", function()
      with_both(function(value)
        local go = sort(function(yield)
          local got = {}
          v:with("inside", function()
            for x in coroutine.wrap(function()
              coroutine.yield(v:get())
              task.sleep(0)
              coroutine.yield(v:with("inner", v.get, v))
            end) do got[#got + 1] = x end
            equal((pcall(yield, 1)), false)
          end)
          equal(got, { "inside", "inner" })
          yield(v:get())
        end)
        equal(go(), value)
        outside(value)
      end)
    end)
  end)
end

describe("`with`", function()
  it("T-H: `with` restores its own variable, and leaves all others", function()
    local w, x = task.var(1), task.var()
    task.spawn(function()
      w:set(2)
      v:with("inside", function()
        w:set(3)
        x:set(false)
        v:set "changed"
        equal(v:get(), "changed")
      end)
      equal({ v:get(), w:get(), x:get() }, { "default", 3, false })
      v:with(nil, function() equal(v:get(), nil) end)
      w:with(9, x.with, x, 8, function() w:set(7) end)
      equal({ v:get(), w:get(), x:get() }, { "default", 3, false })
    end):await()
  end)

  it("T-H: `with` passes all arguments and all results", function()
    equal(table.pack(v:with(1, function(...) return select("#", ...), ... end, nil, 2, nil)),
      { 3, nil, 2, nil, n = 4 })
    equal(select("#", v:with(1, function() end)), 0)
    local thrown = {}
    local _, err = pcall(v.with, v, 1, error, thrown)
    equal(rawequal(err, thrown), true)
    misuse("bad argument #2 to 'with'", function() v:with(1, 2) end)
  end)
end)
