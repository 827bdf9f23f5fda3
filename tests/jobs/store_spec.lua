-- SPDX-License-Identifier: MIT
-- The heaps of a queue in memory: what is thrown away, and how much they keep.
local engines = require "jobs_engines"
local Heap = debug.getregistry()["septet.require"] "septet.jobs.heap"

describe("a heap", function()
  it("gives what is current in its order, whatever is pushed", function()
    math.randomseed(7)
    for round = 1, 50 do
      local gone, expected = {}, {}
      local heap = Heap.new(function(entry) return not gone[entry[3]] end)
      for i = 1, round * 4 do
        local job = { first = math.random(10), second = i }
        heap:push({ job.first, job.second, job }, round * 4)
        if math.random(3) == 1 then gone[job] = true else expected[#expected + 1] = job end
      end
      table.sort(expected, function(a, b)
        if a.first ~= b.first then return a.first < b.first end
        return a.second < b.second
      end)
      for _, job in ipairs(expected) do
        local found, first = heap:first()
        equal(rawequal(found, job), true)
        equal(first, job.first)
        heap:pop()
      end
      equal({ heap:first() }, {})
    end
  end)

  it("law_8_bounded: sweeps the entries of jobs that went on", function()
    local live = {}
    local heap = Heap.new(function(entry) return live[entry[3]] end)
    for i = 1, 20000 do
      local job = { i }
      live[job] = i % 1000 == 0 or nil
      heap:push({ i % 17, i, job }, 20)
      equal(heap.n <= 2 * 20 + 65, true)
    end
    local n = 0
    while heap:first() do
      heap:pop()
      n = n + 1
    end
    equal(n, 20)
  end)
end)

describe("a queue in memory", function()
  it("law_8_bounded: keeps nothing of what was removed, renewed or forgotten", function()
    local place <close> = engines.place "memory"
    local d = place:driver()
    local store = d.store
    d:put { { key = "first", priority = 9 }, { key = "held", priority = 8 } }
    local options = { lease = 60, attempts = 5, token = "t", limit = 1 }
    d:take(2, options)
    for i = 1, 3000 do
      d:put { { key = "a", priority = i }, { key = "b", delay = 1e6 + i } }
      d:renew({ { key = "held", token = "t" } }, 60)
      d:remove "a"
      d:remove "b"
      d:stats()
    end
    for _, name in ipairs { "pending", "delayed", "leases", "oldest", "done" } do
      equal(store[name].n < 200, true, name .. " has " .. store[name].n)
    end
    for i = 1, 3000 do
      local key = "k" .. i
      d:put { { key = key, group = "g" .. i } }
      d:take(1, { lease = 60, attempts = 5, token = key, limit = 1 })
      d:finish { { key = key, token = key, how = i % 2 == 0 and "done" or "dead", error = "x" } }
      if i % 2 == 1 then d:remove(key) end
    end
    equal(d:forget(0), 1500)
    local left = {}
    for _, name in ipairs { "jobs", "tokens", "groups", "results", "dead" } do
      local n = 0
      for key in pairs(store[name]) do n = n + (key ~= "first" and key ~= "last" and 1 or 0) end
      left[name] = n
    end
    equal(left, { jobs = 1, tokens = 1, groups = 0, results = 0, dead = 0 })
    equal(store.results.first, store.results.last + 1)
  end)
end)
