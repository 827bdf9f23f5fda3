-- SPDX-License-Identifier: MIT
-- What is done with a queue in a file beside running its jobs: looking at it, and mending it.
local core = require "septet.core"
local json = require "septet.json"
local opening = require "septet.jobs.sqlite.opening"
local request = require "septet.jobs.sqlite.request"

local hand = {}

local COUNT_SHARE = 20    -- counting takes at most this part of the time
local COUNT_LONG = 20000  -- jobs from which on counting is rationed
local FORGOTTEN = 5000    -- jobs that one statement forgets
local ALL = 1 << 40       -- jobs

local function run(self, list) return request.run(self, list, #list) end

-- --- what is there ---

-- Returns the row of counts. Those of a long queue are kept for a while, because counting it takes
-- the thread's time.
local function counts_of(self)
  local now = core.now()
  if self.counts and now < self.counts_until then return self.counts end
  local _, row = run(self, { self.ids.counts })
  local took, jobs = core.now() - now, 0
  for i = 1, 6 do jobs = jobs + row[i] end
  self.counts = row
  self.counts_until = jobs < COUNT_LONG and 0 or now + took * COUNT_SHARE
  return row
end

function hand:stats()
  local wall = self.clock.wall()
  local c = counts_of(self)
  local _, recent = run(self, { self.ids.rate, wall })
  return { pending = c[1], waiting = c[2], delayed = c[3], leased = c[4], done = c[5], dead = c[6],
    oldest = c[7] and math.max(0, wall - c[7]) or nil,
    rate = recent[1] / math.max(recent[1] < 1000 and 1 or 0.001, wall - recent[2]) }
end

--- Returns up to n results behind a cursor, and the next cursor, or nil at the end.
function hand:results(after, n)
  local _, rows = run(self, { self.ids.results, after or 0, n })
  local list = {}
  for i = 1, #rows, 4 do
    list[#list + 1] = { key = rows[i + 1], result = rows[i + 2] or nil, at = rows[i + 3] }
  end
  return list, #list == n and rows[#rows - 3] or nil
end

-- Returns the failures of a job. SQLite writes the bytes of an error into the JSON as they are.
local function history_of(text)
  if text == nil or utf8.len(text) then return text and json.decode(text) or {} end
  local list = json.decode((text:gsub("[\x80-\xFF]", function(c) return utf8.char(c:byte()) end)))
  for _, failure in ipairs(list) do
    failure.error = failure.error and failure.error:gsub("[\xC2\xC3][\x80-\xBF]", function(c)
      return string.char(utf8.codepoint(c))
    end)
  end
  return list
end

--- Returns up to n dead jobs behind a cursor, and the next cursor, or nil at the end.
function hand:dead(after, n)
  local _, rows = run(self, { self.ids.dead_jobs, after or 0, n })
  local list = {}
  for i = 1, #rows, 8 do
    list[#list + 1] = { key = rows[i + 1], data = rows[i + 2] or nil, error = rows[i + 3] or nil,
      traceback = rows[i + 4] or nil, attempts = rows[i + 5],
      history = history_of(rows[i + 6] or nil), at = rows[i + 7] }
  end
  return list, #list == n and rows[#rows - 7] or nil
end

-- --- what is mended ---

--- Makes a dead job pending, or all. Returns their number.
function hand:retry(key)
  local ids = self.ids
  if key then return run(self, { ids.take_numbers, 1, 0, 0, ids.revive, key })[2] end
  return run(self, { ids.all_dead, ALL, ids.revive_each, ids.count_turn })[1]
end

--- Removes a job in any state. Returns whether there was one.
function hand:remove(key)
  local ids = self.ids
  return run(self, { ids.find, key, ids.remove, ids.release, ids.replace, ids.wake,
    ids.count_woken })[1] == 1
end

function hand:clear()
  run(self, { self.ids.clear })
  self.counts = nil
end

--- Removes the jobs that were done so many seconds ago. Returns their number.
function hand:forget(seconds)
  local ids, before, count, after = self.ids, self.clock.wall() - seconds, 0, 0
  repeat
    local n = run(self, { ids.forget_ranked_results, before, FORGOTTEN, ids.forget_ranked, before,
      FORGOTTEN })[2]
    count = count + n
  until n < FORGOTTEN
  repeat -- a result that is older than the one before it has a rank
    local changed, part = run(self, { ids.part, after, FORGOTTEN, ids.forget, after, FORGOTTEN,
      before, ids.forget_results, after, FORGOTTEN })
    count, after = count + changed[2], part[1]
  until part[2] < FORGOTTEN or part[3] > before
  return count
end

--- Returns what is wrong with the file, and with what the tables say: nothing, if all is well.
function hand:check()
  local _, found, wrong = run(self, { self.ids.integrity, self.ids.invariants })
  if found[1] == "ok" then table.remove(found, 1) end
  return table.move(wrong, 1, #wrong, #found + 1, found)
end

--- Gives back what this driver has leased, and closes the file.
function hand:close()
  local ids = self.ids
  self.closing = true -- a take of several requests begins no more of them
  local changed, word, reason = self.db:run({ ids.owned, ALL, self.id, ids.give_back,
    ids.count_back_each, ids.release_each, ids.wake_each, ids.count_woken_each, ids.remove_owner,
    self.id }, 10, 1)
  self.db:close()
  if not changed and word ~= "closed" then opening.raise(self.shown, word, reason) end
end

return hand
