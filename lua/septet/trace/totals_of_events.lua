-- SPDX-License-Identifier: MIT
-- Makes totals from events as they come. It keeps the live tasks, and nothing of those that ended.
--
--   local collected = totals_of_events.new()
--   collected:add(event)           for each event, in the order of the trace
--   collected:finish(till)         once; returns the totals
local totals_of_events = {}

local totals = require "septet.trace.totals"

local methods = {}
local meta = { __index = methods }

-- Maps from numbers that come and go. In a plain table with n entries just below a power of two,
-- Lua would visit all of them for each few that replace others. So what is removed is false, until
-- there is more of it than of the rest.
local DEAD_MAX <const> = 1024

local function new_map()
  return { items = {}, count = 0, dead = 0 }
end

local function remove(map, key)
  if not map.items[key] then return end
  map.items[key] = false
  map.count, map.dead = map.count - 1, map.dead + 1
  if map.dead <= DEAD_MAX or map.dead <= map.count then return end
  local kept = {}
  for k, item in pairs(map.items) do
    if item then kept[k] = item end
  end
  map.items, map.dead = kept, 0
end

local function insert(map, key, item)
  local before = map.items[key]
  if before == false then map.dead = map.dead - 1 end
  if not before then map.count = map.count + 1 end
  map.items[key] = item
end

local FAILED_MAX <const> = 1000 -- ended tasks of which a failure may still be reported

local on = {} -- functions (collection, event) by kind

local function task_of(self, e)
  local t = self.live.items[e.task]
  if t then return t end
  if e.task == 0 then return nil end
  t = { id = e.task, start = e.time }
  insert(self.live, e.task, t)
  self.totals.peak = math.max(self.totals.peak, self.live.count)
  return t
end

function on.spawn(self, e)
  remove(self.live, e.task) -- the record of its end is lost
  local t = task_of(self, e)
  if t then t.defined, t.ready, t.is_root = e.defined, e.time, e.parent == 0 end
end

function on.name(self, e)
  local t = self.live.items[e.task]
  if t then t.name = e.name end
end

local function close_wait(self, t, time)
  if not t.wait then return end
  self.totals:waited(t.wait, t.parking and 0 or math.max(0, time - t.since))
  t.wait, t.joins = nil, nil
end

function on.wait(self, e)
  local t = task_of(self, e)
  if not t then return end
  close_wait(self, t, e.time)
  local what = e.what or "?"
  t.wait, t.since, t.at, t.parking = what:match "^%S+" or "?", e.time, e.at, true
  if t.wait == "http" and e.ref then
    if not self.awaited.items[e.ref] then
      insert(self.awaited, e.ref, { start = e.time, url = what:match "^%S+ %S+ (%S+)" })
    end
  elseif t.wait == "join" and e.ref then
    t.joins = e.ref
    self.totals:joins(t, e.ref, function(id)
      local other = self.live.items[id]
      if other then return other.joins, other end
    end)
  end
end

function on.ready(self, e)
  local t = task_of(self, e)
  if not t then return end
  close_wait(self, t, e.time)
  t.ready = e.time
end

function on.run(self, e)
  local t = task_of(self, e)
  if not t then return end
  if t.ready then self.totals.sched = self.totals.sched + math.max(0, e.time - t.ready) end
  local finish = e.time + e.duration
  t.ready = e.left == "yield" and finish or nil
  -- At level 1, the record of a wait has the time at which its turn began.
  if t.parking and e.left == "wait" then t.since = math.max(t.since, finish) end
  t.parking = false
  self.totals:ran(t, e.time, e.duration, t.wait and t.at)
end

on["end"] = function(self, e)
  local t = task_of(self, e)
  if not t then return end
  close_wait(self, t, e.time)
  self.totals:ended(t, math.max(0, e.time - t.start), e.outcome)
  t.outcome = e.outcome
  if e.outcome == "error" or e.outcome == "cancelled" and t.is_root then
    if self.failed_count >= FAILED_MAX then self.failed, self.failed_count = {}, 0 end
    self.failed[e.task], self.failed_count = t, self.failed_count + 1
    t.error = e.error
  end
  remove(self.live, e.task)
end

function on.xfer(self, e)
  if e.ref then remove(self.awaited, e.ref) end
  self.totals:request(e, e.time)
end

function on.hog(self, e) -- follows the turn
  if e.at then self.totals:placed(e.task, e.duration, e.at) end
end

function on.stuck(self, e)
  self.totals:ignores_cancel(self.live.items[e.task] or { id = e.task })
end

function on.unhandled(self, e)
  local t = self.failed[e.task] or { id = e.task }
  self.totals:failed_unseen(t, t.error, e.main, t.outcome)
end

function on.deadlock(self, e)
  self.totals:deadlocked(e.task > 0 and (self.live.items[e.task] or { id = e.task }) or nil,
    e.ref, e.first, e.live)
end

function on.job(self, e) self.totals:job(e) end

function on.sample(self, e) self.totals:sampled(e) end

-- The end of what is live may be among the records that are lost: it is not counted as open.
function on.lost(self, e)
  self.totals.lost = self.totals.lost + e.count
  self.live, self.awaited = new_map(), new_map()
end

--- Counts an event.
function methods:add(e)
  local handler, t, time = on[e.kind], self.totals, e.time
  if e.kind ~= "lost" then t.records = t.records + 1 end
  if not t.from or time < t.from then t.from = time end
  if e.kind == "run" or e.kind == "xfer" then time = time + (e.duration or e.total or 0) end
  if time > t.till then t.till = time end
  if handler then handler(self, e) end
end

local function by_key(items)
  local keys = {}
  for key, item in pairs(items) do
    if item then keys[#keys + 1] = key end
  end
  table.sort(keys)
  return ipairs(keys)
end

--- Ends the collection. What has not ended by now is open.
---@param till number|nil seconds, the end of the run; by default the time of the last event
---@return septet.trace.Totals
function methods:finish(till)
  local t = self.totals
  t.till = math.max(t.till, till or 0, t.from or 0)
  for _, ref in by_key(self.awaited.items) do
    local r = self.awaited.items[ref]
    t:open_request(t.till - r.start, r.url)
  end
  for _, id in by_key(self.live.items) do
    local task = self.live.items[id]
    if task.wait then t:waited(task.wait, math.max(0, t.till - task.since), true) end
    t:ended(task, math.max(0, t.till - task.start), nil, true)
  end
  return t:finish()
end

--- Returns a collection without events.
function totals_of_events.new()
  return setmetatable({ totals = totals.new(), live = new_map(), awaited = new_map(), failed = {},
    failed_count = 0 }, meta)
end

return totals_of_events
