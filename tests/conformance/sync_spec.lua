-- SPDX-License-Identifier: MIT
-- Events, semaphores and locks: first come, first served, and nothing is lost to a cancellation.
local task, sync = require "septet.task", require "septet.sync"
local settle = require("septet.testing").wait_all_blocked
local helpers = require "helpers"

local never, waiting = helpers.never, helpers.waiting
local ended_cancelled = helpers.ended_cancelled

-- What has one owner at a time: how it is made, and whether it is free.
local owned = {
  semaphore = { new = function() return sync.semaphore(1) end, free = function(x)
    return x:value() == 1
  end },
  lock = { new = sync.lock, free = function(x) return not x:locked() end },
}

it("sync.fifo: the task that has waited longest is served first", function()
  for name, kind in pairs(owned) do
    local x, order, tasks = kind.new(), {}, {}
    x:acquire()
    for i = 1, 5 do
      tasks[i] = waiting(function()
        x:acquire()
        order[#order + 1] = i
        task.checkpoint()
        x:release()
      end)
    end
    x:release()
    equal(order, {}) -- no task runs inside release()
    task.wait(tasks)
    equal(order, { 1, 2, 3, 4, 5 }, name)
    equal(kind.free(x), true)
  end

  local s, granted, tasks = sync.semaphore(3), {}, {}
  for _ = 1, 3 do s:acquire() end
  for i = 1, 6 do
    tasks[i] = waiting(function()
      s:acquire()
      granted[i] = task.now()
    end)
  end
  local start = task.now()
  for _ = 1, 6 do
    task.sleep(1)
    s:release()
  end
  task.wait(tasks)
  for i = 1, 6 do equal(granted[i] - start, i + 0.0) end
  for _ = 1, 3 do s:release() end

  local ch, got = sync.channel(), {}
  for i = 1, 5 do tasks[i] = waiting(function() got[i] = ch:recv() end) end
  for i = 1, 5 do ch:send(i) end
  task.wait(tasks)
  equal(got, { 1, 2, 3, 4, 5 })
  got = {}
  for i = 1, 5 do tasks[i] = waiting(ch.send, ch, i) end
  for i = 1, 5 do got[i] = ch:recv() end
  task.wait(tasks)
  equal(got, { 1, 2, 3, 4, 5 })

  local e, order = sync.event(), {}
  for i = 1, 5 do
    tasks[i] = waiting(function()
      e:wait()
      order[#order + 1] = i
    end)
  end
  e:set()
  equal(order, {})
  task.wait(tasks)
  equal(#order, 5)
  if MODE ~= "shuffle" then equal(order, { 1, 2, 3, 4, 5 }) end
end)

it("sync.handoff_no_barging: a released permit belongs to the next waiter at once", function()
  for name, kind in pairs(owned) do
    local x, order = kind.new(), {}
    local function take(who)
      x:acquire()
      order[#order + 1] = who
      x:release()
    end
    x:acquire()
    local a = waiting(take, "a")
    x:release()
    equal(kind.free(x), false, name) -- it is a's already, which has not run
    equal(x:try_acquire(), false)
    take "releaser"
    equal(order, { "a", "releaser" }, name)
    equal(kind.free(x), true)
    a:await()
  end

  local l = sync.lock()
  l:acquire()
  local heir = waiting(l.with, l, function() end)
  heir.name = "heir"
  l:release()
  misuse("the lock is held by task 'heir'", function() l:release() end)
  heir:await()

  local ch = sync.channel(1)
  ch:send "first"
  local sender = waiting(ch.send, ch, "waited")
  equal(ch:recv(), "first")
  equal(ch:try_send "barges", false) -- the place is the sender's
  equal({ ch:recv(), (ch:try_recv()) }, { "waited" })
  sender:await()
  local receiver = waiting(ch.recv, ch)
  equal(ch:try_send "handed", true)
  equal({ ch:try_recv() }, { nil, "empty" }) -- the item is the receiver's
  equal(receiver:await(), "handed")
end)

it("sync.cancel_waiter: a cancelled waiter is forgotten, and the next is served", function()
  for name, kind in pairs(owned) do
    local x, order = kind.new(), {}
    local function take(who, seconds)
      local in_time = task.move_on_after(seconds, x.acquire, x)
      order[#order + 1] = in_time and who or who .. " gave up"
      if in_time then x:release() end
    end
    x:acquire()
    local a, b, c, d = waiting(take, "a"), waiting(take, "b"), waiting(take, "c", 1),
      waiting(take, "d")
    b:cancel()
    settle()
    equal(b:status(), "cancelled")
    task.sleep(2)
    x:release()
    task.wait { a, c, d }
    equal(order, { "c gave up", "a", "d" }, name)
    equal(kind.free(x), true)
    local got
    local late = task.spawn(function() got = pcall(x.acquire, x) end) -- cancelled before it asks
    late:cancel()
    task.wait { late }
    equal({ got, kind.free(x) }, { false, true })
  end

  local e, woken = sync.event(), {}
  local function wait(who)
    e:wait()
    woken[who] = true
  end
  local a, b, c = waiting(wait, "a"), waiting(wait, "b"), waiting(wait, "c")
  b:cancel()
  e:set()
  task.wait { a, b, c }
  equal(woken, { a = true, c = true })
end)

it("sync.cancel_racing_release: a cancellation and a release together lose no permit", function()
  for name, kind in pairs(owned) do
    for _, first in ipairs { "cancel", "release" } do
      local x, log = kind.new(), {}
      x:acquire()
      local a = waiting(function()
        log.a = pcall(x.acquire, x)
        log.after = pcall(task.checkpoint)
        if log.a then x:release() end
      end)
      local b = waiting(function()
        x:acquire()
        log.b = true
        x:release()
      end)
      if first == "release" then x:release() end
      a:cancel()
      if first == "cancel" then x:release() end
      task.wait { a, b }
      -- What was handed over stays so, and the next wait raises; what was not goes to the next.
      equal(log, { a = first == "release", after = false, b = true }, name .. ", first " .. first)
      equal(kind.free(x), true)
    end

    local x, in_time = kind.new(), nil -- a deadline at the instant of the release
    x:acquire()
    local t = task.spawn(function() in_time = task.move_on_after(1, x.acquire, x) end)
    task.sleep(1)
    x:release()
    task.wait { t }
    equal(kind.free(x), not in_time, name)
  end

  -- Permits are conserved whatever comes together.
  math.randomseed(90155)
  local s, tasks = sync.semaphore(3), {}
  for i = 1, many(300) do
    tasks[i] = task.spawn(function()
      local held = 0
      local ok, err = pcall(function()
        turns(math.random(0, 2))
        s:acquire()
        held = 1
        turns(math.random(0, 2))
      end)
      if held == 1 then s:release() end
      if not ok then error(err, 0) end
    end)
    turns(math.random(0, 1))
    if math.random(2) == 1 then tasks[math.random(i)]:cancel() end
    equal(s:value() >= 0 and s:value() <= 3, true)
  end
  task.wait(tasks)
  equal(s:value(), 3)
end)

it("sync.event_set_then_cancel: a waiter of a set event returns, though it is cancelled", function()
  for _, first in ipairs { "set", "cancel" } do
    local e, got, after = sync.event(), nil, nil
    local t = waiting(function()
      got = pcall(e.wait, e)
      after = pcall(e.wait, e)
      task.checkpoint()
    end)
    if first == "set" then e:set() end
    t:cancel()
    e:set()
    ended_cancelled(t)
    equal({ got, after }, { first == "set", false }, first)
  end

  local e, got = sync.event(), nil -- set, but its waiter was cancelled before it asks
  e:set()
  local t = task.spawn(function() got = pcall(e.wait, e) end)
  t:cancel()
  task.wait { t }
  equal(got, false)
  equal(e:is_set(), true)
end)

it("sync.lock_owner: only its owner releases a lock, and does not acquire it twice", function()
  local l = sync.lock()
  misuse("the lock is not held", function() l:release() end)
  l:acquire()
  misuse("the lock is held by this task already", function() l:acquire() end)
  misuse("the lock is held by this task already", function() l:try_acquire() end)
  misuse("the lock is held by this task already", function() l:with(never) end)
  misuse("the lock is held by this task already", function()
    coroutine.wrap(function() l:acquire() end)()
  end)
  local other = task.spawn(function()
    return l:try_acquire(), raises_error({ kind = "Usage" }, l.release, l).message
  end)
  local taken, refusal = other:await()
  equal(taken, false)
  equal(refusal:find(("the lock is held by task '%s'"):format(task.current().name), 1, true) ~= nil,
    true, refusal)
  equal(l:locked(), true)
  coroutine.wrap(l.release)(l) -- a coroutine of its owner is its owner
  equal(l:locked(), false)

  local s = sync.semaphore(1) -- a permit has no owner
  s:acquire()
  equal(s:try_acquire(), false)
  task.spawn(s.release, s):await()
  misuse("semaphore released more often than acquired", function() s:release() end)
end)

it("sync.with_error_releases: with releases what it acquired when its function fails", function()
  for name, kind in pairs(owned) do
    local x, thrown = kind.new(), {}
    equal(table.pack(x:with(function(...)
      task.sleep(1)
      equal(kind.free(x), false)
      return ...
    end, 1, nil, 3, nil)), { 1, nil, 3, nil, n = 4 }, name)
    equal(kind.free(x), true)
    local err = raises(nil, x.with, x, function()
      task.sleep(1)
      error(thrown)
    end)
    equal(rawequal(err, thrown), true)
    equal(kind.free(x), true, name)

    x:acquire() -- the next in the queue gets it when the one before fails
    local order = {}
    local a = waiting(x.with, x, function()
      order[1] = "a"
      error("boom", 0)
    end)
    local b = waiting(x.with, x, function() order[2] = "b" end)
    x:release()
    raises("^boom$", a.await, a)
    b:await()
    equal(order, { "a", "b" })
    equal(kind.free(x), true)
  end
end)

it("sync.with_cancel_releases: with releases what it acquired when it is cancelled", function()
  for name, kind in pairs(owned) do
    local x, start, freed = kind.new(), task.now(), nil
    local function body() -- cancelled, it takes a second to end, and keeps what it has until then
      pcall(never)
      task.cleanup(nil, task.sleep, 1)
      task.checkpoint()
    end
    local inside = waiting(x.with, x, body)
    local queued = waiting(x.with, x, function() error "never let in" end)
    local next_one = waiting(x.with, x, function() freed = task.now() end)
    queued:cancel()
    ended_cancelled(queued)
    equal(kind.free(x), false)
    task.sleep(1)
    inside:cancel()
    ended_cancelled(inside)
    next_one:await()
    equal(freed - start, 2.0, name)
    equal(kind.free(x), true)

    local ran -- handed over, then cancelled: the body begins, its first wait raises
    x:acquire()
    local handed = waiting(x.with, x, function()
      ran = true
      task.checkpoint()
    end)
    x:release()
    handed:cancel()
    ended_cancelled(handed)
    equal({ ran, kind.free(x) }, { true, true }, name)

    equal(task.move_on_after(1, x.with, x, never), false)
    equal(kind.free(x), true)
  end
end)
