-- SPDX-License-Identifier: MIT
-- Queues on a Redis server whose connection is cut: what was asked is asked again, and done once.
local children = require "children"
local proxy = require "proxy"
local queues = require "redis_queues"
local redis = require "redis"
local task = require "septet.task"

local it = children.it
local KEPT <const> = queues.KEPT
local open, take, put = queues.open, queues.take, queues.put

-- Asks for a whole life of two jobs, and returns what came of it.
local function converse(driver)
  local n = put(driver, "a", "b")
  local got = take(driver, 2, "t")
  local leases = { { key = "a", token = "t" }, { key = "b", token = "t" } }
  local held = driver:renew(leases, queues.LEASE)
  local ended = driver:finish { { key = "a", token = "t", how = "done", result = '"x"',
    puts = { { key = "c" } } }, { key = "b", token = "t", how = "retry", error = "e", delay = 0 } }
  return { n, #got, held, ended }
end

describe("a connection to Redis that is cut", function()
  local EXPECTED = { 2, 2, { true, true }, { true, true } }

  it("law_10_cut: at whatever byte, in both directions, nothing is lost or done twice", function()
    local server <close> = redis.start(KEPT)
    local way <close> = proxy.start(server.folder .. "/p", server.path)
    local first = open(("unix://%s?queue=first"):format(way.path))
    converse(first) -- the server has the scripts after it
    first:clear()
    local before = { up = way.passed.up, down = way.passed.down }
    equal(converse(first), EXPECTED)
    local sizes = { up = way.passed.up - before.up, down = way.passed.down - before.down }
    first:close()
    for _, direction in ipairs { "up", "down" } do
      local d = open(("unix://%s?queue=%s"):format(way.path, direction), { pause = 0.0001 })
      local made, step = way.connections, math.max(1, sizes[direction] // many(1 << 20))
      for at = 0, sizes[direction], step do
        way.limit = { direction, way.passed[direction] + at }
        equal(converse(d), EXPECTED, ("cut %s at %d"):format(direction, at))
        way.limit = nil
        local stats = d:stats()
        equal({ stats.pending, stats.leased, stats.done, stats.dead }, { 2, 0, 1, 0 },
          ("cut %s at %d"):format(direction, at))
        equal(queues.results(d), { a = '"x"' })
        d:clear()
      end
      equal(way.connections > made + sizes[direction] // step // 2, true)
      d:close()
    end
  end)

  it("law_10_cut: two calls that are under way are both asked again, and done once", function()
    local server <close> = redis.start(KEPT)
    local way <close> = proxy.start(server.folder .. "/p", server.path)
    local d = open(("unix://%s?queue=q"):format(way.path), { pause = 0.0001 })
    local keys = { "a", "b", "c", "d", "e", "f", "g", "h" }

    -- Ends two jobs and takes two others, for each of two tokens at once. Returns what was taken.
    local function exchange_both(before)
      put(d, table.unpack(keys))
      local calls = {}
      for i = 1, 2 do
        local ends = take(d, 2, "t" .. i)
        for _, ending in ipairs(ends) do
          ending.token, ending.how, ending.result = "t" .. i, "done", '"' .. ending.key .. '"'
        end
        calls[i] = { ends, 2, { lease = queues.LEASE, attempts = 5, token = "u" .. i } }
      end
      before()
      for i, call in ipairs(calls) do
        calls[i] = task.spawn(function()
          local answers, _, list = d:exchange(table.unpack(call))
          equal(answers, { true, true })
          return list
        end)
      end
      return calls[1]:await(), calls[2]:await()
    end

    local sizes
    local function at_rest()
      d:clear()
      local before
      exchange_both(function() before = { up = way.passed.up, down = way.passed.down } end)
      sizes = { up = way.passed.up - before.up, down = way.passed.down - before.down }
    end
    at_rest() -- the server has the scripts after it
    at_rest()
    local made = way.connections
    for _, direction in ipairs { "up", "down" } do
      for at = 0, sizes[direction], math.max(1, sizes[direction] // many(200)) do
        d:clear()
        local where = ("cut %s at %d"):format(direction, at)
        local first, second = exchange_both(function()
          way.limit = { direction, way.passed[direction] + at }
        end)
        way.limit = nil
        equal({ #first, #second }, { 2, 2 }, where)
        local taken = { first[1].key, first[2].key, second[1].key, second[2].key }
        table.sort(taken)
        equal(taken, { "e", "f", "g", "h" }, where)
        equal(queues.results(d), { a = '"a"', b = '"b"', c = '"c"', d = '"d"' }, where)
        equal({ d:stats().leased, d:stats().done, d:check() }, { 4, 4, {} }, where)
      end
    end
    equal(way.connections > made + 10, true)
    d:close()
  end)

  it("law_2_cut: a large put that was cut is there whole or not at all", function()
    local server <close> = redis.start(KEPT)
    local way <close> = proxy.start(server.folder .. "/p", server.path)
    local d = open(("unix://%s?queue=q"):format(way.path), { patience = 0 })
    local list = {}
    for i = 1, 1100 do list[i] = { key = "k" .. i } end
    d:put(list)
    local size, whole = way.passed.up, 0 -- of the connection that a large put has
    d:clear()
    for i = 0, 12 do
      way.limit = { "up", size * i // 12 }
      local ok = pcall(d.put, d, list)
      local n = d:stats().pending
      equal(n == 0 or n == 1100, true, n)
      equal(not ok or n == 1100, true)
      whole = whole + (n == 1100 and 1 or 0)
      d:clear()
    end
    equal(whole < 13, true)
    d:close()
  end)

  it("law_1_cut: a clear that is asked again leaves what was put meanwhile", function()
    local server <close> = redis.start(KEPT)
    local way <close> = proxy.start(server.folder .. "/p", server.path)
    local d, other = open(("unix://%s?queue=q"):format(way.path)), open(server:url "q")

    -- Calls fn. Its answer is lost, and `meanwhile` is called before it is asked for again.
    local function lose_answer(fn, meanwhile)
      local made = way.connections
      way.limit = { "down", way.passed.down + 1 }
      way.edit = function(_, bytes)
        if way.connections > made then
          way.edit = nil
          meanwhile()
        end
        return bytes
      end
      local answer = fn()
      equal(way.edit, nil)
      return answer
    end
    local function bury(mark)
      equal(#take(other, 1, mark), 1)
      other:finish { { key = "k", token = mark, how = "dead", error = "x" } }
    end

    for _ = 1, 2 do
      d:clear() -- the server has the script after it
      put(other, "k")
      lose_answer(function() d:clear() end, function() equal(put(other, "k"), 1) end)
      equal(other:stats().pending, 1)
    end
    bury "t1"
    equal(d:retry "k", 1)
    bury "t2"
    equal(lose_answer(function() return d:retry "k" end, function() bury "t3" end), 1)
    equal(other:stats().dead, 1)
    d:close()
    other:close()
  end)

  it("a take that is asked again takes nothing once the queue is being closed", function()
    local server <close> = redis.start(KEPT)
    local way <close> = proxy.start(server.folder .. "/p", server.path)
    local d, other = open(("unix://%s?queue=q"):format(way.path)), open(server:url "q")
    take(d, 1, "t1") -- the server has the script after it
    put(other, "k")
    way.limit = { "up", way.passed.up + 1 }
    local asks_again, closes = gate(), gate()
    way.admit = function() -- refuses the connection of the take once the close waits for it, too
      way.admit = nil
      asks_again.open()
      closes.wait()
      return false
    end
    local ended = false
    local t = task.spawn(function()
      local ok, err = pcall(take, d, 1, "t2")
      ended = true
      return ok, err
    end)
    asks_again.wait()
    way.edit = function(direction, bytes) -- the answer to the close arrives after the take's end
      local is_answer = direction == "down" and bytes:find "^:%d"
      if direction == "up" and bytes:find("t2", 1, true) then ended = true end -- a fault
      while is_answer and not ended do task.checkpoint() end
      return bytes
    end
    local closing = task.spawn(d.close, d)
    while not d.closing do task.checkpoint() end
    closes.open()
    local ok, err = t:await()
    closing:await()
    equal({ ok, err.code }, { false, "closed" })
    equal(other:stats().pending, 1)
    other:close()
  end)

  it("is closed while tasks wait for it: they raise, and nothing is left", function()
    local server <close> = redis.start(KEPT)
    local d = open(server:url "q")
    put(d, "k")
    take(d, 1, "t")
    server:freeze()
    local waiting = {}
    for i = 1, 5 do waiting[i] = task.spawn(pcall, put, d, "k" .. i) end
    task.sleep(0.02) -- they may have been sent, or not
    d:crash()
    for _, t in ipairs(waiting) do
      local ok, err = t:await()
      equal({ ok, err.code }, { false, "closed" })
    end
    server:thaw()
  end)

  it("ends a wait that is cancelled, and the queue stays usable", function()
    local server <close> = redis.start(KEPT)
    local d = open(server:url "q")
    server:freeze()
    local t = task.spawn(put, d, "a")
    task.sleep(0.02) -- it may have been sent, or not
    t:cancel()
    task.wait { t }
    equal(t:status(), "cancelled")
    server:thaw()
    local n = put(d, "a", "b")
    equal(n == 1 or n == 2, true)
    equal(d:stats().pending, 2)
    d:close()
  end)
end)
