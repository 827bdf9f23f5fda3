-- septet.sync without channels: events, semaphores, locks. First come first served, direct hand-off, and no
-- cancellation that loses a permit.
local task, sync = require "septet.task", require "septet.sync"
local helpers = require "helpers"

local never, dismiss, await_all = helpers.never, helpers.dismiss, helpers.await_all

describe("an event", function()
  it("is not set, then set for ever", function()
    local e = sync.event()
    equal(e:is_set(), false)
    e:set()
    equal(e:is_set(), true)
    e:set()
    equal(e:is_set(), true)
    equal(select("#", e:wait()), 0)
  end)

  it("wakes all in the order they came, and none inside set()", function()
    local e, order, waiters = sync.event(), {}, {}
    for i = 1, 5 do
      waiters[i] = task.spawn(function()
        e:wait()
        order[#order + 1] = i
      end)
    end
    turns(1)
    e:set()
    equal(order, {})
    await_all(waiters)
    equal(order, { 1, 2, 3, 4, 5 })
  end)

  it("set twice wakes once", function()
    local e, woken = sync.event(), 0
    local t = task.spawn(function()
      e:wait()
      woken = woken + 1
      e:wait()
    end)
    turns(1)
    e:set()
    e:set()
    t:await()
    equal(woken, 1)
  end)

  it("set lets the others have their turn in time", function()
    local e, other = sync.event(), 0
    e:set()
    local t = task.spawn(function() other = other + 1 end)
    for _ = 1, 128 do e:wait() end
    equal(other, 0)
    e:wait()
    equal(other, 1)
    t:await()
  end)

  it("keeps what it gave from a cancellation that comes later", function()
    local e, got = sync.event(), nil
    local t = task.spawn(function()
      e:wait()
      got = true
      task.checkpoint()
    end)
    turns(1)
    e:set()
    t:cancel()
    raises_error({ kind = "TaskCancelled" }, t.await, t)
    equal(got, true)
  end)

  it("is not waited for by a cancelled task, set or not", function()
    for _, set in ipairs { true, false } do
      local e, waited = sync.event(), nil
      if set then e:set() end
      local t = task.spawn(function()
        waited = pcall(e.wait, e)
      end)
      t:cancel()
      pcall(t.await, t)
      equal(waited, false)
    end
  end)

  it("forgets a waiter that was cancelled", function()
    local e, order = sync.event(), {}
    local function wait(i)
      e:wait()
      order[#order + 1] = i
    end
    local a, b, c = task.spawn(wait, 1), task.spawn(wait, 2), task.spawn(wait, 3)
    turns(1)
    b:cancel()
    e:set()
    pcall(b.await, b)
    await_all { a, c }
    equal(order, { 1, 3 })
  end)

  it("is collected with its waiters' frames, not before", function()
    local woken
    local weak = setmetatable({}, { __mode = "v" })
    local t = task.spawn(function()
      sync.event():wait()
    end)
    do
      local e = sync.event()
      weak[1] = e
      task.spawn(function(mine)
        mine:wait()
        woken = true
      end, e)
    end
    turns(1)
    collectgarbage()
    collectgarbage()
    weak[1]:set()
    turns(2)
    equal(woken, true)
    collectgarbage()
    equal(weak[1], nil)
    dismiss(t)
  end)

  it("waits in coroutines inside tasks", function()
    local e, got = sync.event(), nil
    local t = task.spawn(function()
      got = coroutine.wrap(function()
        return coroutine.wrap(function()
          e:wait()
          return "inner"
        end)()
      end)()
    end)
    turns(1)
    equal(t:waits_for(), "event")
    e:set()
    t:await()
    equal(got, "inner")
  end)

  it("cannot be waited for where nothing can wait", function()
    local e = sync.event()
    e:set()
    misuse("cannot wait here: called from 'table.sort'", function()
      table.sort({ 2, 1 }, function() e:wait() end)
    end)
  end)
end)

describe("a semaphore", function()
  it("gives as many permits as it has", function()
    local s = sync.semaphore(2)
    equal(s:value(), 2)
    equal(select("#", s:acquire()), 0)
    equal(s:try_acquire(), true)
    equal(s:value(), 0)
    equal(s:try_acquire(), false)
    s:release()
    s:release()
    equal(s:value(), 2)
  end)

  it("raises Usage when released more often than acquired", function()
    local s = sync.semaphore(2)
    misuse("semaphore released more often than acquired", function() s:release() end)
    s:acquire()
    s:release()
    misuse("semaphore released more often than acquired", function() s:release() end)
    equal(s:value(), 2)
  end)

  it("serves those who wait in the order they came", function()
    local s, order, waiters = sync.semaphore(1), {}, {}
    s:acquire()
    for i = 1, 6 do
      waiters[i] = task.spawn(function()
        s:acquire()
        order[#order + 1] = i
        task.checkpoint()
        s:release()
      end)
    end
    turns(2)
    equal(order, {})
    s:release()
    await_all(waiters)
    equal(order, { 1, 2, 3, 4, 5, 6 })
    equal(s:value(), 1)
  end)

  it("hands a permit over before the new owner runs: nobody comes in between", function()
    local s, got = sync.semaphore(1), false
    s:acquire()
    local t = task.spawn(function()
      s:acquire()
      got = true
    end)
    turns(1)
    s:release()
    equal(got, false)
    equal(s:value(), 0)
    equal(s:try_acquire(), false)
    local late = task.spawn(function() s:acquire() end)
    t:await()
    equal(got, true)
    turns(2)
    equal(late:status(), "suspended")
    s:release()
    late:await()
  end)

  it("lets no more in at once than it has permits", function()
    local s, inside, most, all = sync.semaphore(3), 0, 0, {}
    for i = 1, 50 do
      all[i] = task.spawn(function()
        s:with(function()
          inside = inside + 1
          most = math.max(most, inside)
          turns(i % 4)
          inside = inside - 1
        end)
      end)
    end
    await_all(all)
    equal(most, 3)
    equal(s:value(), 3)
  end)

  it("forgets a waiter that was cancelled, and serves the next", function()
    local s, order = sync.semaphore(1), {}
    s:acquire()
    local function wait(i)
      s:acquire()
      order[#order + 1] = i
      s:release()
    end
    local a, b, c = task.spawn(wait, 1), task.spawn(wait, 2), task.spawn(wait, 3)
    turns(1)
    a:cancel()
    b:cancel()
    s:release()
    c:await()
    pcall(a.await, a)
    pcall(b.await, b)
    equal(order, { 3 })
    equal(s:value(), 1)
  end)

  it("loses no permit where a cancellation meets a release, whichever is first", function()
    for _, first in ipairs { "cancel", "release" } do
      local s, got = sync.semaphore(1), nil
      s:acquire()
      local t = task.spawn(function()
        got = pcall(s.acquire, s)
        if got then s:release() end
        task.checkpoint()
      end)
      turns(1)
      if first == "release" then s:release() end
      t:cancel()
      if first == "cancel" then s:release() end
      pcall(t.await, t)
      equal(got, first == "release")
      equal(t:status(), "cancelled")
      equal(s:value(), 1)
    end
  end)

  it("conserves its permits through any order of acquires, releases and cancels", function()
    math.randomseed(20)
    local s, tasks = sync.semaphore(3), {}
    for round = 1, 300 do
      tasks[round] = task.spawn(function()
        local held = 0
        local ok, err = pcall(function()
          for _ = 1, math.random(3) do
            if held == 0 or s:value() > 0 then
              s:acquire()
              held = held + 1
            end
            turns(math.random(0, 2))
          end
        end)
        for _ = 1, held do s:release() end
        if not ok then error(err, 0) end
      end)
      turns(math.random(0, 1))
      local victim = tasks[math.random(round)]
      if math.random(3) == 1 then victim:cancel() end
      equal(s:value() >= 0 and s:value() <= 3, true)
    end
    task.wait(tasks)
    equal(s:value(), 3)
  end)

  it("gives nothing to a cancelled task, free as it may be", function()
    local s, got = sync.semaphore(1), nil
    local t = task.spawn(function()
      got = pcall(s.acquire, s)
    end)
    t:cancel()
    pcall(t.await, t)
    equal(got, false)
    equal(s:value(), 1)
  end)

  it("may be released by another task than acquired", function()
    local s = sync.semaphore(1)
    s:acquire()
    task.spawn(s.release, s):await()
    equal(s:value(), 1)
  end)

  it("lets the others have their turn in time", function()
    local s, other = sync.semaphore(1), 0
    local t = task.spawn(function() other = other + 1 end)
    for _ = 1, 129 do
      s:acquire()
      s:release()
    end
    equal(other, 1)
    t:await()
  end)

  it("says what its waiters wait for", function()
    local s = sync.semaphore(1)
    s:acquire()
    local t = task.spawn(s.acquire, s)
    turns(1)
    equal(t:waits_for(), "semaphore of 1")
    s:release()
    t:await()
  end)

  it("checks its number", function()
    for _, n in ipairs { 0, -1, 1.5, "2", math.huge } do
      misuse("bad argument #1 to 'semaphore'", function() sync.semaphore(n) end)
    end
    misuse("bad argument #1 to 'semaphore' %(whole number expected, got no value%)", function() sync.semaphore() end)
    misuse("at least 1 expected", function() sync.semaphore(0) end)
    equal(sync.semaphore(2.0):value(), 2)
  end)
end)

describe("a lock", function()
  it("is one task's at a time", function()
    local l = sync.lock()
    equal(l:locked(), false)
    equal(select("#", l:acquire()), 0)
    equal(l:locked(), true)
    equal(task.spawn(l.try_acquire, l):await(), false)
    l:release()
    equal(l:locked(), false)
    equal(l:try_acquire(), true)
    l:release()
  end)

  it("is handed to those who wait in the order they came", function()
    local l, order, waiters = sync.lock(), {}, {}
    l:acquire()
    for i = 1, 6 do
      waiters[i] = task.spawn(function()
        l:acquire()
        order[#order + 1] = i
        task.checkpoint()
        l:release()
      end)
    end
    turns(2)
    l:release()
    equal(order, {})
    equal(l:locked(), true)
    equal(l:try_acquire(), false)
    await_all(waiters)
    equal(order, { 1, 2, 3, 4, 5, 6 })
    equal(l:locked(), false)
  end)

  it("raises Usage to its owner who acquires it again, instead of waiting for ever", function()
    local l = sync.lock()
    l:acquire()
    misuse("the lock is held by this task already", function() l:acquire() end)
    misuse("the lock is held by this task already", function() l:try_acquire() end)
    misuse("the lock is held by this task already", function() coroutine.wrap(function() l:acquire() end)() end)
    l:release()
  end)

  it("is released by its owner alone", function()
    local l = sync.lock()
    misuse("the lock is not held", function() l:release() end)
    local owner = task.spawn(l.with, l, never)
    owner.name = "the owner"
    turns(1)
    misuse("the lock is held by task 'the owner'", function() l:release() end)
    equal(l:locked(), true)
    owner:cancel()
  end)

  it("belongs to the task, whichever coroutine of it acquires", function()
    local l = sync.lock()
    coroutine.wrap(function() l:acquire() end)()
    coroutine.wrap(function() l:release() end)()
    equal(l:locked(), false)
  end)

  it("that was handed over is its new owner's already", function()
    local l = sync.lock()
    l:acquire()
    local t = task.spawn(function()
      l:acquire()
      l:release()
    end)
    t.name = "next"
    turns(1)
    l:release()
    misuse("the lock is held by task 'next'", function() l:release() end)
    t:await()
  end)

  it("forgets a waiter that was cancelled, and serves the next", function()
    local l, order = sync.lock(), {}
    l:acquire()
    local function wait(i)
      l:acquire()
      order[#order + 1] = i
      l:release()
    end
    local a, b = task.spawn(wait, 1), task.spawn(wait, 2)
    turns(1)
    a:cancel()
    l:release()
    b:await()
    pcall(a.await, a)
    equal(order, { 2 })
    equal(l:locked(), false)
  end)

  it("is not lost where a cancellation meets a release, whichever is first", function()
    for _, first in ipairs { "cancel", "release" } do
      local l, got = sync.lock(), nil
      l:acquire()
      local t = task.spawn(function()
        got = pcall(l.acquire, l)
        if got then l:release() end
      end)
      turns(1)
      if first == "release" then l:release() end
      t:cancel()
      if first == "cancel" then l:release() end
      pcall(t.await, t)
      equal(got, first == "release")
      equal(l:locked(), false)
    end
  end)

  it("gives itself to no cancelled task", function()
    local l, got = sync.lock(), nil
    local t = task.spawn(function()
      got = pcall(l.acquire, l)
    end)
    t:cancel()
    pcall(t.await, t)
    equal(got, false)
    equal(l:locked(), false)
  end)

  it("says who has it", function()
    local l = sync.lock()
    local owner = task.spawn(l.with, l, never)
    owner.name = "x"
    turns(1)
    local t = task.spawn(l.acquire, l)
    turns(1)
    equal(t:waits_for(), "lock held by 'x'")
    dismiss(t, owner)
  end)

  it("is kept from the collector while it is held, and no longer", function()
    local kept = setmetatable({}, { __mode = "v" })
    local t = task.spawn(function()
      kept[1], kept[2] = sync.lock(), sync.lock()
      kept[1]:acquire()
      kept[2]:try_acquire()
      collectgarbage()
      equal(#kept, 2)
      kept[1]:release()
      collectgarbage()
      equal(kept[1], nil)
    end)
    t:await()
    collectgarbage()
    equal(next(kept), nil)
  end)
end)

describe("with", function()
  local function semaphore_of_one()
    return sync.semaphore(1)
  end

  for name, new in pairs { semaphore = semaphore_of_one, lock = sync.lock } do
    local function free(x)
      return name == "lock" and not x:locked() or name == "semaphore" and x:value() == 1
    end

    it("passes arguments and results through: " .. name, function()
      local x = new()
      local got = table.pack(x:with(function(...)
        equal(free(x), false)
        task.checkpoint()
        return select("#", ...), ...
      end, 1, nil, 3, nil))
      equal(got, { 4, 1, nil, 3, nil, n = 5 })
      equal(free(x), true)
    end)

    it("releases on an error, which goes on as it is: " .. name, function()
      local x, err = new(), {}
      equal({ pcall(x.with, x, function() error(err) end) }, { false, err })
      equal(free(x), true)
      equal(rawequal(select(2, pcall(x.with, x, function() error(err) end)), err), true)
      equal(select("#", pcall(x.with, x, error)), 2)
      equal(free(x), true)
    end)

    it("releases on cancellation, inside and in the queue: " .. name, function()
      local x = new()
      local a = task.spawn(x.with, x, never)
      local b = task.spawn(x.with, x, never)
      turns(1)
      b:cancel()
      raises_error({ kind = "TaskCancelled" }, b.await, b)
      equal(free(x), false)
      a:cancel()
      raises_error({ kind = "TaskCancelled" }, a.await, a)
      equal(free(x), true)
    end)

    it("releases what was handed over to a task that was then cancelled: " .. name, function()
      local x, ran = new(), nil
      x:acquire()
      local t = task.spawn(x.with, x, function()
        ran = true
        task.checkpoint()
      end)
      turns(1)
      x:release()
      t:cancel()
      raises_error({ kind = "TaskCancelled" }, t.await, t)
      equal(ran, true)
      equal(free(x), true)
    end)

    it("raises Usage where the function released it: " .. name, function()
      local x = new()
      misuse("was released inside of 'with'", function() x:with(x.release, x) end)
      equal(free(x), true)
      raises("the body's own", x.with, x, function()
        x:release()
        error("the body's own", 0)
      end)
      equal(free(x), true)
    end)

    it("lets the function release and acquire it again: " .. name, function()
      local x = new()
      x:with(function()
        x:release()
        task.checkpoint()
        x:acquire()
      end)
      equal(free(x), true)
    end)

    it("passes a great many results through: " .. name, function()
      local x = new()
      local got = table.pack(x:with(function(...)
        task.checkpoint()
        return ...
      end, table.unpack({}, 1, 500)))
      equal(got.n, 500)
      equal(free(x), true)
    end)

    it("may stand inside another, and in a coroutine: " .. name, function()
      local x, y = new(), new()
      equal(coroutine.wrap(function()
        return x:with(y.with, y, function(v)
          task.checkpoint()
          equal({ free(x), free(y) }, { false, false })
          return v
        end, "v")
      end)(), "v")
      equal({ free(x), free(y) }, { true, true })
    end)

    it("releases when the host breaks into a function that only computes: " .. name, function()
      local x = new()
      local ok, err = pcall(x.with, x, function()
        debug.sethook(function() error("broken", 0) end, "", 1000)
        repeat until false
      end)
      debug.sethook()
      equal({ ok, err }, { false, "broken" })
      equal(free(x), true)
    end)

    it("checks its function before it waits: " .. name, function()
      local x = new()
      x:acquire()
      misuse("bad argument #1 to 'with' %(function expected, got no value%)", function() x:with() end)
      x:release()
      x:with(setmetatable({}, { __call = function() end }))
    end)
  end

  it("of a lock releases nobody else's", function()
    local l = sync.lock()
    local t = task.spawn(l.with, l, never)
    misuse("was released inside of 'with'", function()
      l:with(function() l:release() turns(1) end)
    end)
    equal(l:locked(), true)
    t:cancel()
  end)
end)

describe("methods", function()
  it("refuse what is none of theirs, at the caller's line", function()
    local e, s, l = sync.event(), sync.semaphore(1), sync.lock()
    misuse("bad argument #1 to 'wait' %(event expected, got table%)", function() e.wait({}) end)
    misuse("bad argument #1 to 'acquire' %(semaphore expected, got septet.lock%)", function() s.acquire(l) end)
    misuse("bad argument #1 to 'release' %(lock expected, got no value%)", function() l.release() end)
  end)

  it("are out of reach of scripts that would change them", function()
    equal(getmetatable(sync.lock()), false)
    raises(nil, function() sync.event().set = nil end)
  end)
end)
