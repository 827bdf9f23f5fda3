-- SPDX-License-Identifier: MIT
--- Events of tasks and requests, read from the host's trace ring.
---@class septet.trace
local trace = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local bodies = require "septet.trace.bodies"
local decode = require "septet.trace.decode"
local export = require "septet.trace.export"
local lines = require "septet.trace.lines"

-- Checks the option `level` and returns it. `others` are further options.
local function level_of(options, default, what, others)
  local checks = { level = "count" }
  for name, kind in pairs(others or {}) do checks[name] = kind end
  local level = args.options(options, checks, what).level or default
  if level < 1 or level > 3 then
    args.usage("bad option 'level' for '%s' (1, 2 or 3 expected, got %s)", what, level)
  end
  return level
end

---@class septet.SubscribeOptions
---@field level integer|nil how much is recorded, from 1 to 3; 2
---@field bodies integer|nil bytes of each body of later requests that level 3 records; 0

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
  local level = level_of(options, 2, "subscribe", { bodies = "bytes" })
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
  cursor = core.trace_sink(sink, level) -- raises if the embedder forbids it
  local release = options and options.bodies and bodies.ask(options.bodies)
  return function()
    if active and release then release() end
    active = false
    core.trace_unsink(sink)
  end
end

---@class septet.RecordOptions
---@field level integer|nil as of subscribe; 1

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

--- Sends the tasks, spans and requests of the run to an OpenTelemetry collector from now on, until
--- the run ends. There is one such client in a run.
---@param options septet.OtlpClientOptions|nil
---@return septet.Otlp
function trace.otlp(options)
  return require "septet.trace.otlp_client".start(options)
end

-- --- what scripts add ---

-- Raises Usage unless the second argument is a number.
local function check_number(value, what)
  if type(value) == "number" then return end
  args.usage("bad argument #2 to '%s' (number expected, got %s)", what, type(value))
end

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
  local number = core.trace_span(name)
  if number == 0 then return fn(...) end -- nothing is recorded
  local _ <close> = setmetatable({ number }, span_meta)
  return fn(...)
end

--- Records an instant.
---@param name string
---@param value number|nil
function trace.mark(name, value)
  args.string(name, 1, "mark")
  if value ~= nil then check_number(value, "mark") end
  core.trace_mark(name, value)
end

--- Records the present value of a counter. Its name is one of few: each is kept.
---@param name string
---@param value number
function trace.count(name, value)
  args.string(name, 1, "count")
  check_number(value, "count")
  core.trace_count(name, value)
end

--- Calls hooks for all tasks, and for the requests of all sessions that start from now on. Those of
--- requests are called like those of a session's `trace`, and before them. Those of tasks are
--- task_spawn, task_step, task_park, task_wake, task_cancel, task_hog and task_done. They are
--- called once a turn of the loop, with a table for each task and with an event of subscribe().
--- Returns a function that ends it.
---@param fns septet.HostHooks
---@return fun() remove
function trace.hooks(fns)
  if not core.permits("trace", "") then -- as for subscribe: they see the requests of all scripts
    error(core.error { kind = "IoError", code = "denied", path = "",
      message = "cannot read the trace: denied by the host" }, 0)
  end
  return require "septet.trace.hooks".add(fns, trace.subscribe)
end

-- --- outputs ---

---@class septet.LinesOptions
---@field filter string[]|nil write only lines of these: `#12` is a task, "spawn", "wait", "cancel",
---"end", "request", "span", "mark", "count", "hog", "stuck", "unhandled" or "lost" a kind, and
---anything else a piece of a task's name or of a URL; all
---@field limit integer|nil lines in a second, or 0 for all; 0

--- Writes lines to a file from now on: the time in ms, the task, the event. Returns a function that
--- ends it.
---@param out file* for instance io.stderr
---@param options septet.LinesOptions|nil
---@return fun() stop
function trace.lines(out, options)
  options = args.options(options, { filter = "table", limit = "any" }, "lines")
  local limit = options.limit or 0
  if math.type(limit) ~= "integer" or limit < 0 then
    args.usage("bad option 'limit' for 'lines' (a whole number from 0 expected)")
  end
  local add, report = lines.new(function(text) out:write(text) end,
    { start = core.now(), filter = options.filter, limit = limit, live = core.tree() })
  local unsubscribe = trace.subscribe(add)
  return function()
    unsubscribe()
    report()
  end
end

-- Raises if the host does not let scripts read or write a file. Exporters open files by functions
-- that do not ask.
local function check_permit(what, verb, path)
  if core.permits(what, path) then return end
  error(core.error { kind = "IoError", code = "denied", path = path,
    message = ("cannot %s '%s': denied by the host"):format(verb, path) }, 0)
end

---@class septet.PsOptions
---@field all boolean|nil true: a line for each task, also of those that wait alike; false
---@field json boolean|nil true: returns a list of tables instead; false

--- Returns what each live task does, as Ctrl-\ and `septet ps` show it: a text of lines, or a list
--- of tables with the fields of septet ps --json. A script of the standard profile sees its own.
---@param options septet.PsOptions|nil
---@return string|table
function trace.ps(options)
  options = args.options(options, { all = "boolean", json = "boolean" }, "ps")
  if options.json then return require "septet.json".decode(core.trace_ps(2)) end
  return core.trace_ps(options.all and 1 or 0)
end

---@alias septet.Exporter fun(model: table, write: fun(text: string), options: table)

---@class septet.ExportOptions: septet.LinesOptions
---@field json boolean|nil "summary": one line of JSON; false
---@field spans integer|nil "html": number of spans in the lanes; 200000
---@field sanitize boolean|nil "har": leaves out what logs somebody in; true
---@field signal "traces"|"metrics"|nil "otlp": what to write; "traces"
---@field seed integer|nil "otlp": what the ids are made from; from the process and its start
---@field traceparent string|nil "otlp": the span that the run is part of; none
---@field service_name string|nil "otlp": name of the service; the script's name
---@field resource table<string, string>|nil "otlp": attributes of the resource; none


--- Writes what ran in a format: "chrome", "har", "html", "lines", "otlp" or "summary", or by a
--- function exporter(model, write, options), which calls write(text) with the pieces of its output.
--- The source is the path of a recording. The target is a path, or a function that gets the pieces.
--- Returns a note on what of the recording is damaged, or nil. Raises IoError if the source cannot
--- be read or the target cannot be written.
---@param exporter string|septet.Exporter
---@param source string
---@param target string|fun(text: string)
---@param options septet.ExportOptions|table|nil for the exporter
---@return string|nil note
function trace.export(exporter, source, target, options)
  args.string(source, 2, "export")
  local found = exporter
  if type(exporter) == "string" then
    found = export.find(exporter)
    if not found then
      args.usage("bad argument #1 to 'export' (unknown exporter '%s'; one of %s)", exporter,
        table.concat(export.names, ", "))
    end
  else
    args.callable(exporter, 1, "export")
  end
  local run = export.run
  if type(target) ~= "string" then args.callable(target, 3, "export") end
  check_permit("read", "read", source)
  if type(target) == "string" then
    check_permit("write", "write", target)
    run = export.to_file
  end
  local ok, note = run(found, source, target, options or {})
  if not ok then error(core.error { kind = "IoError", message = note }, 0) end
  return note
end

--- Creates a histogram of values, empty or from what `histogram:encode()` returned.
---@param encoded string|nil
---@return septet.Histogram
trace.histogram = require "septet.stats.histogram".new

return args.module(trace, "septet.trace")
