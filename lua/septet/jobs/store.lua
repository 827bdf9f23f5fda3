-- SPDX-License-Identifier: MIT
-- The jobs of a queue in memory, by state. Each function moves a job from one state to another.
local Heap = require "septet.jobs.heap"

local store = {}

local FIRST_BACK = -(1 << 53) -- turns of jobs that come back, before all of new ones
local HISTORY = 10            -- failures that a job keeps

function store.new()
  return { jobs = {}, ready = Heap.new(), delayed = Heap.new(), leased = {}, groups = {},
    results = {}, last_result = 0, dead = {}, last_dead = 0, turn = 0, back = FIRST_BACK,
    counts = { pending = 0, waiting = 0, delayed = 0, leased = 0, done = 0, dead = 0 } }
end

-- --- states ---

function store.set_state(all, job, state)
  local counts = all.counts
  if job.state then counts[job.state] = counts[job.state] - 1 end
  if state then counts[state] = counts[state] + 1 end
  job.state = state
end

function store.make_pending(all, job, comes_back)
  if comes_back then
    all.back = all.back + 1
    job.turn = all.back
  else
    all.turn = all.turn + 1
    job.turn = all.turn
  end
  store.set_state(all, job, "pending")
  all.ready:push { -job.priority, job.turn, job }
end

function store.delay(all, job, due)
  job.due = due
  store.set_state(all, job, "delayed")
  all.delayed:push { due, job.key, job }
end

function store.group_of(all, name)
  local group = all.groups[name]
  if not group then
    group = { leased = 0, waiting = Heap.new() }
    all.groups[name] = group
  end
  return group
end

function store.make_waiting(all, job)
  store.set_state(all, job, "waiting")
  store.group_of(all, job.group).waiting:push { -job.priority, job.turn, job }
end

-- Returns the first job of a heap that is still in the given state, or nil. Throws away the entries
-- of the others.
function store.first_of(heap, state, field)
  local entry = heap:top()
  while entry and (entry[3].state ~= state or entry[3][field] ~= entry[field == "due" and 1 or 2])
  do
    heap:pop()
    entry = heap:top()
  end
  return entry and entry[3]
end

-- Makes the first waiting job of a group pending. Returns true if there was one.
function store.wake(all, name)
  local group = all.groups[name]
  local job = group and store.first_of(group.waiting, "waiting", "turn")
  if not job then
    if group and group.leased == 0 then all.groups[name] = nil end
    return false
  end
  group.waiting:pop()
  store.make_pending(all, job, true)
  return true
end

-- Ends the lease of a job. Its new state is set by the caller, before it calls store.leave().
function store.unlease(all, job)
  all.leased[job.key] = nil
  job.token, job.owner, job.lease_end = nil, nil, nil
end

-- Gives the place of a job in its group to the next one.
function store.leave(all, job)
  if not job.group then return end
  local group = store.group_of(all, job.group)
  group.leased = group.leased - 1
  store.wake(all, job.group)
end

function store.note_failure(job, at, err)
  local history = job.history or {}
  history[#history + 1] = { at = at, error = err }
  if #history > HISTORY then table.remove(history, 1) end
  job.history = history
end

function store.bury(all, job, at, err, traceback)
  store.note_failure(job, at, err)
  job.error, job.traceback, job.ended_at = err, traceback, at
  store.set_state(all, job, "dead")
  all.last_dead = all.last_dead + 1
  job.died = all.last_dead
  all.dead[job.died] = job
end

function store.remove(all, job)
  local leased = job.state == "leased"
  if leased then store.unlease(all, job) end
  if job.ended then all.results[job.ended] = nil end
  if job.died then all.dead[job.died] = nil end
  store.set_state(all, job, nil)
  all.jobs[job.key] = nil
  if leased then store.leave(all, job) end
end

function store.revive(all, job)
  all.dead[job.died], job.died = nil, nil
  job.attempts = 0
  store.make_pending(all, job)
end

return store
