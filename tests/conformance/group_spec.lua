-- The catalogue of task semantics: groups.
local task = require "septet.task"
local helpers = require "helpers"

local never, new_log = helpers.never, helpers.new_log
local tidy, fail_after = helpers.tidy, helpers.fail_after
local cancelled_after, grouped = helpers.cancelled_after, helpers.grouped

it("group.join", function()
  local log = new_log()
  task.group(function(g)
    for i = 1, 3 do
      g:spawn(function()
        task.sleep(i)
        log(i)
      end)
    end
    task.spawn(function() -- what is spawned in it by any means belongs to it
      task.sleep(4)
      log "task.spawn"
    end)
    log "body"
  end)
  log "joined"
  equal(log.list, { "0 body", "1 1", "2 2", "3 3", "4 task.spawn", "4 joined" })
end)

it("group.values", function()
  local child
  local values = table.pack(task.group(function(g, ...)
    child = g:spawn(function(...)
      task.sleep(1)
      return ...
    end, 1, nil, 3, nil)
    return ...
  end, "a", nil, "c", nil))
  equal(values, { n = 4, "a", nil, "c", nil })
  equal(table.pack(child:result()), { n = 5, true, 1, nil, 3, nil })
  equal(select("#", task.group(function() end)), 0)
end)

it("group.spawn_late", function()
  local log = new_log()
  local group
  local function work(name)
    task.sleep(1)
    log(name)
  end
  local outsider = task.spawn(function()
    task.sleep(4.5)
    group:spawn(work, "from outside, in the join")
  end)
  task.group(function(g)
    group = g
    g:spawn(work, "first"):await()
    task.sleep(1)
    g:spawn(work, "second") -- when all before it have ended
    task.sleep(1.5)
    g:spawn(task.sleep, 1.5)
    log "body"
  end)
  log "joined"
  equal(log.list, { "1 first", "3 second", "3.5 body", "5.5 from outside, in the join", "5.5 joined" })
  outsider:await()
end)

it("group.spawn_from_child", function()
  local log = new_log()
  task.group(function(g)
    local function again(depth)
      task.sleep(1)
      log(depth)
      if depth < 3 then g:spawn(again, depth + 1) end
    end
    g:spawn(again, 1)
    log "body"
  end)
  log "joined"
  equal(log.list, { "0 body", "1 1", "2 2", "3 3", "3 joined" })

  log = new_log() -- what a child spawns for itself is its own, and ends with it
  task.group(function(g)
    g:spawn(function()
      task.spawn(tidy, log, "grandchild", 1)
      task.sleep(1)
    end)
  end)
  log "joined"
  equal(log.list, { "2 grandchild owner", "2 joined" })
end)

it("group.spawn_closed", function()
  local ran, kept = false, {}
  local function member() ran = true end
  task.group(function(g) kept[1] = g end)
  pcall(task.group, function(g)
    kept[2] = g
    error "failed"
  end)
  do
    local g <close> = task.group()
    kept[3] = g
  end
  for _, g in ipairs(kept) do
    misuse("the group is closed", function() g:spawn(member) end)
    misuse("the group is closed", function() g:start(member) end)
    equal(g:cancel(), false)
  end
  turns(2)
  equal(ran, false)
  misuse("function expected, got number", function() task.group(7) end)
  task.group(function(g)
    misuse("function expected, got nil", function() g:spawn(nil) end)
    misuse("function expected, got string", function() g:start "x" end)
  end)
end)

it("group.child_error", function()
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

  local seen -- that somebody saw the error changes nothing
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

it("group.body_error", function()
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

it("group.both_chronological", function()
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

it("group.multi", function()
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

it("group.child_cancelled_ok", function()
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

it("group.cancel_swallowed", function()
  local log = new_log()
  local n = select("#", task.group(function(g)
    g:spawn(tidy, log, "child", 1)
    task.sleep(1)
    equal({ g:is_cancelled(), g:cancel "enough", g:cancel "again", g:is_cancelled() }, { false, true, false, true })
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

it("group.precancelled_spawn", function()
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

it("group.outer_cancel", function()
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
  equal(log.list, { "2 child cancel", "3 grandchild cancel", "4 body cancel", "4 Cancelled outside" })

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

it("group.outer_cancel_plus_error", function()
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
    group = grouped(function() pcall(never) error("body", 0) end)
    task.checkpoint()
  end)
  equal({ group.errors, t:status() }, { { "body" }, "cancelled" })
end)

it("group.cancel_in_join", function()
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

it("group.nested_inner_handled", function()
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

it("group.outer_fails_inner", function()
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

it("group.both_fail", function()
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

it("group.no_flatten", function()
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

it("group.exit_error_replaces_cancel", function()
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
    equal(grouped(function(g) g:spawn(fail_after, 1, "child") pcall(never) end).errors, { "child" })
    log "goes on"
    never()
  end)
  log "timed out"
  equal(log.list, { "1 goes on", "3 timed out" })
end)

it("group.no_invented_cancel", function()
  local log = new_log()
  local t = cancelled_after(1, function()
    log(task.group(function(g)
      g:spawn(task.shield, task.sleep, 2)
      return "value" -- nobody in the group saw the cancellation
    end))
    log(select(2, pcall(task.checkpoint)).kind)
  end)
  equal(log.list, { "2 value", "2 Cancelled" })
  equal(t:status(), "done")

  log = new_log() -- nor did one who ended for a reason of its own
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

it("group.empty_is_checkpoint", function()
  local log, laps = new_log(), 0
  local t = task.spawn(function()
    while laps < 100 do
      laps = laps + 1
      task.group(function() end)
    end
  end)
  turns(3)
  t:cancel()
  task.wait { t }
  equal({ t:status(), laps > 1, laps < 10 }, { "cancelled", true, true })

  t = task.spawn(function()
    task.group(function() log "body" end)
    log "too far"
  end)
  t:cancel()
  task.wait { t }
  equal({ t:status(), log.list }, { "cancelled", { "0 body" } })
end)

it("group.close_form", function()
  local log = new_log()
  do
    local g <close> = task.group()
    g:spawn(function()
      task.sleep(1)
      log "child"
    end)
    log "body"
  end
  log "joined"
  equal(log.list, { "0 body", "1 child", "1 joined" })

  local function both(body_error)
    local g <close> = task.group()
    g:spawn(tidy, log, "sibling", 1, "sibling")
    g:spawn(fail_after, 1, "child")
    local _, err = pcall(never)
    error(body_error or err, 0)
  end
  equal(raises_error({ kind = "ErrorGroup" }, both).errors, { "child", "sibling" }) -- in place of the body's Cancelled
  local errors = raises_error({ kind = "ErrorGroup" }, both, "body").errors
  if MODE ~= "shuffle" then equal(errors, { "child", "body", "sibling" }) end
  equal(#errors, 3)
  task.checkpoint()

  log = new_log()
  local t = cancelled_after(1, function()
    local g <close> = task.group()
    g:spawn(tidy, log, "child", 1)
    never()
  end)
  log(t:status())
  equal(log.list, { "2 child cancel", "2 cancelled" })

  log = new_log() -- cancelling it reaches its tasks; it has no way to swallow what would unwind the block
  do
    local g <close> = task.group()
    g:spawn(tidy, log, "child", 2)
    task.sleep(1)
    g:cancel()
    task.sleep(1)
    log "body"
  end
  log "joined"
  equal(log.list, { "2 body", "3 child cancel", "3 joined" })
  task.checkpoint()

  local late = {}
  do
    local g <close> = task.group()
    equal({ g:cancel(), g:cancel(), g:is_cancelled() }, { true, false, true })
    late[1], late[2] = g:spawn(never), task.spawn(never)
    g:start(function(started)
      late[3] = task.current()
      started()
      never()
    end)
    task.sleep(1)
    for i = 1, 3 do equal(late[i]:status(), "cancelled") end
  end
end)

it("group.close_form_return_values", function()
  local log = new_log()
  local function returns(...)
    local g <close> = task.group()
    g:spawn(task.sleep, 1)
    return ...
  end
  equal(table.pack(returns()), { n = 0 })
  equal(table.pack(returns(nil)), { n = 1 })
  equal(table.pack(returns(1, nil, 3, nil)), { n = 4, 1, nil, 3, nil })
  local many_values = {}
  for i = 1, 200 do many_values[i] = i end
  equal({ returns(table.unpack(many_values)) }, many_values)
  log "returned"
  equal(log.list, { "4 returned" })
end)

it("group.break_joins", function()
  local log = new_log()
  local function work(seconds)
    task.sleep(seconds)
    log "joined"
  end
  for i = 1, 3 do
    local g <close> = task.group()
    g:spawn(work, 1)
    if i == 2 then break end
  end
  log "for"
  while true do
    local g <close> = task.group()
    g:spawn(work, 1)
    break
  end
  log "while"
  do
    local g <close> = task.group()
    g:spawn(work, 1)
    goto out
  end
  ::out::
  log "goto"
  equal(log.list, { "1 joined", "2 joined", "2 for", "3 joined", "3 while", "4 joined", "4 goto" })
end)

it("group.released_children", function()
  local handles, values = setmetatable({}, { __mode = "v" }), setmetatable({}, { __mode = "v" })
  task.group(function(g)
    g:spawn(task.sleep, 1000)
    for i = 1, 100 do
      handles[i] = g:spawn(function()
        task.sleep(1)
        values[i] = {}
        return values[i]
      end)
      if i % 10 == 0 then task.sleep(2) end
    end
    collectgarbage()
    collectgarbage()
    equal({ next(handles), next(values) }, {})
    g:cancel()
  end)
end)

it("group.hydra", function()
  local heads = 0
  local err = grouped(function(g)
    local function hydra()
      heads = heads + 1
      task.sleep(0.01)
      if heads >= 1000 then return end
      g:spawn(hydra)
      g:spawn(hydra)
    end
    g:spawn(hydra)
    g:spawn(function()
      while heads < 10 do task.sleep(0.015) end
      error("cut off", 0)
    end)
  end)
  equal(err.errors, { "cut off" })
  equal({ heads >= 10, heads < 1000 }, { true, true })
end)

it("group.10k_children", function()
  local log, n, ended = new_log(), many(10000), 0
  task.group(function(g)
    for _ = 1, n do
      g:spawn(function()
        task.sleep(1)
        ended = ended + 1
      end)
    end
  end)
  log "joined"
  equal({ ended, log.list }, { n, { "1 joined" } })

  local err = grouped(function(g) -- one fails, all the others go
    for i = 1, n do g:spawn(i == n // 2 and fail_after or never, 1, "one") end
  end)
  equal(err.errors, { "one" })
end)

it("group.start_value", function()
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

it("group.start_crash_before", function()
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

it("group.crash_after", function()
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

it("group.no_started", function()
  task.group(function(g)
    local kept
    raises("^[^:]*group_spec.lua:%d+: task '[^']+' ended without calling started$", function()
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

it("group.cancelled", function()
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
