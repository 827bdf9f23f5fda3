-- SPDX-License-Identifier: MIT
-- Events, with blocks and methods: first come, first served, and no cancellation loses a value.
-- check: allow blocks
local task, sync = require "septet.task", require "septet.sync"
local helpers = require "helpers"

local never, dismiss, await_all = helpers.never, helpers.dismiss, helpers.await_all

describe("an event", function()
  it("an event is not set, then set for ever", function()
    local e = sync.event()
    equal(e:is_set(), false)
    e:set()
    equal(e:is_set(), true)
    e:set()
    equal(e:is_set(), true)
    equal(select("#", e:wait()), 0)
  end)

  it("an event resumes all waiters in the order they came, and none inside set()", function()
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

  it("an event that is set twice resumes its waiters once", function()
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

  it("an event that is set lets other tasks run in time", function()
    local e, other = sync.event(), 0
    e:set()
    local t = task.spawn(function() other = other + 1 end)
    for _ = 1, 128 do e:wait() end
    equal(other, 0)
    e:wait()
    equal(other, 1)
    t:await()
  end)

  it("an event's waiter returns, even if it is cancelled after the set", function()
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

  it("a cancelled task does not wait for an event, set or not", function()
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

  it("an event forgets a cancelled waiter", function()
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

  it("an event is collected with its waiters' frames, not before", function()
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

  it("coroutines inside tasks wait for an event", function()
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

  it("an event refuses a wait where none is possible", function()
    local e = sync.event()
    e:set()
    misuse("cannot wait here: called from 'table.sort'", function()
      table.sort({ 2, 1 }, function() e:wait() end)
    end)
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

    it("with passes arguments and results through: " .. name, function()
      local x = new()
      local got = table.pack(x:with(function(...)
        equal(free(x), false)
        task.checkpoint()
        return select("#", ...), ...
      end, 1, nil, 3, nil))
      equal(got, { 4, 1, nil, 3, nil, n = 5 })
      equal(free(x), true)
    end)

    it("with releases on an error, which passes unchanged: " .. name, function()
      local x, err = new(), {}
      equal({ pcall(x.with, x, function() error(err) end) }, { false, err })
      equal(free(x), true)
      equal(rawequal(select(2, pcall(x.with, x, function() error(err) end)), err), true)
      equal(select("#", pcall(x.with, x, error)), 2)
      equal(free(x), true)
    end)

    it("with releases on cancellation, inside and in the queue: " .. name, function()
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

    it("with releases what a cancelled task was handed: " .. name, function()
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

    it("with raises Usage if the function has released: " .. name, function()
      local x = new()
      misuse("was released inside of 'with'", function() x:with(x.release, x) end)
      equal(free(x), true)
      raises("the body's own", x.with, x, function()
        x:release()
        error("the body's own", 0)
      end)
      equal(free(x), true)
    end)

    it("with lets the function release and acquire again: " .. name, function()
      local x = new()
      x:with(function()
        x:release()
        task.checkpoint()
        x:acquire()
      end)
      equal(free(x), true)
    end)

    it("with passes a great many results through: " .. name, function()
      local x = new()
      local got = table.pack(x:with(function(...)
        task.checkpoint()
        return ...
      end, table.unpack({}, 1, 500)))
      equal(got.n, 500)
      equal(free(x), true)
    end)

    it("with may be inside another, and in a coroutine: " .. name, function()
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

    it("with releases when the host breaks into a long computation: " .. name, function()
      local x = new()
      local ok, err = pcall(x.with, x, function()
        debug.sethook(function() error("broken", 0) end, "", 1000)
        repeat until false
      end)
      debug.sethook()
      equal({ ok, err }, { false, "broken" })
      equal(free(x), true)
    end)

    it("with checks its function before it waits: " .. name, function()
      local x = new()
      x:acquire()
      misuse("bad argument #1 to 'with' %(function expected, got no value%)", function()
        x:with()
      end)
      x:release()
      x:with(setmetatable({}, { __call = function() end }))
    end)
  end

  it("with of a lock does not release that of another task", function()
    local l = sync.lock()
    local t = task.spawn(l.with, l, never)
    misuse("was released inside of 'with'", function()
      l:with(function()
        l:release()
        turns(1)
      end)
    end)
    equal(l:locked(), true)
    t:cancel()
  end)
end)

describe("methods", function()
  it("methods refuse other objects, at the caller's line", function()
    local e, s, l = sync.event(), sync.semaphore(1), sync.lock()
    misuse("bad argument #1 to 'wait' %(event expected, got table%)", function() e.wait({}) end)
    misuse("bad argument #1 to 'acquire' %(semaphore expected, got septet.lock%)", function()
      s.acquire(l)
    end)
    misuse("bad argument #1 to 'release' %(lock expected, got no value%)", function()
      l.release()
    end)
  end)

  it("scripts cannot change the methods", function()
    equal(getmetatable(sync.lock()), false)
    raises(nil, function() sync.event().set = nil end)
  end)
end)
