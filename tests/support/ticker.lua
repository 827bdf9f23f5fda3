-- SPDX-License-Identifier: MIT
--- Shows that a wait or a computation leaves the loop free: a ticker ticks beside it.
local ticker = {}

local task = require "septet.task"

local PERIOD = 0.01 -- seconds
local LONG = 5 * PERIOD -- a gap between two ticks in which the loop was blocked

local function first_line_of(path)
  local file = io.open(path)
  local line = file and file:read()
  if file then file:close() end
  return line or ""
end

-- Returns the seconds for which this process was ready to run while the machine ran others, and
-- those for which the machine itself stood still.
local function starved()
  local waited = first_line_of "/proc/self/schedstat":match "^%d+ (%d+)"
  local stolen = first_line_of "/proc/stat":match("^cpu" .. (" +%d+"):rep(7) .. " +(%d+)")
  return (waited or 0) / 1e9 + (stolen or 0) / 100
end

--- Calls fn while a ticker ticks every 10 ms, and returns what fn does. Fails if the loop was
--- blocked for half of the time in between or longer: a gap between two ticks is one in which it
--- was blocked if it is longer than five ticks, or than half of a short time. What the process or
--- the machine waited for others does not count. `least` is the number of ticks for which there
--- must have been time, so that the check means something; 4.
---@async
function ticker.beats(fn, least)
  local gaps, began, hungry = {}, nil, nil
  local function beat()
    local now, starving = task.now(), starved()
    if began then gaps[#gaps + 1] = now - began - (starving - hungry) end
    began, hungry = now, starving
  end
  local t = task.spawn(function()
    while true do
      task.sleep(PERIOD)
      beat()
    end
  end)
  task.checkpoint()
  beat()
  local start = began
  local results = table.pack(task.pcall(fn))
  local took = task.now() - start
  beat()
  t:cancel()
  task.wait { t }
  if not results[1] then error(results[2], 0) end
  if took < (least or 4) * PERIOD then
    error(("too short for a ticker: time for %.1f ticks"):format(took / PERIOD), 2)
  end
  local free, blocked = 0, 0
  for _, gap in ipairs(gaps) do free = free + math.max(gap, 0) end
  for _, gap in ipairs(gaps) do
    if gap > math.max(2 * PERIOD, math.min(LONG, free / 2)) then blocked = blocked + gap end
  end
  if blocked > free / 2 then
    error(("the loop was blocked for %.3f s of %.3f s"):format(blocked, free), 2)
  end
  return table.unpack(results, 2, results.n)
end

return ticker
