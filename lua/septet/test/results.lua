-- SPDX-License-Identifier: MIT
-- What became of the tests: gathers the events of all files, and passes them on to the reporters.
local results = {}

---@class septet.test.Result
---@field file string
---@field title string
---@field place string|nil
---@field status "passed"|"failed"|"skipped"
---@field seconds number
---@field failure { kind: string, message: string, traceback: string|nil }|nil
---@field output string what it printed

---@class septet.test.Results
---@field list septet.test.Result[]
---@field passed integer
---@field failed integer
---@field skipped integer
---@field declared integer tests in all files, with those that were not chosen
local Results = {}
Results.__index = Results

---@param reporters table[] each with the functions `result` and `finish`, or without one of them
---@return septet.test.Results
function results.new(reporters)
  return setmetatable({ list = {}, passed = 0, failed = 0, skipped = 0, declared = 0,
    reporters = reporters }, Results)
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

--- Adds a failure that concerns a file rather than one of its tests.
function Results:add_file(file, failure, output)
  self:add { file = file, title = failure.title or "the file as a whole", status = "failed",
    seconds = failure.seconds or 0, failure = failure, output = output or "", of_file = true }
end

--- Adds what a test's event says.
function Results:add_event(file, event, output)
  self:add { file = file, title = event.title, place = event.place, status = event.status,
    seconds = event.seconds, failure = event.failure, output = output or "" }
end

--- Ends the reports.
function Results:finish()
  for _, reporter in ipairs(self.reporters) do
    if reporter.finish then reporter.finish(self) end
  end
end

return results
