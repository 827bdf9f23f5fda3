-- SPDX-License-Identifier: MIT
-- task.group: a block that no task outlives, and whose errors are raised together.
local task = require "septet.task"
local helpers = require "helpers"

local never, fail = helpers.never, helpers.fail
local cancelled_after_turns = helpers.cancelled_after_turns

describe("a group", function()
  it("a group waits for its tasks and returns the values of its body", function()
    local ended = 0
    local values = table.pack(task.group(function(g, a, b)
      for i = 1, 3 do
        g:spawn(function()
          turns(i)
          ended = ended + 1
        end)
      end
      return a, b, nil
    end, 1, nil))
    equal(ended, 3)
    equal(values, { n = 3, 1 })
  end)

  it("a group gives a handle for each of its tasks", function()
    local t
    task.group(function(g) t = g:spawn(function(...) return ... end, 1, nil, 3) end)
    equal(table.pack(t:result()), { n = 4, true, 1, nil, 3 })
  end)

  it("a group owns the tasks that its body spawns by task.spawn, and joins them", function()
    local ended = false
    task.group(function()
      task.spawn(function()
        turns(3)
        ended = true
      end)
    end)
    equal(ended, true)
  end)

  it("a group takes tasks from its own tasks, after its body is over too", function()
    local depth = 0
    task.group(function(g)
      local function again()
        turns(1)
        depth = depth + 1
        if depth < 10 then g:spawn(again) end
      end
      g:spawn(again)
    end)
    equal(depth, 10)
  end)

  it("a group refuses tasks after it is closed", function()
    local group
    task.group(function(g) group = g end)
    misuse("the group is closed", function() group:spawn(print) end)
    equal(group:cancel(), false)
  end)

  it("a group is closed at the end of its last task, before its owner runs", function()
    local group, refused
    local outside = task.spawn(function()
      task.sleep(0)
      group.last:await() -- goes on before the owner of the group
      refused = raises_error({ kind = "Usage" }, group.g.spawn, group.g, print)
    end)
    task.group(function(g)
      group = { g = g, last = g:spawn(turns, 3) }
    end)
    outside:await()
    equal(tostring(refused):find "the group is closed" ~= nil, true)
  end)

  it("a group refuses what cannot be called, at the caller's line", function()
    misuse("function expected, got number", function() task.group(7) end)
    task.group(function(g)
      misuse("function expected, got nil", function() g:spawn(nil) end)
      misuse("function expected, got string", function() g:spawn("x") end)
    end)
  end)

  it("a group does not grow with the tasks that have ended", function()
    task.group(function(g)
      local function burst()
        for _ = 1, 1000 do g:spawn(function() end) end
        task.checkpoint()
        task.checkpoint()
        collectgarbage()
        collectgarbage()
      end
      burst()
      local before = collectgarbage "count"
      for _ = 1, 10 do burst() end
      equal(collectgarbage "count" < before + 200, true)
    end)
  end)

  it("an empty group lets other tasks run, and can be cancelled", function()
    local order = {}
    task.spawn(function() order[#order + 1] = "other" end)
    task.group(function() end)
    order[#order + 1] = "after"
    equal(order, { "other", "after" })
    local laps = 0
    local t = cancelled_after_turns(2, function()
      while true do
        task.group(function() end)
        laps = laps + 1
      end
    end)
    equal(t:status(), "cancelled")
    equal(laps > 0, true)
  end)

  it("a group runs ten thousand tasks", function()
    local ended = 0
    task.group(function(g)
      for _ = 1, 10000 do
        g:spawn(function()
          task.checkpoint()
          ended = ended + 1
        end)
      end
    end)
    equal(ended, 10000)
  end)
end)

describe("an error in a task of a group", function()
  it("an error in a group cancels and joins all others, and is in an ErrorGroup", function()
    local order = {}
    local function member(name)
      local ok, err = pcall(never)
      task.current() -- still running its cleanup
      order[#order + 1] = { name, err.kind, err.source }
      error(err, 0)
    end
    local thrown = { "mine" }
    local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
      g:spawn(member, "a")
      g:spawn(function()
        turns(2)
        error(thrown)
      end)
      g:spawn(member, "b")
      member "body"
    end)
    equal(#err.errors, 1)
    equal(rawequal(err.errors[1], thrown), true)
    table.sort(order, function(x, y) return x[1] < y[1] end)
    for i, name in ipairs { "a", "b", "body" } do
      equal(order[i], { name, "Cancelled", "sibling" })
    end
    equal(#order, 3)
  end)

  it("an error of the body alone is in an ErrorGroup too", function()
    local child
    local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
      child = g:spawn(never)
      turns(1)
      fail "body"
    end)
    equal(err.errors, { "body" })
    equal(child:status(), "cancelled")
  end)

  it("the errors of a group are in the order of time, the body's among them", function()
    local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
      g:spawn(function()
        pcall(never)
        fail "second"
      end)
      g:spawn(function()
        pcall(never)
        turns(0)
        fail "third"
      end)
      turns(1)
      fail "first"
    end)
    equal(err.errors, { "first", "second", "third" })
  end)

  it("an error of a child comes before the body's if it was first", function()
    local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
      g:spawn(fail, "child")
      pcall(never)
      fail "body"
    end)
    equal(err.errors, { "child", "body" })
  end)

  it("an error of a group that is nil, false or a table stays what it is", function()
    local thrown = {}
    local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
      g:spawn(error)
      g:spawn(error, false)
      g:spawn(error, thrown)
      turns(1)
    end)
    equal(#err.errors, 3)
    equal(tostring(err.errors[1]), "nil error")
    equal(err.errors[2], false)
    equal(rawequal(err.errors[3], thrown), true)
  end)

  it("an error of nil from the body is no nil in the list", function()
    local err = raises_error({ kind = "ErrorGroup" }, task.group, function() error() end)
    equal(#err.errors, 1)
    equal(tostring(err.errors[1]), "nil error")
  end)

  it("an ErrorGroup of a nested group is not flattened", function()
    local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
      g:spawn(function()
        task.group(function(h) h:spawn(fail, "deep") end)
      end)
    end)
    equal(#err.errors, 1)
    equal(task.is(err.errors[1], "ErrorGroup"), true)
    equal(err.errors[1].errors, { "deep" })
  end)

  it("an error handled in the inner group does not reach the outer one", function()
    equal(task.group(function()
      local ok = pcall(task.group, function(h) h:spawn(fail, "deep") end)
      turns(2)
      return ok
    end), false)
  end)

  it("an error of the outer group cancels the inner one", function()
    local inner
    local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
      g:spawn(function()
        turns(2)
        fail "outer"
      end)
      task.group(function(h) inner = h:spawn(never) end)
    end)
    equal(err.errors, { "outer" })
    equal(inner:status(), "cancelled")
  end)

  it("the message of an ErrorGroup says what went wrong", function()
    local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
      g:spawn(fail, "one")
      g:spawn(fail, "two")
    end)
    equal(tostring(err):find "2 errors" ~= nil, true)
    equal(tostring(err):find "one" ~= nil, true)
    equal(tostring(err):find "two" ~= nil, true)
  end)

  it("an error that a task awaited is raised there, and still ends the group", function()
    local seen
    local ok, err = pcall(task.group, function(g)
      local t = g:spawn(fail, "x")
      seen = select(2, pcall(t.await, t))
      never()
    end)
    equal(seen, "x")
    equal(ok, false)
    equal(task.is(err, "ErrorGroup"), true)
    equal(err.errors, { "x" })
  end)

  it("an ErrorGroup counts each error once, however many tasks fail", function()
    local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
      for i = 1, 1000 do g:spawn(fail, i) end
    end)
    equal(#err.errors, 1000)
    equal(err.errors[1], 1)
    equal(err.errors[1000], 1000)
  end)
end)

describe("cancelling", function()
  it("cancelling one task of a group is no error", function()
    local t
    local value = task.group(function(g)
      t = g:spawn(never)
      turns(1)
      t:cancel()
      return "fine"
    end)
    equal(value, "fine")
    equal(t:status(), "cancelled")
  end)

  it("cancelling a group unwinds body and tasks, and the group returns normally", function()
    local child
    local n = select("#", task.group(function(g)
      child = g:spawn(never)
      turns(1)
      equal(g:cancel "enough", true)
      equal(g:cancel "again", false)
      equal(g:is_cancelled(), true)
      never()
    end))
    equal(n, 0)
    equal(child:status(), "cancelled")
    task.checkpoint() -- nothing is left of it
  end)

  it("a task may cancel its own group", function()
    task.group(function(g)
      g:spawn(function()
        turns(1)
        g:cancel()
      end)
      never()
    end)
    task.checkpoint()
  end)

  it("a task spawned in a cancelled group runs to its first wait", function()
    local started = false
    task.group(function(g)
      g:cancel()
      g:spawn(function()
        started = true
        task.checkpoint()
        error "too far"
      end)
    end)
    equal(started, true)
  end)

  it("cancelling the task around a group joins the children, and goes on outward", function()
    local child, cleaned
    local t = cancelled_after_turns(2, function()
      task.group(function(g)
        child = g:spawn(function()
          local ok, err = pcall(never)
          cleaned = err.reason
          error(err, 0)
        end)
        never()
      end)
    end)
    equal(t:status(), "cancelled")
    equal(child:status(), "cancelled")
    equal(cleaned, "outside")
  end)

  it("cancelling a join does not return before the children have ended", function()
    local open, child = gate(), nil
    local t = task.spawn(function()
      task.group(function(g)
        child = g:spawn(function()
          pcall(never)
          local ok = pcall(task.checkpoint)
          equal(ok, false)
        end)
      end)
      task.checkpoint()
    end)
    turns(2)
    t:cancel()
    task.wait { t }
    equal(child:status(), "done")
    equal(t:status(), "cancelled")
    open.open()
  end)

  it("an error in the cleanup is raised, and the next wait raises Cancelled", function()
    local first, second
    cancelled_after_turns(2, function()
      first = select(2, pcall(task.group, function(g)
        g:spawn(function()
          pcall(never)
          fail "cleanup"
        end)
        never()
      end))
      second = select(2, pcall(task.checkpoint))
    end)
    equal(task.is(first, "ErrorGroup"), true)
    equal(first.errors, { "cleanup" })
    equal(task.is_cancelled(second), true)
  end)

  it("an ErrorGroup never contains Cancelled", function()
    local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
      for _ = 1, 3 do g:spawn(never) end
      g:spawn(fail, "x")
      never()
    end)
    equal(err.errors, { "x" })
  end)
end)
