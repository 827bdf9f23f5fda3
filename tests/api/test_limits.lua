-- SPDX-License-Identifier: MIT
-- The scripts of test_limits.c: each is a main task of a host with limits.
local task = require "septet.task"

local scripts = {}

local function nap() task.sleep(0.001) return 1 end

local function check_refused(limit, max, ...)
  local ok, err = pcall(...)
  assert(not ok and task.is(err, "LimitExceeded"), err)
  assert(err.limit == limit and err.max == max, err)
  return err
end

-- The limit is ten tasks; this one is the first.
function scripts.one_task_more()
  local tasks = {}
  for i = 1, 9 do tasks[i] = task.spawn(nap) end
  local err = check_refused("tasks", 10, task.spawn, nap)
  assert(tostring(err) == "cannot spawn: the host has reached its limit of 10 tasks", err)
  check_refused("tasks", 10, task.background, nap)
  check_refused("tasks", 10, task.gather, { nap })
  task.group(function(g) check_refused("tasks", 10, g.spawn, g, nap) end)
  assert(tasks[1]:await() == 1)
  for _, t in ipairs(tasks) do assert(t:await() == 1) end
  assert(task.spawn(nap):await() == 1)
end

local function fill(fn, ...)
  local tasks = {}
  for i = 1, 9 do tasks[i] = task.spawn(fn, ...) end
  check_refused("tasks", 10, task.spawn, fn, ...)
  return tasks
end

local function await_all(tasks)
  for _, t in ipairs(tasks) do pcall(t.await, t) end
end

function scripts.tasks_end_in_every_way()
  await_all(fill(nap))
  await_all(fill(error, "it fails"))
  await_all(fill(coroutine.yield))
  for _, started in ipairs { false, true } do
    local tasks = fill(task.sleep, 1000)
    if started then task.sleep(0) end
    for _, t in ipairs(tasks) do t:cancel() end
    await_all(tasks)
  end
  pcall(task.group, function(g)
    for _ = 1, 9 do g:spawn(nap) end
    g:spawn(nap)
  end)
  for _ = 1, 9 do task.background(nap) end
  check_refused("tasks", 10, task.spawn, nap)
  task.sleep(0.01)
  await_all(fill(nap))
end

return scripts
