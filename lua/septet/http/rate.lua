-- SPDX-License-Identifier: MIT
-- Pacing: limits the number of starts in any window of a length in seconds, in FIFO order.
local core = require "septet.core"
local args = require "septet.internal.args"
local blocks = require "septet.task.blocks"
local sync = require "septet.sync"

local rate = {}

local SWEEP = 1000 -- number of windows from which on unused ones are dropped

local UNITS = { s = 1, m = 60, h = 3600 }

-- Parses "10/s", "5/15s" or "100/m". Returns the number of starts and the window in seconds.
local function parse(text)
  local n, times, unit = text:match("^(%d+)/(%d*)([smh])$")
  n = tonumber(n)
  local seconds = unit and (times == "" and 1 or tonumber(times)) * UNITS[unit]
  if not n or n < 1 or n > 100000 or seconds == 0 then
    args.usage("bad rate '%s' (as \"10/s\", \"5/15s\" or \"100/m\" expected)", text)
  end
  return n, seconds
end

-- The starts of the requests with one key.
---@class septet.RateWindow
---@field n integer number of starts in any `seconds`
---@field seconds number
---@field count integer number of starts so far
---@field starts table<integer, number> instants of the last n, at their number modulo n
---@field turn septet.Lock held while a caller waits for its start
---@field waiting integer number of callers in line

local function new_window(n, seconds)
  return { n = n, seconds = seconds, count = 0, starts = {}, turn = sync.lock(), waiting = 0 }
end

-- Returns when the next request may start: a window's length after the start that is n back.
local function next_start(window)
  local before = window.starts[window.count % window.n]
  return before and before + window.seconds or 0
end

-- Waits in line, then for the start time. A cancelled or timed-out caller does not consume a slot.
local function take_turn(window)
  local at = next_start(window)
  if at > core.now() then core.sleep_until(at) end
  window.starts[window.count % window.n] = math.max(at, core.now())
  window.count = window.count + 1
end

-- Returns a function that gives the window of a key. A window without starts in its period equals a
-- fresh one and can be dropped.
local function new_windows(n, seconds)
  local by_key, number, sweep_at = {}, 0, SWEEP
  local function sweep()
    local now = core.now()
    for key, window in pairs(by_key) do
      local last = window.starts[(window.count - 1) % n]
      if window.waiting == 0 and (not last or last + seconds < now) then
        by_key[key] = nil
        number = number - 1
      end
    end
    sweep_at = math.max(SWEEP, 2 * number)
  end
  return function(key)
    local window = by_key[key]
    if window then return window end
    if number >= sweep_at then sweep() end
    window = new_window(n, seconds)
    by_key[key], number = window, number + 1
    return window
  end
end

-- Waits for the caller's turn, and counts it as waiting until it returns or raises.
local function in_turn(window)
  window.waiting = window.waiting + 1
  local _ <close> = setmetatable({},
    { __close = function() window.waiting = window.waiting - 1 end })
  window.turn:with(take_turn, window)
  return true
end

local function key_function(per, origin)
  if per == nil or per == "session" then return function() return "" end end
  if per == "host" then return origin end
  if type(per) == "function" then return per end
  args.usage("bad option 'rate' to 'session' ('host', 'session' or a function expected as 'per')")
end

--- Returns a function that waits until a request to `url` may start, or returns false if that takes
--- more than `left` seconds. A rate is given as "10/s". Each key that `per` gives has its own.
---@param option string|{[1]: string, per: "host"|"session"|(fun(url: string): any)|nil}|nil
---@return (fun(url: string, left: number|nil): boolean)|nil
function rate.pacer(option, origin)
  if option == nil then return nil end
  if type(option) == "string" then option = { option } end
  if type(option) ~= "table" or type(option[1]) ~= "string" then
    args.usage("bad option 'rate' to 'session' (a text such as \"10/s\" expected)")
  end
  local key_of = key_function(option.per, origin)
  local window_of = new_windows(parse(option[1]))
  return function(url, left)
    local key = key_of(url)
    if key == nil then return true end -- no rate applies
    local window = window_of(key)
    if not left then return in_turn(window) end
    return (blocks.move_on_after(left, in_turn, window))
  end
end

return rate
