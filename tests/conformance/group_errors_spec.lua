-- SPDX-License-Identifier: MIT
-- Groups: which errors they raise, in which order.
local task = require "septet.task"
local helpers = require "helpers"

local never, new_log = helpers.never, helpers.new_log
local tidy, fail_after = helpers.tidy, helpers.fail_after
local cancelled_after, grouped = helpers.cancelled_after, helpers.grouped

it("group.child_error: a child's failure cancels all others and raises an ErrorGroup", function()
  local log, thrown = new_log(), {}
  local failed
  local err = grouped(function(g)
    g:spawn(tidy, log, "sibling", 1)
    failed = g:spawn(fail_after, 1, thrown)
    tidy(log, "body", 2)
  end)
  log "raised"
  equal({ #err, #err.errors, rawequal(err.errors[1], thrown) }, { 1, 1, true })
  equal(log.list, { "2 sibling sibling", "3 body sibling", "3 raised" })
  equal(failed:status(), "failed")
  task.checkpoint() -- nothing is left of it here

  local seen -- that a task saw the error changes nothing
  err = grouped(function(g)
    local t = g:spawn(fail_after, 1, "x")
    seen = select(2, task.shield(pcall, t.await, t))
  end)
  equal({ seen, err.errors }, { "x", { "x" } })

  for _, value in ipairs { false, 7, "text" } do
    equal(grouped(function(g) g:spawn(fail_after, 0, value) end).errors, { value })
  end
  equal(tostring(grouped(function(g) g:spawn(fail_after, 0, nil) end).errors[1]), "nil error")
end)

it("group.body_error: a body's failure cancels the children and raises an ErrorGroup", function()
  local log, thrown = new_log(), {}
  local err = grouped(function(g)
    g:spawn(tidy, log, "child", 1)
    fail_after(1, thrown)
  end)
  log "raised"
  equal({ #err, rawequal(err.errors[1], thrown) }, { 1, true })
  equal(log.list, { "2 child sibling", "2 raised" })
  equal(grouped(function() error("no child", 0) end).errors, { "no child" })
end)

it("group.both_chronological: errors of body and children are in the order of time", function()
  local log = new_log()
  local err = grouped(function(g)
    g:spawn(tidy, log, "a", 3, "fourth")
    g:spawn(tidy, log, "b", 1, "second")
    g:spawn(fail_after, 1, "first")
    tidy(log, "body", 2, "third")
  end)
  log "raised"
  equal(err.errors, { "first", "second", "third", "fourth" })
  equal(log.list, { "2 b sibling", "3 body sibling", "4 a sibling", "4 raised" })

  err = grouped(function(g)
    g:spawn(tidy, log, "a", 1, "second")
    fail_after(1, "first")
  end)
  equal(err.errors, { "first", "second" })
end)

it("group.multi: an ErrorGroup has the errors of all children that fail at once", function()
  local function same_time(n)
    return grouped(function(g)
      for i = 1, n do g:spawn(fail_after, 1, i) end
      never()
    end).errors
  end
  for _, n in ipairs { 2, 3, 100 } do
    local errors = same_time(n)
    if MODE == "shuffle" then table.sort(errors) end
    local expected = {}
    for i = 1, n do expected[i] = i end
    equal(errors, expected)
  end
end)

it("group.both_fail: the inner ErrorGroup is one error of the outer ErrorGroup", function()
  local log = new_log()
  local err = grouped(function(g)
    g:spawn(fail_after, 1, "outer")
    task.group(function(h) h:spawn(tidy, log, "inner", 1, "inner") end)
  end)
  equal({ #err, err.errors[1], err.errors[2].kind }, { 2, "outer", "ErrorGroup" })
  equal(err.errors[2].errors, { "inner" })
  equal(log.list, { "2 inner sibling" })
  task.checkpoint()

  task.shield(function() -- two groups cancelled at once: the outer one swallows it
    local outer
    local value = task.group(function(g)
      outer = g
      task.group(function(h)
        outer:cancel()
        h:cancel()
        never()
      end)
      error "too far"
    end)
    equal(value, nil)
    task.checkpoint()
  end)
end)

it("group.no_flatten: nested ErrorGroups stay nested", function()
  local thrown = {}
  local err = grouped(function(g)
    g:spawn(function()
      task.group(function(h)
        h:spawn(function() task.group(function(i) i:spawn(fail_after, 1, thrown) end) end)
      end)
    end)
  end)
  for _ = 1, 2 do
    equal({ #err, err.errors[1].kind }, { 1, "ErrorGroup" })
    err = err.errors[1]
  end
  equal(rawequal(err.errors[1], thrown), true)
end)

it("group.exit_error_replaces_cancel: an error in an unwinding group replaces Cancelled", function()
  local err = grouped(function(g)
    g:spawn(fail_after, 1, "child")
    pcall(never)
    error("body", 0)
  end)
  equal(err.errors, { "child", "body" })
  equal(task.scope(), nil)
  task.checkpoint()

  err = grouped(function(g) -- a body that swallows the cancellation and returns
    g:spawn(fail_after, 1, "child")
    pcall(never)
    return "unused"
  end)
  equal(err.errors, { "child" })
  task.checkpoint()

  local log = new_log() -- a limit around it still stands
  raises_error({ kind = "Timeout", seconds = 3 }, task.timeout, 3, function()
    equal(grouped(function(g)
      g:spawn(fail_after, 1, "child")
      pcall(never)
    end).errors, { "child" })
    log "goes on"
    never()
  end)
  log "timed out"
  equal(log.list, { "1 goes on", "3 timed out" })
end)

it("group.no_invented_cancel: a join that no cancellation reached does not raise it", function()
  local log = new_log()
  local t = cancelled_after(1, function()
    log(task.group(function(g)
      g:spawn(task.shield, task.sleep, 2)
      return "value" -- no task of the group saw the cancellation
    end))
    log(select(2, pcall(task.checkpoint)).kind)
  end)
  equal(log.list, { "2 value", "2 Cancelled" })
  equal(t:status(), "done")

  log = new_log() -- nor did a task that ended for a reason of its own
  local own
  t = cancelled_after(2, function()
    log(task.group(function(g)
      own = g:spawn(never)
      g:spawn(task.shield, function()
        task.sleep(1)
        own:cancel()
        task.sleep(0.5)
      end)
      return "value"
    end))
    never()
  end)
  equal(log.list, { "1.5 value" })
  equal(t:status(), "cancelled")
end)
