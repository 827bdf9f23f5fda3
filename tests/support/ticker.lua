-- SPDX-License-Identifier: MIT
--- Shows that a wait or a computation leaves the loop free: a bystander takes its turns beside it.
--- They are counted, and no time is measured: a slow machine, or one that stands still for a while,
--- changes nothing.
local ticker = {}

local task = require "septet.task"

local LEAST = 10 -- laps in a wait
local TRIES = 10 -- at a wait that something beside the loop may end too soon
local MOMENT = 1e-9 -- seconds

local function lap() task.sleep(MOMENT) end

-- Calls fn while a bystander calls `step` again and again. Returns how often it did, then what fn
-- gave.
local function beside(step, fn)
  local n = 0
  local bystander = task.spawn(function()
    while true do
      step()
      n = n + 1
    end
  end)
  task.checkpoint() -- it has begun
  n = 0
  local results = table.pack(task.pcall(fn))
  local seen = n
  bystander:cancel()
  task.wait { bystander }
  if not results[1] then error(results[2], 0) end
  return seen, table.unpack(results, 2, results.n)
end

local function enough(least, what, n, ...)
  if n < least then
    error(("the loop was blocked: a bystander took %d %s of %d"):format(n, what, least), 2)
  end
  return ...
end

--- Calls fn, which computes in slices, and returns what it does. Fails if a bystander that is
--- always ready took fewer than `least` turns meanwhile: one comes between two slices.
---@async
function ticker.turns(least, fn)
  return enough(least, "turns", beside(task.checkpoint, fn))
end

--- As turns, for fn that computes in slices what it waited for before: a turn counts where Lua's
--- memory is not as it was in the turn before. It does not change while fn waits.
---@async
function ticker.pieces(least, fn)
  local last
  return enough(least, "turns", beside(function()
    repeat
      task.checkpoint()
      local now = collectgarbage "count"
      local is_same = now == last
      last = now
    until not is_same
  end, fn))
end

--- Calls fn, which moves bytes or jobs in pieces, and returns what it does. Fails if the loop made
--- fewer than `least` laps meanwhile, in which it looked at its timers and its files. There is one
--- for each wait of fn.
---@async
function ticker.laps(least, fn)
  return enough(least, "laps", beside(lap, fn))
end

--- Calls fn, which waits for a time, for a thread or for a program, and returns what it does. Fails
--- if the loop made no laps meanwhile. What is waited for goes on where the machine lets the loop
--- stand still, so fn gets some more tries.
---@async
function ticker.waits(fn)
  for _ = 2, TRIES do
    local results = table.pack(beside(lap, fn))
    if results[1] >= LEAST then return table.unpack(results, 2, results.n) end
  end
  return enough(LEAST, "laps", beside(lap, fn))
end

--- Waits for some laps of the loop.
---@async
function ticker.some_laps()
  for _ = 1, 2 * LEAST do lap() end
end

--- Calls fn after some laps of the loop. Returns the task that does.
---@async
function ticker.later(fn, ...)
  return task.background(function(...)
    ticker.some_laps()
    fn(...)
  end, ...)
end

return ticker
