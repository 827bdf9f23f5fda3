#!/usr/bin/env septet
-- SPDX-License-Identifier: MIT
-- Seven ways to wait for the same four sleeps: of 0, 1, 2 and 3 seconds.
local task, trace = require "septet.task", require "septet.trace"

local function work(seconds)
  task.sleep(seconds)
  print(("> task done with [ t = %d ]"):format(seconds))
end

-- 1: an iterator that waits between its values
local function ticks(n)
  local i = -1
  return function()
    i = i + 1
    if i < n then
      trace.span("tick " .. i, work, i)
      return i
    end
  end
end

local function async_iterator()
  for _ in ticks(4) do end
end

-- 2: one after the other
local function sequential()
  for t = 0, 3 do
    work(t)
  end
end

-- 3: all at once, the results in order
local function gather()
  task.gather(task.map(work, { 0, 1, 2, 3 }))
end

-- 4: all at once, until a condition holds; it never raises what they raise
local function wait()
  local done, pending = task.wait(task.map(work, { 0, 1, 2, 3 }))
  assert(#done == 4 and #pending == 0)
end

-- 5: all at once, each as soon as it is done
local function as_completed()
  for t in task.as_completed(task.map(work, { 0, 1, 2, 3 })) do
    t:await()
  end
end

-- 6: all at once, awaited in the order of the list
local function list_of_tasks()
  for _, t in ipairs(task.map(work, { 0, 1, 2, 3 })) do
    t:await()
  end
end

-- 7: all at once, and none outlives the group
local function task_group()
  task.group(function(g)
    for t = 0, 3 do
      g:spawn(work, t)
    end
  end)
end

local function run(name, model)
  local start = task.now()
  trace.span(name, model)
  print(("\n%s : [%.6f sec]\n"):format(name, task.now() - start))
end

run("Async iterator", async_iterator)
run("Sequential", sequential)
run("gather", gather)
run("wait", wait)
run("as_completed", as_completed)
run("List of tasks", list_of_tasks)
run("Task group", task_group)
