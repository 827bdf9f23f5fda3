-- SPDX-License-Identifier: MIT
-- Semaphores: first come, first served, and no cancellation loses a permit.
local task, sync = require "septet.task", require "septet.sync"
local helpers = require "helpers"

local await_all = helpers.await_all

describe("a semaphore", function()
  it("a semaphore gives as many permits as it has", function()
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

  it("a semaphore raises Usage if it is released more often than acquired", function()
    local s = sync.semaphore(2)
    misuse("semaphore released more often than acquired", function() s:release() end)
    s:acquire()
    s:release()
    misuse("semaphore released more often than acquired", function() s:release() end)
    equal(s:value(), 2)
  end)

  it("a semaphore serves its waiters in the order they came", function()
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

  it("a semaphore hands a permit over at once, and no other task takes it", function()
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

  it("a semaphore never has more owners than permits", function()
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

  it("a semaphore forgets a cancelled waiter, and serves the next", function()
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

  it("a cancellation and a release together lose no permit, in any order", function()
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

  it("a semaphore conserves its permits in any order of calls", function()
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

  it("a cancelled task gets no permit, even if one is free", function()
    local s, got = sync.semaphore(1), nil
    local t = task.spawn(function()
      got = pcall(s.acquire, s)
    end)
    t:cancel()
    pcall(t.await, t)
    equal(got, false)
    equal(s:value(), 1)
  end)

  it("another task may release what a task has acquired", function()
    local s = sync.semaphore(1)
    s:acquire()
    task.spawn(s.release, s):await()
    equal(s:value(), 1)
  end)

  it("a semaphore that never waits lets other tasks run in time", function()
    local s, other = sync.semaphore(1), 0
    local t = task.spawn(function() other = other + 1 end)
    for _ = 1, 129 do
      s:acquire()
      s:release()
    end
    equal(other, 1)
    t:await()
  end)

  it("a semaphore says what its waiters wait for", function()
    local s = sync.semaphore(1)
    s:acquire()
    local t = task.spawn(s.acquire, s)
    turns(1)
    equal(t:waits_for(), "semaphore of 1")
    s:release()
    t:await()
  end)

  it("a semaphore checks its number", function()
    for _, n in ipairs { 0, -1, 1.5, "2", math.huge } do
      misuse("bad argument #1 to 'semaphore'", function() sync.semaphore(n) end)
    end
    misuse("bad argument #1 to 'semaphore' %(whole number expected, got no value%)", function()
      sync.semaphore()
    end)
    misuse("at least 1 expected", function() sync.semaphore(0) end)
    equal(sync.semaphore(2.0):value(), 2)
  end)
end)
