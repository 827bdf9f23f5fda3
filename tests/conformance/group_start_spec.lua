-- SPDX-License-Identifier: MIT
-- Groups: tasks that report that they have started.
local task = require "septet.task"
local helpers = require "helpers"

local never, new_log = helpers.never, helpers.new_log
local tidy, fail_after = helpers.tidy, helpers.fail_after
local cancelled_after, grouped = helpers.cancelled_after, helpers.grouped

it("group.start_value: start waits for the child's started, and returns its values", function()
  local log = new_log()
  local function server(started, ...)
    task.sleep(1)
    started(...)
    task.sleep(2)
    log "served"
  end
  task.group(function(g)
    equal(table.pack(g:start(server, "a", nil, "c", nil)), { n = 4, "a", nil, "c", nil })
    log "started"
    equal(select("#", task.timeout(2, g.start, g, server)), 0)
    log "started" -- and is the group's, no more the block's that waited for it
  end)
  log "joined"
  equal(log.list, { "1 started", "2 started", "3 served", "4 served", "4 joined" })

  local twice = grouped(function(g)
    g:start(function(started)
      started()
      misuse("started was called before", function() started() end)
      error("seen", 0)
    end)
  end)
  equal(twice.errors, { "seen" })
end)

it("group.start_crash_before: start raises an error before started, not the group", function()
  local log, thrown = new_log(), {}
  task.group(function(g)
    g:spawn(function()
      task.sleep(3)
      log "sibling"
    end)
    local ok, err = pcall(g.start, g, function()
      task.spawn(tidy, log, "its own child", 1)
      fail_after(1, thrown)
    end)
    log "raised"
    equal({ ok, rawequal(err, thrown) }, { false, true })
  end)
  log "joined"
  equal(log.list, { "2 its own child owner", "2 raised", "3 sibling", "3 joined" })
end)

it("group.crash_after: an error after started is the group's", function()
  local log = new_log()
  local value
  local err = grouped(function(g)
    value = g:start(function(started)
      started "value"
      fail_after(1, "later")
    end)
    tidy(log, "body", 1)
  end)
  equal({ value, err.errors }, { "value", { "later" } })
  equal(log.list, { "2 body sibling" })

  err = grouped(function(g) -- at once: before the starter runs on
    value = g:start(function(started)
      started "at once"
      error("later", 0)
    end)
  end)
  equal({ value, err.errors }, { "at once", { "later" } })
end)

it("group.no_started: start raises an error if the child ends without calling started", function()
  task.group(function(g)
    local kept
    raises("^[^:]*group_start_spec.lua:%d+: task '[^']+' ended without calling started$", function()
      g:start(function(started)
        kept = started
        task.sleep(1)
      end)
    end)
    misuse("ended", function() kept() end) -- too late
    raises_error({ kind = "TaskCancelled", reason = "gave up" }, function()
      g:start(function()
        task.current():cancel "gave up"
        task.checkpoint()
      end)
    end)
  end)
end)

it("group.cancelled: cancelling the starter ends the child, which has not started", function()
  local log = new_log()
  local function starts(g, ...)
    local _, err = pcall(g.start, g, ...)
    log(err.kind)
    error(err, 0)
  end

  local t = cancelled_after(1, function() -- the starter: the group is not to end with it
    task.group(function(g) starts(g, function() tidy(log, "child", 1) end) end)
  end)
  equal(t:status(), "cancelled")
  task.group(function(g)
    cancelled_after(1, starts, g, function() tidy(log, "child", 1) end)
    equal(g:is_cancelled(), false)
  end)
  equal(log.list, { "2 child cancel", "2 Cancelled", "4 child cancel", "4 Cancelled" })

  log = new_log() -- the group, with the starter in it
  task.group(function(g)
    g:spawn(starts, g, function() tidy(log, "child", 1) end)
    task.sleep(1)
    g:cancel()
  end)
  equal(log.list, { "2 child cancel", "2 Cancelled" })

  log = new_log() -- the group alone: its new task ends at its first wait
  task.shield(function()
    local group, starter
    starter = task.spawn(function()
      log(group:start(function(started)
        task.sleep(2)
        started "value"
        tidy(log, "child", 1)
      end))
    end)
    task.group(function(g)
      group = g
      g:spawn(task.shield, task.sleep, 4)
      task.sleep(1)
      g:cancel()
    end)
    starter:await()
  end)
  equal(log.list, { "2 value", "3 child cancel" })

  log = new_log() -- a task that is started while it is cancelled is none that could be used
  cancelled_after(1, function()
    task.group(function(g)
      starts(g, function(started)
        pcall(never)
        started "too late"
        task.checkpoint()
      end)
    end)
  end)
  equal(log.list, { "1 Cancelled" })
end)
