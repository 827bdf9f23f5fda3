-- SPDX-License-Identifier: MIT
-- Waits at a channel: which a cancellation ends, and where they may stand.
-- check: allow blocks
local task, sync = require "septet.task", require "septet.sync"
local helpers = require "helpers"

local collector, sending, join = helpers.collector, helpers.sending, helpers.join

describe("cancellation", function()
  it("cancelling a receiver takes no value", function()
    local ch = sync.channel()
    local a, b = task.spawn(ch.recv, ch), task.spawn(ch.recv, ch)
    turns(1)
    a:cancel()
    ch:send "x"
    equal(b:await(), "x")
    raises_error({ kind = "TaskCancelled" }, a.await, a)
  end)

  it("cancelling a sender sends no value", function()
    local ch = sync.channel()
    local a, b = sending(ch, "a"), sending(ch, "b")
    turns(1)
    a:cancel()
    equal(ch:recv(), "b")
    equal({ ch:try_recv() }, { nil, "empty" })
    join(a, b)
    equal({ a:status(), b:status() }, { "cancelled", "done" })
  end)

  it("cancelling a sender that waits for room leaves the buffer as it is", function()
    local ch = sync.channel(1)
    ch:send(1)
    local a = sending(ch, 2)
    turns(1)
    a:cancel()
    equal(ch:recv(), 1)
    equal(#ch, 0)
    join(a)
  end)

  it("a cancellation after a hand-over loses no value, and both sides go on", function()
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

  it("a cancellation while a task yields its turn undoes no transfer", function()
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

  it("a task cancelled before the call neither takes nor sends", function()
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

  it("a deadline that passed in a computation lets a task neither take nor send", function()
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

  it("no value is lost or doubled, whatever is cancelled and when", function()
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
  it("coroutines inside tasks wait to receive and to send", function()
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

  it("a wait in a metamethod keeps the stack of the operator around it", function()
    local ch = sync.channel()
    local adder = setmetatable({}, { __add = function(_, n) return ch:recv() + n end })
    local t = task.spawn(function() return 1, adder + 10, 2 end)
    turns(1)
    ch:send(100)
    equal({ t:await() }, { 1, 110, 2 })
  end)

  it("a task that waits at a channel says so", function()
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

  it("a send or receive where no wait is possible is refused, and has no effect", function()
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
