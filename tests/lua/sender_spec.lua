-- SPDX-License-Identifier: MIT
-- Senders that are dropped: a channel whose senders are all unreachable is closed.
local task, sync = require "septet.task", require "septet.sync"

local function collect()
  collectgarbage()
  collectgarbage()
end

-- Each makes a sender of the channel and loses the last reference to it.
local ways = {
  ["a local out of scope"] = function(ch)
    do local _ = ch:sender() end
  end,
  ["a result that nobody takes"] = function(ch) ch:sender() end,
  ["a variable set to something else"] = function(ch)
    local s = ch:sender()
    s:try_send("kept")
    s = nil -- luacheck: ignore
  end,
  ["a field"] = function(ch)
    local object = { s = ch:sender() }
    equal(object.s ~= nil, true)
    object.s = nil
  end,
  ["a closure"] = function(ch)
    local s = ch:sender()
    return function() s:send(1) end
  end,
  ["an error"] = function(ch)
    pcall(function()
      local s = ch:sender()
      error(s and "lost")
    end)
  end,
  ["a task that ended"] = function(ch)
    task.spawn(function()
      local s = ch:sender()
      task.sleep(0)
      return s ~= nil
    end):await()
  end,
  ["a task that was cancelled"] = function(ch)
    local t = task.spawn(function()
      local s = ch:sender()
      task.sleep(math.huge)
      s:send(1)
    end)
    turns(2)
    t:cancel()
    task.wait { t }
  end,
  ["a task that failed"] = function(ch)
    local t = task.spawn(function()
      local s = ch:sender()
      error(s and "lost", 0)
    end)
    pcall(t.await, t)
  end,
  ["a coroutine that is not resumed"] = function(ch)
    local co = coroutine.wrap(function()
      local s = ch:sender()
      coroutine.yield()
      s:send(1)
    end)
    co()
  end,
  ["a generator that was closed"] = function(ch)
    local g = task.generator(function(emit)
      local s = ch:sender()
      emit(1)
      s:send(1)
    end)
    g()
    g:close()
  end,
  ["a circle of objects"] = function(ch)
    local a, b = {}, { s = ch:sender() }
    a.b, b.a = b, a
    return a.b == b
  end,
}

local function lose(way, ch)
  task.spawn(ways[way], ch):await()
end

-- What becomes of what is in the channel: the rest, then the end.
local function drained(ch)
  local item, why
  repeat
    item, why = ch:recv()
  until item == nil
  equal(why, "closed")
  return item, why
end

describe("senders that are lost", function()
  for way in pairs(ways) do
    it("T-K: a receive has the end after the last sender is lost by " .. way, function()
      local ch = sync.channel(1)
      lose(way, ch)
      collect()
      drained(ch)
      equal({ ch:try_recv() }, { nil, "closed" })
      raises_error({ kind = "ChannelClosed" }, ch.send, ch, 1)
    end)

    it("T-K: a waiting receive has the end when the last sender is lost by " .. way, function()
      local ch = sync.channel()
      local receivers = { task.spawn(ch.recv, ch), task.spawn(function()
        local n = 0
        for _ in ch:iter() do n = n + 1 end
        return n
      end), task.spawn(ch.recv, ch) }
      turns(2)
      lose(way, ch)
      turns(2)
      collect()
      for _, t in ipairs(receivers) do
        task.timeout(5, t.await, t)
        equal(t:status(), "done")
      end
    end)
  end
end)

describe("a dropped sender", function()
  it("T-K: a dropped sender ends nothing while another one is open", function()
    local ch = sync.channel(1)
    local other = ch:sender()
    lose("a field", ch)
    collect()
    equal({ ch:try_recv() }, { nil, "empty" })
    other:send "x"
    equal(ch:recv(), "x")
    other:close()
    equal({ ch:recv() }, { nil, "closed" })
  end)

  it("T-K: a dropped sender leaves what was sent through it", function()
    local ch = sync.channel(3)
    do
      local s = ch:sender()
      for i = 1, 3 do s:send(i) end
    end
    collect()
    equal({ ch:recv(), (ch:recv()), (ch:recv()) }, { 1, 2, 3 })
    equal({ ch:recv() }, { nil, "closed" })
  end)

  it("T-K: a sender that was closed, or whose channel was, counts once", function()
    local ch = sync.channel(1)
    local other = ch:sender()
    do
      local s = ch:sender()
      s:close()
    end
    collect()
    equal(other:try_send(1), true)
    ch:close()
    other = nil -- luacheck: ignore
    collect()
    equal({ ch:recv() }, { 1 })
    equal({ ch:recv() }, { nil, "closed" })
  end)

  it("T-K: a sender that a task holds, or waits in, is not dropped", function()
    local ch = sync.channel()
    local hold = gate()
    local holder = task.spawn(function()
      local s <close> = ch:sender()
      hold.wait()
      s:send "held"
    end)
    local sender = task.spawn(function() ch:sender():send "waits" end)
    turns(3)
    collect()
    equal(ch:recv(), "waits")
    sender:await()
    collect()
    equal({ ch:try_recv() }, { nil, "empty" })
    hold.open()
    equal(ch:recv(), "held")
    holder:await()
    equal({ ch:recv() }, { nil, "closed" })
  end)
end)
