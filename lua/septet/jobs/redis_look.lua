-- SPDX-License-Identifier: MIT
-- The methods of a queue on a Redis server that look at it, and that change it by hand.
local core = require "septet.core"
local words = require "septet.jobs.redis_words"

local STEP = 500 -- rows of a script

local seconds = words.seconds

--- Adds the methods to a driver. `one` runs a script, and `token` returns a new token.
return function(Driver, one, token)

-- --- what is there ---

---@async
function Driver:stats()
  local reply = one(self, "stats")
  local stats = { pending = reply[1], waiting = reply[2], delayed = reply[3], leased = reply[4],
    dead = reply[6], oldest = tonumber(reply[7]), rate = tonumber(reply[8]) }
  stats.done = reply[5] - stats.pending - stats.waiting - stats.delayed - stats.leased - stats.dead
  return stats
end

---@async
function Driver:results(after, n)
  local reply, list = one(self, "results", tostring(after or 0), tostring(n)), {}
  for i = 2, #reply, 3 do
    list[#list + 1] = { key = reply[i], result = reply[i + 1] or nil, at = tonumber(reply[i + 2]) }
  end
  return list, math.tointeger(tonumber(reply[1]))
end

local function history_of(notes)
  local list = {}
  for i = 3, #notes, 2 do
    list[#list + 1] = { at = tonumber(notes[i]), error = notes[i + 1] or nil }
  end
  return list
end

---@async
function Driver:dead(after, n)
  local reply, list = one(self, "dead", tostring(after or 0), tostring(n)), {}
  for i = 2, #reply, 5 do
    local notes = reply[i + 4]
    list[#list + 1] = { key = reply[i], data = reply[i + 1] or nil, attempts = reply[i + 2],
      at = tonumber(reply[i + 3]), error = notes[1] or nil, traceback = notes[2] or nil,
      history = history_of(notes) }
  end
  return list, math.tointeger(tonumber(reply[1]))
end

-- --- the hand ---

--- Makes a dead job pending, or all. Returns their number.
---@async
function Driver:retry(key)
  if key then return one(self, "retry", token(self), key) end
  local n, last, reply = 0, -1
  repeat
    reply = one(self, "retry_all", tostring(last), tostring(STEP))
    n, last = n + reply[1], reply[2]
  until reply[1] == 0
  return n
end

---@async
function Driver:remove(key) return one(self, "remove", token(self), key) == 1 end

---@async
function Driver:clear() one(self, "clear", token(self)) end

--- Removes the jobs that were done so many seconds ago. Returns their number.
---@async
function Driver:forget(age)
  local n, after = 0, "0"
  local before = self.clock and self.clock.wall() or tonumber(one(self, "now"))
  repeat
    local reply = one(self, "forget", seconds(before - age), after, tostring(STEP))
    n, after = n + reply[1], reply[2]
  until after == ""
  return n
end

--- Returns what is wrong, in words.
---@async
function Driver:check()
  local found, cursor = {}, "0"
  repeat
    local reply = one(self, "check", cursor, tostring(STEP))
    cursor = reply[1]
    for i = 1, #reply[2], 2 do
      found[#found + 1] = ("the job '%s' is not in '%s'"):format(core.escape(reply[2][i]),
        core.escape(reply[2][i + 1]))
    end
  until cursor == "0"
  return found
end

end
