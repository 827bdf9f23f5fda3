-- SPDX-License-Identifier: MIT
-- Groups: what they own, how they are closed, and the values of their bodies.
local task = require "septet.task"
local helpers = require "helpers"

local never, new_log = helpers.never, helpers.new_log
local tidy, fail_after = helpers.tidy, helpers.fail_after
local cancelled_after, grouped = helpers.cancelled_after, helpers.grouped

it("group.join: a group waits for every task", function()
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

it("group.values: a group returns what its function returns", function()
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

it("group.spawn_late: tasks may be added as long as one lives, also after the body", function()
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
  equal(log.list,
    { "1 first", "3 second", "3.5 body", "5.5 from outside, in the join", "5.5 joined" })
  outsider:await()
end)

it("group.spawn_from_child: a child may add tasks to the group, or own tasks itself", function()
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

it("group.spawn_closed: spawning in a group that has ended is refused", function()
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

it("group.empty_is_checkpoint: leaving an empty group is a wait", function()
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

it("group.close_form: a group in a closing variable joins at the end of its block", function()
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
  -- in place of the body's Cancelled
  equal(raises_error({ kind = "ErrorGroup" }, both).errors, { "child", "sibling" })
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

  -- cancelling it reaches its tasks; it has no way to swallow what would unwind the block
  log = new_log()
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

it("group.close_form_return_values: values that leave the block pass through the join", function()
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

it("group.break_joins: a break out of the block joins the group", function()
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

it("group.released_children: children that have ended are released at once", function()
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

it("group.hydra: a group whose children spawn more of themselves ends when one fails", function()
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

it("group.10k_children: one group joins or cancels ten thousand children", function()
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
