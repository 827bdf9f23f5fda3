-- SPDX-License-Identifier: MIT
--- Operations on shared objects: no item or permit is lost or doubled, and waiters are served in
--- order.
local w = require "world"
local scopes = require "scopes"
local sync = require "septet.sync"
local task = require "septet.task"

local is, pack = task.is, table.pack
local exec, wrong = w.exec, w.wrong

local shared = {}

-- --- channels ---

local Channel = {}
Channel.__index = Channel

local function new_channel(capacity)
  return setmetatable({
    it = sync.channel(capacity), capacity = capacity, producers = 0, items = {}, last = {},
    sending = { waiters = 0 }, receiving = { waiters = 0 },
  }, Channel)
end

function Channel:stuck()
  local senders, receivers, buffered = self.sending.waiters, self.receiving.waiters, #self.it
  if senders > 0 and receivers > 0 then return "a sender and a receiver waited for one channel" end
  if senders > 0 and buffered < self.capacity then
    return "a sender waited for a buffer with room"
  end
  if receivers > 0 and buffered > 0 then return "a receiver waited for a buffer with items" end
  if senders + receivers > 0 and self.closed then return "a task waited for a closed channel" end
end

local function new_item(rec, ch)
  local item = { by = rec, channel = ch, number = #ch.items + 1, closed = ch.closed }
  ch.items[item.number] = item
  return item
end

-- An attempt to send the item has ended.
local function sent(rec, op, item, result)
  local ch = item.channel
  if result[1] then
    item.sent = true
    if item.closed then wrong(rec, op, "it sent through a closed channel") end
  else
    item.refused = true
    if item.received then
      wrong(rec, op, "an item was received, and its sender got that it was not sent")
    end
    if is(result[2], "ChannelClosed") and not ch.closed then
      wrong(rec, op, "ChannelClosed by an open channel")
    end
  end
  if #ch.it > ch.capacity then
    wrong(rec, op, "%d items in a buffer for %d", #ch.it, ch.capacity)
  end
  w.unpacked(result)
end

local function received(rec, op, ch, item)
  local last = ch.last[item.by] or {}
  ch.last[item.by] = last
  if item.channel ~= ch then wrong(rec, op, "an item came out of another channel") end
  if item.received then wrong(rec, op, "an item was received twice") end
  if item.refused then
    wrong(rec, op, "an item was received, and its sender got that it was not sent")
  end
  if item.number < (last[rec] or 0) then
    wrong(rec, op, "items of one sender came in another order")
  end
  item.received, last[rec] = w.now, item.number
end

local function no_item(rec, op, ch, why)
  if why == "closed" and not ch.closed or why ~= "closed" and why ~= "empty" then
    wrong(rec, op, "nil and %s from an open channel", why)
  end
  if #ch.it > 0 then wrong(rec, op, "nil from a channel with %d items", #ch.it) end
end

function exec.send(rec, op)
  local ch = w.channels[op.on]
  local item = new_item(rec, ch)
  sent(rec, op, item, w.attempt(rec, op, ch.sending, ch.it.send, ch.it, item))
end

function exec.try_send(rec, op)
  local ch = w.channels[op.on]
  local item = new_item(rec, ch)
  local result = pack(pcall(ch.it.try_send, ch.it, item))
  if result[1] and not result[2] then
    item.refused = true
    if #ch.it < ch.capacity then wrong(rec, op, "there was room and it did not send") end
  else
    sent(rec, op, item, result)
  end
end

function exec.recv(rec, op)
  local ch = w.channels[op.on]
  local item, why = w.wait(rec, op, ch.receiving, ch.it.recv, ch.it)
  if item then received(rec, op, ch, item) else no_item(rec, op, ch, why) end
end

function exec.try_recv(rec, op)
  local ch = w.channels[op.on]
  local item, why = ch.it:try_recv()
  if item then received(rec, op, ch, item) else no_item(rec, op, ch, why) end
end

-- Waits that end at once. After so many of them a task yields.
function exec.burst(rec, op)
  local ch = sync.channel(1)
  for i = 1, op.take do
    w.wait(rec, op, nil, ch.send, ch, i)
    local got = w.wait(rec, op, nil, ch.recv, ch)
    if got ~= i then wrong(rec, op, "item %d came out as %s", i, got) end
  end
end

function exec.close_channel(_, op)
  w.channels[op.on].it:close()
  w.channels[op.on].closed = true
end

function exec.iterate(rec, op, emit)
  local ch, taken = w.channels[op.on], 0
  local next_item = ch.it:iter()
  for item in function() return w.wait(rec, op, ch.receiving, next_item) end do
    received(rec, op, ch, item)
    w.run(rec, op.body, emit)
    taken = taken + 1
    if taken == op.take then return end
  end
  no_item(rec, op, ch, "closed")
end

function exec.produce(rec, op)
  local ch = w.channels[op.on]
  local ok, sender = pcall(ch.it.sender, ch.it)
  if ok == (ch.closed or false) then
    wrong(rec, op, "asked for a sender it gave %s", w.say(sender))
  end
  if not ok then error(sender, 0) end
  ch.producers = ch.producers + 1
  local result = pack(pcall(function()
    for _ = 1, op.take do
      local item = new_item(rec, ch)
      sent(rec, op, item, w.attempt(rec, op, ch.sending, sender.send, sender, item))
    end
  end))
  sender:close()
  ch.producers = ch.producers - 1
  ch.closed = ch.closed or ch.producers == 0
  w.unpacked(result)
end

-- At the end the buffer is read. Each item was then received once or refused, in the order of the
-- sends.
local function check_items(ch)
  for item in ch.it.try_recv, ch.it do
    if item.received or item.refused then
      wrong(item.by, nil, "a buffer held an item that was received or refused")
    end
    item.received = math.huge
  end
  local last = 0
  for _, item in ipairs(ch.items) do
    local by = item.by
    if item.sent and not item.received then wrong(by, nil, "an item that it sent was lost") end
    if not item.sent and not item.refused then wrong(by, nil, "a send never ended") end
    if item.sent and item.received then
      if last > item.received and not w.program.busy then
        wrong(by, nil, "an item that it sent was received before one sent earlier")
      end
      last = item.received
    end
  end
end

-- --- semaphores, and locks as such of one permit ---

local Permits = {}
Permits.__index = Permits

local function new_permits(it, n)
  return setmetatable({ it = it, n = n, held = 0, waiters = 0, places = 0, queue = {} }, Permits)
end

function Permits:free()
  if self.it.value then return self.it:value() end
  return self.it:locked() and 0 or 1
end

function Permits:stuck()
  if self.waiters > 0 and self:free() > 0 then return "a task waited for a permit that was free" end
  if self.held + self:free() ~= self.n then
    return ("of %d permits %d were held and %d free"):format(self.n, self.held, self:free())
  end
end

local function enqueue(permits)
  permits.places = permits.places + 1
  local place = { number = permits.places }
  permits.queue[place.number] = place
  return place
end

-- The task has a permit, for which it may have been in the queue.
local function granted(rec, op, permits, place)
  permits.held = permits.held + 1
  if permits.held + permits:free() > permits.n then
    wrong(rec, op, "of %d permits %d are held and %d free", permits.n, permits.held, permits:free())
  end
  if not place then return end
  permits.queue[place.number] = nil
  for number, other in pairs(permits.queue) do
    if number < place.number then other.overtaken = w.now end
  end
  -- One of several permits may be handed to a waiter, and the next be acquired before that waiter
  -- runs.
  if place.overtaken and not w.program.busy and (permits.n == 1 or place.overtaken < w.now) then
    wrong(rec, op, "a later waiter was served first")
  end
end

-- Runs the body of an operation that holds a permit, which is released when this has returned.
local function holding(rec, op, permits, emit)
  local before = permits.holder
  permits.holder = rec
  local result = pack(pcall(w.run, rec, op.body, emit))
  permits.holder, permits.held = before, permits.held - 1
  return w.unpacked(result)
end

local function hold_and_release(rec, op, permits, emit)
  local result = pack(pcall(holding, rec, op, permits, emit))
  permits.it:release()
  w.unpacked(result)
end

local function acquire(rec, op, permits, emit)
  local place = enqueue(permits)
  local result = w.attempt(rec, op, permits, permits.it.acquire, permits.it)
  permits.queue[place.number] = nil
  w.unpacked(result)
  granted(rec, op, permits, place)
  hold_and_release(rec, op, permits, emit)
end

local function with(rec, op, permits)
  local place, entered = enqueue(permits), false
  w.begin_wait(rec, op, permits)
  local result = pack(pcall(permits.it.with, permits.it, function()
    w.end_wait(rec, op, true)
    entered = true
    granted(rec, op, permits, place)
    return holding(rec, op, permits)
  end))
  if not entered then w.end_wait(rec, op, result[1], result[2]) end
  permits.queue[place.number] = nil
  w.unpacked(result)
end

local function take(rec, op, emit, permits)
  if permits.holder == rec and not permits.it.value then return end -- not a second time
  if op.form == "with" then with(rec, op, permits) else acquire(rec, op, permits, emit) end
end

local function try(rec, op, emit, permits)
  if permits.holder == rec and not permits.it.value then return end
  local free = permits:free()
  local taken = permits.it:try_acquire()
  if taken ~= (free > 0) then wrong(rec, op, "with %d free it gave %s", free, taken) end
  if not taken then return end
  granted(rec, op, permits)
  hold_and_release(rec, op, permits, emit)
end

function exec.semaphore(rec, op, emit) take(rec, op, emit, w.semaphores[op.on]) end
function exec.lock(rec, op, emit) take(rec, op, emit, w.locks[op.on]) end
function exec.try_semaphore(rec, op, emit) try(rec, op, emit, w.semaphores[op.on]) end
function exec.try_lock(rec, op, emit) try(rec, op, emit, w.locks[op.on]) end

-- --- events ---

local Event = {}
Event.__index = Event

function Event:stuck()
  if self.waiters > 0 and self.it:is_set() then return "a task waited for an event that was set" end
end

function exec.event_wait(rec, op)
  local event = w.events[op.on]
  w.wait(rec, op, event, event.it.wait, event.it)
  if not event.set then wrong(rec, op, "the event is not set") end
end

function exec.event_set(_, op)
  w.events[op.on].set = true
  w.events[op.on].it:set()
end

-- --- all of them ---

-- A task that awaits another waits for its end.
local ends = {}

function ends.stuck()
  for _, rec in ipairs(w.tasks) do
    if rec.waiters > 0 and not scopes.is_live(rec) then
      return ("task %d, which a task waited for, had ended"):format(rec.body.number)
    end
  end
end

--- Makes the objects that the tasks of a program share.
function shared.new(program)
  w.channels, w.semaphores, w.locks, w.events = {}, {}, {}, {}
  for i, capacity in ipairs(program.channels) do w.channels[i] = new_channel(capacity) end
  for i, n in ipairs(program.semaphores) do w.semaphores[i] = new_permits(sync.semaphore(n), n) end
  for i = 1, program.locks do w.locks[i] = new_permits(sync.lock(), 1) end
  for i = 1, program.events do
    w.events[i] = setmetatable({ it = sync.event(), waiters = 0 }, Event)
  end
  for _, list in ipairs { w.channels, w.semaphores, w.locks, w.events, { ends } } do
    for _, thing in ipairs(list) do table.insert(w.shared, thing) end
  end
end

--- Checks the shared objects when no task is left.
function shared.check()
  for _, ch in ipairs(w.channels) do check_items(ch) end
  for _, list in ipairs { w.semaphores, w.locks } do
    for i, permits in ipairs(list) do
      if permits.held ~= 0 or permits:free() ~= permits.n then
        wrong(nil, nil, "of %d permits of semaphore or lock %d %d are free", permits.n, i,
          permits:free())
      end
    end
  end
end

return shared
