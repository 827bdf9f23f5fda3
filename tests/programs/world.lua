-- SPDX-License-Identifier: MIT
--- The running program and its records, and the common part of all operations. Violations are
--- recorded and not raised, because a program absorbs errors.
local world = {}

local scopes = require "scopes"
local task = require "septet.task"

local is, pack, unpack = task.is, table.pack, table.unpack
local TICK = scopes.TICK

--- The function of each kind of operation: exec.KIND(rec, op, emit). `rec` is the task's record.
--- `emit` is set in the body of a generator.
world.exec = {}

--- Begins a program. `log`: prints each step.
function world.begin(program, log)
  local w, now = world, task.now()
  w.program, w.log, w.start, w.now = program, log, now, now
  w.busy = 0 -- seconds that tasks have computed for
  w.tasks, w.by_id = {}, {} -- in the order they were spawned; by the handle's id
  w.blocks, w.groups = {}, {} -- scopes that may be cancelled from elsewhere, or spawned in
  w.shared = {} -- channels and the like
  -- A start by another task keeps a group open, and is not cancelled with it.
  w.started_elsewhere = false
  w.error_groups = {} -- {of=, errors=} that were raised
  w.firsts = {} -- {rec=, op=, of=, result=}: calls that gave the end of the first of tasks
  w.strangers = {} -- errors reported of tasks that no program knows
  w.wrongs = {}
  w.waits, w.cancelled, w.steps = 0, 0, {}
end

function world.wrong(rec, op, format, ...)
  local where = op and ("op %d (%s) of task %d"):format(op.id, op.kind, rec.body.number)
    or rec and ("task %d"):format(rec.body.number) or "the whole"
  world.wrongs[#world.wrongs + 1] = ("%s at %g: %s"):format(where, task.now() - world.start,
    format:format(...))
end
local wrong = world.wrong

--- Describes a value in a word or two.
function world.say(value)
  if type(value) == "table" and value.op then return "the error of op " .. value.op.id end
  return is(value) and value.kind or tostring(value)
end
local say = world.say

--- Returns the instant before which all due timers have certainly fired. Computing delays timers.
function world.fired()
  return world.program.busy and 0 or world.now + TICK
end

-- --- steps: between two waits of a task no other one runs ---

-- Checks all tasks after a jump of the clock: all waited, and only timers have run since. No task
-- may have waited in a cancelled scope, or for an object that was available.
local function sweep(now)
  for _, rec in ipairs(world.tasks) do
    if rec.inside and not rec.joins and scopes.certain(rec.scope, now) then
      wrong(rec, rec.inside, "it waited on in a cancelled scope")
    end
  end
  for _, shared in ipairs(world.shared) do
    local what = shared:stuck()
    if what then wrong(nil, nil, "no task could run, but %s", what) end
  end
end

--- The task runs again, perhaps after a wait.
function world.resumed(rec)
  local now = task.now()
  if now < world.now then wrong(rec, nil, "time went back from %g to %g", world.now, now) end
  if now > world.now and not world.program.busy then sweep(now) end
  world.now, world.running = now, rec
end

local function step(rec, op)
  world.steps[op.kind] = (world.steps[op.kind] or 0) + 1
  if world.log then
    print(("%8.2f  #%-4d task %d: op %d (%s)"):format(task.now() - world.start, rec.handle.id,
      rec.body.number, op.id, op.kind))
  end
  if rec.inside then wrong(rec, op, "it runs while it waits in op %d", rec.inside.id) end
  if world.running ~= rec or task.current() ~= rec.handle then
    wrong(rec, op, "it runs in the turn of task %d", world.running.body.number)
  end
end

function world.run(rec, ops, emit)
  for _, op in ipairs(ops) do
    step(rec, op)
    world.exec[op.kind](rec, op, emit)
  end
end

-- --- waits: each ends once, in a cancelled scope by Cancelled, and by Cancelled in no other ---

local nothing = { waiters = 0 }

function world.begin_wait(rec, op, on)
  on = on or nothing
  rec.inside, rec.on, rec.must = op, on, scopes.certain(rec.scope, world.now + 2 * TICK)
  on.waiters = on.waiters + 1
end

function world.end_wait(rec, op, ok, err)
  world.resumed(rec)
  if rec.inside ~= op then return wrong(rec, op, "its wait ended twice") end
  rec.on.waiters = rec.on.waiters - 1
  local inner = rec.limit and rec.limit <= world.now
  rec.inside, rec.joins, rec.limit = nil, nil, nil
  world.waits = world.waits + 1
  if not ok and is(err, "Cancelled") then
    world.cancelled = world.cancelled + 1
    -- The wait's own limit is behind a scope that is cancelled too.
    inner = inner and err.source == "deadline" and scopes.may_be(rec.scope, world.now)
    if not inner and not scopes.explain(rec.scope, world.now, err) then
      wrong(rec, op, "%s, and no task did that (by %s)", tostring(err), err.by)
    end
  elseif rec.must then
    wrong(rec, op, "a wait in a cancelled scope (%s) ended with %s", rec.must.kind,
      ok and "a value" or say(err))
  end
end

--- Calls a function that waits for `on`, an object with a count of its waiters. Returns the packed
--- results of pcall.
function world.attempt(rec, op, on, fn, ...)
  world.begin_wait(rec, op, on)
  local result = pack(pcall(fn, ...))
  world.end_wait(rec, op, result[1], result[2])
  return result
end

--- Returns or raises the packed results of pcall, like the call itself.
function world.unpacked(result)
  if not result[1] then error(result[2], 0) end
  return unpack(result, 2, result.n)
end

function world.wait(...)
  return world.unpacked(world.attempt(...))
end

-- --- tasks ---

--- Makes the task one of a scope's tasks.
function world.enter(rec, s)
  rec.root.parent = s
  s.children[#s.children + 1] = rec
  if s.tasks_cancel and not scopes.certain_itself(s, world.now) then
    world.cancel(rec.root,
      { reason = s.tasks_cancel.reason, by = world.running.handle.id, at = world.now })
  end
end

--- Returns the record of a task to be spawned in a scope. `body` is its part of the program.
function world.task(body, s)
  local rec = { body = body, reports = 0, live = 0, waiters = 0 }
  rec.root = scopes.new("task", rec, nil, world.now)
  rec.scope = rec.root
  world.tasks[#world.tasks + 1] = rec
  world.enter(rec, s)
  return rec
end

--- Records the handle of a task.
function world.known(rec, handle)
  rec.handle = handle
  world.by_id[handle.id] = rec
  rec.root.parent.owner.live = rec.root.parent.owner.live + 1
end

--- Records that a call cancelled a scope. A scope that is a closing variable cannot absorb
--- Cancelled, so only its tasks are cancelled.
function world.cancel(s, cancel)
  if not s.tasks_only then
    s.cancel = s.cancel or cancel
    return
  end
  s.tasks_cancel = cancel
  for _, child in ipairs(s.children) do world.cancel(child.root, cancel) end
end

--- Records the results of a scope's body and returns them. This is the last step before Septet ends
--- the scope.
function world.over(s, ok, ...)
  s.over, s.outcome = true, pack(ok, ...)
  if s.parent.limit then s.parent.running = s.parent.running - 1 end
  if not ok then error((...), 0) end
  return ...
end

--- Returns the function of a task, which returns none, one or two values, by its number.
function world.main(rec)
  return function(started)
    if not rec.handle then world.known(rec, task.current()) end
    if rec.began then wrong(rec, nil, "it began twice") end
    rec.began, rec.started = true, started
    world.resumed(rec)
    local among = rec.root.parent
    if among.limit then
      among.running = among.running + 1
      if among.running > among.limit then
        wrong(rec, nil, "%d run of a limit of %d", among.running, among.limit)
      end
    end
    return world.over(rec.root, pcall(function()
      world.run(rec, rec.body.ops)
      return unpack({ rec, rec.body.number }, 1, rec.body.number % 3)
    end))
  end
end

--- Returns true if two packed results have the same values, each from an index on.
function world.same(a, from, b, from_b)
  if a.n - from ~= b.n - from_b then return false end
  for i = 0, a.n - from do
    if a[from + i] ~= b[from_b + i] then return false end
  end
  return true
end

--- Checks the end of a task that was returned to another one. `reports`: how often its failure had
--- been reported before that wait.
function world.check_end(rec, op, target, result, reports)
  local status, out, number = scopes.status(target), target.root.outcome, target.body.number
  target.retrievers = target.retrievers or {}
  target.retrievers[rec] = true
  if scopes.is_live(target) then
    wrong(rec, op, "task %d was awaited and is %s", number, status)
  elseif result[1] then
    if status ~= "done" or not world.same(result, 2, out, 2) then
      wrong(rec, op, "task %d, which is %s, gave other values than its own", number, status)
    end
  elseif status == "failed" then
    if result[2] ~= out[2] then
      wrong(rec, op, "task %d raised %s, not its own %s", number, say(result[2]), say(out[2]))
    end
    if target.reports > reports then
      wrong(rec, op, "the failure of task %d was reported, and is raised here", number)
    end
    target.retrieved = true
  elseif status ~= "cancelled" or not is(result[2], "TaskCancelled")
    or result[2].task ~= target.handle then
    wrong(rec, op, "task %d, which is %s, raised %s", number, status, say(result[2]))
  else
    local reason, own = result[2].reason, target.root.cancel
    if reason ~= out[2].reason and not (own and own.reason == reason) and not target.root.loop then
      wrong(rec, op, "task %d was not cancelled for %s", number, reason)
    end
  end
end

--- Returns the task that a number chooses, but not `rec`. `later`: only one that `rec` may wait for
--- in a shield without a circle.
function world.pick(rec, pick, later)
  local target = world.tasks[1 + pick % #world.tasks]
  if target ~= rec and target.handle and not (later and target.body.number <= rec.body.number) then
    return target
  end
end

--- Like pick(), but for several numbers, without duplicates.
function world.pick_all(rec, picks, later)
  local list, seen = {}, {}
  for _, pick in ipairs(picks) do
    local target = world.pick(rec, pick, later)
    if target and not seen[target] then
      list[#list + 1], seen[target] = target, true
    end
  end
  return list
end

return world
