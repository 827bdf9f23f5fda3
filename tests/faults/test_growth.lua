-- SPDX-License-Identifier: MIT
-- Each way to spawn and to wait takes no memory that it does not give back. `origin` and live() are
-- globals of the test's; live() puts into a table how much is allocated.
-- check: globals origin, live
local task, http = require "septet.task", require "septet.http"

local N <const> = 1000 -- tasks
local MANY <const> = 10  -- at a time

local function nothing() end

local function nap()
  task.sleep(0)
end

local function list(make)
  local made = {}
  for i = 1, MANY do made[i] = make(i) end
  return made
end

local function await_each(tasks)
  for _, t in ipairs(tasks) do t:await() end
end

local function each(fn)
  return function(n)
    for i = 1, n do fn(i) end
  end
end

-- Repeats what makes MANY tasks.
local function by_many(fn)
  return function(n)
    for _ = 1, n // MANY do fn() end
  end
end

local zeros, functions = list(function() return 0 end), list(function() return nothing end)
local session = http.session { limit = 8, limit_per_host = 8 }
local url = origin .. "/bytes/100"
local names = 0

-- Each makes n tasks or blocks.
local ways = {
  spawn = each(function() task.spawn(nothing):await() end),
  ["spawn of a new function"] = each(function() task.spawn(function() end):await() end),
  ["a bare sleep"] = by_many(function()
    await_each(list(function() return task.spawn(task.sleep, 0) end))
  end),
  ["a bare sleep alone"] = each(function() task.spawn(task.sleep, 0):await() end),
  ["a function that sleeps"] = by_many(function()
    await_each(list(function() return task.spawn(nap) end))
  end),
  ["map of a function"] = by_many(function() task.gather(task.map(nothing, zeros)) end),
  ["map of a bare sleep"] = by_many(function() task.gather(task.map(task.sleep, zeros)) end),
  ["gather of tasks"] = by_many(function()
    task.gather(list(function() return task.spawn(nothing) end))
  end),
  ["gather of functions"] = by_many(function() task.gather(functions) end),
  ["as_completed"] = by_many(function()
    for t in task.as_completed(list(function() return task.spawn(nap) end)) do t:await() end
  end),
  ["a group of one"] = each(function() task.group(function(g) g:spawn(nothing) end) end),
  ["a group of many"] = by_many(function()
    task.group(function(g)
      for _ = 1, MANY do g:spawn(nothing) end
    end)
  end),
  ["a group that sleeps"] = by_many(function()
    task.group(function(g)
      for _ = 1, MANY do g:spawn(task.sleep, 0) end
    end)
  end),
  ["a timeout"] = each(function() task.timeout(9, nothing) end),
  ["a timeout that expires"] = each(function()
    local ok, err = pcall(task.timeout, 0, task.sleep, 9)
    assert(not ok and task.is(err, "Timeout"))
  end),
  ["try"] = each(function() task.try(nothing) end),
  ["a failure"] = each(function()
    assert(not pcall(function() task.spawn(error, "x"):await() end))
  end),
  ["a failure in a group"] = each(function()
    assert(not pcall(task.group, function(g)
      g:spawn(task.sleep, 9)
      g:spawn(error, "x")
    end))
  end),
  ["a cancelled sleep"] = by_many(function()
    local tasks = list(function() return task.spawn(task.sleep, 9) end)
    task.sleep(0)
    for _, t in ipairs(tasks) do t:cancel("enough") end
    for _, t in ipairs(tasks) do assert(not pcall(t.await, t)) end
  end),
  ["a sleep cancelled before it began"] = by_many(function()
    for _, t in ipairs(list(function() return task.spawn(task.sleep, 9) end)) do t:cancel() end
    task.sleep(0)
  end),
  ["a named task"] = each(function()
    local t = task.spawn(nothing)
    names = names + 1
    t.name = "name " .. names
    t:await()
  end),
  ["a bare get"] = by_many(function()
    for _, t in ipairs(list(function() return task.spawn(session.get, session, url) end)) do
      assert(t:await().status == 200)
    end
  end),
  ["a get in a function"] = by_many(function()
    task.gather(list(function()
      return task.spawn(function() assert(session:get(url).status == 200) end)
    end))
  end),
  ["a cancelled get"] = by_many(function()
    local tasks = list(function() return task.spawn(session.get, session, url) end)
    task.sleep(0)
    for _, t in ipairs(tasks) do t:cancel() end
    for _, t in ipairs(tasks) do pcall(t.await, t) end
  end),
}

-- Returns what is allocated once all garbage is collected, and what its finalizers began is over.
local function settled()
  for _ = 1, 3 do
    task.sleep(0)
    collectgarbage()
  end
  return live {}
end

-- What a call in a hundred leaves is more than this.
local SLACK <const> = { ["bytes of Lua's"] = 1024, ["blocks of the library's"] = 10,
  ["blocks of libcurl's"] = 10 }

-- Returns what is left of another n, or nil if that is nothing.
local function left(way)
  local before = settled()
  way(N)
  local after = settled()
  for what, most in pairs(SLACK) do
    local more = after[what] - before[what]
    if more > most then return ("%d %s"):format(more, what) end
  end
end

-- A table or a pool that grows does so once. A leak is there each time.
local function main()
  for name, way in pairs(ways) do
    way(N)
    local first = left(way)
    local leaks = first and left(way) and left(way)
    if leaks then error(("%s leaves %s"):format(name, leaks)) end
  end
end

return { main = main }
