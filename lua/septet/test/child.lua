-- SPDX-License-Identifier: MIT
-- Runs one file of tests in this process, and tells by events what became of it.
local child = {}

local core = require "septet.core"
local task = require "septet.task"
local program = require "septet.command.program"
local census = require "septet.test.census"
local choice = require "septet.test.choice"
local error_text = require "septet.test.error_text"
local execute = require "septet.test.execute"
local expect = require "septet.test.expect"
local suite = require "septet.test.suite"

-- Loads a file and calls its chunk. Returns nil, or what went wrong.
local function load_file(path)
  local chunk, problem = loadfile(path)
  if not chunk then return problem end
  local ok, err = xpcall(chunk, function(e)
    return debug.traceback(error_text.of(e), 2)
  end, path)
  return not ok and err or nil
end

-- Keeps the tests that run on this clock. The others are reported as put off.
local function on_this_clock(cases, options, emit)
  local list = {}
  for _, case in ipairs(cases) do
    local is_wanted = not options.only_real_time or case.real_time
    if case.real_time and not options.real_time then
      emit { event = "deferred", n = case.n, title = case.title, place = case.place }
    elseif is_wanted then
      list[#list + 1] = case
    end
  end
  return list
end

local function list_of(cases)
  local list = {}
  for i, case in ipairs(cases) do
    list[i] = { n = case.n, title = case.title, place = case.place }
  end
  return list
end

-- Returns `arg` as a script has it that runs on the same clock, with tasks in the same order.
local function arguments(path, options)
  local words = { program.table().path }
  if not options.real_time then words[#words + 1] = "--virtual-time" end
  if options.shuffle then words[#words + 1] = ("--shuffle=%d"):format(options.shuffle) end
  local arg = { [0] = path }
  for i, word in ipairs(words) do arg[i - 1 - #words] = word end
  return arg
end

---@class septet.test.ChildOptions
---@field timeout number|nil seconds, of the clock on which it runs
---@field real_time boolean|nil the process runs on the real clock
---@field only_real_time boolean|nil only the tests that ask for the real clock
---@field helper string[]|nil
---@field list boolean|nil
---@field shuffle integer|nil seed

--- Runs a file. Returns true if all its tests have passed, and at least one event "done" was sent.
---@async
---@param path string
---@param options septet.test.ChildOptions
---@param emit fun(event: table)
---@return boolean
function child.run(path, options, emit)
  local collected = suite.new()
  local globals = load "return _G"() -- our modules have an environment of their own
  for name, fn in pairs(collected.functions) do globals[name] = fn end
  globals.expect = expect.new
  globals.arg = arguments(path, options)
  globals.os.exit = function() error("a test must not end the process", 2) end
  census.watch_files(globals.io)
  task.current().name = "main"
  for _, file in ipairs(options.helper or {}) do
    local problem = load_file(file)
    if problem then
      emit { event = "broken", message = problem }
      return false
    end
  end
  if options.coverage then core.coverage_start() end
  local problem = load_file(path)
  collected.closed = true
  if problem then
    emit { event = "broken", message = problem }
    return false
  end
  local cases = on_this_clock(choice.of(collected.root, options), options, emit)
  if options.list then
    emit { event = "list", tests = list_of(cases), declared = #collected.cases }
    emit { event = "done" }
    return true
  end
  emit { event = "plan", tests = list_of(cases), declared = #collected.cases }
  local ok = execute.run(cases, options, emit)
  if options.coverage then emit { event = "coverage", files = core.coverage_stop() } end
  emit { event = "done" }
  return ok
end

return child
