-- SPDX-License-Identifier: MIT
--- Events of tasks and requests, read from the host's trace ring.
---@class septet.trace
local trace = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local decode = require "septet.trace.decode"

-- Checks the option `level` and returns it.
local function level_of(options, default, what)
  local level = args.options(options, { level = "count" }, what).level or default
  if level < 1 or level > 3 then
    args.usage("bad option 'level' for '%s' (1, 2 or 3 expected, got %s)", what, level)
  end
  return level
end

---@class septet.SubscribeOptions
---@field level integer|nil 1: what costs least; 2, the default: also what each wait is for, lines
---of scripts and phases of requests; 3: also headers

--- Calls fn(event) for every event from now on, once a turn of the loop, outside of any task. It
--- must not wait; if it raises, it is removed with a warning. An event is a table with `kind`,
--- `time` in seconds, `task` (an id, 0 for none), and the fields of its kind. `time` is when the
--- event happened, but for run and xfer the start of the turn or attempt. Returns a function that
--- ends the subscription.
---@param fn fun(event: table)
---@param options septet.SubscribeOptions|nil
---@return fun() unsubscribe
function trace.subscribe(fn, options)
  args.callable(fn, 1, "subscribe")
  local level = level_of(options, 2, "subscribe")
  local cursor, active = nil, true
  local function deliver(event)
    if active then fn(event) end
  end
  local function sink()
    while active do
      local bytes, next_cursor = core.trace_block(cursor)
      if not bytes then return end
      cursor = next_cursor
      decode.block(bytes, 1, deliver)
    end
  end
  cursor = core.trace_sink(sink, level)
  return function()
    active = false
    core.trace_unsink(sink)
  end
end

---@class septet.RecordOptions: septet.SubscribeOptions
---@field level integer|nil default 1

--- Records to a file from now on. The file is complete once the recording is closed. After the
--- death of the process, it has what was written: all but the last turn of the loop.
---@param path string
---@param options septet.RecordOptions|nil
---@return septet.Recording
function trace.record(path, options)
  args.string(path, 1, "record")
  local level = level_of(options, 1, "record")
  local meta = { version = core.versions():match "^Septet ([^,]+)" }
  return core.trace_file(path, decode.meta_text(meta), level)
end

-- --- what scripts add ---

local span_meta = { __close = function(span, err) core.trace_span_end(span[1], err ~= nil) end }

--- Calls fn(...) and records a span around it: its name, and when it began and ended. May wait in
--- it. Spans nest. Returns and raises what fn does.
---@async
---@param name string
---@param fn function
---@param ... any
---@return any ...
function trace.span(name, fn, ...)
  args.string(name, 1, "span")
  args.callable(fn, 2, "span")
  local _ <close> = setmetatable({ core.trace_span(name) }, span_meta)
  return fn(...)
end

--- Records an instant.
---@param name string
---@param value number|nil
function trace.mark(name, value)
  args.string(name, 1, "mark")
  core.trace_mark(name, value)
end

--- Records the present value of a counter. Its name is one of few: each is kept.
---@param name string
---@param value number
function trace.count(name, value)
  args.string(name, 1, "count")
  core.trace_count(name, value)
end

-- --- lines ---

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
trace.histogram = require "septet.trace.histogram".new

return args.module(trace, "septet.trace")
