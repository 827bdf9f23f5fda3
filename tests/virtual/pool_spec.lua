-- SPDX-License-Identifier: MIT
-- Pools: groups of which a number of tasks is alive at once.
local task, testing = require "septet.task", require "septet.testing"

-- Returns a function that counts how many of its calls are under way, and the counts.
local function counting(seconds)
  local counts = { live = 0, most = 0, calls = 0 }
  return function(value)
    counts.live = counts.live + 1
    counts.calls = counts.calls + 1
    counts.most = math.max(counts.most, counts.live)
    local function leave() counts.live = counts.live - 1 end
    local _ <close> = setmetatable({}, { __close = leave })
    task.sleep(seconds or 1)
    return value
  end, counts
end

describe("a pool", function()
  it("runs at most so many tasks at once, and all of them", function()
    for _, n in ipairs { 1, 3, 20 } do
      local job, counts = counting()
      task.pool(n, function(pool)
        for i = 1, 20 do pool:spawn(job, i) end
      end)
      equal({ counts.most, counts.live, counts.calls }, { n, 0, 20 })
    end
  end)

  it("spawn waits for room, so the caller goes at the speed of the tasks", function()
    local job = counting(2)
    local began, at = task.now(), {}
    task.pool(2, function(pool)
      for i = 1, 6 do
        pool:spawn(job)
        at[i] = math.floor(task.now() - began + 0.5)
      end
    end)
    equal(at, { 0, 0, 2, 2, 4, 4 })
  end)

  it("returns what its function returns", function()
    local function body(pool, a, b) return pool.is_open, a, b end
    equal({ task.pool(2, body, 1, 2) }, { true, 1, 2 })
  end)

  it("map spawns a task for each item, named by it, in the order of the list", function()
    local job, counts = counting()
    local tasks = task.pool(3, function(pool)
      return pool:map(job, { "a", "b", "c", "d", "e" })
    end)
    local values = {}
    for i, t in ipairs(tasks) do values[i] = t:await() end
    equal(values, { "a", "b", "c", "d", "e" })
    equal(counts.most, 3)
    equal(tasks[2].name, "b")
  end)

  it("map of a group spawns them all at once", function()
    local job, counts = counting()
    task.group(function(g) g:map(job, { 1, 2, 3, 4 }) end)
    equal(counts.most, 4)
  end)

  it("in a variable, waits for its tasks at the end of the block", function()
    local job, counts = counting()
    do
      local pool <close> = task.pool(2)
      for _ = 1, 5 do pool:spawn(job) end
    end
    equal({ counts.most, counts.live, counts.calls }, { 2, 0, 5 })
  end)

  it("a failure cancels the rest and the spawn that waits, and ends in an ErrorGroup", function()
    local spawned = 0
    local err = raises_error({ kind = "ErrorGroup" }, task.pool, 2, function(pool)
      for _ = 1, 10 do
        pool:spawn(function()
          task.sleep(1)
          error("broken", 0)
        end)
        spawned = spawned + 1
      end
    end)
    assert(#err.errors >= 1 and spawned >= 2 and spawned < 10)
    equal(err.errors[1], "broken")
  end)

  it("a task that is cancelled before it began gives its place back", function()
    task.pool(1, function(pool)
      for _ = 1, 5 do pool:spawn(task.sleep, 1):cancel() end
      local t = pool:spawn(function() return "ran" end)
      equal(t:await(), "ran")
    end)
  end)

  it("a spawn that is cancelled while it waits takes no place", function()
    local job, counts = counting(10)
    task.pool(1, function(pool)
      pool:spawn(job)
      for _ = 1, 3 do
        raises_error({ kind = "Timeout" }, task.timeout, 1, pool.spawn, pool, job)
      end
      pool:spawn(job)
    end)
    equal({ counts.calls, counts.most }, { 2, 1 })
  end)

  it("several tasks may spawn: the longest wait comes first", function()
    local order = {}
    task.pool(1, function(pool)
      pool:spawn(task.sleep, 5)
      task.group(function(g)
        for i = 1, 4 do
          g:spawn(function()
            task.sleep(i / 10)
            pool:spawn(function() order[#order + 1] = i end)
          end)
        end
      end)
    end)
    equal(order, { 1, 2, 3, 4 })
  end)

  it("cancel ends its tasks and the spawn that waits", function()
    local job, counts = counting(60)
    local began = task.now()
    task.pool(2, function(pool)
      task.spawn(function()
        task.sleep(1)
        pool:cancel()
      end)
      for _ = 1, 10 do pool:spawn(job) end
    end)
    equal({ counts.calls, counts.live }, { 2, 0 })
    assert(task.now() - began < 2)
  end)

  it("is closed to those who still wait when it ends", function()
    local outer, pool = nil, nil
    task.group(function(g)
      task.pool(1, function(p)
        pool = p
        p:spawn(task.sleep, 1)
        outer = g:spawn(function()
          pcall(p.spawn, p, task.sleep, 1)
          return pcall(p.spawn, p, print)
        end)
        testing.wait_all_blocked()
      end)
      local ok, err = outer:await()
      equal(ok, false)
      equal(task.is(err, "Usage"), true)
    end)
    raises("closed", pool.spawn, pool, print)
  end)

  it("a task that waits for room in its own pool is a deadlock that a deadline ends", function()
    raises_error({ kind = "Timeout" }, task.timeout, 5, task.pool, 1, function(pool)
      pool:spawn(function() pool:spawn(print) end)
    end)
  end)

  it("refuses a size that is none, and start", function()
    for _, n in ipairs { 0, -1, 1.5, "3", math.huge } do
      raises("bad argument #1 to 'pool'", task.pool, n)
    end
    raises("bad argument #2 to 'pool'", task.pool, 1, 7)
    task.pool(1, function(pool)
      raises("a pool has no 'start'", pool.start, pool, print)
      raises("function expected", pool.spawn, pool)
      raises("list expected", pool.map, pool, print, 3)
    end)
  end)
end)
