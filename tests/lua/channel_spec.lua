-- Channels: values go from task to task in order, none is lost or given twice, whoever is cancelled or closed.
local task, sync = require "septet.task", require "septet.sync"
local helpers = require "helpers"

local collector, sending, join = helpers.collector, helpers.sending, helpers.join

describe("a channel without a buffer", function()
  it("is a rendezvous: a sender waits for its receiver", function()
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

  it("hands a value to a receiver that waits", function()
    local ch = sync.channel()
    local t = task.spawn(function() return ch:recv() end)
    turns(1)
    ch:send("a")
    equal(t:status(), "suspended")
    equal({ t:await() }, { "a" })
  end)

  it("serves senders in the order they came", function()
    local ch = sync.channel()
    local a, b, c = sending(ch, 1, 4), sending(ch, 2, 5), sending(ch, 3, 6)
    turns(1)
    local got = {}
    for i = 1, 6 do got[i] = ch:recv() end
    equal(got, { 1, 2, 3, 4, 5, 6 })
    join(a, b, c)
  end)

  it("serves receivers in the order they came", function()
    local ch, got, all = sync.channel(), {}, {}
    for i = 1, 4 do
      all[i] = task.spawn(function() got[i] = ch:recv() end)
    end
    turns(1)
    for i = 1, 4 do ch:send(i) end
    join(table.unpack(all))
    equal(got, { 1, 2, 3, 4 })
  end)

  it("passes values of any type by identity", function()
    local ch, t = sync.channel(), {}
    for _, v in ipairs { t, print, task.current(), ch, false, 0, "", 0.5, coroutine.create(print) } do
      local s = sending(ch, v)
      equal(rawequal(ch:recv(), v), true)
      s:await()
    end
  end)
end)

describe("a channel with a buffer", function()
  it("takes what fits at once, in order", function()
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

  it("grows up to any capacity, and keeps the order while it does", function()
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

  it("of math.huge never makes a sender wait", function()
    local ch, other = sync.channel(math.huge), false
    local t = task.spawn(function() other = true end)
    for i = 1, 100 do ch:send(i) end
    equal(other, false)
    equal(#ch, 100)
    t:await()
    for i = 1, 100 do equal(ch:recv(), i) end
  end)

  it("lets the others have their turn in time", function()
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

  it("lets nobody in before those who wait", function()
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

  it("holds on to nothing that was taken", function()
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
  it("never wait", function()
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

  it("work where nothing can wait", function()
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

  it("know the end", function()
    local ch = sync.channel(1)
    ch:send(1)
    ch:close()
    raises_error({ kind = "ChannelClosed" }, ch.try_send, ch, 2)
    equal({ ch:try_recv() }, { 1 })
    equal({ ch:try_recv() }, { nil, "closed" })
  end)
end)

describe("close", function()
  it("lets receivers have what is buffered, then ends", function()
    local ch = sync.channel(3)
    for i = 1, 3 do ch:send(i) end
    ch:close()
    equal(#ch, 3)
    equal(collector(ch):await(), { 1, 2, 3 })
    equal({ ch:recv() }, { nil, "closed" })
    equal({ ch:recv() }, { nil, "closed" })
  end)

  it("wakes receivers and senders that wait, in their order", function()
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
        raises_error({ kind = "ChannelClosed", message = "cannot send: the channel is closed" }, ch.send, ch, i)
        order[#order + 1] = -i
      end)
    end
    turns(1)
    ch:close()
    for i = 1, 3 do senders[i]:await() end
    equal(order, { 1, 2, 3, -1, -2, -3 })
    equal(collector(ch):await(), { 0 }) -- what the senders had was not sent
  end)

  it("fails every send from then on, and may be called again", function()
    local ch = sync.channel(5)
    ch:close()
    ch:close()
    for _ = 1, 2 do
      local err = raises_error({ kind = "ChannelClosed" }, ch.send, ch, 1)
      equal(task.is(err, "ChannelClosed"), true)
    end
    equal(#ch, 0)
  end)

  it("comes with the end of a block", function()
    local out
    do
      local ch <close> = sync.channel(1)
      ch:send(1)
      out = ch
    end
    equal(collector(out):await(), { 1 })
  end)

  it("after a hand-over takes nothing back", function()
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
  it("goes through all there is", function()
    local ch = sync.channel()
    local t = collector(ch)
    for i = 1, 20 do ch:send(i) end
    ch:close()
    equal(#t:await(), 20)
  end)

  it("is a function that may be called by itself", function()
    local ch = sync.channel(2)
    ch:send(1)
    ch:close()
    local next_item = ch:iter()
    equal({ next_item("ignored", {}) }, { 1 })
    equal({ next_item() }, { nil, "closed" })
  end)

  it("leaves the channel open when its loop is left", function()
    local ch = sync.channel(3)
    for i = 1, 3 do ch:send(i) end
    for v in ch:iter() do
      if v == 2 then break end
    end
    ch:send(4)
    equal(#ch, 2)
  end)

  it("shares the items among many loops", function()
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

  it("keeps its channel", function()
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

describe("senders", function()
  it("close the channel with the last of them", function()
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

  it("may be closed again, which counts once", function()
    local ch = sync.channel(1)
    local a, b = ch:sender(), ch:sender()
    a:close()
    a:close()
    equal(b:try_send(1), true)
    equal(b:try_send(2), false)
    b:close()
    equal(collector(ch):await(), { 1 })
  end)

  it("that are closed send nothing more, and the others do", function()
    local ch = sync.channel(2)
    local a, b = ch:sender(), ch:sender()
    a:close()
    raises_error({ kind = "ChannelClosed" }, a.send, a, 1)
    raises_error({ kind = "ChannelClosed" }, a.try_send, a, 1)
    b:send(2)
    ch:send(3)
    equal({ ch:recv(), ch:recv() }, { 2, 3 })
  end)

  it("fail their own waits when they are closed, and not those of others", function()
    local ch = sync.channel()
    local a, b = ch:sender(), ch:sender()
    local ta, tb, tc = task.spawn(a.send, a, "a"), task.spawn(b.send, b, "b"), task.spawn(ch.send, ch, "c")
    turns(1)
    a:close()
    raises_error({ kind = "ChannelClosed" }, ta.await, ta)
    equal({ ch:recv(), ch:recv() }, { "b", "c" })
    join(tb, tc)
  end)

  it("fail with the channel", function()
    local ch = sync.channel()
    local s = ch:sender()
    local t = task.spawn(s.send, s, 1)
    turns(1)
    ch:close()
    raises_error({ kind = "ChannelClosed" }, t.await, t)
    s:close()
    s:close()
  end)

  it("keep their channel", function()
    local s = sync.channel(1):sender()
    collectgarbage()
    s:send "x"
    equal(s:try_send "y", false)
  end)

  it("are kept by what is sent through them", function()
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

  it("are not counted when the channel is collected under them", function()
    for _ = 1, 100 do sync.channel():sender() end
    collectgarbage()
  end)
end)

describe("cancellation", function()
  it("of a receiver takes nothing", function()
    local ch = sync.channel()
    local a, b = task.spawn(ch.recv, ch), task.spawn(ch.recv, ch)
    turns(1)
    a:cancel()
    ch:send "x"
    equal(b:await(), "x")
    raises_error({ kind = "TaskCancelled" }, a.await, a)
  end)

  it("of a sender sends nothing", function()
    local ch = sync.channel()
    local a, b = sending(ch, "a"), sending(ch, "b")
    turns(1)
    a:cancel()
    equal(ch:recv(), "b")
    equal({ ch:try_recv() }, { nil, "empty" })
    join(a, b)
    equal({ a:status(), b:status() }, { "cancelled", "done" })
  end)

  it("of a sender that waits for room in the buffer leaves the buffer as it is", function()
    local ch = sync.channel(1)
    ch:send(1)
    local a = sending(ch, 2)
    turns(1)
    a:cancel()
    equal(ch:recv(), 1)
    equal(#ch, 0)
    join(a)
  end)

  it("after a hand-over loses nothing: the receiver has it, the sender goes on", function()
    local ch, got, sent = sync.channel(), nil, nil
    local r = task.spawn(function()
      got = ch:recv()
      task.checkpoint()
    end)
    turns(1)
    ch:send "x"
    r:cancel()
    join(r)
    equal({ got, r:status() }, { "x", "cancelled" })
    local s = task.spawn(function()
      ch:send "y"
      sent = true
      task.checkpoint()
    end)
    turns(1)
    equal(ch:recv(), "y")
    s:cancel()
    join(s)
    equal({ sent, s:status() }, { true, "cancelled" })
  end)

  it("while a task gives others a turn takes nothing back from it", function()
    local ch, got, sent = sync.channel(math.huge), 0, 0
    for i = 1, 200 do ch:send(i) end
    turns(1)
    local r = task.spawn(function()
      while ch:recv() do got = got + 1 end
    end)
    turns(1)
    equal({ got, #ch }, { 128, 71 }) -- one is taken, and waits with its task for the next turn
    r:cancel()
    join(r)
    equal({ got, #ch }, { 129, 71 })
    local s = task.spawn(function()
      repeat
        ch:send "x"
        sent = sent + 1
      until false
    end)
    turns(1)
    equal({ sent, #ch }, { 128, 200 })
    s:cancel()
    join(s)
    equal({ sent, #ch }, { 129, 200 })
  end)

  it("that came before the call lets it neither take nor send", function()
    local ch, results = sync.channel(2), {}
    ch:send "kept"
    local t = task.spawn(function()
      results[1] = pcall(ch.recv, ch)
      results[2] = pcall(ch.send, ch, "never")
      results[3] = pcall(ch:iter())
      ch:close()
      results[4] = select(2, pcall(ch.send, ch, "never"))
    end)
    t:cancel()
    join(t)
    equal({ results[1], results[2], results[3] }, { false, false, false })
    equal(task.is_cancelled(results[4]), true)
    equal(collector(ch):await(), { "kept" })
  end)

  it("by a deadline that passed while the task computed lets it neither take nor send", function()
    local ch = sync.channel(2)
    ch:send "kept"
    for _, method in ipairs { "recv", "send" } do
      local in_time = task.move_on_after(0.001, function()
        local t0 = task.now()
        repeat until task.now() - t0 > 0.002
        ch[method](ch, method == "send" and "never" or nil)
      end)
      equal(in_time, false)
    end
    equal(#ch, 1)
    equal(ch:recv(), "kept")
  end)

  it("conserves the items, whatever is cancelled when", function()
    math.randomseed(9)
    for _, capacity in ipairs { 0, 1, 5 } do
      local ch, sent, got, all = sync.channel(capacity), {}, {}, {}
      for i = 1, 300 do
        all[#all + 1] = task.spawn(function()
          ch:send(i)
          sent[#sent + 1] = i
        end)
        all[#all + 1] = task.spawn(function()
          local v = ch:recv()
          got[#got + 1] = v
        end)
        if i % 3 == 0 then turns(1) end
        if i % 2 == 0 then all[math.random(#all)]:cancel() end
      end
      turns(3)
      for _, t in ipairs(all) do t:cancel() end
      task.wait(all)
      for v in function() return (ch:try_recv()) end do got[#got + 1] = v end
      table.sort(sent)
      table.sort(got)
      equal(got, sent)
      equal(#got > 30, true)
    end
  end)
end)

describe("a wait", function()
  it("in coroutines inside tasks receives and sends", function()
    local ch = sync.channel()
    local got = {}
    local r = task.spawn(function()
      for v in coroutine.wrap(function()
        for item in ch:iter() do coroutine.yield(item) end
      end) do
        got[#got + 1] = v
      end
    end)
    local s = task.spawn(function()
      coroutine.wrap(function()
        local co = coroutine.create(function(...)
          for _, v in ipairs { ... } do ch:send(v) end
        end)
        equal({ coroutine.resume(co, "a", "b", "c") }, { true })
        ch:close()
      end)()
    end)
    s:await()
    r:await()
    equal(got, { "a", "b", "c" })
  end)

  it("in a metamethod keeps the stack of the operator around it", function()
    local ch = sync.channel()
    local adder = setmetatable({}, { __add = function(_, n) return ch:recv() + n end })
    local t = task.spawn(function() return 1, adder + 10, 2 end)
    turns(1)
    ch:send(100)
    equal({ t:await() }, { 1, 110, 2 })
  end)

  it("says what it waits for", function()
    local full = sync.channel(2)
    full:send(1)
    full:send(2)
    local r0, s2 = task.spawn(sync.channel().recv, sync.channel()), sending(full, 3)
    local rh = task.spawn(full.recv, sync.channel(math.huge))
    turns(1)
    equal(r0:waits_for(), "recv (capacity 0)")
    equal(s2:waits_for(), "send (capacity 2)")
    equal(rh:waits_for(), "recv (no limit)")
    for _, t in ipairs { r0, s2, rh } do
      t:cancel()
      join(t)
    end
  end)

  it("where nothing can wait is refused, and has no effect", function()
    local ch = sync.channel(1)
    ch:send(1)
    misuse("cannot wait here: called from 'table.sort'", function()
      table.sort({ 2, 1 }, function() ch:recv() end)
    end)
    ch:recv()
    misuse("cannot wait here: called from 'table.sort'", function()
      table.sort({ 2, 1 }, function() ch:send(1) end)
    end)
    equal(#ch, 0)
  end)
end)

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

  it("does not grow with a million items through a channel of 0", function() a_million(0) end)
  it("does not grow with a million items through a channel of 10", function() a_million(10) end)

  it("is not asked for to hand an item over", function()
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

  it("of items in flight is safe from the collector, in every mode", function()
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

  it("survives finalizers that use the channel while it grows", function()
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
      while #last > 0 do take((last:try_recv())) end -- from a finalizer that ran while the new one was made
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

describe("a channel refuses", function()
  it("nil, and nothing", function()
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

  it("a capacity that is none", function()
    for _, capacity in ipairs { -1, 1.5, "1", false, 0 / 0, -math.huge } do
      misuse("bad argument #1 to 'channel'", function() sync.channel(capacity) end)
    end
    equal(sync.channel(2.0):try_send(1), true)
    equal(sync.channel(nil):try_send(1), false)
  end)

  it("a dot for a colon, and other things than channels", function()
    local ch = sync.channel()
    misuse("bad argument #1 to 'recv' %(channel expected, got no value%)", function() ch.recv() end)
    misuse("bad argument #1 to 'send' %(channel expected, got number%)", function() ch.send(1) end)
    misuse("channel expected, got septet.channel.sender", function() ch.recv(ch:sender()) end)
    misuse("sender expected, got septet.channel", function() ch:sender().send(ch, 1) end)
  end)
end)
