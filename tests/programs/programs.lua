-- SPDX-License-Identifier: MIT
--- Runs random programs on the virtual clock, and checks the rules that hold for every program.
---
---     septet --virtual-time programs.lua FIRST COUNT [digest|log]
---
--- draw.lua generates the programs of COUNT seeds. world.lua, blocks.lua, tasks.lua and shared.lua
--- run and check them, with the models of scopes.lua and events.lua. It stops at the first program
--- that fails, and prints its listing. `digest` prints a number for the trace of each program, and
--- `log` each operation.
local HERE = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = HERE .. "/?.lua;" .. package.path

local task = require "septet.task"
local testing = require "septet.testing"

local blocks = require "blocks"
local draw = require "draw"
local events = require "events"
local scopes = require "scopes"
local shared = require "shared"
local tasks = require "tasks"
local w = require "world"

local LIMIT = 40 -- virtual seconds, after which a program is cancelled
local GROWTH = 64 -- kB by which the programs behind the first quarter may differ in what they leave

local wrong = w.wrong

-- The next turn of the loop begins with this task, and every event up to here has been delivered.
local function new_turn()
  testing.busy(1)
  task.checkpoint()
end

local function on_unhandled(t, err)
  local rec = w.by_id[t.id]
  if not rec then -- of a gather with a limit
    w.strangers[err] = true
    return
  end
  rec.reports = rec.reports + 1
  if rec.reports > 1 then wrong(rec, nil, "its failure was reported twice") end
  if rec.retrieved then wrong(rec, nil, "its failure was reported, and had been awaited") end
  if t:status() ~= "failed" or err ~= rec.root.outcome[2] then
    wrong(rec, nil, "it is %s, and %s was reported", t:status(), w.say(err))
  end
end

-- The trace says that a task has ended.
local function on_end(id, outcome, time, number)
  local rec = w.by_id[id]
  if not rec then return end
  local owner = rec.root.parent.owner
  owner.live = owner.live - 1
  rec.ended, rec.ended_at, rec.traced = number, time, outcome
  if rec.live > 0 then wrong(rec, nil, "it ended before %d of its tasks", rec.live) end
end

local words = { done = "ok", failed = "error", cancelled = "cancelled" }

-- Returns the error with which a task failed. Tasks that raise an error again share it.
local function failure_of(err)
  return task.is(err, "TaskCancelled") and err.task or err
end

-- The failures that were seen by a task that did not fail with them.
local function find_seen()
  local seen_failures = {}
  local function fails_of(rec, failure)
    local out = rec.root.outcome
    return scopes.status(rec) == "failed" and rawequal(failure_of(out[2]), failure)
  end
  for _, rec in ipairs(w.tasks) do
    local status = rec.root.outcome and scopes.status(rec)
    local failure = status == "cancelled" and rec.handle
    if status == "failed" then failure = failure_of(rec.root.outcome[2]) end
    if failure then
      local seen = rec.reports > 0 or rec.grouped or rec.may_be_retrieved
      seen = status == "failed" and seen
      for by in pairs(rec.retrievers or {}) do seen = seen or not fails_of(by, failure) end
      seen_failures[failure] = seen_failures[failure] or seen
    end
  end
  for err in pairs(w.strangers) do seen_failures[failure_of(err)] = true end
  return seen_failures
end

local function check_task(rec, seen_failures)
  local out, status = rec.root.outcome, scopes.status(rec)
  if not out then
    if not rec.never then wrong(rec, nil, "it never ended, and is %s", status) end
    return
  end
  local expected = out[1] and "done" or task.is(out[2], "Cancelled") and "cancelled" or "failed"
  if status ~= expected or rec.traced ~= words[status] then
    wrong(rec, nil, "its function gave %s; it is %s, and traced as %s", w.say(out[2]), status,
      rec.traced)
  end
  if rec.inside then wrong(rec, rec.inside, "its wait never ended") end
  local orphan, overdue = scopes.orphan(rec.root), scopes.overdue(rec.root, rec.ended_at or 0)
  if orphan then wrong(rec, nil, "it left something behind") end
  if overdue > w.busy and not w.started_elsewhere then
    wrong(rec, nil, "it ended %g after it was cancelled", overdue)
  end
  if status ~= "failed" then return end
  local heard = rec.retrieved or rec.may_be_retrieved or rec.grouped
    or rec.fed and w.strangers[out[2]]
  heard = heard or rec.reports > 0 or seen_failures[failure_of(out[2])]
  if not heard then wrong(rec, nil, "its failure was not reported") end
  if rec.grouped and rec.reports > 0 then
    wrong(rec, nil, "its failure was reported, and its group raised it")
  end
end

-- Runs a program in a scope with a timeout, and returns when all its tasks have ended.
local function run(program)
  local main = { body = { number = 0 }, handle = task.current(), live = 0 }
  main.root = scopes.new("task", main, nil, w.now)
  local limit = scopes.new("move_on_after", main, main.root, w.now, LIMIT)
  local ok, err = pcall(task.move_on_after, LIMIT, function()
    local first = w.task(program.task, limit)
    w.known(first, task.spawn(w.main(first)))
    task.wait { first.handle }
    limit.over = true
  end)
  if not ok then return wrong(nil, nil, "it could not be ended: %s", tostring(err)) end
  w.resumed(main)
  blocks.closed(main, nil, limit)
end

local function check()
  new_turn()
  local wrongs, n, digest = events.finish()
  local seen_failures = find_seen()
  for _, rec in ipairs(w.tasks) do check_task(rec, seen_failures) end
  blocks.check()
  tasks.check()
  shared.check()
  local tree = task.tree()
  if #tree ~= 1 or #tree[1].children > 0 then
    wrong(nil, nil, "task.tree() has more than the runner")
  end
  table.move(wrongs, 1, #wrongs, #w.wrongs + 1, w.wrongs)
  return n, digest
end

local function report(seed)
  print(draw.listing(w.program))
  for i = 1, math.min(8, #w.wrongs) do print("WRONG: " .. w.wrongs[i]) end
  print(("again: septet --virtual-time %s %d 1"):format(arg[0], seed))
  os.exit(1)
end

local total = { programs = 0, tasks = 0, waits = 0, cancelled = 0, events = 0 }
local steps = {}

local function one(seed, mode)
  local program = draw.program(seed)
  if mode == "log" then print(draw.listing(program)) end
  new_turn()
  w.begin(program, mode == "log")
  shared.new(program)
  events.begin(w.now, task.current().id, on_end, mode == "digest")
  run(program)
  local n, digest = check()
  if #w.wrongs > 0 then report(seed) end
  if digest then print(("%d %016x"):format(seed, digest)) end
  total.programs, total.tasks, total.waits = total.programs + 1, total.tasks + #w.tasks,
    total.waits + w.waits
  total.cancelled, total.events = total.cancelled + w.cancelled, total.events + n
  for kind, count in pairs(w.steps) do steps[kind] = (steps[kind] or 0) + count end
end

local function kilobytes()
  w.begin({}, false)
  shared.new { channels = {}, semaphores = {}, locks = 0, events = 0 }
  collectgarbage()
  collectgarbage()
  return collectgarbage "count"
end

local first, count, mode = tonumber(arg[1]), tonumber(arg[2]), arg[3]
if not first or not count then
  io.stderr:write "usage: septet --virtual-time programs.lua FIRST COUNT [digest|log]\n"
  os.exit(2)
end
task.on_unhandled = on_unhandled
local after_quarter
for i = 0, count - 1 do
  one(first + i, mode)
  if i == count // 4 then after_quarter = kilobytes() end
end
local growth = kilobytes() - after_quarter
if growth > GROWTH then
  print(("WRONG: memory grew by %.1f kB from program %d on"):format(growth, first + count // 4))
  os.exit(1)
end
local list = {}
for kind, n in pairs(steps) do list[#list + 1] = kind .. "=" .. n end
table.sort(list)
print("steps: " .. table.concat(list, " "))
local line = "%d programs, %d tasks, %d waits, %d of them cancelled, %d events, grown by %.1f kB"
print(line:format(total.programs, total.tasks, total.waits, total.cancelled, total.events, growth))
