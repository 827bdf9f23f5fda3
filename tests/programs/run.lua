--- Runs a drawn program, and checks at every step what must hold whatever the program is. What is wrong is noted, not
--- raised: a program swallows errors.
local run = {}

local scopes = require "scopes"
local sync = require "septet.sync"
local task = require "septet.task"
local testing = require "septet.testing"

local is, pack, unpack = task.is, table.pack, table.unpack
local TICK = scopes.TICK

-- The program that runs: its tasks in the order they were spawned, what they share, what is known of it.
local w

local function wrong(rec, op, format, ...)
  local where = op and ("op %d (%s) of task %d"):format(op.id, op.kind, rec.body.number)
    or rec and ("task %d"):format(rec.body.number) or "the end"
  w.wrongs[#w.wrongs + 1] = ("%s at %g: %s"):format(where, task.now() - w.start, format:format(...))
end

local function say(value)
  return is(value) and value.kind or tostring(value)
end

-- --- steps: between two waits of a task no other one runs ---

-- The clock has jumped, so that all tasks waited, and nothing has run since but timers. No one may have waited in a
-- cancelled scope, or for something that was there.
local function sweep(now)
  for _, rec in ipairs(w.tasks) do
    local op = rec.inside
    if op and not rec.joins and scopes.certain(rec.scope, now) then
      wrong(rec, op, "it waited on in a cancelled scope")
    end
  end
  for _, shared in ipairs(w.shared) do
    local what = shared:idle()
    if what then wrong(nil, nil, "nobody could run, but %s", what) end
  end
end

-- The task runs again, after something in which it may have waited.
local function resumed(rec)
  local now = task.now()
  if now < w.now then wrong(rec, nil, "time went back from %g to %g", w.now, now) end
  if now > w.now and not w.program.busy then sweep(now) end
  w.now, w.running = now, rec
end

local function step(rec, op)
  w.steps[op.kind] = (w.steps[op.kind] or 0) + 1
  if w.log then
    print(("%8.2f  task %d#%d: op %d (%s)"):format(task.now() - w.start, rec.body.number, rec.handle.id, op.id, op.kind))
  end
  if rec.inside then wrong(rec, op, "it runs while it waits in op %d", rec.inside.id) end
  if w.running ~= rec or task.current() ~= rec.handle then
    wrong(rec, op, "it runs while task %d does", w.running.body.number)
  end
end

-- --- waits: each ends once, and in a cancelled scope by Cancelled ---

local none = { waiters = 0 }

local function begin_wait(rec, op, on)
  local must = scopes.certain(rec.scope, w.now + 2 * TICK)
  rec.inside, rec.begun = op, rec.begun + 1
  on.waiters = on.waiters + 1
  return must
end

local function end_wait(rec, op, on, must, ok, err)
  resumed(rec)
  if rec.inside ~= op then wrong(rec, op, "its wait ended twice") end
  rec.inside, rec.joins = nil, nil
  on.waiters = on.waiters - 1
  w.waits = w.waits + 1
  if not ok and is(err, "Cancelled") then
    w.cancelled = w.cancelled + 1
    if not scopes.explain(rec.scope, w.now, err) then
      wrong(rec, op, "Cancelled, and nobody did that (%s, by %s)", tostring(err), err.by)
    end
  elseif must then
    wrong(rec, op, "a wait in a cancelled scope (%s) ended with %s", must.kind, ok and "a value" or say(err))
  end
end

-- Calls what waits for `on`, a thing shared; gives what pcall gives, packed.
local function attempt(rec, op, on, fn, ...)
  on = on or none
  local must = begin_wait(rec, op, on)
  local result = pack(pcall(fn, ...))
  end_wait(rec, op, on, must, result[1], result[2])
  return result
end

local function unpacked(result)
  if not result[1] then error(result[2], 0) end
  return unpack(result, 2, result.n)
end

local function wait(...)
  return unpacked(attempt(...))
end

-- --- tasks ---

local function new_task(body, parent)
  local rec = { body = body, begun = 0, told = 0, live = 0 }
  rec.root = scopes.new("task", rec, parent, w.now)
  rec.scope = rec.root
  w.tasks[#w.tasks + 1] = rec
  parent.children[#parent.children + 1] = rec
  return rec
end

local function known(rec, handle)
  rec.handle = handle
  w.by_id[handle.id] = rec
  rec.root.parent.owner.live = rec.root.parent.owner.live + 1
end

local run_ops

-- Marks the end of a scope's body, and passes on what it gave: the last thing before the product's end of it.
local function over(s, ok, ...)
  s.outcome = pack(ok, ...)
  s.over = true
  if not ok then error((...), 0) end
  return ...
end

-- What a task's function returns: none, one or two values that no other has.
local function values_of(rec)
  return unpack({ rec, rec.body.number }, 1, rec.body.number % 3)
end

local function function_of(rec)
  return function(...)
    if not rec.handle then known(rec, task.current()) end
    if rec.started then wrong(rec, nil, "it was started twice") end
    rec.started = (...) or true
    resumed(rec)
    return over(rec.root, pcall(function()
      run_ops(rec, rec.body.ops)
      return values_of(rec)
    end))
  end
end

local function spawn(body, parent, by, ...)
  local rec = new_task(body, parent)
  known(rec, by(..., function_of(rec)))
  return rec
end

local function same(a, from, b, from_b)
  if a.n - from ~= b.n - from_b then return false end
  for i = 0, a.n - from do
    if a[from + i] ~= b[from_b + i] then return false end
  end
  return true
end

-- Somebody was given a task's end: it must be the one it had. `told`: how often its failure was told when he asked.
local function check_end(rec, op, target, result, told)
  local status, out = target.handle:status(), target.root.outcome
  if scopes.is_live(target) then
    wrong(rec, op, "task %d was awaited and is %s", target.body.number, status)
  elseif result[1] then
    if status ~= "done" or not same(result, 2, out, 2) then
      wrong(rec, op, "awaiting task %d, which is %s, gave other values than its own", target.body.number, status)
    end
  elseif status == "failed" then
    if result[2] ~= out[2] then
      wrong(rec, op, "awaiting task %d raised %s, not its own %s", target.body.number, say(result[2]), say(out[2]))
    end
    if target.told > told then wrong(rec, op, "the failure of task %d was awaited, and told", target.body.number) end
    target.retrieved = true
  elseif not is(result[2], "TaskCancelled") or result[2].task ~= target.handle
    or result[2].reason ~= out[2].reason or status ~= "cancelled" then
    wrong(rec, op, "awaiting task %d, which is %s, raised %s", target.body.number, status, say(result[2]))
  end
end

-- One of the tasks there are, but for the one that picks; `later`: of those that it may wait for without being
-- cancelled, as no circle comes of it.
local function picked(rec, pick, later)
  local target = w.tasks[1 + pick % #w.tasks]
  if target == rec or not target.handle or later and target.body.number <= rec.body.number then return nil end
  return target
end

local function all_picked(rec, picks, later)
  local list, seen = {}, {}
  for _, pick in ipairs(picks) do
    local target = picked(rec, pick, later)
    if target and not seen[target] then
      list[#list + 1], seen[target] = target, true
    end
  end
  return list
end

-- --- operations on time and on tasks ---

local exec = {}

function exec.sleep(rec, op)
  local due, busy = w.now + op.seconds, w.busy
  wait(rec, op, nil, task.sleep, op.seconds)
  if w.now < due then wrong(rec, op, "woke at %g, %g too early", w.now - w.start, due - w.now) end
  if w.now > due + w.busy - busy then wrong(rec, op, "woke %g too late", w.now - due) end
end

function exec.checkpoint(rec, op)
  local before = w.now
  wait(rec, op, nil, task.checkpoint)
  if w.now > before and not w.program.busy then wrong(rec, op, "the clock moved while a task was ready") end
end

function exec.busy(rec, op)
  testing.busy(op.seconds)
  w.busy = w.busy + op.seconds
  if task.now() ~= w.now + op.seconds then wrong(rec, op, "the clock did not move with it") end
  resumed(rec)
end

function exec.deadline(rec, op)
  local got, least, s = task.deadline(), math.huge, rec.scope
  while s do
    least = math.min(least, s.due or math.huge)
    s = not s.shield and s.parent
  end
  if scopes.certain(rec.scope, w.now + 2 * TICK) then
    if got ~= -math.huge then wrong(rec, op, "the deadline of a cancelled scope is %g", got) end
  elseif got ~= least and not (got == -math.huge and scopes.may_be(rec.scope, w.now)) then
    wrong(rec, op, "the deadline is %g, not %g", got, least)
  end
end

function exec.extend(rec, op)
  local s = rec.scope
  while s.kind ~= "task" and not s.due do s = s.parent end
  if not s.due then return end
  local certain, may_be, in_time = scopes.cancelled_itself(s, w.now), scopes.may_be_itself(s, w.now),
    s.handle:extend(op.seconds)
  if in_time and (certain or s.due <= w.now) then wrong(rec, op, "a deadline was moved too late") end
  if not in_time and not may_be then wrong(rec, op, "a deadline in time was not moved") end
  if in_time then scopes.due(s, s.due + op.seconds, w.now) end
end

function exec.fail(rec, op)
  error({ op = op, by = rec }, 0)
end

function exec.await(rec, op)
  local target = picked(rec, op.pick)
  if not target then return end
  local told = target.told
  local result = attempt(rec, op, target, target.handle.await, target.handle)
  if result[1] or not is(result[2], "Cancelled") then check_end(rec, op, target, result, told) end
  unpacked(result)
end

function exec.result(rec, op)
  local target = picked(rec, op.pick)
  if not target or scopes.is_live(target) then return end
  local told, result = target.told, pack(target.handle:result())
  if target.handle:status() == "cancelled" then
    if result[2] ~= target.root.outcome[2] then wrong(rec, op, "not what unwound task %d", target.body.number) end
  else
    check_end(rec, op, target, result, told)
  end
end

local function check_wait(rec, op, targets, done, pending, due)
  local seen, failed = {}, false
  for _, t in ipairs(done) do
    if scopes.is_live { handle = t } then wrong(rec, op, "a task of `done` has not ended") end
    if seen[t] then wrong(rec, op, "a task is twice in `done`") end
    seen[t], failed = true, failed or t:status() == "failed"
  end
  for _, t in ipairs(pending) do
    if not scopes.is_live { handle = t } then wrong(rec, op, "a task of `pending` has ended") end
    if seen[t] then wrong(rec, op, "a task is in both lists") end
    seen[t] = true
  end
  for _, target in ipairs(targets) do
    if not seen[target.handle] then wrong(rec, op, "task %d is in neither list", target.body.number) end
  end
  local reached = #pending == 0 or op.when == "FIRST_COMPLETED" and #done > 0 or op.when == "FIRST_EXCEPTION" and failed
  if not reached and not (due and w.now >= due) then wrong(rec, op, "it returned before what it waited for") end
end

function exec.wait(rec, op)
  local targets, list = all_picked(rec, op.picks), {}
  for i, target in ipairs(targets) do list[i] = target.handle end
  local due = op.timeout and w.now + op.timeout
  local done, pending = wait(rec, op, nil, task.wait, list, { return_when = op.when, timeout = op.timeout })
  check_wait(rec, op, targets, done, pending, due)
end

-- A call of `cancel` gave `first`. `certain`: the scope was cancelled before; `may_be`: it may have been.
local function cancelled(rec, op, s, first, certain, may_be)
  if first then
    if certain then wrong(rec, op, "it was the first to cancel what was cancelled before") end
    s.cancel = { reason = op.reason, by = rec.handle.id, at = w.now }
  elseif not may_be then
    wrong(rec, op, "it was told that somebody else had cancelled, and nobody had")
  end
end

function exec.cancel(rec, op)
  local target = w.tasks[1 + op.pick % #w.tasks]
  if not target.handle then return end
  local s, live = target.root, scopes.is_live(target)
  local certain, may_be = scopes.cancelled_itself(s, w.now), scopes.may_be_itself(s, w.now)
  cancelled(rec, op, s, target.handle:cancel(op.reason), certain or not live, may_be or not live)
end

function exec.cancel_block(rec, op)
  if #w.blocks == 0 then return end
  local s = w.blocks[1 + op.pick % #w.blocks]
  local certain, may_be = scopes.cancelled_itself(s, w.now), scopes.may_be_itself(s, w.now)
  cancelled(rec, op, s, s.handle:cancel(op.reason), certain or s.closed, may_be or s.closed)
end

-- --- channels: each item sent is received once, those of one sender in their order ---

local Channel = {}
Channel.__index = Channel

local function new_channel(capacity)
  local ch = setmetatable({ it = sync.channel(capacity), capacity = capacity, senders = 0, items = {}, last = {} },
    Channel)
  ch.sending, ch.receiving = { waiters = 0 }, { waiters = 0 }
  return ch
end

function Channel:idle()
  local senders, receivers, buffered = self.sending.waiters, self.receiving.waiters, #self.it
  if senders > 0 and receivers > 0 then return "a sender and a receiver waited for one channel" end
  if senders > 0 and buffered < self.capacity then return "a sender waited for a buffer with room" end
  if receivers > 0 and buffered > 0 then return "a receiver waited for a buffer with items" end
  if senders + receivers > 0 and self.closed then return "a task waited for a closed channel" end
end

local function new_item(rec, ch)
  local item = { by = rec, channel = ch, number = #ch.items + 1 }
  ch.items[item.number] = item
  return item
end

local function check_capacity(rec, op, ch)
  if #ch.it > ch.capacity then wrong(rec, op, "%d items in a buffer for %d", #ch.it, ch.capacity) end
end

-- An attempt to send has ended.
local function sent(rec, op, item, closed_before, result)
  if result[1] then
    item.sent = true
    if closed_before then wrong(rec, op, "it sent through a closed channel") end
  else
    item.refused = true
    if item.received then wrong(rec, op, "an item was received and its sender was told that it was not sent") end
    if is(result[2], "ChannelClosed") and not item.channel.closed then
      wrong(rec, op, "ChannelClosed, and the channel is open")
    end
  end
  check_capacity(rec, op, item.channel)
  unpacked(result)
end

local function received(rec, op, ch, item)
  local last = ch.last[item.by]
  if item.channel ~= ch then wrong(rec, op, "an item came out of another channel") end
  if item.received then wrong(rec, op, "an item was received twice") end
  if item.refused then wrong(rec, op, "an item was received whose sender was told that it was not sent") end
  if not last then
    last = {}
    ch.last[item.by] = last
  end
  if item.number < (last[rec] or 0) then wrong(rec, op, "items of one sender came out of order") end
  item.received, last[rec] = w.now, item.number
end

local function received_end(rec, op, ch, why)
  if why ~= "closed" and why ~= "empty" then wrong(rec, op, "nil and %s from a channel", why) end
  if why == "closed" and not ch.closed then wrong(rec, op, "the end of a channel that is open") end
  if #ch.it > 0 then wrong(rec, op, "the end of a channel with %d items", #ch.it) end
end

function exec.send(rec, op)
  local ch = w.channels[op.on]
  local item, closed = new_item(rec, ch), ch.closed
  sent(rec, op, item, closed, attempt(rec, op, ch.sending, ch.it.send, ch.it, item))
end

function exec.try_send(rec, op)
  local ch = w.channels[op.on]
  local item = new_item(rec, ch)
  local result = pack(pcall(ch.it.try_send, ch.it, item))
  if result[1] and not result[2] then
    item.refused = true
    if #ch.it < ch.capacity then wrong(rec, op, "there was room and it did not send") end
  else
    sent(rec, op, item, ch.closed, result)
  end
end

function exec.recv(rec, op)
  local ch = w.channels[op.on]
  local item, why = wait(rec, op, ch.receiving, ch.it.recv, ch.it)
  if item then received(rec, op, ch, item) else received_end(rec, op, ch, why) end
end

function exec.try_recv(rec, op)
  local ch = w.channels[op.on]
  local item, why = ch.it:try_recv()
  if item then received(rec, op, ch, item) else received_end(rec, op, ch, why) end
end

function exec.close_channel(rec, op)
  local ch = w.channels[op.on]
  ch.it:close()
  ch.closed = true
end

function exec.iterate(rec, op, emit)
  local ch, taken = w.channels[op.on], 0
  local next_item = ch.it:iter()
  for item in function() return wait(rec, op, ch.receiving, next_item) end do
    received(rec, op, ch, item)
    run_ops(rec, op.body, emit)
    taken = taken + 1
    if taken == op.take then return end
  end
  received_end(rec, op, ch, "closed")
end

function exec.produce(rec, op)
  local ch = w.channels[op.on]
  local ok, sender = pcall(ch.it.sender, ch.it)
  if ok == (ch.closed or false) then wrong(rec, op, "a sender of a channel: %s", say(sender)) end
  if not ok then error(sender, 0) end
  ch.senders = ch.senders + 1
  local result = pack(pcall(function()
    for _ = 1, op.take do
      local item, closed = new_item(rec, ch), ch.closed
      sent(rec, op, item, closed, attempt(rec, op, ch.sending, sender.send, sender, item))
    end
  end))
  sender:close()
  ch.senders = ch.senders - 1
  ch.closed = ch.closed or ch.senders == 0
  unpacked(result)
end

-- At the end: what is buffered comes out, and then each item has been received once or refused.
local function check_items(ch)
  for item in ch.it.try_recv, ch.it do
    if item.received or item.refused then wrong(nil, nil, "a buffer held an item that was received or refused") end
    item.received = math.huge
  end
  local last = {}
  for _, item in ipairs(ch.items) do
    if item.sent and not item.received then
      wrong(item.by, nil, "an item that it sent was lost")
    elseif not item.sent and not item.refused then
      wrong(item.by, nil, "a send never ended")
    elseif item.sent then
      if (last[item.by] or 0) > item.received and not w.program.busy then
        wrong(item.by, nil, "items that it sent came out in another order")
      end
      last[item.by] = item.received
    end
  end
end

-- --- what is held: permits and locks, granted first come first served ---

local Held = {}
Held.__index = Held

local function new_held(it, permits)
  return setmetatable({ it = it, permits = permits, held = 0, waiters = 0, tickets = 0, queue = {} }, Held)
end

function Held:free()
  if self.it.value then return self.it:value() end
  return self.it:locked() and 0 or 1
end

function Held:idle()
  if self.waiters > 0 and self:free() > 0 then return "a task waited for what was free" end
  if self.held + self:free() ~= self.permits then
    return ("of %d permits %d were held and %d free"):format(self.permits, self.held, self:free())
  end
end

local function granted(rec, op, held, place)
  held.held = held.held + 1
  if held.held + held:free() > held.permits then
    wrong(rec, op, "of %d permits %d are held and %d free", held.permits, held.held, held:free())
  end
  if not place then return end
  held.queue[place.ticket] = nil
  for _, other in pairs(held.queue) do
    if other.ticket < place.ticket then other.overtaken = w.now end
  end
  -- A permit may be handed to one and taken at once by another before either runs: not so where there is one.
  if place.overtaken and not w.program.busy and (held.permits == 1 or place.overtaken < w.now) then
    wrong(rec, op, "one that came later was served first")
  end
end

local function queued(held)
  held.tickets = held.tickets + 1
  local place = { ticket = held.tickets }
  held.queue[place.ticket] = place
  return place
end

-- Runs the body of an operation that holds something, in the task that does.
local function holding(rec, op, held, emit)
  local before = held.owner
  held.owner = rec
  local result = pack(pcall(run_ops, rec, op.body, emit))
  held.owner, held.held = before, held.held - 1
  return unpacked(result)
end

local function acquire(rec, op, emit, held)
  if held.owner == rec and held.permits == 1 then return end
  local place = queued(held)
  if op.form == "acquire" then
    local result = attempt(rec, op, held, held.it.acquire, held.it)
    held.queue[place.ticket] = nil
    unpacked(result)
    granted(rec, op, held, place)
    local body = pack(pcall(holding, rec, op, held, emit))
    held.it:release()
    return unpacked(body)
  end
  local must, entered = begin_wait(rec, op, held), false
  local result = pack(pcall(held.it.with, held.it, function()
    end_wait(rec, op, held, must, true)
    entered = true
    granted(rec, op, held, place)
    return holding(rec, op, held)
  end))
  if not entered then end_wait(rec, op, held, must, result[1], result[2]) end
  held.queue[place.ticket] = nil
  unpacked(result)
end

local function try_acquire(rec, op, emit, held)
  if held.owner == rec and held.permits == 1 then return end
  local free = held:free()
  local taken = held.it:try_acquire()
  if taken ~= (free > 0) then wrong(rec, op, "with %d free it was %s", free, taken) end
  if not taken then return end
  granted(rec, op, held)
  local body = pack(pcall(holding, rec, op, held, emit))
  held.it:release()
  unpacked(body)
end

function exec.semaphore(rec, op, emit) acquire(rec, op, emit, w.semaphores[op.on]) end
function exec.lock(rec, op, emit) acquire(rec, op, emit, w.locks[op.on]) end
function exec.try_semaphore(rec, op, emit) try_acquire(rec, op, emit, w.semaphores[op.on]) end
function exec.try_lock(rec, op, emit) try_acquire(rec, op, emit, w.locks[op.on]) end

local Event = {}
Event.__index = Event

function Event:idle()
  if self.waiters > 0 and self.it:is_set() then return "a task waited for an event that was set" end
end

function exec.event_wait(rec, op)
  local event = w.events[op.on]
  wait(rec, op, event, event.it.wait, event.it)
  if not event.set then wrong(rec, op, "nobody has set the event") end
end

function exec.event_set(rec, op)
  w.events[op.on].set = true
  w.events[op.on].it:set()
end

-- --- blocks ---

-- What holds at the end of any scope: nothing of it is left, and it ended in time.
local function check_closed(rec, op, s)
  s.closed = true
  local orphan = scopes.orphan(s)
  if orphan then wrong(rec, op, "its task or generator %s is left", orphan.body and orphan.body.number or "") end
  local overdue = scopes.overdue(s, w.now)
  if overdue > w.busy then wrong(rec, op, "it ended %g after it was cancelled", overdue) end
end

-- The instant before which a scope around this one was cancelled for certain, if it was: where computing held up timers,
-- by a call only.
local function certain_around(s)
  return scopes.certain(s.parent, w.program.busy and 0 or w.now + TICK)
end

-- A body was unwound by Cancelled, and its block swallowed that: it alone was cancelled.
local function check_absorbed(rec, op, s)
  if not scopes.may_be_itself(s, w.now) then wrong(rec, op, "it swallowed a Cancelled that was not its own") end
  local around = certain_around(s)
  if around and not s.shield then wrong(rec, op, "it swallowed Cancelled, and the %s around is cancelled", around.kind) end
end

local function check_passed(rec, op, s)
  if not scopes.may_be(s.parent, w.now) then wrong(rec, op, "it let its own Cancelled out") end
end

-- What a block of a limit or a shield gave, against what its body did. Values are behind `first` in the result.
local function check_block(rec, op, s, result, first)
  local out = s.outcome
  local unwound = not out[1] and is(out[2], "Cancelled")
  if out[1] then
    if not result[1] or not same(result, first, out, 2) then
      wrong(rec, op, "its body ended, and it gave %s", say(result[2]))
    end
  elseif not result[1] and result[2] == out[2] then
    if unwound then check_passed(rec, op, s) end
  elseif not unwound then
    wrong(rec, op, "its body failed with %s, and it gave %s", say(out[2]), say(result[2]))
  else
    check_absorbed(rec, op, s)
  end
  return unwound and result[2] ~= out[2]
end

local function opened(rec, s)
  s.handle = task.scope()
  rec.scope = s
end

local function body_of(rec, op, s)
  return function()
    opened(rec, s)
    w.blocks[#w.blocks + 1] = s
    return over(s, pcall(function()
      run_ops(rec, op.body)
      return op.id, nil, s
    end))
  end
end

-- Runs one of the product's blocks, and checks its end; returns the scope and what it gave, packed.
local function in_block(rec, op, fn, ...)
  local s = scopes.new(op.kind, rec, rec.scope, w.now, op.seconds)
  local result = pack(pcall(fn, ...)(body_of(rec, op, s)))
  return s, result
end

local function left(rec, op, s)
  resumed(rec)
  rec.scope = s.parent
  check_closed(rec, op, s)
  if s.shield then scopes.excuse(s.parent, s.opened, w.now) end
end

function exec.timeout(rec, op)
  local s = scopes.new("timeout", rec, rec.scope, w.now, op.seconds)
  local result = pack(pcall(task.timeout, op.seconds, body_of(rec, op, s)))
  left(rec, op, s)
  if check_block(rec, op, s, result, 2) then
    local late = not result[1] and is(result[2], "Timeout") and result[2].seconds == op.seconds
    if s.cancel and result.n ~= 1 then wrong(rec, op, "it was cancelled, and gave %s", say(result[2])) end
    if not s.cancel and not late then wrong(rec, op, "its time was over, and it gave %s", say(result[2])) end
    if late and w.now < s.due then wrong(rec, op, "Timeout %g before its deadline", s.due - w.now) end
  end
  unpacked(result)
end

local function moving_on(rec, op, fn)
  local s = scopes.new(op.kind, rec, rec.scope, w.now, op.seconds)
  local result = pack(pcall(fn, op.seconds, body_of(rec, op, s)))
  left(rec, op, s)
  if check_block(rec, op, s, result, 3) then
    if result.n ~= 2 or result[2] ~= false then wrong(rec, op, "it was cut short, and gave %s", say(result[2])) end
  elseif result[1] and result[2] ~= true then
    wrong(rec, op, "it gave %s before its values", say(result[2]))
  end
  unpacked(result)
end

function exec.move_on_after(rec, op) moving_on(rec, op, task.move_on_after) end
function exec.cleanup(rec, op) moving_on(rec, op, task.cleanup) end

function exec.shield(rec, op)
  local s = scopes.new("shield", rec, rec.scope, w.now)
  local result = pack(pcall(task.shield, body_of(rec, op, s)))
  left(rec, op, s)
  if check_block(rec, op, s, result, 2) and result.n ~= 1 then
    wrong(rec, op, "it was cancelled, and gave %s", say(result[2]))
  end
  unpacked(result)
end

-- The errors that a group must raise: of its tasks that failed, and of its body. Returns them by error, and how many.
local function errors_of(s)
  local errors, n = {}, 0
  local function add(err)
    errors[err] = (errors[err] or 0) + 1
    n = n + 1
  end
  for _, child in ipairs(s.children) do
    if child.handle:status() == "failed" then
      add(child.root.outcome[2])
      child.grouped = true
    end
  end
  if not s.outcome[1] and not is(s.outcome[2], "Cancelled") then add(s.outcome[2]) end
  return errors, n
end

local function check_group(rec, op, s, result)
  local errors, n = errors_of(s)
  if n > 0 then
    if result[1] or not is(result[2], "ErrorGroup") or result[2] == s.outcome[2] then
      return wrong(rec, op, "%d errors in a group, and it gave %s", n, say(result[2]))
    end
    for _, err in ipairs(result[2].errors) do
      errors[err] = (errors[err] or 0) - 1
      if errors[err] == 0 then errors[err] = nil end
    end
    if next(errors) or #result[2] ~= n then wrong(rec, op, "the ErrorGroup has others than the %d errors", n) end
    w.error_groups[#w.error_groups + 1] = { of = s, errors = result[2].errors }
  elseif s.outcome[1] then
    if not result[1] and is(result[2], "Cancelled") then
      check_passed(rec, op, s)
    elseif not result[1] or not same(result, 2, s.outcome, 2) then
      wrong(rec, op, "its body ended, and it gave %s", say(result[2]))
    end
  elseif result[1] then
    check_absorbed(rec, op, s)
    if result.n ~= 1 then wrong(rec, op, "it was cancelled, and gave %s", say(result[2])) end
  elseif result[2] ~= s.outcome[2] then
    wrong(rec, op, "it was cancelled, and raised %s", say(result[2]))
  elseif op.form == "function" then
    check_passed(rec, op, s)
  end
end

function exec.group(rec, op)
  local s = scopes.new("group", rec, rec.scope, w.now)
  local body = body_of(rec, op, s)
  if not op.bounded then w.groups[#w.groups + 1] = s end
  local result
  if op.form == "function" then
    result = pack(pcall(task.group, body))
  else
    result = pack(pcall(function()
      local g <close> = task.group() -- luacheck: ignore
      return body()
    end))
  end
  left(rec, op, s)
  check_group(rec, op, s, result)
  -- A closing variable cannot absorb: a block-form group lets the Cancelled that was meant for it alone go on.
  if not result[1] and result[2] == s.outcome[2] and not scopes.may_be(s.parent, w.now) then return end
  unpacked(result)
end

-- --- spawning ---

function exec.spawn(rec, op)
  spawn(op.task, rec.scope, function(_, fn) return task.spawn(fn) end)
end

-- A group that has been opened, and that may wait for such a task: no circle of joins comes of it.
local function picked_group(op)
  local s = #w.groups > 0 and w.groups[1 + op.pick % #w.groups]
  return s and s.handle and s.owner.body.number < op.task.number and s
end

function exec.spawn_in(rec, op)
  local s = picked_group(op)
  if not s then return exec.spawn(rec, op) end
  local new = new_task(op.task, s)
  local ok, handle = pcall(s.handle.spawn, s.handle, function_of(new))
  if ok then
    known(new, handle)
    if s.closed then wrong(rec, op, "it spawned in a closed group") end
  else
    s.children[#s.children], w.tasks[#w.tasks] = nil, nil
    if not is(handle, "Usage") or not s.over then wrong(rec, op, "it could not spawn: %s", say(handle)) end
  end
end

-- The operation in the body of a task that group:start started.
function exec.started(rec, op)
  local nursery = rec.root.parent
  -- A task that was cancelled before stays where it is; whether it was is not known where deadlines are near.
  if type(rec.started) ~= "function" or rec.told_started or scopes.may_be(nursery, w.now) then return end
  rec.told_started = true
  local ok, err = pcall(rec.started, rec, op.id)
  if ok then
    nursery.children[1] = nil
    nursery.owner.live = nursery.owner.live - 1
    local g = nursery.to
    rec.root.parent = g
    g.children[#g.children + 1] = rec
    g.owner.live = g.owner.live + 1
  else
    if not is(err, "Usage") or not nursery.to.over then wrong(rec, op, "it could not start: %s", say(err)) end
    error(err, 0)
  end
end

function exec.start(rec, op)
  local g = picked_group(op)
  if not g then return exec.spawn(rec, op) end
  local nursery = scopes.new("nursery", rec, rec.scope, w.now)
  nursery.to = g
  local new = new_task(op.task, nursery)
  rec.joins = true
  begin_wait(rec, op, none)
  local result = pack(pcall(g.handle.start, g.handle, function_of(new)))
  end_wait(rec, op, none, false, result[1], result[2])
  local moved = new.root.parent == g
  if not moved then check_closed(rec, op, nursery) end
  if result[1] then
    if not new.told_started or result.n ~= 3 or result[2] ~= new or result[3] ~= op.id then
      local _ = nil
    end
  end
  unpacked(result)
end

-- --- combinators ---

run.exec = exec
return run
