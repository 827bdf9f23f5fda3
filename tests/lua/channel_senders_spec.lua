-- SPDX-License-Identifier: MIT
-- Senders: they count, and the channel closes with the last of them.
local task, sync = require "septet.task", require "septet.sync"
local helpers = require "helpers"

local collector, join = helpers.collector, helpers.join

describe("senders", function()
  it("the channel closes with the last of its senders", function()
    local ch = sync.channel()
    local t = collector(ch)
    local senders, producers = {}, {}
    for i = 1, 3 do senders[i] = ch:sender() end
    for i = 1, 3 do
      producers[i] = task.spawn(function()
        local s <close> = senders[i]
        for k = 1, i do s:send(i * 10 + k) end
      end)
    end
    local got = t:await()
    table.sort(got)
    equal(got, { 11, 21, 22, 31, 32, 33 })
    join(table.unpack(producers))
    raises_error({ kind = "ChannelClosed" }, ch.send, ch, 1)
    raises_error({ kind = "ChannelClosed" }, ch.sender, ch)
  end)

  it("a sender may be closed again, which counts once", function()
    local ch = sync.channel(1)
    local a, b = ch:sender(), ch:sender()
    a:close()
    a:close()
    equal(b:try_send(1), true)
    equal(b:try_send(2), false)
    b:close()
    equal(collector(ch):await(), { 1 })
  end)

  it("a closed sender sends nothing more, and other senders do", function()
    local ch = sync.channel(2)
    local a, b = ch:sender(), ch:sender()
    a:close()
    raises_error({ kind = "ChannelClosed" }, a.send, a, 1)
    raises_error({ kind = "ChannelClosed" }, a.try_send, a, 1)
    b:send(2)
    ch:send(3)
    equal({ ch:recv(), ch:recv() }, { 2, 3 })
  end)

  it("closing a sender fails its own waits, and not those of other senders", function()
    local ch = sync.channel()
    local a, b = ch:sender(), ch:sender()
    local ta, tb, tc = task.spawn(a.send, a, "a"), task.spawn(b.send, b, "b"),
      task.spawn(ch.send, ch, "c")
    turns(1)
    a:close()
    raises_error({ kind = "ChannelClosed" }, ta.await, ta)
    equal({ ch:recv(), ch:recv() }, { "b", "c" })
    join(tb, tc)
  end)

  it("senders fail with the channel", function()
    local ch = sync.channel()
    local s = ch:sender()
    local t = task.spawn(s.send, s, 1)
    turns(1)
    ch:close()
    raises_error({ kind = "ChannelClosed" }, t.await, t)
    s:close()
    s:close()
  end)

  it("a sender keeps its channel from the collector", function()
    local s = sync.channel(1):sender()
    collectgarbage()
    s:send "x"
    equal(s:try_send "y", false)
  end)

  it("an item in the channel keeps the sender that it refers to", function()
    local ch = sync.channel()
    local other = ch:sender()
    local t = task.spawn(other.send, ch:sender(), "x")
    turns(1)
    collectgarbage()
    for _ = 1, 50 do
      ch:sender():close() -- must not be where the one that waits was
    end
    equal(t:status(), "suspended")
    other:close()
    equal(ch:recv(), "x")
    t:await()
  end)

  it("senders are not counted after the collector has taken their channel", function()
    for _ = 1, 100 do sync.channel():sender() end
    collectgarbage()
  end)
end)
