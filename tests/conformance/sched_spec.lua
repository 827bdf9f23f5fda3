-- SPDX-License-Identifier: MIT
-- The order and fairness of turns, and time.
local task, sync, testing = require "septet.task", require "septet.sync", require "septet.testing"
local settle = testing.wait_all_blocked
local command, files = require "command", require "files"

local HERE = (...):match("^(.*)/[^/]*$") or "."

-- Runs the command with options and the path of a script; a script that spins for ever is ended by
-- the shell. Returns what it printed, and its exit status.
local function run_file(options, path)
  return command.shell_and_slow_turns(
    ("ulimit -t 60; '%s' %s '%s'"):format(command.path, options, path))
end

local PRELUDE = 'local task, testing = require "septet.task", require "septet.testing"\n'

local function run(options, script)
  local file <close> = files.with(PRELUDE .. script)
  return run_file(options, file.path)
end

-- A spec of a command of its own, which the order of this one's tasks does not reach.
local apart = MODE == "shuffle" and function() end or it

local function elapsed(fn, ...)
  local start = task.now()
  fn(...)
  return task.now() - start
end

local function close_to(got, expected, by)
  if math.abs(got - expected) > (by or 0) + 1e-6 then
    error(("expected %.9g s, got %.9g"):format(expected, got), 2)
  end
end

in_order("sched.fifo_batches: ready tasks run in order, and what they ready comes next", function()
  local log, event = {}, sync.event()
  local function rounds(name, first)
    for i = 1, 3 do
      log[#log + 1] = name .. i
      if i == 1 and first then first() end
      task.checkpoint()
    end
  end
  local function woken(name)
    event:wait()
    log[#log + 1] = name
  end
  local tasks = { task.spawn(woken, "w1"), task.spawn(woken, "w2") }
  settle()
  tasks[3] = task.spawn(rounds, "a", function() tasks[6] = task.spawn(rounds, "d") end)
  tasks[4] = task.spawn(rounds, "b", function() event:set() end)
  tasks[5] = task.spawn(rounds, "c")
  log[1] = "spawned"
  for i = 1, 6 do
    if i == 1 then task.checkpoint() end
    tasks[i]:await()
  end
  -- What a batch makes ready comes in the next one, in the order it became so.
  equal(table.concat(log, " "), "spawned a1 b1 c1 d1 a2 w1 w2 b2 c2 d2 a3 b3 c3 d3")

  log = {} -- more than the scheduler takes between two looks at the world
  local crowd = {}
  for i = 1, 300 do
    crowd[i] = task.spawn(function()
      for round = 0, 1 do
        log[#log + 1] = round * 300 + i
        task.checkpoint()
      end
    end)
  end
  task.wait(crowd)
  for i = 1, 600 do equal(log[i], i) end
end)

it("sched.io_between_batches: sockets and timers are served while tasks stay ready", function()
  local http, origin = require "septet.http", require "origin"
  local session <close> = http.session()
  local request = task.spawn(function() return session:get(origin.url .. "/bytes/20").status end)
  while request:status() ~= "done" do task.checkpoint() end -- a task is always ready
  equal(request:await(), 200)

  local woken, late = {}, nil -- and timers: sleeps and deadlines alike
  local start = task.now()
  local sleeper = task.spawn(function()
    task.sleep(5.5)
    woken.sleep = task.now() - start
  end)
  local deadline = task.spawn(function()
    late = not task.move_on_after(7.5, sync.event().wait, sync.event())
    woken.deadline = task.now() - start
  end)
  settle()
  for _ = 1, 20 do
    testing.busy(1)
    task.checkpoint()
  end
  equal({ sleeper:status(), deadline:status(), late }, { "done", "done", true })
  -- Due at a batch's beginning, they come into it; the busy one may stand before them.
  close_to(woken.sleep, 6.5, 0.5)
  close_to(woken.deadline, 8.5, 0.5)
end)

in_order("sched.budget_yield: 128 operations without a wait let other tasks run", function()
  local event, semaphore, lock, channel = sync.event(), sync.semaphore(1), sync.lock(),
    sync.channel(math.huge)
  event:set()
  local over = task.spawn(function() end)
  over:await()
  local done = {
    event = function() event:wait() end,
    send = function() channel:send(1) end,
    recv = function() channel:recv() end,
    semaphore = function()
      semaphore:acquire()
      semaphore:release()
    end,
    lock = function()
      lock:acquire()
      lock:release()
    end,
    await = function() over:await() end,
    wait = function() task.wait { over } end,
  }
  for _ = 1, 300 do channel:send(1) end
  for name, fn in pairs(done) do
    local others = 0
    task.checkpoint()
    local other = task.spawn(function() others = others + 1 end)
    for _ = 1, 128 do fn() end
    equal(others, 0, name)
    fn()
    equal(others, 1, name)
    other:await()
  end

  -- Cancellation is seen by each of them, budget or not.
  local seen = 0
  local t = task.spawn(function()
    for _ = 1, 10 do event:wait() end
    task.current():cancel()
    for _, fn in pairs(done) do
      raises_error({ kind = "Cancelled" }, fn)
      seen = seen + 1
    end
  end)
  t:await()
  equal(seen, 7)
end)

apart("sched.hog_report: a turn longer than 100 ms is reported once", function()
  local script = [[
    local trace = require "septet.trace"
    trace.subscribe(function(e)
      if e.kind == "hog" then print(("event: task %d, %.3f s"):format(e.task, e.duration)) end
    end)
    local t = task.spawn(function()
      testing.busy(0.1) -- not more than the limit
      task.checkpoint()
      testing.busy(0.25)
      task.sleep(1) -- line 10
      testing.busy(0.06)
      testing.busy(0.06)
      task.checkpoint() -- line 13
      for _ = 1, 9 do
        testing.busy(0.06)
        task.checkpoint()
      end
      testing.busy(0.5)
    end)
    t.name = "the hog"
    t:await()
  ]]
  local printed, status = run("-W --virtual-time", script)
  equal(status, 0)
  local warnings, events = {}, {}
  local words = "warning: task '([^\n]-)' ran for ([%d.]+) s without waiting([^\n]*)\n"
  for name, seconds, rest in printed:gmatch(words) do
    warnings[#warnings + 1] = ("%s %s %s"):format(name, seconds,
      rest:match ":(%d+): everything else stood still$")
  end
  for event in printed:gmatch "event: ([^\n]*)\n" do events[#events + 1] = event end
  equal(warnings, { "the hog 0.25 10", "the hog 0.12 13", "the hog 0.5 6" }, printed)
  equal(events, { "task 2, 0.250 s", "task 2, 0.120 s", "task 2, 0.500 s" }, printed)

  -- of real time, too
  printed = run("", "local t0 = task.now() while task.now() - t0 < 0.11 do end")
  equal((tonumber(printed:match "ran for ([%d.]+) s without waiting") or 0) >= 0.11, true, printed)
end)

apart("sched.hog_limit: a turn over the limit is ended by TaskHog, caught or not", function()
  -- The slice is one that the turns beside the spinning ones do not fill where the machine is busy.
  local printed, status = run("--max-slice=0.4", [[
    local function spin() while true do end end
    local others = 0
    local other = task.spawn(function()
      for _ = 1, 5 do
        task.checkpoint()
        others = others + 1
      end
    end)
    for name, fn in pairs {
      spin = spin,
      coroutine = function() coroutine.wrap(spin)() end,
      catcher = function() while true do pcall(spin) end end,
      again = function() pcall(spin) task.sleep(0) end,
      after = function() task.checkpoint() spin() end,
    } do
      local t = task.spawn(fn)
      local ok, err = pcall(t.await, t)
      assert(not ok and task.is(err, "TaskHog"), name)
      assert(tostring(err):find "ran for more than 0.4 s without waiting", tostring(err))
      assert(t:status() == "failed", name)
    end
    other:await()
    print(others)
  ]])
  equal({ without_slow(printed), status }, { "5\n", 0 })

  printed, status = run("--max-slice=0.4", [[ -- a task that waits in between may take longer
    local function compute() for _ = 1, 1e5 do end end
    compute()
    task.sleep(0.5)
    compute()
    print "done"
  ]])
  equal({ without_slow(printed), status }, { "done\n", 0 })

  printed, status = run("--max-slice=0.05", "while true do end")
  equal(status, 1)
  equal(printed:find "the task ran for more than 0.05" ~= nil, true, printed)
end)

apart("sched.shuffle_passes: a seed changes the order of batches, but not the models", function()
  local script = [[
    local order = {}
    local tasks = {}
    for i = 1, 8 do
      tasks[i] = task.spawn(function()
        for _ = 1, 3 do
          order[#order + 1] = i
          task.checkpoint()
        end
      end)
    end
    task.wait(tasks)
    print(table.concat(order, " "))
  ]]
  local fifo = run("--virtual-time", script)
  equal(fifo, ("1 2 3 4 5 6 7 8 "):rep(3):sub(1, -2) .. "\n")
  local orders, different = {}, 0
  for seed = 1, 3 do
    local order = run("--virtual-time --shuffle=" .. seed, script)
    equal(run("--virtual-time --shuffle=" .. seed, script), order) -- the seed decides alone
    for _, earlier in ipairs(orders) do different = different + (order ~= earlier and 1 or 0) end
    orders[seed] = order
    equal(order ~= fifo, true)
    local numbers = {}
    for n in order:gmatch "%d" do numbers[#numbers + 1] = n end
    for batch = 0, 2 do -- a batch is put into another order; batches stay apart
      local names = table.move(numbers, batch * 8 + 1, batch * 8 + 8, 1, {})
      table.sort(names)
      equal(table.concat(names), "12345678")
    end
    local models, status = run_file("--virtual-time --shuffle=" .. seed,
      HERE .. "/../../scripts/models/sleep.lua")
    equal(status, 0)
    equal(select(2, models:gsub("task done with", "")), 28)
  end
  equal(different, 3)
end)

it("time.sleep_not_early: a sleep never returns early", function()
  for _, seconds in ipairs { 1e-9, 1.5e-9, 1e-6, 0.001, 0.1, 1 / 3, 1, 7.77 } do
    local ns = elapsed(task.sleep, seconds) * 1e9
    equal(ns > seconds * 1e9 - 0.1 and ns < seconds * 1e9 + 1.1,
      true, ("%.9g s took %.1f ns"):format(seconds, ns))
  end
  local total = elapsed(function()
    for _ = 1, 10 do task.sleep(0.1) end
  end)
  close_to(total, 1)

  local printed, status = run("", [[ -- nor by the real clock
    local tasks = {}
    for i = 1, 20 do
      tasks[i] = task.spawn(function()
        local start, seconds = task.now(), i * 0.0007
        task.sleep(seconds)
        assert(task.now() - start >= seconds - 1e-9)
      end)
    end
    task.gather(tasks)
    print "done"
  ]])
  equal({ without_slow(printed), status }, { "done\n", 0 })
end)

it("time.after_hog: a sleep counts from its call, however long the task has computed", function()
  testing.busy(0.05)
  close_to(elapsed(task.sleep, 0.03), 0.03) -- counted from now, not from the turn's beginning
  testing.busy(0.05)
  close_to(elapsed(task.move_on_after, 0.03, task.sleep, 1), 0.03)
  testing.busy(0.05)
  local never = task.spawn(task.sleep, math.huge)
  close_to(elapsed(task.wait, { never }, { timeout = 0.03 }), 0.03)
  never:cancel()

  local woken, start = {}, task.now() -- overdue tasks resume at once
  local function sleep(i)
    task.sleep(i)
    woken[i] = task.now() - start
  end
  local tasks = task.map(sleep, { 3, 1, 2 })
  settle()
  testing.busy(2.5)
  task.wait(tasks)
  for i, seconds in ipairs { 2.5, 2.5, 3 } do close_to(woken[i], seconds) end

  local printed, status = run("", [[ -- the same by the real clock
    local start = task.now()
    while task.now() - start < 0.05 do end
    start = task.now()
    task.sleep(0.03)
    assert(task.now() - start >= 0.03)
    print "done"
  ]])
  equal({ without_slow(printed), status }, { "done\n", 0 })
end)

in_order("time.equal_deadlines_fifo: timers of one instant fire in order", function()
  local order, tasks = {}, {}
  local function add(name, fn, ...)
    tasks[#tasks + 1] = task.spawn(function(...)
      fn(...)
      order[#order + 1] = name
    end, ...)
  end
  local event = sync.event()
  add("sleep 3", task.sleep, 3)
  add("deadline 3", task.move_on_after, 3, event.wait, event)
  add("wait 3", task.wait, { task.current() }, { timeout = 3 })
  task.sleep(1)
  add("sleep 2", task.sleep, 2)
  add("deadline 2", task.move_on_after, 2, event.wait, event)
  task.sleep(1)
  add("sleep 1", task.sleep, 1)
  add("sleep 0.5", task.sleep, 0.5)
  task.wait(tasks)
  equal(order, { "sleep 0.5", "sleep 3", "deadline 3",
    "wait 3", "sleep 2", "deadline 2", "sleep 1" })
end)

in_order("time.sleep0: sleep(0) is a checkpoint and takes no time", function()
  local order, start = {}, task.now()
  local function rounds(name, pause)
    for _ = 1, 3 do
      order[#order + 1] = name
      pause(0)
    end
  end
  local function checkpoint() task.checkpoint() end
  task.wait { task.spawn(rounds, "sleep", task.sleep),
    task.spawn(rounds, "checkpoint", checkpoint) }
  equal(order, { "sleep", "checkpoint", "sleep", "checkpoint", "sleep", "checkpoint" })
  equal(task.now() - start, 0.0)

  local t = task.spawn(function()
    task.current():cancel()
    task.sleep(0)
  end)
  raises_error({ kind = "TaskCancelled" }, t.await, t)
  equal(task.move_on_after(0, task.sleep, 0), false)
end)

it("time.nan: negative seconds, NaN and other values are refused at the caller's line", function()
  local nan = 0 / 0
  for _, bad in ipairs { nan, -1, -1e-9, -math.huge, "1", {}, false } do
    misuse("bad argument #1 to 'sleep' %(seconds", function() task.sleep(bad) end)
    misuse("bad argument #1 to 'timeout' %(seconds", function() task.timeout(bad, print) end)
    misuse("bad argument #1 to 'move_on_after' %(seconds", function()
      task.move_on_after(bad, print)
    end)
    misuse("bad argument #1 to 'cleanup' %(seconds", function() task.cleanup(bad, print) end)
    misuse("bad option 'timeout' to 'wait' %(seconds", function()
      task.wait({}, { timeout = bad })
    end)
    misuse("bad option 'timeout' to 'as_completed' %(seconds", function()
      task.as_completed({}, { timeout = bad })
    end)
    misuse("bad argument #1 to 'advance' %(seconds", function() testing.advance(bad) end)
  end
  misuse("seconds expected, got no value", function() task.sleep() end)
  misuse("seconds expected, got nil", function() task.sleep(nil) end)

  equal(task.scope(), nil) -- nothing was opened
  equal(task.move_on_after(9, task.sleep, math.huge), false) -- no end is a time
  equal(task.move_on_after(math.huge, task.sleep, 9), true)
  equal(elapsed(task.sleep, -0.0), 0.0)
end)

it("time.virtual_clock_models: the seven models take 6, 6, 3, 3, 3, 3 and 3 seconds", function()
  local model = HERE .. "/../../scripts/models/sleep.lua"
  local first, status = run_file("--virtual-time", model)
  equal(status, 0)
  local seconds = {}
  for name, s in first:gmatch "([%w_ ]+) : %[([%d.]+) sec%]" do
    seconds[#seconds + 1] = { name, s }
  end
  equal(seconds, {
    { "Async iterator", "6.000000" }, { "Sequential", "6.000000" }, { "gather", "3.000000" },
    { "wait", "3.000000" },
    { "as_completed", "3.000000" }, { "List of tasks", "3.000000" }, { "Task group", "3.000000" },
  })
  equal({ run_file("--virtual-time", model) }, { first, 0 })
end)
