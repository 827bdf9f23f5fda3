-- SPDX-License-Identifier: MIT
-- Channels: values go from task to task in order, and none is lost or received twice.
local task, sync = require "septet.task", require "septet.sync"
local helpers = require "helpers"

local collector, sending, join = helpers.collector, helpers.sending, helpers.join

describe("a channel without a buffer", function()
  it("a sender without a buffer waits for its receiver", function()
    local ch, sent = sync.channel(), false
    local t = task.spawn(function()
      equal(select("#", ch:send("a")), 0)
      sent = true
    end)
    turns(3)
    equal(sent, false)
    equal(#ch, 0)
    equal({ ch:recv() }, { "a" })
    equal(sent, false) -- never inside recv()
    t:await()
  end)

  it("a value goes straight to a receiver that waits", function()
    local ch = sync.channel()
    local t = task.spawn(function() return ch:recv() end)
    turns(1)
    ch:send("a")
    equal(t:status(), "suspended")
    equal({ t:await() }, { "a" })
  end)

  it("senders are served in the order they came", function()
    local ch = sync.channel()
    local a, b, c = sending(ch, 1, 4), sending(ch, 2, 5), sending(ch, 3, 6)
    turns(1)
    local got = {}
    for i = 1, 6 do got[i] = ch:recv() end
    equal(got, { 1, 2, 3, 4, 5, 6 })
    join(a, b, c)
  end)

  it("receivers are served in the order they came", function()
    local ch, got, all = sync.channel(), {}, {}
    for i = 1, 4 do
      all[i] = task.spawn(function() got[i] = ch:recv() end)
    end
    turns(1)
    for i = 1, 4 do ch:send(i) end
    join(table.unpack(all))
    equal(got, { 1, 2, 3, 4 })
  end)

  it("a channel passes values of any type by identity", function()
    local ch, t = sync.channel(), {}
    for _, v in ipairs { t, print, task.current(), ch, false, 0, "", 0.5,
      coroutine.create(print) } do
      local s = sending(ch, v)
      equal(rawequal(ch:recv(), v), true)
      s:await()
    end
  end)
end)

describe("a channel with a buffer", function()
  it("a buffer takes what fits at once, in order", function()
    local ch = sync.channel(3)
    for i = 1, 3 do
      ch:send(i)
      equal(#ch, i)
    end
    local t = sending(ch, 4)
    turns(2)
    equal(t:status(), "suspended")
    equal(#ch, 3)
    equal(ch:recv(), 1)
    equal(#ch, 3) -- the sender's place in the buffer is its own at once
    t:await()
    equal({ ch:recv(), ch:recv(), ch:recv() }, { 2, 3, 4 })
    equal(#ch, 0)
  end)

  it("a buffer grows up to any capacity, and keeps its order", function()
    for _, capacity in ipairs { 1, 2, 3, 4, 5, 7, 100, math.huge } do
      local ch, sent, got = sync.channel(capacity), 0, 0
      for round = 1, 200 do
        for _ = 1, round % 9 do
          if ch:try_send(sent + 1) then sent = sent + 1 end
        end
        for _ = 1, round % 5 do
          local v = ch:try_recv()
          if v then
            got = got + 1
            equal(v, got)
          end
        end
        equal(#ch, sent - got)
        equal(#ch <= capacity, true)
      end
      for v in function() return (ch:try_recv()) end do
        got = got + 1
        equal(v, got)
      end
      equal(got, sent)
    end
  end)

  it("a channel of math.huge never makes a sender wait", function()
    local ch, other = sync.channel(math.huge), false
    local t = task.spawn(function() other = true end)
    for i = 1, 100 do ch:send(i) end
    equal(other, false)
    equal(#ch, 100)
    t:await()
    for i = 1, 100 do equal(ch:recv(), i) end
  end)

  it("sends and receives that never wait let other tasks run in time", function()
    local ch, other = sync.channel(math.huge), false
    local t = task.spawn(function() other = true end)
    for i = 1, 129 do ch:send(i) end
    equal(other, true)
    for _, fn in ipairs { function() ch:recv() end, function() pcall(ch.send, ch, 1) end } do
      if #ch == 0 then ch:close() end
      other = false
      local u = task.spawn(function() other = true end)
      for _ = 1, 129 do fn() end
      equal(other, true)
      u:await()
    end
    t:await()
  end)

  it("a new task gets no place or value before those that wait", function()
    local ch = sync.channel(1)
    ch:send(1)
    local a = sending(ch, 2)
    turns(1)
    equal(ch:try_send "barge", false)
    equal(ch:try_recv(), 1)
    equal(ch:try_send "barge", false) -- the place is the sender's, which has not run yet
    equal(ch:recv(), 2)
    a:await()
    local b = task.spawn(ch.recv, ch)
    turns(1)
    equal(ch:try_send "for b", true)
    equal({ ch:try_recv() }, { nil, "empty" })
    equal(b:await(), "for b")
  end)

  it("a buffer does not keep values that were received", function()
    local ch, weak = sync.channel(4), setmetatable({}, { __mode = "v" })
    for i = 1, 10 do
      weak[i] = {}
      ch:send(weak[i])
      ch:recv()
    end
    collectgarbage()
    equal(next(weak), nil)
  end)
end)

describe("try_send and try_recv", function()
  it("try_send and try_recv never wait", function()
    local ch = sync.channel(1)
    equal({ ch:try_recv() }, { nil, "empty" })
    equal(ch:try_send(1), true)
    equal(ch:try_send(2), false)
    equal({ ch:try_recv() }, { 1 })
    equal({ ch:try_recv() }, { nil, "empty" })
    local rendezvous = sync.channel()
    equal(rendezvous:try_send(1), false)
    local t = sending(rendezvous, 1)
    turns(1)
    equal({ rendezvous:try_recv() }, { 1 })
    t:await()
  end)

  it("try_send and try_recv work where no wait is possible", function()
    local ch = sync.channel(2)
    table.sort({ 2, 1 }, function(a, b)
      ch:try_send(a)
      ch:try_recv()
      return a < b
    end)
    local t = task.spawn(ch.recv, ch)
    turns(1)
    setmetatable({}, { __gc = function() ch:try_send "from a finalizer" end })
    collectgarbage()
    equal(t:await(), "from a finalizer")
  end)

  it("try_send and try_recv report a closed channel", function()
    local ch = sync.channel(1)
    ch:send(1)
    ch:close()
    raises_error({ kind = "ChannelClosed" }, ch.try_send, ch, 2)
    equal({ ch:try_recv() }, { 1 })
    equal({ ch:try_recv() }, { nil, "closed" })
  end)
end)

describe("close", function()
  it("after close the buffered values are received, then the end", function()
    local ch = sync.channel(3)
    for i = 1, 3 do ch:send(i) end
    ch:close()
    equal(#ch, 3)
    equal(collector(ch):await(), { 1, 2, 3 })
    equal({ ch:recv() }, { nil, "closed" })
    equal({ ch:recv() }, { nil, "closed" })
  end)

  it("close resumes waiting receivers and senders, in their order", function()
    local ch, order = sync.channel(), {}
    local receivers, senders = {}, {}
    for i = 1, 3 do
      receivers[i] = task.spawn(function()
        equal({ ch:recv() }, { nil, "closed" })
        order[#order + 1] = i
      end)
    end
    turns(1)
    ch:close()
    equal(order, {})
    for i = 1, 3 do receivers[i]:await() end
    ch = sync.channel(1)
    ch:send(0)
    for i = 1, 3 do
      senders[i] = task.spawn(function()
        raises_error({ kind = "ChannelClosed", message = "cannot send: the channel is closed" },
          ch.send, ch, i)
        order[#order + 1] = -i
      end)
    end
    turns(1)
    ch:close()
    for i = 1, 3 do senders[i]:await() end
    equal(order, { 1, 2, 3, -1, -2, -3 })
    equal(collector(ch):await(), { 0 }) -- what the senders had was not sent
  end)

  it("close fails every later send, and may be called again", function()
    local ch = sync.channel(5)
    ch:close()
    ch:close()
    for _ = 1, 2 do
      local err = raises_error({ kind = "ChannelClosed" }, ch.send, ch, 1)
      equal(task.is(err, "ChannelClosed"), true)
    end
    equal(#ch, 0)
  end)

  it("a channel in a closing variable closes at the end of the block", function()
    local out
    do
      local ch <close> = sync.channel(1)
      ch:send(1)
      out = ch
    end
    equal(collector(out):await(), { 1 })
  end)

  it("a close after a hand-over takes nothing back", function()
    local ch = sync.channel()
    local r = task.spawn(ch.recv, ch)
    turns(1)
    ch:send "x"
    ch:close()
    equal({ r:await() }, { "x" })
    local ch2 = sync.channel()
    local s = sending(ch2, "y")
    turns(1)
    equal(ch2:recv(), "y")
    ch2:close()
    s:await()
  end)
end)

describe("iter", function()
  it("iter goes through all values to the end", function()
    local ch = sync.channel()
    local t = collector(ch)
    for i = 1, 20 do ch:send(i) end
    ch:close()
    equal(#t:await(), 20)
  end)

  it("iter returns a function that a script may call itself", function()
    local ch = sync.channel(2)
    ch:send(1)
    ch:close()
    local next_item = ch:iter()
    equal({ next_item("ignored", {}) }, { 1 })
    equal({ next_item() }, { nil, "closed" })
  end)

  it("leaving a loop over iter leaves the channel open", function()
    local ch = sync.channel(3)
    for i = 1, 3 do ch:send(i) end
    for v in ch:iter() do
      if v == 2 then break end
    end
    ch:send(4)
    equal(#ch, 2)
  end)

  it("many loops over iter share the values", function()
    local ch, loops, sum = sync.channel(4), {}, 0
    for i = 1, 5 do
      loops[i] = task.spawn(function()
        for v in ch:iter() do
          sum = sum + v
          turns(v % 3)
        end
      end)
    end
    for i = 1, 100 do ch:send(i) end
    ch:close()
    for _, t in ipairs(loops) do t:await() end
    equal(sum, 5050)
  end)

  it("iter keeps its channel from the collector", function()
    local weak = setmetatable({}, { __mode = "v" })
    local next_item = (function()
      local ch = sync.channel(1)
      ch:send "kept"
      weak[1] = ch
      return ch:iter()
    end)()
    collectgarbage()
    equal(next_item(), "kept")
    equal(weak[1] ~= nil, true)
  end)
end)

describe("mistakes", function()
  it("a channel refuses nil, and a send without a value", function()
    local ch = sync.channel(1)
    misuse("bad argument #1 to 'send' %(nil cannot be sent%)", function() ch:send(nil) end)
    misuse("bad argument #1 to 'send' %(nil cannot be sent%)", function() ch:send() end)
    misuse("bad argument #1 to 'try_send' %(nil cannot be sent%)", function() ch:try_send(nil) end)
    local s = ch:sender()
    misuse("bad argument #1 to 'send' %(nil cannot be sent%)", function() s:send() end)
    misuse("bad argument #1 to 'try_send' %(nil cannot be sent%)", function() s:try_send() end)
    ch:send(false)
    equal({ ch:recv() }, { false })
  end)

  it("a channel refuses a capacity that is not a valid number", function()
    for _, capacity in ipairs { -1, 1.5, "1", false, 0 / 0, -math.huge } do
      misuse("bad argument #1 to 'channel'", function() sync.channel(capacity) end)
    end
    equal(sync.channel(2.0):try_send(1), true)
    equal(sync.channel(nil):try_send(1), false)
  end)

  it("a channel's methods refuse other objects, and a dot in place of the colon", function()
    local ch = sync.channel()
    misuse("bad argument #1 to 'recv' %(channel expected, got no value%)", function() ch.recv() end)
    misuse("bad argument #1 to 'send' %(channel expected, got number%)", function() ch.send(1) end)
    misuse("channel expected, got septet.channel.sender", function() ch.recv(ch:sender()) end)
    misuse("sender expected, got septet.channel", function() ch:sender().send(ch, 1) end)
  end)
end)
