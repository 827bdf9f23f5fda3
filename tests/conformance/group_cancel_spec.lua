-- SPDX-License-Identifier: MIT
-- Groups: what cancels them from inside and from outside.
local task = require "septet.task"
local helpers = require "helpers"

local never, new_log = helpers.never, helpers.new_log
local tidy, fail_after = helpers.tidy, helpers.fail_after
local cancelled_after, grouped = helpers.cancelled_after, helpers.grouped

it("group.child_cancelled_ok: a child that is cancelled alone is no error", function()
  local log, child = new_log(), nil
  local value = task.group(function(g)
    child = g:spawn(never)
    g:spawn(function()
      task.sleep(2)
      log "sibling"
    end)
    task.sleep(1)
    child:cancel()
    return "fine"
  end)
  log "joined"
  equal({ value, child:status() }, { "fine", "cancelled" })
  equal(log.list, { "2 sibling", "2 joined" })

  -- ... unless it is awaited in the body: the error that this raises is the body's.
  local err = grouped(function(g)
    child = g:spawn(never)
    task.spawn(function()
      task.sleep(1)
      child:cancel "x"
    end)
    child:await()
  end)
  equal({ #err, err.errors[1].kind, err.errors[1].reason }, { 1, "TaskCancelled", "x" })
end)

it("group.cancel_swallowed: a group that cancels itself returns normally", function()
  local log = new_log()
  local n = select("#", task.group(function(g)
    g:spawn(tidy, log, "child", 1)
    task.sleep(1)
    equal({ g:is_cancelled(), g:cancel "enough", g:cancel "again", g:is_cancelled() },
      { false, true, false, true })
    tidy(log, "body", 2)
  end))
  log "returned"
  equal(n, 0)
  equal(log.list, { "2 child cancel", "3 body cancel", "3 returned" })
  task.checkpoint()

  log = new_log() -- by a child of it, while it joins: the body's values are there
  local value = task.group(function(g)
    g:spawn(tidy, log, "a", 1)
    g:spawn(function()
      task.sleep(1)
      g:cancel()
      task.checkpoint()
      error "not reached"
    end)
    return "value"
  end)
  log "returned"
  equal(value, "value")
  equal(log.list, { "2 a cancel", "2 returned" })
  task.checkpoint()

  local err = grouped(function(g) -- an error in the cleanup is one all the same
    g:spawn(tidy, log, "a", 1, "cleanup")
    task.sleep(1)
    g:cancel()
    never()
  end)
  equal(err.errors, { "cleanup" })
  task.checkpoint()
end)

it("group.precancelled_spawn: a task of a cancelled group runs to its first wait", function()
  local log = new_log()
  local child
  local function late()
    log "runs"
    task.sleep(1)
    error "too far"
  end
  task.group(function(g)
    g:cancel()
    child = g:spawn(late)
  end)
  equal(child:status(), "cancelled")

  local started
  grouped(function(g) -- the same in a group that an error has cancelled, by a child's cleanup
    g:spawn(fail_after, 1, "x")
    g:spawn(function()
      local _ <close> = setmetatable({}, { __close = function() started = g:spawn(late) end })
      never()
    end)
  end)
  equal(started:status(), "cancelled")
  equal(log.list, { "0 runs", "1 runs" })
end)

it("group.outer_cancel: a cancellation from outside joins the children, and goes on", function()
  local log = new_log()
  local t = cancelled_after(1, function()
    local ok, err = pcall(task.group, function(g)
      g:spawn(tidy, log, "child", 1)
      g:spawn(function() task.group(function(h) h:spawn(tidy, log, "grandchild", 2) end) end)
      tidy(log, "body", 3)
    end)
    log(("%s %s"):format(err.kind, err.reason))
    error(err, 0)
  end)
  equal(t:status(), "cancelled")
  equal(log.list,
    { "2 child cancel", "3 grandchild cancel", "4 body cancel", "4 Cancelled outside" })

  log = new_log() -- before it began: the body runs to its first wait, the child too
  t = task.spawn(function()
    task.group(function(g)
      g:spawn(function()
        log "child"
        task.checkpoint()
        log "too far"
      end)
      log "body"
      task.checkpoint()
      log "too far"
    end)
  end)
  t:cancel()
  task.wait { t }
  equal({ t:status(), log.list }, { "cancelled", { "0 body", "0 child" } })

  log = new_log() -- cancelled from both sides: the outer one counts
  t = task.spawn(function()
    task.group(function(g)
      t:cancel()
      g:cancel()
      never()
    end)
    log "too far"
  end)
  task.wait { t }
  equal({ t:status(), log.list }, { "cancelled", {} })
end)

it("group.outer_cancel_plus_error: failed cleanup raises an ErrorGroup, then Cancelled", function()
  local log = new_log()
  local group
  local t = cancelled_after(1, function()
    group = grouped(function(g)
      g:spawn(tidy, log, "child", 1, "cleanup")
      never()
    end)
    log "raised"
    log(select(2, pcall(task.checkpoint)).kind) -- the cancellation is still there
    error(group, 0)
  end)
  equal(group.errors, { "cleanup" })
  equal(log.list, { "2 child cancel", "2 raised", "2 Cancelled" })
  equal(t:status(), "failed")
  equal({ t:result() }, { false, group })

  t = cancelled_after(1, function() -- the body's error, behind the cancellation
    group = grouped(function()
      pcall(never)
      error("body", 0)
    end)
    task.checkpoint()
  end)
  equal({ group.errors, t:status() }, { { "body" }, "cancelled" })
end)

it("group.cancel_in_join: a cancellation in the join reaches the children, and joins on", function()
  local log = new_log()
  local t = cancelled_after(1, function()
    local _, err = pcall(task.group, function(g)
      g:spawn(tidy, log, "child", 1)
      g:spawn(tidy, log, "other", 2)
      log "body"
    end)
    log(err.kind)
    error(err, 0)
  end)
  equal(t:status(), "cancelled")
  equal(log.list, { "0 body", "2 child cancel", "3 other cancel", "3 Cancelled" })
end)

it("group.nested_inner_handled: caught errors of an inner group stay in it", function()
  local log = new_log()
  local value = task.group(function(g)
    g:spawn(function()
      task.sleep(3)
      log "outer's child"
    end)
    local ok, err = pcall(task.group, function(h)
      h:spawn(tidy, log, "inner", 1)
      h:spawn(fail_after, 1, "inner")
    end)
    log(tostring(ok) .. " " .. err.errors[1])
    return "handled"
  end)
  log "joined"
  equal(value, "handled")
  equal(log.list, { "2 inner sibling", "2 false inner", "3 outer's child", "3 joined" })
end)

it("group.outer_fails_inner: a failure of the outer group cancels the inner one first", function()
  local log = new_log()
  local inner
  local err = grouped(function(g)
    g:spawn(fail_after, 1, "outer")
    inner = table.pack(pcall(task.group, function(h)
      h:spawn(tidy, log, "inner", 1)
      tidy(log, "body", 2)
    end))
    error(inner[2], 0)
  end)
  log "raised"
  equal(err.errors, { "outer" })
  equal({ inner[2].kind, inner[2].source }, { "Cancelled", "sibling" })
  equal(log.list, { "2 inner sibling", "3 body sibling", "3 raised" })
end)
