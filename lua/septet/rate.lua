-- Pacing: at most so many starts in any window of so many seconds, first come first served.
local core = require "septet.core"
local args = require "septet.args"

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
  return { n = n, seconds = seconds, count = 0, starts = {} }
end

-- Takes the next free instant: no sooner than the window after the start that is n back.
local function reserve(window, now)
  local i = window.count % window.n
  local before = window.starts[i]
  local at = before and math.max(now, before + window.seconds) or now
  window.starts[i] = at
  window.count = window.count + 1
  return at
end

--- A function that waits until a request to `url` may start.
---@param option string|{[1]: string, per: "host"|"session"|nil}|nil "10/s"; `per` host: each on its own
---@return fun(url: string)|nil
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
  return function(url)
    local key = per == "host" and origin(url) or ""
    windows[key] = windows[key] or new_window(n, seconds)
    local now = core.now()
    local at = reserve(windows[key], now)
    if at > now then core.sleep(at - now) end
  end
end

return rate
