-- SPDX-License-Identifier: MIT
-- Spans for OpenTelemetry while a trace goes on. Each is given away once it has ended, and what is
-- kept is what is live.
local core = require "septet.core"
local job_steps = require "septet.trace.job_steps"
local otlp = require "septet.trace.otlp"
local requests = require "septet.trace.model.requests"

local max = math.max

local Live = {}
Live.__index = Live

local function ns(seconds)
  return math.floor(seconds * 1e9 + 0.5)
end

local function begin_task(self, id, time)
  local task = { id = id, name = "?", start = time, finish = time, busy = 0, sched = 0,
    resumes = 0, spans = {} }
  self.tasks[id] = task
  return task
end

-- Returns a task, which begins here if its spawn is not known. Returns nil for no task.
local function task_of(self, id, time)
  if id == 0 then return nil end
  return self.tasks[id] or begin_task(self, id, time)
end

-- Returns the id of what is innermost in a task.
local function innermost(self, task)
  if not task then return nil end
  local span = task.spans[#task.spans]
  if span then return otlp.id(self.context, "span", span.ref) end
  return otlp.id(self.context, "task", task.id)
end

local function end_span(self, task, i, time, failed, open)
  local span = table.remove(task.spans, i)
  span.finish, span.failed, span.open = max(span.start, time), failed, open
  self.give(otlp.span(self.context, span, span.parent, span.marks))
end

local function end_task(self, task, time, open)
  for i = #task.spans, 1, -1 do end_span(self, task, i, time, false, true) end
  task.finish, task.open = max(task.start, time), open
  self.tasks[task.id] = nil
  local parent = task.parent
    or task.parent_task and otlp.id(self.context, "task", task.parent_task)
  self.give(otlp.task(self.context, task, parent, task.marks))
end

local on = {} -- functions (self, event, time) by kind

-- The wall clock may be set back: no span ends before it begins for that.
function on.clock(self, e, time)
  local offset = e.unix_ns - ns(time)
  self.offset = self.offset and max(self.offset, offset) or offset
  self.context = self.context or otlp.context(self.meta,
    function(instant) return ns(instant) + self.offset end, self.options)
end

function on.spawn(self, e, time)
  local task = begin_task(self, e.task, time)
  task.defined = e.defined
  task.name = e.defined and e.defined:match "[^/]*$" or "?"
  local parent = self.tasks[e.parent]
  -- The spawn of the parent may not be known.
  if parent then parent.start = math.min(parent.start, time) end
  task.parent = innermost(self, parent)
  task.ready = time
end

function on.name(self, e, time)
  local task = task_of(self, e.task, time)
  if task then task.name = e.name or task.name end
end

function on.ready(self, e, time)
  local task = task_of(self, e.task, time)
  if task then task.ready = time end
end

function on.run(self, e, time)
  local task = self.tasks[e.task] -- nil for the turn in which it has ended
  if not task then return end
  task.busy, task.resumes = task.busy + e.duration, task.resumes + 1
  if task.ready then task.sched = task.sched + max(0, time - task.ready) end
  task.ready = e.left == "yield" and time + e.duration or nil
end

on["end"] = function(self, e, time)
  local task = task_of(self, e.task, time)
  if not task then return end
  task.outcome, task.error, task.code = e.outcome, e.error, e.code
  end_task(self, task, time)
end

function on.span_begin(self, e, time)
  local task = task_of(self, e.task, time)
  if not task then return end
  table.insert(task.spans, { ref = e.ref, name = e.name or "?", at = e.at, start = time,
    parent = innermost(self, task) })
end

function on.span_end(self, e, time)
  local task = self.tasks[e.task]
  for i = task and #task.spans or 0, 1, -1 do
    if task.spans[i].ref == e.ref then return end_span(self, task, i, time, e.failed) end
  end
end

local function add_mark(self, e, time, name, value)
  local task = self.tasks[e.task]
  if not task then return end
  local owner = task.spans[#task.spans] or task
  local marks = owner.marks or {}
  owner.marks = marks
  if #marks < otlp.MAX_EVENTS then
    marks[#marks + 1] = { time = time, name = name or "?", value = value }
  else
    marks.more = (marks.more or 0) + 1
  end
end

function on.mark(self, e, time) add_mark(self, e, time, e.name, e.value) end

function on.job(self, e, time) add_mark(self, e, time, job_steps.mark(e)) end

function on.xfer(self, e, time)
  e.start, e.finish = time, time + (e.total or 0)
  e.phases = requests.phases(e, e.total or 0, time)
  self.count(e)
  self.give(otlp.request(self.context, e, innermost(self, self.tasks[e.task])))
end

-- Calls visit(node, node of its parent) for each live task.
local function walk(nodes, parent, visit)
  for _, node in ipairs(nodes) do
    visit(node, parent)
    walk(node.children, node, visit)
  end
end

-- Some of the tasks may have ended unseen: their spans would never end.
function on.lost(self, e)
  self.lost = self.lost + e.count
  local live = {}
  walk(core.tree(), nil, function(node) live[node.id] = true end)
  for id in pairs(self.tasks) do
    if not live[id] then self.tasks[id] = nil end
  end
end

--- Takes an event of the trace.
---@param e table
function Live:add(e)
  local handler = on[e.kind]
  if handler and (self.context or e.kind == "clock") then handler(self, e, e.time) end
end

--- Ends what has not ended, at an instant.
---@param time number
function Live:finish(time)
  local ids = {}
  for id in pairs(self.tasks) do ids[#ids + 1] = id end
  table.sort(ids, function(a, b) return a > b end) -- children before their parents
  for _, id in ipairs(ids) do end_task(self, self.tasks[id], time, true) end
end

local otlp_live = {}

--- Returns an object that takes events and gives the JSON of spans. The first event is a clock.
---@param meta table
---@param options septet.OtlpOptions
---@param give fun(span: string)
---@param count fun(request: table) called for each attempt of a request that has ended
function otlp_live.new(meta, options, give, count)
  local self = setmetatable({ meta = meta, options = options, tasks = {}, lost = 0, give = give,
    count = count }, Live)
  walk(core.tree(), nil, function(node, parent)
    local task = begin_task(self, node.id, core.now())
    task.name, task.parent_task = node.name, parent and parent.id
  end)
  return self
end

return otlp_live
