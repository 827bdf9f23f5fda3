-- SPDX-License-Identifier: MIT
-- Channels: first come, first served, and no value is lost to a cancellation.
local task, sync = require "septet.task", require "septet.sync"
local settle = require("septet.testing").wait_all_blocked
local helpers = require "helpers"

local never, waiting = helpers.never, helpers.waiting
local ended_cancelled = helpers.ended_cancelled

it("chan.rendezvous: without a buffer a sender waits until its value is received", function()
  local ch, start, log = sync.channel(), task.now(), {}
  local function note(word)
    log[#log + 1] = ("%g %s"):format(task.now() - start, word)
  end
  local sender = waiting(function()
    ch:send "a"
    note "a sent"
    task.sleep(1)
    ch:send "b"
    note "b sent"
  end)
  equal(#ch, 0)
  task.sleep(1)
  note(ch:recv())
  note "went on" -- before the sender did
  note(ch:recv())
  sender:await()
  equal(log, { "1 a", "1 went on", "1 a sent", "2 b sent", "2 b" })
end)

it("chan.buffered: a buffer takes what fits without a wait, in order", function()
  local ch, others = sync.channel(2), 0
  local other = task.spawn(function() others = others + 1 end)
  ch:send(1)
  ch:send(2)
  equal({ #ch, others }, { 2, 0 }) -- a call that need not wait lets no other task run
  equal(ch:try_send(3), false)
  local sender = waiting(function()
    ch:send(3)
    ch:send(4)
  end)
  equal(#ch, 2)
  equal(ch:recv(), 1)
  equal(#ch, 2) -- the sender's item took the place at once
  equal({ ch:recv(), ch:recv() }, { 2, 3 })
  equal(ch:recv(), 4)
  sender:await()
  other:await()
  equal(#ch, 0)

  local big = sync.channel(math.huge)
  for i = 1, 100 do equal(big:try_send(i), true) end
  big:close()
  local n = 0
  for i in big:iter() do
    n = n + 1
    equal(i, n)
  end
  equal(n, 100)
end)

it("chan.close_drains: after close the buffer is received, then the end", function()
  local ch = sync.channel(3)
  for i = 1, 3 do ch:send(i) end
  ch:close()
  ch:close()
  raises_error({ kind = "ChannelClosed" }, ch.send, ch, 4)
  raises_error({ kind = "ChannelClosed" }, ch.try_send, ch, 4)
  raises_error({ kind = "ChannelClosed" }, ch.sender, ch)
  equal({ #ch, ch:recv() }, { 3, 1 })
  equal(ch:try_recv(), 2)
  local rest = {}
  for i in ch:iter() do rest[#rest + 1] = i end
  equal(rest, { 3 })
  for _ = 1, 2 do
    equal({ ch:recv() }, { nil, "closed" })
    equal({ ch:try_recv() }, { nil, "closed" })
  end

  local empty = sync.channel()
  empty:close()
  equal({ empty:recv() }, { nil, "closed" })
  for _ in empty:iter() do error "there is none" end
end)

it("chan.close_wakes_both: close resumes receivers with the end, senders with an error", function()
  local ch, got = sync.channel(), {}
  local function receive(i)
    got[i] = table.pack(ch:recv())
  end
  local handed, a, b = waiting(receive, 1), waiting(receive, 2), waiting(receive, 3)
  ch:send "handed"
  ch:close()
  equal(got, {}) -- no task runs inside close()
  task.wait { handed, a, b }
  equal(got, { { "handed", n = 1 }, { nil, "closed", n = 2 }, { nil, "closed", n = 2 } })

  ch = sync.channel(1)
  ch:send "buffered"
  local c, d = waiting(ch.send, ch, "c"), waiting(ch.send, ch, "d")
  equal(ch:recv(), "buffered") -- c's is in the buffer now, and was sent
  ch:close()
  c:await()
  raises_error({ kind = "ChannelClosed" }, d.await, d)
  equal({ ch:recv() }, { "c" })
  equal({ ch:recv() }, { nil, "closed" })
end)

it("chan.multi_sender: a channel closes when its last sender is closed", function()
  local ch, got = sync.channel(), {}
  local function produce(sender, n)
    local _ <close> = sender
    for i = 1, n do sender:send(i) end
    if n == 0 then never() end
  end
  local producers = {}
  for i = 1, 4 do producers[i] = task.spawn(produce, ch:sender(), i - 1) end
  settle()
  producers[1]:cancel() -- it sent nothing, and is counted out all the same
  for i in ch:iter() do got[i] = (got[i] or 0) + 1 end
  equal(got, { 3, 2, 1 })
  task.wait(producers)
  raises_error({ kind = "ChannelClosed" }, ch.send, ch, 1)

  ch = sync.channel(1)
  local a, b = ch:sender(), ch:sender()
  a:send "a"
  local stuck, other = waiting(a.send, a, "stuck"), waiting(b.send, b, "b")
  a:close()
  a:close()
  raises_error({ kind = "ChannelClosed" }, stuck.await, stuck)
  raises_error({ kind = "ChannelClosed" }, a.send, a, "late")
  equal({ ch:recv(), ch:recv() }, { "a", "b" })
  other:await()
  local receiver = waiting(ch.recv, ch)
  b:close()
  equal({ receiver:await() }, { nil, "closed" })
end)

it("chan.cancel_send_recv: a cancelled send or receive transfers nothing", function()
  for _, capacity in ipairs { 0, 1 } do
    local function full() -- one whose senders wait
      local ch = sync.channel(capacity)
      if capacity > 0 then ch:send "buffered" end
      return ch
    end

    local ch = sync.channel(capacity) -- a receiver that is cancelled takes nothing
    local a, b = waiting(ch.recv, ch), waiting(ch.recv, ch)
    a:cancel()
    ch:send(1)
    ended_cancelled(a)
    equal({ b:await() }, { 1 })

    ch = full() -- a sender that is cancelled sends nothing
    local c, d = waiting(ch.send, ch, "c"), waiting(ch.send, ch, "d")
    c:cancel()
    if capacity > 0 then equal(ch:recv(), "buffered") end
    equal(ch:recv(), "d")
    ended_cancelled(c)
    d:await()
    equal({ ch:try_recv() }, { nil, "empty" })

    local got, after -- what has been handed over stays so
    ch = sync.channel(capacity)
    local e = waiting(function()
      got = ch:recv()
      after = pcall(task.checkpoint)
    end)
    ch:send "handed"
    e:cancel()
    e:await()
    equal({ got, after }, { "handed", false })
    local sent
    ch = full()
    local f = waiting(function()
      sent = pcall(ch.send, ch, "taken")
      task.checkpoint()
    end)
    if capacity > 0 then ch:recv() end
    equal(ch:recv(), "taken")
    f:cancel()
    ended_cancelled(f)
    equal(sent, true)

    -- a task that is cancelled already does neither, though it would not wait
    ch = sync.channel(capacity + 1)
    ch:send(1)
    local g = task.spawn(function()
      got, sent = pcall(ch.recv, ch), pcall(ch.send, ch, 2)
    end)
    g:cancel()
    g:await()
    equal({ got, sent, #ch, ch:recv() }, { false, false, 1, 1 })
  end

  local ch, sum = sync.channel(), 0 -- no value is lost or received twice, whichever task gives up
  math.randomseed(1075)
  task.group(function(g)
    g:spawn(function()
      local _ <close> = ch
      for i = 1, many(400) do
        while not task.move_on_after(math.random(0, 2), ch.send, ch, i) do end
      end
    end)
    for _ = 1, 3 do
      g:spawn(function()
        repeat
          local in_time, item, why = task.move_on_after(math.random(0, 2), ch.recv, ch)
          sum = sum + (item or 0)
        until in_time and why
      end)
    end
  end)
  equal(sum, many(400) * (many(400) + 1) // 2)
end)

it("chan.nil_rejected: nil cannot be sent, and false can", function()
  local ch = sync.channel(1)
  local sender = ch:sender()
  misuse("bad argument #1 to 'send' %(nil cannot be sent%)", function() ch:send(nil) end)
  misuse("bad argument #1 to 'send' %(nil cannot be sent%)", function() ch:send() end)
  misuse("bad argument #1 to 'try_send' %(nil cannot be sent%)", function() ch:try_send(nil) end)
  misuse("bad argument #1 to 'send' %(nil cannot be sent%)", function() sender:send(nil) end)
  misuse("bad argument #1 to 'try_send' %(nil cannot be sent%)", function() sender:try_send() end)
  equal(#ch, 0)
  ch:send(false)
  equal({ ch:recv() }, { false })
end)
