-- SPDX-License-Identifier: MIT
-- Ends the leases of jobs of a queue in a file.
local put = require "septet.jobs.sqlite.put"
local request = require "septet.jobs.sqlite.request"

local ends = {}

-- Key of the row of a job that was taken. It is there only if nothing but the job itself changes
-- when it ends: it has no older result, and no group, as far as is known.
local ROW = {}
ends.ROW = ROW

local COUNTS = { back = "count_back", retry = "count_back", dead = "count_died" }

-- Appends the steps that end a lease, if the token has it. Returns the list's new length, the
-- number of steps, and whether another job of its group, or an older result, may follow from it.
local function add_held(ids, list, n, ending)
  local row = not ending.group and rawget(ending, ROW)
  if row then
    list[n + 1], list[n + 2], list[n + 3], list[n + 4] = ids.release_it, row, false, false
    list[n + 5], list[n + 6] = ending.token, ending.key
    return n + 6, 1, false
  end
  list[n + 1], list[n + 2], list[n + 3], list[n + 4] = ids.held, ending.key, ending.token,
    ids.release
  return n + 4, 2, true
end

-- Appends the steps that end a job. Returns the list's new length, and their number.
local function add_ending(ids, list, n, ending, wall, place)
  local how, at, steps, may_wake = ending.how, add_held(ids, list, n, ending)
  n = at
  if how == "done" then
    list[n + 1], list[n + 2], list[n + 3], list[n + 4] = ids.done, place, ending.token, wall
    list[n + 5], list[n + 6], list[n + 7] = ids.result, place, wall
    list[n + 8] = ending.result or false
    n, steps = n + 8, steps + 2
    if may_wake then list[n + 1], n, steps = ids.replace, n + 1, steps + 1 end
  else
    if how == "retry" and (ending.delay or 0) > 0 then how = "retry_later" end
    list[n + 1], list[n + 2], n, steps = ids[how], ending.token, n + 2, steps + 1
    if how ~= "back" then list[n + 1], n = wall, n + 1 end
    if how ~= "back" and how ~= "dropped" then list[n + 1], n = ending.error or false, n + 1 end
    if how == "dead" then list[n + 1], n = ending.traceback or false, n + 1 end
    if how == "retry_later" then list[n + 1], n = wall + ending.delay, n + 1 end
  end
  if COUNTS[how] then
    list[n + 1], n, steps = ids[COUNTS[how]], n + 1, steps + 1
  end
  if not may_wake then return n, steps end
  list[n + 1], list[n + 2] = ids.wake, ids.count_woken
  return n + 2, steps + 2
end

-- Returns the numbers of results and of puts, and the keys that occur more than once.
local function count_ends(given)
  local results, puts, seen, twice = 0, 0, {}, nil
  for _, ending in ipairs(given) do
    if ending.how == "done" then results = results + 1 end
    puts = puts + (ending.puts and #ending.puts or 0)
    if seen[ending.key] then
      twice = twice or {}
      twice[ending.key] = true
    end
    seen[ending.key] = true
  end
  return results, puts, twice or {}
end

--- Returns a list of steps that end jobs, its length, the number of steps, and where the answers
--- are: `first`, the step that begins each end; `puts`, the first and the last step that put the
--- jobs of each; and `asked`, the ends that are asked for before they are tried, as another end of
--- their job follows.
function ends.add(self, given)
  local ids, wall = self.ids, self.clock.wall()
  local results, puts, twice = count_ends(given)
  local list, n, step = { ids.take_numbers, puts, results, wall, ids.numbers }, 5, 2
  local places = { first = {}, puts = {}, asked = {} }
  for i, ending in ipairs(given) do
    if ending.how == "done" then results = results - 1 end
    if twice[ending.key] then
      list[n + 1], list[n + 2], list[n + 3] = ids.has_ended, ending.key, ending.token
      n, step = n + 3, step + 1
      places.asked[#places.asked + 1] = i
    end
    local count
    n, count = add_ending(ids, list, n, ending, wall, results)
    places.first[i], step = step + 1, step + count
    if ending.puts then
      local steps, jobs = {}, ending.puts
      puts = puts - #jobs
      n = put.add(ids, list, n, jobs, 1, #jobs, wall, puts, steps)
      places.puts[i] = { step + 1, step + #steps }
      step = step + #steps
    end
  end
  return list, n, step, places
end

-- Sets the answers of the ends that were refused: true if their tokens have ended the jobs before.
local function look_again(self, given, answers)
  local list, n, which = {}, 0, {}
  for i, ending in ipairs(given) do
    if not answers[i] then
      list[n + 1], list[n + 2], list[n + 3] = self.ids.has_ended, ending.key, ending.token
      n = n + 3
      which[#which + 1] = i
    end
  end
  if n == 0 then return end
  local found = request.packed(self, list, n)
  for k, i in ipairs(which) do answers[i] = found[k + 1][1] == 1 end
end

--- Returns for each end if its lease held, and how many of the jobs that it put were new.
function ends.answers(self, given, found, places)
  local changed, answers, new = found[1], {}, {}
  for i in ipairs(given) do
    answers[i] = changed[places.first[i]] == 1
    local steps = places.puts[i]
    if steps then
      new[i] = 0
      for step = steps[1], steps[2] do new[i] = new[i] + math.max(changed[step], 0) end
    end
  end
  for k, i in ipairs(places.asked) do answers[i] = answers[i] or found[k + 2][1] == 1 end
  look_again(self, given, answers)
  return answers, new
end

return ends
