-- SPDX-License-Identifier: MIT
-- What a channel keeps in memory, and what the collector does to it.
local task, sync = require "septet.task", require "septet.sync"
local helpers = require "helpers"

local join = helpers.join

describe("memory", function()
  local function a_million(capacity)
    local ch, n = sync.channel(capacity), many(1000000)
    local function heap()
      collectgarbage()
      return collectgarbage "count"
    end
    local before, middle
    local s = task.spawn(function()
      for i = 1, n do ch:send(i) end
      ch:close()
    end)
    local sum = 0
    for v in ch:iter() do
      sum = sum + v
      if v == 1000 then before = heap() end
      if v == n - 1000 then middle = heap() end
    end
    s:await()
    equal(sum, n * (n + 1) // 2)
    equal(middle - before < 1, true, ("grew by %.1f KB"):format(middle - before))
  end

  it("a channel of 0 does not grow with a million items", function() a_million(0) end)
  it("a channel of 10 does not grow with a million items", function() a_million(10) end)

  it("handing an item over allocates no memory", function()
    for _, capacity in ipairs { 0, 1, 8 } do
      local ch = sync.channel(capacity)
      local s = task.spawn(function()
        for i = 1, 2000 do ch:send(i) end
      end)
      for _ = 1, 100 do ch:recv() end
      collectgarbage()
      collectgarbage "stop"
      local before = collectgarbage "count"
      for _ = 1, 1900 do ch:recv() end
      local after = collectgarbage "count"
      collectgarbage "restart"
      equal(after <= before, true)
      s:await()
    end
  end)

  it("items in flight are safe from the collector, in every mode", function()
    for _, mode in ipairs { "generational", "incremental" } do
      collectgarbage(mode)
      for _, capacity in ipairs { 0, 1, 7, math.huge } do
        local ch, producers = sync.channel(capacity), {}
        for i = 1, 4 do
          local s = ch:sender()
          producers[i] = task.spawn(function()
            for k = 1, 50 do
              s:send { tostring(i * 1000 + k), {} }
              if k % 5 == i then collectgarbage(k % 2 == 0 and "step" or "collect") end
              if k % 7 == 0 then task.checkpoint() end
            end
            s:close()
          end)
        end
        local n = 0
        for v in ch:iter() do
          n = n + 1
          equal(#v[1], 4)
          equal(v[2], {})
          if n % 3 == 0 then collectgarbage() end
        end
        equal(n, 200)
        join(table.unpack(producers))
      end
    end
    collectgarbage "incremental"
  end)

  it("a channel survives finalizers that use it while it grows", function()
    local ch, in_time, meddling = nil, 0, true
    local growing, got, extras_sent, extras = false, 0, 0, 0
    local function take(v)
      if v == "extra" then
        extras = extras + 1
      elseif v then
        got = got + 1
        equal(v, got)
      end
    end
    local function meddle(i)
      setmetatable({}, { __gc = function()
        if growing then in_time = in_time + 1 end
        for _ = 1, i % 12 do
          if ch:try_send "extra" then extras_sent = extras_sent + 1 end
        end
        if i % 3 == 0 then take((ch:try_recv())) end
        if meddling then meddle(i + 1) end
      end })
    end
    collectgarbage("incremental", 1, 1000, 1) -- a step at every allocation
    collectgarbage() -- or the pause before would still count
    ch = sync.channel(math.huge)
    meddle(1)
    for _ = 1, 200 do
      local last = ch
      got, ch = 0, sync.channel(math.huge)
      -- from a finalizer that ran while the new one was made
      while #last > 0 do take((last:try_recv())) end
      for i = 1, 50 do
        growing = true
        ch:send(i)
        growing = false
      end
      while #ch > 0 do take((ch:try_recv())) end
      equal(got, 50)
    end
    meddling = false
    collectgarbage("incremental", 400, 100, 13)
    collectgarbage()
    while #ch > 0 do take((ch:try_recv())) end
    equal(extras, extras_sent)
    equal(in_time > 0, true)
  end)
end)
