-- The catalogue of task semantics: events, semaphores, locks and channels. First come first served, direct hand-off,
-- and nothing is lost to a cancellation.
local task, sync = require "septet.task", require "septet.sync"
local settle = require("septet.testing").wait_all_blocked
local helpers = require "helpers"

local never, waiting = helpers.never, helpers.waiting
local ended_cancelled = helpers.ended_cancelled

-- What has one owner at a time: how it is made, and whether it is free.
local owned = {
  semaphore = { new = function() return sync.semaphore(1) end, free = function(x) return x:value() == 1 end },
  lock = { new = sync.lock, free = function(x) return not x:locked() end },
}

it("sync.fifo", function()
  for name, kind in pairs(owned) do
    local x, order, tasks = kind.new(), {}, {}
    x:acquire()
    for i = 1, 5 do
      tasks[i] = waiting(function()
        x:acquire()
        order[#order + 1] = i
        task.checkpoint()
        x:release()
      end)
    end
    x:release()
    equal(order, {}) -- nobody runs inside release()
    task.wait(tasks)
    equal(order, { 1, 2, 3, 4, 5 }, name)
    equal(kind.free(x), true)
  end

  local s, granted, tasks = sync.semaphore(3), {}, {}
  for _ = 1, 3 do s:acquire() end
  for i = 1, 6 do
    tasks[i] = waiting(function()
      s:acquire()
      granted[i] = task.now()
    end)
  end
  local start = task.now()
  for _ = 1, 6 do
    task.sleep(1)
    s:release()
  end
  task.wait(tasks)
  for i = 1, 6 do equal(granted[i] - start, i + 0.0) end
  for _ = 1, 3 do s:release() end

  local ch, got = sync.channel(), {}
  for i = 1, 5 do tasks[i] = waiting(function() got[i] = ch:recv() end) end
  for i = 1, 5 do ch:send(i) end
  task.wait(tasks)
  equal(got, { 1, 2, 3, 4, 5 })
  got = {}
  for i = 1, 5 do tasks[i] = waiting(ch.send, ch, i) end
  for i = 1, 5 do got[i] = ch:recv() end
  task.wait(tasks)
  equal(got, { 1, 2, 3, 4, 5 })

  local e, order = sync.event(), {}
  for i = 1, 5 do
    tasks[i] = waiting(function()
      e:wait()
      order[#order + 1] = i
    end)
  end
  e:set()
  equal(order, {})
  task.wait(tasks)
  equal(#order, 5)
  if MODE ~= "shuffle" then equal(order, { 1, 2, 3, 4, 5 }) end
end)

it("sync.handoff_no_barging", function()
  for name, kind in pairs(owned) do
    local x, order = kind.new(), {}
    local function take(who)
      x:acquire()
      order[#order + 1] = who
      x:release()
    end
    x:acquire()
    local a = waiting(take, "a")
    x:release()
    equal(kind.free(x), false, name) -- it is a's already, which has not run
    equal(x:try_acquire(), false)
    take "releaser"
    equal(order, { "a", "releaser" }, name)
    equal(kind.free(x), true)
    a:await()
  end

  local l = sync.lock()
  l:acquire()
  local heir = waiting(l.with, l, function() end)
  heir.name = "heir"
  l:release()
  misuse("the lock is held by task 'heir'", function() l:release() end)
  heir:await()

  local ch = sync.channel(1)
  ch:send "first"
  local sender = waiting(ch.send, ch, "waited")
  equal(ch:recv(), "first")
  equal(ch:try_send "barges", false) -- the place is the sender's
  equal({ ch:recv(), (ch:try_recv()) }, { "waited" })
  sender:await()
  local receiver = waiting(ch.recv, ch)
  equal(ch:try_send "handed", true)
  equal({ ch:try_recv() }, { nil, "empty" }) -- the item is the receiver's
  equal(receiver:await(), "handed")
end)

it("sync.cancel_waiter", function()
  for name, kind in pairs(owned) do
    local x, order = kind.new(), {}
    local function take(who, seconds)
      local in_time = task.move_on_after(seconds, x.acquire, x)
      order[#order + 1] = in_time and who or who .. " gave up"
      if in_time then x:release() end
    end
    x:acquire()
    local a, b, c, d = waiting(take, "a"), waiting(take, "b"), waiting(take, "c", 1), waiting(take, "d")
    b:cancel()
    settle()
    equal(b:status(), "cancelled")
    task.sleep(2)
    x:release()
    task.wait { a, c, d }
    equal(order, { "c gave up", "a", "d" }, name)
    equal(kind.free(x), true)
    local got
    local late = task.spawn(function() got = pcall(x.acquire, x) end) -- cancelled before it asks
    late:cancel()
    task.wait { late }
    equal({ got, kind.free(x) }, { false, true })
  end

  local e, woken = sync.event(), {}
  local function wait(who)
    e:wait()
    woken[who] = true
  end
  local a, b, c = waiting(wait, "a"), waiting(wait, "b"), waiting(wait, "c")
  b:cancel()
  e:set()
  task.wait { a, b, c }
  equal(woken, { a = true, c = true })
end)

it("sync.cancel_racing_release", function()
  for name, kind in pairs(owned) do
    for _, first in ipairs { "cancel", "release" } do
      local x, log = kind.new(), {}
      x:acquire()
      local a = waiting(function()
        log.a = pcall(x.acquire, x)
        log.after = pcall(task.checkpoint)
        if log.a then x:release() end
      end)
      local b = waiting(function()
        x:acquire()
        log.b = true
        x:release()
      end)
      if first == "release" then x:release() end
      a:cancel()
      if first == "cancel" then x:release() end
      task.wait { a, b }
      -- What was handed over stays so, and the next wait raises; what was not goes to the next.
      equal(log, { a = first == "release", after = false, b = true }, name .. ", first " .. first)
      equal(kind.free(x), true)
    end

    local x, in_time = kind.new(), nil -- a deadline at the instant of the release
    x:acquire()
    local t = task.spawn(function() in_time = task.move_on_after(1, x.acquire, x) end)
    task.sleep(1)
    x:release()
    task.wait { t }
    equal(kind.free(x), not in_time, name)
  end

  -- Permits are conserved whatever comes together.
  math.randomseed(90155)
  local s, tasks = sync.semaphore(3), {}
  for i = 1, many(300) do
    tasks[i] = task.spawn(function()
      local held = 0
      local ok, err = pcall(function()
        turns(math.random(0, 2))
        s:acquire()
        held = 1
        turns(math.random(0, 2))
      end)
      if held == 1 then s:release() end
      if not ok then error(err, 0) end
    end)
    turns(math.random(0, 1))
    if math.random(2) == 1 then tasks[math.random(i)]:cancel() end
    equal(s:value() >= 0 and s:value() <= 3, true)
  end
  task.wait(tasks)
  equal(s:value(), 3)
end)

it("sync.event_set_then_cancel", function()
  for _, first in ipairs { "set", "cancel" } do
    local e, got, after = sync.event(), nil, nil
    local t = waiting(function()
      got = pcall(e.wait, e)
      after = pcall(e.wait, e)
      task.checkpoint()
    end)
    if first == "set" then e:set() end
    t:cancel()
    e:set()
    ended_cancelled(t)
    equal({ got, after }, { first == "set", false }, first)
  end

  local e, got = sync.event(), nil -- set, but its waiter was cancelled before it asks
  e:set()
  local t = task.spawn(function() got = pcall(e.wait, e) end)
  t:cancel()
  task.wait { t }
  equal(got, false)
  equal(e:is_set(), true)
end)

it("sync.lock_owner", function()
  local l = sync.lock()
  misuse("the lock is not held", function() l:release() end)
  l:acquire()
  misuse("the lock is held by this task already", function() l:acquire() end)
  misuse("the lock is held by this task already", function() l:try_acquire() end)
  misuse("the lock is held by this task already", function() l:with(never) end)
  misuse("the lock is held by this task already", function() coroutine.wrap(function() l:acquire() end)() end)
  local other = task.spawn(function()
    return l:try_acquire(), raises_error({ kind = "Usage" }, l.release, l).message
  end)
  local taken, refusal = other:await()
  equal(taken, false)
  equal(refusal:find(("the lock is held by task '%s'"):format(task.current().name), 1, true) ~= nil, true, refusal)
  equal(l:locked(), true)
  coroutine.wrap(l.release)(l) -- a coroutine of its owner is its owner
  equal(l:locked(), false)

  local s = sync.semaphore(1) -- a permit is nobody's
  s:acquire()
  equal(s:try_acquire(), false)
  task.spawn(s.release, s):await()
  misuse("semaphore released more often than acquired", function() s:release() end)
end)

it("sync.with_error_releases", function()
  for name, kind in pairs(owned) do
    local x, thrown = kind.new(), {}
    equal(table.pack(x:with(function(...)
      task.sleep(1)
      equal(kind.free(x), false)
      return ...
    end, 1, nil, 3, nil)), { 1, nil, 3, nil, n = 4 }, name)
    equal(kind.free(x), true)
    local err = raises(nil, x.with, x, function()
      task.sleep(1)
      error(thrown)
    end)
    equal(rawequal(err, thrown), true)
    equal(kind.free(x), true, name)

    x:acquire() -- the next in the queue gets it when the one before fails
    local order = {}
    local a = waiting(x.with, x, function()
      order[1] = "a"
      error("boom", 0)
    end)
    local b = waiting(x.with, x, function() order[2] = "b" end)
    x:release()
    raises("^boom$", a.await, a)
    b:await()
    equal(order, { "a", "b" })
    equal(kind.free(x), true)
  end
end)

it("sync.with_cancel_releases", function()
  for name, kind in pairs(owned) do
    local x, start, freed = kind.new(), task.now(), nil
    local function body() -- cancelled, it takes a second to end, and keeps what it has until then
      pcall(never)
      task.cleanup(nil, task.sleep, 1)
      task.checkpoint()
    end
    local inside = waiting(x.with, x, body)
    local queued = waiting(x.with, x, function() error "never let in" end)
    local next_one = waiting(x.with, x, function() freed = task.now() end)
    queued:cancel()
    ended_cancelled(queued)
    equal(kind.free(x), false)
    task.sleep(1)
    inside:cancel()
    ended_cancelled(inside)
    next_one:await()
    equal(freed - start, 2.0, name)
    equal(kind.free(x), true)

    local ran -- handed over, then cancelled: the body begins, its first wait raises
    x:acquire()
    local handed = waiting(x.with, x, function()
      ran = true
      task.checkpoint()
    end)
    x:release()
    handed:cancel()
    ended_cancelled(handed)
    equal({ ran, kind.free(x) }, { true, true }, name)

    equal(task.move_on_after(1, x.with, x, never), false)
    equal(kind.free(x), true)
  end
end)

it("chan.rendezvous", function()
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

it("chan.buffered", function()
  local ch, others = sync.channel(2), 0
  local other = task.spawn(function() others = others + 1 end)
  ch:send(1)
  ch:send(2)
  equal({ #ch, others }, { 2, 0 }) -- what needs no waiting lets nobody else run
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

it("chan.close_drains", function()
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

it("chan.close_wakes_both", function()
  local ch, got = sync.channel(), {}
  local function receive(i)
    got[i] = table.pack(ch:recv())
  end
  local handed, a, b = waiting(receive, 1), waiting(receive, 2), waiting(receive, 3)
  ch:send "handed"
  ch:close()
  equal(got, {}) -- nobody runs inside close()
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

it("chan.multi_sender", function()
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

it("chan.cancel_send_recv", function()
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

    ch = sync.channel(capacity + 1) -- who is cancelled already does neither, though it would not wait
    ch:send(1)
    local g = task.spawn(function()
      got, sent = pcall(ch.recv, ch), pcall(ch.send, ch, 2)
    end)
    g:cancel()
    g:await()
    equal({ got, sent, #ch, ch:recv() }, { false, false, 1, 1 })
  end

  local ch, sum = sync.channel(), 0 -- nothing is lost or had twice, whoever gives up when
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

it("chan.nil_rejected", function()
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
