-- SPDX-License-Identifier: MIT
-- Locks: first come, first served, and no cancellation loses the lock.
local task, sync = require "septet.task", require "septet.sync"
local helpers = require "helpers"

local never, dismiss, await_all = helpers.never, helpers.dismiss, helpers.await_all

describe("a lock", function()
  it("a lock belongs to one task at a time", function()
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

  it("a lock goes to its waiters in the order they came", function()
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

  it("an owner that acquires its lock again gets Usage, and no endless wait", function()
    local l = sync.lock()
    l:acquire()
    misuse("the lock is held by this task already", function() l:acquire() end)
    misuse("the lock is held by this task already", function() l:try_acquire() end)
    misuse("the lock is held by this task already", function()
      coroutine.wrap(function() l:acquire() end)()
    end)
    l:release()
  end)

  it("only its owner can release a lock", function()
    local l = sync.lock()
    misuse("the lock is not held", function() l:release() end)
    local owner = task.spawn(l.with, l, never)
    owner.name = "the owner"
    turns(1)
    misuse("the lock is held by task 'the owner'", function() l:release() end)
    equal(l:locked(), true)
    owner:cancel()
  end)

  it("a lock belongs to the task, whichever coroutine of it acquires", function()
    local l = sync.lock()
    coroutine.wrap(function() l:acquire() end)()
    coroutine.wrap(function() l:release() end)()
    equal(l:locked(), false)
  end)

  it("a lock that was handed over belongs to its new owner at once", function()
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

  it("a lock forgets a cancelled waiter, and serves the next", function()
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

  it("a cancellation and a release together do not lose the lock, in any order", function()
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

  it("a cancelled task does not get a lock", function()
    local l, got = sync.lock(), nil
    local t = task.spawn(function()
      got = pcall(l.acquire, l)
    end)
    t:cancel()
    pcall(t.await, t)
    equal(got, false)
    equal(l:locked(), false)
  end)

  it("a lock says which task has it", function()
    local l = sync.lock()
    local owner = task.spawn(l.with, l, never)
    owner.name = "x"
    turns(1)
    local t = task.spawn(l.acquire, l)
    turns(1)
    equal(t:waits_for(), "lock held by 'x'")
    dismiss(t, owner)
  end)

  it("a lock is kept from the collector while it is held, and no longer", function()
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
