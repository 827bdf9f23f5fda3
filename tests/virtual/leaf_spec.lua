-- SPDX-License-Identifier: MIT
-- Finalizers that run within a task of task.sleep alone, which has no place for what scripts do in
-- a task: while it begins, by an argument that is refused, and while it ends, by its cancellation.
-- check: allow dropped-result
local sync, task = require "septet.sync", require "septet.task"

local var, lock, semaphore = task.var(0), sync.lock(), sync.semaphore(1)
local live, ended = {}, 0 -- ids of such tasks; number of ended tasks that finalizers spawned

-- Begins and ends such tasks until finalizers have called each of the functions in one. Returns the
-- number of calls, and the last error by the function's name.
local function within_leaves(acts)
  local armed, ran, name, errors = true, 0, nil, {}
  local function arm()
    setmetatable({}, { __gc = function()
      if not armed then return end
      arm()
      local current = task.current()
      if not current or not live[current.id] then return end
      ran = ran + 1
      name = next(acts, name) or next(acts)
      local ok, err = pcall(acts[name])
      errors[name] = not ok and err
    end })
  end
  local function all_ran()
    for each in pairs(acts) do
      if errors[each] == nil then return false end
    end
    return true
  end
  collectgarbage("incremental", 1, 1000, 20) -- a whole collection at nearly every allocation
  collectgarbage()
  arm()
  for _ = 1, 100 do
    local refused, cancelled = task.spawn(task.sleep, {}), task.spawn(task.sleep, 9)
    live[refused.id], live[cancelled.id] = true, true
    task.sleep(0)
    cancelled:cancel()
    pcall(refused.await, refused)
    pcall(cancelled.await, cancelled)
    if all_ran() then break end
  end
  armed = false
  collectgarbage("incremental", 400, 100, 13)
  collectgarbage()
  equal(all_ran(), true)
  return ran, errors
end

local function nothing() end

local function ending()
  task.sleep(0)
  ended = ended + 1
end

-- What works there as anywhere in a task.
local works = {
  ["spawn"] = function() task.spawn(nothing) end,
  ["spawn a bare sleep"] = function() task.spawn(task.sleep, 0) end,
  ["spawn in the background"] = function() task.background(task.sleep, 0) end,
  ["acquire"] = function()
    assert(semaphore:try_acquire())
    semaphore:release()
  end,
  ["read a task-local"] = function() equal(var:get(), 0) end,
  ["cancel the task"] = function() task.current():cancel "by a finalizer" end,
  ["name the task"] = function() task.current().name = "leaf" end,
  ["inspect"] = function()
    task.current():traceback()
    task.tree()
  end,
  ["a generator"] = function()
    for _ in task.generator(function(emit) emit(1) end) do break end
  end,
}

-- What needs a task that can wait, or that keeps task-locals or a lock.
local refused = {
  ["sleep"] = function() task.sleep(0) end,
  ["await"] = function() task.spawn(nothing):await() end,
  ["a group"] = function() task.group(function(g) g:spawn(nothing) end) end,
  ["a group without a body"] = function() live.kept = task.group() end,
  ["a group in a coroutine"] = function()
    coroutine.wrap(function() task.group(coroutine.yield) end)()
  end,
  ["gather"] = function() task.gather { nothing } end,
  ["a timeout"] = function() task.timeout(5, nothing) end,
  ["a shield"] = function() task.shield(nothing) end,
  ["a lock"] = function() lock:try_acquire() end,
  ["var:set"] = function() var:set(1) end,
  ["var:with"] = function() var:with(1, nothing) end,
}

describe("a finalizer within a task that only sleeps", function()
  it("may do what needs no wait", function()
    local _, errors = within_leaves(works)
    for name in pairs(works) do equal({ name, errors[name] }, { name, false }) end
  end)

  it("is refused what waits, holds a lock or sets task-locals", function()
    local _, errors = within_leaves(refused)
    for name in pairs(refused) do
      equal({ name, task.is(errors[name], "Usage") }, { name, true })
    end
    equal(var:get(), 0)
  end)

  it("spawns tasks of the scope around it", function()
    task.spawn(function()
      local spawned = within_leaves { function() task.spawn(ending) end }
      task.sleep(1)
      equal(ended, spawned)
    end):await()
  end)
end)
