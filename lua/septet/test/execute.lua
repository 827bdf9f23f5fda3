-- SPDX-License-Identifier: MIT
-- Runs the chosen tests of a file, each in a task of its own with a limit on its time, and tells
-- what became of them by events.
local execute = {}

local core = require "septet.core"
local task = require "septet.task"
local trace = require "septet.trace"
local census = require "septet.test.census"
local error_text = require "septet.test.error_text"
local standard = require "septet.test.standard"
local suite = require "septet.test.suite"

local LIMIT <const> = 5 -- seconds of the real clock for a test
-- Seconds for a test on a virtual clock, of which only a test that waits for nothing comes to the
-- end.
local DAY <const> = 24 * 60 * 60
local PATIENCE <const> = 5 -- seconds for which a test that was cancelled may go on

local PROBLEM <const> = {} -- stands before the failure that a function with hooks returns

-- Returns the groups of a test, outermost first.
local function groups_of(case)
  local list, group = {}, case.group
  while group do
    table.insert(list, 1, group)
    group = group.parent
  end
  return list
end

local function has_hooks(groups)
  for _, group in ipairs(groups) do
    if #group.before_each + #group.after_each > 0 then return true end
  end
  return false
end

-- Returns the function of the test with what stands before and after each. What stands after runs
-- in any case.
local function body_of(case)
  local groups = groups_of(case)
  if not has_hooks(groups) then return case.fn end
  return function()
    local ok, err = true, nil
    local function run(fn)
      local passed, problem = xpcall(fn, function(e)
        return type(e) == "string" and { text = e, traceback = debug.traceback("", 2) }
          or { value = e, traceback = debug.traceback("", 2) }
      end)
      if not passed and ok then ok, err = false, problem end
    end
    for _, group in ipairs(groups) do
      for _, hook in ipairs(group.before_each) do
        if ok then run(hook) end
      end
    end
    if ok then run(case.fn) end
    for i = #groups, 1, -1 do
      for j = #groups[i].after_each, 1, -1 do run(groups[i].after_each[j]) end
    end
    return PROBLEM, not ok and err or nil
  end
end

-- Returns a traceback without the levels of this runner, above and below those of the file.
local function trim(text)
  local lines, last = {}, 0
  for line in text:gmatch "[^\n]+" do
    local is_ours = line:find "^%s*%[septet%." or line:find "^%s*%[C%]: in %?"
    local is_call = line:find "^%s*%[C%]: in function 'x?p?call'" or line:find "in function 'error'"
    if not is_ours and not line:find "^stack traceback:" then lines[#lines + 1] = line end
    if not is_ours and not is_call then last = #lines end
  end
  while lines[1] and lines[1]:find "^%s*%[C%]: in function 'error'" do
    table.remove(lines, 1)
    last = last - 1
  end
  return last > 0 and "stack traceback:\n" .. table.concat(lines, "\n", 1, last) or ""
end

local function failure_of(problem, kind)
  local value = problem.text or problem.value
  if suite.is_skip(value) then
    return { kind = "skip", message = error_text.of(value.reason) }
  end
  local own = type(value) == "table" and core.is(value) and value.traceback
  if type(own) ~= "string" then own = problem.traceback end
  return { message = error_text.of(value), traceback = trim(own),
    kind = kind or ((problem.text or core.is(value, "ExpectationError")) and "failure")
      or "error" }
end

-- Runs a test. Returns nil if it has passed, and its failure otherwise. Without a limit that was
-- asked for, the time of a virtual clock is as good as free.
local function run_limited(case, asked, real_time, kept)
  local limit = asked or real_time and LIMIT or DAY
  local t = task.spawn(body_of(case))
  t.name = case.title
  local done = task.wait({ t }, { timeout = limit })
  standard.put_back(kept)
  if #done == 0 then
    local tree = trace.ps()
    t:cancel "the test takes too long"
    task.wait({ t }, { timeout = PATIENCE })
    standard.put_back(kept)
    return { kind = "timeout", traceback = tree, message = limit == DAY
      and "it did not end within a day of its virtual clock"
      or ("it did not end within %g s"):format(limit) }
  end
  local ended, first, problem = t:result()
  if not ended then
    return failure_of { value = first, text = type(first) == "string" and first or nil,
      traceback = t:traceback() }
  end
  return rawequal(first, PROBLEM) and problem and failure_of(problem) or nil
end

local function run_case(case, asked, real_time, libraries)
  -- Real work before the test has moved a virtual clock by some fraction, by which `now() - start`
  -- would be rounded.
  if not real_time then task.sleep_until(math.ceil(task.now())) end
  local kept = standard.take(libraries)
  local before = census.begin()
  local failure = run_limited(case, asked, real_time, kept)
  local kind, text = census.finish(before)
  standard.put_back(kept) -- what the test left behind may have gone on meanwhile
  if kind and not (kind == "leak" and case.leaks) and (not failure or failure.kind == "skip") then
    failure = { kind = kind, message = text }
  end
  return failure
end

-- --- what stands before and after all ---

-- Runs the hooks of a group. Returns the failure, or nil. They run in the task of the file, which
-- what they open belongs to.
local function run_hooks(list, first, last, step)
  for i = first, last, step do
    local problem
    local ok = xpcall(list[i], function(e)
      problem = { value = e, text = type(e) == "string" and e or nil,
        traceback = debug.traceback("", 2) }
    end)
    if not ok then return failure_of(problem, "error") end
  end
end

-- Runs what stands before all in the groups of a test, if it did not run yet. Returns a failure of
-- it, which each test of the group has.
local function enter(case)
  for _, group in ipairs(groups_of(case)) do
    if not group.entered then
      group.entered = true
      group.failure = run_hooks(group.before_all, 1, #group.before_all, 1)
    end
    if group.failure then return group.failure end
  end
end

-- Runs what stands after all in the groups of which this was the last test. Returns a failure.
local function leave(case, left)
  local failure
  local groups = groups_of(case)
  for i = #groups, 1, -1 do
    local group = groups[i]
    left[group] = left[group] - 1
    if left[group] == 0 and group.entered then
      failure = failure or run_hooks(group.after_all, #group.after_all, 1, -1)
    end
  end
  return failure
end

-- --- the run ---

-- Returns the number of tests that are to run in each group.
local function count(cases)
  local left = {}
  for _, case in ipairs(cases) do
    for _, group in ipairs(groups_of(case)) do left[group] = (left[group] or 0) + 1 end
  end
  return left
end

-- Returns the time: of a virtual clock, which stands while a test computes, the processor's.
local function clock(options)
  return options.real_time and task.now() or os.clock()
end

local status_of = { skip = "skipped" }

-- Tells of the tests from the one with the number `first` on that they do not run.
local function leave_out(cases, first, emit)
  for i = first, #cases do
    local case = cases[i]
    emit { event = "end", n = case.n, title = case.title, place = case.place, seconds = 0,
      status = "not_run", failure = { kind = "not_run", message = "a test before it failed" } }
  end
end

--- Runs tests. Returns true if all have passed.
---@async
---@param cases septet.test.Case[]
---@param options { timeout: number|nil, real_time: boolean|nil, fail_fast: boolean|nil }
---@param emit fun(event: table)
---@return boolean
function execute.run(cases, options, emit)
  local left, all, libraries = count(cases), true, standard.begin()
  for i, case in ipairs(cases) do
    local event = { event = "end", n = case.n, title = case.title, place = case.place }
    local asked = case.timeout or options.timeout
    local started = clock(options)
    emit { event = "start", n = case.n, title = case.title, place = case.place,
      limit = asked or LIMIT }
    local failure
    if not case.fn then
      failure = { kind = "skip", message = case.reason }
    else
      failure = enter(case) or run_case(case, asked, options.real_time, libraries)
    end
    failure = leave(case, left) or failure
    event.seconds = clock(options) - started
    event.failure = failure
    event.status = failure and (status_of[failure.kind] or "failed") or "passed"
    all = all and event.status ~= "failed"
    emit(event)
    if not all and options.fail_fast then
      leave_out(cases, i + 1, emit)
      break
    end
  end
  return all
end

return execute
