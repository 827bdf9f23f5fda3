-- SPDX-License-Identifier: MIT
--- Shows that a wait or a computation leaves the loop free: a ticker ticks beside it.
local ticker = {}

local task = require "septet.task"

local PERIOD = 0.01 -- seconds

-- Returns the seconds for which this process was ready to run while the machine ran others.
local function starved()
  local file = io.open "/proc/self/schedstat"
  if not file then return 0 end
  local waited = file:read "a":match "^%d+ (%d+)"
  file:close()
  return waited / 1e9
end

--- Calls fn while a ticker ticks every 10 ms, and returns what fn does. Fails if the ticker ticked
--- less than half as often as the time in between allows. `least` is the number of ticks for which
--- there must have been time, so that the check means something; 4.
---@async
function ticker.beats(fn, least)
  local beats = 0
  local t = task.spawn(function()
    while true do
      task.sleep(PERIOD)
      beats = beats + 1
    end
  end)
  task.checkpoint()
  local began, hungry, before = task.now(), starved(), beats
  local results = table.pack(task.pcall(fn))
  local took = (task.now() - began) / PERIOD
  local allowed = took - (starved() - hungry) / PERIOD
  local ticked = beats - before
  t:cancel()
  task.wait { t }
  if not results[1] then error(results[2], 0) end
  if took < (least or 4) then
    error(("too short for a ticker: time for %.1f ticks"):format(took), 2)
  end
  if ticked < allowed / 2 - 1 then
    error(("the loop was blocked: %d ticks in the time of %.0f"):format(ticked, allowed), 2)
  end
  return table.unpack(results, 2, results.n)
end

return ticker
