-- SPDX-License-Identifier: MIT
-- ErrorGroups: their parts, their leaves and their words.
local task = require "septet.task"

-- The ErrorGroup of a group whose tasks fail with these errors, in this order.
local function of(...)
  local thrown = table.pack(...)
  return raises_error({ kind = "ErrorGroup" }, task.group, function(g)
    for i = 1, thrown.n do
      g:spawn(function()
        pcall(task.sleep, math.huge) -- all but the first fail in their cleanup
        task.cleanup(nil, task.sleep, i)
        error(thrown[i], 0)
      end)
    end
    task.sleep(1)
    g:cancel()
  end)
end

local function timeout()
  return select(2, pcall(task.timeout, 0, task.checkpoint))
end

local function is_string(err)
  return type(err) == "string"
end

it("errgroup.split: split parts an ErrorGroup in two of the same nesting", function()
  local limit, mine = timeout(), {}
  local inner = of("b", limit)
  local group = of("a", inner, mine, limit)
  local tasks = group.tasks

  local some, rest = group:split "Timeout"
  equal({ some.kind, #some, rest.kind, #rest }, { "ErrorGroup", 2, "ErrorGroup", 3 })
  equal({ some.errors[1].kind, some.errors[1].errors, rawequal(some.errors[2], limit) },
    { "ErrorGroup", { limit }, true }) -- of the same nesting
  equal({ rest.errors[1], rest.errors[2].errors, rawequal(rest.errors[3], mine) },
    { "a", { "b" }, true })
  equal({ some.tasks[1], some.tasks[2] }, { tasks[2], tasks[4] })
  equal({ rest.tasks[1], rest.tasks[2], rest.tasks[3] }, { tasks[1], tasks[2], tasks[3] })

  some, rest = group:split(is_string)
  equal({ some.errors[1], some.errors[2].errors, #some }, { "a", { "b" }, 2 })
  equal({ rest.errors[1].errors, rawequal(rest.errors[2], mine), #rest }, { { limit }, true, 3 })

  some, rest = group:split "HttpError"
  equal({ some, #rest, #rest.errors[2] }, { nil, 4, 2 })
  some, rest = group:split(function() return true end)
  equal({ #some, rest }, { 4, nil })
  equal({ #group.errors, #inner.errors }, { 4, 2 }) -- it is left as it was

  misuse("bad argument #1 to 'split' %(function expected, got nil%)", function() group:split() end)
  local _, raised = pcall(group.split, group, function() error("mine", 0) end)
  equal(raised, "mine")
end)

it("errgroup.leaves: leaves lists the errors of all levels", function()
  local mine = {}
  local group = of("a", of(false, of(mine)), of(of "d"), "e")
  local leaves = group:leaves()
  equal({ #leaves, leaves[1], leaves[2], rawequal(leaves[3], mine), leaves[4], leaves[5] },
    { 5, "a", false, true, "d", "e" })
  equal(#group, 4)
  leaves[1] = nil
  equal(group.errors[1], "a") -- a list of one's own

  -- Cancelled is never among them
  local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
    for _ = 1, 3 do g:spawn(task.sleep, math.huge) end
    task.group(function(h)
      h:spawn(task.sleep, math.huge)
      error("x", 0)
    end)
  end)
  equal(err:leaves(), { "x" })
end)

it("errgroup.tostring_nested: the words of an ErrorGroup have each error, indented", function()
  local raised_at
  local function boom()
    raised_at = line() + 1
    error "boom"
  end
  local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
    g:spawn(function()
      task.group(function(h) h:spawn(boom).name = "inner" end)
    end).name = "outer"
    pcall(task.sleep, math.huge)
    error("body", 0)
  end)
  equal(tostring(err), err.message)
  local expected = { -- each level is indented deeper; its traceback stands below an error
    "2 errors in a task group",
    "  1. 1 error in a task group",
    "      1. %S+:" .. raised_at .. ": boom",
    "        in task 'inner', stack traceback:",
    "        \t.*",
    "        \t%S+:" .. raised_at .. ": in .*",
  }
  local lines = {}
  for text in err.message:gmatch "[^\n]+" do lines[#lines + 1] = text end
  for i, pattern in ipairs(expected) do
    if not lines[i]:find("^" .. pattern .. "$") then error(("line %d: %q"):format(i, lines[i])) end
  end
  equal(err.message:find("\n    in task 'outer', stack traceback:\n    \t", 1, true) ~= nil, true)
  equal(err.message:find("\n  2. body\n    in the group's body, stack traceback:\n    \t",
    1, true) ~= nil, true)

  local strange = setmetatable({}, { __tostring = function() error "no words" end })
  equal(tostring(of(strange, 7)):find("1. a table with a failing __tostring", 1, true) ~= nil, true)
  equal(tostring(of "x"):find("^1 error in a task group\n  1%. x\n") ~= nil, true)
end)
