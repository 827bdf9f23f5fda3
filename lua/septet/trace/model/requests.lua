-- SPDX-License-Identifier: MIT
-- The part of the model about requests: attempts with their phases, heads and bodies.
local requests = {}

local base = require "septet.trace.model.base"
local tasks = require "septet.trace.model.tasks"
local url_parts = require "septet.trace.url_parts"

local max, min = math.max, math.min
local LATEST, NONE, append = base.LATEST, base.NONE, base.append
local ns, seconds = base.ns, base.seconds

local on = {} -- functions (m, event, time) by kind
requests.on = on

-- The names of the phases in their order, with the fields of the event.
local PHASES = {
  { "queue", "queue" }, { "dns", "dns" }, { "tcp", "tcp" }, { "tls", "tls" }, { "stall" },
  { "send", "send" }, { "wait", "wait" }, { "recv", "receive" },
}

requests.phase_names = {} -- in their order
for i, phase in ipairs(PHASES) do requests.phase_names[i] = phase[1] end

-- Returns the phases one after the other. What none of them explains was spent between the
-- connection and the request. They are whole nanoseconds, and so add up to the total.
function requests.phases(e, total, start)
  local durations, left = {}, ns(total)
  for i, phase in ipairs(PHASES) do
    local value = phase[2] and seconds(e[phase[2]]) or 0
    durations[i] = min(ns(value), left)
    left = left - durations[i]
  end
  durations[5] = left
  local phases, at = NONE, 0
  for i, phase in ipairs(PHASES) do
    if durations[i] > 0 then
      if phases == NONE then phases = {} end
      phases[#phases + 1] = { name = phase[1], start = start + at / 1e9,
        duration = durations[i] / 1e9 }
      at = at + durations[i]
    end
  end
  return phases
end

-- Returns "host:port" of a URL, which is read once for each origin.
local function host_of(m, url)
  local origin = (url or ""):match "^%a[%w+.-]*://[^/?#]*" or ""
  local host = m.hosts[origin]
  if not host then
    host = url_parts.host(origin)
    m.hosts[origin] = host
  end
  return host
end

-- Returns what is known of a request by its number before it ended.
local function parts_of(m, ref)
  local parts = m.parts[ref]
  if not parts then
    parts = { edges = {} }
    m.parts[ref] = parts
  end
  return parts
end

local function add_request(m, r, task, start, total)
  r.kind, r.time = nil, nil
  r.task, r.start, r.total = task, start, total
  r.finish = start + total
  r.method, r.status, r.bytes = r.method or "?", r.status or 0, r.bytes or 0
  r.host = host_of(m, r.url)
  r.cancelled = r.code == "cancelled"
  r.failed = r.code ~= nil and not r.cancelled
  r.ok = not r.code and not r.open and r.status > 0 and r.status < 400
  local parts = m.parts[r.ref]
  if parts then r.head, r.body = parts.head, parts.body end
  m.requests[#m.requests + 1] = r
  if task then append(task, "requests", r) end
  m.till = max(m.till, r.finish)
end

-- Returns the wait that awaited the whole request; nil if there is none. If the task has run since
-- its wait, it reads a stream, and the request is not what it waited for.
local function wait_for(state, ref)
  local wait = state.wait or state.ready and state.waited
  if wait and wait.kind == "http" and wait.ref == ref and not wait.request then return wait end
end

-- Draws the request in the place of the wait. Their clocks were read at different moments.
local function join_to_wait(state, wait, r)
  wait.request, r.awaited, r.lane = r, wait, state.task.lane
  if r.start < wait.start then wait.start = max(state.before, r.start) end
  if state.wait then
    state.last = max(state.last, r.finish)
  elseif r.finish > wait.finish then
    state.task.waited = state.task.waited + r.finish - wait.finish
    wait.finish = r.finish
    state.ready = max(state.ready, r.finish)
    state.last = max(state.last, r.finish)
  end
end

function on.xfer(m, e, time)
  local r = {}
  for field, value in pairs(e) do r[field] = value end
  local total = e.total and seconds(e.total)
  if not total then
    total = 0
    for _, phase in ipairs(PHASES) do
      if phase[2] then total = total + seconds(e[phase[2]]) end
    end
  end
  total = ns(min(total, LATEST - time)) / 1e9
  local state = tasks.state(m, e.task, time)
  add_request(m, r, m.task[e.task], time, total)
  r.phases = requests.phases(e, total, time)
  r.span = state and state.spans[#state.spans]
  local wait = state and e.ref and wait_for(state, e.ref)
  if wait then join_to_wait(state, wait, r) end
end

function on.phase(m, e, time)
  if not e.ref then return end
  local edges = parts_of(m, e.ref).edges
  edges[#edges + 1] = { name = e.phase, time = time }
end

function on.head(m, e)
  if not e.ref or not e.which then return end
  local parts = parts_of(m, e.ref)
  parts.head = parts.head or {}
  parts.head[e.which] = e.text or ""
end

function on.body(m, e)
  if not e.ref or not e.which then return end
  local parts = parts_of(m, e.ref)
  parts.body = parts.body or {}
  local body = parts.body[e.which] or { pieces = {}, cut = false }
  parts.body[e.which] = body
  body.pieces[#body.pieces + 1] = e.text or ""
  body.cut = body.cut or e.cut == true
end

local phase_names = { queue = "queue", admitted = "stall", dns = "dns", connect = "tcp",
  tls = "tls", send = "send", wait = "wait", receive = "recv" }

-- Adds a request that is still going on when the trace ends, of which only its wait is known.
function requests.add_open(m, task, wait)
  local method, url = wait.what:match "^http (%S+) (%S+)"
  if not method then return end
  local r = { ref = wait.ref, method = method, url = url, at = wait.at, open = true }
  local total = ns(wait.finish - wait.start)
  local phases, at, name = {}, 0, "queue"
  local function add(till, next_name)
    till = max(at, min(till, total))
    if till > at then
      phases[#phases + 1] = { name = name, start = wait.start + at / 1e9,
        duration = (till - at) / 1e9 }
    end
    at, name = till, next_name
  end
  for _, e in ipairs(m.parts[wait.ref] and m.parts[wait.ref].edges or NONE) do
    add(ns(e.time - wait.start), phase_names[e.name] or "stall")
  end
  add(total)
  add_request(m, r, task, wait.start, total / 1e9)
  r.phases = phases
  wait.request, r.awaited, r.lane = r, wait, task.lane
end

return requests
