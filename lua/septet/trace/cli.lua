-- SPDX-License-Identifier: MIT
-- The outputs of the trace that options of the septet command ask for. The command calls start()
-- before the first task, and finish() when nothing runs any more, or right before it exits.
-- finish() needs no host: what it calls is loaded by start().
local core = require "septet.core"
local bodies = require "septet.trace.bodies"
local decode = require "septet.trace.decode"
local export = require "septet.trace.export"
local lines = require "septet.trace.lines"
local terminal = require "septet.trace.terminal"
local trace = require "septet.trace"

local cli = {}

local LINES_ON_A_TERMINAL = 100 -- in a second: more cannot be read, and slow the run down

-- The outputs that were started, and what else the end needs. `recording` is written to
-- `recorded`, from which the targets are made.
local started = { targets = {} }

-- The number of this process among the workers of a command, nil if it is alone.
local function worker()
  local count = tonumber(os.getenv "SEPTET_WORKERS")
  return count and count > 1 and tonumber(os.getenv "SEPTET_WORKER") or nil
end

-- Returns a function that writes to standard error. What is written at once is not mixed with that
-- of other workers.
local function writer()
  local number = worker()
  local label = number and ("[%d] "):format(number) or ""
  return function(text) io.stderr:write(label .. text) end
end

local function complain(format, ...)
  io.stderr:write("septet: ", terminal.escape(format:format(...)), "\n")
end

-- --- options ---

-- Returns the options of the command line, as { targets = { { path, format } }, filter = {}, ... }.
local function parse(words)
  local options = { targets = {}, filter = {} }
  for _, word in ipairs(words) do
    local name, value = word:match "^%-%-([%w-]+)=?(.*)$"
    if name == "trace" and value ~= "" then
      options.targets[#options.targets + 1] = { path = value, format = export.format_of(value) }
    elseif name == "trace" then
      options.lines = true
    elseif name == "trace-filter" then
      options.filter[#options.filter + 1] = value
    elseif name == "trace-limit" then
      options.limit = math.tointeger(tonumber(value))
    elseif name == "har-bodies" then
      options.bodies = value == "" and math.maxinteger or math.tointeger(tonumber(value))
    elseif name == "propagate" then
      options.propagate = options.propagate or {}
      for host in value:gmatch "[^,%s]+" do table.insert(options.propagate, host) end
    else
      options[name] = value ~= "" and value or true -- summary, otlp
    end
  end
  -- A filter without an output is one of lines.
  options.lines = options.lines or not options.targets[1] and (options.filter[1] or options.limit)
  return options
end

-- --- the start ---

-- Raises if a file is there and cannot be written. It is made only at the end.
local function check_target(path)
  local file, problem, number = io.open(path, "r+b")
  if file then
    file:close()
  elseif number ~= 2 then -- ENOENT
    error(("cannot write '%s': %s"):format(path, (problem:gsub("^.-: ", "", 1))), 0)
  end
end

-- Returns the path of the recording of which the targets are made: a target itself, or beside one.
local function recording_path(targets)
  for _, target in ipairs(targets) do
    if not target.format then return target.path, true end
  end
  return targets[1].path .. ".trc", false
end

local function start_recording(options, script)
  local level = 2
  for _, target in ipairs(options.targets) do
    if target.format then
      target.exporter = export.find(target.format)
      check_target(target.path)
    end
    if target.format == "har" or options.bodies then level = 3 end
  end
  local meta = { version = core.versions():match "^Septet ([^,]+)", script = script or "septet" }
  started.path, started.keeps = recording_path(options.targets)
  if options.bodies then bodies.ask(options.bodies) end
  local ok, recording = pcall(core.trace_file, started.path, decode.meta_text(meta), level)
  if not ok then error(tostring(recording), 0) end
  started.recording, started.targets = recording, options.targets
end

local function start_lines(options, is_terminal)
  local limit = options.limit or is_terminal and LINES_ON_A_TERMINAL or 0
  local add, report = lines.new(writer(),
    { start = core.now(), filter = options.filter, limit = limit })
  trace.subscribe(add)
  started.report_lines = report
end

--- Starts what the options ask for. Raises a string if that fails.
function cli.start(words, script, is_terminal)
  local options = parse(words)
  if options.lines then start_lines(options, is_terminal) end
  if options.targets[1] then start_recording(options, script) end
  if options.summary and options.summary ~= "none" then
    started.summary = require "septet.trace.summary".start()
    started.summary_options = { script = script, worker = worker() }
    started.summary_options.json = options.summary == "json"
  end
  if options.otlp then
    local url = type(options.otlp) == "string" and options.otlp or nil
    -- It ends with the run.
    require "septet.trace.otlp_client".start { url = url, propagate = options.propagate }
  end
end

-- --- the end ---

-- Returns the model of the recording, read once.
local function model_of(path)
  if not started.model then
    local m, note = export.load(path)
    if not m then return nil, note end
    if note then complain("%s", note) end
    started.model = m
  end
  return started.model
end

local function write_target(target)
  local m, problem = model_of(started.path)
  if not m then return false, problem end
  local ok, done, failure = pcall(export.to_file, target.exporter, m, target.path, {})
  if not ok then return false, ("the %s exporter failed: %s"):format(target.format, done) end
  return done, failure
end

-- Writes the outputs that are made of the recording. Returns false if one failed; the recording is
-- then kept.
local function write_targets()
  local all = true
  local closed, problem = pcall(started.recording.close, started.recording)
  if not closed then
    all = false
    complain("the trace is incomplete: %s", tostring(problem))
  end
  for _, target in ipairs(started.targets) do
    if target.format then
      local ok, failure = write_target(target)
      if not ok then
        complain("%s", failure)
        all = false
      end
    end
  end
  if started.keeps then return all end
  if all then
    os.remove(started.path)
  else
    complain("what was recorded is in '%s'", started.path)
  end
  return all
end

local function print_summary()
  local parts, number = {}, started.summary_options.worker
  if number and not started.summary_options.json then parts[1] = ("worker %d:\n"):format(number) end
  started.summary:print(function(text) parts[#parts + 1] = text end, started.summary_options)
  io.stderr:write(table.concat(parts))
end

--- Ends the outputs, once. Returns false if one of them failed.
function cli.finish()
  if started.finished then return true end
  started.finished = true
  core.trace_flush()
  if started.report_lines then started.report_lines() end
  local ok = true
  if started.recording then ok = write_targets() end
  if started.summary then print_summary() end
  return ok
end

return cli
