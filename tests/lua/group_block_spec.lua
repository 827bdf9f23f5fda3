-- SPDX-License-Identifier: MIT
-- Groups as a block: the end of the block joins. What an ErrorGroup says.
local task = require "septet.task"
local helpers = require "helpers"

local never, fail = helpers.never, helpers.fail
local cancelled_after_turns = helpers.cancelled_after_turns

describe("the block form", function()
  it("a group in a closing variable joins at the end of the block", function()
    local ended = false
    do
      local g <close> = task.group()
      g:spawn(function()
        turns(3)
        ended = true
      end)
    end
    equal(ended, true)
  end)

  it("a group block joins on break and on return, whose values it keeps", function()
    local ended = 0
    local function work()
      turns(2)
      ended = ended + 1
    end
    for _ = 1, 3 do
      local g <close> = task.group()
      g:spawn(work)
      break
    end
    equal(ended, 1)
    local function returns()
      local g <close> = task.group()
      g:spawn(work)
      return 1, nil, 3
    end
    equal(table.pack(returns()), { n = 3, 1, nil, 3 })
    equal(ended, 2)
  end)

  it("a group block raises its ErrorGroup in place of the body's Cancelled", function()
    local err = raises_error({ kind = "ErrorGroup" }, function()
      local g <close> = task.group()
      g:spawn(fail, "child")
      never()
    end)
    equal(err.errors, { "child" })
  end)

  it("a group block raises the ErrorGroup of its children and of its body", function()
    local err = raises_error({ kind = "ErrorGroup" }, function()
      local g <close> = task.group()
      g:spawn(function()
        pcall(never)
        fail "child"
      end)
      turns(1)
      fail "body"
    end)
    equal(#err.errors, 2)
  end)

  it("group blocks nest", function()
    local order = {}
    do
      local outer <close> = task.group()
      outer:spawn(function()
        turns(5)
        order[#order + 1] = "outer"
      end)
      do
        local inner <close> = task.group()
        inner:spawn(function() order[#order + 1] = "inner" end)
      end
      order[#order + 1] = "between"
    end
    equal(order, { "inner", "between", "outer" })
  end)

  it("a cancellation from outside goes on out of a group block", function()
    local child
    local t = cancelled_after_turns(2, function()
      local g <close> = task.group()
      child = g:spawn(never)
      never()
    end)
    equal(t:status(), "cancelled")
    equal(child:status(), "cancelled")
  end)
end)

describe("an ErrorGroup", function()
  it("an ErrorGroup says which task failed, and where", function()
    local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
      g:spawn(function() error "boom" end).name = "worker"
    end)
    local words = tostring(err)
    equal(words:find("in task 'worker', stack traceback", 1, true) ~= nil, true)
    equal(words:find("group_block_spec.lua:", 1, true) ~= nil, true)
  end)

  it("an ErrorGroup can be concatenated as a string", function()
    local err = raises_error({ kind = "ErrorGroup" }, task.group, function() error "boom" end)
    equal(("failed: " .. err):find("failed: 1 error in a task group", 1, true), 1)
    equal((err .. "!"):sub(-1), "!")
  end)
end)
