-- SPDX-License-Identifier: MIT
-- Errors of groups: the failures of a body and its tasks, gathered into one error.
local error_group = {}

local core = require "septet.core"
local args = require "septet.internal.args"

local is = core.is

--- Error of a group: all errors of its body and tasks, in the order they came. `#e` is their
--- number. A task's failure counts once, even if a task that awaited it raised it again.
---@class septet.ErrorGroup: septet.Error
---@field errors any[] an error may itself be an ErrorGroup
---@field tasks table<integer, septet.Task> the failed task, at the index of its error
---@field tracebacks table<integer, string> where the body raised an error, at its index
---@field message string all errors in words, made on first access
local ErrorGroup = {}

local INDENTED_MAX = 16 -- nesting levels that are indented; deeper lines would be mostly blanks

--- Returns an ErrorGroup of the gathered failures.
---@param failures table
---@return septet.ErrorGroup
function error_group.new(failures)
  return core.error { kind = "ErrorGroup", errors = failures.errors, tasks = failures.tasks,
    tracebacks = failures.tracebacks, origins = failures.origins }
end

-- Appends an error. `origin` is the id of the task in which it was first a failure, 0 if none.
local function add(failures, err, origin, t, traceback)
  local n = #failures.errors + 1
  failures.errors[n], failures.origins[n], failures.tasks[n], failures.tracebacks[n] =
    err, origin, t, traceback
end

local function no_failures()
  return { errors = {}, origins = {}, tasks = {}, tracebacks = {} }
end

-- Calls fn(err, origin) for each error of a group and its inner groups until it returns true.
-- Returns true if it did.
local function each_leaf(group_error, fn)
  for i, err in ipairs(group_error.errors) do
    local found
    if is(err, "ErrorGroup") then
      found = each_leaf(err, fn)
    else
      found = fn(err, group_error.origins[i] or 0)
    end
    if found then return true end
  end
  return false
end

-- Returns the text of an error. A script's __tostring may fail.
local function in_words(value)
  local ok, text = pcall(tostring, value)
  return ok and text or ("a %s with a failing __tostring"):format(type(value))
end

-- Appends the lines of a group to `lines`; each but the first is preceded by `margin`.
local function describe(err, margin, depth, lines)
  local function put(format, ...)
    local text = format:format(...):gsub("\n", "\n" .. margin)
    lines[#lines + 1] = margin .. text
  end
  local errors = err.errors
  local below = depth < INDENTED_MAX and margin .. "    " or margin
  lines[#lines + 1] = ("%d error%s in a task group"):format(#errors, #errors == 1 and "" or "s")
  for i, inner in ipairs(errors) do
    if is(inner, "ErrorGroup") then
      local first = #lines + 1
      describe(inner, below, depth + 1, lines)
      lines[first] = ("%s  %d. %s"):format(margin, i, lines[first])
    else
      put("  %d. %s", i, (in_words(inner):gsub("\n", "\n    ")))
    end
    local t, traceback = err.tasks[i], err.tracebacks[i]
    if t then
      put("    in task '%s', %s", core.escape(t.name), (t:traceback():gsub("\n", "\n    ")))
    elseif traceback then
      put("    in the group's body, %s", (traceback:gsub("\n", "\n    ")))
    end
  end
end

local function words(err)
  local lines = {}
  describe(err, "", 1, lines)
  return table.concat(lines, "\n")
end

local function matcher(condition)
  if type(condition) == "string" then
    return function(err) return is(err, condition) end
  end
  args.callable(condition, 1, "split")
  return condition
end

local function group_of(failures)
  if #failures.errors > 0 then return error_group.new(failures) end
end

--- Splits the group into the errors that match a condition and the others. Each result is a group
--- of the same nesting, or nil if it would be empty.
---@param condition string|fun(err: any): boolean a kind, or a function
---@return septet.ErrorGroup|nil matching
---@return septet.ErrorGroup|nil rest
function ErrorGroup:split(condition)
  local matches = matcher(condition)
  local yes, no = no_failures(), no_failures()
  for i, err in ipairs(self.errors) do
    local origin, t, traceback = self.origins[i], self.tasks[i], self.tracebacks[i]
    if matches(err) then
      add(yes, err, origin, t, traceback)
    elseif is(err, "ErrorGroup") then
      local some, rest = err:split(matches)
      if some then add(yes, some, origin, t, traceback) end
      if rest then add(no, rest, origin, t, traceback) end
    else
      add(no, err, origin, t, traceback)
    end
  end
  return group_of(yes), group_of(no)
end

--- Returns the errors of this group and its inner groups in one list. A task's failure occurs once.
---@return any[]
function ErrorGroup:leaves()
  local list, seen = {}, {}
  each_leaf(self, function(err, origin)
    if not seen[origin] then list[#list + 1] = err end
    seen[origin] = origin > 0
  end)
  return list
end

core.error_meta.__index = function(err, key)
  if rawget(err, "kind") ~= "ErrorGroup" then return nil end
  if key ~= "message" then return ErrorGroup[key] end
  local text = words(err)
  rawset(err, "message", text)
  return text
end

core.error_meta.__len = function(err)
  local errors = rawget(err, "errors")
  return errors and #errors or 0
end

-- Returns the set of origins gathered so far, including those of errors in inner groups. It is
-- first made for the second failure: nested groups of one failure each are not traversed again.
local function seen_of(failures)
  if failures.seen then return failures.seen end
  local seen = {}
  each_leaf(failures, function(_, origin) seen[origin] = origin > 0 end)
  for _, origin in ipairs(failures.origins) do seen[origin] = origin > 0 end
  failures.seen = seen
  return seen
end

--- Adds an error, unless it was gathered before or is a group of only such errors.
---@param failures table|nil nil if there are none yet
---@param err any
---@param origin integer id of the task in which it was first a failure, 0 if none
---@param t septet.Task|nil the failed task
---@param traceback string|nil where the body raised it
---@return table failures
function error_group.gather(failures, err, origin, t, traceback)
  failures = failures or no_failures()
  if #failures.errors == 0 then
    add(failures, err, origin, t, traceback)
    return failures
  end
  local seen = seen_of(failures)
  local is_group, known = is(err, "ErrorGroup"), seen[origin]
  if is_group and not known then
    known = not each_leaf(err, function(_, leaf) return not seen[leaf] end)
  end
  if known then return failures end
  add(failures, err, origin, t, traceback)
  seen[origin] = origin > 0
  if is_group then each_leaf(err, function(_, leaf) seen[leaf] = leaf > 0 end) end
  return failures
end

args.methods(ErrorGroup, "error", { [core.error_meta] = true })
return error_group
