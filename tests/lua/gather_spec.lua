-- SPDX-License-Identifier: MIT
-- task.gather: all at once, in the list's order; the first failure ends the rest.
-- check: allow wrong-arguments
local task = require "septet.task"
local helpers = require "helpers"

local never, after_turns = helpers.never, helpers.after_turns
local unhandled = helpers.unhandled

describe("gather", function()
  it("gather returns results in the list's order, whatever the order of the ends", function()
    local ended = {}
    local function member(laps)
      return function()
        turns(laps)
        ended[#ended + 1] = laps
        return laps
      end
    end
    equal(task.gather { member(5), member(1), member(3) }, { n = 3, 5, 1, 3 })
    equal(ended, { 1, 3, 5 })
  end)

  it("gather takes functions and tasks, mixed", function()
    local t = task.spawn(after_turns(3, "task"))
    equal(task.gather { after_turns(1, "function"), t, after_turns(0, "last") },
      { n = 3, "function", "task", "last" })
  end)

  it("gather keeps nils in their places, and the first of many values", function()
    local results = task.gather {
      after_turns(1),
      after_turns(1, nil, 2),
      after_turns(1, "a", "b"),
      after_turns(1, false),
    }
    equal(results, { n = 4, nil, nil, "a", false })
  end)

  it("gather of an empty list returns an empty table", function()
    equal(task.gather {}, { n = 0 })
  end)

  it("gather runs a duplicate once and fills each of its places", function()
    local runs = 0
    local function counted()
      runs = runs + 1
      return {}
    end
    local t = task.spawn(after_turns(1, "t"))
    local results = task.gather { counted, t, counted, t }
    equal(runs, 1)
    equal(rawequal(results[1], results[3]), true)
    equal({ results[2], results[4], results.n }, { "t", "t", 4 })
  end)

  it("gather takes tasks that have ended", function()
    local t = task.spawn(after_turns(0, 1))
    t:await()
    equal(task.gather { t, t }, { n = 2, 1, 1 })
  end)

  it("gather takes ten thousand functions", function()
    local list = {}
    for i = 1, 10000 do list[i] = after_turns(1, i) end
    local results = task.gather(list)
    equal(results.n, 10000)
    equal(results[9999], 9999)
  end)

  it("gathers nest", function()
    local results = task.gather {
      function() return task.gather { after_turns(1, 1), after_turns(2, 2) } end,
      function() return task.gather { after_turns(1, 3) } end,
    }
    equal(results, { n = 2, { n = 2, 1, 2 }, { n = 1, 3 } })
  end)
end)

describe("a failure in a gather", function()
  it("gather raises the first error after the others are cancelled and cleaned up", function()
    local order, thrown = {}, {}
    local function sibling(name)
      return function()
        local _, err = pcall(never)
        order[#order + 1] = name .. " " .. err.kind
        error(err, 0)
      end
    end
    local ok, err = pcall(task.gather, {
      sibling "a",
      function()
        turns(2)
        error(thrown)
      end,
      sibling "b",
    })
    order[#order + 1] = "raised"
    equal(ok, false)
    equal(rawequal(err, thrown), true)
    equal(order, { "a Cancelled", "b Cancelled", "raised" })
  end)

  it("a failure in a gather cancels the tasks of its list, too", function()
    local t = task.spawn(never)
    raises("boom", task.gather, { t, function() error("boom", 0) end })
    equal(t:status(), "cancelled")
  end)

  it("gather raises the first error, and reports the later ones as unhandled", function()
    local reported = unhandled()
    raises("^first$", task.gather, {
      function()
        pcall(never)
        error("later", 0)
      end,
      function()
        turns(1)
        error("first", 0)
      end,
    })
    turns(3)
    equal(reported, { "later" })
  end)

  it("gather raises errors of nil, false and text unchanged", function()
    raises("nil error", task.gather, { function() error() end })
    local ok, err = pcall(task.gather, { function() error(false) end })
    equal({ ok, err }, { false, false })
    raises("gather_spec.lua:%d+: text", task.gather, { function() error "text" end })
  end)

  it("gather raises TaskCancelled for a member that was cancelled by another task", function()
    local victim, other = task.spawn(never), task.spawn(never)
    task.spawn(function() victim:cancel "not you" end)
    local err = raises_error({ kind = "TaskCancelled", reason = "not you" },
      task.gather, { other, victim })
    equal(rawequal(err.task, victim), true)
    equal(other:status(), "cancelled")
  end)

  it("gather raises the error of a task that failed before", function()
    local t = task.spawn(error, "old", 0)
    turns(1)
    local other = task.spawn(never)
    raises("^old$", task.gather, { other, t })
    equal(other:status(), "cancelled")
  end)
end)

describe("cancelling a gather", function()
  it("cancelling a gather cancels and joins its members, and goes on outward", function()
    local cleaned, foreign = 0, task.background(never)
    local function member()
      return function()
        local _, err = pcall(never)
        cleaned = cleaned + 1
        error(err, 0)
      end
    end
    local t = task.spawn(function() task.gather { member(), member(), foreign } end)
    turns(2)
    t:cancel()
    task.wait { t }
    equal(t:status(), "cancelled")
    equal(cleaned, 2)
    equal(foreign:status(), "cancelled")
  end)

  it("a gather whose members have all ended returns, though it is cancelled", function()
    local results
    local t
    t = task.spawn(function()
      results = task.gather { function() return 1 end, function()
        return 2
      end }
    end)
    turns(2) -- both have ended; the gatherer is ready
    t:cancel()
    task.wait { t }
    equal(results == nil or results.n == 2, true)
    equal(t:status(), results and "done" or "cancelled")
  end)

  it("a gather cancelled before its start runs no function beyond its first wait", function()
    local far = false
    local t = task.spawn(function()
      task.gather { function()
        task.checkpoint()
        far = true
      end }
    end)
    t:cancel()
    task.wait { t }
    equal(far, false)
    equal(t:status(), "cancelled")
  end)
end)

describe("mistakes", function()
  it("gather refuses bad items at the caller's line, and starts nothing", function()
    local started = false
    local function member() started = true end
    misuse("bad argument #1 to 'gather' %(list expected, got nil%)", function() task.gather() end)
    misuse("list expected, got function", function() task.gather(member) end)
    local words = "bad argument #1 to 'gather' %(item 2: task or function expected, got number%)"
    misuse(words, function()
      task.gather({ member, 7 })
    end)
    misuse("item 1: task or function expected, got table", function() task.gather({ {} }) end)
    misuse("item 1: task or function expected, got userdata", function()
      task.gather({ io.stdout })
    end)
    turns(3)
    equal(started, false)
  end)

  it("gather refuses unknown options", function()
    misuse("unknown option 'limti' to 'gather'", function() task.gather({}, { limti = 1 }) end)
    misuse("bad options to 'gather' %(table expected, got number%)", function()
      task.gather({}, 1)
    end)
  end)

  it("gather refuses to wait in table.sort", function()
    misuse("called from 'table.sort'", function()
      table.sort({ 2, 1 }, function() task.gather({ never }) end)
    end)
  end)
end)
