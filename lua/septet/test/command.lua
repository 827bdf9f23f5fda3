-- SPDX-License-Identifier: MIT
-- `septet test [PATH...]`: reads the words, and runs the tests.
local command = {}

local core = require "septet.core"
local files = require "septet.test.files"
local results_of = require "septet.test.results"
local terminal = require "septet.trace.terminal"
local usage = require "septet.test.usage"
local words_of = require "septet.command.words"

local PASSED <const>, FAILED <const>, USAGE <const> = 0, 1, 2
local MOST_JOBS <const> = 8

local function refuse(format, ...)
  return select(2, words_of.refuse("test", format, ...))
end

-- Returns the number of processors that this process may use.
local function processors()
  local file = io.open "/proc/self/status"
  local n = 0
  for digit in ((file and file:read "a" or ""):match "Cpus_allowed:%s*(%S+)" or "1"):gmatch "%x" do
    local bits = tonumber(digit, 16)
    while bits > 0 do
      n = n + (bits & 1)
      bits = bits >> 1
    end
  end
  if file then file:close() end
  return math.min(math.max(n, 1), MOST_JOBS)
end

-- Returns the words without those by which this command runs a file in a process of its own, and a
-- table of these.
local function split(given)
  local private, rest = {}, {}
  for _, word in ipairs(given) do
    local token = word:match "^%-%-report=(%x+)$"
    if token then
      private.token = token
    elseif word == "--only-real-time" then
      private.only_real_time = true
    else
      rest[#rest + 1] = word
    end
  end
  return private, rest
end

-- Returns the words by which the options are passed on to the process of a file.
local function pass_on(options)
  local words = {}
  for _, name in ipairs { "filter", "exclude", "tags", "helper" } do
    for _, value in ipairs(options[name] or {}) do
      words[#words + 1] = "--" .. name .. "=" .. value
    end
  end
  if options.timeout then words[#words + 1] = ("--timeout=%.17g"):format(options.timeout) end
  if options.shuffle then words[#words + 1] = ("--shuffle=%d"):format(options.shuffle) end
  if options.fail_fast then words[#words + 1] = "--fail-fast" end
  if options.list then words[#words + 1] = "--list" end
  if options.coverage then words[#words + 1] = "--coverage" end
  return words
end

-- Returns the reporters that the options ask for; or nil and a status.
local function reporters_of(options)
  local list = {}
  if options.tap then
    list[1] = require "septet.test.report_tap".new(io.stdout)
  elseif not options.list then
    local is_terminal = core.terminal_size(1) ~= nil
    list[1] = require "septet.test.report_text".new(io.stdout, { dots = is_terminal,
      colours = is_terminal and (os.getenv "NO_COLOR" or "") == "",
      slowest = options.slowest or 3, seed = options.shuffle })
  end
  if options.junit then
    local junit = require "septet.test.report_junit"
    list[#list + 1] = junit.new(options.junit)
  end
  return list
end

-- Returns what gathers the results.
local function gather(options)
  local results = results_of.new(reporters_of(options))
  results.coverage = options.coverage and require "septet.test.coverage".new() or nil
  return results
end

-- --- a file in this process ---

local function run_here(path, options, private)
  local child = require "septet.test.child"
  options.only_real_time = private.only_real_time
  if private.token then
    local frames = require "septet.test.frames"
    local stdout = io.stdout
    local function emit(event)
      io.stderr:flush()
      stdout:write(frames.encode(private.token, event))
      stdout:flush()
    end
    return child.run(path, options, emit) and PASSED or FAILED
  end
  local results = gather(options)
  local function emit(event)
    if event.event == "end" then
      results:add_event(path, event)
    elseif event.event == "broken" then
      results:add_file(path, { kind = "broken", message = event.message })
    elseif event.event == "deferred" then
      results:add_file(path, { kind = "error", title = event.title,
        message = "it needs --real-time to run in this process" })
    elseif event.event == "coverage" then
      results.coverage:add(event.files)
    elseif event.event == "list" then
      results:add_listed(event.tests, event.declared)
    elseif event.event == "plan" then
      results.declared = event.declared
    end
  end
  child.run(path, options, emit)
  return results
end

-- --- all files ---

-- `log` names the file to which the process of a file reports what it loads, or is nil.
local function run_files(list, options, log)
  local parent = require "septet.test.parent"
  local results = gather(options)
  parent.run(list, {
    jobs = options.list and 1 or options.jobs or processors(),
    timeout = options.timeout or 0,
    words = pass_on(options),
    fail_fast = options.fail_fast,
    repeats = options.repeat_ or 1,
    log = log,
    real_time = function(file) return options.real_time or files.is_real_time(file) end,
  }, results)
  return results
end

-- Prints why files could not be listed.
local function write_problems(list)
  for _, result in ipairs(list) do
    local text = result.failure.message:match "^[^\n]*"
    if text:sub(1, #result.file) ~= result.file then text = result.file .. ": " .. text end
    io.stderr:write("septet: ", terminal.escape(text), "\n")
  end
end

---@async
local function write_reports(results, options)
  results:finish()
  if not results.coverage then return end
  results.coverage:write_table(io.stdout)
  if options.coverage ~= true then results.coverage:write_lcov(options.coverage) end
end

-- Returns the exit status, after the reports.
local function conclude(results, options)
  if options.list and (#results.list > 0 or results.listed > 0) then
    write_problems(results.list)
    return results.failed > 0 and FAILED or PASSED
  elseif #results.list == 0 then
    io.stderr:write(results.declared > 0 and "septet: no test is chosen by these options\n"
      or "septet: the files declare no tests\n")
    return USAGE
  end
  local written, problem = pcall(write_reports, results, options)
  if not written then
    if core.is(problem, "Cancelled") then error(problem, 0) end
    io.stderr:write("septet: ", terminal.escape(tostring(problem)), "\n")
    return FAILED
  end
  return results.failed > 0 and FAILED or PASSED
end

-- Runs the files again after changes, until Ctrl-C, and ends with the status of the last run.
---@async
local function watch(paths, options)
  local status = require "septet.test.watch".run(paths, options, function(list, log)
    local results = run_files(list, options, log)
    return results, conclude(results, options)
  end)
  load "return _G"().os.exit(status) -- else the process would end by the signal
end

--- Runs the command with the words behind its name. Returns its exit status.
---@async
function command.run(...)
  local private, given = split { ... }
  local options, paths = words_of.parse("test", given)
  if not options then return paths end
  options.repeat_ = options["repeat"]
  if options.shuffle == true then options.shuffle = math.random(1, 999999) end
  local problem = usage.problem(options, paths)
  if problem then return refuse("%s", problem) end
  if options.in_process then
    local results = run_here(paths[1], options, private)
    return type(results) == "number" and results or conclude(results, options)
  end
  local found, list = pcall(files.find, paths)
  if not found then
    io.stderr:write("septet: ", terminal.escape(tostring(list.message or list)), "\n")
    return USAGE
  end
  if #list == 0 then
    io.stderr:write("septet: there are no files *_spec.lua or *_test.lua in ",
      #paths > 0 and terminal.escape(table.concat(paths, ", ")) or "this folder", "\n")
    if not options.watch then return USAGE end
  end
  if options.watch then return watch(paths, options) end
  return conclude(run_files(list, options), options)
end

return command
