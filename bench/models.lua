-- SPDX-License-Identifier: MIT
-- Measures what each of N tasks costs, for each way to wait for them: the Septet side of models.py.
--
--     septet bench/models.lua QUESTION...
--
-- Prints "QUESTION N NS NS" for each N: the CPU of one item with tasks, and with plain coroutines,
-- or "-" if coroutines have no such thing. Under `lua5.4` it measures the coroutines alone.
local have_task, task = pcall(require, "septet.task")
local have_sync, sync = pcall(require, "septet.sync")

local ITEMS = 200000 -- in each measurement
local SIZES, MANY = { 1, 1000, 100000 }, { 1000, 100000 }

local function nothing() end

-- Each function below does its work for `n` tasks `times` over, and returns the CPU in s.

-- What is measured whole: `work`, and the end of the garbage that it leaves.
local function repeatedly(times, work)
  local c0 = os.clock()
  for _ = 1, times do work() end
  collectgarbage()
  return os.clock() - c0
end

-- --- spawned together, then awaited ---

local function spawn(n, times)
  return repeatedly(times, function()
    local tasks = {}
    for i = 1, n do tasks[i] = task.spawn(nothing) end
    for i = 1, n do tasks[i]:await() end
  end)
end

local function create_and_resume(n, times)
  return repeatedly(times, function()
    local all = {}
    for i = 1, n do all[i] = coroutine.create(nothing) end
    for i = 1, n do coroutine.resume(all[i]) end
  end)
end

-- --- yielding: the first turn and the end of a task are not measured ---

local function sleep_0(n, times)
  return task.group(function(g)
    local function take_turns()
      while true do task.sleep(0) end
    end
    for _ = 2, n do g:spawn(take_turns) end
    task.sleep(0)
    local c0 = os.clock()
    for _ = 1, times do task.sleep(0) end
    local cpu = os.clock() - c0
    g:cancel()
    return cpu
  end)
end

local function resume_and_yield(n, times)
  local all = {}
  for i = 1, n do
    all[i] = coroutine.create(function()
      while true do coroutine.yield(true) end
    end)
    coroutine.resume(all[i])
  end
  local c0 = os.clock()
  for _ = 1, times do
    for i = 1, n do coroutine.resume(all[i], true) end
  end
  return os.clock() - c0
end

-- --- handing items through a channel at which n tasks wait ---

local function through_channel(n, times, hand_over, wait)
  return task.group(function(g)
    local channel = sync.channel(0)
    for _ = 1, n do g:spawn(wait, channel, math.huge) end
    task.sleep(0)
    local c0 = os.clock()
    hand_over(channel, n * times)
    task.sleep(0)
    local cpu = os.clock() - c0
    g:cancel()
    return cpu
  end)
end

local function send(channel, count)
  for _ = 1, count do channel:send(true) end
end

local function recv(channel, count)
  for _ = 1, count do channel:recv() end
end

local function receivers(n, times) return through_channel(n, times, send, recv) end
local function senders(n, times) return through_channel(n, times, recv, send) end

-- --- each waits once, and gives a value ---

local function jobs(n, wait)
  local list = {}
  for i = 1, n do
    list[i] = function()
      wait(0)
      return i
    end
  end
  return list
end

local function gather(n, times)
  return repeatedly(times, function()
    local results = task.gather(jobs(n, task.sleep))
    assert(results[n] == n)
  end)
end

local function as_completed(n, times)
  return repeatedly(times, function()
    local sum = 0
    for t in task.as_completed(jobs(n, task.sleep)) do sum = sum + t:await() end
    assert(sum == n * (n + 1) // 2)
  end)
end

local function create_and_resume_twice(n, times)
  return repeatedly(times, function()
    local all, results = {}, {}
    for i, job in ipairs(jobs(n, coroutine.yield)) do
      all[i] = coroutine.create(job)
      coroutine.resume(all[i])
    end
    for i = 1, n do
      local _, value = coroutine.resume(all[i])
      results[i] = value
    end
    assert(results[n] == n)
  end)
end

-- --- put to sleep, then cancelled together ---

local function cancel(n, times)
  return repeatedly(times, function()
    task.group(function(g)
      for _ = 1, n do g:spawn(task.sleep, 3600) end
      task.sleep(0)
      g:cancel()
    end)
  end)
end

-- --- measuring ---

local questions = {
  spawn = { SIZES, have_task and spawn, create_and_resume },
  sleep_0 = { SIZES, have_task and sleep_0, resume_and_yield },
  receivers = { SIZES, have_sync and receivers, resume_and_yield },
  senders = { SIZES, have_sync and senders, resume_and_yield },
  gather = { MANY, have_task and gather, create_and_resume_twice },
  as_completed = { MANY, have_task and as_completed, create_and_resume_twice },
  cancel = { MANY, have_task and cancel, nil },
}

-- The CPU of one item in ns, once warm.
local function ns(body, n)
  if not body then return "-" end
  local cpu
  for _ = 1, 2 do
    collectgarbage()
    cpu = body(n, ITEMS // n)
  end
  return ("%.1f"):format(cpu / ITEMS * 1e9)
end

for _, name in ipairs(arg) do
  local sizes, tasks, coroutines = table.unpack(questions[name]
    or error("no such question: " .. name, 0), 1, 3)
  for _, n in ipairs(sizes) do
    print(name, n, ns(tasks, n), ns(coroutines, n))
  end
end
