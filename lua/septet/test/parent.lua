-- SPDX-License-Identifier: MIT
-- Runs files of tests, each in a process of its own, which a crash ends without the others.
local parent = {}

local process = require "septet.process"
local task = require "septet.task"
local frames = require "septet.test.frames"
local hash = require "septet.hash"
local printed = require "septet.test.printed"
local program = require "septet.command.program"

local GRACE <const> = 2 -- seconds beyond a limit, in which a test may be ended in its own process
local LOADING <const> = 60 -- seconds for which a file may take to declare its tests
local DRAIN <const> = 1 -- seconds to read on after the end of a process
local PIECE <const> = 64 * 1024
local STOPPED <const> = "a test before it failed"

-- Returns what a process says about its tasks, which works also while a script computes.
local function ask(pid, path)
  local ok, result = pcall(process.run, { path, "ps", tostring(pid), timeout = 5 })
  return ok and result.stdout or "(the process did not answer)"
end

local function how_it_ended(code, signal)
  if signal then return "signal " .. tostring(signal) .. " ended the process of this file" end
  return ("the process of this file ended with status %d before its tests were over"):format(code)
end

---@class septet.test.FileRun
---@field file string
---@field running table|nil the event of the test that runs
---@field planned table[]|nil the tests that are to run
---@field ended table<integer, true> the numbers of those that ended
---@field deferred table[] the tests that wait for another clock
---@field done boolean|nil

-- Returns the function that takes the events of a file.
local function taker_of(run, results, kept)
  return function(event)
    run.changed_at = task.now()
    if event.event == "start" then
      run.running = event
      kept:clear()
    elseif event.event == "end" then
      run.ended[event.n] = true
      event.seconds = task.now() - run.started_at
      results:add_event(run.file, event, kept:text())
      run.failed = run.failed or event.status == "failed"
      run.running = nil
      kept:clear()
    elseif event.event == "plan" then
      results.declared = results.declared + event.declared
      run.planned = event.tests
    elseif event.event == "deferred" then
      run.deferred[#run.deferred + 1] = event
    elseif event.event == "broken" then
      results:add_file(run.file, { kind = "broken", message = event.message }, kept:text())
      run.failed, run.done = true, true
    elseif event.event == "list" then
      results:add_listed(event.tests, event.declared)
      run.planned = {}
    elseif event.event == "coverage" then
      results.coverage:add(event.files)
      run.is_counted = true
    elseif event.event == "done" then
      run.done = true
    end
    run.started_at = task.now()
  end
end

-- Ends the process once the running test is over its limit on the real clock.
local function watch_time(run, proc, path, default)
  while true do
    local limit = run.running and run.running.limit + GRACE or run.planned and math.huge
      or math.max(LOADING, default)
    if run.done then limit = math.max(LOADING, default) end
    local over = run.changed_at + limit
    if task.now() >= over then
      run.killed = { kind = "timeout", traceback = ask(proc.pid, path),
        message = ("it did not end within %g s, and its process was ended"):format(limit) }
      proc:kill "KILL"
      return
    end
    task.sleep(math.min(over - task.now(), 0.5))
  end
end

-- Returns what the end of a process says of its file; nil if that is in order.
local function failure_of(run, code, signal)
  if run.killed then return run.killed end
  if not run.done or signal then return { kind = "crash", message = how_it_ended(code, signal) } end
  if code > 1 or (code == 1) ~= (run.failed or false) then
    return { kind = "crash", message = "the process of this file ended with status " .. code }
  end
end

-- Adds what the end of a process says, and the tests that it kept from running.
local function conclude(run, results, kept, code, signal)
  local failure = failure_of(run, code, signal)
  if not failure then return end
  local running = run.running or {}
  failure.title, failure.place = running.title, running.place
  failure.seconds = task.now() - run.started_at
  run.failed = true
  results:add_file(run.file, failure, kept:text())
  for _, test in ipairs(run.planned or {}) do
    if not run.ended[test.n] and test.n ~= running.n then
      results:add_not_run(run.file, test, "the process of its file ended before")
    end
  end
end

local function command_of(path, file, words, token, log)
  local list = { path, "test", "--in-process", "--report=" .. token }
  for _, word in ipairs(words) do list[#list + 1] = word end
  list[#list + 1] = "--"
  list[#list + 1] = file
  list.stdin, list.stderr, list.group = "null", "stdout", true
  list.env = { SEPTET_WATCH_LOG = log, SEPTET_WATCH_PID = program.table().pid }
  return list
end

-- Runs a file once. Returns its run.
local function run_once(file, words, results, options)
  local path = program.table().path
  local token = hash.random(12, "hex")
  local kept = printed.new()
  local run = { file = file, deferred = {}, ended = {}, changed_at = task.now(),
    started_at = task.now() }
  local take = frames.decoder(token, function(text) kept:add(text) end,
    taker_of(run, results, kept))
  local proc <close> = process.spawn(command_of(path, file, words, token,
    options.log and options.log(file)))
  local function read()
    while true do
      local piece = proc.stdout:read(PIECE)
      if not piece then break end
      take(piece)
    end
  end
  task.group(function(group)
    local reader = group:spawn(read)
    local watch = group:spawn(watch_time, run, proc, path, options.timeout)
    local code, signal = proc:wait()
    watch:cancel()
    task.wait({ reader }, { timeout = DRAIN }) -- what it started may hold its output open
    reader:cancel()
    take()
    conclude(run, results, kept, code, signal)
    if results.coverage and run.failed and not run.is_counted then
      results.coverage:add_lost(file)
    end
  end)
  return run
end

---@class septet.test.ParentOptions
---@field jobs integer
---@field timeout number seconds that a test may take, if they were asked for; else 0
---@field words string[] options for the processes
---@field real_time fun(file: string): boolean
---@field fail_fast boolean|nil
---@field repeats integer
---@field log (fun(file: string): string)|nil names the file that gets reports of what is loaded

--- Runs the files, `jobs` at once.
---@async
---@param files string[]
---@param options septet.test.ParentOptions
---@param results septet.test.Results
function parent.run(files, options, results)
  local stop = false
  local function words_with(...)
    local words = table.move(options.words, 1, #options.words, 1, {})
    for _, word in ipairs { ... } do words[#words + 1] = word end
    return words
  end
  local function run_file(file)
    if stop then
      results:add_not_run(file, nil, STOPPED)
      return
    end
    local is_real = options.real_time(file)
    local run = run_once(file, is_real and words_with "--real-time" or words_with(), results,
      options)
    if run.failed and options.fail_fast then
      for _, test in ipairs(run.deferred) do results:add_not_run(file, test, STOPPED) end
    elseif #run.deferred > 0 then
      local again = run_once(file, words_with("--real-time", "--only-real-time"), results,
        options)
      run.failed = run.failed or again.failed
    end
    if run.failed and options.fail_fast then stop = true end
  end
  task.pool(options.jobs, function(pool)
    for _ = 1, options.repeats do
      for _, file in ipairs(files) do pool:spawn(run_file, file) end
    end
  end)
end

return parent
