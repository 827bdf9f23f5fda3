-- SPDX-License-Identifier: MIT
-- Debug hooks and tasks: a task starts with the hook that its spawner has.
local task = require "septet.task"

local function here()
  return debug.getinfo(2, "l").currentline
end

-- A line hook, and the lines of this file that it saw.
local function recorder()
  local lines, source = {}, debug.getinfo(1, "S").source
  return function(_, line)
    if debug.getinfo(2, "S").source == source then lines[line] = true end
  end, lines
end

-- Runs fn in a task with a hook of its own.
local function hooked(fn)
  local hook, lines = recorder()
  local at
  task.spawn(function()
    debug.sethook(hook, "l")
    at = fn(hook)
    debug.sethook()
  end):await()
  return at, lines
end

-- Ways to run a function in a task of its own.
local ways = {
  ["task.spawn"] = function(fn) task.spawn(fn):await() end,
  ["task.spawn with many arguments"] = function(fn) task.spawn(fn, 1, 2, 3, 4, 5, 6, 7):await() end,
  ["task.background"] = function(fn) task.background(fn):await() end,
  ["group:spawn"] = function(fn) task.group(function(g) g:spawn(fn) end) end,
  ["task.gather"] = function(fn) task.gather { fn } end,
  ["task.gather with a limit"] = function(fn) task.gather({ fn, fn }, { limit = 1 }) end,
  ["task.map"] = function(fn) task.wait(task.map(fn, { 1, 2 })) end,
  ["task.race"] = function(fn) task.race { fn } end,
  ["a task of a task"] = function(fn) task.spawn(function() task.spawn(fn):await() end):await() end,
  ["a wrapped coroutine with the hook"] = function(fn, hook)
    coroutine.wrap(function()
      debug.sethook(hook, "l")
      task.spawn(fn):await()
    end)()
  end,
}

for name, way in pairs(ways) do
  it("T-Q: the spawner's hook sees the lines of " .. name, function()
    local at, lines = hooked(function(hook)
      local first, last
      way(function()
        first = here()
        task.sleep(0)
        last = here()
      end, hook)
      return { first, last }
    end)
    equal({ lines[at[1]], lines[at[2]] }, { true, true })
    equal(debug.gethook(), nil)
  end)

  it("T-Q: a spawner without a hook gives none to " .. name, function()
    local hook, lines = recorder()
    local seen = 0
    task.spawn(function()
      debug.sethook(hook, "l", 3)
      debug.sethook()
      way(function()
        seen = debug.gethook()
        lines.at = here()
      end, nil)
    end):await()
    equal({ seen, lines[lines.at] }, {})
  end)
end

describe("a hook", function()
  it("T-Q: a hook is not called below the function of a wrapped coroutine", function()
    for _, mask in ipairs { "c", "r", "cr", "crl" } do
      for name, body in pairs {
        returns = function() return 1 end,
        fails = function() error "x" end,
        yields = function() coroutine.yield(1) end,
      } do
        local heard = 0
        local wrapped = coroutine.wrap(function()
          debug.sethook(function()
            heard = heard + 1
            assert(debug.getinfo(2, "S"), "no function runs")
          end, mask)
          body()
        end)
        pcall(wrapped)
        pcall(wrapped)
        equal(heard > 0, true, name)
      end
    end
    local events = {}
    coroutine.wrap(function()
      debug.sethook(function(event) events[#events + 1] = event end, "cr")
    end)()
    equal(events, { "return", "return" })
  end)

  it("T-Q: a task starts with the hook as the script has set it", function()
    local function hook() end
    task.spawn(function()
      for _, mask in ipairs { "c", "r", "l", "cr", "crl" } do
        debug.sethook(hook, mask, 5)
        equal({ debug.gethook() }, { hook, mask, 5 })
        equal({ task.spawn(function() return debug.gethook() end):await() }, { hook, mask, 5 })
      end
      debug.sethook(hook, "", 1000)
      equal({ debug.gethook() }, { hook, "", 1000 })
      debug.sethook()
      equal(debug.gethook(), nil)
    end):await()
  end)

  it("T-Q: a hook that is set later, or by the task, is that coroutine's alone", function()
    local function hook() end
    task.spawn(function()
      local child = task.spawn(function()
        task.sleep(0)
        local before = debug.gethook()
        debug.sethook(function() end, "r", 7)
        debug.sethook()
        return before
      end)
      debug.sethook(hook, "c")
      equal(child:await(), nil)
      equal(debug.gethook(), hook)
      debug.sethook()
    end):await()
  end)

  it("T-Q: the hook of an ended task is not found in a later one", function()
    for _ = 1, 20 do
      task.spawn(function() debug.sethook(function() end, "l") end):await()
      equal(task.spawn(debug.gethook):await(), nil)
    end
  end)

  it("T-Q: a coroutine's hook is set, read and cleared from outside, as by LuaCov", function()
    local hook, lines = recorder()
    local create = coroutine.create
    local function covered(fn)
      local co = create(fn)
      debug.sethook(co, hook, "l")
      return co
    end
    local at
    local co = covered(function()
      task.sleep(0)
      at = here()
      coroutine.yield()
    end)
    equal({ debug.gethook(co) }, { hook, "l", 0 })
    equal(coroutine.resume(co), true)
    equal(lines[at], true)
    debug.sethook(co)
    equal(debug.gethook(co), nil)
    equal(coroutine.resume(co), true)
  end)
end)
