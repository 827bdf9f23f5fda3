-- SPDX-License-Identifier: MIT
-- Live tasks keep their places, after any number of chunks with names of their own.
local task = require "septet.task"
local trace = require "septet.trace"

local flooded = 0

-- Spawns tasks of so many chunks, each with a fresh name.
local function flood(n)
  for i = 1, many(n) do
    flooded = flooded + 1
    task.spawn(load("return " .. i, "=flood" .. flooded))
    if i % 100 == 0 then task.sleep(0) end
  end
  task.sleep(0)
end

-- Spawns a task whose function and spawning line are in a chunk of that name.
local function from(name, body)
  return load(("local task = ...\nreturn task.spawn(function()\n%s\nend)"):format(body),
    "=" .. name)(task)
end

it("T-P: a chunk that comes after 70 000 others has its name", function()
  flood(70000)
  local t = from("new.lua", "")
  equal(t.name, ("new.lua:2#%d"):format(t.id))
  t:await()
  equal(t.name, ("new.lua:2#%d"):format(t.id))
end)

it("T-P: tasks that wait while chunks come and go keep their places", function()
  local waiting, ended, failed = {}, {}, {}
  for i = 1, 5 do
    waiting[i] = from(("waiting%d.lua"):format(i), "task.sleep(1e8) return nil")
    ended[i] = from(("ended%d.lua"):format(i), "")
    failed[i] = from(("failed%d.lua"):format(i), "error 'x'")
    pcall(failed[i].await, failed[i])
    flood(70000)
  end
  for i, t in ipairs(waiting) do
    local place = ("waiting%d.lua:"):format(i)
    equal(t.name, ("%s2#%d"):format(place, t.id))
    equal(t:traceback():find("\n\t" .. place .. "3: in ") ~= nil, true, t:traceback())
    equal(t:traceback():find("spawned at " .. place .. "2 by #", 1, true) ~= nil, true,
      t:traceback())
    equal(tostring(ended[i]), ("task 'ended%d.lua:2#%d' (done)"):format(i, ended[i].id))
    equal(failed[i].name, ("failed%d.lua:2#%d"):format(i, failed[i].id))
    equal(failed[i]:traceback():find(("spawned at failed%d.lua:2 by #"):format(i), 1, true) ~= nil,
      true)
    t:cancel()
    local _, err = pcall(t.await, t)
    equal(err.message, ("task '%s' was cancelled"):format(t.name))
  end
end)

it("T-P: the memory that names take has a limit", function()
  local process = require "process"
  flood(150000)
  collectgarbage()
  local before = process.resident()
  flood(200000)
  collectgarbage()
  local grown = process.resident() - before
  equal(grown < 8000, true, ("%d kB more"):format(grown))
end)

it("T-P: events have their places, too", function()
  local seen = {}
  trace.subscribe(function(e)
    if e.kind == "spawn" then seen[e.task] = e.defined end
    if e.kind == "wait" and e.at then seen[e.task] = e.at end
  end)
  flood(20000)
  local t = from("traced.lua", "task.sleep(0.001) return nil")
  t:await()
  task.sleep(0)
  equal(seen[t.id], "traced.lua:3")
  local n = 0
  for _, place in pairs(seen) do
    if place:find "^flood%d+" then n = n + 1 end
  end
  equal(n, many(20000))
end)
