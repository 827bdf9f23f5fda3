-- SPDX-License-Identifier: MIT
-- The jobs of a queue in memory, by state. Each function moves a job from one state to another. No
-- step takes longer for more jobs, but by the depth of a heap.
local Heap = require "septet.jobs.heap"
local failure = require "septet.jobs.failure"

local store = {}

local FIRST_BACK <const> = -(1 << 53) -- turns of jobs that come back, before all of new ones
local HISTORY <const> = 10            -- failures that a job keeps

-- Returns the test of a heap: its jobs are in a state, and the given field is still the one in
-- the entry.
local function current(state, field, at)
  return function(entry)
    local job = entry[3]
    return job.state == state and job[field] == entry[at]
  end
end
local is_pending, is_waiting = current("pending", "turn", 2), current("waiting", "turn", 2)
local is_delayed, is_leased = current("delayed", "due", 1), current("leased", "renewed", 2)
local is_done = current("done", "done", 2)

function store.new()
  return { jobs = {}, turn = 0, back = FIRST_BACK, number = 0,
    pending = Heap.new(is_pending), -- by -priority - 1, turn
    delayed = Heap.new(is_delayed), -- by due, key
    leases = Heap.new(is_leased),   -- by end, number
    oldest = false,                 -- by put_at, turn of those that are pending; made if asked for
    done = Heap.new(is_done),       -- by the instant of the end, number
    tokens = {},                    -- lists of the jobs that were taken under a token, in order
    owners = {},                    -- numbers of jobs that an owner has leased
    groups = {},                    -- { leased = number, waiting = heap } by name
    results = { first = 1, last = 0 }, dead = { first = 1, last = 0 },
    counts = { pending = 0, waiting = 0, delayed = 0, leased = 0, done = 0, dead = 0 } }
end

--- Removes all jobs. A cursor from before lies behind no job that comes.
function store.clear(all)
  local ended, died = all.results.last, all.dead.last
  for name, value in pairs(store.new()) do all[name] = value end
  all.results = { first = ended + 1, last = ended }
  all.dead = { first = died + 1, last = died }
end

-- --- sequences with gaps ---

local function append(sequence, job)
  sequence.last = sequence.last + 1
  sequence[sequence.last] = job
  return sequence.last
end

local function take_out(sequence, at)
  sequence[at] = nil
  if at == sequence.first then
    while sequence.first <= sequence.last and not sequence[sequence.first] do
      sequence.first = sequence.first + 1
    end
  end
end

--- Returns up to n jobs of a sequence behind a number, and the number of the last one, nil at the
--- end.
---@return table[]
---@return integer|nil
function store.page(sequence, after, n)
  local list, i = {}, math.max(after or 0, sequence.first - 1)
  while i < sequence.last and #list < n do
    i = i + 1
    list[#list + 1] = sequence[i]
  end
  return list, i < sequence.last and i or nil
end

-- --- states ---

local function set_state(all, job, state)
  local counts = all.counts
  if job.state then counts[job.state] = counts[job.state] - 1 end
  if state then counts[state] = counts[state] + 1 end
  job.state = state
end

local function note_age(all, job)
  all.oldest:push({ job.put_at, job.turn, job }, all.counts.pending)
end

--- Makes a job pending: behind all others, or before all new ones if it comes back.
function store.make_pending(all, job, comes_back)
  if comes_back then
    all.back = all.back + 1
    job.turn = all.back
  else
    all.turn = all.turn + 1
    job.turn = all.turn
  end
  set_state(all, job, "pending")
  all.pending:push({ ~job.priority, job.turn, job }, all.counts.pending)
  if all.oldest then note_age(all, job) end
end

--- Returns the oldest pending job, or nil.
function store.oldest(all)
  if not all.oldest then
    all.oldest = Heap.new(is_pending)
    for _, job in pairs(all.jobs) do
      if job.state == "pending" then note_age(all, job) end
    end
  end
  return (all.oldest:first())
end

function store.delay(all, job, due)
  job.due = due
  set_state(all, job, "delayed")
  all.delayed:push({ due, job.key, job }, all.counts.delayed)
end

local function group_of(all, name)
  local group = all.groups[name]
  if not group then
    group = { leased = 0, waiting = Heap.new(is_waiting) }
    all.groups[name] = group
  end
  return group
end

--- Returns true if so many jobs of a group are leased.
function store.is_full(all, name, limit)
  local group = all.groups[name]
  return (group and group.leased or 0) >= limit
end

function store.make_waiting(all, job)
  set_state(all, job, "waiting")
  local group = group_of(all, job.group)
  group.waiting:push({ ~job.priority, job.turn, job }, all.counts.waiting)
end

--- Makes the first waiting job of a group pending. Returns true if there was one.
function store.wake(all, name)
  local group = all.groups[name]
  local job = group and group.waiting:first()
  if not job then
    if group and group.leased == 0 then all.groups[name] = nil end
    return false
  end
  store.make_pending(all, job, true)
  return true
end

--- Counts a leased job in its group.
function store.enter(all, job, name)
  local group = group_of(all, name)
  job.group = name
  group.leased = group.leased + 1
end

function store.set_lease_end(all, job, lease_end)
  all.number = all.number + 1
  job.renewed = all.number
  all.leases:push({ lease_end, job.renewed, job }, all.counts.leased)
end

function store.lease(all, job, owner, token, lease_end)
  set_state(all, job, "leased")
  job.owner, job.token = owner, token
  all.owners[owner] = (all.owners[owner] or 0) + 1
  store.set_lease_end(all, job, lease_end)
  local list = all.tokens[token] or {}
  all.tokens[token] = list
  list[#list + 1] = job
  if job.group then store.enter(all, job, job.group) end
end

--- Ends the lease of a job. Its new state is set by the caller, before it calls store.leave().
function store.unlease(all, job)
  local list = all.tokens[job.token]
  for i, other in ipairs(list) do
    if other == job then table.remove(list, i) end
  end
  if #list == 0 then all.tokens[job.token] = nil end
  local left = all.owners[job.owner] - 1
  all.owners[job.owner] = left > 0 and left or nil
  job.token, job.owner = nil, nil
end

--- Gives the place of a job in its group to the next one.
function store.leave(all, job)
  if not job.group then return end
  local group = group_of(all, job.group)
  group.leased = group.leased - 1
  store.wake(all, job.group)
end

-- --- ends ---

function store.note_failure(job, at, err)
  local history = job.history or {}
  history[#history + 1] = { at = at, error = err }
  if #history > HISTORY then table.remove(history, 1) end
  job.history = history
end

function store.bury(all, job, at, err, traceback)
  store.note_failure(job, at, err)
  job.error, job.traceback, job.ended_at = err, traceback, at
  set_state(all, job, "dead")
  job.died = append(all.dead, job)
end

--- Ends the attempt of a worker that is gone. It counts.
function store.lose(all, job, at, attempts)
  store.unlease(all, job)
  job.attempts = job.attempts + 1
  if job.attempts >= attempts then
    store.bury(all, job, at, failure.LOST)
  else
    store.note_failure(job, at, failure.LOST)
    store.make_pending(all, job, true)
  end
  store.leave(all, job)
end

--- Ends a job that is done. A dropped one has no result, and an older one stays.
function store.complete(all, job, at, result, is_dropped)
  if not is_dropped then
    if job.ended then take_out(all.results, job.ended) end
    job.ended = append(all.results, job)
    job.result, job.result_at = result, at
  end
  job.data, job.history = nil, nil
  all.number = all.number + 1
  job.done = all.number
  set_state(all, job, "done")
  all.done:push({ at, job.done, job }, all.counts.done)
end

-- --- from outside ---

local function rise(all, job)
  if job.died then take_out(all.dead, job.died) end
  job.died, job.attempts = nil, 0
end

--- Puts a job, if its key is new or may be put again. Returns true if so.
function store.put(all, at, given)
  local job = all.jobs[given.key]
  if job then
    if not given.again or job.state ~= "done" and job.state ~= "dead" then return false end
    rise(all, job)
    job.history, job.error, job.traceback = nil, nil, nil
  else
    job = { key = given.key, attempts = 0 }
    all.jobs[given.key] = job
  end
  job.data, job.priority, job.group = given.data, given.priority or 0, given.group
  job.put_at = at
  if (given.delay or 0) > 0 then
    store.delay(all, job, at + given.delay)
  else
    store.make_pending(all, job)
  end
  return true
end

--- Makes a dead job pending. Its history stays.
function store.revive(all, job)
  rise(all, job)
  store.make_pending(all, job)
end

function store.remove(all, job)
  local leaves = job.state == "leased"
  if leaves then store.unlease(all, job) end
  if job.ended then take_out(all.results, job.ended) end
  if job.died then take_out(all.dead, job.died) end
  set_state(all, job, nil)
  all.jobs[job.key] = nil
  if leaves then store.leave(all, job) end
end

return store
