-- SPDX-License-Identifier: MIT
--- Events of tasks and requests, read from the host's trace ring.
---@class septet.trace
local trace = {}

local core = require "septet.core"
local args = require "septet.internal.args"

--- Calls fn(event) for every event from now on, once a turn of the loop, outside of any task. It
--- must not wait; if it raises, it is removed with a warning. An event is a table with `kind`,
--- `time` in seconds, `task` (an id, 0 for none), and the fields of its kind. The kinds are spawn,
--- wait, ready, run, cancel, end, xfer, name, hog, stuck and lost. `time` is when the event
--- happened, but for run and xfer the start of the turn or attempt.
---@param fn fun(event: table)
function trace.subscribe(fn)
  args.callable(fn, 1, "subscribe")
  local cursor = core.trace_head()
  core.trace_sink(function()
    while true do
      local event, next_cursor, lost = core.trace_read(cursor)
      if not event then return end
      cursor = next_cursor
      if lost > 0 then fn { kind = "lost", time = event.time, task = 0, count = lost } end
      fn(event)
    end
  end)
end

local function size(bytes)
  if bytes < 1000 then return ("%d B"):format(bytes) end
  if bytes < 1e6 then return ("%.1f kB"):format(bytes / 1e3) end
  return ("%.1f MB"):format(bytes / 1e6)
end

local function ms(seconds)
  return ("%.1f"):format(seconds * 1e3)
end

local protocols = { [10] = "h1.0", [11] = "h1", [20] = "h2", [30] = "h3" }
local phases = {
  { "queue" }, { "dns" }, { "tcp" }, { "tls" }, { "send" }, { "wait" }, { "receive", "recv" } }

local function phases_of(e)
  local words = {}
  for _, phase in ipairs(phases) do
    local seconds = e[phase[1]]
    if seconds and seconds >= 5e-5 then
      words[#words + 1] = ("%s %s"):format(phase[2] or phase[1], ms(seconds))
    end
  end
  return table.concat(words, " ")
end

local function connection_of(e)
  local insecure = e.insecure and " insecure" or ""
  return ("%s %s%s"):format(protocols[e.protocol] or "-", e.reused and "reused" or "new", insecure)
end

-- Functions by kind of event. Each returns the verb and the text of its line, or nil for no line.
local words = {}

function words.spawn(e, _, label)
  local by = e.parent > 0 and (" by #%d"):format(e.parent) or ""
  return "spawn", (e.at or e.defined or label) .. by
end

function words.wait(e, s)
  s.waits = s.waits + 1
  local what = (e.what or "?"):gsub("^http ", "") -- nil: no memory to record it
  return "wait", e.at and ("%-48s  %s"):format(what, e.at) or what
end

function words.xfer(e)
  if e.code then
    return e.code == "cancelled" and "cancel" or "error",
      ("%s %s: %s in %s after %s ms"):format(e.method, e.url, e.code, e.phase or "?",
        ms(e.total or 0))
  end
  return tostring(e.status), ("%s %s  %s %s | %s = %s ms"):format(e.method, e.url, size(e.bytes),
    connection_of(e), phases_of(e), ms(e.total))
end

function words.cancel(e)
  if e.task == 0 then return end -- the end of the host's own scopes
  return "cancel", ("%s%s"):format(e.source, e.by > 0 and (" by #%d"):format(e.by) or "")
end

words["end"] = function(e, s)
  return "end", ("%s  (%d wait%s, busy %.2f ms, sched %.2f ms)"):format(e.outcome, s.waits,
    s.waits == 1 and "" or "s", s.busy * 1e3, s.sched * 1e3)
end

function words.hog(e)
  return "hog", ("ran for %s ms without waiting"):format(ms(e.duration))
end

function words.stuck()
  return "stuck", "ignores its cancellation"
end

function words.lost(e)
  return "lost", ("%d records were overwritten before they were read"):format(e.count)
end

local function nothing() end

-- Returns an empty record of what the events of a task say.
local function new_stats()
  return { waits = 0, busy = 0, sched = 0 }
end

--- Writes lines to a file from now on: the time in ms, the task, the event. The kinds run, ready
--- and name have no line.
---@param out file* for instance io.stderr
function trace.lines(out)
  local tasks, start = {}, core.now()
  trace.subscribe(function(e)
    local s = tasks[e.task] or new_stats() -- not kept if its spawn was not seen
    if e.kind == "spawn" then
      tasks[e.task] = s
      s.defined = e.defined
    elseif e.kind == "lost" then
      tasks = {} -- some of them may have ended unseen
    end
    if e.kind == "name" then s.name = e.name end
    if e.kind == "ready" then s.ready = e.time end
    if e.kind == "run" then
      s.busy = s.busy + e.duration
      s.sched = s.sched + (s.ready and math.max(0, e.time - s.ready) or 0)
      s.ready = nil
    end
    local label = s.name or (s.defined or ""):match "[^/]*$"
    local verb, text = (words[e.kind] or nothing)(e, s, label)
    if verb then
      local who = e.task > 0 and ("#%d %s"):format(e.task, core.escape(label)) or ""
      local time = e.time + (e.total or 0) -- a request's line shows when it ended
      out:write(("%+8.1f %-24s %-6s %s\n"):format((time - start) * 1e3, who, verb,
        core.escape(text)))
    end
    if e.kind == "end" then tasks[e.task] = nil end
  end)
end

--- Creates a histogram of values, empty or from what `histogram:encode()` returned.
---@param encoded string|nil
---@return septet.Histogram
trace.histogram = require "septet.trace.histogram"

return args.module(trace, "septet.trace")
