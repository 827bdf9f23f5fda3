-- SPDX-License-Identifier: MIT
--- Operations on time and on tasks.
local w = require "world"
local blocks = require "blocks"
local scopes = require "scopes"
local task = require "septet.task"
local testing = require "septet.testing"

local tasks = {}

local is, pack = task.is, table.pack
local exec, wrong, say = w.exec, w.wrong, w.say
local TICK = scopes.TICK

-- --- time ---

function exec.sleep(rec, op)
  local due, busy = w.now + op.seconds, w.busy
  w.wait(rec, op, nil, task.sleep, op.seconds)
  if w.now < due then wrong(rec, op, "it woke %g early", due - w.now) end
  if w.now > due + w.busy - busy then wrong(rec, op, "it woke %g late", w.now - due) end
end

function exec.checkpoint(rec, op)
  local before = w.now
  w.wait(rec, op, nil, task.checkpoint)
  if w.now > before and not w.program.busy then
    wrong(rec, op, "the clock moved while a task was ready")
  end
end

function exec.busy(rec, op)
  testing.busy(op.seconds)
  w.busy = w.busy + op.seconds
  if task.now() ~= w.now + op.seconds then wrong(rec, op, "the clock did not move with it") end
  w.resumed(rec)
end

function exec.deadline(rec, op)
  local got, least, s = task.deadline(), math.huge, rec.scope
  local must, may_be = scopes.certain(s, w.now + 2 * TICK), scopes.may_be(s, w.now)
  while s do
    least = math.min(least, s.due or math.huge)
    s = not s.shield and s.parent
  end
  if must and got ~= -math.huge
    or not must and got ~= least and not (may_be and got == -math.huge) then
    wrong(rec, op, "the deadline of %s scope is %g", must and "a cancelled" or "this", got)
  end
end

function exec.extend(rec, op)
  local s = rec.scope
  while s.kind ~= "task" and not s.due do s = s.parent end
  if not s.due then return end
  local certain, may_be = scopes.certain_itself(s, w.fired()), scopes.may_be_itself(s, w.now)
  local in_time = s.handle:extend(op.seconds)
  if in_time and (certain or s.due <= w.now) then
    wrong(rec, op, "it moved a deadline that had passed")
  end
  if not in_time and not may_be then wrong(rec, op, "it did not move a deadline to come") end
  if in_time then scopes.due(s, s.due + op.seconds, w.now) end
end

-- --- spawning ---

function exec.spawn(rec, op)
  local new = w.task(op.task, rec.scope)
  w.known(new, task.spawn(w.main(new)))
end

-- Returns an open group that may wait for such a task without a circle of joins.
local function pick_group(op)
  local s = #w.groups > 0 and w.groups[1 + op.pick % #w.groups]
  if not s or not s.handle or s.owner.body.number >= op.task.number then return nil end
  return not (s.tasks_cancel and s.over) and s -- what cancels its tasks then is uncertain
end

function exec.spawn_in(rec, op)
  local s = pick_group(op)
  if not s then return exec.spawn(rec, op) end
  local new = w.task(op.task, s)
  local ok, handle = pcall(s.handle.spawn, s.handle, w.main(new))
  if ok then
    w.known(new, handle)
    if s.closed then wrong(rec, op, "it spawned in a closed group") end
  else
    s.children[#s.children], w.tasks[#w.tasks] = nil, nil
    if not is(handle, "Usage") or not s.over then
      wrong(rec, op, "it could not spawn: %s", say(handle))
    end
  end
end

-- Runs in a task that group:start started. The task moves to the group unless it was cancelled
-- before. If that is not known, it does nothing.
function exec.started(rec, op)
  local nursery = rec.root.parent
  if not rec.started or rec.moved then return end
  local cancelled = scopes.certain(nursery, w.fired())
  if not cancelled and scopes.may_be(nursery, w.now) then return end
  local g = nursery.to
  local ok, err = pcall(rec.started, rec, op.id)
  if cancelled then return end
  if not ok then
    if not is(err, "Usage") or not g.over then
      wrong(rec, op, "it could not start: %s", say(err))
    end
    error(err, 0)
  end
  rec.moved, nursery.children[1] = true, nil
  w.enter(rec, g)
  g.owner.live = g.owner.live + 1
  nursery.owner.live = nursery.owner.live - 1
end

function exec.start(rec, op)
  local g = pick_group(op)
  if not g then return exec.spawn(rec, op) end
  local nursery = scopes.new("nursery", rec, rec.scope, w.now)
  nursery.to = g
  w.started_elsewhere = w.started_elsewhere or g.owner ~= rec
  local new = w.task(op.task, nursery)
  w.begin_wait(rec, op)
  rec.joins, rec.must = true, false -- it waits for the task, and that one is cancelled
  local result = pack(pcall(g.handle.start, g.handle, w.main(new)))
  w.end_wait(rec, op, result[1], result[2])
  if not new.handle and is(result[2], "Usage") and g.over then -- the group may be closed
    w.tasks[#w.tasks] = nil
    error(result[2], 0)
  end
  blocks.closed(rec, op, nursery)
  if new.moved or result[1] then
    if not new.moved or not result[1] or result[2] ~= new or result.n ~= 3 then
      wrong(rec, op, "its task called started, and it gave %s", say(result[2]))
    end
  elseif scopes.status(new) == "done" then
    if type(result[2]) ~= "string" and not is(result[2], "Cancelled") then
      wrong(rec, op, "its task never started, and it gave %s", say(result[2]))
    end
  elseif not is(result[2], "Cancelled") then
    w.check_end(rec, op, new, result, 0)
  end
  w.unpacked(result)
end

-- --- one task ---

function exec.await(rec, op)
  local target = w.pick(rec, op.pick)
  if not target then return end
  local reports = target.reports
  local result = w.attempt(rec, op, target, target.handle.await, target.handle)
  if result[1] or not is(result[2], "Cancelled") then
    w.check_end(rec, op, target, result, reports)
  end
  w.unpacked(result)
end

function exec.result(rec, op)
  local target = w.pick(rec, op.pick)
  if not target or scopes.is_live(target) then return end
  local reports, result = target.reports, pack(target.handle:result())
  if scopes.status(target) ~= "cancelled" then
    w.check_end(rec, op, target, result, reports)
  elseif result[1] or result[2] ~= target.root.outcome[2] then
    wrong(rec, op, "the result of cancelled task %d is not what unwound it", target.body.number)
  end
end

-- Cancels a scope by its handle, or by its task's. `live`: it has not ended.
local function cancel(rec, op, s, handle, live)
  local certain, may_be = scopes.certain_itself(s, w.fired()), scopes.may_be_itself(s, w.now)
  if s.tasks_cancel then certain, may_be = true, true end
  if handle:cancel(op.reason) then
    if certain or not live then
      wrong(rec, op, "it was the first to cancel what had ended or was cancelled")
    end
    w.cancel(s, { reason = op.reason, by = rec.handle.id, at = w.now })
  elseif live and not may_be and not s.over then -- a scope with an ended body may be closed
    wrong(rec, op, "it was not the first to cancel, and no other had")
  end
end

function exec.cancel(rec, op)
  local target = w.tasks[1 + op.pick % #w.tasks]
  if target == w.tasks[1] and op.pick % 20 > 0 then return end -- ends all of it, not too often
  if target.handle then cancel(rec, op, target.root, target.handle, scopes.is_live(target)) end
end

function exec.cancel_block(rec, op)
  local s = w.blocks[1 + op.pick % math.max(1, #w.blocks)]
  if s then cancel(rec, op, s, s.handle, not s.closed) end
end

-- --- many tasks ---

-- Checks a wait with a timeout that has ended.
local function check_limit(rec, op, due)
  if due and w.now > due and not w.program.busy then
    wrong(rec, op, "it waited %g too long", w.now - due)
  end
end

function exec.wait(rec, op)
  local targets, list, seen, failed = w.pick_all(rec, op.picks), {}, {}, false
  for i, target in ipairs(targets) do list[i] = target.handle end
  local due = op.timeout and w.now + op.timeout
  rec.limit = due
  local done, pending = w.wait(rec, op, nil, task.wait, list,
    { return_when = op.when, timeout = op.timeout })
  local function see(t, live)
    if seen[t] then wrong(rec, op, "a task is given twice") end
    if scopes.is_live { handle = t } ~= live then
      wrong(rec, op, "task %d is in the wrong list", t.id)
    end
    seen[t], failed = true, failed or t:status() == "failed"
  end
  for _, t in ipairs(done) do see(t, false) end
  for _, t in ipairs(pending) do see(t, true) end
  for _, t in ipairs(list) do
    if not seen[t] then wrong(rec, op, "task %d is in no list", t.id) end
  end
  local reached = #pending == 0 or op.when == "FIRST_COMPLETED" and #done > 0
    or op.when == "FIRST_EXCEPTION" and failed
  if not reached and not (due and w.now >= due) then
    wrong(rec, op, "it returned before what it waited for")
  end
  check_limit(rec, op, due)
end

-- Returns the argument list of a combinator, of functions to be spawned in `parent` and of picked
-- tasks, and the tasks of that list.
local function members(rec, op, parent)
  local list, of = {}, {}
  for i, body in ipairs(op.tasks) do
    of[i] = w.task(body, parent)
    list[i] = w.main(of[i])
  end
  for _, target in ipairs(w.pick_all(rec, op.picks or {}, true)) do
    of[#of + 1], list[#list + 1] = target, target.handle
  end
  if op.twice then of[#of + 1], list[#list + 1] = of[1], list[1] end
  return list, of
end

-- Returns true if a call has the results of awaiting the task.
local function is_end_of(member, result)
  local status, out, err = scopes.status(member), member.root.outcome, result[2]
  if status == "done" then return result[1] and w.same(result, 2, out, 2) end
  if status == "failed" then return not result[1] and err == out[2] end
  return status == "cancelled" and not result[1] and is(err, "TaskCancelled")
    and err.task == member.handle
end

-- Checks an error that a combinator raised: it must be that of one of its members.
local function check_raised(rec, op, of, reports, result)
  local owners = {}
  for i, member in ipairs(of) do
    if is_end_of(member, result) and member ~= of[i + 1] then
      table.insert(owners, { task = member, reports = reports[i] })
    end
  end
  if #owners == 1 then
    w.check_end(rec, op, owners[1].task, result, owners[1].reports)
  elseif #owners == 0 then
    wrong(rec, op, "it raised %s, which is no member's", say(result[2]))
  end
  for _, one in ipairs(owners) do one.task.may_be_retrieved = true end -- by the same error
end

--- Checks, once the ends of the tasks are known, that each combinator returned the end of the
--- first.
function tasks.check()
  for _, call in ipairs(w.firsts) do
    local first
    for _, member in ipairs(call.of) do
      local counts = call.done or scopes.status(member) ~= "done"
      if counts and not (first and first.ended < member.ended) then first = member end
    end
    if not first or not is_end_of(first, call.result) then
      wrong(call.rec, call.op, "it gave the end of another than the first, %s", say(call.result[2]))
    end
  end
end

local function first_value(rec, op, got, member)
  if got ~= member.root.outcome[2] then
    wrong(rec, op, "not the value of task %d", member.body.number)
  end
end

local function check_settled(rec, op, of, results)
  for i, member in ipairs(of) do
    local one = results[i]
    if one.status ~= scopes.status(member) then
      wrong(rec, op, "task %d is %s, not %s", member.body.number, scopes.status(member), one.status)
    elseif one.status == "done" then
      first_value(rec, op, one.value, member)
    else
      w.check_end(rec, op, member, { false, one.error, n = 2 }, member.reports)
    end
  end
end

local function check_gathered(rec, op, of, results)
  if results.n ~= #of then wrong(rec, op, "%d results for %d items", results.n, #of) end
  if op.settled then return check_settled(rec, op, of, results) end
  for i, member in ipairs(of) do
    if scopes.status(member) ~= "done" then
      wrong(rec, op, "it returned, and task %d is %s", member.body.number, scopes.status(member))
    else
      first_value(rec, op, results[i], member)
    end
  end
end

-- Checks that a combinator ended its members in time.
local function check_prompt(rec, op, s)
  local overdue = scopes.members_overdue(s, w.now)
  if overdue > 0 and not w.program.busy then
    wrong(rec, op, "it ended %g after it had to end its tasks", overdue)
  end
end

local function reports_of(of)
  local reports = {}
  for i, member in ipairs(of) do reports[i] = member.reports end
  return reports
end

function exec.gather(rec, op)
  local s = scopes.new("gather", rec, rec.scope, w.now)
  local list, of = members(rec, op, s)
  s.members, s.excused, s.limit, s.running = of, {}, op.limit, 0
  for i = #op.tasks + 1, #of do -- tasks of others, which a failure ends too
    of[i].root.gathered = of[i].root.gathered or {}
    table.insert(of[i].root.gathered, s)
  end
  local reports = reports_of(of)
  rec.joins = true
  local result = w.attempt(rec, op, nil, task.gather, list,
    { limit = op.limit, settled = op.settled })
  for i = #s.children, 1, -1 do -- what the limit kept from beginning
    if op.limit and not s.children[i].began then table.remove(s.children, i).never = true end
  end
  blocks.closed(rec, op, s)
  for i, member in ipairs(of) do -- a task of others may wait for this one, which then gives it up
    if i <= #op.tasks and not member.never and scopes.is_live(member) then
      wrong(rec, op, "it is over, and task %d lives", member.body.number)
    elseif op.limit then
      member.fed = true
    end
  end
  if result[1] then
    check_gathered(rec, op, of, result[2])
  else
    if not is(result[2], "Cancelled") then
      check_raised(rec, op, of, reports, result)
      local in_order = #of == #op.tasks and not op.limit -- else not all began, or some had ended
      if in_order then table.insert(w.firsts, { rec = rec, op = op, of = of, result = result }) end
    end
    -- It waited for other tasks, even if it was cancelled.
    scopes.excuse(rec.scope, s.opened, w.now)
    if #of == #op.tasks and not op.settled then check_prompt(rec, op, s) end
  end
  w.unpacked(result)
end

function exec.race(rec, op)
  local s = scopes.new("race", rec, rec.scope, w.now)
  local list, of = members(rec, op, s)
  s.members, s.excused = of, {}
  local reports = reports_of(of)
  rec.joins = true
  local result = w.attempt(rec, op, nil, task.race, list)
  blocks.closed(rec, op, s)
  check_prompt(rec, op, s)
  if not result[1] and not is(result[2], "Cancelled") then
    check_raised(rec, op, of, reports, result)
  end
  if result[1] or not is(result[2], "Cancelled") then
    table.insert(w.firsts, { rec = rec, op = op, of = of, result = result, done = true })
  end
  w.unpacked(result)
end

function exec.as_completed(rec, op)
  local list, of = members(rec, op, rec.scope)
  local due, left, loop = op.timeout and w.now + op.timeout, {}, { taken = 0 }
  for i, member in ipairs(of) do
    left[member] = true
    if i <= #op.tasks then member.root.loop = loop end
  end
  table.insert(rec.scope.generators, loop) -- the scope closes it, where its own end does not
  local next_ended, _, _, closer = task.as_completed(list, { timeout = op.timeout })
  local function next_checked()
    rec.limit = due
    local latest = due and math.max(due, w.now)
    local result = w.attempt(rec, op, nil, next_ended)
    check_limit(rec, op, latest)
    loop.left = not result[1]
    if not result[1] and is(result[2], "Timeout") and not (due and w.now >= due) then
      wrong(rec, op, "Timeout before its time")
    end
    for member in pairs(left) do
      if not result[1] and is(result[2], "Timeout") and not scopes.is_live(member) then
        wrong(rec, op, "Timeout, and task %d had ended", member.body.number)
      end
    end
    return w.unpacked(result)
  end
  local closed = closer and setmetatable({}, { __close = function()
    local ok, err = pcall(getmetatable(closer).__close)
    w.resumed(rec) -- it waits for what it cancels
    if not ok then error(err, 0) end
  end })
  for t in next_checked, nil, nil, closed do
    local member = w.by_id[t.id]
    if not left[member] then wrong(rec, op, "task %d was not in the list, or came twice", t.id) end
    if scopes.is_live(member) then wrong(rec, op, "task %d has not ended", member.body.number) end
    left[member] = nil
    local ok, err = pcall(w.run, rec, op.body)
    loop.taken = loop.taken + 1
    loop.left = not ok or loop.taken == op.take
    if not ok then error(err, 0) end
    if loop.left then return end
  end
  if next(left) then wrong(rec, op, "it ended before all tasks had come") end
end

return tasks
