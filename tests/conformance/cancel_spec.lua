-- SPDX-License-Identifier: MIT
-- Cancellation: which wait raises it, and what becomes of the task.
local task = require "septet.task"
local sync = require "septet.sync"
local http = require "septet.http"
local helpers = require "helpers"

local recorder, stopwatch = helpers.recorder, helpers.stopwatch
local closer, never = helpers.closer, helpers.never
local waiting, cancelled = helpers.waiting, helpers.cancelled

it("cancel.before_start: a task cancelled before its start runs to its first wait", function()
  for name, wait in pairs {
    sleep = function() task.sleep(1) end,
    sleep_0 = function() task.sleep(0) end,
    checkpoint = task.checkpoint,
    empty_group = function() task.group(function() end) end,
    child = function() task.spawn(never):await() end,
    own_coroutine = function() coroutine.wrap(task.sleep)(1) end,
  } do
    local elapsed = stopwatch()
    local log, note = recorder()
    local t = task.spawn(function(...)
      local _ <close> = closer(function(_, err) note { "closed", err.reason } end)
      note { "started", ... }
      wait()
      note "too far"
    end, 1, nil, 3)
    equal(t:cancel "early", true)
    equal(t:status(), "pending")
    task.wait { t }
    equal(log, { { "started", 1, nil, 3 }, { "closed", "early" } }, name)
    equal(t:status(), "cancelled")
    equal(elapsed(), 0)
  end
  local t = task.spawn(function() return "never waited" end)
  t:cancel()
  equal(t:await(), "never waited")
end)

it("cancel.level: every wait in a cancelled scope raises, however often it is caught", function()
  local elapsed = stopwatch()
  local ended = task.spawn(function() end)
  local event, semaphore, lock, full = sync.event(), sync.semaphore(1), sync.lock(), sync.channel(1)
  event:set()
  full:send "kept"
  ended:await()
  -- Also where there would be nothing to wait for: what is cancelled takes nothing.
  local waits = {
    sleep = function() task.sleep(1) end,
    sleep_0 = function() task.sleep(0) end,
    checkpoint = task.checkpoint,
    await_ended = function() ended:await() end,
    await = function() task.spawn(never):await() end,
    wait = function() task.wait { ended } end,
    wait_none = function() task.wait {} end,
    gather = function() task.gather { ended, never } end,
    gather_none = function() task.gather {} end,
    race = function() task.race { never, function() end } end,
    as_completed = function() for _ in task.as_completed { ended } do task.current() end end,
    empty_group = function() task.group(function() end) end,
    group = function() task.group(function(g) g:spawn(never) end) end,
    start = function() task.group(function(g) g:start(never) end) end,
    timeout = function() task.timeout(1, task.sleep, 2) end,
    generator = function()
      for _ in task.generator(function(emit) emit(1, task.sleep(1)) end) do task.current() end
    end,
    event = function() event:wait() end,
    semaphore = function() semaphore:acquire() end,
    semaphore_with = function() semaphore:with(error) end,
    lock = function() lock:acquire() end,
    lock_with = function() lock:with(error) end,
    recv = function() full:recv() end,
    send = function() full:send "x" end,
    iter = function() for _ in full:iter() do task.current() end end,
    own_coroutine = function() coroutine.wrap(task.checkpoint)() end,
    get = function() http.get "http://127.0.0.1:1/" end,
  }
  local t = task.spawn(function()
    for _ = 1, 3 do
      raises_error({ kind = "Cancelled", source = "cancel", reason = "enough" }, task.sleep, 1)
    end
    for name, wait in pairs(waits) do
      local ok, err = pcall(wait)
      if ok or not task.is_cancelled(err) then error(("%s: %s %s"):format(name, ok, err), 0) end
    end
    equal({ semaphore:value(), lock:locked(), #full }, { 1, false, 1 })
    equal(task.deadline(), -math.huge)
    return "the end"
  end)
  turns(2)
  t:cancel "enough"
  equal(t:await(), "the end")
  equal(elapsed(), 0)
end)

it("cancel.no_lost_result: a result that came first is delivered; the next wait raises", function()
  local event, semaphore, lock = sync.event(), sync.semaphore(1), sync.lock()
  local full, empty, by_hand = sync.channel(1), sync.channel(), sync.channel()
  semaphore:acquire()
  lock:acquire()
  full:send "first"
  for name, case in pairs {
    event = { function() return event:is_set(event:wait()) end, function() event:set() end, true },
    semaphore = { function() return semaphore:value(semaphore:acquire()) end,
      function() semaphore:release() end, 0 },
    lock = { function() return lock:release(lock:acquire()) end, function() lock:release() end },
    recv = { function() return empty:recv() end, function() equal(empty:try_send "value", true) end,
      "value" },
    send = { function() return by_hand:send "value" end, function()
      equal(by_hand:try_recv(), "value")
    end },
    send_buffered = { function() return full:send "second" end, function()
      equal(full:try_recv(), "first")
    end },
  } do
    local wait, post, value = table.unpack(case)
    local t = task.spawn(function()
      equal(wait(), value, name)
      raises_error({ kind = "Cancelled" }, task.sleep, 1000)
      return "not lost"
    end)
    turns(2)
    post()
    equal(t:cancel(), true)
    equal(t:await(), "not lost")
  end
  equal(semaphore:value(), 0)
  equal(full:try_recv(), "second")

  -- What the scheduler posts: the canceller waits for the same, and wakes first.
  for name, case in pairs {
    await = { function(target) return target:await() end, "value" },
    wait = { function(target) return #task.wait { target } end, 1 },
    gather = { function(target) return task.gather({ target })[1] end, "value" },
    sleep = { function() task.sleep(1) end },
  } do
    local wait, value = table.unpack(case)
    local elapsed = stopwatch()
    local target = task.spawn(function()
      task.sleep(1)
      return "value"
    end)
    local waiter
    task.spawn(function()
      wait(target)
      waiter:cancel()
    end)
    waiter = task.spawn(function()
      equal(wait(target), value, name)
      raises_error({ kind = "Cancelled" }, task.sleep, 1000)
      return "not lost"
    end)
    equal(waiter:await(), "not lost")
    equal(elapsed(), 1)
  end
end)

it("cancel.finished: cancelling a task that has ended returns false and does nothing", function()
  local done = task.spawn(function() return "value" end)
  local failed = task.spawn(error, "failure", 0)
  local was_cancelled = cancelled(never)
  task.wait { done, failed, was_cancelled }
  for _, t in ipairs { done, failed, was_cancelled } do
    local before = t:status()
    equal(t:cancel "late", false)
    equal(t:status(), before)
  end
  equal(done:await(), "value")
  raises("^failure$", failed.await, failed)
  raises_error({ kind = "TaskCancelled", reason = "enough" }, was_cancelled.await, was_cancelled)
  local scope
  task.timeout(1, function() scope = task.scope() end)
  equal(scope:cancel(), false)
end)

it("cancel.twice: cancelling again returns false and changes nothing", function()
  local elapsed = stopwatch()
  local raised = 0
  local t = task.spawn(function()
    local _, err = pcall(never)
    raised = raised + 1
    equal(task.cleanup(5, task.sleep, 1), true) -- a second request does not end it
    error(err, 0)
  end)
  turns(2)
  equal({ t:cancel "first", t:cancel "second" }, { true, false })
  turns(3)
  equal(t:status(), "suspended")
  equal(t:cancel "third", false)
  task.wait { t }
  equal({ t:status(), t:cancel(), raised, elapsed() }, { "cancelled", false, 1, 1 })
  task.group(function(g)
    equal({ g:cancel(), g:cancel(), g:is_cancelled() }, { true, false, true })
  end)
end)

it("cancel.reason_first_wins: the first reason stays", function()
  local t = waiting(function()
    for _ = 1, 2 do raises_error({ kind = "Cancelled", reason = "first" }, never) end
    task.current():cancel "own"
    never()
  end)
  t:cancel "first"
  t:cancel "second"
  raises_error({ kind = "TaskCancelled", reason = "first" }, t.await, t)

  t = waiting(never)
  t:cancel() -- to have none is a reason, too
  t:cancel "second"
  local err = raises_error({ kind = "TaskCancelled" }, t.await, t)
  equal(err.reason, nil)

  -- A task's own reason is its first, whatever block of it was cancelled before.
  t = task.spawn(task.timeout, 1, function()
    raises_error({ kind = "Cancelled", source = "deadline" }, never)
    task.shield(task.sleep, 1)
    never()
  end)
  task.sleep(1.5)
  equal(t:cancel "task's", true)
  raises_error({ kind = "TaskCancelled", reason = "task's" }, t.await, t)
end)

it("cancel.self: a task that cancels itself goes on to its next wait, which raises", function()
  local log, note = recorder()
  local t = task.spawn(function()
    local me = task.current()
    equal(me:cancel "my own", true)
    note(me:status())
    task.spawn(note, "spawned")
    equal(sync.event():is_set(), false)
    raises_error({ kind = "Cancelled", source = "cancel", reason = "my own", by = me.id },
      task.sleep, 1)
    note "raised"
    task.sleep(1)
    note "too far"
  end)
  raises_error({ kind = "TaskCancelled", reason = "my own" }, t.await, t)
  table.sort(log)
  equal(log, { "raised", "running", "spawned" })
  equal({ task.move_on_after(1, function()
    equal(task.scope():cancel(), true)
    task.sleep(0.5)
  end) }, { false })
end)

it("cancel.self_then_return: a task that cancels itself and returns first is done", function()
  local t = task.spawn(function()
    task.current():cancel()
    return "value", nil, 3
  end)
  equal({ t:await() }, { "value", nil, 3 })
  equal({ t:status(), t:cancel() }, { "done", false })
  equal({ task.move_on_after(1, function()
    task.scope():cancel()
    return "value"
  end) }, { true, "value" })
  equal(task.group(function(g)
    g:cancel()
    return "value"
  end), "value")
  task.checkpoint() -- those were the scopes that were cancelled
end)

it("cancel.inheritance: cancelling a scope cancels all tasks below it, later ones too", function()
  local elapsed = stopwatch()
  local below, background, shielded = {}, nil, nil
  local foreign = task.spawn(never)
  local function add(t)
    below[#below + 1] = t
    return t
  end
  local root = task.spawn(function()
    add(task.spawn(function() add(task.spawn(never)):await() end))
    add(task.spawn(foreign.await, foreign))
    background = task.background(task.sleep, 2)
    shielded = task.spawn(task.shield, task.sleep, 1)
    pcall(task.timeout, 50, function()
      add(task.spawn(never))
      task.group(function(g)
        add(g:spawn(task.gather, { function() never(add(task.current())) end }))
        never()
      end)
    end)
    pcall(never, add(task.spawn(task.sleep, 1))) -- spawned when all was cancelled
    never()
  end)
  task.sleep(0.5)
  root:cancel()
  task.wait { root }
  equal(elapsed(), 1)
  equal({ root:status(), #below }, { "cancelled", 7 })
  for i, t in ipairs(below) do equal({ i, t:status() }, { i, "cancelled" }) end
  equal({ shielded:status(), background:status(), foreign:status() },
    { "done", "suspended", "suspended" })
  background:await()
  equal(elapsed(), 2)
end)

in_order("cancel.cascade_order: tasks are cancelled in the order they were spawned", function()
  local log, note = recorder()
  local function node(name, depth)
    for i = 1, depth > 0 and 2 or 0 do task.spawn(node, name .. i, depth - 1) end
    local _, err = pcall(never)
    note(name)
    error(err, 0)
  end
  local root = task.spawn(function()
    task.group(function(g)
      g:spawn(node, "a", 2)
      task.spawn(node, "b", 0)
      node("root", 1)
    end)
  end)
  turns(6)
  root:cancel()
  task.wait { root }
  equal(log, { "root", "a", "a1", "a11", "a12", "a2", "a21", "a22", "b", "root1", "root2" })
end)

it("cancel.abort_failed_op: the waiter of a source that cannot stop raises at once", function()
  local elapsed = stopwatch()
  local ends, note = recorder()
  local session <close> = http.session { trace = {
    request_exception = function(_, ev) if ev.cancelled then note "cancelled" end end,
  } }
  -- One whose lookup goes on, in a thread of libcurl's that nothing can stop.
  local function looking_up()
    while true do
      local t = task.spawn(session.get, session, "http://name.invalid/")
      turns(2)
      if t:waits_for() ~= "" then return t end -- waits, and has no answer yet
      pcall(t.await, t)
    end
  end
  local t = looking_up()
  equal(t:waits_for(), "http GET http://name.invalid/")
  equal(t:cancel "enough", true)
  turns(2)
  equal(t:status(), "cancelled")
  equal(ends, { "cancelled" })
  raises_error({ kind = "TaskCancelled", reason = "enough" }, t.await, t)
  raises_error({ kind = "HttpError", code = "connect" },
    session.get, session, "http://127.0.0.1:1/")
  t = looking_up()
  t:cancel()
  session:close()
  turns(2)
  equal({ t:status(), ends }, { "cancelled", { "cancelled", "cancelled" } })
  equal(elapsed() < 10, true) -- the clock flows while requests are out; it was not jumped
end)

it("cancel.stray_reraise: a kept Cancelled, raised where none is due, is a failure", function()
  local saved
  task.wait { cancelled(function() saved = select(2, pcall(never)) end) }
  local t = task.spawn(error, saved, 0)
  local err = raises("^stray Cancelled$", t.await, t)
  equal(task.is(err, "error"), true)
  equal(t:status(), "failed")

  -- Kept beyond the scope that it was for.
  t = task.spawn(function()
    local kept
    task.move_on_after(1, function() kept = select(2, pcall(never)) end)
    error(kept, 0)
  end)
  raises("^stray Cancelled$", t.await, t)
  raises_error({ kind = "Cancelled" }, task.timeout, 1, error, saved, 0) -- a block passes it on

  local group = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
    g:spawn(error, saved, 0)
  end)
  equal({ #group.errors, tostring(group.errors[1]) }, { 1, "stray Cancelled" })
end)

it("cancel.body_raises_other: a cancelled task that raises another error has failed", function()
  local thrown = {}
  local t = cancelled(function()
    pcall(never)
    error(thrown)
  end)
  equal(rawequal(raises(nil, t.await, t), thrown), true)
  equal(t:status(), "failed")

  t = cancelled(function()
    local _ <close> = closer(function() error("closer broke", 0) end)
    never()
  end)
  raises("^closer broke$", t.await, t)
  equal(t:status(), "failed")
end)

it("cancel.returns: a cancelled task that returns is done", function()
  local t = cancelled(function()
    equal(pcall(never), false)
    return "value", nil, 3
  end)
  equal({ t:await() }, { "value", nil, 3 })
  equal(t:status(), "done")

  local child -- what it spawned has been cancelled all the same
  t = cancelled(function()
    child = task.spawn(never)
    return pcall(never)
  end)
  equal((t:await()), false)
  equal(child:status(), "cancelled")
end)

it("cancel.error_converted_tostring: a Cancelled made a string is a plain error", function()
  local t = cancelled(function()
    local ok, err = pcall(function()
      local ok, err = pcall(never)
      if not ok then error("request failed: " .. tostring(err), 0) end
    end)
    equal({ ok, err }, { false, "request failed: cancelled: enough" })
    raises_error({ kind = "Cancelled", reason = "enough" }, task.checkpoint)
    error(err, 0)
  end)
  raises("^request failed: cancelled: enough$", t.await, t)
  equal(t:status(), "failed")
  raises("^late: cancelled %(deadline%)$", task.timeout, 1, function()
    local _, err = pcall(never)
    error("late: " .. err, 0)
  end)
end)
