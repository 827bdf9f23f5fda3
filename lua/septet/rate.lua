-- Pacing: at most so many starts in any window of so many seconds, first come first served.
local core = require "septet.core"
local args = require "septet.args"
local blocks = require "septet.blocks"
local sync = require "septet.sync"

local rate = {}

local UNITS = { s = 1, m = 60, h = 3600 }

-- "10/s", "5/15s", "100/m": how many, and in how many seconds.
local function parse(text)
  local n, times, unit = text:match("^(%d+)/(%d*)([smh])$")
  n = tonumber(n)
  local seconds = unit and (times == "" and 1 or tonumber(times)) * UNITS[unit]
  if not n or n < 1 or n > 100000 or seconds == 0 then
    args.usage("bad rate '%s' (as \"10/s\", \"5/15s\" or \"100/m\" expected)", text)
  end
  return n, seconds
end

local function new_window(n, seconds)
  return { n = n, seconds = seconds, count = 0, starts = {}, turn = sync.lock() }
end

-- When the next may start: no sooner than the window after the start that is n back.
local function next_start(window)
  local before = window.starts[window.count % window.n]
  return before and before + window.seconds or 0
end

-- Waits in line, and at its head for the instant. Who is cancelled, or has no time left, has taken nothing.
local function take_turn(window)
  local at = next_start(window)
  if at > core.now() then core.sleep(at - core.now()) end
  window.starts[window.count % window.n] = math.max(at, core.now())
  window.count = window.count + 1
end

--- A function that waits until a request to `url` may start.
---@param option string|{[1]: string, per: "host"|"session"|nil}|nil "10/s"; `per` host: each on its own
---@return (fun(url: string, left: number|nil): boolean)|nil false where the seconds that are left do not do
function rate.pacer(option, origin)
  if option == nil then return nil end
  if type(option) == "string" then option = { option } end
  if type(option) ~= "table" or type(option[1]) ~= "string" then
    args.usage("bad option 'rate' to 'session' (as \"10/s\" expected)")
  end
  local per = option.per or "session"
  if per ~= "host" and per ~= "session" then
    args.usage("bad option 'rate' to 'session' ('per' is none of 'host', 'session')")
  end
  local n, seconds = parse(option[1])
  local windows = {}
  return function(url, left)
    local key = per == "host" and origin(url) or ""
    windows[key] = windows[key] or new_window(n, seconds)
    local window = windows[key]
    if not left then
      window.turn:with(take_turn, window)
      return true
    end
    return (blocks.move_on_after(left, window.turn.with, window.turn, take_turn, window))
  end
end

return rate
