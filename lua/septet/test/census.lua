-- SPDX-License-Identifier: MIT
-- A census: what a test has left behind, and the failures that no task saw.
local census = {}

local task = require "septet.task"
local core = require "septet.core"
local error_text = require "septet.test.error_text"
local place = require "septet.test.place"

local KINDS <const> = { open = "a file of io.open", popen = "a program of io.popen",
  tmpfile = "a file of io.tmpfile" }

local opened = setmetatable({}, { __mode = "k" }) -- by file: its kind, place and census
local current -- the census that goes on

--- Notes the files that functions of Lua's `io` open from now on, which it changes.
---@param io_table table
function census.watch_files(io_table)
  for name, kind in pairs(KINDS) do
    io_table[name] = core.census_opener(io_table[name], function(file)
      opened[file] = { kind = kind, place = place.of_script(), census = current }
    end)
  end
end

-- Returns a line for each file of Lua's that a variable still holds. The collector closes others,
-- as Lua's manual says.
local function held_files(before)
  local lines = {}
  for file, one in pairs(opened) do
    if one.census == before and io.type(file) == "file" then
      lines[#lines + 1] = ("  %s was left open, made at %s"):format(one.kind, one.place)
    end
  end
  table.sort(lines)
  return lines
end

local function add_tasks(set, tree)
  for _, one in ipairs(tree) do
    set[one.id] = one
    add_tasks(set, one.children)
  end
  return set
end

--- Returns a census of what there is, to compare with later. It watches for failures that no task
--- sees until then, unless the test sets `task.on_unhandled` itself.
---@return table
function census.begin()
  local before = { tasks = add_tasks({}, task.tree()), lost = {} }
  task.on_unhandled = function(t, err, traceback)
    local text = error_text.of(err) .. "\n" .. (traceback or "")
    before.lost[#before.lost + 1] = t.name .. ": " .. text
  end
  core.census_begin()
  current = before
  return before
end

-- Returns a line for each task that was not there before.
local function left_tasks(before)
  local left = {}
  for id, one in pairs(add_tasks({}, task.tree())) do
    if not before[id] then left[#left + 1] = one end
  end
  table.sort(left, function(a, b) return a.id < b.id end)
  for i, one in ipairs(left) do
    left[i] = ("  a task goes on, spawned at %s: %s, which waits for %s"):format(
      one.spawned_at or "?", core.escape(one.name),
      one.waits_for ~= "" and core.escape(one.waits_for or "nothing") or "nothing")
  end
  return left
end

--- Ends a census. Returns nil, or the kind of the failure ("leak" or "unseen") and its text.
---@async
---@return string|nil kind
---@return string|nil text
function census.finish(before)
  task.checkpoint() -- what was cancelled ends, and unseen failures are reported once a lap
  task.checkpoint()
  local left = left_tasks(before.tasks)
  local open = core.census_end() -- before the collector closes what no variable holds any more
  for i = 1, #open, 2 do
    left[#left + 1] = ("  %s was left open, made at %s"):format(open[i],
      open[i + 1] ~= "" and open[i + 1] or "?")
  end
  current = nil
  collectgarbage()
  local held = held_files(before)
  table.move(held, 1, #held, #left + 1, left)
  task.checkpoint()
  task.checkpoint()
  task.on_unhandled = nil
  if #left > 0 then
    return "leak", "the test left behind:\n" .. table.concat(left, "\n")
  elseif #before.lost > 0 then
    return "unseen", "no task saw the failure of " .. before.lost[1]
  end
end

return census
