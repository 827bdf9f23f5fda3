-- SPDX-License-Identifier: MIT
-- The part of the model about what scripts record: spans, marks and counters; and jobs.
local job_steps = require "septet.trace.job_steps"
local tasks = require "septet.trace.model.tasks"

local max = math.max

local on = {} -- functions (m, event, time) by kind

-- Returns the list of open spans of a task, or of no task.
local function spans_of(m, e, time)
  local state = tasks.state(m, e.task, time)
  if state then return state.spans, tasks.edge(state, time), state.task end
  return m.spans_outside, time, m.task[e.task]
end

function on.span_begin(m, e, time)
  local open, start, task = spans_of(m, e, time)
  local span = { task = task, ref = e.ref, name = e.name or "?", at = e.at, start = start,
    finish = start, depth = #open, open = true, failed = false, apart = open == m.spans_outside,
    outer = open[#open] }
  m.spans[#m.spans + 1] = span
  open[#open + 1] = span
end

function on.span_end(m, e, time)
  local open, finish = spans_of(m, e, time)
  for i = #open, 1, -1 do
    local span = open[i]
    if span.ref == e.ref then
      span.finish, span.open, span.failed = max(span.start, finish), false, e.failed == true
      -- One that ends before those inside of it does not nest.
      span.apart = span.apart or i < #open
      table.remove(open, i)
      return
    end
  end
end

local function add_mark(m, e, time, name, value)
  local state = m.live[e.task]
  m.marks[#m.marks + 1] = { task = m.task[e.task], time = time, name = name or "?", value = value,
    at = e.at, span = state and state.spans[#state.spans] }
end

function on.mark(m, e, time) add_mark(m, e, time, e.name, e.value) end

function on.job(m, e, time)
  m.jobs[#m.jobs + 1] = e
  add_mark(m, e, time, job_steps.mark(e))
end

function on.count(m, e, time)
  local name = e.name or "?"
  local counter = m.counter[name]
  if not counter then
    counter = { name = name, points = {} }
    m.counter[name] = counter
    m.counters[#m.counters + 1] = counter
  end
  counter.points[#counter.points + 1] = { time, tonumber(e.value) or 0 }
end

function on.sample(m, e)
  m.samples[#m.samples + 1] = e
end

return { on = on }
