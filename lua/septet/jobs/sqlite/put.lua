-- SPDX-License-Identifier: MIT
-- Puts jobs into a queue in a file.
local core = require "septet.core"
local request = require "septet.jobs.sqlite.request"

local put = {}

local SLICE = 1000 -- jobs that are put without a pause
local TEN = 10     -- jobs that one statement puts, if none is put again

-- A job as the tables have it: its state, and its rank among those of that state.
local PENDING, DELAYED = 0, 2

local function add_one(ids, list, n, job, wall, place)
  local delay = job.delay or 0
  list[n + 1], list[n + 2], list[n + 3] = ids.put, place, job.key
  list[n + 4], list[n + 5], list[n + 6] = job.data or false, job.priority or 0, job.group or false
  list[n + 7], list[n + 8] = wall, delay > 0 and DELAYED or PENDING
  list[n + 9], list[n + 10] = delay > 0 and wall + delay or 0, job.again or false
  return n + 10
end

local function add_ten(ids, list, n, jobs, first, wall, place)
  list[n + 1], list[n + 2], list[n + 3] = ids.put_ten, place, wall
  n = n + 3
  for i = first, first + TEN - 1 do
    local job = jobs[i]
    local delay = job.delay or 0
    list[n + 1], list[n + 2], list[n + 3] = job.key, job.data or false, job.priority or 0
    list[n + 4], list[n + 5] = job.group or false, delay > 0 and DELAYED or PENDING
    list[n + 6] = delay > 0 and wall + delay or 0
    n = n + 6
  end
  return n
end

-- Returns true if one statement puts ten jobs of a list.
local function are_ten(jobs, first)
  for i = first, first + TEN - 1 do
    if not jobs[i] or jobs[i].again then return false end
  end
  return true
end

--- Appends the steps that put jobs of a list, from the one given to the last, which has a number of
--- turns behind it. Returns the list's new length. Appends the first job of each step to `steps`.
function put.add(ids, list, n, jobs, from, to, wall, behind, steps)
  local i = from
  while i <= to do
    steps[#steps + 1] = i
    if i + TEN - 1 <= to and are_ten(jobs, i) then
      n = add_ten(ids, list, n, jobs, i, wall, behind + to - i)
      i = i + TEN
    else
      n = add_one(ids, list, n, jobs[i], wall, behind + to - i)
      i = i + 1
    end
  end
  return n
end

-- Sets which jobs are new, of those that were put by tens of which only some were: the ones that
-- have their turn.
local function tell_apart(self, jobs, new, mixed, turn)
  for first = 1, #mixed, SLICE do
    local list, n, last = {}, 0, math.min(first + SLICE - 1, #mixed)
    for k = first, last do
      local i = mixed[k]
      list[n + 1], list[n + 2], list[n + 3] = self.ids.has_turn, jobs[i].key, turn - (#jobs - i)
      n = n + 3
    end
    local changed = request.run(self, list, n)
    for k = first, last do new[mixed[k]] = changed[k - first + 1] == 1 or nil end
  end
end

--- Adds jobs. Returns the number of new ones, and if `which` is set, a table with true for each.
function put.put(self, jobs, which)
  local ids, wall, total, steps = self.ids, self.clock.wall(), #jobs, {}
  local list, n, program = { ids.take_numbers, total, 0, 0, ids.numbers }, 5, nil
  for from = 1, total, SLICE do
    local to = math.min(from + SLICE - 1, total)
    n = put.add(ids, list, n, jobs, from, to, wall, total - to, steps)
    if to < total then
      program = program or self.db:program()
      self.db:add(list, n, 0, program)
      n = 0
      core.pause()
    end
  end
  local changed, numbers = request.run(self, list, n, 0, program)
  local count, new, mixed = 0, {}, {}
  for k, first in ipairs(steps) do
    local some, last = changed[k + 2], (steps[k + 1] or total + 1) - 1
    local is_mixed = some > 0 and some <= last - first
    count = count + some
    for i = first, last do
      if is_mixed then mixed[#mixed + 1] = i else new[i] = some > 0 or nil end
    end
  end
  if not which then return count end
  if #mixed > 0 then tell_apart(self, jobs, new, mixed, numbers[1]) end
  return count, new
end

return put
