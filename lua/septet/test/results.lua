-- SPDX-License-Identifier: MIT
-- What became of the tests: gathers the events of all files, and passes them on to the reporters.
local results = {}

local terminal = require "septet.trace.terminal"

---@class septet.test.Result
---@field file string
---@field title string
---@field place string|nil
---@field status "passed"|"failed"|"skipped"|"not_run"
---@field seconds number
---@field failure { kind: string, message: string, traceback: string|nil }|nil
---@field output string what it printed

---@class septet.test.Results
---@field list septet.test.Result[]
---@field passed integer
---@field failed integer
---@field skipped integer
---@field not_run integer
---@field listed integer tests whose titles were printed
---@field declared integer tests in all files, with those that were not chosen
local Results = {}
Results.__index = Results

---@param reporters table[] each with the functions `result` and `finish`, or without one of them
---@return septet.test.Results
function results.new(reporters)
  return setmetatable({ list = {}, passed = 0, failed = 0, skipped = 0, not_run = 0,
    declared = 0, listed = 0, reporters = reporters }, Results)
end

--- Adds a result.
---@param result septet.test.Result
function Results:add(result)
  self.list[#self.list + 1] = result
  self[result.status] = self[result.status] + 1
  for _, reporter in ipairs(self.reporters) do
    if reporter.result then reporter.result(result) end
  end
end

local WHOLE <const> = "the file as a whole" -- in place of a title

--- Adds a failure that concerns a file rather than one of its tests, or the one that ran.
function Results:add_file(file, failure, output)
  self:add { file = file, title = failure.title or WHOLE, place = failure.place, status = "failed",
    seconds = failure.seconds or 0, failure = failure, output = output or "" }
end

--- Adds a test that did not run; without one, a file of which no test did.
---@param file string
---@param test { title: string, place: string }|nil
---@param reason string
function Results:add_not_run(file, test, reason)
  self:add { file = file, title = test and test.title or file, place = test and test.place,
    status = "not_run", seconds = 0, failure = { kind = "not_run", message = reason }, output = "" }
end

--- Adds what a test's event says.
function Results:add_event(file, event, output)
  self:add { file = file, title = event.title, place = event.place, status = event.status,
    seconds = event.seconds, failure = event.failure, output = output or "" }
end

--- Prints the titles of tests, instead of running them.
---@param tests { title: string }[]
---@param declared integer
function Results:add_listed(tests, declared)
  self.declared = self.declared + declared
  self.listed = self.listed + #tests
  for _, test in ipairs(tests) do io.stdout:write(terminal.escape(test.title), "\n") end
end

--- Ends the reports.
function Results:finish()
  for _, reporter in ipairs(self.reporters) do
    if reporter.finish then reporter.finish(self) end
  end
end

return results
